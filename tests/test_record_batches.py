import ctypes
import mmap

import pytest

from ledger._core import batches_overview, count_records, walk_batches
from ledger.errors import CorruptBatch
from tests.plain_batches import ATTRIBUTES_AT, encode_batch, with_right_crc
from tests.walking import core_walks_as_plain_python

# What aiokafka 0.14.0 builds of RECORDS, with one header at the first, by producer 4242 in epoch 3 from sequence 17 on.
GOLDEN = bytes.fromhex(
    "000000000000000000000062ffffffff02903ac8670000000000010000018bcfe568000000018bcfe5680a0000000000001092000300000011000000"
    "02460000001a333330313233343536373839300a6669727374020c6f726967696e06706f7318001402010c7365636f6e6400"
)
RECORDS = [(7, 1_700_000_000_000, b"3301234567890", b"first"), (8, 1_700_000_000_010, None, b"second")]
BATCH = encode_batch(RECORDS)


def test_golden_bytes_give_their_records():
    assert walk_batches(GOLDEN) == [(offset - 7, *rest) for offset, *rest in RECORDS]


def test_several_batches_give_their_records_in_order():
    later = [(20, 5, b"k", None)]
    assert walk_batches(BATCH + encode_batch(later)) == RECORDS + later


def test_records_below_the_first_offset_are_skipped():
    assert walk_batches(BATCH, first_offset=8) == RECORDS[1:]
    assert count_records(BATCH, first_offset=9) == 0


def test_log_append_time_counts_instead_of_the_producers_time():
    assert [record[1] for record in walk_batches(encode_batch(RECORDS, attributes=8, max_timestamp_ms=99))] == [99, 99]


def test_control_batches_are_skipped_however_many_follow_one_another():
    control = encode_batch([(3, 0, b"\0\0\0\0", b"\0\0\0\0\0\0")], attributes=0x30)
    assert walk_batches(control * 10_000 + BATCH) == RECORDS


def test_batches_emptied_by_compaction_are_passed():
    assert walk_batches(encode_batch([], base_offset=3, last_offset=6) + BATCH) == RECORDS


def test_a_wrong_crc_is_reported_with_both_sums_and_its_place():
    damaged = bytearray(BATCH + BATCH)
    damaged[-1] ^= 0x40
    with pytest.raises(CorruptBatch, match="CRC-32C") as error:
        walk_batches(damaged)
    numbers = error.value.numbers
    assert (numbers["base_offset"], numbers["byte_offset"]) == (7, len(BATCH))
    assert numbers["expected"] != numbers["found"]


def test_a_compressed_batch_is_left_to_whoever_inflates_it():
    with pytest.raises(CorruptBatch, match="compressed"):
        walk_batches(encode_batch(RECORDS, attributes=4))


def test_an_older_format_is_named_by_its_version():
    with pytest.raises(CorruptBatch, match="another version") as error:
        walk_batches(BATCH[:16] + b"\x01" + BATCH[17:])
    assert (error.value.numbers["expected"], error.value.numbers["found"]) == (2, 1)


def test_the_overview_tells_what_each_header_says():
    control = encode_batch([(9, 0, b"", b"")], attributes=0x30)
    damaged = BATCH[:-1] + b"\xff"
    plain, marker, bad = batches_overview(BATCH + control + damaged + BATCH[:40])
    assert (plain.base_offset, plain.last_offset, plain.record_count, plain.crc_ok) == (7, 8, 2, True)
    assert (marker.control, marker.transactional, marker.byte_offset) == (True, True, len(BATCH))
    assert not bad.crc_ok


def test_no_byte_behind_the_data_is_read():
    pages = mmap.mmap(-1, 2 * mmap.PAGESIZE)
    guard = ctypes.c_char.from_buffer(pages, mmap.PAGESIZE)
    address = ctypes.c_void_p(ctypes.addressof(guard))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.mprotect(address, mmap.PAGESIZE, 0) == 0
    for size in range(1, len(BATCH) + 1):
        cut = BATCH[:8] + (size - 12).to_bytes(4, "big", signed=True) + BATCH[12:size]
        data = with_right_crc(cut) if size > ATTRIBUTES_AT else BATCH[:size]
        pages[mmap.PAGESIZE - len(data) : mmap.PAGESIZE] = data
        with memoryview(pages)[mmap.PAGESIZE - len(data) : mmap.PAGESIZE] as at_the_end:
            core_walks_as_plain_python(at_the_end)
            batches_overview(at_the_end)
    assert libc.mprotect(address, mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_WRITE) == 0
