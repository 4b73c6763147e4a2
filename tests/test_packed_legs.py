"""Ledger events in their three encodings, and the refusals that are theirs."""

import json
from datetime import date

import msgspec
import pytest
from hypothesis import given

from ledger._core import build_batch
from ledger.channels import BUILT_IN_CHANNELS
from ledger.engine import Engine
from ledger.errors import EventInvalid
from ledger.events import (
    Close,
    HoldName,
    Leg,
    Post,
    Refusal,
    Transfer,
    decode_event,
    decode_to_packed,
    encode_json,
    encode_packed,
)
from ledger.layouts import PACKED_EVENT, PACKED_LEG, EventType
from ledger.nested_values import MAX_EVENT_BYTES
from ledger.outcomes import OutcomeCode
from ledger.packed_legs import LegFlags
from tests import ledger_events as make
from tests.decoders import core_agrees_with_plain_python
from tests.event_samples import ENCODERS, ledger_events
from tests.ledger_events import Named
from tests.refusals import WORLD
from tests.shadow import frame_outcomes, journal_frames

TODAY = date(2026, 7, 23)
HOLD = HoldName("ledger", TODAY, "h1", leg=1)
LEG = Leg(debit="ledger:065", credit="ledger:066", amount_fen=5, code=7, flags=("pending",), timeout_s=60, user_data=9)
TRANSFER = Transfer("ledger", TODAY, "t1", legs=(LEG, Leg(code=0, book=0, flags=("post_pending",), pending=HOLD)))
POST = Post("ledger", TODAY, "p1", pending=HOLD)
GREATEST = 2**128 - 1


@given(ledger_events())
def test_all_encodings_decode_to_the_same_ledger_event(event):
    packed = encode_packed(event)
    for encode in ENCODERS:
        value = encode(event)
        assert decode_event(value) == event
        assert decode_to_packed(value, BUILT_IN_CHANNELS) == (OutcomeCode.applied, packed)
        assert core_agrees_with_plain_python(value) is OutcomeCode.applied
    assert msgspec.json.decode(encode_json(event), type=type(event)) == event


def test_legs_lie_in_the_stored_layout():
    packed = encode_packed(TRANSFER)
    assert PACKED_EVENT.unpack(packed)["detail"] == 2
    assert list(PACKED_LEG.unpack_all(packed[64:])) == [
        PACKED_LEG.unpack(make.leg(amount_fen=5, flags=1, timeout_s=60, user_data=9)),
        PACKED_LEG.unpack(make.settling(Named("h1", leg=1), make.IN_FULL, 2)),
    ]
    assert encode_packed(POST) == make.post("p1", Named("h1", leg=1))


def json_with(event, **changed):
    return json.dumps(json.loads(encode_json(event)) | changed).encode()


def leg_with(*, at=0, **changed):
    """The JSON of a transfer with fields of one leg changed; ``...`` leaves a field out."""
    fields = json.loads(encode_json(TRANSFER))
    leg = fields["legs"][at] | changed
    fields["legs"][at] = {name: value for name, value in leg.items() if value is not ...}
    return json.dumps(fields).encode()


def hold_with(**changed):
    return leg_with(at=1, pending=json.loads(encode_json(POST))["pending"] | changed)


PACKED = make.transfer("t", make.leg())
UNKNOWN_CHANNEL = Named("h1", channel=15)
CHECKS = [
    (PACKED[:-1], "packed_malformed"),
    (PACKED + bytes(80), "packed_malformed"),
    (make.transfer("t", *[make.leg()] * 255), "packed_malformed"),
    (PACKED[:24] + b"\1" + PACKED[25:], "packed_malformed"),
    (PACKED[:32] + b"\1" + PACKED[33:], "packed_malformed"),
    (PACKED[:48] + b"\1" + PACKED[49:], "packed_malformed"),
    (leg_with(debit=[[1]]), "json_malformed"),
    (leg_with(flags={"pending": {}}), "json_malformed"),
    (encode_json(TRANSFER).replace(b"[{", b"[,{"), "json_malformed"),
    (encode_json(TRANSFER).replace(b"}]", b"},]"), "json_malformed"),
    (encode_json(TRANSFER) + b" " * MAX_EVENT_BYTES, "json_malformed"),
    (encode_json(TRANSFER).replace(b'"leg":1', b'"leg":1,"leg":1'), "field_duplicated"),
    (encode_json(TRANSFER).replace(b'"code":7', b'"code":7,"c\\u006fde":7'), "field_duplicated"),
    (b"\x01\xff" + PACKED[2:], "event_type_unknown"),
    (json_with(TRANSFER, household="3301234567890"), "field_unknown"),
    (leg_with(account="ledger:1"), "field_unknown"),
    (hold_with(outlet=None), "field_unknown"),
    (b'{"type":"transfer","channel":"ledger","business_date":"2026-07-23","serial":"t"}', "field_missing"),
    (leg_with(code=...), "field_missing"),
    (leg_with(amount_fen=...), "field_missing"),
    (leg_with(amount_fen=None, flags=["void_pending"]), "field_missing"),
    (leg_with(at=1, pending={"channel": "ledger", "business_date": "2026-07-23"}), "field_missing"),
    (json_with(TRANSFER, legs={}), "field_type_wrong"),
    (json_with(TRANSFER, legs=[None]), "field_type_wrong"),
    (leg_with(debit=1), "field_type_wrong"),
    (leg_with(amount_fen=5.0), "field_type_wrong"),
    (leg_with(amount_fen=True), "field_type_wrong"),
    (leg_with(flags="pending"), "field_type_wrong"),
    (leg_with(flags=[1]), "field_type_wrong"),
    (hold_with(leg="1"), "field_type_wrong"),
    (json_with(TRANSFER, channel="alipay"), "channel_unknown"),
    (json_with(TRANSFER, business_date="2026-02-30"), "business_date_invalid"),
    (make.clock("c")[:6] + bytes(2) + make.clock("c")[8:], "value_date_invalid"),
    (json_with(POST, serial="p 1"), "serial_malformed"),
    (leg_with(debit="ledger:"), "account_malformed"),
    (leg_with(credit="bank:1"), "account_malformed"),
    (leg_with(credit="ledger:" + "1" * 34), "account_malformed"),
    (json_with(Close("ledger", TODAY, "c1", account="ledger:1"), account="3301234567890"), "account_malformed"),
    (make.transfer("t", make.leg(1)), "account_malformed"),
    (make.transfer("t", make.leg(12 << 120 | 1 << 112)), "account_malformed"),
    (make.transfer("t", make.leg("A", 4 << 120 | 3 << 112 | 1000)), "account_malformed"),
    (json_with(TRANSFER, legs=[]), "leg_count_wrong"),
    (json_with(TRANSFER, legs=json.loads(encode_json(TRANSFER))["legs"] * 128), "leg_count_wrong"),
    (make.transfer("t"), "leg_count_wrong"),
    (make.event(EventType.clock, "c", make.leg()), "leg_count_wrong"),
    (make.event(EventType.freeze, "f", make.leg("A", "", book=0, code=0), make.leg("A", "", book=0, code=0)), "leg_count_wrong"),
    (leg_with(amount_fen=-1), "leg_field_malformed"),
    (leg_with(amount_fen=2**64), "leg_field_malformed"),
    (leg_with(user_data=2**64), "leg_field_malformed"),
    (leg_with(timeout_s=2**32), "leg_field_malformed"),
    (leg_with(book=2**16), "leg_field_malformed"),
    (leg_with(code=-1), "leg_field_malformed"),
    (hold_with(channel="telegraph"), "leg_field_malformed"),
    (hold_with(channel="telegraph", business_date="", serial="", leg=0), "leg_field_malformed"),
    (hold_with(business_date="2026-02-30"), "leg_field_malformed"),
    (hold_with(serial="h 1"), "leg_field_malformed"),
    (hold_with(leg=256), "leg_field_malformed"),
    (make.transfer("t", make.leg(reserved=1)), "leg_field_malformed"),
    (make.transfer("t", make.leg(pending_leg=1)), "leg_field_malformed"),
    (make.post("p", UNKNOWN_CHANNEL), "leg_field_malformed"),
    (make.post("p", Named("h1", business_date=0)), "leg_field_malformed"),
    (make.post("p", Named("h\t1")), "leg_field_malformed"),
    (make.post("p", None, timeout_s=1), "leg_field_malformed"),
    (make.event(EventType.post, "p", make.settling(None, 0, 0)), "leg_field_malformed"),
    (make.reverse("r", Named("o1", leg=1)), "leg_field_malformed"),
    (make.event(EventType.reverse, "r", make.leg("", "", book=0, code=0)), "leg_field_malformed"),
    (make.event(EventType.close, "c", make.leg("A", "", book=0)), "leg_field_malformed"),
    (leg_with(flags=["pending", "urgent"]), "reserved_flag"),
    (make.transfer("t", make.leg(flags=0x80)), "reserved_flag"),
    (make.event(EventType.post, "p", make.settling(Named("h1"), 1, 0x82)), "reserved_flag"),
    (make.event(EventType.void, "v", make.settling(Named("h1"), 1, 0x84)), "reserved_flag"),
    (make.open_account("o", "A", flags=8), "reserved_flag"),
    (make.event(EventType.close, "c", make.leg("A", "", book=0, code=0, flags=1)), "reserved_flag"),
]


@pytest.mark.parametrize(("value", "code"), CHECKS, ids=[f"{code} {number}" for number, (_, code) in enumerate(CHECKS)])
def test_a_ledger_event_is_refused_for_what_is_wrong_with_it(value, code):
    assert core_agrees_with_plain_python(value) is OutcomeCode[code]


def test_the_table_is_in_the_order_of_precedence():
    tested = [OutcomeCode[code] for _, code in CHECKS]
    assert tested == sorted(tested)


def outcomes_of(directory, values):
    """Return the entries and outcomes that an engine makes of values."""
    records = [(None, value, make.NOON_MS) for value in values]
    with Engine.open(directory, segment_bytes=1 << 20) as engine:
        engine.apply(build_batch(records, 0), len(records))
    frames = journal_frames(directory)
    return [(frame.entries, [outcome.record for outcome in frame_outcomes(frame)]) for frame in frames]


@pytest.mark.parametrize("encode", ENCODERS[:3], ids=["json", "map", "array"])
def test_the_engine_makes_the_same_of_every_encoding(encode, tmp_path):
    again = [encode(decode_event(value)) for value in WORLD]
    assert outcomes_of(tmp_path / "again", again) == outcomes_of(tmp_path / "packed", WORLD)


def test_of_two_faults_of_different_legs_the_first_in_the_order_is_named():
    legs = [make.leg(flags=0x80), make.leg(reserved=1), make.leg(1)]
    codes = ["reserved_flag", "leg_field_malformed", "account_malformed"]
    for count, code in enumerate(codes, 1):
        assert core_agrees_with_plain_python(make.transfer("t", *legs[:count])) is OutcomeCode[code]


def test_a_refusal_of_a_leg_keeps_what_is_known_of_the_key():
    serial = make.serial_bytes("t1")
    for value in (leg_with(flags=["urgent"]), make.transfer("t1", make.leg(flags=0x80))):
        assert decode_event(value) == Refusal(OutcomeCode.reserved_flag, 4, 101, make.TODAY, serial)


def test_what_may_be_left_out_may_be_null_and_is_its_default():
    legs = [{"code": 7, "amount_fen": 5, "debit": None, "book": None, "flags": None, "timeout_s": None, "pending": None}]
    assert decode_event(json_with(TRANSFER, legs=legs)) == Transfer("ledger", TODAY, "t1", legs=(Leg(code=7, amount_fen=5),))
    in_full = Leg(code=7, flags=("balancing_debit",))
    assert decode_event(json_with(TRANSFER, legs=[{"code": 7, "flags": ["balancing_debit"]}])).legs == (in_full,)
    assert in_full.amount_fen == make.IN_FULL


def test_the_greatest_account_can_be_packed_only():
    event = decode_event(make.close("c", GREATEST))
    assert event == Close("ledger", TODAY, "c", account="greatest")
    with pytest.raises(EventInvalid, match="code 41"):
        encode_packed(event)


def test_a_transfer_of_254_legs_with_all_their_fields_fits():
    leg = Leg(
        debit="household:" + "9" * 33,
        credit="household:" + "9" * 33,
        amount_fen=2**64 - 1,
        book=65535,
        code=65535,
        flags=tuple(LegFlags.__members__),
        timeout_s=2**32 - 1,
        user_data=2**64 - 1,
        pending=HoldName("self_service_kiosk", TODAY, "9" * 16, leg=255),
    )
    value = encode_json(Transfer("ledger", TODAY, "t1", legs=(leg,) * 254))
    assert 65_536 < len(value) < MAX_EVENT_BYTES
    assert core_agrees_with_plain_python(value) is OutcomeCode.applied
