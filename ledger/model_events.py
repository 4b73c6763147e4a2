"""Events as the oracle sees them: a head and its legs. A bill and a payment are posting rules: each is a transfer of one leg."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

from ledger.account_ids import AccountKind, account_id, clearing_account, revenue_account
from ledger.layouts import PACKED_EVENT, PACKED_LEG, EntryCode, EventType
from ledger.outcomes import OutcomeCode

BOOK = 1
EPOCH = date(1970, 1, 1)
NO_SERIAL = bytes(16)

LEG_PENDING = 0x0001
LEG_POST_PENDING = 0x0002
LEG_VOID_PENDING = 0x0004
LEG_BALANCING_DEBIT = 0x0008
LEG_BALANCING_CREDIT = 0x0010
LEG_CLOSING_DEBIT = 0x0020
LEG_CLOSING_CREDIT = 0x0040
LEG_SETTLES = LEG_POST_PENDING | LEG_VOID_PENDING
LEG_BALANCES = LEG_BALANCING_DEBIT | LEG_BALANCING_CREDIT
LEG_CLOSES = LEG_CLOSING_DEBIT | LEG_CLOSING_CREDIT


class Refused(Exception):
    """Why an event is not applied: the leg at fault, and for ``limit_exceeded`` how far above the account.

    ``seq`` is that of the entry that the event meets, where it is known already; else 0.
    """

    def __init__(self, code: OutcomeCode, *, leg: int = 0, level: int = 0, seq: int = 0) -> None:
        super().__init__(code)
        self.code = code
        self.leg = leg
        self.level = level
        self.seq = seq


def require(right: bool, code: OutcomeCode) -> None:
    """Refuse with ``code`` what is not right."""
    if not right:
        raise Refused(code)


class Key(NamedTuple):
    """What names an event for ever."""

    channel: int
    business_date: int
    serial: bytes


class LegName(NamedTuple):
    """What names a leg of an event; with the number 0, the whole event to reverse."""

    key: Key
    leg: int


NO_KEY = Key(0, 0, NO_SERIAL)
NO_LEG = LegName(NO_KEY, 0)


@dataclass(frozen=True, slots=True)
class Leg:
    """One ``packed_leg``; accounts as 128-bit numbers, 0 none."""

    debit_account: int = 0
    credit_account: int = 0
    amount_fen: int = 0
    user_data: int = 0
    pending: LegName = NO_LEG
    flags: int = 0
    timeout_s: int = 0
    book: int = 0
    code: int = 0

    @classmethod
    def from_packed(cls, packed: dict[str, Any]) -> "Leg":
        key = Key(packed["pending_channel"], packed["pending_business_date"], packed["pending_serial"])
        return cls(
            debit_account=int.from_bytes(packed["debit_account"], "little"),
            credit_account=int.from_bytes(packed["credit_account"], "little"),
            pending=LegName(key, packed["pending_leg"]),
            **{name: packed[name] for name in ("amount_fen", "user_data", "flags", "timeout_s", "book", "code")},
        )


@dataclass(frozen=True, slots=True)
class Event:
    """One event."""

    type: EventType
    key: Key
    value_date: int
    legs: tuple[Leg, ...]

    @classmethod
    def from_packed(cls, packed: bytes) -> "Event":
        """Read a packed event that has no fault: 64 bytes, and 80 more for each leg."""
        head = PACKED_EVENT.unpack(packed)
        type_ = EventType(head["event_type"])
        if type_ in POSTING_RULES:
            legs = [POSTING_RULES[type_](head)]
        else:
            legs = [Leg.from_packed(leg) for leg in PACKED_LEG.unpack_all(packed[PACKED_EVENT.size :])]
        return cls(type_, Key(head["channel"], head["business_date"], head["serial"]), head["value_date"], tuple(legs))

    @property
    def opens_accounts(self) -> bool:
        """Whether the accounts that it names open with it where they are not open."""
        return self.type in POSTING_RULES


def bill_leg(head: dict[str, Any]) -> Leg:
    """A bill debits the household and credits the book's revenue. Its period and due date go with it as user data."""
    household = account_id(AccountKind.household, f"{head['household']:013d}")
    return Leg(household, revenue_account(BOOK), head["amount_fen"], head["detail"], book=BOOK, code=EntryCode.bill)


def payment_leg(head: dict[str, Any]) -> Leg:
    """A payment debits what the channel owes for the business date, and credits the household. Its outlet goes with it."""
    clearing = clearing_account(head["channel"], EPOCH + timedelta(days=head["business_date"]))
    household = account_id(AccountKind.household, f"{head['household']:013d}")
    return Leg(clearing, household, head["amount_fen"], head["detail"], book=BOOK, code=EntryCode.payment)


POSTING_RULES = {EventType.bill: bill_leg, EventType.payment: payment_leg}
