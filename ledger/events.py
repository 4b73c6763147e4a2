"""The events that channels publish, and their three encodings: JSON object, MessagePack map or array, packed binary.

``decode_event`` is the specification of decoding. The core decodes plain events by itself and asks this module about the rest;
tests hold the two against each other. docs/events.md describes the fields; ``ledger.schema`` exports them.
"""

import struct
from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any, NamedTuple, TypeAlias

import msgspec
from msgspec import Meta

from ledger import event_fields as fields
from ledger.channels import BUILT_IN_CHANNELS, Channel
from ledger.errors import EventInvalid
from ledger.flat_values import FlatValue, Malformed, read_json, read_msgpack_array, read_msgpack_map
from ledger.outcomes import OutcomeCode

PACKED_EVENT_VERSION = 0x01
EVENT_TYPE_BILL, EVENT_TYPE_PAYMENT = 1, 2
MAX_AMOUNT_FEN = 2**63 - 1

_PACKED = struct.Struct("<BBHHH16sQqQ16x")
_ASCII_SPACE = b" \t\n\r"

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
AmountFen = Annotated[int, Meta(ge=1, le=MAX_AMOUNT_FEN, description="The amount in fen.")]
ValueDate = Annotated[date, Meta(description="The day from which the amount counts. The business date where it is left out.")]
Outlet = Annotated[
    str, Meta(pattern="^[0-9]{1,18}$", description="The number of the outlet that took the payment; leading zeros do not count.")
]
Period = Annotated[str, Meta(pattern="^[0-9]{4}-(0[1-9]|1[0-2])$", description="The month that is billed.")]
DueDate = Annotated[date, Meta(description="The day by which the bill is to be paid.")]


class Payment(
    msgspec.Struct,
    frozen=True,
    gc=False,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag_field="type",
    tag="payment",
):
    """A household pays through a channel. A value date that is left out becomes the business date."""

    channel: ChannelName
    business_date: BusinessDate
    serial: Serial
    household: Household
    amount_fen: AmountFen
    value_date: ValueDate | None = None
    outlet: Outlet | None = None

    def __post_init__(self) -> None:
        if self.value_date is None:
            msgspec.structs.force_setattr(self, "value_date", self.business_date)


class Bill(
    msgspec.Struct,
    frozen=True,
    gc=False,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag_field="type",
    tag="bill",
):
    """A household is billed for a month. A value date that is left out becomes the business date."""

    channel: ChannelName
    business_date: BusinessDate
    serial: Serial
    household: Household
    amount_fen: AmountFen
    value_date: ValueDate | None = None
    period: Period
    due_date: DueDate

    def __post_init__(self) -> None:
        if self.value_date is None:
            msgspec.structs.force_setattr(self, "value_date", self.business_date)


Event: TypeAlias = Payment | Bill


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """Why a value is no event, and what is known of its type and its key, as in ``packed_event``; zero where it is not."""

    code: OutcomeCode
    event_type: int = 0
    channel: int = 0
    business_date: int = 0
    serial: bytes = fields.NO_SERIAL


class PackedEvent(NamedTuple):
    """The fields of ``packed_event`` in their order, without version and reserved bytes."""

    event_type: int
    channel: int
    business_date: int
    value_date: int
    serial: bytes
    household: int
    amount_fen: int
    detail: int


_TYPES: dict[str | None, int] = {"bill": EVENT_TYPE_BILL, "payment": EVENT_TYPE_PAYMENT}
_COMMON = ("type", *Payment.__struct_fields__[:-1])
_FIELDS: dict[FlatValue, tuple[str, ...]] = {
    "payment": ("type", *Payment.__struct_fields__),
    "bill": ("type", *Bill.__struct_fields__),
}
_ALL_FIELDS = frozenset(_FIELDS["payment"] + _FIELDS["bill"])
_OPTIONAL = frozenset({"value_date", "outlet"})


def encode_json(event: Event) -> bytes:
    """Return the event as a JSON object without spaces."""
    return msgspec.json.encode(event)


def encode_msgpack(event: Event, *, as_array: bool = False) -> bytes:
    """Return the event as a MessagePack map, or as an array of the type and the fields in their order."""
    if not as_array:
        return msgspec.msgpack.encode(event)
    values = msgspec.to_builtins(event)
    return msgspec.msgpack.encode([values.get(name) for name in _FIELDS[values["type"]]])


def encode_packed(event: Event, channels: Iterable[Channel] = BUILT_IN_CHANNELS) -> bytes:
    """Return the event as the 64 bytes of ``packed_event``. Raises ``EventInvalid`` where ``check_event`` finds a refusal."""
    code, packed = _pack_fields(msgspec.to_builtins(event), tuple(channels))
    if code:
        raise EventInvalid(code.sentence, code=int(code))
    return packed


def check_event(event: Event, channels: Iterable[Channel] = BUILT_IN_CHANNELS) -> OutcomeCode:
    """Return the refusal that the event would meet whatever the state of the ledger; ``applied`` where there is none."""
    return _pack_fields(msgspec.to_builtins(event), tuple(channels))[0]


def decode_event(value: bytes | None, channels: Iterable[Channel] = BUILT_IN_CHANNELS) -> Event | Refusal:
    """Return the event that a record's value holds, or the first refusal in the order of ``OutcomeCode``."""
    channels = tuple(channels)
    code, packed = decode_to_packed(value, channels)
    event = PackedEvent(*_PACKED.unpack(packed)[1:])
    if code:
        return Refusal(code, event.event_type, event.channel, event.business_date, event.serial)
    return unpack_event(event, channels)


def decode_to_packed(value: bytes | None, channels: tuple[Channel, ...]) -> tuple[OutcomeCode, bytes]:
    """Return the outcome (``applied`` for an event without fault) and the 64 bytes of ``packed_event``.

    Of a refused event only the type and the parts of the key are left, as far as they are known; all else is zero.
    """
    try:
        if not value:
            raise Malformed(OutcomeCode.value_missing)
        if value[0] == PACKED_EVENT_VERSION:
            event = _read_packed(value)
            return _judge(event, channels, _first_wrong_number(event, channels))
        return _pack_fields(_read_fields(value), channels)
    except Malformed as malformed:
        return malformed.code, bytes(_PACKED.size)


def unpack_event(event: PackedEvent, channels: Iterable[Channel] = BUILT_IN_CHANNELS) -> Event:
    """Return the Struct of a packed event that has no fault."""
    channel = next(channel for channel in channels if channel.code == event.channel)
    common: dict[str, Any] = {
        "channel": channel.name,
        "business_date": fields.format_date(event.business_date),
        "serial": fields.format_serial(event.serial, channel.serial_form),
        "household": f"{event.household:013d}",
        "amount_fen": event.amount_fen,
        "value_date": fields.format_date(event.value_date),
    }
    if event.event_type == EVENT_TYPE_PAYMENT:
        return Payment(**common, outlet=str(event.detail) if event.detail else None)
    period, due_date = event.detail & 0xFFFFFFFF, event.detail >> 32
    return Bill(**common, period=fields.format_period(period), due_date=fields.format_date(due_date))


def _read_packed(value: bytes) -> PackedEvent:
    if len(value) != _PACKED.size or any(value[48:]):
        raise Malformed(OutcomeCode.packed_malformed)
    return PackedEvent(*_PACKED.unpack(value)[1:])


def _read_fields(value: bytes) -> dict[str, FlatValue]:
    """Return the fields of a JSON or MessagePack event by name."""
    first = value[0]
    if value.lstrip(_ASCII_SPACE).startswith(b"{"):
        return _by_name(read_json(value))
    if 0x80 <= first <= 0x8F or first in (0xDE, 0xDF):
        return _by_name(read_msgpack_map(value))
    if 0x90 <= first <= 0x9F or first in (0xDC, 0xDD):
        return _from_array(read_msgpack_array(value))
    raise Malformed(OutcomeCode.encoding_unknown)


def _by_name(members: list[tuple[str, FlatValue]]) -> dict[str, FlatValue]:
    named = dict(members)
    if len(named) != len(members):
        raise Malformed(OutcomeCode.field_duplicated)
    return named


def _from_array(values: list[FlatValue]) -> dict[str, FlatValue]:
    """Name the elements after the fields of the event type; those beyond them get names that no field has."""
    names = list(_FIELDS.get(values[0], _COMMON)) if values and isinstance(values[0], str) else list(_COMMON)
    names += [f"[{index}]" for index in range(len(names), len(values))]
    return dict(zip(names, values, strict=False))


def _pack_fields(named: dict[str, FlatValue], channels: tuple[Channel, ...]) -> tuple[OutcomeCode, bytes]:
    event = _numbers(named, channels)
    return _judge(event, channels, _first_wrong_field(named) or _first_wrong_number(event, channels))


def _first_wrong_field(named: dict[str, FlatValue]) -> OutcomeCode:
    event_type = named.get("type")
    if isinstance(event_type, str) and event_type not in _TYPES:
        return OutcomeCode.event_type_unknown
    if not named.keys() <= set(_FIELDS.get(event_type, _ALL_FIELDS)):
        return OutcomeCode.field_unknown
    if not set(_FIELDS.get(event_type, _COMMON)) - _OPTIONAL <= named.keys():
        return OutcomeCode.field_missing
    if not all(_type_is_right(name, value) for name, value in named.items()):
        return OutcomeCode.field_type_wrong
    return OutcomeCode.applied


def _type_is_right(name: str, value: FlatValue) -> bool:
    if value is None:
        return name in _OPTIONAL
    return type(value) is (int if name == "amount_fen" else str)


def _numbers(named: dict[str, FlatValue], channels: tuple[Channel, ...]) -> PackedEvent:
    """Turn the fields into numbers; one that is missing or wrong becomes a number that it cannot have."""
    text = {name: value for name, value in named.items() if isinstance(value, str)}
    event_type = _TYPES.get(text.get("type"), 0)
    channel = next((channel for channel in channels if channel.name == text.get("channel")), None)
    business_date = fields.parse_date(text.get("business_date", ""))
    value_date = fields.parse_date(text["value_date"]) if "value_date" in text else business_date
    amount_fen = named.get("amount_fen")
    if event_type == EVENT_TYPE_PAYMENT:
        detail = fields.parse_outlet(text["outlet"]) if "outlet" in text else fields.NO_OUTLET
    else:
        detail = fields.parse_date(text.get("due_date", "")) << 32 | fields.parse_period(text.get("period", ""))
    return PackedEvent(
        event_type,
        channel.code if channel else 0,
        business_date,
        value_date,
        fields.parse_serial(text.get("serial", ""), channel.serial_form) if channel else fields.NO_SERIAL,
        fields.parse_household(text.get("household", "")),
        amount_fen if isinstance(amount_fen, int) else 0,
        detail,
    )


def _first_wrong_number(event: PackedEvent, channels: tuple[Channel, ...]) -> OutcomeCode:
    channel = _channel(event, channels)
    is_bill = event.event_type == EVENT_TYPE_BILL
    period, due_date = event.detail & 0xFFFFFFFF, event.detail >> 32
    checks = (
        (event.event_type in (EVENT_TYPE_BILL, EVENT_TYPE_PAYMENT), OutcomeCode.event_type_unknown),
        (
            channel is not None and not channel.publishes_ledger_events and channel.issues_bills == is_bill,
            OutcomeCode.channel_unknown,
        ),
        (event.business_date != fields.NO_DATE, OutcomeCode.business_date_invalid),
        (event.value_date != fields.NO_DATE, OutcomeCode.value_date_invalid),
        (channel is not None and fields.serial_is_right(event.serial, channel.serial_form), OutcomeCode.serial_malformed),
        (event.household < fields.HOUSEHOLD_LIMIT, OutcomeCode.household_not_13_digits),
        (event.amount_fen > 0, OutcomeCode.amount_not_positive),
        (event.amount_fen <= MAX_AMOUNT_FEN, OutcomeCode.amount_too_great),
        (is_bill or event.detail < fields.OUTLET_LIMIT, OutcomeCode.outlet_malformed),
        (not is_bill or fields.period_exists(period), OutcomeCode.period_invalid),
        (not is_bill or fields.NO_DATE < due_date <= fields.LATEST_DATE, OutcomeCode.due_date_invalid),
    )
    return next((code for right, code in checks if not right), OutcomeCode.applied)


def _judge(event: PackedEvent, channels: tuple[Channel, ...], code: OutcomeCode) -> tuple[OutcomeCode, bytes]:
    """Pack a right event whole, and of a refused one what is known of its type and its key."""
    if not code:
        return code, _PACKED.pack(PACKED_EVENT_VERSION, *event)
    channel = _channel(event, channels)
    serial_is_known = channel is not None and fields.serial_is_right(event.serial, channel.serial_form)
    known = PackedEvent(
        event_type=event.event_type if event.event_type in (EVENT_TYPE_BILL, EVENT_TYPE_PAYMENT) else 0,
        channel=channel.code if channel else 0,
        business_date=event.business_date,
        value_date=0,
        serial=event.serial if serial_is_known else fields.NO_SERIAL,
        household=0,
        amount_fen=0,
        detail=0,
    )
    return code, _PACKED.pack(0, *known)


def _channel(event: PackedEvent, channels: tuple[Channel, ...]) -> Channel | None:
    return next((channel for channel in channels if channel.code == event.channel), None)
