"""Blocks hold what aiokafka itself reads record by record, whoever produced it and however."""

import asyncio
import time
from collections.abc import Iterable

import confluent_kafka as ck
import pytest
from aiokafka import TopicPartition

from ledger.errors import PositionLost
from streams.consumer import BlockConsumer
from tests.kafka.broker import Broker
from tests.kafka.reading import Record, end_offset, read_blocks, read_records, records_of
from tests.waiting import PATIENCE_S

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
VALUES = [b"value %d" % number for number in range(300)]


def produce(broker: Broker, topic: str, values: Iterable[bytes | None], **settings: object) -> None:
    names = {name.replace("_", "."): value for name, value in settings.items()}
    producer = ck.Producer({"bootstrap.servers": broker.bootstrap_servers, "linger.ms": 5, **names})
    for value in values:
        producer.produce(topic, value, partition=0)
    assert producer.flush(PATIENCE_S) == 0


def produce_in_kafka_txns(broker: Broker, topic: str, kafka_txns: list[tuple[list[bytes], bool]], first_offset: int = 0) -> None:
    """Publish records in kafka_txns, each of which is committed or aborted, to a topic that has ``first_offset`` records."""
    producer = ck.Producer({"bootstrap.servers": broker.bootstrap_servers, "transactional.id": topic, "linger.ms": 5})
    producer.init_transactions(PATIENCE_S)
    for values, commits in kafka_txns:
        producer.begin_transaction()
        for value in values:
            producer.produce(topic, value, partition=0)
        assert producer.flush(PATIENCE_S) == 0
        producer.commit_transaction(PATIENCE_S) if commits else producer.abort_transaction(PATIENCE_S)
    broker.wait_for_markers(topic, first_offset + sum(len(values) + 1 for values, _ in kafka_txns))


def assert_blocks_hold_what_aiokafka_reads(broker: Broker, topic: str, **settings: object) -> None:
    async def compare() -> None:
        partition = TopicPartition(topic, 0)
        end = await end_offset(broker, partition)
        isolation = {name: value for name, value in settings.items() if name == "isolation_level"}
        expected = await read_records(broker, partition, end, **{"isolation_level": "read_committed", **isolation})
        blocks = await read_blocks(broker, [partition], end, **settings)
        assert [record for block in blocks for record in records_of(block)] == expected
        assert [block.next_offset for block in blocks[:-1]] == [block.first_offset for block in blocks[1:]]
        assert not blocks or blocks[-1].next_offset == end

    asyncio.run(compare())


@pytest.mark.parametrize("codec", CODECS)
def test_batches_of_librdkafka_come_through_in_every_compression(kafka_broker, new_topic, codec):
    topic = new_topic()
    produce(kafka_broker, topic, [*VALUES, None, b""], compression_type=codec, batch_num_messages=40)
    assert_blocks_hold_what_aiokafka_reads(kafka_broker, topic)


@pytest.mark.parametrize("codec", CODECS)
def test_batches_of_the_stock_java_producer_come_through_in_every_compression(kafka_broker, new_topic, codec):
    topic = new_topic()
    kafka_broker.produce_with_java(topic, VALUES, f"compression.type={codec}")
    assert_blocks_hold_what_aiokafka_reads(kafka_broker, topic)


@pytest.mark.parametrize("isolation_level", ["read_committed", "read_uncommitted"])
def test_aborted_kafka_txns_and_control_batches_are_left_out(kafka_broker, new_topic, isolation_level):
    topic = new_topic()
    produce(kafka_broker, topic, VALUES[:20])
    commits = [True, False, False, True, True, False, True]
    kafka_txns = [(VALUES[20 + i * 10 : 30 + i * 10], commit) for i, commit in enumerate(commits)]
    produce_in_kafka_txns(kafka_broker, topic, kafka_txns, first_offset=20)
    produce(kafka_broker, topic, VALUES[90:99])
    assert_blocks_hold_what_aiokafka_reads(kafka_broker, topic, isolation_level=isolation_level)


def test_a_topic_of_only_aborted_kafka_txns_moves_the_position_and_gives_no_block(kafka_broker, new_topic):
    topic = new_topic()
    produce_in_kafka_txns(kafka_broker, topic, [(VALUES[:10], False), (VALUES[10:20], False)])
    partition = TopicPartition(topic, 0)
    assert asyncio.run(read_blocks(kafka_broker, [partition], asyncio.run(end_offset(kafka_broker, partition)))) == []


def test_responses_that_end_within_a_batch_lose_nothing(kafka_broker, new_topic):
    topic = new_topic()
    produce(kafka_broker, topic, VALUES, batch_num_messages=7)
    assert_blocks_hold_what_aiokafka_reads(kafka_broker, topic, max_partition_fetch_bytes=400, fetch_max_bytes=400)


def test_kept_blocks_of_two_partitions_are_not_overwritten_by_later_responses(kafka_broker, new_topic):
    topic = new_topic(partitions=2)
    values = {partition: [bytes([65 + partition]) * 1000 for _ in range(2000)] for partition in (0, 1)}
    producer = ck.Producer({"bootstrap.servers": kafka_broker.bootstrap_servers, "linger.ms": 5, "batch.num.messages": 50})
    for partition, of_partition in values.items():
        for value in of_partition:
            producer.produce(topic, value, partition=partition)
    assert producer.flush(PATIENCE_S) == 0
    partitions = [TopicPartition(topic, partition) for partition in values]
    blocks = asyncio.run(read_blocks(kafka_broker, partitions, 2000, max_partition_fetch_bytes=150_000))
    assert len(blocks) > 20
    for partition, of_partition in values.items():
        found = [value for block in blocks if block.partition == partition for _, value in records_of(block)]
        assert found == of_partition


def test_gaps_left_by_compaction_are_stepped_over(kafka_broker, new_topic):
    settings = {
        "cleanup.policy": "compact",
        "segment.ms": "50",
        "min.cleanable.dirty.ratio": "0.01",
        "max.compaction.lag.ms": "100",
    }
    topic = new_topic(settings=settings)
    producer = ck.Producer({"bootstrap.servers": kafka_broker.bootstrap_servers})
    partition, produced = TopicPartition(topic, 0), 0

    def kept() -> list[Record]:
        return asyncio.run(read_records(kafka_broker, partition, produced))

    # The broker compacts when it sees fit: records are published until some are gone.
    while produced == len(kept()):
        assert produced < 3000
        for key in (b"a", b"b", b"c%d" % produced):
            producer.produce(topic, b"value", key)
        assert producer.flush(PATIENCE_S) == 0
        produced += 3
        time.sleep(0.06)
    # It may go on while both read. Then they may differ, and read again.
    while True:
        before = kept()
        try:
            assert_blocks_hold_what_aiokafka_reads(kafka_broker, topic)
            break
        except AssertionError:
            if kept() == before:
                raise


def test_an_empty_topic_gives_no_blocks_and_no_error(kafka_broker, new_topic):
    partition = TopicPartition(new_topic(), 0)

    async def read() -> object:
        consumer = BlockConsumer(bootstrap_servers=kafka_broker.bootstrap_servers)
        consumer.assign([partition])
        await consumer.start()
        consumer.seek(partition, 0)
        blocks = await consumer.getmany(timeout_ms=300)
        await consumer.stop()
        return blocks

    assert asyncio.run(read()) == {}


def test_a_position_below_deleted_records_is_an_error_with_numbers_and_a_hint(kafka_broker, new_topic):
    topic = new_topic()
    produce(kafka_broker, topic, VALUES)
    kafka_broker.delete_records(topic, 0, before_offset=100)
    with pytest.raises(PositionLost, match=r"next_offset 0, first_offset 100, end_offset 300.*accepting lost records"):
        asyncio.run(read_blocks(kafka_broker, [TopicPartition(topic, 0)], 300))


def test_a_position_above_the_end_says_that_the_topic_is_another_one(kafka_broker, new_topic):
    partition = TopicPartition(new_topic(), 0)

    async def read() -> None:
        consumer = BlockConsumer(bootstrap_servers=kafka_broker.bootstrap_servers)
        consumer.assign([partition])
        await consumer.start()
        consumer.seek(partition, 5)
        try:
            await consumer.getmany(timeout_ms=int(PATIENCE_S * 1000))
        finally:
            await consumer.stop()

    with pytest.raises(PositionLost, match="not the topic that this ledger was made from"):
        asyncio.run(read())


def test_reading_goes_on_after_the_broker_was_killed_and_started_again(kafka_broker, new_topic):
    topic = new_topic()
    partition = TopicPartition(topic, 0)
    produce(kafka_broker, topic, VALUES[:100])

    async def read() -> list[bytes | None]:
        consumer = BlockConsumer(bootstrap_servers=kafka_broker.bootstrap_servers, request_timeout_ms=5000)
        consumer.assign([partition])
        await consumer.start()
        consumer.seek(partition, 0)
        values: list[bytes | None] = []
        was_killed = False
        while len(values) < 200:
            for block in (await consumer.getmany(timeout_ms=1000)).get(partition, []):
                values += [value for _, value in records_of(block)]
            if len(values) == 100 and not was_killed:
                was_killed = True
                await asyncio.to_thread(kafka_broker.kill)
                await asyncio.to_thread(kafka_broker.restart)
                await asyncio.to_thread(produce, kafka_broker, topic, VALUES[100:200])
        await consumer.stop()
        return values

    assert asyncio.run(read()) == VALUES[:200]
