"""The legs of ledger events: from fields to the numbers of ``packed_leg`` and back, and the checks that need no ledger."""

import struct
from collections.abc import Iterator
from enum import IntFlag
from typing import Any, NamedTuple

from ledger import event_fields as fields
from ledger.channels import Channel
from ledger.event_structs import (
    IN_FULL,
    Adjust,
    Clock,
    Close,
    Event,
    EventName,
    Freeze,
    HoldName,
    Leg,
    OpenAccount,
    Post,
    Reverse,
    Transfer,
    Unfreeze,
    Void,
)
from ledger.notes import LEG_BYTES, Note
from ledger.outcomes import OutcomeCode

MAX_LEGS = 254
MAX_AMOUNT_FEN = 2**63 - 1  # of an adjustment, as of a payment
TWO_PERSONS = 2
NO_CHANNEL = 0xFFFF
UNKNOWN_FLAG = 0x8000

_LEG = struct.Struct("<16s16sQQ16sHHBBHIHH")


class LegFlags(IntFlag):
    """The flags of a transfer's leg. The numbers are those of ``record_layout.h``."""

    pending = 0x0001
    post_pending = 0x0002
    void_pending = 0x0004
    balancing_debit = 0x0008
    balancing_credit = 0x0010
    closing_debit = 0x0020
    closing_credit = 0x0040


class AccountFlags(IntFlag):
    """The flags that an account may be opened with. The numbers are those of ``record_layout.h``."""

    debits_must_not_exceed_credits = 0x0001
    credits_must_not_exceed_debits = 0x0002
    closed = 0x0004


class PackedLeg(NamedTuple):
    """The fields of ``packed_leg``, with accounts as numbers. One that comes from text may be out of the field's range."""

    debit_account: int = fields.NO_ACCOUNT
    credit_account: int = fields.NO_ACCOUNT
    amount_fen: int = 0
    user_data: int = 0
    pending_serial: bytes = fields.NO_SERIAL
    pending_channel: int = 0
    pending_business_date: int = 0
    pending_leg: int = 0
    reserved: int = 0
    flags: int = 0
    timeout_s: int = 0
    book: int = 0
    code: int = 0

    def pack(self) -> bytes:
        accounts = (number.to_bytes(16, "little") for number in self[:2])
        return _LEG.pack(*accounts, *self[2:])


_LIMITS = {
    "amount_fen": 2**64,
    "user_data": 2**64,
    "pending_leg": 2**8,
    "reserved": 1,
    "timeout_s": 2**32,
    "book": 2**16,
    "code": 2**16,
}
_ORIGINAL = {"pending_serial", "pending_channel", "pending_business_date"}
_SETTLEMENT = set(PackedLeg._fields) - {"timeout_s"}
_USED: dict[str, set[str]] = {
    "open_account": {"debit_account", "credit_account", "amount_fen", "flags", "book"},
    "transfer": set(PackedLeg._fields),
    "post": _SETTLEMENT,
    "void": _SETTLEMENT,
    "reverse": _ORIGINAL | {"amount_fen"},
    "freeze": {"debit_account"},
    "unfreeze": {"debit_account"},
    "close": {"debit_account"},
    "clock": set(),
    "adjust": _ORIGINAL | {"debit_account", "credit_account", "amount_fen"},
}
# As plain numbers: the complement of an IntFlag has none but the flags that are known.
_KNOWN_FLAGS = {
    "open_account": int(sum(AccountFlags)),
    "transfer": int(sum(LegFlags)),
    "post": int(LegFlags.post_pending),
    "void": int(LegFlags.void_pending),
}


def unpack_legs(data: bytes) -> list[PackedLeg]:
    """Return the packed legs that fill ``data``."""
    return [
        PackedLeg(int.from_bytes(debit, "little"), int.from_bytes(credit, "little"), *rest)
        for debit, credit, *rest in _LEG.iter_unpack(data)
    ]


def legs_of(named: dict[str, Any], channels: tuple[Channel, ...]) -> list[PackedLeg]:
    """Turn the fields of a ledger event, of the right types, into its legs."""
    given = {name: value for name, value in named.items() if value is not None}
    type_ = given["type"]
    if type_ == "transfer":
        return [_transfer_leg(leg, channels) for leg in given["legs"]]
    if type_ in ("post", "void"):
        return [_settling_leg(given, channels)]
    if type_ == "reverse":
        return [PackedLeg(amount_fen=given.get("amount_fen", 0), **_hold(given["original"], channels))]
    if type_ == "open_account":
        return [_opening_leg(given)]
    if type_ == "adjust":
        return _adjusting_legs(given, channels)
    return [] if type_ == "clock" else [PackedLeg(debit_account=fields.parse_account(given["account"]))]


def _transfer_leg(leg: dict[str, Any], channels: tuple[Channel, ...]) -> PackedLeg:
    given = {"book": 1, "amount_fen": IN_FULL} | {name: value for name, value in leg.items() if value is not None}
    return _moving_leg(given, channels)._replace(
        flags=_flags(given.get("flags", ()), LegFlags), timeout_s=given.get("timeout_s", 0)
    )


def _settling_leg(given: dict[str, Any], channels: tuple[Channel, ...]) -> PackedLeg:
    if given["type"] == "void":
        return _moving_leg(given, channels)._replace(flags=LegFlags.void_pending)
    return _moving_leg({"amount_fen": IN_FULL} | given, channels)._replace(flags=LegFlags.post_pending)


def _moving_leg(given: dict[str, Any], channels: tuple[Channel, ...]) -> PackedLeg:
    return PackedLeg(
        debit_account=fields.parse_account(given.get("debit", "")),
        credit_account=fields.parse_account(given.get("credit", "")),
        **{name: given.get(name, 0) for name in ("amount_fen", "user_data", "book", "code")},
        **(_hold(given["pending"], channels) if "pending" in given else {}),
    )


def _opening_leg(given: dict[str, Any]) -> PackedLeg:
    return PackedLeg(
        debit_account=fields.parse_account(given["account"]),
        credit_account=fields.parse_account(given.get("limit_parent", "")),
        amount_fen=given.get("credit_line_fen", 0),
        flags=_flags(given.get("flags", ()), AccountFlags),
        book=given.get("book", 1),
    )


def _adjusting_legs(given: dict[str, Any], channels: tuple[Channel, ...]) -> list[PackedLeg]:
    """Return the leg that moves the amount, and behind it as many as the note fills."""
    leg = PackedLeg(
        debit_account=fields.parse_account(given["debit"]),
        credit_account=fields.parse_account(given["credit"]),
        amount_fen=given["amount_fen"],
        **(_hold(given["disputed"], channels) if "disputed" in given else {}),
    )
    return [leg, *unpack_legs(Note(tuple(given["allowed_by"]), given["reason"]).pack())]


def ends_with_note(legs: bytes) -> bool:
    """Say whether the packed legs of an adjustment are one, and a note in as few as it needs."""
    try:
        return Note.unpack(legs[LEG_BYTES:]).pack() == legs[LEG_BYTES:]
    except ValueError:
        return False


def _note(legs: list[PackedLeg]) -> Note:
    return Note.unpack(b"".join(leg.pack() for leg in legs[1:]))


def _flags(names: list[str], known: type[IntFlag]) -> int:
    flags = 0
    for name in names:
        flags |= known[name] if name in known.__members__ else UNKNOWN_FLAG
    return flags


def _hold(name: dict[str, Any], channels: tuple[Channel, ...]) -> dict[str, Any]:
    channel = next((channel for channel in channels if channel.name == name["channel"]), None)
    return {
        "pending_channel": channel.code if channel else NO_CHANNEL,
        "pending_business_date": fields.parse_date(name["business_date"]),
        "pending_serial": fields.parse_serial(name["serial"], channel.serial_form) if channel else fields.NO_SERIAL,
        "pending_leg": 0 if name.get("leg") is None else name["leg"],
    }


def first_wrong_leg(type_: str, legs: list[PackedLeg], channel: Channel, channels: tuple[Channel, ...]) -> OutcomeCode:
    """Return the first refusal, in the order of ``OutcomeCode``, that a leg or the count of legs deserves; else ``applied``."""
    if type_ == "adjust":
        faults = (*_faults(type_, legs[:1], channels), *_faults_of_adjustment(legs[0].amount_fen, _note(legs), channel))
        return min(faults, default=OutcomeCode.applied)
    return min(_faults(type_, legs, channels), default=OutcomeCode.applied)


def _faults_of_adjustment(amount_fen: int, note: Note, channel: Channel) -> Iterator[OutcomeCode]:
    if amount_fen < 1:
        yield OutcomeCode.amount_not_positive
    if amount_fen > MAX_AMOUNT_FEN:
        yield OutcomeCode.amount_too_great
    if code := note.fault():
        yield code
    one_person_fen = channel.adjust.two_persons_above_fen if channel.adjust else 0
    if amount_fen > one_person_fen and len(note.allowed_by) < TWO_PERSONS:
        yield OutcomeCode.second_person_missing


def _faults(type_: str, legs: list[PackedLeg], channels: tuple[Channel, ...]) -> Iterator[OutcomeCode]:
    if not (1 <= len(legs) <= MAX_LEGS if type_ == "transfer" else len(legs) == (type_ != "clock")):
        yield OutcomeCode.leg_count_wrong
    for leg in legs:
        if not (fields.account_is_right(leg.debit_account) and fields.account_is_right(leg.credit_account)):
            yield OutcomeCode.account_malformed
        if not _fields_are_right(type_, leg, channels):
            yield OutcomeCode.leg_field_malformed
        if leg.flags & ~_KNOWN_FLAGS.get(type_, 0):
            yield OutcomeCode.reserved_flag


def _fields_are_right(type_: str, leg: PackedLeg, channels: tuple[Channel, ...]) -> bool:
    """Say whether the fields are in their ranges, and zero where the event type has no use for them."""
    numbers: dict[str, Any] = leg._asdict()
    for name, value in numbers.items():
        if value not in (0, fields.NO_SERIAL) and name != "flags" and name not in _USED[type_]:
            return False
        if name in _LIMITS and not 0 <= value < _LIMITS[name]:
            return False
    if type_ in ("post", "void") and not leg.flags & _KNOWN_FLAGS[type_]:
        return False
    return _hold_is_right(leg, channels) or (type_ != "reverse" and not names_hold(leg))


def names_hold(leg: PackedLeg) -> bool:
    """Say whether the leg names a hold, or an event to reverse."""
    return leg[4:8] != PackedLeg()[4:8]


def _hold_is_right(leg: PackedLeg, channels: tuple[Channel, ...]) -> bool:
    channel = _channel(leg, channels)
    if channel is None or leg.pending_business_date == fields.NO_DATE:
        return False
    return fields.serial_is_right(leg.pending_serial, channel.serial_form)


def _channel(leg: PackedLeg, channels: tuple[Channel, ...]) -> Channel | None:
    return next((channel for channel in channels if channel.code == leg.pending_channel), None)


def ledger_event(type_: str, head: dict[str, Any], legs: list[PackedLeg], channels: tuple[Channel, ...]) -> Event:
    """Return the Struct of a ledger event that has no fault; ``head`` has the fields that all of them have."""
    if type_ == "clock":
        return Clock(**head)
    if type_ in ("transfer", "adjust"):
        return (_transfer if type_ == "transfer" else _adjustment)(head, legs, channels)
    leg = legs[0]
    account = fields.format_account_or_none(leg.debit_account)
    if type_ == "open_account":
        return _open_account(head, leg, account)
    if type_ == "reverse":
        return Reverse(**head, original=EventName(**_hold_fields(leg, channels)), amount_fen=leg.amount_fen)
    if type_ in ("post", "void"):
        return (Post if type_ == "post" else Void)(**head, **_moving_fields(leg, channels))
    changes: dict[str, type[Freeze | Unfreeze | Close]] = {"freeze": Freeze, "unfreeze": Unfreeze, "close": Close}
    return changes[type_](**head, account=account)


def _open_account(head: dict[str, Any], leg: PackedLeg, account: str) -> OpenAccount:
    return OpenAccount(
        **head,
        account=account,
        book=leg.book,
        flags=tuple(_names(AccountFlags(leg.flags))),
        credit_line_fen=leg.amount_fen,
        limit_parent=fields.format_account_or_none(leg.credit_account),
    )


def _transfer(head: dict[str, Any], legs: list[PackedLeg], channels: tuple[Channel, ...]) -> Transfer:
    return Transfer(**head, legs=tuple(_leg(leg, channels) for leg in legs))


def _adjustment(head: dict[str, Any], legs: list[PackedLeg], channels: tuple[Channel, ...]) -> Adjust:
    leg, note = legs[0], _note(legs)
    return Adjust(
        **head,
        debit=fields.format_account_or_none(leg.debit_account),
        credit=fields.format_account_or_none(leg.credit_account),
        amount_fen=leg.amount_fen,
        allowed_by=note.allowed_by,
        reason=note.reason,
        disputed=EventName(**_hold_fields(leg, channels)) if names_hold(leg) else None,
    )


def _leg(leg: PackedLeg, channels: tuple[Channel, ...]) -> Leg:
    return Leg(**_moving_fields(leg, channels), flags=tuple(_names(LegFlags(leg.flags))), timeout_s=leg.timeout_s)


def _moving_fields(leg: PackedLeg, channels: tuple[Channel, ...]) -> dict[str, Any]:
    return {
        "debit": fields.format_account_or_none(leg.debit_account),
        "credit": fields.format_account_or_none(leg.credit_account),
        "amount_fen": leg.amount_fen,
        "user_data": leg.user_data,
        "book": leg.book,
        "code": leg.code,
        "pending": HoldName(**_hold_fields(leg, channels), leg=leg.pending_leg) if names_hold(leg) else None,
    }


def _hold_fields(leg: PackedLeg, channels: tuple[Channel, ...]) -> dict[str, Any]:
    channel = _channel(leg, channels)
    assert channel is not None
    return {
        "channel": channel.name,
        "business_date": fields.format_date(leg.pending_business_date),
        "serial": fields.format_serial(leg.pending_serial, channel.serial_form),
    }


def _names(flags: IntFlag) -> Iterator[Any]:
    return (flag.name for flag in type(flags) if flag & flags)
