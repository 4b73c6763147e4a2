"""Turns compressed record batches into the same batches, plain. The engine's walker takes plain ones only."""

import logging
import struct
from collections.abc import Callable

import cramjam

from ledger._core import BatchOverview, batches_overview, checksum_crc32c, has_compressed_batch

log = logging.getLogger(__name__)

MAX_BATCH_BYTES = 1 << 30

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4

_LENGTH_AT = 8
_CRC_AT = 17
_ATTRIBUTES_AT = 21
_HEADER_BYTES = 61
_CODEC_MASK = 0x07

# The stock Java producer wraps snappy blocks of its own framing around the format: magic, two version numbers, sized blocks.
_XERIAL_MAGIC = b"\x82SNAPPY\x00"
_XERIAL_HEADER_BYTES = 16

# What cramjam says of an output that is too small; there is no other sign.
_TOO_LITTLE_ROOM = ("failed to write whole buffer", "is smaller than required")

Data = bytes | bytearray | memoryview


def inflate(data: Data, max_batch_bytes: int = MAX_BATCH_BYTES) -> Data:
    """Return ``data`` with its compressed batches made plain; ``data`` itself where none is compressed.

    A batch that cannot be made plain, because its CRC-32C is wrong, its contents are damaged or larger than
    ``max_batch_bytes``, stays as it is: the walker stops there and says where, after everything before it was applied.
    """
    if not has_compressed_batch(data):
        return data
    view = memoryview(data)
    parts: list[Data] = []
    end = 0
    for overview in batches_overview(view):
        end = overview.byte_offset + overview.batch_bytes
        batch = view[overview.byte_offset : end]
        plain = _plain_batch(batch, overview, max_batch_bytes) if overview.codec and overview.crc_ok else None
        parts.append(batch if plain is None else plain)
    parts.append(view[end:])
    return b"".join(parts)


def _plain_batch(batch: memoryview, overview: BatchOverview, max_batch_bytes: int) -> bytearray | None:
    decompress_into = _DECOMPRESSORS.get(overview.codec)
    if overview.control or decompress_into is None:
        return None
    room = min(max_batch_bytes, 4096 + 8 * len(batch))
    while True:
        plain = bytearray(room)
        try:
            with memoryview(plain) as whole, whole[_HEADER_BYTES:] as records:
                size = decompress_into(batch[_HEADER_BYTES:], records)
        except cramjam.DecompressionError as error:
            if room == max_batch_bytes or not any(words in str(error) for words in _TOO_LITTLE_ROOM):
                log.error("batch at offset %d stays compressed: %s", overview.base_offset, error)
                return None
            room = min(max_batch_bytes, 8 * room)
            continue
        del plain[_HEADER_BYTES + size :]
        return _with_header(plain, batch)


def _with_header(plain: bytearray, batch: memoryview) -> bytearray:
    plain[:_HEADER_BYTES] = batch[:_HEADER_BYTES]
    struct.pack_into(">i", plain, _LENGTH_AT, len(plain) - 12)
    plain[_ATTRIBUTES_AT + 1] &= ~_CODEC_MASK & 0xFF
    struct.pack_into(">I", plain, _CRC_AT, checksum_crc32c(memoryview(plain)[_ATTRIBUTES_AT:]))
    return plain


def _snappy_into(compressed: memoryview, room: memoryview) -> int:
    if compressed[: len(_XERIAL_MAGIC)] != _XERIAL_MAGIC:
        return int(cramjam.snappy.decompress_raw_into(compressed, room))
    at, filled = _XERIAL_HEADER_BYTES, 0
    while at < len(compressed):
        block_bytes = int.from_bytes(compressed[at : at + 4], "big")
        block = compressed[at + 4 : at + 4 + block_bytes]
        if len(block) < block_bytes:
            raise cramjam.DecompressionError(f"snappy block of {block_bytes} bytes has only {len(block)}")
        filled += cramjam.snappy.decompress_raw_into(block, room[filled:])
        at += 4 + block_bytes
    return filled


_DECOMPRESSORS: dict[int, Callable[[memoryview, memoryview], int]] = {
    GZIP: cramjam.gzip.decompress_into,
    SNAPPY: _snappy_into,
    LZ4: cramjam.lz4.decompress_into,
    ZSTD: cramjam.zstd.decompress_into,
}
