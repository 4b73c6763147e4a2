"""Events go to the partition of the household that they touch, whatever their type, as far as they say whose they are."""

import asyncio
from collections import Counter
from datetime import date

import pytest

from ledger._core import partition_of, walk_batches
from ledger.account_ids import AccountKind, account_id, household_account, household_of_account
from ledger.events import (
    Adjust,
    Clock,
    EventName,
    Freeze,
    HoldName,
    Leg,
    OpenAccount,
    OpenFloat,
    Payment,
    Post,
    Reverse,
    TopUp,
    Transfer,
    encode_json,
    encode_packed,
)
from ledger.history import shard_histories
from streams.embedded import EmbeddedStream
from streams.publisher import EmbeddedPublisher
from streams.record_keys import household_of
from tests import ledger_events as make
from tests.ledger_events import IN_FULL, leg

DAY = date(2026, 7, 23)
HOUSEHOLDS = [f"330123456789{digit}" for digit in range(10)]
FIRST, SECOND = HOUSEHOLDS[:2]
LEDGER = {"channel": "ledger", "business_date": DAY}
HOLD = HoldName("ledger", DAY, "H")


def move(debit: str, credit: str, **fields) -> Leg:
    return Leg(debit=debit, credit=credit, amount_fen=5, code=7, **fields)


@pytest.mark.parametrize(
    ("event", "household"),
    [
        (Payment(channel="alipay", business_date=DAY, serial="1", household=FIRST, amount_fen=5), FIRST),
        (TopUp(channel="recharge_card", business_date=DAY, serial="1", payee="5", amount_fen=5, household=FIRST), FIRST),
        (TopUp(channel="recharge_card", business_date=DAY, serial="1", payee="5", amount_fen=5), None),
        (OpenFloat(channel="business_hall", business_date=DAY, serial="1", payer="5", amount_fen=5), None),
        (Freeze(serial="1", account=f"household:{FIRST}", **LEDGER), FIRST),
        (OpenAccount(serial="1", account="ledger:5", **LEDGER), None),
        (Clock(serial="1", **LEDGER), None),
        (Transfer(serial="1", legs=[move(f"household:{FIRST}", "revenue:00001")], **LEDGER), FIRST),
        (Transfer(serial="1", legs=[move("ledger:5", "ledger:6"), move("ledger:5", f"household:{FIRST}")], **LEDGER), FIRST),
        (Transfer(serial="1", legs=[move(f"household:{SECOND}", f"household:{FIRST}")], **LEDGER), None),
        (
            Transfer(
                serial="1",
                legs=[move(f"household:{FIRST}", "ledger:5"), move("", "", pending=HOLD, flags=("void_pending",))],
                **LEDGER,
            ),
            None,
        ),
        (Post(serial="1", pending=HOLD, **LEDGER), None),
        (Post(serial="1", pending=HOLD, debit="ledger:5", credit=f"household:{FIRST}", **LEDGER), FIRST),
        (Reverse(serial="1", original=EventName("alipay", DAY, "1"), **LEDGER), None),
        (
            Adjust(
                serial="1", debit="ledger:5", credit=f"household:{FIRST}", amount_fen=5, allowed_by=("Li",), reason="r", **LEDGER
            ),
            FIRST,
        ),
    ],
)
def test_the_household_of_an_event_is_the_only_one_that_it_touches(event, household):
    assert household_of(encode_packed(event)) == (household and household.encode())


def test_an_account_that_can_be_none_is_no_households():
    packed = make.transfer("1", leg((1 << 128) - 1, household_account(FIRST), IN_FULL))
    assert household_of(packed) == FIRST.encode()
    others = [account_id(AccountKind.household, "1" * 12), account_id(AccountKind.card, FIRST), 0, (1 << 128) - 1]
    assert [household_of_account(account) for account in others] == [None] * len(others)


@pytest.fixture
def run(tmp_path, monkeypatch, command):
    """Publishes events by the command, has an engine apply them, and returns the codes of what was refused."""
    monkeypatch.setenv("PEAKLEDGER_STREAM", str(tmp_path / "stream"))
    monkeypatch.setenv("PEAKLEDGER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PEAKLEDGER_SEGMENT_MB", "4")
    assert command("topics", "create", "--partitions", "3").status == 0

    def publish(events, *flags: str) -> list[str]:
        (tmp_path / "events.jsonl").write_bytes(b"\n".join(map(encode_json, events)))
        assert command("publish", str(tmp_path / "events.jsonl"), *flags).status == 0
        assert command("run", "--stop-at-end").status == 0
        refused = [
            item
            for shard in shard_histories(tmp_path / "data")
            for item in command("quarantine", "list", "--shard", shard, "--json").items
        ]
        return [item["code"] for item in refused]

    return publish


@pytest.mark.parametrize("encoding", ["packed", "json"])
def test_a_card_is_topped_up_and_a_late_charge_booked_where_the_household_is(run, encoding):
    events = []
    for number, household in enumerate(HOUSEHOLDS):
        card = {"channel": "recharge_card", "business_date": DAY, "amount_fen": 500}
        events += [
            TopUp(serial=f"{number}1", payee=str(number + 1), household=household, **card),
            Payment(serial=f"{number}2", payer=str(number + 1), household=household, **card),
            Freeze(serial=f"F{number}", account=f"household:{household}", **LEDGER),
        ]
    assert run(events, "--encoding", encoding) == []


def test_what_names_no_household_goes_where_the_flag_says(run):
    instruction = {"channel": "bank_card_debit", "business_date": DAY}
    for number, household in enumerate(HOUSEHOLDS[:4]):
        assert run([Payment(serial=f"{number}1", household=household, amount_fen=5, **instruction)]) == []
        confirmed = Post(serial=f"{number}2", pending=HoldName("bank_card_debit", DAY, f"{number}1"), **instruction)
        assert run([confirmed], "--household", household) == []


def test_what_is_no_household_cannot_choose_a_partition(command):
    ended = command("publish", "-", "--household", "33")
    assert ended.status == 2 and "'33' is no household number" in ended.err


def test_python_publishes_where_the_command_does(tmp_path):
    card = {"channel": "recharge_card", "business_date": DAY, "amount_fen": 5}
    events = [TopUp(serial=household, payee="5", household=household, **card) for household in HOUSEHOLDS]
    wrong = TopUp(serial="x", payee="5", household=FIRST, **card)

    async def publish() -> None:
        async with EmbeddedPublisher("events", directory=tmp_path, encoding="json") as publisher:
            await publisher.publish_many([*events, wrong])

    with EmbeddedStream(tmp_path) as stream:
        stream.create_topic("events", 3)
        asyncio.run(publish())
        blocks = [stream.read("events", partition, 0) for partition in range(3)]
        found = [(block.partition, key) for block in blocks if block for _, _, key, _ in walk_batches(block.data)]
    assert Counter(found) == Counter([(partition_of(key, 3), key) for key in map(str.encode, HOUSEHOLDS)] + [(0, None)])
