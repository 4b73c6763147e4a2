"""Bills are paid oldest first; what is left over pays the next; reversals take back; late charges count unpaid days."""

from datetime import date

import pytest

from ledger.bills import LATE_CHARGE, Bills, DebitKind, LateChargeRule, Posting, bills_of, posting_of
from ledger.layouts import JOURNAL_ENTRY, EntryCode, EntryKind

NO_CHARGES = LateChargeRule(permille=0)


def day(month: int, of_month: int) -> int:
    return (date(2026, month, of_month) - date(1970, 1, 1)).days


def bill(seq: int, month: int, amount_fen: int, *, due: int | None = None, code: int = EntryCode.bill) -> Posting:
    """A bill for a month that comes on the first of the next one and is due on the 25th of it."""
    due_date = day(month + 1, 25) if due is None else due
    first = day(month + 1, 1)
    return Posting(seq, True, amount_fen, code, due_date << 32 | 202600 + month, first, first, 100, bytes(16))


def payment(seq: int, on: int, amount_fen: int) -> Posting:
    return Posting(seq, False, amount_fen, EntryCode.payment, 0, on, on, 13, bytes(16))


def reversal(seq: int, on: int, original: Posting, amount_fen: int | None = None) -> Posting:
    taken_fen = original.amount_fen if amount_fen is None else amount_fen
    return original._replace(
        seq=seq, is_debit=not original.is_debit, amount_fen=taken_fen, value_date=on, reverses_seq=original.seq
    )


def owed(bills: Bills) -> dict[int, int]:
    return {one.posting.seq: one.owed_fen for one in bills.debits}


def payments(bills: Bills) -> dict[int, list[tuple[int, int]]]:
    return {one.posting.seq: [tuple(part) for part in one.payments] for one in bills.debits}


MAY, JUNE = bill(1, 5, 100), bill(2, 6, 200)


def test_a_payment_pays_the_oldest_bill_first_and_the_next_in_part():
    bills = bills_of([MAY, JUNE, payment(3, day(7, 2), 150)], NO_CHARGES, day(7, 2))
    assert payments(bills) == {1: [(3, 100)], 2: [(3, 50)]}
    assert (bills.owed_fen, bills.prepaid_fen, bills.to_pay_fen) == (150, 0, 150)


def test_what_is_paid_too_much_pays_the_next_bill():
    paid = [MAY, payment(3, day(6, 2), 130)]
    bills = bills_of(paid, NO_CHARGES, day(6, 3))
    assert (bills.owed_fen, bills.prepaid_fen, bills.credits[0].prepaid_fen, bills.to_pay_fen) == (0, 30, 30, 0)
    later = bills_of([*paid, JUNE], NO_CHARGES, day(7, 1))
    assert payments(later) == {1: [(3, 100)], 2: [(3, 30)]}
    assert (later.owed_fen, later.prepaid_fen) == (170, 0)


def test_one_bill_paid_twice_at_once_leaves_the_second_payment_paid_ahead():
    bills = bills_of([MAY, payment(3, day(6, 2), 100), payment(4, day(6, 2), 100)], NO_CHARGES, day(6, 2))
    assert [credit.prepaid_fen for credit in bills.credits] == [0, 100]


def test_an_older_bill_that_comes_late_is_paid_before_the_newer_ones():
    bills = bills_of([JUNE, payment(3, day(7, 2), 200), MAY._replace(seq=4)], NO_CHARGES, day(7, 3))
    assert [one.posting.seq for one in bills.debits] == [4, 2]
    assert payments(bills) == {4: [(3, 100)], 2: [(3, 100)]}


def test_a_reversal_unwinds_what_its_payment_paid():
    first, second = payment(3, day(6, 2), 100), payment(4, day(7, 2), 200)
    postings = [MAY, JUNE, first, second, reversal(5, day(7, 10), second)]
    assert owed(bills_of(postings, NO_CHARGES, day(7, 9), last_value_date=day(7, 9))) == {1: 0, 2: 0}
    assert owed(bills_of(postings, NO_CHARGES, day(7, 10), last_value_date=day(7, 10))) == {1: 0, 2: 200}


def test_a_reversal_in_part_leaves_the_rest_and_later_payments_move_up():
    first, second = payment(3, day(6, 2), 100), payment(4, day(7, 2), 200)
    bills = bills_of([MAY, JUNE, first, second, reversal(5, day(7, 10), first, 60)], NO_CHARGES, day(7, 10))
    assert payments(bills) == {1: [(3, 40), (4, 60)], 2: [(4, 140)]}
    assert [(credit.reversed_fen, credit.prepaid_fen) for credit in bills.credits] == [(60, 0), (0, 0)]


def test_a_reversed_bill_gives_back_what_paid_it():
    bills = bills_of([MAY, payment(3, day(6, 2), 100), reversal(4, day(6, 3), MAY)], NO_CHARGES, day(6, 3))
    assert (bills.debits[0].reversed_fen, bills.debits[0].payments) == (100, ())
    assert (bills.owed_fen, bills.prepaid_fen) == (0, 100)


def test_nothing_is_taken_back_before_it_was_there():
    paid = payment(3, day(6, 20), 100)
    bills = bills_of([MAY, paid, reversal(4, day(6, 10), paid)], NO_CHARGES, day(6, 15), last_value_date=day(6, 15))
    assert (owed(bills), bills.credits) == ({1: 100}, [])


@pytest.mark.parametrize(
    "on, charge_fen",
    [(day(6, 25), 0), (day(6, 26), 156), (day(6, 27), 312), (day(7, 4), 1406), (day(7, 31), 1414)],
)
def test_a_late_charge_counts_what_is_unpaid_at_the_end_of_each_day_behind_the_due_date(on, charge_fen):
    postings = [bill(1, 5, 156_300), payment(3, day(7, 5), 156_000)]  # nine days of all, then 300 fen a day
    assert bills_of(postings, LateChargeRule(), on).accrued_fen == charge_fen


def charge(seq: int, amount_fen: int, of: Posting = MAY) -> Posting:
    return of._replace(seq=seq, amount_fen=amount_fen, code=LATE_CHARGE, value_date=day(7, 10))


def test_a_booked_charge_is_owed_and_not_charged_again():
    rule = LateChargeRule(permille=10)
    assert bills_of([MAY], rule, day(7, 5)).accrued_fen == 10
    booked = [MAY, charge(7, 10)]
    bills = bills_of(booked, rule, day(7, 5))
    assert (bills.owed_fen, bills.accrued_fen, bills.to_pay_fen) == (110, 0, 110)
    assert bills_of(booked, rule, day(7, 8)).accrued_fen == 3
    assert [one.kind for one in bills.debits] == [DebitKind.bill, DebitKind.late_charge]


def test_a_booked_charge_that_is_reversed_is_waived():
    booked = charge(7, 10)
    bills = bills_of([MAY, booked, reversal(8, day(7, 10), booked)], LateChargeRule(permille=10), day(7, 5))
    assert (bills.owed_fen, bills.accrued_fen) == (100, 0)


@pytest.mark.parametrize("paid_first, left", [(False, {1: 0, 7: 5}), (True, {7: 0, 1: 5})])
def test_a_booked_charge_is_paid_behind_its_bill_or_before_it_but_before_the_next_bill(paid_first, left):
    rule = LateChargeRule(permille=0, paid_first=paid_first)
    bills = bills_of([MAY, JUNE, charge(7, 10), payment(9, day(7, 11), 105)], rule, day(7, 11))
    assert owed(bills) == left | {2: 200}


def test_two_bills_of_one_month_share_what_is_booked_for_it():
    bills = bills_of([MAY, MAY._replace(seq=2), charge(7, 15)], LateChargeRule(permille=10), day(7, 5))
    assert [one.accrued_fen for one in bills.debits] == [0, 5, 0]


@pytest.mark.parametrize("detail", [0, 202605, 20_629 << 32, 2**64 - 1, 20_629 << 32 | 202613, 0x10000 << 32 | 202605])
@pytest.mark.parametrize("code", [EntryCode.bill, LATE_CHARGE, 9])
def test_a_debit_that_names_no_month_and_day_is_due_when_it_counts_and_draws_no_charge(code, detail):
    odd = Posting(1, True, 100, code, detail, day(6, 1), day(6, 1), 101, bytes(16))
    bills = bills_of([odd, JUNE, payment(3, day(8, 2), 120)], LateChargeRule(), day(7, 20))
    assert bills.debits[0].kind is DebitKind.other
    assert payments(bills) == {1: [(3, 100)], 2: [(3, 20)]}
    assert bills.accrued_fen == 0


def test_a_household_without_postings_owes_nothing():
    assert bills_of([], LateChargeRule(), day(7, 1)) == Bills([], [])


@pytest.mark.parametrize("kind", EntryKind)
def test_only_what_is_posted_or_reversed_is_a_posting(kind):
    fields = {"amount_fen": 5, "debit_slot": 1, "credit_slot": 2, "reference_seq": 4, "detail": 6, "value_date": 8, "code": 3}
    entry = JOURNAL_ENTRY.pack(kind=kind, business_date=7, channel=13, serial=b"s" * 16, **fields)
    found = [posting_of(9, entry, slot) for slot in (1, 2)]
    if kind not in (EntryKind.transfer, EntryKind.post, EntryKind.reverse):
        assert found == [None, None]
        return
    reverses_seq = 4 if kind is EntryKind.reverse else 0
    assert found == [Posting(9, is_debit, 5, 3, 6, 7, 8, 13, b"s" * 16, reverses_seq) for is_debit in (True, False)]
