"""The ends of a topic as an observer sees them: markers and aborted records are not waited for, what is not committed is."""

import asyncio

import confluent_kafka as ck
import pytest

from streams import ends
from tests.waiting import PATIENCE_S


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """Have a busy machine find out all the same that there is nothing at the last offsets."""
    monkeypatch.setattr(ends, "_LOOK_S", PATIENCE_S)
    monkeypatch.setattr(ends, "_ANSWER_S", PATIENCE_S)


def behind(broker, topic: str, *next_offsets: int, meanwhile=lambda: None) -> list[int]:
    """Return how far ledgers are behind whose next offsets these are; ``meanwhile`` is called when the ends are known."""

    async def ask() -> list[int]:
        of_topic = ends.KafkaEnds(topic, has_inlets=False, bootstrap_servers=broker.bootstrap_servers)
        try:
            await of_topic.start(1)
            meanwhile()
            return [await of_topic.behind(0, next_offset) for next_offset in next_offsets]
        finally:
            await of_topic.close()

    return asyncio.run(ask())


def test_what_no_ledger_will_ever_have_is_not_waited_for(kafka_broker, new_topic, monkeypatch):
    topic = new_topic()
    producer = ck.Producer({"bootstrap.servers": kafka_broker.bootstrap_servers, "transactional.id": topic})
    producer.init_transactions()

    def produce(count: int) -> None:
        producer.begin_transaction()
        for _ in range(count):
            producer.produce(topic, b"record", partition=0)
        assert producer.flush(PATIENCE_S) == 0

    def publish() -> None:
        produce(1)
        producer.commit_transaction()

    produce(2)
    producer.commit_transaction()
    produce(1)
    producer.abort_transaction()
    kafka_broker.wait_for_markers(topic, 5)
    # Offsets 0 and 1 count, 2 is a marker, 3 was aborted, 4 is its marker.
    assert behind(kafka_broker, topic, 0, 1, 2, 4, 5, 6) == [5, 4, 0, 0, 0, 0]
    # A record that comes later, at 5, is none of those that are waited for.
    assert behind(kafka_broker, topic, 0, 2, meanwhile=publish) == [5, 0]
    kafka_broker.wait_for_markers(topic, 7)
    produce(1)
    with monkeypatch.context() as impatience:
        impatience.setattr(ends, "_LOOK_S", 0.5)
        assert behind(kafka_broker, topic, 7) == [1]
    producer.abort_transaction()
    kafka_broker.wait_for_markers(topic, 9)
    assert behind(kafka_broker, topic, 7) == [0]
