import asyncio
import struct
from array import array
from datetime import date
from itertools import accumulate

import pytest

from ledger._core import partition_of, walk_batches
from ledger.errors import EventInvalid, PeakledgerError, PublishFailed
from ledger.events import Bill, Payment, decode_event, encode_json
from streams.embedded import EmbeddedStream
from streams.publisher import EmbeddedPublisher

TOPIC = "payments.events"
DAY = date(2026, 7, 23)


def payment(number, household="3301234567890"):
    return Payment(channel="alipay", business_date=DAY, serial=str(number), household=household, amount_fen=100 + number)


BILL = Bill(
    channel="billing",
    business_date=DAY,
    serial="77",
    household="3301234567890",
    amount_fen=5,
    period="2026-06",
    due_date=date(2026, 8, 1),
)


@pytest.fixture
def directory(tmp_path):
    with EmbeddedStream(tmp_path) as stream:
        stream.create_topic(TOPIC, 3)
    return tmp_path


def published(directory):
    """Return (partition, offset, timestamp_ms, key, value) of every record in the stream."""
    with EmbeddedStream(directory) as stream:
        blocks = [stream.read(TOPIC, partition, 0) for partition in range(stream.partition_count(TOPIC))]
    return [(block.partition, *record) for block in blocks if block for record in walk_batches(block.data)]


def run(directory, act, **settings):
    async def publish():
        async with EmbeddedPublisher(TOPIC, directory=directory, **settings) as publisher:
            await act(publisher)

    asyncio.run(publish())
    return published(directory)


@pytest.mark.parametrize("encoding", ["packed", "json", "msgpack"])
def test_events_arrive_as_they_were_in_every_encoding(directory, encoding):
    records = run(directory, lambda publisher: publisher.publish_many([payment(1), BILL]), encoding=encoding)
    assert [decode_event(record[4]) for record in records] == [payment(1), BILL]
    assert {record[3] for record in records} == {b"3301234567890"}


def test_events_of_a_household_stay_in_order_in_the_partition_of_its_key(directory):
    households = [f"33000000000{number:02d}" for number in range(20)]
    events = [payment(number, households[number % 20]) for number in range(200)]
    records = run(directory, lambda publisher: publisher.publish_many(events, 5), batch_bytes=500)
    for household in households:
        own = [record for record in records if record[3] == household.encode()]
        assert [int(decode_event(record[4]).serial) for record in own] == list(range(households.index(household), 200, 20))
        assert {record[0] for record in own} == {partition_of(household.encode(), 3)}
    assert {record[2] for record in records} == {5}


def test_packed_events_in_bulk_go_where_single_ones_go(directory):
    events = b"".join(struct.pack("<BBHHH16sQqQ16x", 1, 2, 13, 20_000, 20_000, b"\x12" * 16, house, 1, 0) for house in range(300))
    times = array("q", range(300))
    records = run(directory, lambda publisher: publisher.publish_packed(events, times), batch_bytes=2000)
    assert sorted(record[2] for record in records) == list(range(300))
    for partition, _, timestamp_ms, key, value in records:
        assert key == b"%013d" % timestamp_ms
        assert partition == partition_of(key, 3)
        assert value == events[timestamp_ms * 64 : timestamp_ms * 64 + 64]


def test_values_in_bulk_go_where_single_ones_go(directory):
    events = [payment(number, f"33000000000{number % 7:02d}") for number in range(200)]
    values = [encode_json(event) for event in events]
    ends = array("q", accumulate(map(len, values)))
    households = array("Q", [int(event.household) for event in events])
    records = run(directory, lambda publisher: publisher.publish_values(b"".join(values), ends, households), batch_bytes=2000)
    assert sorted(record[4] for record in records) == sorted(values)
    for partition, _, _, key, value in records:
        assert key == decode_event(value).household.encode()
        assert partition == partition_of(key, 3)


def test_single_events_and_bulk_stay_in_the_order_of_publishing(directory):
    async def act(publisher):
        await publisher.publish(payment(1), 1)
        await publisher.publish_packed(struct.pack("<BBHHH16sQqQ16x", 1, 2, 13, 1, 1, b"", 3301234567890, 1, 0), array("q", [2]))
        await publisher.publish(payment(3), 3)

    assert [record[2] for record in run(directory, act)] == [1, 2, 3]


def test_events_are_sent_without_a_flush_after_a_while(directory):
    async def act(publisher):
        await publisher.publish(payment(1))
        for _ in range(500):
            if published(directory):
                return
            await asyncio.sleep(0.01)

    assert len(run(directory, act, linger_s=0.001)) == 1


def test_a_record_can_be_sent_as_it_is_to_a_partition_named(directory):
    async def act(publisher):
        await publisher.publish_record(None, b"no event", 7, partition=2)
        await publisher.publish_record(b"3301234567890", None, 8, partition=2)

    assert run(directory, act) == [(2, 0, 7, None, b"no event"), (2, 1, 8, b"3301234567890", None)]


def test_what_is_no_event_is_refused_before_it_is_packed(directory):
    with pytest.raises(EventInvalid):
        run(directory, lambda publisher: publisher.publish(payment(-1)))
    with pytest.raises(ValueError, match="packed events"):
        run(directory, lambda publisher: publisher.publish_packed(b"x" * 65))


def test_a_topic_that_is_not_there_is_named(tmp_path):
    with pytest.raises(PeakledgerError, match=r"no topic payments\.events"):
        run(tmp_path, lambda publisher: publisher.publish(payment(1)))


def test_a_stream_that_cannot_be_written_is_named(directory):
    async def act(publisher):
        for partition in range(3):
            folder = directory / TOPIC / str(partition)
            folder.rmdir()
            folder.touch()
        await publisher.publish(payment(1))
        await publisher.flush()

    with pytest.raises(PublishFailed, match=r"payments.events in .*publish again"):
        run(directory, act)
