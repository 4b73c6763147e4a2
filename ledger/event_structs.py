"""The events that channels publish, as Structs: what Python makes and gets, and what the exported schema is made from.

``ledger.events`` encodes and decodes them; docs/events.md describes them.
"""

from datetime import date
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from ledger.account_ids import AccountKind

IN_FULL = 2**64 - 1
AMOUNT_OPTIONAL = frozenset({"post_pending", "balancing_debit", "balancing_credit"})  # flags of a leg

ChannelName = Annotated[str, Meta(min_length=1, max_length=32, description="The name of the channel that publishes the event.")]
BusinessDate = Annotated[date, Meta(description="The channel's accounting day. Part of the idempotency key.")]
Serial = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=36,
        description="The channel's own serial, in the form of its channel: 1 to 32 decimal digits, a UUID, or 1 to 16 printable "
        "ASCII characters without space. Unique for the channel and business date, and not all zeros.",
    ),
]
Household = Annotated[str, Meta(pattern="^[0-9]{13}$", description="The household's number of 13 digits.")]
AmountFen = Annotated[int, Meta(ge=1, le=2**63 - 1, description="The amount in fen.")]
ValueDate = Annotated[date, Meta(description="The day from which the amount counts. The business date where it is left out.")]
Outlet = Annotated[
    str, Meta(pattern="^[0-9]{1,18}$", description="The number of the outlet that took the payment; leading zeros do not count.")
]
Payer = Annotated[
    str,
    Meta(
        pattern="^[0-9]{1,18}$",
        description="The number of the card, agency, till or machine that pays, where the channel has such; leading zeros do not "
        "count.",
    ),
]
Payee = Annotated[
    str, Meta(pattern="^[0-9]{1,18}$", description="The number of the card or deposit to top up; leading zeros do not count.")
]
TerminalName = Annotated[
    str,
    Meta(
        min_length=1, max_length=32, description="The kind of terminal. The first of the channel's profile where it is left out."
    ),
]
Counted = Annotated[int, Meta(ge=0, le=2**63 - 1, description="The cash that was counted, in fen.")]
Period = Annotated[str, Meta(pattern="^[0-9]{4}-(0[1-9]|1[0-2])$", description="The month that is billed.")]
DueDate = Annotated[date, Meta(description="The day by which the bill is to be paid.")]


class HouseholdEvent(
    msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, tag_field="type"
):
    """What bills and payments have. A value date that is left out becomes the business date."""

    channel: ChannelName
    business_date: BusinessDate
    serial: Serial
    household: Household
    amount_fen: AmountFen
    value_date: ValueDate | None = None

    def __post_init__(self) -> None:
        if self.value_date is None:
            msgspec.structs.force_setattr(self, "value_date", self.business_date)


class Payment(HouseholdEvent, frozen=True, kw_only=True, tag="payment"):
    """A household pays through a channel. A value date that is left out becomes the business date."""

    outlet: Outlet | None = None
    payer: Payer | None = None
    terminal: TerminalName | None = None


class Bill(HouseholdEvent, frozen=True, kw_only=True, tag="bill"):
    """A household is billed for a month. A value date that is left out becomes the business date."""

    period: Period
    due_date: DueDate


LegFlag = Literal[
    "pending", "post_pending", "void_pending", "balancing_debit", "balancing_credit", "closing_debit", "closing_credit"
]
AccountFlag = Literal["debits_must_not_exceed_credits", "credits_must_not_exceed_debits", "closed"]
Account = Annotated[
    str,
    Meta(
        pattern=f"^(({'|'.join(AccountKind.__members__)}):[0-9]{{1,33}})?$",
        description="An account, kind:number. Empty, or left out where that is allowed: none, or that of the hold.",
    ),
]
LegAmount = Annotated[
    int,
    Meta(
        ge=0,
        extra_json_schema={"maximum": IN_FULL},
        description="An amount in fen. 18446744073709551615: as much as there is, or in full.",
    ),
]
UserData = Annotated[int, Meta(ge=0, extra_json_schema={"maximum": 2**64 - 1}, description="A number of the publisher's own.")]
Book = Annotated[int, Meta(ge=0, le=65535, description="The book. 0: that of the hold.")]
Code = Annotated[
    int, Meta(ge=0, le=65535, description="Why the transfer is made, a number of the publisher's own. 0: that of the hold.")
]
TimeoutS = Annotated[int, Meta(ge=0, le=2**32 - 1, description="Seconds after which a hold expires. 0: never.")]
LegNumber = Annotated[int, Meta(ge=0, le=255, description="The leg of the event, from 0.")]


class EventName(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """The idempotency key of an event, which names it for ever."""

    channel: ChannelName
    business_date: BusinessDate
    serial: Serial


class HoldName(EventName, frozen=True):
    """What names a hold: the event that made it, and the leg."""

    leg: LegNumber = 0


class Leg(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One leg of a transfer. The amount may be left out only where a flag says post_pending or balancing: it is then in full."""

    debit: Account = ""
    credit: Account = ""
    amount_fen: LegAmount | None = None
    book: Book = 1
    code: Code
    flags: tuple[LegFlag, ...] = ()
    timeout_s: TimeoutS = 0
    user_data: UserData = 0
    pending: HoldName | None = None

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "flags", tuple(sorted(self.flags)))
        if self.amount_fen is None and not AMOUNT_OPTIONAL.isdisjoint(self.flags):
            msgspec.structs.force_setattr(self, "amount_fen", IN_FULL)


Person = Annotated[str, Meta(min_length=1, max_length=32, description="Who allowed it: a name of 1 to 32 bytes.")]
Reason = Annotated[str, Meta(min_length=1, max_length=200, description="Why: 1 to 200 bytes of text.")]


class LedgerEvent(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True, tag_field="type"):
    """What all events but bills and payments have. A value date that is left out becomes the business date."""

    channel: ChannelName
    business_date: BusinessDate
    serial: Serial
    value_date: ValueDate | None = None

    def __post_init__(self) -> None:
        if self.value_date is None:
            msgspec.structs.force_setattr(self, "value_date", self.business_date)


class OpenAccount(LedgerEvent, frozen=True, kw_only=True, tag="open_account"):
    """An account opens, in a book, with its limits: flags, a credit line (0 none), and an account whose line counts too."""

    account: Account
    book: Annotated[int, Meta(ge=0, le=65535, description="The book that the account belongs to.")] = 1
    flags: tuple[AccountFlag, ...] = ()
    credit_line_fen: LegAmount = 0
    limit_parent: Account = ""

    def __post_init__(self) -> None:
        LedgerEvent.__post_init__(self)
        msgspec.structs.force_setattr(self, "flags", tuple(sorted(self.flags)))


class Transfer(LedgerEvent, frozen=True, kw_only=True, tag="transfer"):
    """Amounts move between accounts: all legs, or none."""

    legs: Annotated[tuple[Leg, ...], Meta(min_length=1, max_length=254)]


class _Settlement(LedgerEvent, frozen=True, kw_only=True):
    """A hold ends. What is left out is the hold's."""

    pending: HoldName | None = None
    amount_fen: LegAmount = 0
    user_data: UserData = 0
    debit: Account = ""
    credit: Account = ""
    book: Book = 0
    code: Code = 0


class Post(_Settlement, frozen=True, kw_only=True, tag="post"):
    """A hold is posted, in full or in part; the rest is given back. What is left out is the hold's."""

    amount_fen: LegAmount = IN_FULL


class Void(_Settlement, frozen=True, kw_only=True, tag="void"):
    """A hold is given back. What is left out is the hold's."""


class Reverse(LedgerEvent, frozen=True, kw_only=True, tag="reverse"):
    """A posted event is reversed, in part or, with the amount 0, as far as it is not yet."""

    original: EventName
    amount_fen: LegAmount = 0


class Freeze(LedgerEvent, frozen=True, kw_only=True, tag="freeze"):
    """An account takes no more transfers until it is unfrozen."""

    account: Account


class Unfreeze(LedgerEvent, frozen=True, kw_only=True, tag="unfreeze"):
    """A frozen account takes transfers again."""

    account: Account


class Close(LedgerEvent, frozen=True, kw_only=True, tag="close"):
    """An account takes no more transfers."""

    account: Account


class Clock(LedgerEvent, frozen=True, kw_only=True, tag="clock"):
    """Ledger time moves on to that of the record, and what is due by then expires."""


class TopUp(LedgerEvent, frozen=True, kw_only=True, tag="top_up"):
    """A card or a deposit is topped up; the first top-up of a card issues it. The household is the one whose shard keeps it."""

    payee: Payee
    amount_fen: AmountFen
    payer: Payer | None = None
    terminal: TerminalName | None = None
    household: Household | None = None


class OpenFloat(LedgerEvent, frozen=True, kw_only=True, tag="open_float"):
    """Cash is put into a till or machine."""

    payer: Payer
    amount_fen: AmountFen
    terminal: TerminalName | None = None


class CountFloat(LedgerEvent, frozen=True, kw_only=True, tag="count_float"):
    """The cash of a till or machine is counted; what is over or short is booked."""

    payer: Payer
    amount_fen: Counted
    terminal: TerminalName | None = None


class BankFloat(LedgerEvent, frozen=True, kw_only=True, tag="bank_float"):
    """Cash of a till or machine is on its way to the bank."""

    payer: Payer
    amount_fen: AmountFen
    terminal: TerminalName | None = None


class Adjust(LedgerEvent, frozen=True, kw_only=True, tag="adjust"):
    """People move an amount: to settle a dispute about an event, or out of suspense. They say who allowed it, and why."""

    debit: Account
    credit: Account
    amount_fen: AmountFen
    allowed_by: Annotated[tuple[Person, ...], Meta(min_length=1, max_length=4)]
    reason: Reason
    disputed: EventName | None = None


Event: TypeAlias = (
    Bill
    | Payment
    | OpenAccount
    | Transfer
    | Post
    | Void
    | Reverse
    | Freeze
    | Unfreeze
    | Close
    | Clock
    | TopUp
    | OpenFloat
    | CountFloat
    | BankFloat
    | Adjust
)

# In the order of their numbers as event types, from 1.
EVENTS: tuple[type[Event], ...] = (
    Bill,
    Payment,
    OpenAccount,
    Transfer,
    Post,
    Void,
    Reverse,
    Freeze,
    Unfreeze,
    Close,
    Clock,
    TopUp,
    OpenFloat,
    CountFloat,
    BankFloat,
    Adjust,
)
EVENT_NUMBERS = {str(struct.__struct_config__.tag): number for number, struct in enumerate(EVENTS, 1)}
