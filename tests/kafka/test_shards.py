"""Engines on a real broker: what they consume becomes a ledger exactly once, whoever runs them."""

import asyncio
import signal
import threading
from dataclasses import replace

import confluent_kafka as ck
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.workload import Workload
from ledger.errors import ConfigurationError, CorruptBatch, PositionLost
from ledger.model import Model
from streams.feeding import FeedRules
from tests.engine_process import EngineProcess, has_consumed, is_running
from tests.kafka.producing import ANY_TIME, WorkloadProducer, records
from tests.kafka.running import run_to_the_end, settings
from tests.ledger_check import check_against_model, check_journal, frames
from tests.waiting import PATIENCE_S

WORKLOADS = [Workload(seed=seed, events=3000, households=200) for seed in (11, 12)]


async def committed(broker, topic: str) -> int | None:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker.bootstrap_servers, group_id=f"group of {topic}", enable_auto_commit=False
    )
    await consumer.start()
    try:
        return await consumer.committed(TopicPartition(topic, 0))
    finally:
        await consumer.stop()


def test_a_topic_becomes_the_ledger_that_the_oracle_makes_of_it(kafka_broker, new_topic, tmp_path):
    topic = new_topic(settings=ANY_TIME)
    WorkloadProducer(kafka_broker, topic, WORKLOADS[0]).publish(3000)
    runner = run_to_the_end(kafka_broker, topic, settings(tmp_path))
    assert [(status.state, status.lag) for status in runner.status()] == [("closed", 0)]
    check_against_model(tmp_path / f"{topic}-0", records(WORKLOADS[0]))
    assert asyncio.run(committed(kafka_broker, topic)) == 3000


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_events_of_the_stock_java_producer_are_booked_in_every_compression(kafka_broker, new_topic, tmp_path, codec):
    topic = new_topic()
    workload = Workload(seed=5, events=200, households=20, json=True, refused=0)
    kafka_broker.produce_with_java(topic, [value for value in workload.values() if value], f"compression.type={codec}")
    (status,) = run_to_the_end(kafka_broker, topic, settings(tmp_path)).status()
    fates = workload.fates()
    # The Java tool dates records by its own clock, so all that is sure is that each has one outcome and most are the workload's.
    assert status.engine.records_consumed == 200
    assert status.engine.events_applied + status.engine.events_existing + status.engine.events_refused == 200
    assert status.engine.events_applied in (0, fates.fresh)


def test_events_of_aborted_kafka_txns_are_not_booked(kafka_broker, new_topic, tmp_path):
    topic = new_topic(settings=ANY_TIME)
    producer = ck.Producer({"bootstrap.servers": kafka_broker.bootstrap_servers, "transactional.id": topic})
    producer.init_transactions(PATIENCE_S)
    expected = Model()
    events = records(WORKLOADS[0])
    offset = 0
    for number, commits in enumerate([True, False, True, False, False, True]):
        producer.begin_transaction()
        for value, timestamp_ms in events[number * 50 : number * 50 + 50]:
            producer.produce(topic, value, partition=0, timestamp=timestamp_ms)
            if commits:
                expected.apply_record(value, offset, timestamp_ms)
            offset += 1
        assert producer.flush(PATIENCE_S) == 0
        producer.commit_transaction(PATIENCE_S) if commits else producer.abort_transaction(PATIENCE_S)
        offset += 1  # the control batch that ends it
    kafka_broker.wait_for_markers(topic, offset)
    (status,) = run_to_the_end(kafka_broker, topic, settings(tmp_path)).status()
    assert (status.engine.records_consumed, status.engine.next_offset, status.lag) == (150, offset, 0)
    entries = b"".join(bytes(frame.entries) for frame in frames(tmp_path / f"{topic}-0"))
    assert entries == b"".join(expected.entries)


def test_an_empty_topic_gives_an_empty_ledger(kafka_broker, new_topic, tmp_path):
    topic = new_topic()
    (status,) = run_to_the_end(kafka_broker, topic, settings(tmp_path)).status()
    assert (status.state, status.engine.next_offset, status.engine.applied_seq, status.lag) == ("closed", 0, 0, 0)


def test_a_missing_topic_is_named(kafka_broker, tmp_path):
    with pytest.raises(ConfigurationError, match="no topic never-made"):
        run_to_the_end(kafka_broker, "never-made", settings(tmp_path))


def test_a_topic_that_is_made_a_moment_later_is_waited_for(kafka_broker, tmp_path, monkeypatch):
    monkeypatch.setattr("streams.shards.TOPIC_WAIT_S", PATIENCE_S)
    later = threading.Timer(1.0, kafka_broker.create_topic, ["made-a-moment-later"])
    later.start()
    (status,) = run_to_the_end(kafka_broker, "made-a-moment-later", settings(tmp_path)).status()
    later.join()
    assert (status.state, status.lag) == ("closed", 0)


def test_deleted_records_stop_the_shard_and_their_loss_can_be_accepted(kafka_broker, new_topic, tmp_path):
    topic = new_topic(settings=ANY_TIME)
    WorkloadProducer(kafka_broker, topic, WORKLOADS[0]).publish(1000)
    kafka_broker.delete_records(topic, 0, before_offset=400)
    with pytest.raises(PositionLost, match=r"next_offset 0, first_offset 400"):
        run_to_the_end(kafka_broker, topic, settings(tmp_path))
    (status,) = run_to_the_end(kafka_broker, topic, replace(settings(tmp_path), accept_lost_records=True)).status()
    assert (status.engine.records_consumed, status.engine.next_offset) == (600, 1000)


def test_a_batch_damaged_on_the_brokers_disk_stops_the_shard_or_is_quarantined(kafka_broker, new_topic, tmp_path):
    topic = new_topic(settings=ANY_TIME)
    producer = WorkloadProducer(kafka_broker, topic, WORKLOADS[0])
    for _ in range(3):
        producer.publish(100)
    kafka_broker.stop()
    (log,) = (kafka_broker.data / "logs" / f"{topic}-0").glob("*.log")
    content = bytearray(log.read_bytes())
    content[len(content) // 2] ^= 0x20
    log.write_bytes(content)
    kafka_broker.restart()
    with pytest.raises(CorruptBatch, match=rf"{topic}/0 is damaged .*base_offset 100, byte_offset \d+, expected \d+, found \d+"):
        run_to_the_end(kafka_broker, topic, settings(tmp_path))
    assert check_journal(tmp_path / f"{topic}-0")[0] == 100
    allowed = replace(settings(tmp_path), rules=FeedRules(max_ahead_s=None, quarantine_corrupt_batches=True))
    (status,) = run_to_the_end(kafka_broker, topic, allowed).status()
    assert (status.engine.records_consumed, status.engine.next_offset) == (201, 300)


def test_an_engine_goes_on_after_the_broker_was_killed_and_started_again(kafka_broker, new_topic, tmp_path):
    topic = new_topic(settings=ANY_TIME)
    producer = WorkloadProducer(kafka_broker, topic, WORKLOADS[0])
    producer.publish(1500)
    engine = EngineProcess(topic=topic, data=tmp_path, group=topic, bootstrap_servers=kafka_broker.bootstrap_servers)
    engine.wait_until(has_consumed(1500))
    kafka_broker.kill()
    kafka_broker.restart()
    producer.publish(1500)
    engine.wait_until(has_consumed(3000))
    assert engine.end(signal.SIGTERM) == 0
    check_against_model(tmp_path / f"{topic}-0", records(WORKLOADS[0]))


def test_an_engine_stops_cleanly_while_the_broker_is_gone(kafka_broker, new_topic, tmp_path):
    topic = new_topic(settings=ANY_TIME)
    WorkloadProducer(kafka_broker, topic, WORKLOADS[0]).publish(3000)
    engine = EngineProcess(topic=topic, data=tmp_path, group=topic, bootstrap_servers=kafka_broker.bootstrap_servers)
    engine.wait_until(has_consumed(3000))
    kafka_broker.kill()
    try:
        assert engine.end(signal.SIGTERM) == 0, engine.errors
    finally:
        kafka_broker.restart()
    check_against_model(tmp_path / f"{topic}-0", records(WORKLOADS[0]))


def test_two_engines_share_two_partitions_and_hand_them_over_without_loss(kafka_broker, new_topic, tmp_path):
    topic = new_topic(partitions=2, settings=ANY_TIME)
    producers = [WorkloadProducer(kafka_broker, topic, workload, partition) for partition, workload in enumerate(WORKLOADS)]
    common = {"topic": topic, "data": tmp_path, "group": topic, "bootstrap_servers": kafka_broker.bootstrap_servers}
    common |= {"heartbeat_interval_ms": 200}

    first = EngineProcess(**common)
    for producer in producers:
        producer.publish(1000)
    first.wait_until(lambda status: all(has_consumed(1000, partition)(status) for partition in (0, 1)))

    second = EngineProcess(**common)
    second.wait_until(lambda status: len(status) == 1 and is_running(*status)(status))
    for producer in producers:
        producer.publish(1000)
    (moved,) = second.status
    second.wait_until(has_consumed(2000, moved))
    first.wait_until(has_consumed(2000, 1 - moved))

    assert first.end(signal.SIGTERM) == 0
    for producer in producers:
        producer.publish(1000)
    second.wait_until(lambda status: all(has_consumed(3000, partition)(status) for partition in (0, 1)))
    assert second.end(signal.SIGTERM) == 0
    for partition, workload in enumerate(WORKLOADS):
        check_against_model(tmp_path / f"{topic}-{partition}", records(workload))
