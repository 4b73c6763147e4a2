"""The oracle itself, on sequences short enough to check by hand."""

from dataclasses import replace
from datetime import date

import msgspec
import pytest

from ledger.account_ids import parse_account
from ledger.events import Bill, Event, Payment, encode_json
from ledger.layouts import JOURNAL_ENTRY, NO_SLOT, OUTCOME_RECORD, EntryKind, EventType, PayloadKind
from ledger.model import Model
from ledger.model_keys import answer_known_key
from ledger.model_state import GREATEST_BALANCE
from ledger.outcomes import OutcomeCode
from ledger.parameters import LedgerParameters

NOON_MS = 1_784_779_200_000  # 2026-07-23 12:00 in the ledger's zone
HOUSEHOLD = "3301234567890"

PAYMENT = Payment(channel="alipay", business_date=date(2026, 7, 23), serial="1", household=HOUSEHOLD, amount_fen=20_000)
BILL = Bill(
    channel="billing",
    business_date=date(2026, 7, 23),
    serial="1",
    household=HOUSEHOLD,
    amount_fen=30_000,
    period="2026-06",
    due_date=date(2026, 8, 15),
)


def changed(event: Event, **fields: object) -> Event:
    return msgspec.structs.replace(event, **fields)


def applied(
    *events: Event | bytes | None, timestamp_ms: int = NOON_MS, model: Model | None = None
) -> tuple[Model, list[OutcomeCode | None]]:
    model = model or Model()
    values = [value if value is None or isinstance(value, bytes) else encode_json(value) for value in events]
    return model, [model.apply_record(value, model.next_offset, timestamp_ms, b"body") for value in values]


def entries(model: Model) -> list[dict[str, object]]:
    return [JOURNAL_ENTRY.unpack(entry) for entry in model.entries]


def test_a_payment_opens_clearing_then_household_then_moves_the_amount():
    model, codes = applied(PAYMENT)
    assert codes == [OutcomeCode.applied]
    assert list(model.accounts) == [parse_account("clearing:01320260723"), parse_account(f"household:{HOUSEHOLD}")]
    clearing, household, transfer = entries(model)
    assert (clearing["kind"], clearing["debit_slot"], clearing["credit_slot"], clearing["leg_count"]) == (
        EntryKind.open_account,
        0,
        NO_SLOT,
        0,
    )
    assert (household["kind"], household["debit_slot"]) == (EntryKind.open_account, 1)
    assert (transfer["kind"], transfer["debit_slot"], transfer["credit_slot"], transfer["amount_fen"]) == (
        EntryKind.transfer,
        0,
        1,
        20_000,
    )
    assert (transfer["debit_previous_seq"], transfer["credit_previous_seq"]) == (1, 2)


def test_a_bill_debits_the_household_and_credits_revenue():
    model, codes = applied(BILL, PAYMENT)
    assert codes == [OutcomeCode.applied] * 2
    household = model.accounts[parse_account(HOUSEHOLD)]
    assert (household.debits_posted, household.credits_posted, household.last_seq) == (30_000, 20_000, 5)
    assert model.accounts[parse_account("revenue:00001")].credits_posted == 30_000
    assert model.trial_balance() == 0
    assert entries(model)[4]["credit_previous_seq"] == 3


def test_the_same_event_again_changes_nothing_and_names_the_first_transfer():
    model, codes = applied(PAYMENT, PAYMENT)
    assert codes == [OutcomeCode.applied, OutcomeCode.exists]
    assert model.last_seq == 3
    outcome = OUTCOME_RECORD.unpack(model.outcomes[0].record)
    assert (outcome["code"], outcome["seq"], outcome["payload_kind"], outcome["source_offset"]) == (1, 3, PayloadKind.none, 1)


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        (PAYMENT, changed(PAYMENT, household="3300000000000"), OutcomeCode.exists_with_different_credit_account_id),
        (BILL, changed(BILL, household="3300000000000", amount_fen=1), OutcomeCode.exists_with_different_debit_account_id),
        (PAYMENT, changed(PAYMENT, amount_fen=1, outlet="5"), OutcomeCode.exists_with_different_amount),
        (PAYMENT, changed(PAYMENT, outlet="5", value_date=date(2026, 7, 1)), OutcomeCode.exists_with_different_outlet),
        (BILL, changed(BILL, period="2026-07", due_date=date(2026, 9, 1)), OutcomeCode.exists_with_different_period),
        (BILL, changed(BILL, due_date=date(2026, 9, 1), value_date=date(2026, 7, 1)), OutcomeCode.exists_with_different_due_date),
        (PAYMENT, changed(PAYMENT, value_date=date(2026, 7, 1)), OutcomeCode.exists_with_different_value_date),
    ],
)
def test_a_known_key_with_other_content_is_refused_by_the_first_difference(first, second, code):
    model, codes = applied(first, second)
    assert codes == [OutcomeCode.applied, code]
    assert OUTCOME_RECORD.unpack(model.outcomes[0].record)["seq"] == 3
    assert model.outcomes[0].payload == b"body"


def test_another_event_type_under_a_known_key_is_reported_alone():
    model, _ = applied(PAYMENT)
    (owner,) = model.state.keys.values()
    as_bill = replace(owner.event, type=EventType.bill, legs=())
    assert answer_known_key(as_bill, owner, model.state) == (OutcomeCode.exists_with_different_code, 0)
    assert owner.first_seq == 3


@pytest.mark.parametrize(
    ("business_date", "code"),
    [
        (date(2026, 7, 25), OutcomeCode.business_date_in_future),
        (date(2026, 7, 24), OutcomeCode.applied),
        (date(2026, 7, 13), OutcomeCode.applied),
        (date(2026, 7, 12), OutcomeCode.business_date_closed),
    ],
)
def test_business_dates_are_open_from_close_after_days_before_to_future_days_after(business_date, code):
    model = Model(parameters=LedgerParameters(close_after_days=10))
    _, codes = applied(changed(PAYMENT, business_date=business_date), model=model)
    assert codes == [code]


def test_a_known_key_in_a_closed_day_is_refused_without_a_look():
    model = Model(parameters=LedgerParameters(close_after_days=1))
    applied(PAYMENT, model=model)
    _, codes = applied(PAYMENT, timestamp_ms=NOON_MS + 3 * 86_400_000, model=model)
    assert codes == [OutcomeCode.business_date_closed]


def test_the_ledger_date_begins_at_midnight_in_the_ledgers_zone():
    parameters = LedgerParameters()
    midnight_ms = NOON_MS - 12 * 3_600_000
    assert parameters.ledger_date(midnight_ms) == parameters.ledger_date(midnight_ms - 1) + 1


def test_ledger_time_never_goes_back_and_counts_refused_records_too():
    model, _ = applied(None)
    applied(PAYMENT, timestamp_ms=NOON_MS - 5, model=model)
    assert model.ledger_time_ms == NOON_MS
    assert {entry["ledger_time_ms"] for entry in entries(model)} == {NOON_MS}


def test_a_refused_event_keeps_its_bytes_and_owns_no_key():
    model, codes = applied(changed(PAYMENT, business_date=date(2027, 1, 1)), b"{", None)
    assert codes == [OutcomeCode.business_date_in_future, OutcomeCode.json_malformed, OutcomeCode.value_missing]
    assert not model.state.keys
    assert not model.accounts
    assert [outcome.payload for outcome in model.outcomes] == [b"body"] * 3
    assert OUTCOME_RECORD.unpack(model.outcomes[0].record)["channel"] == 13
    assert (model.events_refused, model.records_consumed, model.next_offset) == (3, 3, 3)


def test_an_overflow_is_refused_before_any_account_opens():
    model, _ = applied(PAYMENT)
    clearing = model.accounts[parse_account("clearing:01320260723")]
    clearing.debits_posted = GREATEST_BALANCE - 99
    _, codes = applied(changed(PAYMENT, serial="2", household="3300000000000", amount_fen=100), model=model)
    assert codes == [OutcomeCode.overflows_debits_posted]
    assert len(model.accounts) == 2
    _, codes = applied(changed(PAYMENT, serial="2", household="3300000000000", amount_fen=99), model=model)
    assert codes == [OutcomeCode.applied]


def test_records_below_the_position_are_passed_over_and_gaps_mean_nothing():
    model, _ = applied(PAYMENT)
    assert model.apply_record(encode_json(PAYMENT), 0, NOON_MS) is None
    model.advance(10)
    assert model.apply_record(encode_json(PAYMENT), 15, NOON_MS) is OutcomeCode.exists
    assert (model.next_offset, model.records_consumed) == (16, 2)


def test_a_corrupt_batch_is_one_refusal_with_its_bytes():
    model, _ = applied(PAYMENT)
    model.quarantine_batch(b"damaged", 40)
    outcome = OUTCOME_RECORD.unpack(model.outcomes[0].record)
    assert (outcome["code"], outcome["source_offset"], outcome["payload_kind"]) == (
        OutcomeCode.corrupt_batch,
        1,
        PayloadKind.batch,
    )
    assert (model.outcomes[0].payload, model.next_offset, model.events_refused) == (b"damaged", 40, 1)
