"""The publisher against a real broker."""

import asyncio
import struct
from array import array
from datetime import date

import pytest
from confluent_kafka import Consumer, TopicPartition

from ledger._core import partition_of
from ledger.errors import PublishFailed
from ledger.events import Payment, decode_event
from streams.publisher import Publisher
from tests.waiting import PATIENCE_S


def payment(number):
    return Payment(
        channel="alipay",
        business_date=date(2026, 7, 23),
        serial=str(number),
        household=f"33012345{number % 50:05d}",
        amount_fen=1,
    )


def packed(number):
    return struct.pack("<BBHHH16sQqQ16x", 1, 2, 13, 20_000, 20_000, b"\x12" * 16, 3301234500000 + number, 1 + number, 0)


def stored(broker, topic, count, partitions=1):
    """Read ``count`` records by librdkafka; return (partition, offset, timestamp_ms, key, value) of each."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "reader", "check.crcs": True})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
    found = []
    while len(found) < count:
        messages = consumer.consume(count, timeout=PATIENCE_S)
        assert messages, f"{len(found)} of {count} records arrived"
        found += [(m.partition(), m.offset(), m.timestamp()[1], m.key(), m.value()) for m in messages if not m.error()]
    end = sum(consumer.get_watermark_offsets(TopicPartition(topic, partition))[1] for partition in range(partitions))
    consumer.close()
    assert end == len(found)
    return found


def publish(broker, topic, act, **settings):
    async def run():
        async with Publisher(topic, bootstrap_servers=broker.bootstrap_servers, **settings) as publisher:
            await act(publisher)

    asyncio.run(run())


@pytest.mark.parametrize("encoding", ["packed", "json"])
def test_published_events_are_read_by_another_client_in_order(kafka_broker, new_topic, encoding):
    topic = new_topic(3)
    events = [payment(number) for number in range(500)]
    publish(kafka_broker, topic, lambda publisher: publisher.publish_many(events, 77), encoding=encoding, batch_bytes=3000)
    records = stored(kafka_broker, topic, 500, 3)
    assert {record[2] for record in records} == {77}
    assert all(partition == partition_of(key, 3) for partition, _, _, key, _ in records)
    for partition in range(3):
        serials = [int(decode_event(record[4]).serial) for record in sorted(records) if record[0] == partition]
        assert serials == sorted(serials)


def test_bulk_arrives_whole_in_batches_that_the_broker_accepts(kafka_broker, new_topic):
    topic = new_topic(2)
    events = b"".join(packed(number) for number in range(60_000))
    publish(kafka_broker, topic, lambda publisher: publisher.publish_packed(events, array("q", range(60_000))))
    records = sorted(stored(kafka_broker, topic, 60_000, 2), key=lambda record: record[2])
    assert b"".join(record[4] for record in records) == events


def test_a_key_goes_where_the_java_producer_sends_it(kafka_broker, new_topic):
    topic = new_topic(5)
    lines = [b"33012345%05d:x" % number for number in range(40)]
    kafka_broker.run_tool(
        "org.apache.kafka.tools.ConsoleProducer",
        *("--topic", topic, "--reader-property", "parse.key=true", "--reader-property", "key.separator=:"),
        stdin=b"\n".join(lines) + b"\n",
    )
    for partition, _, _, key, _ in stored(kafka_broker, topic, 40, 5):
        assert partition == partition_of(key, 5)


def test_nothing_is_lost_or_doubled_while_the_broker_restarts(kafka_broker, new_topic):
    topic = new_topic(2)

    async def act(publisher):
        loop = asyncio.get_running_loop()
        restart = None
        for number in range(3000):
            await publisher.publish(payment(number))
            if number % 100 == 0:
                await publisher.flush() if restart is None else await asyncio.sleep(0.01)
            if number == 1000:
                restart = loop.run_in_executor(None, kafka_broker.restart)
        await restart

    publish(kafka_broker, topic, act, batch_bytes=2000)
    serials = [int(decode_event(record[4]).serial) for record in stored(kafka_broker, topic, 3000, 2)]
    assert sorted(serials) == list(range(3000))


def test_a_record_too_large_for_the_broker_fails_the_publisher_and_says_so(kafka_broker, new_topic):
    topic = new_topic(1, {"max.message.bytes": "1000"})

    async def act(publisher):
        await publisher.publish_record(b"k", b"x" * 2000)

    with pytest.raises(PublishFailed, match=r"refused events: .*publish again") as error:
        publish(kafka_broker, topic, act)
    assert error.value.numbers == {"partition": 0, "records": 1}


def test_a_broker_that_cannot_be_reached_is_named():
    with pytest.raises(PublishFailed, match=r"cannot be reached at 127\.0\.0\.1:1"):
        asyncio.run(Publisher("t", bootstrap_servers="127.0.0.1:1").__aenter__())


def test_a_topic_that_is_not_there_is_named(kafka_broker):
    settings = {"bootstrap_servers": kafka_broker.bootstrap_servers, "kafka_settings": {"request_timeout_ms": 5000}}
    with pytest.raises(PublishFailed, match=r"nowhere cannot be reached .*peakledger topics create --topic nowhere"):
        asyncio.run(Publisher("nowhere", **settings).__aenter__())


def test_a_flush_gives_up_when_the_broker_stays_away(kafka_broker, new_topic):
    topic = new_topic()

    async def act(publisher):
        await publisher.publish(payment(1))
        await publisher.flush()
        kafka_broker.stop()
        await publisher.publish(payment(2))
        await publisher.flush()

    try:
        with pytest.raises(PublishFailed, match="not acknowledged"):
            publish(kafka_broker, topic, act, timeout_s=1)
    finally:
        kafka_broker.restart()
