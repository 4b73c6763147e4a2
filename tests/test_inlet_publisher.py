"""Events go to the inlet of their channel's priority, and those of one household never lose their order on the way."""

import asyncio
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from ledger.channels import BUILT_IN_CHANNELS
from ledger.events import Adjust, Bill, OpenAccount, encode_json, encode_msgpack, encode_packed
from ledger.layouts import PACKED_EVENT, EventType
from streams.inlet_publisher import InletPublisher
from streams.inlets import Inlet

ALIPAY, BILLING, HALL, LEDGER = 13, 100, 5, 101
HOUSEHOLDS = (3301234567890, 3301234567891)


class Sent:
    """A publisher that acknowledges when it is flushed, as late as can be."""

    def __init__(self) -> None:
        self.under_way: list[tuple[bytes | None, bytes, int, int | None]] = []
        self.acknowledged: list[tuple[bytes | None, bytes, int, int | None]] = []

    async def publish_record(self, key: bytes | None, value: bytes, time_ms: int, partition: int | None) -> None:
        self.under_way.append((key, value, time_ms, partition))

    async def flush(self) -> None:
        self.acknowledged += self.under_way
        self.under_way = []


def event(channel: int, type_: EventType, household: int = 0) -> bytes:
    return PACKED_EVENT.pack(version=1, event_type=type_, channel=channel, household=household)


def test_an_event_goes_to_the_inlet_of_its_channel_under_the_key_of_its_household():
    sent = {inlet: Sent() for inlet in Inlet}
    events = [
        event(ALIPAY, EventType.payment, HOUSEHOLDS[0]),
        event(BILLING, EventType.bill, HOUSEHOLDS[1]),
        event(HALL, EventType.open_float),
        event(LEDGER, EventType.clock),
    ]

    async def publish() -> None:
        publisher = InletPublisher(sent, BUILT_IN_CHANNELS)
        for number, packed in enumerate(events):
            await publisher.publish(packed, b"%d" % number)
        await publisher.flush()

    asyncio.run(publish())
    placed = {inlet: [(key, value, partition) for key, value, _, partition in its.acknowledged] for inlet, its in sent.items()}
    # Who opens a float concerns no household; what the utility's own people do may concern any.
    assert placed[Inlet.interactive] == [(b"3301234567890", b"0", None), (b"-", b"2", 0), (None, b"3", 0)]
    assert placed[Inlet.batch] == [(b"3301234567891", b"1", None)]


def test_a_record_for_a_partition_goes_under_the_household_that_its_event_names_and_what_may_be_of_any_under_none():
    sent = {inlet: Sent() for inlet in Inlet}
    day, number = date(2026, 7, 24), "33%011d"
    due = date(2026, 12, 25)
    bill = Bill(
        channel="billing", business_date=day, serial="1", household=number % 1, amount_fen=5, period="2026-07", due_date=due
    )
    account = f"household:{number}"
    accounts = [("ledger:1", account % 2), (account % 3, "ledger:1"), (account % 4, account % 5), ("ledger:1", "ledger:2")]
    moves = [
        Adjust("ledger", day, str(serial), debit=debit, credit=credit, amount_fen=1, allowed_by=("Li",), reason="A test")
        for serial, (debit, credit) in enumerate(accounts)
    ]
    opening = OpenAccount("ledger", day, "6", account=account % 6)
    values = [encode_packed(bill), *map(encode_json, moves), encode_msgpack(opening), b"no event", None]

    async def publish() -> None:
        publisher = InletPublisher(sent, BUILT_IN_CHANNELS)
        for value in values:
            await publisher.publish_record(b"of an agency", value, partition=3)
        await publisher.flush()

    asyncio.run(publish())
    placed = {inlet: [(key, value, partition) for key, value, _, partition in its.acknowledged] for inlet, its in sent.items()}
    households = [2, 3, None, None, 6, None, None]
    keys = [household and (number % household).encode() for household in households]
    assert placed[Inlet.interactive] == [(key, value, 3) for key, value in zip(keys, values[1:], strict=True)]
    assert placed[Inlet.batch] == [((number % 1).encode(), values[0], 3)]


steps = st.tuples(st.sampled_from([ALIPAY, BILLING]), st.sampled_from([*HOUSEHOLDS, 0]))


@given(st.lists(steps, max_size=40))
def test_an_event_follows_one_of_its_household_in_the_other_inlet_when_that_is_there_and_with_a_later_time(events):
    sent = {inlet: Sent() for inlet in Inlet}

    async def publish() -> None:
        publisher = InletPublisher(sent, BUILT_IN_CHANNELS)
        for channel, household in events:
            other = sent[Inlet.batch if channel == ALIPAY else Inlet.interactive]
            type_ = EventType.payment if household else EventType.post
            await publisher.publish(event(channel, type_, household), b"")
            *_, (key, _, time_ms, _) = sent[Inlet.interactive if channel == ALIPAY else Inlet.batch].under_way
            assert not [one for one in other.under_way if key is None or one[0] in {None, key}]
            assert all(one[2] < time_ms for one in other.acknowledged if key is None or one[0] in {None, key})

    asyncio.run(publish())
