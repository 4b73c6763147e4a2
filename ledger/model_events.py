"""Events as the oracle sees them: a head and its legs. ``model_channels`` makes the leg of those that have none of their own."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ledger.channel_profile import Channel, PostingRule
from ledger.layouts import PACKED_EVENT, PACKED_LEG, EventType
from ledger.outcomes import OutcomeCode

BOOK = 1
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
    """One ``packed_leg``; accounts as 128-bit numbers, 0 none. ``*_opens_with`` are the flags of an account that it opens."""

    debit_account: int = 0
    credit_account: int = 0
    amount_fen: int = 0
    user_data: int = 0
    pending: LegName = NO_LEG
    flags: int = 0
    timeout_s: int = 0
    book: int = 0
    code: int = 0
    debit_opens_with: int = 0
    credit_opens_with: int = 0

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
    """One event. One without legs of its own keeps the fields of its ``packed_event``, and the posting rule of its terminal.

    An adjustment has one leg, and the note that the other packed ones hold, without the zeros behind it.
    """

    type: EventType
    key: Key
    value_date: int
    legs: tuple[Leg, ...]
    head: dict[str, Any] = field(default_factory=dict)
    rule: PostingRule | None = None
    note: bytes = b""

    @classmethod
    def from_packed(cls, packed: bytes, channels: Iterable[Channel]) -> "Event":
        """Read a packed event that has no fault: 64 bytes, and 80 more for each leg."""
        head = PACKED_EVENT.unpack(packed)
        type_ = EventType(head["event_type"])
        key = Key(head["channel"], head["business_date"], head["serial"])
        if type_ in WITHOUT_LEGS:
            rules = next(channel.rules for channel in channels if channel.code == key.channel)
            return cls(type_, key, head["value_date"], (), head, rules[head["terminal"]])
        if type_ is EventType.adjust:
            leg = Leg.from_packed(PACKED_LEG.unpack(packed, PACKED_EVENT.size))
            note = packed[PACKED_EVENT.size + PACKED_LEG.size :].rstrip(b"\0")
            return cls(type_, key, head["value_date"], (leg,), note=note)
        legs = [Leg.from_packed(leg) for leg in PACKED_LEG.unpack_all(packed[PACKED_EVENT.size :])]
        return cls(type_, key, head["value_date"], tuple(legs))

    @property
    def opens_accounts(self) -> bool:
        """Whether the accounts that it names open with it where they are not open."""
        return self.type in WITHOUT_LEGS


WITHOUT_LEGS = frozenset(
    {
        EventType.bill,
        EventType.payment,
        EventType.top_up,
        EventType.open_float,
        EventType.count_float,
        EventType.bank_float,
    }
)
