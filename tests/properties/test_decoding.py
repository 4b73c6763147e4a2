"""The core's decoders against the plain Python of ledger.events, on right, nearly right and random values."""

import json

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.events import encode_packed
from ledger.outcomes import OutcomeCode
from tests.decoders import DECODER, core_agrees_with_plain_python
from tests.event_samples import BILL, ENCODERS, PAYMENT, events, fields_of, ledger_events

NAMES = sorted(fields_of(PAYMENT).keys() | fields_of(BILL).keys() | {"reason", "Type", "amount", ""})
WORDS = ["", "payment", "bill", "refund", "alipay", "billing", "postal_station", "business_hall"]
SIGNS = ["é", "\x7f", '"', "\\", "{", "１２"]
DATES = ["2026-02-28", "2026-02-29", "2024-02-29", "2100-02-29", "1970-01-01", "2149-06-06", "2149-06-07", "2026-13-01"]
PERIODS = ["2026-1-01", "2026-00", "2026-12", "2026-13", "1969-12", "2149-12", "2150-01"]
HOUSEHOLDS = ["330123456789", "33012345678901", "330123456789x"]
SERIALS = [
    "T1\0",
    "0",
    "00",
    "7",
    "1" * 18,
    "1" * 19,
    "0" * 32,
    "0" * 33,
    "f" * 4,
    "T 1",
    "T1",
    "00000000-0000-0000-0000-000000000000",
]
UUIDS = ["6BA7B810-9dad-11d1-80b4-00c04fd430c8", "6ba7b8109dad11d180b400c04fd430c8", "6ba7b810-9dad-11d1-80b4-00c04fd430cg"]
OTHERS = [None, True, 0, -1, 1, 10**17, 10**18, 2**63 - 1, 2**63, 2**64, 1.0, 1e300]
VALUES = st.sampled_from([*WORDS, *SIGNS, *DATES, *PERIODS, *HOUSEHOLDS, *SERIALS, *UUIDS, *OTHERS]) | st.text(max_size=20)
SPACES = st.sampled_from(["", " ", "\n", "\t\r ", "\v", "\ufeff"])


@st.composite
def members(draw):
    """Names and values of an event, some of them changed, added, left out, doubled or moved."""
    listed = list(fields_of(draw(st.sampled_from([PAYMENT, BILL]) | events())).items())
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(listed)))
        listed[at : at + draw(st.integers(0, 1))] = draw(st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=1))
    return draw(st.permutations(listed)) if draw(st.booleans()) else listed


def json_text(listed, spaces, ascii_only):
    dumped = (spaces[0] + json.dumps(part, ensure_ascii=ascii_only) + spaces[1] for member in listed for part in member)
    pairs = [f"{name}:{value}" for name, value in zip(dumped, dumped, strict=True)]
    return spaces[2] + "{" + spaces[3] + ",".join(pairs) + "}" + spaces[4]


@given(members(), st.lists(SPACES, min_size=5, max_size=5) | st.just([""] * 5), st.booleans())
def test_json_objects_of_any_fields(listed, spaces, ascii_only):
    core_agrees_with_plain_python(json_text(listed, spaces, ascii_only).encode())


def msgpack_map(listed):
    parts = (msgspec.msgpack.encode(part) for member in listed for part in member)
    return bytes([0x80 | len(listed)]) + b"".join(parts)


@given(members(), st.booleans())
def test_msgpack_of_any_fields(listed, as_array):
    listed = [(name, min(value, 2**64 - 1) if type(value) is int else value) for name, value in listed]
    value = msgspec.msgpack.encode([value for _, value in listed]) if as_array else msgpack_map(listed)
    core_agrees_with_plain_python(value)


@given(events())
def test_right_events_are_applied(event):
    for encode in ENCODERS:
        assert core_agrees_with_plain_python(encode(event)) is OutcomeCode.applied


@given(events())
def test_right_events_need_no_slow_path(event):
    for encode in ENCODERS:
        assert DECODER.decode_fast(encode(event)) == (OutcomeCode.applied, encode_packed(event))


PLAIN = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters='"\\'), min_size=14, max_size=40)


@given(st.sampled_from([PAYMENT, BILL]), st.sampled_from(["channel", "business_date", "serial", "household"]), PLAIN)
def test_events_with_one_wrong_field_need_no_slow_path(event, name, text):
    fields = fields_of(event) | {name: text}
    for value in (json.dumps(fields).encode(), msgspec.msgpack.encode(fields)):
        assert DECODER.decode_fast(value)[0] == core_agrees_with_plain_python(value)


@st.composite
def damaged_values(draw):
    """An encoded event with a few bytes replaced, removed or put in, or cut short."""
    value = bytearray(draw(st.sampled_from(ENCODERS))(draw(st.sampled_from([PAYMENT, BILL]) | events() | ledger_events())))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(value)))
        value[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2) | st.sampled_from([b"\\u0061", b'"', b",", b" "]))
    return bytes(value[: draw(st.integers(0, len(value)) | st.just(len(value)))])


@given(damaged_values())
def test_damaged_values(value):
    core_agrees_with_plain_python(value)


@given(st.binary(max_size=80) | st.none())
@example(b"")
@example(b"{}")
@example(b'{"')
@example(b"\x01")
def test_random_bytes(value):
    core_agrees_with_plain_python(value)


@given(st.binary(min_size=63, max_size=63))
def test_random_packed_fields(rest):
    core_agrees_with_plain_python(b"\x01" + rest[:47] + bytes(16))
    core_agrees_with_plain_python(b"\x01" + rest)


@st.composite
def packed_events(draw):
    """A right packed event with some of its bytes replaced by telling ones."""
    value = bytearray(encode_packed(draw(events())))
    for _ in range(draw(st.integers(0, 3))):
        value[draw(st.integers(1, 47))] = draw(st.sampled_from([0, 1, 2, 0x0F, 0xA0, 0xFF, 0x7F, 0x80]))
    return bytes(value)


@given(packed_events())
def test_nearly_right_packed_events(value):
    core_agrees_with_plain_python(value)


@given(ledger_events())
def test_packed_ledger_events_need_no_slow_path(event):
    packed = encode_packed(event)
    assert DECODER.decode_fast(packed) == (OutcomeCode.applied, packed)


@st.composite
def packed_ledger_events(draw):
    """A right packed ledger event with some of its bytes replaced by telling ones, or a leg more, or one less."""
    value = bytearray(encode_packed(draw(ledger_events())))
    for _ in range(draw(st.integers(0, 3))):
        value[draw(st.integers(1, len(value) - 1))] = draw(st.sampled_from([0, 1, 2, 4, 11, 12, 33, 34, 0xFF, 0x7F, 0x80]))
    change = draw(st.integers(-1, 1)) if draw(st.booleans()) else 0
    value[40] = max(0, value[40] + change)
    return bytes(value[: 64 + 80 * value[40]] if change < 0 else value + value[64:144].ljust(80, b"\0") * change)


@given(packed_ledger_events())
def test_nearly_right_packed_ledger_events(value):
    core_agrees_with_plain_python(value)


@given(st.integers(0, 12), st.binary(min_size=14, max_size=14), st.lists(st.binary(min_size=80, max_size=80), max_size=3))
def test_random_packed_legs(event_type, head, legs):
    channel, counted = bytes([101, 0]), bytes(16) + len(legs).to_bytes(8, "little") + bytes(16)
    serial = b"T" + bytes(11) + head[4:8] if head[0] & 1 else b"T" + bytes(15)
    core_agrees_with_plain_python(bytes([1, event_type]) + channel + head[:4] + serial + counted + b"".join(legs))
