"""A household's bills, worked out from its debits and credits: what paid what, what is left, what came too late.

Nothing of this is stored. Debits are laid end to end in the order in which they are to be paid, credits in the order in which
they came: each credit pays the debits that it lies over. What was reversed is taken off first. docs/households.md has the rules.
"""

import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate, pairwise
from typing import NamedTuple

from ledger.event_fields import LATEST_DATE, NO_DATE, period_exists
from ledger.layouts import EntryCode, EntryKind

LATE_CHARGE = 100  # the code of a leg that books a late charge; its user data name the bill, as the detail of a bill does

_ENTRY = struct.Struct(
    "<16sQ32xQQI4xHHHHB7x"
)  # journal_entry: serial, amount, reference, detail, debit slot, dates, channel, code, kind
_MOVES = (EntryKind.transfer, EntryKind.post, EntryKind.reverse)


class DebitKind(StrEnum):
    """Why a household owes an amount."""

    bill = "bill"
    late_charge = "late_charge"
    other = "other"


@dataclass(frozen=True, slots=True)
class LateChargeRule:
    """A late charge is ``permille`` of what of a bill is unpaid, for each day behind its due date.

    A booked charge is paid before its bill where ``paid_first``, else right behind it.
    """

    permille: int = 1
    paid_first: bool = False


class Posting(NamedTuple):
    """What an entry moved on a household's account. ``reverses_seq`` is 0 where it reverses nothing.

    Dates are days since 1970.
    """

    seq: int
    is_debit: bool
    amount_fen: int
    code: int
    detail: int
    business_date: int
    value_date: int
    channel: int
    serial: bytes
    reverses_seq: int = 0

    @property
    def period(self) -> int:
        """The month, yyyymm, that a bill's detail names."""
        return self.detail & 0xFFFFFFFF

    @property
    def due_date(self) -> int:
        """The due date that a bill's detail names."""
        return self.detail >> 32

    @property
    def kind(self) -> DebitKind:
        """What it is as a debit. A leg of a ledger event may have a bill's code, and user data that name no bill."""
        if period_exists(self.period) and NO_DATE < self.due_date <= LATEST_DATE:
            if self.code == EntryCode.bill:
                return DebitKind.bill
            if self.code == LATE_CHARGE:
                return DebitKind.late_charge
        return DebitKind.other


class Payment(NamedTuple):
    """A part of a credit that pays a debit: the ``seq`` of the credit, and how much."""

    seq: int
    amount_fen: int


class Debit(NamedTuple):
    """What a household was debited, and what became of it. ``accrued_fen`` is the late charge of a bill, not booked yet."""

    posting: Posting
    kind: DebitKind
    reversed_fen: int
    payments: tuple[Payment, ...]
    accrued_fen: int

    @property
    def paid_fen(self) -> int:
        return sum(payment.amount_fen for payment in self.payments)

    @property
    def owed_fen(self) -> int:
        return self.posting.amount_fen - self.reversed_fen - self.paid_fen


class Credit(NamedTuple):
    """What a household was credited. ``prepaid_fen`` is what no debit has used yet."""

    posting: Posting
    reversed_fen: int
    prepaid_fen: int


class Bills(NamedTuple):
    """Whatever a household was debited, in the order in which it is paid, and credited, in the order in which that pays."""

    debits: list[Debit]
    credits: list[Credit]

    @property
    def owed_fen(self) -> int:
        return sum(debit.owed_fen for debit in self.debits)

    @property
    def prepaid_fen(self) -> int:
        return sum(credit.prepaid_fen for credit in self.credits)

    @property
    def accrued_fen(self) -> int:
        return sum(debit.accrued_fen for debit in self.debits)

    @property
    def to_pay_fen(self) -> int:
        """What pays everything, unbooked late charges too."""
        return max(0, self.owed_fen + self.accrued_fen - self.prepaid_fen)


def posting_of(seq: int, entry: bytes, slot: int) -> Posting | None:
    """Return what an entry (96 bytes) moved on the account in ``slot``; ``None`` where it moved nothing."""
    serial, amount_fen, reference, detail, debit_slot, business_date, value_date, channel, code, kind = _ENTRY.unpack(entry)
    if kind not in _MOVES:
        return None
    reverses_seq = reference if kind == EntryKind.reverse else 0
    is_debit = debit_slot == slot
    return Posting(seq, is_debit, amount_fen, code, detail, business_date, value_date, channel, serial, reverses_seq)


def bills_of(postings: Iterable[Posting], rule: LateChargeRule, day: int, *, last_value_date: int = LATEST_DATE) -> Bills:
    """Return a household's bills with late charges up to the end of ``day``, in days since 1970.

    Postings of a later value date than ``last_value_date`` do not count.
    """
    account = _Account(postings, rule)
    amounts = account.amounts(last_value_date)
    debits, credits = ([one for one in some if one.seq in amounts] for some in (account.debits, account.credits))
    paid: dict[int, list[Payment]] = {one.seq: [] for one in debits}
    prepaid = {one.seq: amounts[one.seq] for one in credits}
    for debit_seq, payment in _overlaps(debits, credits, amounts):
        paid[debit_seq].append(payment)
        prepaid[payment.seq] -= payment.amount_fen
    accrued = _accrued(account, amounts, day, rule)
    return Bills(
        [
            Debit(one, one.kind, one.amount_fen - amounts[one.seq], tuple(paid[one.seq]), accrued.get(one.seq, 0))
            for one in debits
        ],
        [Credit(one, one.amount_fen - amounts[one.seq], prepaid[one.seq]) for one in credits],
    )


class _Account:
    """A household's debits in paying order, its credits by value date, and by day what changed the amount of which of them."""

    def __init__(self, postings: Iterable[Posting], rule: LateChargeRule) -> None:
        several = list(postings)
        own = {one.seq: one for one in several if not one.reverses_seq}
        self.debits = sorted((one for one in own.values() if one.is_debit), key=lambda one: _paying_order(one, rule))
        self.credits = sorted((one for one in own.values() if not one.is_debit), key=lambda one: (one.value_date, one.seq))
        self.changes: dict[int, list[tuple[int, int]]] = {}  # by day: seq and amount
        for one in own.values():
            self.changes.setdefault(one.value_date, []).append((one.seq, one.amount_fen))
        for one in several:
            if original := own.get(one.reverses_seq):
                # Nothing is taken back before it was there.
                day = max(one.value_date, original.value_date)
                self.changes.setdefault(day, []).append((original.seq, -one.amount_fen))

    def amounts(self, last_day: int) -> dict[int, int]:
        """Return by seq what was left of each debit and credit at the end of a day; those that came later are not in it."""
        left: dict[int, int] = {}
        for day, changes in self.changes.items():
            for seq, amount_fen in changes if day <= last_day else ():
                left[seq] = left.get(seq, 0) + amount_fen
        return left

    def unpaid_fen_days(self, last_day: int) -> list[int]:
        """Return, for each debit that is a bill, the sum over the days behind its due date of what was unpaid at their end."""
        due = [one.due_date if one.kind is DebitKind.bill else LATEST_DATE for one in self.debits]
        places = {one.seq: place for place, one in enumerate(self.debits)}
        amounts, credited_fen, sums = [0] * len(due), 0, [0] * len(due)
        days = {*self.changes, *(day + 1 for day in due)}
        for day, next_day in pairwise(sorted({*(day for day in days if day <= last_day), last_day + 1})):
            for seq, amount_fen in self.changes.get(day, ()):
                if seq in places:
                    amounts[places[seq]] += amount_fen
                else:
                    credited_fen += amount_fen
            ends = list(accumulate(amounts))
            for place in range(bisect_right(ends, credited_fen), len(due)):
                if due[place] < day:
                    sums[place] += min(amounts[place], ends[place] - credited_fen) * (next_day - day)
        return sums


def _paying_order(debit: Posting, rule: LateChargeRule) -> tuple[int, int, int, int]:
    """The oldest first: by due date, of what has none by value date; a late charge beside its bill."""
    if debit.kind is DebitKind.other:
        return debit.value_date, 0, 0, debit.seq
    is_behind = debit.kind is (DebitKind.bill if rule.paid_first else DebitKind.late_charge)
    return debit.due_date, debit.period, int(is_behind), debit.seq


def _overlaps(debits: list[Posting], credits: list[Posting], amounts: dict[int, int]) -> Iterator[tuple[int, Payment]]:
    """Yield the seq of a debit and what pays it, where debits and credits, laid end to end from zero, lie over each other."""
    debit_ends, credit_ends = (list(accumulate(amounts[one.seq] for one in some)) for some in (debits, credits))
    paid_fen = min(debit_ends[-1], credit_ends[-1]) if debits and credits else 0
    cuts = sorted({0, paid_fen, *(end for end in (*debit_ends, *credit_ends) if end < paid_fen)})
    for first, last in pairwise(cuts):
        credit = credits[bisect_right(credit_ends, first)]
        yield debits[bisect_right(debit_ends, first)].seq, Payment(credit.seq, last - first)


def _accrued(account: _Account, counted: dict[int, int], day: int, rule: LateChargeRule) -> dict[int, int]:
    """Return by seq of a bill the late charge up to a day, rounded down to whole fen, less what is booked for it.

    A booked charge counts in full even where it was reversed: so it is waived, and does not come back.
    """
    booked: dict[int, int] = {}
    for one in account.debits:
        if one.kind is DebitKind.late_charge and one.seq in counted:
            booked[one.detail] = booked.get(one.detail, 0) + one.amount_fen
    accrued = {}
    for bill, fen_days in zip(account.debits, account.unpaid_fen_days(day), strict=True):
        charge_fen = fen_days * rule.permille // 1000
        already_fen = min(charge_fen, booked.get(bill.detail, 0))
        if charge_fen:
            booked[bill.detail] = booked.get(bill.detail, 0) - already_fen
            accrued[bill.seq] = charge_fen - already_fen
    return accrued
