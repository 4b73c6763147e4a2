"""The events that channels publish, and their three encodings: JSON object, MessagePack map or array, packed binary.

``decode_event`` is the specification of decoding. The core decodes plain events by itself and asks this module about the rest;
tests hold the two against each other. docs/events.md describes the fields; ``ledger.schema`` exports them.
"""

import struct
from collections.abc import Iterable
from typing import Any

import msgspec

from ledger import event_fields as fields
from ledger.channels import BUILT_IN_CHANNELS, Channel
from ledger.errors import EventInvalid
from ledger.event_shapes import SHAPES, first_fault
from ledger.event_structs import (
    EVENT_NUMBERS,
    Adjust,
    BankFloat,
    Bill,
    Clock,
    Close,
    CountFloat,
    Event,
    EventName,
    Freeze,
    HoldName,
    Leg,
    OpenAccount,
    OpenFloat,
    Payment,
    Post,
    Reverse,
    TopUp,
    Transfer,
    Unfreeze,
    Void,
)
from ledger.nested_values import Malformed, Value, read_json, read_msgpack
from ledger.outcomes import OutcomeCode
from ledger.packed_legs import (
    MAX_LEGS,
    PackedLeg,
    ends_with_note,
    first_wrong_leg,
    ledger_event,
    legs_of,
    names_hold,
    unpack_legs,
)
from ledger.plain_events import PackedEvent, first_wrong_field, numbers_of, plain_event

__all__ = [
    "Adjust",
    "BankFloat",
    "Bill",
    "Clock",
    "Close",
    "CountFloat",
    "Event",
    "EventName",
    "Freeze",
    "HoldName",
    "Leg",
    "OpenAccount",
    "OpenFloat",
    "PackedEvent",
    "Payment",
    "Post",
    "Refusal",
    "Reverse",
    "TopUp",
    "Transfer",
    "Unfreeze",
    "Void",
    "check_event",
    "decode_event",
    "decode_to_packed",
    "encode_json",
    "encode_msgpack",
    "encode_packed",
    "unpack_event",
]

PACKED_EVENT_VERSION = 0x01
PACKED_LEG_BYTES = 80

_PACKED = struct.Struct("<BBHHH16sQqQQB7x")
_PACKED_END = 57  # behind it, reserved bytes
_ASCII_SPACE = b" \t\n\r"
_TYPE_NAMES = {number: name for name, number in EVENT_NUMBERS.items()}
_KEY_FIELDS = ("type", "channel", "business_date", "serial")


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """Why a value is no event, and what is known of its type and its key, as in ``packed_event``; zero where it is not."""

    code: OutcomeCode
    event_type: int = 0
    channel: int = 0
    business_date: int = 0
    serial: bytes = fields.NO_SERIAL


def encode_json(event: Event) -> bytes:
    """Return the event as a JSON object without spaces."""
    return msgspec.json.encode(event)


def encode_msgpack(event: Event, *, as_array: bool = False) -> bytes:
    """Return the event as a MessagePack map, or as an array of the type and the fields in their order.

    Legs, and names of holds and events, are maps in both.
    """
    if not as_array:
        return msgspec.msgpack.encode(event)
    values = msgspec.to_builtins(event)
    return msgspec.msgpack.encode([values.get(name) for name in SHAPES[values["type"]].fields])


def encode_packed(event: Event, channels: Iterable[Channel] = BUILT_IN_CHANNELS) -> bytes:
    """Return the event as a ``packed_event``, 64 bytes, and its legs, 80 bytes each.

    Raises ``EventInvalid`` where ``check_event`` finds a refusal.
    """
    code, packed = _pack_fields(_builtins(event), tuple(channels))
    if code:
        raise EventInvalid(code.sentence, code=int(code))
    return packed


def check_event(event: Event, channels: Iterable[Channel] = BUILT_IN_CHANNELS) -> OutcomeCode:
    """Return the refusal that the event would meet whatever the state of the ledger; ``applied`` where there is none."""
    return _pack_fields(_builtins(event), tuple(channels))[0]


def _builtins(event: Event) -> dict[str, Value]:
    """Return the fields as they stand in JSON."""
    return msgspec.json.decode(msgspec.json.encode(event), type=dict[str, Any])


def decode_event(value: bytes | None, channels: Iterable[Channel] = BUILT_IN_CHANNELS) -> Event | Refusal:
    """Return the event that a record's value holds, or the first refusal in the order of ``OutcomeCode``."""
    channels = tuple(channels)
    code, packed = decode_to_packed(value, channels)
    event = PackedEvent(*_PACKED.unpack_from(packed)[1:])
    if code:
        return Refusal(code, event.event_type, event.channel, event.business_date, event.serial)
    return unpack_event(event, channels, unpack_legs(packed[_PACKED.size :]))


def decode_to_packed(value: bytes | None, channels: tuple[Channel, ...]) -> tuple[OutcomeCode, bytes]:
    """Return the outcome (``applied`` for an event without fault) and the 64 bytes of ``packed_event``, then its legs, 80 each.

    Of a refused event only the type and the parts of the key are left, as far as they are known; all else is zero.
    """
    try:
        if not value:
            raise Malformed(OutcomeCode.value_missing)
        if value[0] == PACKED_EVENT_VERSION:
            event, legs = _read_packed(value)
            return _judge(event, legs, channels, _first_wrong_number(event, legs, channels))
        return _pack_fields(_read_fields(value), channels)
    except Malformed as malformed:
        return malformed.code, bytes(_PACKED.size)


def unpack_event(event: PackedEvent, channels: Iterable[Channel] = BUILT_IN_CHANNELS, legs: Iterable[PackedLeg] = ()) -> Event:
    """Return the Struct of a packed event that has no fault."""
    channels = tuple(channels)
    channel = next(channel for channel in channels if channel.code == event.channel)
    common: dict[str, Any] = {
        "channel": channel.name,
        "business_date": fields.format_date(event.business_date),
        "serial": fields.format_serial(event.serial, channel.serial_form),
        "value_date": fields.format_date(event.value_date),
    }
    if event.has_legs:
        return ledger_event(_TYPE_NAMES[event.event_type], common, list(legs), channels)
    return plain_event(event, common, channel)


def _read_packed(value: bytes) -> tuple[PackedEvent, list[PackedLeg]]:
    leg_bytes = len(value) - _PACKED.size
    if leg_bytes < 0 or any(value[_PACKED_END : _PACKED.size]):
        raise Malformed(OutcomeCode.packed_malformed)
    event = PackedEvent(*_PACKED.unpack_from(value)[1:])
    if event.has_legs:
        is_whole = leg_bytes == event.detail * PACKED_LEG_BYTES and event.detail <= MAX_LEGS
        is_whole = is_whole and event.household == event.amount_fen == event.payer == event.terminal == 0
        is_whole = is_whole and (_TYPE_NAMES.get(event.event_type) != "adjust" or ends_with_note(value[_PACKED.size :]))
    else:
        is_whole = leg_bytes == 0 and not (event.lacks_household and (event.household or event.detail))
    if not is_whole:
        raise Malformed(OutcomeCode.packed_malformed)
    return event, unpack_legs(value[_PACKED.size :])


def _read_fields(value: bytes) -> dict[str, Value]:
    """Return the fields of a JSON or MessagePack event by name."""
    first = value[0]
    if value.lstrip(_ASCII_SPACE).startswith(b"{"):
        return read_json(value)
    if 0x80 <= first <= 0x9F or 0xDC <= first <= 0xDF:
        read = read_msgpack(value)
        return read if isinstance(read, dict) else _from_array(read)
    raise Malformed(OutcomeCode.encoding_unknown)


def _from_array(values: list[Value]) -> dict[str, Value]:
    """Name the elements after the fields of the event type; those beyond them get names that no field has."""
    type_ = values[0] if values else None
    names = list(SHAPES[type_].fields if isinstance(type_, str) and type_ in SHAPES else _KEY_FIELDS)
    names += [f"[{index}]" for index in range(len(names), len(values))]
    return dict(zip(names, values, strict=False))


def _pack_fields(named: dict[str, Value], channels: tuple[Channel, ...]) -> tuple[OutcomeCode, bytes]:
    event = _numbers(named, channels)
    if code := first_fault(named):
        return _judge(event, [], channels, code)
    legs = legs_of(named, channels) if event.has_legs else []
    return _judge(event, legs, channels, _first_wrong_number(event, legs, channels))


def _numbers(named: dict[str, Value], channels: tuple[Channel, ...]) -> PackedEvent:
    """Turn the fields into numbers; one that is missing or wrong becomes a number that it cannot have."""
    text = {name: value for name, value in named.items() if isinstance(value, str)}
    event_type = EVENT_NUMBERS.get(text.get("type", ""), 0)
    channel = next((channel for channel in channels if channel.name == text.get("channel")), None)
    business_date = fields.parse_date(text.get("business_date", ""))
    value_date = fields.parse_date(text["value_date"]) if "value_date" in text else business_date
    return PackedEvent(
        event_type=event_type,
        channel=channel.code if channel else 0,
        business_date=business_date,
        value_date=value_date,
        serial=fields.parse_serial(text.get("serial", ""), channel.serial_form) if channel else fields.NO_SERIAL,
        **numbers_of(event_type, named, text, channel),
    )


def _first_wrong_number(event: PackedEvent, legs: list[PackedLeg], channels: tuple[Channel, ...]) -> OutcomeCode:
    channel = _channel(event, channels)
    checks = (
        (event.event_type in _TYPE_NAMES, OutcomeCode.event_type_unknown),
        (channel is not None and _publishes(channel, event.event_type), OutcomeCode.channel_unknown),
        (event.business_date != fields.NO_DATE, OutcomeCode.business_date_invalid),
        (event.value_date != fields.NO_DATE, OutcomeCode.value_date_invalid),
        (channel is not None and fields.serial_is_right(event.serial, channel.serial_form), OutcomeCode.serial_malformed),
    )
    code = next((code for right, code in checks if not right), OutcomeCode.applied)
    if code:
        return code
    assert channel
    if event.has_legs:
        wrong = (
            first_wrong_leg(_TYPE_NAMES[event.event_type], legs, channel, channels),
            _first_out_of_scope(event, legs, channel),
        )
        return min((code for code in wrong if code), default=OutcomeCode.applied)
    return first_wrong_field(event, channel)


def _publishes(channel: Channel, event_type: int) -> bool:
    return _TYPE_NAMES.get(event_type) in channel.publishes


def _first_out_of_scope(event: PackedEvent, legs: list[PackedLeg], channel: Channel) -> OutcomeCode:
    """Refuse that a channel names what it must not: another's events, or an event that is past its window for reversals."""
    if channel.scope == "all":
        return OutcomeCode.applied
    naming = legs[:1] if _TYPE_NAMES[event.event_type] == "adjust" else legs
    if any(names_hold(leg) and leg.pending_channel != channel.code for leg in naming):
        return OutcomeCode.event_of_another_channel
    if _TYPE_NAMES[event.event_type] == "reverse":
        days = [event.business_date - leg.pending_business_date for leg in legs]
        if not all(0 <= late <= channel.reversal_days for late in days):
            return OutcomeCode.reversal_window_closed
    return OutcomeCode.applied


def _judge(
    event: PackedEvent, legs: list[PackedLeg], channels: tuple[Channel, ...], code: OutcomeCode
) -> tuple[OutcomeCode, bytes]:
    """Pack a right event whole, and of a refused one what is known of its type and its key."""
    if not code and event.has_legs:
        head = event._replace(household=0, amount_fen=0, detail=len(legs), payer=0, terminal=0)
        return code, _PACKED.pack(PACKED_EVENT_VERSION, *head) + b"".join(leg.pack() for leg in legs)
    if not code:
        return code, _PACKED.pack(PACKED_EVENT_VERSION, *event)
    channel = _channel(event, channels)
    serial_is_known = channel is not None and fields.serial_is_right(event.serial, channel.serial_form)
    known = PackedEvent(
        event_type=event.event_type if event.event_type in _TYPE_NAMES else 0,
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
