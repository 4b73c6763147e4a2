# Batches at hand: what sources and tools ask of record batches, as Python functions. Owns BatchOverview; uses the walker.

from typing import NamedTuple

cdef enum:
    WALK_CHUNK = 256  # records that a walk takes at a time


class BatchOverview(NamedTuple):
    """One record batch, by its header."""

    byte_offset: int
    batch_bytes: int
    base_offset: int
    last_offset: int
    record_count: int
    codec: int
    control: bool
    transactional: bool
    max_timestamp_ms: int
    crc_ok: bool


cdef object bytes_or_none(const uint8_t *at, int64_t size):
    return None if size < 0 else <bytes>at[:size]


def parse_record_body(const uint8_t[::1] body not None):
    """Return ``(key, value, headers)`` of one record, given its bytes after the length varint.

    Key, value and the values of headers are bytes or None; ``headers`` is a list of (bytes, bytes | None).
    Raises ValueError where the bytes are no record.
    """
    cdef const uint8_t *at = NULL
    cdef const uint8_t *end = NULL
    cdef record_fields fields
    cdef const uint8_t *part = NULL
    cdef int64_t count = 0, size = -1
    if body.shape[0] > 0:
        end = &body[0] + body.shape[0]
        at = read_fields(&body[0], end, &fields)
    if at == NULL:
        raise ValueError(f"{body.shape[0]} bytes that are no Kafka record")
    headers = []
    at = read_varint(at, end, &count)
    while count > 0:
        at = read_bytes(at, end, &part, &size)
        name = bytes_or_none(part, size)
        at = read_bytes(at, end, &part, &size)
        headers.append((name, bytes_or_none(part, size)))
        count -= 1
    return bytes_or_none(fields.key, fields.key_bytes), bytes_or_none(fields.value, fields.value_bytes), headers


def walk_batches(const uint8_t[::1] data not None, int64_t first_offset=0):
    """Return ``(offset, timestamp_ms, key, value)`` of every record from ``first_offset`` on: for tools and tests.

    Raises CorruptBatch where the data is damaged, cut off or compressed.
    """
    cdef batch_walker walker
    cdef record_view records[WALK_CHUNK]
    cdef int count, i
    found = []
    if data.shape[0] == 0:
        return found
    walker_open(&walker, &data[0], data.shape[0], first_offset)
    while True:
        count = walker_fill(&walker, records, WALK_CHUNK)
        if count == 0:
            break
        for i in range(count):
            key, value, _ = parse_record_body(<const uint8_t[:records[i].body_bytes]>records[i].body)
            found.append((records[i].offset, records[i].timestamp_ms, key, value))
    error = walk_error(&walker)
    if error is not None:
        raise error
    return found


def count_records(const uint8_t[::1] data not None, int64_t first_offset=0):
    """Return how many records from ``first_offset`` on the batches hold, walked without the GIL. Raises CorruptBatch."""
    cdef batch_walker walker
    cdef record_view records[WALK_CHUNK]
    cdef int64_t total = 0
    cdef int count = 1
    if data.shape[0] == 0:
        return 0
    with nogil:
        walker_open(&walker, &data[0], data.shape[0], first_offset)
        while count > 0:
            count = walker_fill(&walker, records, WALK_CHUNK)
            total += count
    error = walk_error(&walker)
    if error is not None:
        raise error
    return total


cdef bint whole_batch_at(const uint8_t *data, int64_t length, int64_t at, batch_header *header) noexcept nogil:
    if length - at < BATCH_HEADER_BYTES:
        return False
    read_batch_header(data + at, header)
    return header.magic == BATCH_MAGIC and BATCH_HEADER_BYTES <= header.batch_bytes <= length - at


cdef bint sound_batch_at(const uint8_t *data, int64_t length, int64_t at, batch_header *header) noexcept nogil:
    return whole_batch_at(data, length, at, header) and batch_crc(data + at, header.batch_bytes) == header.crc


def has_compressed_batch(const uint8_t[::1] data not None):
    """Return whether a batch is compressed, of those up to the first whose length or version cannot be."""
    cdef batch_header header
    cdef int64_t at = 0
    while whole_batch_at(&data[0], data.shape[0], at, &header):
        if header.attributes & CODEC_MASK:
            return True
        at += header.batch_bytes
    return False


def batches_overview(const uint8_t[::1] data not None):
    """Return one ``BatchOverview`` for each whole batch, up to the first whose length or version cannot be."""
    cdef batch_header header
    cdef int64_t at = 0
    found = []
    while whole_batch_at(&data[0], data.shape[0], at, &header):
        found.append(
            BatchOverview(
                byte_offset=at,
                batch_bytes=header.batch_bytes,
                base_offset=header.base_offset,
                last_offset=header.base_offset + header.last_offset_delta,
                record_count=header.record_count,
                codec=header.attributes & CODEC_MASK,
                control=bool(header.attributes & CONTROL),
                transactional=bool(header.attributes & TRANSACTIONAL),
                max_timestamp_ms=header.max_timestamp_ms,
                crc_ok=batch_crc(&data[at], header.batch_bytes) == header.crc,
            )
        )
        at += header.batch_bytes
    return found


def scan_batches(const uint8_t[::1] data not None):
    """Return ``(whole_bytes, next_offset, wanted_bytes)`` of the whole batches at the head of ``data``, by their headers.

    ``next_offset`` is what follows the last of them, -1 where there is none. ``wanted_bytes`` is the length of the batch behind
    them by its header: 0 where the header is not all there, -1 where it is no header.
    """
    cdef batch_header header
    cdef int64_t at = 0
    cdef int64_t next_offset = -1
    cdef int64_t wanted = 0
    with nogil:
        while whole_batch_at(&data[0], data.shape[0], at, &header):
            at += header.batch_bytes
            next_offset = header.base_offset + header.last_offset_delta + 1
        if data.shape[0] - at >= BATCH_HEADER_BYTES:
            wanted = header.batch_bytes if header.magic == BATCH_MAGIC and header.batch_bytes >= BATCH_HEADER_BYTES else -1
    return at, next_offset, wanted


def sound_bytes(const uint8_t[::1] data not None):
    """Return how many bytes at the head of ``data`` are whole batches with the right CRC-32C."""
    cdef batch_header header
    cdef int64_t at = 0
    with nogil:
        while sound_batch_at(&data[0], data.shape[0], at, &header):
            at += header.batch_bytes
    return at


def find_sound_batch(const uint8_t[::1] data not None):
    """Return the byte offset of the first whole batch with the right CRC-32C at any place in ``data``, -1 where there is none."""
    cdef batch_header header
    cdef int64_t at = 0
    with nogil:
        while at < data.shape[0] and not sound_batch_at(&data[0], data.shape[0], at, &header):
            at += 1
    return at if at < data.shape[0] else -1
