import struct
from array import array

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger._core import (
    batches_overview,
    build_batch,
    build_packed_batches,
    build_value_batches,
    partition_of,
    set_batch_producer,
    walk_batches,
)
from tests.plain_batches import encode_batch

SMALL = settings(deadline=None, max_examples=100)
RECORDS = [(b"3301234567890", b"first", 1_700_000_000_000), (None, b"second", 1_700_000_000_010)]

# RECORDS as one batch.
GOLDEN = bytes.fromhex(
    "000000000000000000000057ffffffff0211708f390000000000010000018bcfe568000000018bcfe5680affffffffffffffffffffffffffff000000"
    "02300000001a333330313233343536373839300a66697273740018001402010c7365636f6e6400"
)

# Hashes that Apache Kafka's own tests pin, without the sign.
MURMUR2 = [
    (b"21", -973932308),
    (b"foobar", -790332482),
    (b"a-little-bit-long-string", -985981536),
    (b"a-little-bit-longer-string", -1486304829),
    (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
    (b"abc", 479470107),
]

record_lists = st.lists(
    st.tuples(st.none() | st.binary(max_size=20), st.none() | st.binary(max_size=300), st.integers(-(2**62), 2**62 - 1)),
    min_size=1,
    max_size=200,
)
bulk_events = st.lists(st.tuples(st.integers(0, 10**13 - 1), st.binary(max_size=40), st.integers(0, 2**42)), max_size=60)


def packed_event(household, fill):
    return struct.pack("<BBHHH16sQqQ16x", 1, 2, 13, 20_000, 20_000, fill.ljust(16, b"\0")[:16], household, 100, 0)


def test_golden_bytes_of_a_batch():
    assert build_batch(RECORDS) == GOLDEN


def test_a_batch_is_what_another_library_builds():
    other = DefaultRecordBatchBuilder(
        2, 0, is_transactional=0, producer_id=77, producer_epoch=3, base_sequence=12, batch_size=1 << 20
    )
    for number, (key, value, timestamp_ms) in enumerate(RECORDS):
        other.append(number, timestamp_ms, key, value, [])
    batch = build_batch(RECORDS)
    set_batch_producer(batch, 77, 3, 12)
    assert batch == other.build()


@SMALL
@given(record_lists, st.integers(0, 2**40))
def test_a_batch_is_what_the_specification_writes(records, base_offset):
    numbered = [(base_offset + number, ms, key, value) for number, (key, value, ms) in enumerate(records)]
    assert build_batch(records, base_offset) == encode_batch(numbered)


@SMALL
@given(record_lists, st.integers(0, 2**62), st.integers(0, 2**15 - 1), st.integers(0, 2**31 - 1))
def test_a_producer_written_later_keeps_the_crc_right(records, producer_id, epoch, sequence):
    batch = build_batch(records)
    set_batch_producer(batch, producer_id, epoch, sequence)
    numbered = [(number, ms, key, value) for number, (key, value, ms) in enumerate(records)]
    assert batch == encode_batch(numbered, producer=(producer_id, epoch, sequence))


def test_a_batch_without_records_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        build_batch([])


@pytest.mark.parametrize(("key", "signed_hash"), MURMUR2)
def test_keys_go_where_the_java_client_sends_them(key, signed_hash):
    assert partition_of(key, 2**31 - 1) == signed_hash & 0x7FFFFFFF


def assert_holds(batches, events, partition_count):
    """Each partition has its events in their order, keyed by household."""
    found = {partition: [] for partition in range(partition_count)}
    for partition, batch, record_count in batches:
        records = [(int(key), value, ms) for _, ms, key, value in walk_batches(batch)]
        assert len(records) == record_count
        found[partition] += records
    expected = {partition: [] for partition in range(partition_count)}
    for household, value, timestamp_ms in events:
        expected[partition_of(b"%013d" % household, partition_count)].append((household, value, timestamp_ms))
    assert found == expected


@SMALL
@given(bulk_events, st.integers(1, 5), st.integers(200, 2000))
def test_packed_events_are_spread_over_partitions_in_order(events, partition_count, max_batch_bytes):
    events = [(household, packed_event(household, fill), ms) for household, fill, ms in events]
    times = array("q", [ms for _, _, ms in events])
    batches = build_packed_batches(b"".join(value for _, value, _ in events), times, partition_count, max_batch_bytes)
    assert all(len(batch) <= max_batch_bytes for _, batch, _ in batches)
    assert_holds(batches, events, partition_count)


@SMALL
@given(bulk_events, st.integers(1, 5), st.integers(200, 2000))
def test_values_of_any_length_are_spread_over_partitions_in_order(events, partition_count, max_batch_bytes):
    values, ends = b"", array("q")
    for _, value, _ in events:
        values += value
        ends.append(len(values))
    households = array("Q", [household for household, _, _ in events])
    times = array("q", [ms for _, _, ms in events])
    batches = build_value_batches(values, ends, households, times, partition_count, max_batch_bytes)
    assert_holds(batches, events, partition_count)


def test_an_event_of_no_household_has_no_key_and_goes_to_partition_0():
    households = array("Q", [3301234567890, 10**13, 2**64 - 1])
    batches = build_value_batches(b"abc", array("q", [1, 2, 3]), households, array("q", [5, 6, 7]), 1000)
    records = {partition: [record[2:] for record in walk_batches(batch)] for partition, batch, _ in batches}
    assert records == {partition_of(b"3301234567890", 1000): [(b"3301234567890", b"a")], 0: [(None, b"b"), (None, b"c")]}


def test_an_event_larger_than_a_batch_is_named():
    with pytest.raises(ValueError, match="event 1 does not fit"):
        build_value_batches(b"x" * 500, array("q", [20, 500]), array("Q", [1, 1]), array("q", [0, 0]), 1, 300)


def test_buffers_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="packed events"):
        build_packed_batches(b"x" * 65, array("q", [0]))
    with pytest.raises(ValueError, match="one number for each"):
        build_value_batches(b"", array("q"), array("Q"), array("q", [0]))
    with pytest.raises(ValueError, match=r"value_ends\[1\]"):
        build_value_batches(b"xyz", array("q", [2, 1]), array("Q", [1, 1]), array("q", [0, 0]))


def test_a_full_batch_is_closed_and_the_next_begun():
    events = packed_event(3301234567890, b"1") * 100
    batches = build_packed_batches(events, array("q", [0] * 100), 1, 1000)
    assert len(batches) > 1
    assert sum(overview.record_count for _, batch, _ in batches for overview in batches_overview(batch)) == 100


def test_what_is_too_small_is_refused_not_written_over():
    with pytest.raises(ValueError, match="no record batch"):
        set_batch_producer(bytearray(60), 1, 1, 1)
    with pytest.raises(ValueError, match="no record batch"):
        build_packed_batches(packed_event(1, b"1"), array("q", [0]), 1, 60)
    with pytest.raises(ValueError, match="partitions"):
        partition_of(b"3301234567890", 0)
    with pytest.raises(ValueError, match="partitions"):
        partition_of(b"", 1)
