"""Bills by cumulative sums are what comes of taking in each posting by itself and paying fen for fen, day after day."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.bills import LATE_CHARGE, Bills, DebitKind, LateChargeRule, Posting, bills_of
from ledger.layouts import EntryCode
from tests.plain_bills import PlainBills

FIRST_DAY = 20_630
DAYS = 25
amounts = st.one_of(st.integers(1, 5), st.integers(1, 100_000), st.just(20_815))
days = st.integers(FIRST_DAY, FIRST_DAY + DAYS)
# Few months and due dates, so that bills share them, and come in any order.
details = st.one_of(st.just(0), st.builds(lambda month, due: due << 32 | 202600 + month, st.integers(1, 4), days))
rules = st.builds(LateChargeRule, permille=st.sampled_from([0, 1, 3, 1000]), paid_first=st.booleans())


@st.composite
def accounts(draw) -> list[Posting]:
    """Postings in the order of their seqs: bills, payments, booked charges and others, and reversals of part or all of them."""
    postings: list[Posting] = []
    left: dict[int, int] = {}
    for seq in range(3, 3 + draw(st.integers(0, 14))):
        common = {"seq": seq, "business_date": FIRST_DAY, "value_date": draw(days), "channel": 1, "serial": bytes(16)}
        kind = draw(st.sampled_from(["bill", "bill", "payment", "payment", "payment", "reverse", "charge", "other"]))
        reversible = [seq for seq, amount_fen in left.items() if amount_fen]
        if kind == "reverse" and reversible:
            reversed_seq = draw(st.sampled_from(reversible))
            (original,) = (one for one in postings if one.seq == reversed_seq)
            amount_fen = draw(st.sampled_from([left[original.seq], 1]))
            left[original.seq] -= amount_fen
            changed = {"is_debit": not original.is_debit, "amount_fen": amount_fen, "reverses_seq": original.seq}
            postings.append(original._replace(**common, **changed))
            continue
        code = {"bill": EntryCode.bill, "payment": EntryCode.payment, "charge": LATE_CHARGE}.get(kind, 9)
        is_debit = kind in ("bill", "charge") or (kind == "other" and draw(st.booleans()))
        detail = 0 if code == EntryCode.payment else draw(details)
        postings.append(Posting(is_debit=is_debit, amount_fen=draw(amounts), code=code, detail=detail, **common))
        left[seq] = postings[-1].amount_fen
    return postings


def replayed(postings: list[Posting], rule: LateChargeRule, last_day: int, last_value_date: int) -> PlainBills:
    """Take in postings day by day; a reversal not before the day of what it reverses."""
    dates = {one.seq: one.value_date for one in postings}
    plain = PlainBills(rule)
    when = [(max(one.value_date, dates.get(one.reverses_seq, 0)), one) for one in postings]
    for day in range(FIRST_DAY, FIRST_DAY + DAYS + 60):
        for _, posting in sorted((at, one) for at, one in when if at == day <= last_value_date):
            plain.take(posting)
        if day <= last_day:
            plain.end_day(day)
    return plain


def same_paid(bills: Bills, plain: PlainBills) -> None:
    assert [one.posting for one in bills.debits] == [one.posting for one in plain.debits]
    assert [list(one.payments) for one in bills.debits] == [one.paid for one in plain.debits]
    assert [one.owed_fen for one in bills.debits] == [one.unpaid_fen for one in plain.debits]
    assert {one.posting.seq: one.prepaid_fen for one in bills.credits} == {
        one.posting.seq: one.prepaid_fen for one in plain.credits
    }


@given(accounts(), rules, days, st.integers(0, 50), st.booleans())
@settings(deadline=None, max_examples=300)
def test_cumulative_sums_pay_and_charge_as_a_replay_of_every_posting(postings, rule, day, more_days, all_count):
    day += more_days
    last_value_date = FIRST_DAY + DAYS + 60 if all_count else day
    bills = bills_of(postings, rule, day, last_value_date=last_value_date)
    plain = replayed(postings, rule, day, last_value_date)
    same_paid(bills, plain)
    accrued: Counter[int] = Counter()
    for one in bills.debits:
        accrued[one.posting.detail] += one.accrued_fen
    assert +accrued == +plain.accrued_fen()


@given(accounts(), rules, days)
@settings(deadline=None)
def test_what_is_owed_less_what_is_paid_ahead_is_the_balance(postings, rule, day):
    bills = bills_of(postings, rule, day)
    assert bills.owed_fen - bills.prepaid_fen == sum(one.amount_fen if one.is_debit else -one.amount_fen for one in postings)
    assert not (bills.owed_fen and bills.prepaid_fen)
    assert all(one.accrued_fen == 0 for one in bills.debits if one.kind is not DebitKind.bill)


@given(accounts(), rules, days, amounts, st.data())
@settings(deadline=None)
def test_a_payment_and_its_reversal_leave_what_would_be_without_them(postings, rule, day, amount_fen, data):
    seq = max((one.seq for one in postings), default=2) + 1
    at = {"business_date": FIRST_DAY, "channel": 1, "serial": bytes(16), "value_date": data.draw(days)}
    paid = Posting(seq=seq, is_debit=False, amount_fen=amount_fen, code=EntryCode.payment, detail=0, **at)
    back = paid._replace(seq=seq + 1, is_debit=True, reverses_seq=seq)
    without, with_both = bills_of(postings, rule, day), bills_of([*postings, paid, back], rule, day)
    assert with_both.debits == without.debits
    assert [one for one in with_both.credits if one.posting.seq != seq] == without.credits
