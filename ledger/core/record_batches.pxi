# Record batches: reads Kafka's record batch format, version 2, as a broker hands it over. Owns the walker; uses crc32c.h.
#
# Any bytes may come in. Nothing outside the given bytes is read, a batch gives out no record before its CRC-32C has been found
# right, and where the walk stops the walker says why (status), in which batch (base_offset; byte_offset of its start in the data)
# and by which numbers (expected, found; of a malformed batch the records that it should have and those that are sound).

from libc.stdint cimport INT64_MAX

from ledger.errors import CorruptBatch

cdef enum:
    LENGTH_AT = 8  # byte offsets within a batch
    LEADER_EPOCH_AT = 12
    BYTES_BEFORE_LENGTH_COUNTS = 12
    MAGIC_AT = 16
    CRC_AT = 17
    ATTRIBUTES_AT = 21  # the CRC covers everything from here on
    LAST_OFFSET_DELTA_AT = 23
    BASE_TIMESTAMP_AT = 27
    MAX_TIMESTAMP_AT = 35
    PRODUCER_ID_AT = 43
    PRODUCER_EPOCH_AT = 51
    BASE_SEQUENCE_AT = 53
    RECORD_COUNT_AT = 57
    BATCH_HEADER_BYTES = 61

    BATCH_MAGIC = 2
    CODEC_MASK = 0x07
    LOG_APPEND_TIME = 0x08
    TRANSACTIONAL = 0x10
    CONTROL = 0x20


cdef inline uint64_t big_endian(const uint8_t *at, int size) noexcept nogil:
    cdef uint64_t number = 0
    cdef int i
    for i in range(size):
        number = number << 8 | at[i]
    return number


cdef inline void read_batch_header(const uint8_t *at, batch_header *header) noexcept nogil:
    header.base_offset = <int64_t>big_endian(at, 8)
    header.batch_bytes = <int64_t><int32_t>big_endian(at + LENGTH_AT, 4) + BYTES_BEFORE_LENGTH_COUNTS
    header.magic = at[MAGIC_AT]
    header.crc = <uint32_t>big_endian(at + CRC_AT, 4)
    header.attributes = <uint16_t>big_endian(at + ATTRIBUTES_AT, 2)
    header.last_offset_delta = <int32_t>big_endian(at + LAST_OFFSET_DELTA_AT, 4)
    header.base_timestamp_ms = <int64_t>big_endian(at + BASE_TIMESTAMP_AT, 8)
    header.max_timestamp_ms = <int64_t>big_endian(at + MAX_TIMESTAMP_AT, 8)
    header.record_count = <int32_t>big_endian(at + RECORD_COUNT_AT, 4)


cdef inline uint32_t batch_crc(const uint8_t *at, int64_t batch_bytes) noexcept nogil:
    return crc32c(0, at + ATTRIBUTES_AT, <size_t>(batch_bytes - ATTRIBUTES_AT))


cdef const uint8_t *long_varint(const uint8_t *at, const uint8_t *end, int64_t *value) noexcept nogil:
    cdef uint64_t bits = 0
    cdef int shift = 0
    while at < end and shift < 64:
        bits |= <uint64_t>(at[0] & 0x7F) << shift
        if at[0] < 0x80:
            value[0] = <int64_t>(bits >> 1 ^ (0 - (bits & 1)))
            return at + 1
        at += 1
        shift += 7
    return NULL


cdef inline const uint8_t *read_varint(const uint8_t *at, const uint8_t *end, int64_t *value) noexcept nogil:
    """Read a zigzag number of up to 64 bits; return where it ends, NULL where it does not within ``end``."""
    cdef uint64_t bits
    if end - at < 2:
        return long_varint(at, end, value)
    bits = at[0]
    if bits >= 0x80:
        if at[1] >= 0x80:
            return long_varint(at, end, value)
        bits = (bits & 0x7F) | <uint64_t>at[1] << 7
        at += 1
    value[0] = <int64_t>(bits >> 1 ^ (0 - (bits & 1)))
    return at + 1


cdef inline const uint8_t *read_bytes(
    const uint8_t *at, const uint8_t *end, const uint8_t **bytes_at, int64_t *size
) noexcept nogil:
    """Read a length, -1 for none, and that many bytes; return where they end, NULL where they do not within ``end``."""
    at = read_varint(at, end, size)
    if at == NULL or size[0] < -1 or size[0] > end - at:
        return NULL
    bytes_at[0] = at
    return at + size[0] if size[0] > 0 else at


cdef bint headers_are_sound(const uint8_t *at, const uint8_t *end) noexcept nogil:
    cdef const uint8_t *field
    cdef int64_t count, size
    at = read_varint(at, end, &count)
    if at == NULL or count < 0:
        return False
    while count > 0:
        at = read_bytes(at, end, &field, &size)
        if at == NULL or size < 0:
            return False
        at = read_bytes(at, end, &field, &size)
        if at == NULL:
            return False
        count -= 1
    return at == end


cdef inline const uint8_t *read_fields(const uint8_t *at, const uint8_t *end, record_fields *fields) noexcept nogil:
    """Read a record from behind its length; return where its headers begin, NULL where it is malformed or they are."""
    at = read_varint(at + 1, end, &fields.timestamp_delta)
    if at == NULL:
        return NULL
    at = read_varint(at, end, &fields.offset_delta)
    if at == NULL:
        return NULL
    at = read_bytes(at, end, &fields.key, &fields.key_bytes)
    if at == NULL:
        return NULL
    at = read_bytes(at, end, &fields.value, &fields.value_bytes)
    if at == NULL:
        return NULL
    if end - at == 1 and at[0] == 0:
        return at
    return at if headers_are_sound(at, end) else NULL


cdef void walker_open(batch_walker *w, const uint8_t *data, size_t length, int64_t first_offset) noexcept nogil:
    memset(w, 0, sizeof(batch_walker))
    w.data = data
    w.length = length
    w.first_offset = first_offset


cdef int stop_walk(batch_walker *w, int status, uint32_t expected, uint32_t found) noexcept nogil:
    w.status = status
    w.expected = expected
    w.found = found
    return 0


cdef int open_batch(batch_walker *w) noexcept nogil:
    """Check the next batch as a whole and make its first record the next one. Return 0, and status, where there is none."""
    cdef const uint8_t *at = w.data + w.next_batch
    cdef size_t left = w.length - w.next_batch
    cdef batch_header header
    cdef uint32_t crc
    w.byte_offset = w.next_batch
    if left == 0:
        return stop_walk(w, WALK_END, 0, 0)
    w.base_offset = <int64_t>big_endian(at, 8) if left >= 8 else -1
    if left > MAGIC_AT and at[MAGIC_AT] != BATCH_MAGIC:
        return stop_walk(w, WALK_MAGIC_UNKNOWN, BATCH_MAGIC, at[MAGIC_AT])
    if left < BATCH_HEADER_BYTES:
        return stop_walk(w, WALK_TRUNCATED, BATCH_HEADER_BYTES, <uint32_t>left)
    read_batch_header(at, &header)
    if header.batch_bytes < BATCH_HEADER_BYTES:
        return stop_walk(w, WALK_MALFORMED, BATCH_HEADER_BYTES, <uint32_t>header.batch_bytes)
    if <size_t>header.batch_bytes > left:
        return stop_walk(w, WALK_TRUNCATED, <uint32_t>header.batch_bytes, <uint32_t>left)
    crc = batch_crc(at, header.batch_bytes)
    if crc != header.crc:
        return stop_walk(w, WALK_CORRUPT_CRC, header.crc, crc)
    if header.record_count < 0 or header.last_offset_delta < 0:
        return stop_walk(w, WALK_MALFORMED, 0, <uint32_t>min(header.record_count, header.last_offset_delta))
    if header.base_offset < 0 or header.base_offset > INT64_MAX - header.last_offset_delta - 1:
        return stop_walk(w, WALK_MALFORMED, 0, <uint32_t>(header.base_offset >> 32))
    if header.attributes & CODEC_MASK and not header.attributes & CONTROL:
        return stop_walk(w, WALK_COMPRESSED, 0, header.attributes & CODEC_MASK)
    w.next_batch += header.batch_bytes
    w.record = at + BATCH_HEADER_BYTES
    w.batch_end = at + header.batch_bytes
    w.record_count = w.records_left = header.record_count
    w.last_offset_delta = header.last_offset_delta
    w.previous_delta = -1
    w.timestamp_ms = header.max_timestamp_ms if header.attributes & LOG_APPEND_TIME else header.base_timestamp_ms
    w.timestamp_delta_mask = 0 if header.attributes & LOG_APPEND_TIME else -1
    if header.attributes & CONTROL:
        w.record = w.batch_end
        w.records_left = 0
    return 1


cdef int read_records(batch_walker *w, record_view *records, int capacity) noexcept nogil:
    """Read records of the open batch; return how many. Stops the walk at a malformed one."""
    cdef const uint8_t *at = w.record
    cdef const uint8_t *body
    cdef record_view *record = records
    cdef int64_t previous_delta = w.previous_delta
    cdef int64_t body_bytes
    cdef record_fields fields
    cdef int left = min(w.records_left, capacity)
    while left > 0:
        body = read_varint(at, w.batch_end, &body_bytes)
        if body == NULL or body_bytes < 1 or body_bytes > w.batch_end - body:
            break
        if read_fields(body, body + body_bytes, &fields) == NULL:
            break
        if fields.offset_delta <= previous_delta or fields.offset_delta > w.last_offset_delta:
            break
        at = body + body_bytes
        left -= 1
        w.records_left -= 1
        previous_delta = fields.offset_delta
        record.value = fields.value
        record.value_bytes = fields.value_bytes
        record.offset = w.base_offset + fields.offset_delta
        record.timestamp_ms = <int64_t>(<uint64_t>w.timestamp_ms + <uint64_t>(fields.timestamp_delta & w.timestamp_delta_mask))
        record.body = body
        record.body_bytes = body_bytes
        record += record.offset >= w.first_offset
    if left > 0:
        stop_walk(w, WALK_MALFORMED, w.record_count, w.record_count - w.records_left)
    w.record = at
    w.previous_delta = previous_delta
    return <int>(record - records)


cdef int walker_fill(batch_walker *w, record_view *records, int capacity) noexcept nogil:
    """Give out the next records, at most ``capacity``; return how many. 0: the walk is over, and ``w.status`` says how.

    A malformed record behind a right CRC is its producer's doing: the records of its batch before it have been given out.
    """
    cdef int count = 0
    while count < capacity and w.status == WALK_MORE:
        if w.records_left > 0:
            count += read_records(w, records + count, capacity - count)
        elif w.record != w.batch_end:
            stop_walk(w, WALK_MALFORMED, w.record_count, w.record_count + 1)
        else:
            open_batch(w)
    return count


_WALK_SENTENCES = {
    WALK_CORRUPT_CRC: "A record batch does not have the CRC-32C that its header names",
    WALK_TRUNCATED: "A record batch ends before its length",
    WALK_MALFORMED: "A record batch is malformed",
    WALK_COMPRESSED: "A record batch is compressed, and what it holds could not be read",
    WALK_MAGIC_UNKNOWN: "A record batch is of another version of the format",
}


cdef object walk_error(const batch_walker *w):
    """Return the ``CorruptBatch`` that says why the walk stopped, None where it did not stop or came to its end."""
    if w.status not in _WALK_SENTENCES:
        return None
    return CorruptBatch(
        _WALK_SENTENCES[w.status], base_offset=w.base_offset, byte_offset=w.byte_offset, expected=w.expected, found=w.found
    )
