"""Nested events in JSON and MessagePack, right and wrong, written in many ways: the core by itself against plain Python."""

import json
from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.event_shapes import LEG_SHAPE, SHAPES
from ledger.events import Clock, Leg, Transfer, encode_json, encode_msgpack, encode_packed
from ledger.outcomes import OutcomeCode
from ledger.packed_legs import MAX_LEGS
from ledger.schema import EXAMPLES
from tests.decoders import DECODE_SLOW, DECODER, core_agrees_with_plain_python
from tests.event_samples import PAYMENT, adjustments, funds_events, ledger_events
from tests.wrong_events import KINDS, outcome_of, wrong_events

EVENTS = ledger_events() | funds_events() | adjustments()
NAMES = sorted({name for shape in (*SHAPES.values(), LEG_SHAPE) for name in shape.fields} | {"leg", "Type", "", "x" * 40})
WORDS = [
    "transfer",
    "clock",
    "payment",
    "refund",
    "ledger",
    "alipay",
    "postal_station",
    "pending",
    "closed",
    "frozen",
    "é",
    '"',
    "",
]
ACCOUNTS = [
    "agency:1",
    "agency:",
    ":1",
    "1",
    "agency:1:2",
    "agent:1",
    "card:" + "9" * 33,
    "card:" + "9" * 34,
    "till:0x1",
    "till: 1",
]
TEXTS = [
    "T1\0",
    "\U0001f600",
    "x" * 33,
    "王" * 11,
    "x" * 201,
    " x",
    "x\u200b",
    "2026-07-23",
    "2026-02-29",
    "P-1",
    "P 1",
    "1" * 17,
    "7",
    "0",
    "3301234567890",
    "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
]
NUMBERS = [
    0,
    1,
    255,
    256,
    65535,
    65536,
    2**32 - 1,
    2**32,
    2**63 - 1,
    2**63,
    2**64 - 1,
    2**64,
    10**20,
    10**30,
    -1,
    -(10**20),
    1.0,
    1e300,
    True,
    None,
]
NAME = {"channel": "ledger", "business_date": "2026-07-23", "serial": "T-1"}
NESTED = [[], {}, ["pending"], ["closed", "closed"], ["post_pending", 1], [[]], [{}], NAME, NAME | {"leg": 255}, [{"code": 1}]]
NESTED += [
    ["Wang", "Li"],
    ["Wang", "Wang"],
    {"a": {"b": {}}},
    {"a": {"b": {"c": {}}}},
    [[[1]]],
    [[[[1]]]],
    [["", None, 1.5, False]],
]
VALUES = st.sampled_from([*WORDS, *ACCOUNTS, *TEXTS, *NUMBERS, *NESTED])
SPACES = st.sampled_from(["", " ", "\n", "\t\r ", "\v"])


@dataclass
class Members:
    """An object whose names may stand twice."""

    pairs: list[tuple[str, object]]


def with_members(value):
    if isinstance(value, dict):
        return Members([(name, with_members(each)) for name, each in value.items()])
    return [with_members(each) for each in value] if isinstance(value, list) else value


def objects_in(value):
    """Return the object, and all that stand in it."""
    inner = [each for _, each in value.pairs] if isinstance(value, Members) else value if isinstance(value, list) else []
    return [value] * isinstance(value, Members) + [found for each in inner for found in objects_in(each)]


@st.composite
def changed_events(draw):
    """An event; in it or in its legs and names some fields are changed, added, left out, doubled or moved."""
    event = with_members(json.loads(encode_json(draw(EVENTS))))
    for _ in range(draw(st.integers(0, 2))):
        pairs = draw(st.sampled_from(objects_in(event))).pairs
        at = draw(st.integers(0, len(pairs)))
        name = st.sampled_from([*NAMES, *(name for name, _ in pairs)])
        pairs[at : at + draw(st.integers(0, 1))] = draw(st.lists(st.tuples(name, VALUES.map(with_members)), max_size=1))
    if draw(st.booleans()):
        moved = draw(st.sampled_from(objects_in(event)))
        moved.pairs = draw(st.permutations(moved.pairs))
    return event


def json_string(text, escaped):
    if not escaped:
        return json.dumps(text, ensure_ascii=False)
    units = text.encode("utf-16-be").hex()
    return '"' + "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4)) + '"'


def as_json(value, space, escaped=False):
    """Write a value with space around all its parts, and each character of its texts as it is or as an escape."""
    if isinstance(value, Members):
        members = (f"{as_json(name, space, escaped)}:{as_json(each, space, escaped)}" for name, each in value.pairs)
        return f"{space}{{{space}{','.join(members)}}}{space}"
    if isinstance(value, list):
        return f"{space}[{','.join(as_json(each, space, escaped) for each in value)}{space}]{space}"
    return space + (json_string(value, escaped) if isinstance(value, str) else json.dumps(value)) + space


def msgpack_head(count, width, short, wide):
    return bytes([short | count]) if width == 0 else bytes([wide + (width == 4)]) + count.to_bytes(width, "big")


def as_msgpack(value, width=0):
    """Write a value with lengths in so many bytes, 0, 2 or 4; 0 as short as can be."""
    if isinstance(value, Members):
        parts = b"".join(as_msgpack(part, width) for pair in value.pairs for part in pair)
        return msgpack_head(len(value.pairs), width, 0x80, 0xDE) + parts
    if isinstance(value, list):
        return msgpack_head(len(value), width, 0x90, 0xDC) + b"".join(as_msgpack(each, width) for each in value)
    if isinstance(value, str) and width:
        return msgpack_head(len(value.encode()), width, 0, 0xDA) + value.encode()
    if type(value) is int:
        value = max(-(2**63), min(value, 2**64 - 1))
        if width:
            return b"\xcf" + value.to_bytes(8, "big") if value >= 2**63 else b"\xd3" + value.to_bytes(8, "big", signed=True)
    return msgspec.msgpack.encode(value)


WIDTHS = st.sampled_from([0, 2, 4])


def core_alone_agrees_with_plain_python(value):
    core_agrees_with_plain_python(value)
    assert DECODER.decode_fast(value)[0] != DECODE_SLOW


@given(changed_events(), SPACES, WIDTHS)
def test_nearly_right_events_need_no_slow_path(event, space, width):
    core_alone_agrees_with_plain_python(as_json(event, space).encode())
    core_alone_agrees_with_plain_python(as_msgpack(event, width))
    core_alone_agrees_with_plain_python(as_msgpack([value for _, value in event.pairs], width))


@given(changed_events(), SPACES)
def test_nearly_right_events_in_escapes(event, space):
    core_agrees_with_plain_python(as_json(event, space, escaped=True).encode())


@pytest.mark.parametrize("kind", KINDS)
def test_the_usual_kinds_of_wrong_events_need_no_slow_path(kind):
    for value in wrong_events(kind, 3):
        assert DECODER.decode_fast(value)[0] == core_agrees_with_plain_python(value) == outcome_of(kind)


@pytest.mark.parametrize("unknown", [{f"x{number}": {"x": number} for number in range(65)}, {"x" * 1025: 1}, {"x": "x" * 1025}])
def test_more_than_the_core_has_room_for_is_refused_all_the_same(unknown):
    value = as_json(with_members(json.loads(encode_json(PAYMENT)) | unknown), "", escaped=True).encode()
    assert core_agrees_with_plain_python(value) is OutcomeCode.field_unknown
    assert core_agrees_with_plain_python(value.replace(b"1}", b"}")) is not OutcomeCode.applied


@given(EVENTS)
def test_right_events_need_no_slow_path(event):
    right = (OutcomeCode.applied, encode_packed(event))
    assert DECODER.decode_fast(encode_msgpack(event)) == right
    assert DECODER.decode_fast(encode_msgpack(event, as_array=True)) == right
    assert DECODER.decode_fast(encode_json(event)) == DECODER.decode_fast(encode_packed(event)) == right


@given(EVENTS, st.randoms(use_true_random=False), SPACES.filter(lambda space: space != "\v"))
def test_members_in_any_order_with_space_around_them_need_no_slow_path(event, random, space):
    shuffled = with_members(json.loads(encode_json(event)))
    for each in objects_in(shuffled):
        random.shuffle(each.pairs)
    value = as_json(shuffled, space).encode()
    assert DECODER.decode_fast(value) == (OutcomeCode.applied, encode_packed(event))


@given(adjustments(), st.data())
def test_packed_adjustments_with_bytes_replaced_or_cut(event, data):
    value = bytearray(encode_packed(event))
    for _ in range(data.draw(st.integers(0, 2))):
        value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.sampled_from([0, 1, 5, 0x20, 0x7F, 0xFF]))
    core_agrees_with_plain_python(bytes(value[: data.draw(st.integers(1, len(value)) | st.just(len(value)))]))


SPLINTERS = [
    b"\\n",
    b"]",
    b"}",
    b",",
    b"-",
    b".5",
    b"e5",
    b"\\ud83d",
    b"\\udE00",
    b"\xed\xa0\x80",
    b"\xc0\x80",
    b"\xde\x00",
    b"\xdd\x00\x00",
]


@given(changed_events(), st.data())
def test_nested_values_with_bytes_replaced_or_cut(event, data):
    value = bytearray(as_json(event, "").encode() if data.draw(st.booleans()) else as_msgpack(event))
    for _ in range(data.draw(st.integers(0, 2))):
        at = data.draw(st.integers(0, len(value)))
        value[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2) | st.sampled_from(SPLINTERS))
    core_agrees_with_plain_python(bytes(value[: data.draw(st.integers(1, len(value)))]))


LEG = Leg(debit="agency:1", credit="agency:2", amount_fen=1, code=1)


@pytest.mark.parametrize("encode", [encode_json, encode_msgpack])
@pytest.mark.parametrize("count", [1, 15, 16, MAX_LEGS])
def test_as_many_legs_as_an_event_may_have_need_no_slow_path(encode, count):
    event = Transfer("ledger", PAYMENT.business_date, "T-1", legs=(LEG,) * count)
    assert DECODER.decode_fast(encode(event)) == (OutcomeCode.applied, encode_packed(event))


@pytest.mark.parametrize("encode", [encode_json, encode_msgpack])
@pytest.mark.parametrize("count", [0, MAX_LEGS + 1])
def test_a_leg_too_few_or_too_many_is_refused(encode, count):
    value = encode(Transfer("ledger", PAYMENT.business_date, "T-1", legs=(LEG,) * count))
    assert core_agrees_with_plain_python(value) is OutcomeCode.leg_count_wrong


@pytest.mark.parametrize(("channel", "refusal"), [("alipay", "channel_unknown"), ("ledger", "applied")])
def test_what_a_channel_may_not_publish_is_refused_without_the_slow_path(channel, refusal):
    event = Clock(channel, PAYMENT.business_date, "1")
    for value in (encode_json(event), encode_msgpack(event), encode_msgpack(event, as_array=True)):
        assert DECODER.decode_fast(value)[0] == core_agrees_with_plain_python(value) == OutcomeCode[refusal]


@pytest.mark.parametrize("number", [2**64 - 1, 2**64, 10**19 * 3, 10**20, 10**30, -1, -(10**30), -(2**64)])
def test_numbers_about_the_end_of_64_bits(number):
    value = encode_json(EXAMPLES[4]).replace(b'"amount_fen":500', b'"amount_fen":%d' % number)
    refusal = OutcomeCode.applied if 0 <= number < 2**64 else OutcomeCode.leg_field_malformed
    assert DECODER.decode_fast(value)[0] == core_agrees_with_plain_python(value) == refusal
