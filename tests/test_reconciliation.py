"""Reconciliation: lines of a channel against bookings, its file, and the command."""

import csv
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger._core import build_batch
from ledger.channels import SerialForm
from ledger.engine import Engine
from ledger.errors import FileInvalid
from ledger.events import Payment, encode_json
from ledger.reconciliation import Booking, ChannelLine, Verdict, add_up, merge_shards, reconcile
from peakledger.channel_file import read_channel_file
from tests.commands import in_a_process
from tests.ledger_events import NOON_MS

DAY = date(2026, 7, 23)
HEADER = "serial,household,amount_fen,business_date"
SERIALS = [bytes([number]) * 16 for number in range(1, 7)]
HOUSEHOLDS = ["3301234567890", "3301234567906"]
BOOKINGS = st.dictionaries(
    st.sampled_from(SERIALS),
    # All fields, or hypothesis may find values of its own for those with a default: bookings within bookings, which no shard has.
    st.tuples(st.sampled_from(HOUSEHOLDS), st.sampled_from([0, 100, 250]), st.integers(1, 99)).map(lambda given: Booking(*given)),
)
SHARDS = st.fixed_dictionaries({DAY + timedelta(n): st.tuples(BOOKINGS, BOOKINGS, BOOKINGS) for n in range(-3, 4)})
DAYS = st.integers(-3, 3).map(lambda days: DAY + timedelta(days))
LINES = st.lists(
    st.builds(ChannelLine, st.sampled_from(SERIALS), st.sampled_from(HOUSEHOLDS), st.sampled_from([100, 250]), DAYS, st.just(2)),
    max_size=8,
)


def plainly(lines, booked, days_around):
    """Say what each line, and then each payment of the day, comes to; one after the other, by looking through everything."""
    verdicts, told = [], []

    def bookings(serial, day=DAY):
        """Return those of all shards, what was reversed in full behind the others."""
        return sorted((shard[serial] for shard in booked[day] if serial in shard), key=lambda one: not one.amount_fen)

    for line in lines:
        here = next(iter(bookings(line.serial)), None)
        others = [day for day in booked if abs(day - DAY).days <= days_around or day == line.business_date]
        if here is None:
            verdicts.append("other_day" if any(bookings(line.serial, day) for day in others) else "missing_here")
            continue
        if line.serial in told:
            verdicts.append("told_twice")
        elif bookings(line.serial)[1:] and bookings(line.serial)[1].amount_fen:
            verdicts.append("booked_twice")
        elif line.business_date != DAY:
            verdicts.append("other_day")
        elif line.household != here.household:
            verdicts.append("household_differs")
        else:
            verdicts.append("matched" if line.amount_fen == here.amount_fen else "amount_differs")
        told.append(line.serial)
    for serial in SERIALS:
        live = [here for here in bookings(serial) if here.amount_fen]
        if live and serial not in told:
            verdicts.append("booked_twice" if live[1:] else "missing_there")
        verdicts += ["booked_twice"] * (len(live) - 1)
    return sorted(verdicts)


@given(LINES, SHARDS, st.integers(0, 3))
def test_findings_are_those_of_looking_through_everything(lines, booked, days_around):
    found = reconcile(lines, DAY, lambda day: merge_shards(booked[day]), days_around=days_around)
    assert sorted(finding.verdict for finding in found) == plainly(lines, booked, days_around)


@given(LINES, st.fixed_dictionaries({DAY + timedelta(n): BOOKINGS for n in range(-3, 4)}))
def test_every_line_is_found_once_and_every_amount_is_added_up(lines, booked):
    sums, differences = add_up(reconcile(lines, DAY, booked.__getitem__))
    assert sum(there_fen for _, there_fen, _ in sums.values()) == sum(line.amount_fen for line in lines)
    matched = sums[Verdict.matched][0]
    assert matched + sum(found.there is not None for found in differences) == len(lines)
    assert all(found.here or found.verdict is Verdict.missing_here for found in differences)


# --- The file -----------------------------------------------------------------------------------------------------------


def channel_file(directory, *rows):
    path = directory / "channel.csv"
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


def test_lines_come_with_their_numbers(tmp_path):
    path = channel_file(tmp_path, "17,3301234567890,100,2026-07-23", "total,1,100,")
    assert list(read_channel_file(path, SerialForm.digits)) == [
        ChannelLine(bytes.fromhex("17" + "f" * 30), "3301234567890", 100, DAY, 2)
    ]


@pytest.mark.parametrize(
    ("rows", "told", "line", "column"),
    [
        (["x,3301234567890,100,2026-07-23"], "no serial of digits", 2, "serial"),
        (["1,330123456789,100,2026-07-23"], "13 digits", 2, "household"),
        (["1,3301234567890,0,2026-07-23"], "no amount", 2, "amount_fen"),
        (["1,3301234567890,-5,2026-07-23"], "no amount", 2, "amount_fen"),
        (["1,3301234567890,9223372036854775808,2026-07-23"], "no amount", 2, "amount_fen"),
        ([f"1,3301234567890,{'9' * 5000},2026-07-23"], "no amount", 2, "amount_fen"),
        (["1,3301234567890,100,23.07.2026"], "not a date", 2, "business_date"),
        (["1,3301234567890,100,2026-07-23", "total,2,100,"], "the count of lines is 1, the trailer says '2'", 3, "household"),
        (["1,3301234567890,100,2026-07-23", "total,1,101,"], "the sum is 100, the trailer says '101'", 3, "amount_fen"),
        (["total,0,0,", "1,3301234567890,100,2026-07-23"], "behind the trailer", 3, None),
    ],
)
def test_a_fault_is_told_with_line_and_column(tmp_path, rows, told, line, column):
    with pytest.raises(FileInvalid, match=told) as raised:
        list(read_channel_file(channel_file(tmp_path, *rows), SerialForm.digits))
    assert (raised.value.numbers["line"], raised.value.numbers.get("column")) == (line, column)


def test_a_file_without_a_trailer_is_refused(tmp_path):
    with pytest.raises(FileInvalid, match="no trailer"):
        list(read_channel_file(channel_file(tmp_path, "1,3301234567890,100,2026-07-23"), SerialForm.digits))


# --- The command --------------------------------------------------------------------------------------------------------


@pytest.fixture
def peakledger(tmp_path, monkeypatch, command):
    """Runs ``peakledger reconcile`` on a ledger of the documentation's example, in this process."""
    for key, value in {"STREAM": "stream", "CLOSE_AFTER_DAYS": "36500", "FUTURE_DAYS": "366"}.items():
        monkeypatch.setenv(f"PEAKLEDGER_{key}", value)
    payments = Path(__file__).parent.parent / "docs" / "example-outlet-payments.jsonl"
    for arguments in (["topics", "create"], ["publish", str(payments)], ["run", "--stop-at-end"]):
        assert in_a_process(*arguments, cwd=tmp_path).status == 0
    monkeypatch.chdir(tmp_path)
    return partial(command, "reconcile")


def test_both_sides_agree_on_what_was_not_taken_back(peakledger, tmp_path):
    rows = ["20260723000001,3301234567890,20815,2026-07-23", "20260723000003,3301234567913,15200,2026-07-23", "total,2,36015,"]
    ended = peakledger("unionpay_pos", "2026-07-23", str(channel_file(tmp_path, *rows)))
    assert ended.status == 0 and "Both sides agree." in ended.out


def test_differences_are_counted_and_written_line_by_line(peakledger, tmp_path):
    rows = [
        "20260723000001,3301234567890,20816,2026-07-23",
        "20260723000002,3301234567906,9640,2026-07-23",
        "20260723000009,3301234567890,5,2026-07-23",
        "total,3,30461,",
    ]
    ended = peakledger("7", "2026-07-23", str(channel_file(tmp_path, *rows)), "--differences", "found.csv", "--json")
    assert ended.status == 10
    assert {item["verdict"]: item["payments"] for item in ended.items} == {
        "matched": 0,
        "amount_differs": 2,
        "missing_here": 1,
        "missing_there": 1,
    }
    found = [
        (row["verdict"], row["serial"], row["amount_there_fen"], row["amount_here_fen"])
        for row in csv.DictReader((tmp_path / "found.csv").open())
    ]
    assert found == [
        ("amount_differs", "20260723000001", "20816", "20815"),
        ("amount_differs", "20260723000002", "9640", "0"),
        ("missing_here", "20260723000009", "5", ""),
        ("missing_there", "20260723000003", "", "15200"),
    ]


def test_a_payment_of_another_day_is_found_there(peakledger, tmp_path):
    path = channel_file(tmp_path, "20260724000001,3301234567920,7755,2026-07-23", "total,1,7755,")
    assert [item["verdict"] for item in peakledger("citizen_card", "2026-07-23", str(path), "--json").items][1:] == ["other_day"]
    ended = peakledger("citizen_card", "2026-07-23", str(path), "--json", "--days-around", "0")
    assert [item["verdict"] for item in ended.items][1:] == ["missing_here"]


def test_a_file_with_a_wrong_total_is_refused_as_a_whole(peakledger, tmp_path):
    path = channel_file(tmp_path, "20260723000001,3301234567890,20815,2026-07-23", "total,1,20816,")
    ended = peakledger("unionpay_pos", "2026-07-23", str(path), "--differences", "found.csv")
    assert ended.status == 2 and not ended.out and not (tmp_path / "found.csv").exists()


def test_what_takes_no_payments_has_no_file_to_reconcile(peakledger, tmp_path):
    ended = peakledger("billing", "2026-07-23", str(channel_file(tmp_path, "total,0,0,")))
    assert ended.status == 2 and "billing takes no payments: there is nothing to reconcile" in " ".join(
        ended.err.replace("│", " ").split()
    )


def test_a_channel_of_several_funds_models_has_a_file_of_all_payments_or_of_those_that_it_is_settled_by(
    tmp_path, monkeypatch, command
):
    kiosk = {"channel": "self_service_kiosk", "business_date": "2026-07-23", "household": "3301234567890"}
    payments = [
        Payment(serial="CASH", amount_fen=500, terminal="cash", payer="17", **kiosk),
        Payment(serial="CARD", amount_fen=700, terminal="card", **kiosk),
    ]
    with Engine.open(tmp_path / "payments.events-0", source="payments.events/0", segment_bytes=4 << 20) as engine:
        engine.apply(bytes(build_batch([(None, encode_json(payment), NOON_MS) for payment in payments], 0)), len(payments))
        assert engine.wait_projected()
    monkeypatch.setenv("PEAKLEDGER_DATA", str(tmp_path))
    card = channel_file(tmp_path, "CARD,3301234567890,700,2026-07-23", "total,1,700,")
    arguments = ("reconcile", "self_service_kiosk", "2026-07-23", str(card))
    assert command(*arguments, "--clearing-only").status == 0
    ended = command(*arguments, "--json")
    assert (ended.status, [(item["verdict"], item["amount_here_fen"]) for item in ended.items]) == (
        10,
        [("matched", 700), ("missing_there", 500)],
    )
