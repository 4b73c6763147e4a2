# Batch building: writes Kafka's record batch format, version 2, whole batches at a time. Owns batch_builder and the partitioner
# that all of Kafka's clients share; uses the layout constants of record_batches.pxi, and crc32c.h.

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_FromStringAndSize, PyByteArray_Resize
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport INT32_MAX

cdef enum:
    RECORD_BYTES_AROUND = 32  # more than a record has around key and value
    HOUSEHOLD_DIGITS = 13

cdef const char *DIGIT_PAIRS = (
    b"0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
    b"5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899"
)


cdef inline void write_big_endian(uint8_t *at, uint64_t number, int size) noexcept nogil:
    cdef int i
    for i in range(size):
        at[i] = <uint8_t>(number >> 8 * (size - 1 - i))


cdef inline uint64_t zigzag(int64_t number) noexcept nogil:
    return <uint64_t>number << 1 ^ <uint64_t>(number >> 63)


cdef inline int varint_bytes(uint64_t bits) noexcept nogil:
    cdef int size = 1
    while bits >= 0x80:
        bits >>= 7
        size += 1
    return size


cdef inline uint8_t *write_varint(uint8_t *at, uint64_t bits) noexcept nogil:
    while bits >= 0x80:
        at[0] = <uint8_t>(bits | 0x80)
        at += 1
        bits >>= 7
    at[0] = <uint8_t>bits
    return at + 1


cdef inline uint8_t *write_sized(uint8_t *at, const uint8_t *data, int64_t size) noexcept nogil:
    """Write a length, -1 for none, and that many bytes."""
    at = write_varint(at, zigzag(size))
    if size <= 0:
        return at
    memcpy(at, data, <size_t>size)
    return at + size


cdef void builder_open(batch_builder *b, uint8_t *data, size_t capacity) noexcept nogil:
    memset(b, 0, sizeof(batch_builder))
    b.data = data
    b.capacity = capacity
    b.length = BATCH_HEADER_BYTES


cdef bint builder_add(
    batch_builder *b, const uint8_t *key, int64_t key_bytes, const uint8_t *value, int64_t value_bytes, int64_t timestamp_ms
) noexcept nogil:
    """Add a record; a size of -1 means that there is no key or no value. False: the batch is full, and as it was."""
    cdef uint64_t delta, offset_delta
    cdef int64_t body_bytes
    cdef uint8_t *at = b.data + b.length
    if b.capacity - b.length < <uint64_t>(max(key_bytes, 0) + max(value_bytes, 0) + RECORD_BYTES_AROUND):
        return False
    if b.record_count == INT32_MAX:
        return False
    if b.record_count == 0:
        b.base_timestamp_ms = b.max_timestamp_ms = timestamp_ms
    b.max_timestamp_ms = max(b.max_timestamp_ms, timestamp_ms)
    delta = zigzag(<int64_t>(<uint64_t>timestamp_ms - <uint64_t>b.base_timestamp_ms))
    offset_delta = zigzag(b.record_count)
    body_bytes = 2 + varint_bytes(delta) + varint_bytes(offset_delta) + max(key_bytes, 0) + max(value_bytes, 0)
    body_bytes += varint_bytes(zigzag(key_bytes)) + varint_bytes(zigzag(value_bytes))
    at = write_varint(at, zigzag(body_bytes))
    at[0] = 0
    at = write_varint(at + 1, delta)
    at = write_varint(at, offset_delta)
    at = write_sized(at, key, key_bytes)
    at = write_sized(at, value, value_bytes)
    at[0] = 0
    b.length = at + 1 - b.data
    b.record_count += 1
    return True


cdef size_t builder_close(batch_builder *b, int64_t base_offset) noexcept nogil:
    """Write the header of the batch, as of no producer; return the bytes of the batch."""
    cdef uint8_t *at = b.data
    write_big_endian(at, <uint64_t>base_offset, 8)
    write_big_endian(at + LENGTH_AT, b.length - BYTES_BEFORE_LENGTH_COUNTS, 4)
    write_big_endian(at + LEADER_EPOCH_AT, <uint64_t>-1, 4)
    at[MAGIC_AT] = BATCH_MAGIC
    write_big_endian(at + ATTRIBUTES_AT, 0, 2)
    write_big_endian(at + LAST_OFFSET_DELTA_AT, <uint64_t>(b.record_count - 1), 4)
    write_big_endian(at + BASE_TIMESTAMP_AT, <uint64_t>b.base_timestamp_ms, 8)
    write_big_endian(at + MAX_TIMESTAMP_AT, <uint64_t>b.max_timestamp_ms, 8)
    write_big_endian(at + PRODUCER_ID_AT, <uint64_t>-1, 8)
    write_big_endian(at + PRODUCER_EPOCH_AT, <uint64_t>-1, 2)
    write_big_endian(at + BASE_SEQUENCE_AT, <uint64_t>-1, 4)
    write_big_endian(at + RECORD_COUNT_AT, <uint64_t>b.record_count, 4)
    write_big_endian(at + CRC_AT, batch_crc(at, <int64_t>b.length), 4)
    return b.length


def build_batch(list records not None, int64_t base_offset=0):
    """Return one record batch of ``(key | None, value | None, timestamp_ms)``, at least one; keys and values are bytes."""
    cdef batch_builder builder
    cdef uint8_t *key_at
    cdef uint8_t *value_at
    cdef Py_ssize_t room = BATCH_HEADER_BYTES
    if not records:
        raise ValueError("a record batch has at least one record")
    for key, value, _ in records:
        room += RECORD_BYTES_AROUND + len(key or b"") + len(value or b"")
    batch = PyByteArray_FromStringAndSize(NULL, room)
    builder_open(&builder, <uint8_t *>PyByteArray_AS_STRING(batch), room)
    for key, value, timestamp_ms in records:
        key_at = NULL if key is None else <uint8_t *><bytes>key
        value_at = NULL if value is None else <uint8_t *><bytes>value
        builder_add(
            &builder, key_at, -1 if key is None else len(key), value_at, -1 if value is None else len(value), timestamp_ms
        )
    PyByteArray_Resize(batch, <Py_ssize_t>builder_close(&builder, base_offset))
    return batch


def set_batch_producer(uint8_t[::1] batch not None, int64_t producer_id, int16_t producer_epoch, int32_t base_sequence):
    """Write into one whole batch who produced it and the sequence number of its first record; the CRC-32C follows."""
    cdef uint8_t *at = &batch[0]
    if batch.shape[0] < BATCH_HEADER_BYTES:
        raise ValueError(f"{batch.shape[0]} bytes are no record batch")
    write_big_endian(at + PRODUCER_ID_AT, <uint64_t>producer_id, 8)
    write_big_endian(at + PRODUCER_EPOCH_AT, <uint64_t>producer_epoch, 2)
    write_big_endian(at + BASE_SEQUENCE_AT, <uint64_t>base_sequence, 4)
    write_big_endian(at + CRC_AT, batch_crc(at, batch.shape[0]), 4)


# --- Partitions: Kafka's default partitioner, so that every producer agrees ---------------------------------------------


cdef uint32_t murmur2(const uint8_t *data, size_t length) noexcept nogil:
    cdef uint32_t state = 0x9747B28Cu ^ <uint32_t>length
    cdef uint32_t word
    cdef size_t tail = length & 3
    cdef const uint8_t *end = data + (length - tail)
    while data < end:
        memcpy(&word, data, 4)
        word *= 0x5BD1E995u
        state = state * 0x5BD1E995u ^ (word ^ word >> 24) * 0x5BD1E995u
        data += 4
    if tail > 2:
        state ^= <uint32_t>data[2] << 16
    if tail > 1:
        state ^= <uint32_t>data[1] << 8
    if tail > 0:
        state = (state ^ data[0]) * 0x5BD1E995u
    state = (state ^ state >> 13) * 0x5BD1E995u
    return state ^ state >> 15


cdef inline uint32_t key_partition(const uint8_t *key, size_t key_bytes, uint32_t partition_count) noexcept nogil:
    return (murmur2(key, key_bytes) & 0x7FFFFFFFu) % partition_count


cdef inline void write_household_key(uint8_t *key, uint64_t household) noexcept nogil:
    """Write the 13 decimal digits of a household number; digits above them are lost."""
    cdef uint32_t high = <uint32_t>(household // 100_000_000 % 100_000)
    cdef uint32_t low = <uint32_t>(household % 100_000_000)
    cdef int at = HOUSEHOLD_DIGITS - 2
    while at > 4:
        memcpy(key + at, DIGIT_PAIRS + 2 * (low % 100), 2)
        low //= 100
        at -= 2
    while at > 0:
        memcpy(key + at, DIGIT_PAIRS + 2 * (high % 100), 2)
        high //= 100
        at -= 2
    key[0] = <uint8_t>(c'0' + high)


def partition_of(const uint8_t[::1] key not None, uint32_t partition_count):
    """Return the partition of a key, as Kafka's clients choose it."""
    if key.shape[0] == 0 or partition_count == 0:
        raise ValueError(f"a key of {key.shape[0]} bytes has no place in {partition_count} partitions")
    return key_partition(&key[0], key.shape[0], partition_count)


# --- Many events at once ------------------------------------------------------------------------------------------------


cdef inline uint64_t source_household(const event_source *source, int64_t event) noexcept nogil:
    cdef uint64_t household
    memcpy(&household, source.households + event * source.household_stride, 8)
    return household


cdef bint add_event(batch_builder *b, const event_source *source, int64_t event) noexcept nogil:
    """Add an event, with the key of its household; a number of more than 13 digits is none."""
    cdef uint8_t key[HOUSEHOLD_DIGITS]
    cdef uint64_t household = source_household(source, event)
    cdef int64_t key_bytes = HOUSEHOLD_DIGITS if household < HOUSEHOLD_LIMIT else -1
    cdef int64_t value_bytes = sizeof(packed_event)
    cdef int64_t begin = event * value_bytes
    if source.value_ends != NULL:
        begin = source.value_ends[event - 1] if event > 0 else 0
        value_bytes = source.value_ends[event] - begin
    write_household_key(key, household)
    return builder_add(b, key, key_bytes, source.values + begin, value_bytes, source.timestamps_ms[event])


cdef void order_by_partition(
    const event_source *source, uint32_t partition_count, uint32_t *partitions, int64_t *ends, int64_t *order
) noexcept nogil:
    """Fill ``order`` with the events of partition 0, then of 1, ...; those of one partition in their own order."""
    cdef uint8_t key[HOUSEHOLD_DIGITS]
    cdef int64_t event
    cdef uint64_t household
    cdef uint32_t partition
    memset(ends, 0, partition_count * sizeof(int64_t))
    for event in range(source.count):
        household = source_household(source, event)
        write_household_key(key, household)
        partitions[event] = key_partition(key, HOUSEHOLD_DIGITS, partition_count) if household < HOUSEHOLD_LIMIT else 0
        ends[partitions[event]] += 1
    for partition in range(1, partition_count):
        ends[partition] += ends[partition - 1]
    event = source.count
    while event > 0:
        event -= 1
        partition = partitions[event]
        ends[partition] -= 1
        order[ends[partition]] = event
    for partition in range(1, partition_count):
        ends[partition - 1] = ends[partition]
    ends[partition_count - 1] = source.count


cdef list batches_of_events(const event_source *source, const int64_t *order, int64_t count, Py_ssize_t max_batch_bytes):
    cdef batch_builder builder
    cdef int64_t done = 0
    cdef size_t size
    found = []
    if max_batch_bytes < BATCH_HEADER_BYTES:
        raise ValueError(f"{max_batch_bytes} bytes hold no record batch")
    while done < count:
        batch = PyByteArray_FromStringAndSize(NULL, max_batch_bytes)
        builder_open(&builder, <uint8_t *>PyByteArray_AS_STRING(batch), max_batch_bytes)
        with nogil:
            while done < count and add_event(&builder, source, order[done]):
                done += 1
            size = builder_close(&builder, 0)
        if builder.record_count == 0:
            raise ValueError(f"event {order[done]} does not fit a batch of {max_batch_bytes} bytes")
        PyByteArray_Resize(batch, <Py_ssize_t>size)
        found.append((batch, builder.record_count))
    return found


cdef list partitioned_batches(const event_source *source, uint32_t partition_count, Py_ssize_t max_batch_bytes):
    cdef int64_t *order = <int64_t *>PyMem_Malloc((source.count + partition_count) * sizeof(int64_t))
    cdef uint32_t *partitions = <uint32_t *>PyMem_Malloc(source.count * sizeof(uint32_t))
    cdef int64_t *ends = order + source.count
    cdef int64_t begin = 0
    cdef uint32_t partition
    found = []
    try:
        if order == NULL or partitions == NULL:
            raise MemoryError
        with nogil:
            order_by_partition(source, partition_count, partitions, ends, order)
        for partition in range(partition_count):
            for batch, record_count in batches_of_events(source, order + begin, ends[partition] - begin, max_batch_bytes):
                found.append((partition, batch, record_count))
            begin = ends[partition]
    finally:
        PyMem_Free(order)
        PyMem_Free(partitions)
    return found


def build_packed_batches(
    const uint8_t[::1] events not None,
    const int64_t[::1] timestamps_ms not None,
    uint32_t partition_count=1,
    Py_ssize_t max_batch_bytes=1_000_000,
):
    """Return ``(partition, batch, record count)`` of each batch that packed events make, keyed by household.

    ``events`` holds packed events of 64 bytes one after the other, ``timestamps_ms`` the time of each. The events of one
    partition stay in their order. A household of more than 13 digits is none: no key, and partition 0. Writes without the GIL.
    """
    cdef event_source source
    memset(&source, 0, sizeof(source))
    source.count = timestamps_ms.shape[0]
    if events.shape[0] != source.count * <int64_t>sizeof(packed_event) or partition_count == 0:
        raise ValueError(f"{events.shape[0]} bytes are not {source.count} packed events for {partition_count} partitions")
    if source.count == 0:
        return []
    source.values = &events[0]
    source.households = <const uint8_t *>&(<const packed_event *>&events[0]).household
    source.household_stride = sizeof(packed_event)
    source.timestamps_ms = &timestamps_ms[0]
    return partitioned_batches(&source, partition_count, max_batch_bytes)


def build_value_batches(
    const uint8_t[::1] values not None,
    const int64_t[::1] value_ends not None,
    const uint64_t[::1] households not None,
    const int64_t[::1] timestamps_ms not None,
    uint32_t partition_count=1,
    Py_ssize_t max_batch_bytes=1_000_000,
):
    """The same for values of any length: ``values`` holds them one after the other, ``value_ends`` where each ends in it."""
    cdef event_source source
    cdef int64_t event
    cdef int64_t before = 0
    memset(&source, 0, sizeof(source))
    source.count = timestamps_ms.shape[0]
    if value_ends.shape[0] != source.count or households.shape[0] != source.count or partition_count == 0:
        raise ValueError("value_ends, households and timestamps_ms must have one number for each event")
    for event in range(source.count):
        if value_ends[event] < before or value_ends[event] > values.shape[0]:
            raise ValueError(f"value_ends[{event}] is {value_ends[event]}, not between {before} and {values.shape[0]}")
        before = value_ends[event]
    if source.count == 0:
        return []
    source.values = &values[0] if values.shape[0] > 0 else NULL
    source.value_ends = &value_ends[0]
    source.households = <const uint8_t *>&households[0]
    source.household_stride = sizeof(uint64_t)
    source.timestamps_ms = &timestamps_ms[0]
    return partitioned_batches(&source, partition_count, max_batch_bytes)
