"""Events as channels with a bug publish them: a value of each usual kind, wrong, or right in a way that is not the usual one."""

import json
from collections.abc import Callable

import msgspec

from ledger.events import encode_json, encode_msgpack, encode_packed
from ledger.outcomes import OutcomeCode
from ledger.schema import EXAMPLES
from tests.event_samples import PAYMENT, fields_of

Fields = dict[str, object]

TRANSFER, POST, ADJUST = (
    next(event for event in EXAMPLES if type(event).__name__ == name) for name in ("Transfer", "Post", "Adjust")
)


def payment(serial: int) -> Fields:
    return fields_of(PAYMENT) | {"serial": f"{serial:020d}"}


def payment_json(number: int, /, **fields: object) -> bytes:
    """Return a payment as JSON with some fields set; None stands for one that is left out."""
    kept = {name: value for name, value in (payment(number) | fields).items() if value is not None}
    return json.dumps(kept, separators=(",", ":"), ensure_ascii=False).encode()


def with_fields(**fields: object) -> Callable[[int], bytes]:
    return lambda serial: payment_json(serial, **fields)


def edited(old: bytes, new: bytes) -> Callable[[int], bytes]:
    return lambda serial: payment_json(serial).replace(old, new)


def of(event: object, *, escaped: bool = False, **fields: object) -> Callable[[int], bytes]:
    """Return a maker of the event with another serial, and some fields set."""
    named = json.loads(msgspec.json.encode(event)) | fields
    return lambda serial: json.dumps(named | {"serial": f"E{serial}"}, separators=(",", ":"), ensure_ascii=escaped).encode()


def leg_of(**fields: object) -> Callable[[int], bytes]:
    first = json.loads(encode_json(TRANSFER))["legs"][0]
    kept = {name: value for name, value in (first | fields).items() if value is not None}
    return of(TRANSFER, legs=[first, kept])


def packed_payment(serial: int) -> bytes:
    return encode_packed(msgspec.structs.replace(PAYMENT, serial=f"{serial:020d}"))


def packed_adjustment(serial: int) -> bytes:
    return encode_packed(msgspec.structs.replace(ADJUST, serial=f"E{serial}"))


def msgpack(**fields: object) -> Callable[[int], bytes]:
    return lambda serial: msgspec.msgpack.encode(payment(serial) | fields)


def map16(serial: int) -> bytes:
    value = msgpack()(serial)
    return b"\xde\x00" + bytes([value[0] & 0x0F]) + value[1:]


def array16(serial: int) -> bytes:
    value = encode_msgpack(msgspec.structs.replace(PAYMENT, serial=f"{serial:020d}"), as_array=True)
    return b"\xdc\x00" + bytes([value[0] & 0x0F]) + value[1:]


# What comes of each: the outcome, and a maker of the value from a number that is its serial.
KINDS: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "no value": ("value_missing", lambda _: b""),
    "text": ("encoding_unknown", lambda serial: b"ERROR: upstream timed out after 30 s, request %d" % serial),
    "XML": ("encoding_unknown", lambda serial: b'<?xml version="1.0"?><payment serial="%d"/>' % serial),
    "JSON in a list": ("encoding_unknown", lambda serial: b"[" + payment_json(serial) + b"]"),
    "JSON after a mark of byte order": ("encoding_unknown", lambda serial: b"\xef\xbb\xbf" + payment_json(serial)),
    "JSON cut short": ("json_malformed", lambda serial: payment_json(serial)[:-30]),
    "bytes behind JSON": ("json_malformed", lambda serial: payment_json(serial) + b"\0"),
    "JSON with single quotes": ("json_malformed", lambda serial: payment_json(serial).replace(b'"', b"'")),
    "JSON with a comma at its end": ("json_malformed", lambda serial: payment_json(serial)[:-1] + b",}"),
    "NaN": ("json_malformed", edited(b":12345", b":NaN")),
    "text of another encoding": (
        "json_malformed",
        lambda serial: payment_json(serial, terminal="柜员机").decode().encode("gb18030"),
    ),
    "a field twice": ("field_duplicated", edited(b'"amount_fen"', b'"amount_fen":1,"amount_fen"')),
    "event type unknown": ("event_type_unknown", with_fields(type="refund")),
    "field unknown": ("field_unknown", with_fields(remark="7月电费", operator={"id": 4711, "roles": ["till"]})),
    "field missing": ("field_missing", with_fields(household=None)),
    "type missing": ("field_missing", with_fields(type=None)),
    "null": ("field_type_wrong", edited(b'"3301234567890"', b"null")),
    "amount as text": ("field_type_wrong", with_fields(amount_fen="12345")),
    "amount with a fraction": ("field_type_wrong", with_fields(amount_fen=123.45)),
    "household as a number": ("field_type_wrong", with_fields(household=3301234567890)),
    "channel unknown": ("channel_unknown", with_fields(channel="wechat_pay")),
    "channel unknown, not ASCII": ("channel_unknown", with_fields(channel="微信支付")),
    "channel of bills": ("channel_unknown", with_fields(channel="billing")),
    "date that does not exist": ("business_date_invalid", with_fields(business_date="2026-02-30")),
    "date in another form": ("business_date_invalid", with_fields(business_date="23.07.2026")),
    "serial of another form": ("serial_malformed", with_fields(serial="AL-2026/000012345")),
    "household of 12 digits": ("household_not_13_digits", with_fields(household="330123456789")),
    "amount zero": ("amount_not_positive", with_fields(amount_fen=0)),
    "amount negative": ("amount_not_positive", with_fields(amount_fen=-12345)),
    "amount beyond 64 bits": ("amount_too_great", with_fields(amount_fen=10**20)),
    "outlet malformed": ("outlet_malformed", with_fields(outlet="0571-4711")),
    "terminal unknown": ("terminal_unknown", with_fields(terminal="手机")),
    "leg without code": ("field_missing", leg_of(code=None)),
    "leg with an unknown field": ("field_unknown", leg_of(remark="x")),
    "leg with an amount as text": ("field_type_wrong", leg_of(amount_fen="12345")),
    "leg with a malformed account": ("account_malformed", leg_of(debit="6222020001")),
    "leg with an amount below zero": ("leg_field_malformed", leg_of(amount_fen=-1)),
    "leg with an unknown flag": ("reserved_flag", leg_of(flags=["golden"])),
    "hold of an unknown channel": (
        "leg_field_malformed",
        of(POST, pending={"channel": "wechat_pay", "business_date": "2026-07-23", "serial": "1"}),
    ),
    "packed, too long": ("packed_malformed", lambda serial: packed_payment(serial) + b"\0"),
    "MessagePack cut short": ("msgpack_malformed", lambda serial: msgpack()(serial)[:-5]),
    "MessagePack, amount as text": ("field_type_wrong", msgpack(amount_fen="12345")),
    "MessagePack, amount with a fraction": ("field_type_wrong", msgpack(amount_fen=123.45)),
    "MessagePack, amount negative": ("amount_not_positive", msgpack(amount_fen=-12345)),
    "MessagePack, field unknown": ("field_unknown", msgpack(remark="7月电费")),
    "right, in another order": ("applied", lambda serial: json.dumps(dict(reversed(payment(serial).items()))).encode()),
    "right, indented": ("applied", lambda serial: json.dumps(payment(serial), indent=2).encode()),
    "right, an amount of 19 digits": ("applied", with_fields(amount_fen=2 * 10**18)),
    "right, with escapes": ("applied", edited(b'"alipay"', b'"\\u0061lipay"')),
    "right, MessagePack map 16": ("applied", map16),
    "right, MessagePack array 16": ("applied", array16),
    "right adjustment": ("applied", of(ADJUST)),
    "right adjustment, its reason escaped": ("applied", of(ADJUST, escaped=True, reason="电费")),
    "right adjustment, packed": ("applied", packed_adjustment),
}


def wrong_events(kind: str, count: int) -> list[bytes]:
    """Return values of a kind, each with a serial of its own."""
    make = KINDS[kind][1]
    return [make(serial) for serial in range(1, count + 1)]


def outcome_of(kind: str) -> OutcomeCode:
    """Return what the event of that kind deserves, whatever the ledger holds."""
    return OutcomeCode[KINDS[kind][0]]
