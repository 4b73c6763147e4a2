"""The core's walker beside the plain one, on sound and on damaged batches."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger._core import parse_record_body
from tests.plain_batches import ATTRIBUTES_AT, Reader, encode_batch, encode_record, with_right_crc
from tests.walking import core_walks_as_plain_python

SMALL = settings(deadline=None, max_examples=150)
times_ms = st.integers(-(2**40), 2**42)
payloads = st.none() | st.binary(max_size=200)
record_headers = st.lists(st.tuples(st.binary(max_size=8), st.none() | st.binary(max_size=8)), max_size=3)


@st.composite
def batches(draw):
    gaps = draw(st.lists(st.integers(1, 400), min_size=1, max_size=8))
    base = draw(st.integers(0, 2**40))
    offset = base - 1
    records = []
    for gap in gaps:
        offset += gap
        records.append((offset, draw(times_ms), draw(payloads), draw(payloads)))
    return encode_batch(
        records,
        base_offset=base,
        last_offset=offset + draw(st.integers(0, 3)),
        attributes=draw(st.sampled_from([0, 0, 0, 8, 0x10, 0x20])),
        headers=draw(record_headers),
    )


@SMALL
@given(st.lists(batches(), max_size=3), st.integers(0, 2**41))
def test_sound_batches_walk_as_the_specification_reads(parts, first_offset):
    core_walks_as_plain_python(b"".join(parts))
    core_walks_as_plain_python(b"".join(parts), first_offset)


@SMALL
@given(st.binary(max_size=200))
def test_any_bytes_stop_the_walk_where_the_specification_says(data):
    core_walks_as_plain_python(data)


@SMALL
@given(st.lists(batches(), min_size=1, max_size=2), st.data())
def test_a_cut_or_changed_byte_stops_the_walk_where_the_specification_says(parts, data):
    whole = bytearray(b"".join(parts))
    cut = data.draw(st.integers(0, len(whole)))
    core_walks_as_plain_python(bytes(whole[:cut]))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    core_walks_as_plain_python(bytes(whole))


@settings(deadline=None, max_examples=500)
@given(batches(), st.data())
def test_malformed_records_behind_a_right_crc_stop_the_walk_where_the_specification_says(batch, data):
    changed = bytearray(batch)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(ATTRIBUTES_AT, len(changed) - 1))
        changed[at] = data.draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]) | st.integers(0, 255))
    core_walks_as_plain_python(with_right_crc(bytes(changed)))


@SMALL
@given(payloads, payloads, record_headers)
def test_a_record_body_gives_back_key_value_and_headers(key, value, headers):
    reader = Reader(encode_record(5, -7, key, value, headers))
    assert parse_record_body(reader.take(reader.varint())) == (key, value, headers)


@SMALL
@given(st.binary(max_size=60))
def test_a_body_that_is_no_record_raises(body):
    try:
        parse_record_body(body)
    except ValueError as error:
        assert "no Kafka record" in str(error)
