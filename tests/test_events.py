"""The event schema, its three encodings, and the refusals in their order."""

import json
import struct

import msgspec
import pytest
from hypothesis import given

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
