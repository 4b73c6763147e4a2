"""The event schema, its three encodings, and the refusals in their order."""

import json
import signal
import struct

import msgspec
import pytest
from hypothesis import given

from ledger import _core
from ledger.channels import BUILT_IN_CHANNELS
from ledger.errors import EventInvalid
from ledger.events import (
    Bill,
    Payment,
    Refusal,
    check_event,
    decode_event,
    decode_to_packed,
    encode_json,
    encode_msgpack,
    encode_packed,
)
from ledger.outcomes import OutcomeCode
from tests.decoders import DECODER, core_agrees_with_plain_python
from tests.event_samples import BILL, PAYMENT, events, fields_of

PACKED_PAYMENT = bytes.fromhex(
    "01 02 0d00 b150 b150 20260723000012345678ffffffffffff d2eae9a000030000 3930000000000000 6712000000000000" + "00" * 16
)
PACKED_BILL = bytes.fromhex(
    "01 01 6400 9b50 9b50 202607000000000001ffffffffffffff d2bafa2246000000 204e000000000000 6e170300b9500000" + "00" * 16
)


def json_with(event=PAYMENT, **changed):
    """The JSON of an event with some fields changed; ``...`` leaves a field out."""
    fields = fields_of(event) | changed
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


def packed_with(event=PAYMENT, **changed):
    names = ("version", "event_type", "channel", "business_date", "value_date", "serial", "household", "amount_fen", "detail")
    layout = struct.Struct("<BBHHH16sQqQ16s")
    fields = dict(zip((*names, "reserved"), layout.unpack(encode_packed(event)), strict=True)) | changed
    return layout.pack(*fields.values())


def code_of(value):
    decoded = decode_event(value)
    return decoded.code if isinstance(decoded, Refusal) else OutcomeCode.applied


def test_packed_bytes_are_golden():
    assert encode_packed(PAYMENT) == PACKED_PAYMENT
    assert encode_packed(BILL) == PACKED_BILL


def test_json_and_msgpack_are_golden():
    assert encode_json(PAYMENT) == (
        b'{"type":"payment","channel":"alipay","business_date":"2026-07-23","serial":"20260723000012345678",'
        b'"household":"3301234567890","amount_fen":12345,"value_date":"2026-07-23","outlet":"4711"}'
    )
    assert msgspec.msgpack.decode(encode_msgpack(BILL, as_array=True)) == [
        "bill", "billing", "2026-07-01", "202607000000000001", "0301234567890", 20000, "2026-07-01", "2026-06", "2026-07-31",
    ]  # fmt: skip


@given(events())
def test_all_encodings_decode_to_the_same_event(event):
    packed = encode_packed(event)
    for value in (encode_json(event), encode_msgpack(event), encode_msgpack(event, as_array=True), packed):
        assert decode_event(value) == event
        assert decode_to_packed(value, BUILT_IN_CHANNELS) == (OutcomeCode.applied, packed)
    assert msgspec.json.decode(encode_json(event), type=Payment | Bill) == event
    assert check_event(event) is OutcomeCode.applied


def test_an_event_that_any_ledger_would_refuse_is_not_packed():
    with pytest.raises(EventInvalid, match="code 34"):
        encode_packed(msgspec.structs.replace(PAYMENT, serial="0x1"))


def msgpack_with(**changed):
    fields = {name: value for name, value in (fields_of(PAYMENT) | changed).items() if value is not ...}
    return msgspec.msgpack.encode(fields)


DOUBLED = b'{"type":"payment","type":"payment"}'
CHECKS = [
    (None, "value_missing"),
    (b"", "value_missing"),
    (b" \n", "encoding_unknown"),
    (b"payment", "encoding_unknown"),
    (b"[1]", "encoding_unknown"),
    (b"\xef\xbb\xbf" + encode_json(PAYMENT), "encoding_unknown"),
    (b"\xc0", "encoding_unknown"),
    (b"\x02" + PACKED_PAYMENT[1:], "encoding_unknown"),
    (PACKED_PAYMENT[:63], "packed_malformed"),
    (PACKED_PAYMENT + b"\0", "packed_malformed"),
    (packed_with(reserved=bytes(15) + b"\1"), "packed_malformed"),
    (b"{", "json_malformed"),
    (encode_json(PAYMENT) + b"0", "json_malformed"),
    (encode_json(PAYMENT)[:-1] + b",}", "json_malformed"),
    (encode_json(PAYMENT).replace(b"12345,", b"012345,"), "json_malformed"),
    (encode_json(PAYMENT).replace(b"12345,", b"NaN,"), "json_malformed"),
    (encode_json(PAYMENT).replace(b"12345,", b"Infinity,"), "json_malformed"),
    (encode_json(PAYMENT).replace(b"alipay", b"ali\xffpay"), "json_malformed"),
    (encode_json(PAYMENT).replace(b"alipay", b"\\ud800"), "json_malformed"),
    (encode_json(PAYMENT).replace(b"alipay", b"\xed\xa0\x80"), "json_malformed"),
    (encode_json(PAYMENT).replace(b"alipay", b"ali\npay"), "json_malformed"),
    (json_with(outlet=[[[[1]]]]), "json_malformed"),
    (json_with(outlet={"a": {"a": {"a": {}}}}), "json_malformed"),
    (b'{"type":' * 1_250_000, "json_malformed"),
    (b'{"type":' + b"[" * 10_000_000, "json_malformed"),
    (encode_json(PAYMENT) + b" " * 262_144, "json_malformed"),
    (b"\x81", "msgpack_malformed"),
    (encode_msgpack(PAYMENT) + b"\xc0", "msgpack_malformed"),
    (b"\xdf\xff\xff\xff\xff" + b"\xc0" * 100, "msgpack_malformed"),
    (b"\x81\x01\x01", "msgpack_malformed"),
    (b"\x91\xa1\xff", "msgpack_malformed"),
    (b"\x91\xc1", "msgpack_malformed"),
    (b"\x91" * 10_000_000, "msgpack_malformed"),
    (msgpack_with(outlet=[[[[1]]]]), "msgpack_malformed"),
    (DOUBLED, "field_duplicated"),
    (DOUBLED.replace(b'"type"', b'"t\\u0079pe"', 1), "field_duplicated"),
    (b"\x82\xa4type\xa4bill\xd9\x04type\xa4bill", "field_duplicated"),
    (json_with(type="refund"), "event_type_unknown"),
    (msgspec.msgpack.encode(["refund", 1]), "event_type_unknown"),
    (packed_with(event_type=0), "event_type_unknown"),
    (json_with(reason="none"), "field_unknown"),
    (json_with(period="2026-06"), "field_unknown"),
    (json_with(BILL, outlet=None), "field_unknown"),
    (msgspec.msgpack.encode([*fields_of(PAYMENT).values(), None, None, None]), "field_unknown"),
    (b"{}", "field_missing"),
    (b"\x90", "field_missing"),
    (json_with(type=...), "field_missing"),
    (json_with(serial=...), "field_missing"),
    (json_with(BILL, due_date=...), "field_missing"),
    (msgspec.msgpack.encode(list(fields_of(BILL).values())[:-1]), "field_missing"),
    (json_with(type=1), "field_type_wrong"),
    (json_with(channel=None), "field_type_wrong"),
    (json_with(serial=20260723), "field_type_wrong"),
    (json_with(amount_fen=1.0), "field_type_wrong"),
    (encode_json(PAYMENT).replace(b"12345,", b"1e5,"), "field_type_wrong"),
    (json_with(outlet={"number": 1}), "field_type_wrong"),
    (json_with(outlet=[[[1]]]), "field_type_wrong"),
    (json_with(type=["payment"]), "field_type_wrong"),
    (msgpack_with(outlet={"number": 1}), "field_type_wrong"),
    (json_with(amount_fen="12345"), "field_type_wrong"),
    (json_with(amount_fen=True), "field_type_wrong"),
    (msgpack_with(amount_fen=1.0), "field_type_wrong"),
    (msgpack_with(outlet=b"1"), "field_type_wrong"),
    (msgpack_with(outlet=msgspec.msgpack.Ext(1, b"1")), "field_type_wrong"),
    (json_with(channel="telegraph"), "channel_unknown"),
    (json_with(channel="billing"), "channel_unknown"),
    (json_with(BILL, channel="alipay"), "channel_unknown"),
    (packed_with(channel=15), "channel_unknown"),
    (packed_with(channel=0x0D00), "channel_unknown"),
    (json_with(business_date="2026-02-30"), "business_date_invalid"),
    (json_with(business_date="2026-7-23"), "business_date_invalid"),
    (json_with(business_date="1970-01-01"), "business_date_invalid"),
    (json_with(business_date="2149-06-07"), "business_date_invalid"),
    (packed_with(business_date=0), "business_date_invalid"),
    (json_with(value_date="2100-02-29"), "value_date_invalid"),
    (packed_with(value_date=0), "value_date_invalid"),
    (json_with(serial=""), "serial_malformed"),
    (json_with(serial="1" * 33), "serial_malformed"),
    (json_with(serial="0" * 32), "serial_malformed"),
    (json_with(serial="12a"), "serial_malformed"),
    (json_with(serial="１２"), "serial_malformed"),
    (json_with(channel="postal_station", serial="6ba7b8109dad11d180b400c04fd430c8"), "serial_malformed"),
    (json_with(channel="business_hall", serial="T 1"), "serial_malformed"),
    (json_with(channel="business_hall", serial="T" * 17), "serial_malformed"),
    (packed_with(serial=b"\xff" * 16), "serial_malformed"),
    (packed_with(serial=b"\x12\xf3" + b"\xff" * 14), "serial_malformed"),
    (packed_with(serial=b"\x1a" + b"\xff" * 15), "serial_malformed"),
    (packed_with(channel=5, serial=b"T\0T" + bytes(13)), "serial_malformed"),
    (json_with(household="330123456789"), "household_not_13_digits"),
    (json_with(household="33012345678901"), "household_not_13_digits"),
    (json_with(household="330123456789x"), "household_not_13_digits"),
    (packed_with(household=10**13), "household_not_13_digits"),
    (json_with(amount_fen=0), "amount_not_positive"),
    (encode_json(PAYMENT).replace(b"12345,", b"-0,"), "amount_not_positive"),
    (json_with(amount_fen=-(10**400)), "amount_not_positive"),
    (packed_with(amount_fen=-(2**63)), "amount_not_positive"),
    (json_with(amount_fen=2**63), "amount_too_great"),
    (encode_json(PAYMENT).replace(b"12345,", b"9" * 60_000 + b","), "amount_too_great"),
    (json_with(outlet=""), "outlet_malformed"),
    (json_with(outlet="000"), "outlet_malformed"),
    (json_with(outlet="1" * 19), "outlet_malformed"),
    (packed_with(detail=10**18), "outlet_malformed"),
    (json_with(BILL, period="2026-13"), "period_invalid"),
    (json_with(BILL, period="1969-12"), "period_invalid"),
    (packed_with(BILL, detail=20665 << 32 | 202600), "period_invalid"),
    (json_with(BILL, due_date="2026-06-31"), "due_date_invalid"),
    (packed_with(BILL, detail=202606), "due_date_invalid"),
    (packed_with(BILL, detail=65536 << 32 | 202606), "due_date_invalid"),
]


@pytest.mark.parametrize(("value", "code"), CHECKS, ids=[f"{code} {number}" for number, (_, code) in enumerate(CHECKS)])
def test_a_value_is_refused_for_what_is_wrong_with_it(value, code):
    assert code_of(value) is OutcomeCode[code]
    assert core_agrees_with_plain_python(value) is OutcomeCode[code]


def test_the_table_has_every_code_in_its_order():
    tested = [OutcomeCode[code] for _, code in CHECKS]
    assert tested == sorted(tested)
    assert set(tested) == {code for code in OutcomeCode if OutcomeCode.value_missing <= code <= OutcomeCode.due_date_invalid}


def test_of_two_faults_the_first_in_the_order_is_named():
    faults = {
        "channel": ("telegraph", "channel_unknown"),
        "business_date": ("2026-02-30", "business_date_invalid"),
        "value_date": ("2026-02-30", "value_date_invalid"),
        "serial": ("x", "serial_malformed"),
        "household": ("1", "household_not_13_digits"),
        "amount_fen": (0, "amount_not_positive"),
        "period": ("2026-00", "period_invalid"),
        "due_date": ("2026-02-30", "due_date_invalid"),
    }
    changed = {name: wrong for name, (wrong, _) in faults.items()}
    for name, (_, code) in faults.items():
        assert code_of(json_with(BILL, **changed)) is OutcomeCode[code]
        del changed[name]


def test_a_refusal_keeps_what_is_known_of_the_key():
    serial = bytes.fromhex("20260723000012345678ffffffffffff")
    whole = Refusal(OutcomeCode.amount_not_positive, 2, 13, 20657, serial)
    assert decode_event(json_with(amount_fen=0)) == whole
    assert decode_event(packed_with(amount_fen=0)) == whole
    assert decode_event(json_with(reason="none")) == Refusal(OutcomeCode.field_unknown, 2, 13, 20657, serial)
    assert decode_event(json_with(channel="telegraph")) == Refusal(OutcomeCode.channel_unknown, 2, 0, 20657)
    assert decode_event(json_with(business_date="x", serial="x")) == Refusal(OutcomeCode.business_date_invalid, 2, 13)
    assert decode_event(DOUBLED) == Refusal(OutcomeCode.field_duplicated)


def test_want_of_memory_is_no_refusal(monkeypatch):
    def no_memory(value, channels):
        raise MemoryError

    monkeypatch.setattr(_core, "decode_to_packed", no_memory)
    with pytest.raises(MemoryError):
        DECODER.decode_slow(b"\x80")


def test_an_interrupt_does_not_refuse_an_event(monkeypatch):
    interrupts = iter([KeyboardInterrupt])

    def interrupted_once(value, channels):
        for interrupt in interrupts:
            raise interrupt
        return decode_to_packed(value, channels)

    heard = []
    monkeypatch.setattr(_core, "decode_to_packed", interrupted_once)
    before = signal.signal(signal.SIGINT, lambda *_: heard.append(signal.SIGINT))
    try:
        assert DECODER.decode_slow(encode_json(PAYMENT)) == (OutcomeCode.applied, PACKED_PAYMENT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == [signal.SIGINT]


def test_numbers_written_in_other_ways_are_the_same_event():
    assert decode_event(json_with(outlet="0004711", value_date=None)) == PAYMENT
    upper = json_with(channel="postal_station", serial="6BA7B810-9DAD-11D1-80B4-00C04FD430C8", payer="0042")
    assert decode_event(upper).serial == "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
