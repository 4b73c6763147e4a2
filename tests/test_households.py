"""A household's bills out of a real journal: what is owed now from the balances, its bills from its own entries."""

from datetime import date

import pytest

from ledger._core import build_batch
from ledger.bills import LateChargeRule
from ledger.engine import Engine
from ledger.errors import LedgerNotFound, NotFound, PeakledgerError
from ledger.events import Bill, Event, EventName, HoldName, Payment, Post, Reverse, encode_packed
from ledger.history import History, Moment
from ledger.households import HouseholdReader, Owed, household_bills
from tests.ledger_events import NOON_MS

SHARD = "payments.events-0"
TODAY = date(2026, 7, 23)
HOUSEHOLD, AHEAD, INSTRUCTED = "3301234567890", "3301234567906", "3301234567913"
DAY_MS = 86_400_000
RULE = LateChargeRule(permille=10)


def bill(household: str, serial: str, amount_fen: int, period: str, due_date: date) -> Event:
    common = {"channel": "billing", "business_date": TODAY, "serial": serial, "household": household}
    return Bill(**common, amount_fen=amount_fen, period=period, due_date=due_date)


def payment(household: str, serial: str, amount_fen: int, channel: str = "alipay") -> Event:
    return Payment(channel=channel, business_date=TODAY, serial=serial, household=household, amount_fen=amount_fen)


def tomorrow(event: type, **fields: object) -> Event:
    return event(channel="ledger", business_date=TODAY.replace(day=24), **fields)


EVENTS = [
    bill(HOUSEHOLD, "2", 20_000, "2026-06", date(2026, 7, 25)),
    bill(HOUSEHOLD, "1", 10_000, "2026-05", date(2026, 7, 20)),
    payment(AHEAD, "1", 500),
    payment(HOUSEHOLD, "2", 12_000),
    payment(INSTRUCTED, "3", 700, "bank_card_debit"),
    payment(INSTRUCTED, "4", 300, "bank_card_debit"),
    tomorrow(Post, serial="P1", pending=HoldName(channel="bank_card_debit", business_date=TODAY, serial="4")),
    tomorrow(Reverse, serial="R1", original=EventName(channel="alipay", business_date=TODAY, serial="2")),
]
PAID_SEQ = 8  # of the payment of 12,000; four accounts opened on the way, before it


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data directory with one shard that had EVENTS, the last two of them a day later."""
    directory = tmp_path_factory.mktemp("data")
    times_ms = [NOON_MS] * (len(EVENTS) - 2) + [NOON_MS + DAY_MS] * 2
    batch = build_batch([(None, encode_packed(event), at) for event, at in zip(EVENTS, times_ms, strict=True)], 0)
    with Engine.open(directory / SHARD, source="payments.events/0", segment_bytes=4 << 20) as engine:
        engine.apply(bytes(batch), len(EVENTS))
        assert engine.wait_projected()
        assert engine.status().events_applied == len(EVENTS)
    return directory


@pytest.fixture
def history(data):
    return History(data / SHARD)


@pytest.mark.parametrize(
    "household, owed", [(HOUSEHOLD, Owed(30_000, 0, 0)), (AHEAD, Owed(0, 500, 0)), (INSTRUCTED, Owed(0, 300, 700))]
)
def test_what_is_owed_now_comes_from_the_balances(data, household, owed):
    assert HouseholdReader(data).owed(household) == owed


def test_a_household_that_the_ledger_does_not_know_owes_nothing_that_can_be_told(data):
    assert HouseholdReader(data).owed("3300000000000") is None
    with pytest.raises(PeakledgerError, match="13 digits"):
        HouseholdReader(data).owed("330")
    with pytest.raises(LedgerNotFound):
        HouseholdReader(data / "nothing")


@pytest.mark.parametrize("household", [HOUSEHOLD, AHEAD, INSTRUCTED])
def test_the_bills_add_up_to_what_is_owed_now(data, history, household):
    bills = household_bills(history, household, RULE).bills
    owed = HouseholdReader(data).owed(household)
    assert (bills.owed_fen, bills.prepaid_fen) == (owed.owed_fen, owed.prepaid_fen)


def test_bills_stand_in_the_order_in_which_they_are_paid_with_what_paid_them(history):
    found = household_bills(history, HOUSEHOLD, RULE, moment=history.moment(value_date=TODAY))
    assert found.day == TODAY
    assert [(one.posting.period, one.paid_fen, one.owed_fen) for one in found.bills.debits] == [
        (202605, 10_000, 0),
        (202606, 2_000, 18_000),
    ]
    assert {part.seq for one in found.bills.debits for part in one.payments} == {PAID_SEQ}
    assert (found.bills.accrued_fen, found.bills.credits[0].posting.serial[:1]) == (0, b"\x2f")


def test_a_reversal_counts_from_its_day_on(history):
    then = household_bills(history, HOUSEHOLD, RULE, moment=history.moment(value_date=TODAY.replace(day=24))).bills
    assert [one.owed_fen for one in then.debits] == [10_000, 20_000]
    assert [one.accrued_fen for one in then.debits] == [100, 0]  # of one day: it came on the 23rd and was paid, until the 24th


def test_now_late_charges_run_up_to_the_ledger_date(history):
    found = household_bills(history, HOUSEHOLD, RULE)
    assert (found.day, found.bills.accrued_fen) == (date(2026, 7, 24), 100)


def test_as_of_a_seq_only_what_was_known_counts(history):
    found = household_bills(history, HOUSEHOLD, RULE, moment=Moment(PAID_SEQ))
    assert (found.day, found.bills.owed_fen) == (TODAY, 18_000)
    with pytest.raises(NotFound, match="3301234567906"):
        household_bills(history, AHEAD, RULE, moment=Moment(2))


def test_only_the_entries_of_the_household_are_read(history):
    household_bills(history, HOUSEHOLD, RULE)
    assert history.entries_read <= 5 + 1  # an opening, two bills, a payment, its reversal
