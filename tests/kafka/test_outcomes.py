"""Outcomes published to a real broker."""

import asyncio
import json

from confluent_kafka import Consumer, TopicPartition

from ledger.journal import open_journal
from ledger.layouts import JOURNAL_ENTRY, EntryKind
from streams.outcomes import OutcomePublisher
from streams.sinks import KafkaSink
from tests.waiting import PATIENCE_S


def test_outcomes_arrive_in_the_partition_of_their_events_and_go_on_after_a_restart(kafka_broker, new_topic, tmp_path):
    topic = new_topic(2)
    journal = open_journal(tmp_path, source="payments.events/1", segment_bytes=4 << 20)
    for first in range(0, 20_000, 5000):
        entries = [
            JOURNAL_ENTRY.pack(
                kind=EntryKind.transfer,
                leg_count=1,
                channel=13,
                business_date=20_000,
                serial=b"\x12" * 16,
                source_offset=offset,
            )
            for offset in range(first, first + 5000)
        ]
        journal.writer.append_frame(b"".join(entries))
    journal.close()

    async def publish(durable_frame):
        sink = KafkaSink(topic, kafka_broker.bootstrap_servers)
        await sink.start()
        try:
            await OutcomePublisher(tmp_path, sink, 1).publish_up_to(durable_frame)
        finally:
            await sink.close(5)

    asyncio.run(publish(2))
    asyncio.run(publish(4))
    consumer = Consumer({"bootstrap.servers": kafka_broker.bootstrap_servers, "group.id": "reader", "check.crcs": True})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(2)])
    found = []
    while len(found) < 20_000:
        messages = consumer.consume(20_000, timeout=PATIENCE_S)
        assert messages, f"{len(found)} records arrived"
        found += [(message.partition(), json.loads(message.value())["offset"]) for message in messages]
    consumer.close()
    assert found == [(1, offset) for offset in range(20_000)]
