# Idempotency keys. Owns one table a business date, each in KEY_TABLE_PARTS parts that grow on their own: in memory while keys are
# added to them, else mapped from the table's file and checked against its CRC when first probed. Uses memory.pxi and crc32c.h.
#
# A part is open addressing over 32-byte slots, two to a cache line, at most 7/10 full; nothing is ever deleted from it.

cdef uint64_t KEY_FAILED = <uint64_t>1 << 63
cdef uint64_t SEQ_MASK = (<uint64_t>1 << 48) - 1
cdef size_t LARGE_PART_BYTES = 2 << 20
cdef uint32_t[KEY_TABLE_PARTS] FIRST_PART_CAPACITY
for _part in range(KEY_TABLE_PARTS):
    # Spread over a doubling, so that the parts do not all grow at the same moment.
    FIRST_PART_CAPACITY[_part] = int(32 * 2 ** (_part / KEY_TABLE_PARTS))


cdef inline uint64_t key_hash(const uint8_t *serial, uint16_t channel, uint64_t hash_seed) noexcept nogil:
    return hash_pair(load_u64(serial), load_u64(serial + 8), hash_seed ^ (<uint64_t>channel << 32))


cdef inline key_part *key_part_of(key_table *table, uint64_t hash_) noexcept nogil:
    return &table.parts[hash_ >> 58]


cdef inline key_slot *key_home(const key_part *part, uint64_t hash_) noexcept nogil:
    return &part.slots[multiply_high(hash_ << 6, part.capacity)]


cdef inline key_slot *key_probe(const key_part *part, uint64_t hash_, const uint8_t *serial, uint16_t channel) noexcept nogil:
    """The slot of the key, or the empty slot where it belongs."""
    cdef key_slot *slot = key_home(part, hash_)
    cdef key_slot *end = part.slots + part.capacity
    cdef uint64_t low = load_u64(serial)
    cdef uint64_t high = load_u64(serial + 8)
    while slot.seq_and_channel != 0:
        if load_u64(slot.serial) == low and load_u64(slot.serial + 8) == high \
                and <uint16_t>(slot.seq_and_channel >> 48 & 0x7FFF) == channel:
            return slot
        slot += 1
        if slot == end:
            slot = part.slots
    return slot


cdef inline uint64_t slot_seq(const key_slot *slot) noexcept nogil:
    return slot.seq_and_channel & SEQ_MASK


cdef key_slot *allocate_slots(uint32_t capacity) noexcept nogil:
    cdef size_t length = <size_t>capacity * sizeof(key_slot)
    cdef void *slots = reserve_memory(length) if length >= LARGE_PART_BYTES else malloc(length)
    if slots != NULL:
        # Keys go everywhere, and a page that is first read and then written costs two faults and an interrupt of every thread.
        memset(slots, 0, length)
    return <key_slot *>slots


cdef void free_slots(key_part *part) noexcept nogil:
    cdef size_t length = <size_t>part.capacity * sizeof(key_slot)
    if part.slots == NULL or part.in_file:
        return
    if length >= LARGE_PART_BYTES:
        munmap(part.slots, length)
    else:
        free(part.slots)


cdef int key_part_resize(key_part *part, uint32_t capacity, uint64_t hash_seed) noexcept nogil:
    """Move the part's keys to memory of its own with ``capacity`` slots; return 0, or -1 where there is no memory."""
    cdef key_part moved = part[0]
    cdef key_slot *slot
    cdef uint16_t channel
    cdef uint32_t at
    moved.slots = allocate_slots(capacity)
    if moved.slots == NULL:
        return -1
    moved.capacity = capacity
    moved.in_file = False
    for at in range(part.capacity):
        slot = &part.slots[at]
        if slot.seq_and_channel != 0:
            channel = <uint16_t>(slot.seq_and_channel >> 48 & 0x7FFF)
            key_probe(&moved, key_hash(slot.serial, channel, hash_seed), slot.serial, channel)[0] = slot[0]
    free_slots(part)
    part[0] = moved
    return 0


cdef key_table *key_table_of(key_tables *tables, uint16_t business_date) noexcept nogil:
    """The table of a business date, made where there is none; NULL where there is no memory."""
    cdef key_table *table = tables.by_date[business_date]
    if table != NULL:
        return table
    table = <key_table *>calloc(1, sizeof(key_table))
    if table == NULL:
        return NULL
    table.business_date = business_date
    memset(table.clearing_slots, 0xFF, sizeof(table.clearing_slots))
    for at in range(KEY_TABLE_PARTS):
        table.parts[at].capacity = FIRST_PART_CAPACITY[at]
        table.parts[at].slots = allocate_slots(FIRST_PART_CAPACITY[at])
        if table.parts[at].slots == NULL:
            key_table_free(table)
            return NULL
    tables.by_date[business_date] = table
    return table


cdef void key_table_free(key_table *table) noexcept nogil:
    for at in range(KEY_TABLE_PARTS):
        free_slots(&table.parts[at])
    if table.file_map != NULL:
        munmap(table.file_map, table.file_bytes)
    free(table)


cdef int key_part_check(key_part *part) noexcept nogil:
    """Compare a mapped part with its CRC, once; return 0, or -1 where its file is damaged."""
    if part.in_file and not part.checked:
        if crc32c(0, part.slots, <size_t>part.capacity * sizeof(key_slot)) != part.crc32c:
            return -1
        part.checked = True
    return 0


cdef inline void fill_slot(
    key_table *table, key_part *part, key_slot *slot, const uint8_t *serial, uint16_t channel, uint64_t content_hash, uint64_t seq
) noexcept nogil:
    memcpy(slot.serial, serial, 16)
    slot.content_hash = content_hash
    slot.seq_and_channel = <uint64_t>channel << 48 | seq
    part.keys += 1
    table.keys_added += 1


cdef inline bint must_grow(const key_part *part) noexcept nogil:
    return part.in_file or <uint64_t>part.keys * 10 >= <uint64_t>part.capacity * 7


cdef inline bint key_fill(
    key_table *table, uint64_t hash_, key_slot *slot, const uint8_t *serial, uint16_t channel, uint64_t content_hash, uint64_t seq
) noexcept nogil:
    """Add a key at the empty slot that ``key_probe`` just found for it; False where the part must grow first."""
    cdef key_part *part = key_part_of(table, hash_)
    if must_grow(part):
        return False
    fill_slot(table, part, slot, serial, channel, content_hash, seq)
    return True


cdef int key_insert(
    key_tables *tables, key_table *table, uint64_t hash_, const uint8_t *serial, uint16_t channel, uint64_t content_hash,
    uint64_t seq
) noexcept nogil:
    """Add a key that may be there already, as it is when a part of the journal is applied again; 0, or -1 without memory."""
    cdef key_part *part = key_part_of(table, hash_)
    cdef key_slot *slot
    cdef uint32_t capacity = part.capacity
    if must_grow(part):
        slot = key_probe(part, hash_, serial, channel)
        if slot.seq_and_channel != 0:
            return 0
        if <uint64_t>part.keys * 2 >= capacity:
            capacity *= 2
        if key_part_resize(part, capacity, tables.hash_seed) != 0:
            return -1
    slot = key_probe(part, hash_, serial, channel)
    if slot.seq_and_channel == 0:
        fill_slot(table, part, slot, serial, channel, content_hash, seq)
    return 0


cdef int key_tables_open(key_tables *tables, uint64_t hash_seed) noexcept nogil:
    tables.hash_seed = hash_seed
    tables.by_date = <key_table **>calloc(1 << 16, sizeof(void *))
    return 0 if tables.by_date != NULL else -1


cdef void key_tables_close(key_tables *tables) noexcept nogil:
    if tables.by_date == NULL:
        return
    for date in range(1 << 16):
        if tables.by_date[date] != NULL:
            key_table_free(tables.by_date[date])
    free(tables.by_date)
    tables.by_date = NULL
