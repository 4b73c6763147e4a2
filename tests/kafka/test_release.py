"""Interactive events go before batch ones on a real broker: no household's change places, and each is released once."""

import asyncio
import signal
from collections.abc import Iterable
from datetime import date, datetime

import pytest
from aiokafka import TopicPartition
from msgspec.structs import replace

from bench.workload import LEDGER_ZONE
from ledger.channels import SerialForm
from ledger.errors import ConfigurationError, Fenced, PublishFailed
from ledger.event_fields import format_serial
from ledger.events import Bill, Payment
from ledger.layouts import JOURNAL_ENTRY, EntryKind
from ledger.outcomes import OutcomeCode
from ledger.projections.quarantine import Quarantine
from streams.consumer import CONTROL, RecordSet
from streams.inlets import Inlet, KafkaInlets, priority_topics, released_topic
from streams.kafka_txns import KafkaTxns
from streams.merging import Released
from streams.publisher import Publisher
from streams.release import ReleaseRules
from streams.shard import ShardSettings
from streams.shards import KafkaShards
from tests.engine_process import EngineProcess, has_consumed, is_running
from tests.kafka.reading import end_offset, read_blocks
from tests.ledger_check import frames

BILLS, PAYMENTS = 6000, 100
AHEAD = 50
TODAY = datetime.now(LEDGER_ZONE).date()


def household(number: int) -> str:
    return f"33012345{number:05d}"


def bills(first: int, last: int) -> list[Bill]:
    """One for each household."""
    return [
        Bill(
            channel="billing",
            business_date=TODAY,
            serial=str(1 + number),
            household=household(number),
            amount_fen=500,
            period=f"{TODAY:%Y-%m}",
            due_date=date(2026, 12, 25),
        )
        for number in range(first, last)
    ]


def payments(numbers: Iterable[int]) -> list[Payment]:
    return [
        Payment(channel="alipay", business_date=TODAY, serial=str(1 + number), household=household(number), amount_fen=500)
        for number in numbers
    ]


@pytest.fixture
def topic(kafka_broker, new_topic):
    events = new_topic()
    for name in priority_topics(events):
        kafka_broker.create_topic(name)
    return events


def publish(broker, topic: str, inlet: Inlet, events: Iterable[Bill | Payment]) -> None:
    async def run() -> None:
        async with Publisher(inlet.topic(topic), bootstrap_servers=broker.bootstrap_servers) as publisher:
            await publisher.publish_many(events)

    asyncio.run(run())


def engine(broker, topic: str, data, group: str, **settings: int | None) -> EngineProcess:
    rules = {"ahead": AHEAD, "window": BILLS}
    servers = broker.bootstrap_servers
    return EngineProcess(topic=topic, data=data, group=group, bootstrap_servers=servers, release=rules, **settings)


def applied(shard) -> list[tuple[str, int]]:
    """The channel and the number of each bill and payment, by seq."""
    entries = [JOURNAL_ENTRY.unpack(bytes(entry)) for frame in frames(shard) for entry in _cut(frame.entries)]
    names = {100: "bill", 13: "payment"}
    transfers = [entry for entry in entries if entry["kind"] == EntryKind.transfer]
    return [(names[entry["channel"]], int(format_serial(entry["serial"], SerialForm.digits)) - 1) for entry in transfers]


def _cut(entries: bytes) -> Iterable[bytes]:
    return (entries[start : start + JOURNAL_ENTRY.size] for start in range(0, len(entries), JOURNAL_ENTRY.size))


def check_each_once_and_in_order(shard, events: int, existing: int = 0, refused: int = 0) -> list[tuple[str, int]]:
    """Check that every event was applied, no record came twice, and bills come before the payments of their households."""
    *_, last = frames(shard)
    assert last.records_consumed == events + existing + refused
    assert (last.events_existing, last.events_refused) == (existing, refused)
    order = applied(shard)
    assert len(order) == len(set(order)) == events
    place = {event: seq for seq, event in enumerate(order)}
    for kind, number in order:
        assert kind == "bill" or place["bill", number] < place["payment", number]
    return order


def test_payments_that_arrive_while_bills_wait_are_applied_before_most_of_them(kafka_broker, topic, tmp_path):
    wrong = [replace(bill, amount_fen=1) for bill in bills(0, 5)]
    publish(kafka_broker, topic, Inlet.batch, [*bills(0, BILLS // 2), *wrong, *bills(BILLS // 2, BILLS)])
    process = engine(kafka_broker, topic, tmp_path, group=topic, freeze_at=1)
    process.wait_frozen()
    payers = range(BILLS - PAYMENTS, BILLS)  # whose bills are the last of those that wait
    publish(kafka_broker, topic, Inlet.interactive, [*payments(payers), *payments(payers)[:7]])
    process.send(signal.SIGCONT)
    # An entry for each event that is applied and for each account: the households', one of revenue, one of clearing.
    process.wait_until(lambda status: status[0]["durable_seq"] == BILLS + PAYMENTS + BILLS + 2)
    assert process.end(signal.SIGTERM) == 0, process.errors
    shard = tmp_path / f"{topic}-0"
    order = check_each_once_and_in_order(shard, BILLS + PAYMENTS, existing=7, refused=len(wrong))
    last_payment = max(seq for seq, (kind, _) in enumerate(order) if kind == "payment")
    assert last_payment < len(order) // 2
    # Before the payments were read, what was under way went on; of what went with them only their own bills lay further back.
    overtaken = [number for kind, number in order[last_payment:] if kind == "bill"]
    assert set(range(order[last_payment + 1][1], BILLS - PAYMENTS)) == set(overtaken)
    quarantine = Quarantine(shard)
    quarantine.catch_up()
    assert [item.code for item in quarantine.items()] == [OutcomeCode.exists_with_different_amount] * len(wrong)


def test_a_release_that_is_killed_again_and_again_releases_each_record_once(kafka_broker, topic, tmp_path):
    publish(kafka_broker, topic, Inlet.batch, bills(0, BILLS))
    kills = range(3)
    for kill in kills:
        # A group of its own for each, so that Kafka does not wait for the one that was killed.
        process = engine(kafka_broker, topic, tmp_path, group=f"{topic}-{kill}")
        process.wait_until(has_consumed(300 * (kill + 1)))
        publish(kafka_broker, topic, Inlet.interactive, payments(range(kill, BILLS, BILLS // PAYMENTS)))
        process.end(signal.SIGKILL)
    publish(kafka_broker, topic, Inlet.batch, bills(BILLS, BILLS + 100))
    run_to_the_end(kafka_broker, topic, tmp_path)
    check_each_once_and_in_order(tmp_path / f"{topic}-0", BILLS + 100 + len(kills) * PAYMENTS)


def test_an_engine_stops_cleanly_while_the_broker_is_gone_and_what_waited_is_released_later(kafka_broker, topic, tmp_path):
    publish(kafka_broker, topic, Inlet.batch, bills(0, BILLS))
    process = engine(kafka_broker, topic, tmp_path, group=f"{topic}-gone")  # which it cannot leave then
    process.wait_until(has_consumed(300))
    kafka_broker.kill()
    try:
        assert process.end(signal.SIGTERM) == 0, process.errors
    finally:
        kafka_broker.restart()
    run_to_the_end(kafka_broker, topic, tmp_path)
    check_each_once_and_in_order(tmp_path / f"{topic}-0", BILLS)


def test_no_more_than_release_ahead_goes_before_the_end_of_the_events_is_known(kafka_broker, topic, tmp_path):
    publish(kafka_broker, topic, Inlet.batch, bills(0, 300))
    run_to_the_end(kafka_broker, topic, tmp_path, ReleaseRules(AHEAD))
    publish(kafka_broker, topic, Inlet.batch, bills(300, 900))
    run_to_the_end(kafka_broker, topic, tmp_path, ReleaseRules(AHEAD))
    assert max(asyncio.run(read_batches(kafka_broker, topic))) <= AHEAD
    check_each_once_and_in_order(tmp_path / f"{topic}-0", 900)


def test_two_engines_hand_over_partitions_with_what_waits_in_their_inlets(kafka_broker, new_topic, tmp_path):
    topic = new_topic(partitions=2)
    for name in priority_topics(topic):
        kafka_broker.create_topic(name, partitions=2)
    publish(kafka_broker, topic, Inlet.batch, bills(0, BILLS))
    first = engine(kafka_broker, topic, tmp_path, group=topic, heartbeat_interval_ms=200)
    first.wait_until(lambda status: all(has_consumed(500, partition)(status) for partition in (0, 1)))
    publish(kafka_broker, topic, Inlet.interactive, payments(range(0, BILLS, BILLS // PAYMENTS)))
    second = engine(kafka_broker, topic, tmp_path, group=topic, heartbeat_interval_ms=200)
    second.wait_until(lambda status: len(status) == 1 and is_running(*status)(status))
    assert first.end(signal.SIGTERM) == 0, first.errors
    second.wait_until(lambda status: len(status) == 2 and all(is_running(partition)(status) for partition in status))
    assert second.end(signal.SIGTERM) == 0, second.errors
    run_to_the_end(kafka_broker, topic, tmp_path)
    shards = [tmp_path / f"{topic}-{partition}" for partition in (0, 1)]
    found = [check_each_once_and_in_order(shard, len(applied(shard))) for shard in shards]
    assert sum(map(len, found)) == BILLS + PAYMENTS


def test_a_writer_that_was_overtaken_releases_nothing_more(kafka_broker, topic):
    async def run() -> int:
        old, new = (KafkaTxns(topic, 0, bootstrap_servers=kafka_broker.bootstrap_servers) for _ in range(2))
        record = (0, 1, b"3301234567890", b"value")
        try:
            await old.start()
            assert await old.write([record], Released(1)) == 1
            await new.start()
            with pytest.raises(Fenced, match=f"Another process releases the inlets of {topic}/0"):
                await old.write([record], Released(1))
            return await new.write([record], Released(2))
        finally:
            await old.close(5)
            await new.close(5)

    assert asyncio.run(run()) > 1
    assert asyncio.run(released(kafka_broker, topic)) == Released(2)


@pytest.mark.parametrize("refusing", ["events", "released"])
def test_what_the_broker_refuses_is_not_released_and_nothing_with_it(kafka_broker, new_topic, refusing):
    events = new_topic(settings={"max.message.bytes": "1000"} if refusing == "events" else None)
    for name in priority_topics(events):
        is_small = refusing == "released" and name == released_topic(events)
        kafka_broker.create_topic(name, settings={"max.message.bytes": "80"} if is_small else None)

    async def run() -> None:
        writer = KafkaTxns(events, 0, bootstrap_servers=kafka_broker.bootstrap_servers)
        try:
            await writer.start()
            with pytest.raises(PublishFailed, match=f"Nothing can be released into {events}/0: .*MessageSizeTooLarge"):
                await writer.write([(0, 1, b"3301234567890", bytes(2000))], Released(1))
        finally:
            await writer.close(5)

    asyncio.run(run())
    assert asyncio.run(released(kafka_broker, events)) == Released()
    assert not asyncio.run(read_batches(kafka_broker, events))


async def read_batches(broker, topic: str) -> list[int]:
    """How many records each batch of the events holds, of those that count."""
    partition = TopicPartition(topic, 0)
    blocks = await read_blocks(broker, [partition], await end_offset(broker, partition))
    batches = [batch for block in blocks for batch in RecordSet(block.data).batches() if not batch.attributes & CONTROL]
    return [batch.next_offset - batch.base_offset for batch in batches]


async def released(broker, topic: str) -> Released:
    inlets = KafkaInlets(topic, 0, bootstrap_servers=broker.bootstrap_servers)
    try:
        return await inlets.start()
    finally:
        await inlets.close(5)


def run_to_the_end(broker, topic: str, data, rules: ReleaseRules | None = None) -> None:
    async def run() -> None:
        settings = ShardSettings(data, stop_at_end=True, takeover_after_s=20, engine_options={"segment_bytes": 4 << 20})
        servers = broker.bootstrap_servers
        await KafkaShards(topic, settings, group=topic, bootstrap_servers=servers, release=rules or ReleaseRules()).run()

    asyncio.run(run())


def test_inlets_that_are_missing_or_not_alike_are_named(kafka_broker, new_topic, tmp_path):
    topic = new_topic(partitions=2)
    with pytest.raises(ConfigurationError, match=rf"no topic {topic}.interactive.*topics create --priority"):
        run_to_the_end(kafka_broker, topic, tmp_path)
    for name in priority_topics(topic):
        kafka_broker.create_topic(name)
    with pytest.raises(ConfigurationError, match=r"interactive has not as many partitions .*found 1, wanted 2"):
        run_to_the_end(kafka_broker, topic, tmp_path)
