"""The note of an adjustment: its bytes, and what it may not say."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.events import Adjust, Refusal, decode_event, encode_json, encode_packed
from ledger.layouts import PACKED_EVENT, PACKED_LEG
from ledger.notes import Note
from ledger.outcomes import OutcomeCode
from ledger.schema import EXAMPLES
from tests.decoders import core_agrees_with_plain_python

ADJUSTMENT = next(event for event in EXAMPLES if isinstance(event, Adjust))
LIMIT_FEN = 100_000  # of the profile of channel ledger
TWO = ("王敏", "李华")


def decoded(**fields):
    """Return what becomes of the example with other fields, as JSON."""
    names = {name: getattr(ADJUSTMENT, name) for name in ADJUSTMENT.__struct_fields__}
    value = encode_json(Adjust(**names | fields))
    core_agrees_with_plain_python(value)
    found = decode_event(value)
    return found.code.name if isinstance(found, Refusal) else found


@given(st.lists(st.text(max_size=40), max_size=5), st.text(max_size=80))
def test_a_note_comes_back_as_it_was_packed(persons, reason):
    note = Note(tuple(persons), reason)
    packed = note.pack()
    assert (Note.unpack(packed), Note.unpack(packed + bytes(80)), len(packed) % 80) == (note, note, 0)


@given(st.binary(max_size=400))
def test_any_bytes_are_a_note_or_a_value_error(data):
    with contextlib.suppress(ValueError):
        assert Note.unpack(data).pack().rstrip(b"\0") == data.rstrip(b"\0")


@pytest.mark.parametrize(
    ("persons", "refusal"),
    [
        ((), "allowance_malformed"),
        (("",), "allowance_malformed"),
        (("a" * 33,), "allowance_malformed"),
        (("王" * 11,), "allowance_malformed"),
        (("a" * 300,), "allowance_malformed"),
        (("Wang ",), "allowance_malformed"),
        (("Wang\u200b",), "allowance_malformed"),
        (("Wang", "Wang"), "allowance_malformed"),
        (("a", "b", "c", "d", "e"), "allowance_malformed"),
    ],
)
def test_persons_have_different_names_of_1_to_32_bytes(persons, refusal):
    assert decoded(allowed_by=persons) == refusal


@pytest.mark.parametrize("reason", ["", " ", "x\ny", "x" * 201, "王" * 67, "王" * 1000])
def test_a_reason_is_1_to_200_bytes_of_text(reason):
    assert decoded(reason=reason) == "reason_malformed"


def test_the_longest_note_is_decoded():
    event = decoded(allowed_by=("a" * 32, "b" * 32, "c" * 32, "d" * 32), reason="r" * 200)
    assert decode_event(encode_packed(event)) == event


def test_above_the_amount_of_the_profile_two_persons_are_needed():
    assert decoded(amount_fen=LIMIT_FEN).amount_fen == LIMIT_FEN
    assert decoded(amount_fen=LIMIT_FEN + 1) == "second_person_missing"
    assert decoded(amount_fen=LIMIT_FEN + 1, allowed_by=TWO).allowed_by == TWO


@pytest.mark.parametrize(
    ("amount_fen", "refusal"), [(0, "amount_not_positive"), (2**63, "amount_too_great"), (2**63 - 1, "second_person_missing")]
)
def test_the_amount_is_that_of_a_payment(amount_fen, refusal):
    assert decoded(amount_fen=amount_fen) == refusal


def test_what_is_wrong_is_found_in_the_order_of_the_codes():
    assert decoded(amount_fen=2**62, allowed_by=(), reason="", debit="who") == "account_malformed"
    assert decoded(amount_fen=2**62, allowed_by=(), reason="") == "allowance_malformed"
    assert decoded(amount_fen=2**62, reason="") == "reason_malformed"


@pytest.mark.parametrize("legs", [0, 1, 3])
def test_a_packed_note_fills_as_few_legs_as_it_needs(legs):
    packed = encode_packed(ADJUSTMENT)
    end = PACKED_EVENT.size + PACKED_LEG.size
    value = PACKED_EVENT.pack(**PACKED_EVENT.unpack(packed) | {"detail": legs})
    value += (packed[PACKED_EVENT.size : end] + packed[end:] + bytes(PACKED_LEG.size))[: legs * PACKED_LEG.size]
    assert decode_event(value).code is OutcomeCode.packed_malformed
