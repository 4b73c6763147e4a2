"""Settlement: what is due of a channel's business date, and the commands on a ledger of the documentation's example."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger._core import build_batch
from ledger.account_ids import clearing_account, format_account, suspense_account
from ledger.channels import BUILT_IN_CHANNELS, Channel, Fee
from ledger.clearing import FEE_CODE, Clearing, Side, read_clearing
from ledger.engine import Engine
from ledger.errors import NotSettled
from ledger.event_structs import Event, EventName, Payment, Reverse
from ledger.events import encode_json
from ledger.history import History
from ledger.parameters import LedgerParameters
from ledger.reconciliation import Booking, ChannelLine, reconcile
from ledger.settlement import (
    LegDue,
    Share,
    amounts_due,
    closing_event,
    cut_off_ms,
    legs_due,
    next_settlement,
    opening_event,
    settlement_event,
    share_out,
)
from peakledger.settling import SettlingDate
from tests.ledger_events import NOON_MS

DAY = date(2026, 7, 23)
POS = replace(next(channel for channel in BUILT_IN_CHANNELS if channel.name == "unionpay_pos"), fee=Fee(basis_points=38))
CLEARING = format_account(clearing_account(POS.code, DAY))
SUSPENSE = format_account(suspense_account(POS.code, DAY))
SERIALS = [bytes([number]) * 16 for number in range(1, 6)]
AMOUNTS = st.sampled_from([1, 100, 250, 99_999])
HOUSEHOLD = "3301234567890"
BOOKINGS = st.dictionaries(st.sampled_from(SERIALS), AMOUNTS | st.just(0)).map(
    lambda amounts: {serial: Booking(HOUSEHOLD, amount_fen, 1) for serial, amount_fen in amounts.items()}
)
LINES = st.lists(
    st.builds(
        ChannelLine,
        st.sampled_from(SERIALS),
        st.just(HOUSEHOLD),
        AMOUNTS,
        st.sampled_from([DAY, DAY + timedelta(1)]),
        st.just(2),
    ),
    max_size=7,
)


@given(
    st.builds(
        Fee,
        basis_points=st.integers(0, 10_000),
        fixed_fen=st.integers(0, 500),
        rounding=st.sampled_from(["half_up", "up", "down"]),
    ),
    st.integers(1, 2**63 - 1),
)
def test_a_fee_is_the_exact_share_rounded_as_the_profile_says(fee, amount_fen):
    exact = Fraction(amount_fen * fee.basis_points, 10_000) + fee.fixed_fen
    over = fee.of(amount_fen) - exact
    if fee.of(amount_fen) != fee.greatest_fen:
        assert {"half_up": -Fraction(1, 2) < over <= Fraction(1, 2), "up": 0 <= over < 1, "down": -1 < over <= 0}[fee.rounding]


def shared(lines, bookings) -> Share:
    """Return what the file says of payments that are all in one shard."""
    shares = {"shard": Share()}
    found = reconcile(lines, DAY, lambda day: bookings if day == DAY else {})
    for _ in share_out(found, DAY, POS.fee, shares, lambda _: "shard"):
        pass
    return shares["shard"]


def settle(channel: Channel, clearing: Clearing, share: Share) -> None:
    """Book what is due, as the ledger would, and read it back as ``read_clearing`` does: from two accounts, by the code."""
    legs = legs_due(amounts_due(channel, DAY, clearing, share), CLEARING)
    for leg in legs:
        assert leg.amount_fen > 0 and leg.debit != leg.credit
        assert {leg.debit, leg.credit} & {CLEARING, SUSPENSE}
        assert (leg.code == FEE_CODE) == (channel.fee_account in (leg.debit, leg.credit))
        sides = {CLEARING: Side.clearing, SUSPENSE: Side.suspense}
        other = Side.fee if leg.code == FEE_CODE else Side.bank
        for account, amount_fen in ((leg.debit, leg.amount_fen), (leg.credit, -leg.amount_fen)):
            side = sides.get(account, other)
            clearing.settled[side] = clearing.settled.get(side, 0) + amount_fen
    clearing.settlements |= {b"%d" % len(clearing.settlements)} if legs else set()


ACCOUNTS = st.sampled_from([("ledger:1002", "ledger:6603"), ("ledger:1002", "ledger:1003"), ("ledger:6603", "ledger:1002")])


@given(lines=LINES, bookings=BOOKINGS, later=BOOKINGS, cash_fen=st.sampled_from([0, 0, 700, -700]), accounts=ACCOUNTS)
def test_the_clearing_account_comes_to_zero_however_often_and_whenever_a_date_is_settled(
    lines, bookings, later, cash_fen, accounts
):
    clearing = Clearing(bookings=dict(bookings), cash_fen=cash_fen)
    for bank, fee in (("ledger:1002", "ledger:6603"), accounts):
        channel = replace(POS, settlement_account=bank, fee_account=fee)
        share = shared(lines, clearing.bookings)
        settle(channel, clearing, share)
        booked_fen = sum(booking.amount_fen for booking in clearing.bookings.values())
        told_fen = sum(line.amount_fen for line in lines)
        assert booked_fen + cash_fen + clearing.settled.get(Side.clearing, 0) == 0
        assert clearing.settled.get(Side.suspense, 0) == booked_fen - told_fen
        fee_fen = sum(POS.fee.of(line.amount_fen) for line in lines)
        assert clearing.settled.get(Side.fee, 0) == fee_fen
        assert clearing.settled.get(Side.bank, 0) == told_fen + cash_fen - fee_fen
        assert not amounts_due(channel, DAY, clearing, share)
        clearing.bookings |= later  # payments that came behind the settlement


def test_long_and_short_show_in_the_suspense_account_each_for_itself():
    bookings = {SERIALS[0]: Booking(HOUSEHOLD, 500, 1), SERIALS[1]: Booking(HOUSEHOLD, 70, 2)}
    lines = [ChannelLine(SERIALS[0], HOUSEHOLD, 400, DAY, 2), ChannelLine(SERIALS[2], HOUSEHOLD, 30, DAY, 3)]
    legs = legs_due(amounts_due(POS, DAY, Clearing(bookings=bookings), shared(lines, bookings)), CLEARING)
    assert [tuple(leg) for leg in legs] == [
        (SUSPENSE, CLEARING, 170, 100),
        (POS.fee_account, CLEARING, 2, 101),
        (POS.settlement_account, CLEARING, 398, 100),
        (POS.settlement_account, SUSPENSE, 30, 100),
    ]


def test_a_fee_greater_than_what_is_booked_goes_through_the_clearing_account():
    channel, clearing = replace(POS, fee=Fee(fixed_fen=50)), Clearing(bookings={SERIALS[0]: Booking(HOUSEHOLD, 1, 1)})
    legs = legs_due(amounts_due(channel, DAY, clearing, Share(told_fen=1, fee_fen=50)), CLEARING)
    assert [tuple(leg) for leg in legs] == [
        (channel.fee_account, CLEARING, 49, 101),
        (CLEARING, channel.settlement_account, 49, 100),
        (channel.fee_account, CLEARING, 1, 101),
    ]


def payment(amount_fen: int) -> Payment:
    return Payment(channel=POS.name, business_date=DAY, serial="20260723000001", household=HOUSEHOLD, amount_fen=amount_fen)


def apply(engine: Engine, *values: bytes) -> None:
    first = engine.next_offset
    engine.apply(build_batch([(None, value, NOON_MS) for value in values], first), first + len(values))
    assert engine.wait_projected()


class ReadMeanwhile(History):
    """A history under which an engine goes on: it applies a settlement before the first page of an account is read."""

    def __init__(self, directory: Path, account: int, settle: Callable[[], None]) -> None:
        super().__init__(directory)
        self._account, self._settle = account, settle

    def entries(self, account: str | int) -> Iterator[list[tuple[int, bytes]]]:
        if account == self._account:
            self._settle()
        return super().entries(account)


@pytest.mark.parametrize("account_id", [clearing_account, suspense_account])
def test_a_settlement_that_is_applied_while_a_date_is_read_is_seen_whole_or_not_at_all(tmp_path, account_id):
    bank = POS.settlement_account
    legs = [LegDue(SUSPENSE, CLEARING, 30), LegDue(bank, CLEARING, 70), LegDue(bank, SUSPENSE, 5)]
    openings = [opening_event(account, DAY) for account in (SUSPENSE, bank)]
    settled = [encode_json(event) for event in (*openings, settlement_event(POS, DAY, 0, 1, legs))]
    with Engine.open(tmp_path, segment_bytes=4 << 20) as engine:
        apply(engine, encode_json(payment(100)))
        history = ReadMeanwhile(tmp_path, account_id(POS.code, DAY), lambda: apply(engine, *settled))
        assert (read_clearing(history, POS.code, DAY).settled, history.balances.get(CLEARING).balance_fen) == ({}, 0)
        assert read_clearing(History(tmp_path), POS.code, DAY).settled == {Side.suspense: 25, Side.clearing: -100, Side.bank: 75}


def settling_of(data: Path, *shards: tuple[Event, ...]) -> SettlingDate:
    """Return the date on a ledger whose shards had these events."""
    for partition, events in enumerate(shards):
        shard, source = data / f"payments.events-{partition}", f"payments.events/{partition}"
        with Engine.open(shard, source=source, segment_bytes=4 << 20) as engine:
            apply(engine, *map(encode_json, events))
    return SettlingDate(str(data), POS, DAY)


REVERSAL = Reverse(POS.name, DAY, "20260723000002", original=EventName(POS.name, DAY, "20260723000001"))


@pytest.mark.parametrize("live", [0, 1])
def test_a_payment_that_two_shards_have_is_settled_in_the_one_where_it_is_not_reversed(tmp_path, live):
    shards = [(payment(70), REVERSAL), (payment(70), REVERSAL)]
    shards[live] = (payment(100),)
    settling = settling_of(tmp_path, *shards)
    line = ChannelLine(next(iter(settling.shards[0].clearing.bookings)), HOUSEHOLD, 100, DAY, 2)
    assert [found.verdict for found in settling.reconcile([line], 0)] == ["matched"]
    settling.plan()
    assert [sum(leg.amount_fen for leg in shard.legs) for shard in settling.shards] == [
        100 * (number == live) for number in (0, 1)
    ]


def test_a_date_is_not_settled_while_two_shards_have_the_same_payment(tmp_path):
    settling = settling_of(tmp_path, (payment(100),), (payment(70),))
    with pytest.raises(NotSettled, match=r"20260723000001 of unionpay_pos .* in payments\.events-0 and in payments\.events-1"):
        settling.reconcile([], 0)


def test_reconciling_shows_both_payments_of_a_serial_that_two_shards_have(tmp_path, command):
    settling_of(tmp_path, (payment(100),), (payment(70),))
    path = tmp_path / "channel.csv"
    path.write_text(f"serial,household,amount_fen,business_date\n20260723000001,{HOUSEHOLD},100,{DAY}\ntotal,1,100,\n")
    found = tmp_path / "differences.csv"
    ended = command("reconcile", POS.name, f"{DAY}", str(path), "--data", str(tmp_path), "--differences", str(found), "--json")
    assert (ended.status, [item["verdict"] for item in ended.items]) == (10, ["matched", "booked_twice"])
    assert found.read_text().splitlines()[1:] == [
        f"booked_twice,20260723000001,{HOUSEHOLD},{HOUSEHOLD},100,100,2,payments.events-0,3,{DAY}",
        f"booked_twice,20260723000001,,{HOUSEHOLD},,70,,payments.events-1,3,{DAY}",
    ]


def test_the_events_of_a_settlement_have_serials_of_their_own_and_always_the_same():
    legs = legs_due(amounts_due(POS, DAY, Clearing(cash_fen=5), Share()), CLEARING)
    assert settlement_event(POS, DAY, 12, 3, legs) == settlement_event(POS, DAY, 12, 3, legs)
    assert settlement_event(POS, DAY, 12, 3, legs).serial == "S007-00012-003"
    known = [b"S007-00012-003\0\0", b"S007-00012-011\0\0", b"S007-00011-020\0\0", b"by-hand\0\0\0\0\0\0\0\0\0"]
    assert next_settlement(POS, 12, known) == 12
    assert [closing_event(POS, DAY, seq, attempt).serial for seq, attempt in ((None, 0), (255, 0), (255, 2))] == [
        "C007-0",
        "C007-ff",
        "C007-ff-2",
    ]


def test_the_cut_off_is_in_the_ledgers_own_time():
    parameters = LedgerParameters(utc_offset_minutes=480)
    assert cut_off_ms(POS, DAY, parameters) == 1_784_822_400_000  # midnight in Beijing
    assert cut_off_ms(replace(POS, cut_off="17:30"), DAY, parameters) == 1_784_822_400_000 - 6.5 * 3_600_000


# --- The commands -------------------------------------------------------------------------------------------------------

# Days whose cut-off has passed, whatever the zone.
FIRST_DAY, SECOND_DAY = ((date.today() - timedelta(days)).isoformat() for days in (3, 2))


@pytest.fixture
def peakledger(tmp_path, monkeypatch, command):
    """Runs a command on a ledger of the documentation's example, its dates moved to these days."""
    for key, value in {"STREAM": "stream", "KEY_MEMORY_MB": "0"}.items():
        monkeypatch.setenv(f"PEAKLEDGER_{key}", value)
    monkeypatch.chdir(tmp_path)
    example = (Path(__file__).parent.parent / "docs" / "example-outlet-payments.jsonl").read_text()
    Path("events.jsonl").write_text(example.replace("2026-07-23", FIRST_DAY).replace("2026-07-24", SECOND_DAY))
    for arguments in (["topics", "create"], ["publish", "events.jsonl"], ["run", "--stop-at-end"]):
        assert command(*arguments).status == 0
    return command


ROWS = [f"20260723000001,3301234567890,20815,{FIRST_DAY}", f"20260723000009,3301234567890,5,{FIRST_DAY}", "total,2,20820,"]


def channel_file(*rows: str) -> str:
    Path("channel.csv").write_text("\n".join(["serial,household,amount_fen,business_date", *rows]) + "\n")
    return "channel.csv"


def test_a_date_is_settled_behind_its_cut_off_once_closed_and_stays_closed(peakledger):
    to_come = (date.today() + timedelta(7)).isoformat()
    ended = peakledger("settle", "alipay", to_come, channel_file("total,0,0,"), "--move-clock")
    assert ended.status == 12 and f"{to_come} of alipay ends at" in ended.err
    settling = ("settle", "unionpay_pos", FIRST_DAY, channel_file(*ROWS))
    planned = peakledger(*settling, "--dry-run", "--json").items
    assert [(leg["debit"], leg["amount_fen"]) for leg in planned] == [
        (f"suspense:007{FIRST_DAY.replace('-', '')}", 15_200),
        ("ledger:6603", 79),
        ("ledger:1002", 20_736),
        ("ledger:1002", 5),
    ]
    for _ in range(2):  # the second publishes the very same events
        ended = peakledger(*settling, "--close")
        assert ended.status == 12 and "no engine runs on payments.events-0" in ended.err
    assert peakledger("run", "--stop-at-end", "--json").items[0]["events_existing"] == 4
    settled = peakledger(*settling, "--json")
    assert settled.status == 0
    told = [(one["verdict"], one["serial"], one["line"]) for one in settled.document["differences"]]
    assert told == [("missing_here", "20260723000009", 3), ("missing_there", "20260723000003", None)]
    (shard,) = settled.items
    assert (shard["balance_fen"], shard["bank_fen"], shard["fee_fen"], shard["suspense_fen"]) == (0, 20_741, 79, 15_195)
    assert peakledger(*settling, "--close").status == 12
    payment = {"type": "payment", "channel": "unionpay_pos", "business_date": FIRST_DAY, "serial": "99"}
    Path("late.jsonl").write_text(json.dumps(payment | {"household": HOUSEHOLD, "amount_fen": 1}) + "\n")
    assert peakledger("publish", "late.jsonl").status == 0
    (shard,) = peakledger("run", "--stop-at-end", "--json").items
    assert shard["events_refused"] == 1
    consumed = shard["records_consumed"]
    assert [item["code"] for item in peakledger("quarantine", "list", "--json").items] == ["business_date_closed"]
    ended = peakledger(*settling)
    assert ended.status == 12 and "is closed for unionpay_pos" in ended.err
    (again,) = peakledger(*settling, "--close", "--json").items  # as after a command that was ended before it saw the close
    assert (again["closed"], again["balance_fen"], again["bank_fen"]) == (True, 0, 20_741)
    assert peakledger("run", "--stop-at-end", "--json").items[0]["records_consumed"] == consumed
    states = {item["channel"]: item["state"] for item in peakledger("settlements", "--dates", FIRST_DAY + "..", "--json").items}
    assert states == {"unionpay_pos": "closed", "citizen_card": "open"}


def test_what_comes_behind_a_settlement_is_settled_too_and_other_movements_remain(peakledger):
    path = channel_file(f"20260724000001,3301234567920,7755,{SECOND_DAY}", "total,1,7755,")
    settling = ("settle", "citizen_card", SECOND_DAY, path)
    assert peakledger(*settling).status == 12
    key = {"business_date": SECOND_DAY, "serial": "7"}
    payment = {"type": "payment", "channel": "citizen_card", "household": "3301234567920", "amount_fen": 45}
    leg = {"debit": f"clearing:006{SECOND_DAY.replace('-', '')}", "credit": "household:3301234567920", "amount_fen": 3, "code": 9}
    events = [payment, {"type": "transfer", "channel": "ledger", "legs": [leg]}]
    Path("later.jsonl").write_text("".join(json.dumps(event | key) + "\n" for event in events))
    assert peakledger("publish", "later.jsonl").status == 0
    assert peakledger("run", "--stop-at-end").status == 0
    assert peakledger(*settling).status == 12  # books the payment that came behind the first settlement
    assert peakledger("run", "--stop-at-end").status == 0
    ended = peakledger(*settling, "--close", "--json")
    assert (ended.status, ended.items[0]["balance_fen"], ended.items[0]["suspense_fen"]) == (12, 3, 45)
    assert not ended.items[0]["closed"]
    told = peakledger(*settling)
    assert "What no settlement moves" in told.out and "household:3301234567920" in told.out


PROFILE = """code = 15
name = "village_tablet"
chinese_name = "平板"
serial_form = "digits"
settlement_account = "ledger:{bank}"
fee_account = "ledger:{fee}"
[fee]
basis_points = 100
"""


def test_what_was_booked_with_another_account_of_bank_or_fee_counts(peakledger):
    """The second settlement, with both accounts changed and another payment, books what is still due to the new ones."""

    def publish(serial: str, amount_fen: int) -> None:
        payment = {"type": "payment", "channel": "village_tablet", "business_date": FIRST_DAY, "household": HOUSEHOLD}
        Path("more.jsonl").write_text(json.dumps(payment | {"serial": serial, "amount_fen": amount_fen}) + "\n")
        assert peakledger("publish", "more.jsonl", *profiles).status == 0
        assert peakledger("run", "--stop-at-end", *profiles).status == 0

    profiles, profile = ("--channel-profiles", "profiles"), Path("profiles/tablet.toml")
    profile.parent.mkdir()
    profile.write_text(PROFILE.format(bank=1002, fee=6603))
    publish("1", 1000)
    path = channel_file(f"1,{HOUSEHOLD},1000,{FIRST_DAY}", f"2,{HOUSEHOLD},500,{FIRST_DAY}", "total,2,1500,")
    settling = ("settle", "village_tablet", FIRST_DAY, path, *profiles)
    assert peakledger(*settling).status == 12
    assert peakledger("run", "--stop-at-end", *profiles).status == 0
    publish("2", 500)  # late: it was long in the first settlement
    publish("3", 200)
    rows = [f"{number},{HOUSEHOLD},{amount_fen},{FIRST_DAY}" for number, amount_fen in ((1, 1000), (2, 500), (3, 200))]
    channel_file(*rows, "total,3,1700,")
    profile.write_text(PROFILE.format(bank=1003, fee=1002))
    assert peakledger(*settling).status == 12
    assert peakledger("run", "--stop-at-end", *profiles).status == 0
    ended = peakledger(*settling, "--json")
    (shard,) = ended.items
    assert ended.status == 0
    assert (shard["balance_fen"], shard["bank_fen"], shard["fee_fen"], shard["suspense_fen"]) == (0, 1683, 17, 0)
    balances = peakledger("balance", "ledger:1002", "ledger:1003", "ledger:6603", "--json").items
    assert [one["balance_fen"] for one in balances] == [1485 + 2, 198, 15]


def test_a_date_whose_file_tells_what_is_not_booked_at_all_is_listed_with_its_suspense(peakledger):
    settling = ("settle", "alipay", FIRST_DAY, channel_file(f"7,{HOUSEHOLD},30,{FIRST_DAY}", "total,1,30,"))
    assert peakledger(*settling).status == 11
    assert peakledger("run", "--stop-at-end", "--json").items[0]["records_consumed"] == 5  # nothing was published
    settling = (*settling, "--accept-file")
    assert peakledger(*settling).status == 12
    assert peakledger("run", "--stop-at-end").status == 0
    assert peakledger(*settling).status == 0
    (listed,) = peakledger("settlements", "alipay", "--dates", FIRST_DAY, "--json").items
    assert (listed["suspense_fen"], listed["debits_fen"], listed["state"]) == (-30, 0, "at_zero")


POS_LINES = [f"2026072300000{number},{HOUSEHOLD},{fen},{FIRST_DAY}" for number, fen in ((1, 20815), (7, 5), (8, 5), (9, 5))]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (POS_LINES[1:], "0 of its 3 lines are payments of the date with the same household, of 2 that are booked. Nothing"),
        (POS_LINES[:3], "1 of its 3 lines are .* of 2 that are booked. Nothing"),
        (
            [POS_LINES[0].replace(FIRST_DAY, SECOND_DAY)],
            f"0 of its 1 lines are .*; lines with the date {SECOND_DAY}: 1. Nothing",
        ),
        ([POS_LINES[0].replace(HOUSEHOLD, "3301234567906")], "0 of its 1 lines are .* booked. Nothing"),
        ([f"20260724000001,3301234567920,7755,{FIRST_DAY}"], "0 of its 1 lines are .* booked. Nothing"),
        ([], "0 of its 0 lines are .* booked. Nothing"),
    ],
)
def test_the_file_of_another_date_or_channel_is_refused_before_anything_is_booked(peakledger, rows, told):
    sum_fen = sum(int(row.split(",")[2]) for row in rows)
    settling = ("settle", "unionpay_pos", FIRST_DAY, channel_file(*rows, f"total,{len(rows)},{sum_fen},"))
    for options in ((), ("--close",), ("--dry-run",), ("--differences", "differences.csv")):
        ended = peakledger(*settling, *options)
        assert ended.status == 11 and not ended.out
        assert re.search(f"does not look like the file of unionpay_pos of {FIRST_DAY}: {told} was booked", ended.err)
    assert Path("differences.csv").read_text().count("missing_there") >= 1
    assert peakledger("run", "--stop-at-end", "--json").items[0]["records_consumed"] == 5
    assert peakledger(*settling, "--accept-file", "--dry-run", "--json").items


def test_a_refused_file_is_told_what_date_it_is_of(peakledger):
    path = channel_file(f"20260724000001,3301234567920,7755,{SECOND_DAY}", "total,1,7755,")
    ended = peakledger("settle", "citizen_card", FIRST_DAY, path)
    assert ended.status == 11 and f"lines with the date {SECOND_DAY}: 1; booked on {SECOND_DAY}: 1. Nothing" in ended.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["citizen_card", SECOND_DAY], "settled by its file"),
        (["business_hall", SECOND_DAY, "channel.csv"], "no file to settle by"),
        (["billing", SECOND_DAY], "takes no payments"),
        (["citizen_card", "0001-01-01", "channel.csv"], "is no date from 1970-01-02 to 2149-06-06"),
        (["citizen_card", "2149-06-07", "channel.csv"], "is no date from 1970-01-02 to 2149-06-06"),
    ],
)
def test_what_a_channel_is_settled_by_is_asked_for(command, arguments, told):
    ended = command("settle", *arguments)
    assert ended.status == 2 and told in " ".join(ended.err.replace("│", " ").split())
