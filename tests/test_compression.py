import gzip
import struct

import cramjam
import pytest
from aiokafka.codec import snappy_encode
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger._core import batches_overview, build_batch, checksum_crc32c, walk_batches
from ledger.errors import CorruptBatch
from streams.compression import GZIP, LZ4, SNAPPY, ZSTD, inflate

COMPRESS = {
    GZIP: gzip.compress,
    SNAPPY: snappy_encode,
    LZ4: lambda data: bytes(cramjam.lz4.compress(data)),
    ZSTD: lambda data: bytes(cramjam.zstd.compress(data)),
}
RECORDS = [(b"3301234567890", b"value %d" % number * 20, 1000 + number) for number in range(50)]
PLAIN = bytes(build_batch(RECORDS, base_offset=70))


def compressed_with(codec, batch=PLAIN, compress=None):
    """The same batch with its records compressed."""
    packed = bytearray(batch[:61] + (compress or COMPRESS[codec])(batch[61:]))
    packed[22] |= codec
    struct.pack_into(">i", packed, 8, len(packed) - 12)
    struct.pack_into(">I", packed, 17, checksum_crc32c(packed[21:]))
    return bytes(packed)


@pytest.mark.parametrize("codec", COMPRESS)
def test_a_batch_of_every_codec_becomes_the_plain_batch_again(codec):
    assert inflate(compressed_with(codec)) == PLAIN


def test_snappy_without_the_java_framing_is_read_as_well():
    assert inflate(compressed_with(SNAPPY, compress=lambda data: bytes(cramjam.snappy.compress_raw(data)))) == PLAIN


@pytest.mark.parametrize("codec", [GZIP, SNAPPY, LZ4, ZSTD])
def test_what_another_library_compresses_is_read(codec):
    builder = DefaultRecordBatchBuilder(
        2, codec, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1, batch_size=1 << 20
    )
    for number, (key, value, timestamp_ms) in enumerate(RECORDS):
        builder.append(number, timestamp_ms, key, value, [])
    data = bytes(builder.build())
    assert batches_overview(data)[0].codec == codec
    assert inflate(data) == build_batch(RECORDS)


def test_data_without_a_compressed_batch_is_handed_back_as_it_is():
    data = memoryview(PLAIN * 3)
    assert inflate(data) is data


def test_plain_and_compressed_batches_and_a_cut_tail_keep_their_places():
    data = PLAIN + compressed_with(ZSTD) + PLAIN + compressed_with(LZ4)[:50]
    assert inflate(data) == PLAIN * 3 + compressed_with(LZ4)[:50]


@pytest.mark.parametrize("codec", COMPRESS)
def test_a_small_batch_that_expands_far_is_read(codec):
    batch = bytes(build_batch([(None, b"\0" * 5_000_000, 0)]))
    assert inflate(compressed_with(codec, batch)) == batch


@pytest.mark.parametrize("codec", COMPRESS)
def test_a_batch_larger_than_allowed_stops_the_walk_behind_the_batches_before_it(codec):
    bomb = compressed_with(codec, bytes(build_batch([(None, b"\0" * 500_000, 0)], base_offset=500)))
    data = inflate(PLAIN + bomb, max_batch_bytes=100_000)
    assert data == PLAIN + bomb
    with pytest.raises(CorruptBatch, match="compressed") as error:
        walk_batches(data)
    assert error.value.numbers["base_offset"] == 500


@pytest.mark.parametrize("codec", COMPRESS)
def test_contents_damaged_before_the_crc_was_made_stay_for_the_walker_to_report(codec):
    bad = compressed_with(codec, compress=lambda data: COMPRESS[codec](data)[:-9])
    assert inflate(bad, max_batch_bytes=1 << 20) == bad


def test_a_batch_with_a_wrong_crc_stays_for_the_walker_to_report():
    damaged = compressed_with(ZSTD)[:-1] + b"\xff"
    with pytest.raises(CorruptBatch, match="CRC-32C"):
        walk_batches(inflate(damaged))


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(sorted(COMPRESS)), st.binary(max_size=80), st.binary(max_size=80))
def test_any_bytes_behind_a_right_crc_are_survived(codec, head, contents):
    data = compressed_with(codec, compress=lambda _: contents)
    inflate(data + head, max_batch_bytes=1 << 16)
    inflate(compressed_with(codec, compress=lambda data: b"\x82SNAPPY\x00" + contents), max_batch_bytes=1 << 16)
