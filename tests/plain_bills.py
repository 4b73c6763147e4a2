"""Bills in plain Python: each posting is taken in by itself, day after day, and all debits are paid anew, oldest first."""

from collections import Counter
from dataclasses import dataclass, field

from ledger.bills import DebitKind, LateChargeRule, Posting


@dataclass
class PlainDebit:
    posting: Posting
    left_fen: int
    paid: list[tuple[int, int]] = field(default_factory=list)
    fen_days: int = 0

    @property
    def unpaid_fen(self) -> int:
        return self.left_fen - sum(amount for _, amount in self.paid)


@dataclass
class PlainCredit:
    posting: Posting
    left_fen: int
    prepaid_fen: int = 0


class PlainBills:
    """A household at the end of a day. ``take`` a posting; ``end_day`` after the last one of each day, from the first on."""

    def __init__(self, rule: LateChargeRule) -> None:
        self.rule = rule
        self.debits: list[PlainDebit] = []
        self.credits: list[PlainCredit] = []

    def take(self, posting: Posting) -> None:
        if posting.reverses_seq:
            (original,) = (one for one in (*self.debits, *self.credits) if one.posting.seq == posting.reverses_seq)
            original.left_fen -= posting.amount_fen
        elif posting.is_debit:
            self.debits.append(PlainDebit(posting, posting.amount_fen))
        else:
            self.credits.append(PlainCredit(posting, posting.amount_fen))
        self.pay()

    def pay(self) -> None:
        """Let each credit, the oldest first, pay the oldest debit that is not paid, as long as there is one."""
        self.debits.sort(key=self.age)
        for debit in self.debits:
            debit.paid = []
        for credit in sorted(self.credits, key=lambda one: (one.posting.value_date, one.posting.seq)):
            credit.prepaid_fen = credit.left_fen
            for debit in self.debits:
                part_fen = min(credit.prepaid_fen, debit.unpaid_fen)
                if part_fen:
                    debit.paid.append((credit.posting.seq, part_fen))
                    credit.prepaid_fen -= part_fen

    def age(self, debit: PlainDebit) -> tuple[int, int, int, int]:
        posting = debit.posting
        if posting.kind is DebitKind.other:
            return posting.value_date, 0, 0, posting.seq
        ranks = {DebitKind.late_charge: 0, DebitKind.bill: 1} if self.rule.paid_first else {DebitKind.bill: 0}
        return posting.due_date, posting.period, ranks.get(posting.kind, 1), posting.seq

    def end_day(self, day: int) -> None:
        for debit in self.debits:
            if debit.posting.kind is DebitKind.bill and debit.posting.due_date < day:
                debit.fen_days += debit.unpaid_fen

    def accrued_fen(self) -> Counter[int]:
        """Return the late charges that are not booked, by what the detail of their bills is."""
        charged: Counter[int] = Counter()
        for debit in self.debits:
            if debit.posting.kind is DebitKind.bill:
                charged[debit.posting.detail] += debit.fen_days * self.rule.permille // 1000
        booked: Counter[int] = Counter()
        for debit in self.debits:
            if debit.posting.kind is DebitKind.late_charge:
                booked[debit.posting.detail] += debit.posting.amount_fen
        return Counter({detail: max(0, charge_fen - booked[detail]) for detail, charge_fen in charged.items()})
