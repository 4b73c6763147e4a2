# Idempotency keys. Owns one table a business date, in parts that grow on their own: in memory while keys are added to them, else
# mapped from the table's file and checked against its CRC when first probed. Uses memory.pxi, page_pool.pxi and crc32c.h.
#
# A table is an extendible hash (Fagin and others, Extendible Hashing, 1979): a directory, addressed by the first bits of a key's
# hash, of parts. A part is open addressing over 32-byte slots, two to a cache line; nothing is ever deleted from it. It doubles
# until it fills a huge page, then it splits in two by the next bit of the hash: growing never takes longer than that.

cdef extern from * nogil:
    int __builtin_ctz(unsigned int bits)

cdef enum:
    SLOTS_PER_HOME = 4

cdef uint64_t KEY_FAILED = <uint64_t>1 << 63
cdef uint64_t SEQ_MASK = (<uint64_t>1 << 48) - 1
cdef uint32_t FIRST_PART_CAPACITY = 32
cdef uint32_t PAGE_SLOTS = HUGE_PAGE_BYTES // sizeof(key_slot)
cdef uint8_t MAX_KEY_DEPTH = 32
cdef uint32_t SLOTS_AHEAD = 32


cdef inline uint64_t key_hash(const uint8_t *serial, uint16_t channel, uint64_t hash_seed) noexcept nogil:
    return hash_pair(load_u64(serial), load_u64(serial + 8), hash_seed ^ (<uint64_t>channel << 32))


cdef inline key_part *key_part_of(const key_table *table, uint64_t hash_) noexcept nogil:
    return table.parts[(hash_ >> 1) >> (63 - table.depth)]


cdef inline key_slot *key_home(const key_part *part, uint64_t hash_) noexcept nogil:
    """Where to look first. Homes lie four slots apart, so that few searches leave the two cache lines that were prefetched."""
    return &part.slots[multiply_high(hash_ << part.depth, part.capacity // SLOTS_PER_HOME) * SLOTS_PER_HOME]


cdef inline unsigned int free_in_home(const key_slot *home) noexcept nogil:
    """A bit for each slot of a home that is free."""
    return (home[0].seq_and_channel == 0) | (home[1].seq_and_channel == 0) << 1 \
        | (home[2].seq_and_channel == 0) << 2 | (home[3].seq_and_channel == 0) << 3


cdef inline unsigned int alike_in_home(const key_slot *home, uint64_t low) noexcept nogil:
    """A bit for each slot of a home whose serial has this first half."""
    return (load_u64(home[0].serial) == low) | (load_u64(home[1].serial) == low) << 1 \
        | (load_u64(home[2].serial) == low) << 2 | (load_u64(home[3].serial) == low) << 3


cdef inline key_slot *key_probe(const key_part *part, uint64_t hash_, const uint8_t *serial, uint16_t channel) noexcept nogil:
    """The slot of the key, or the empty slot where it belongs.

    Most keys are new and most homes have room: these need no loop, whose end no processor could predict.
    """
    cdef key_slot *slot = key_home(part, hash_)
    cdef key_slot *end = part.slots + part.capacity
    cdef uint64_t low = load_u64(serial)
    cdef uint64_t high = load_u64(serial + 8)
    cdef unsigned int free_ = free_in_home(slot)
    if free_ != 0 and alike_in_home(slot, low) == 0:
        return slot + __builtin_ctz(free_)
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


cdef key_slot *allocate_slots(page_pool *pool, uint32_t capacity) noexcept nogil:
    if capacity == PAGE_SLOTS:
        return <key_slot *>pool_take(pool)
    return <key_slot *>calloc(capacity, sizeof(key_slot))


cdef void free_slots(page_pool *pool, key_part *part) noexcept nogil:
    if part.in_file or part.slots == NULL:
        return
    if part.capacity == PAGE_SLOTS:
        pool_return(pool, <uint8_t *>part.slots)
    else:
        free(part.slots)


cdef uint32_t most_keys(uint32_t capacity, uint8_t depth, uint64_t hash_) noexcept nogil:
    """How many keys a part takes before it grows: 50 to 70 %, so that those of a large table do not all grow at once."""
    cdef uint64_t first_bits = (hash_ >> 1) >> (63 - depth)
    return capacity // 2 + <uint32_t>multiply_high(first_bits * <uint64_t>0x9E3779B97F4A7C15, capacity // 5)


cdef key_part *new_part(page_pool *pool, uint32_t capacity, uint8_t depth, uint64_t hash_) noexcept nogil:
    """An empty part for the keys whose hashes agree with ``hash_`` in the first ``depth`` bits; NULL where there is no memory."""
    cdef key_part *part = <key_part *>calloc(1, sizeof(key_part))
    if part == NULL:
        return NULL
    part.slots = allocate_slots(pool, capacity)
    if part.slots == NULL:
        free(part)
        return NULL
    part.capacity = capacity
    part.depth = depth
    part.most_keys = most_keys(capacity, depth, hash_)
    return part


cdef void free_part(page_pool *pool, key_part *part) noexcept nogil:
    if part != NULL:
        free_slots(pool, part)
        free(part)


cdef int key_directory_double(key_table *table) noexcept nogil:
    cdef key_part **parts = <key_part **>malloc((<size_t>2 << table.depth) * sizeof(key_part *))
    cdef size_t at
    if parts == NULL or table.depth == MAX_KEY_DEPTH:
        free(parts)
        return -1
    for at in range(<size_t>1 << table.depth):
        parts[2 * at] = parts[2 * at + 1] = table.parts[at]
    free(table.parts)
    table.parts = parts
    table.depth += 1
    return 0


cdef void key_directory_put(key_table *table, key_part *part, uint64_t hash_) noexcept nogil:
    """Have the directory lead to ``part`` from every place that agrees with ``hash_`` in the part's bits."""
    cdef int free_bits = table.depth - part.depth
    cdef size_t first = ((hash_ >> 1) >> (63 - part.depth)) << free_bits
    for at in range(first, first + (<size_t>1 << free_bits)):
        table.parts[at] = part


cdef void move_keys(const key_part *old, key_part *low, key_part *high, uint64_t hash_seed) noexcept nogil:
    """Put the keys of a part into two, by the bit of the hash behind its depth; the two may be one."""
    cdef const key_slot *slot
    cdef key_slot *place
    cdef key_part *part
    cdef uint64_t hash_
    cdef uint16_t channel
    cdef uint32_t at
    for at in range(old.capacity):
        slot = &old.slots[at]
        if slot.seq_and_channel != 0:
            channel = <uint16_t>(slot.seq_and_channel >> 48 & 0x7FFF)
            hash_ = key_hash(slot.serial, channel, hash_seed)
            part = high if (hash_ << old.depth) >> 63 else low
            place = key_probe(part, hash_, slot.serial, channel)
            place[0] = slot[0]
            prefetch(place + SLOTS_AHEAD, 1)  # keys lie in the order of their hashes, in the new parts as in the old one
            part.keys += 1


cdef int key_part_copy(key_tables *tables, key_part *part) noexcept nogil:
    """Take a part out of its file into memory."""
    cdef key_slot *slots = allocate_slots(&tables.pool, part.capacity)
    if slots == NULL:
        return -1
    memcpy(slots, part.slots, <size_t>part.capacity * sizeof(key_slot))
    part.slots = slots
    part.in_file = False
    return 0


cdef int key_part_double(key_tables *tables, key_table *table, key_part *part, uint64_t hash_) noexcept nogil:
    cdef key_part *larger = new_part(&tables.pool, part.capacity * 2, part.depth, hash_)
    if larger == NULL:
        return -1
    move_keys(part, larger, larger, tables.hash_seed)
    key_directory_put(table, larger, hash_)
    free_part(&tables.pool, part)
    return 0


cdef int key_part_split(key_tables *tables, key_table *table, key_part *part, uint64_t hash_) noexcept nogil:
    cdef uint64_t high_bit = (<uint64_t>1 << 63) >> part.depth
    cdef key_part *low
    cdef key_part *high
    if part.depth == table.depth and key_directory_double(table) != 0:
        return -1
    low = new_part(&tables.pool, part.capacity, part.depth + 1, hash_ & ~high_bit)
    high = new_part(&tables.pool, part.capacity, part.depth + 1, hash_ | high_bit)
    if low == NULL or high == NULL:
        free_part(&tables.pool, low)
        free_part(&tables.pool, high)
        return -1
    move_keys(part, low, high, tables.hash_seed)
    key_directory_put(table, low, hash_ & ~high_bit)
    key_directory_put(table, high, hash_ | high_bit)
    free_part(&tables.pool, part)
    return 0


cdef inline bint must_grow(const key_part *part) noexcept nogil:
    return part.in_file or part.keys >= part.most_keys


cdef int key_part_grow(key_tables *tables, key_table *table, uint64_t hash_) noexcept nogil:
    """Make room for one more key with this hash; return 0, or -1 where there is no memory."""
    cdef key_part *part = key_part_of(table, hash_)
    cdef int status = 0
    while status == 0 and must_grow(part):
        if part.in_file:
            status = key_part_copy(tables, part)
        elif part.capacity < PAGE_SLOTS:
            status = key_part_double(tables, table, part, hash_)
        else:
            status = key_part_split(tables, table, part, hash_)
        part = key_part_of(table, hash_)
    return status


cdef key_table *new_table(uint16_t business_date) noexcept nogil:
    cdef key_table *table = <key_table *>calloc(1, sizeof(key_table))
    if table != NULL:
        table.business_date = business_date
        memset(table.clearing_slots, 0xFF, sizeof(table.clearing_slots))
    return table


cdef key_table *key_table_of(key_tables *tables, uint16_t business_date) noexcept nogil:
    """The table of a business date, made where there is none; NULL where there is no memory."""
    cdef key_table *table = tables.by_date[business_date]
    if table != NULL:
        return table
    table = new_table(business_date)
    if table == NULL:
        return NULL
    table.parts = <key_part **>calloc(1, sizeof(key_part *))
    if table.parts != NULL:
        table.parts[0] = new_part(&tables.pool, FIRST_PART_CAPACITY, 0, 0)
    if table.parts == NULL or table.parts[0] == NULL:
        key_table_free(&tables.pool, table)
        return NULL
    tables.by_date[business_date] = table
    return table


cdef inline uint64_t places_of(const key_table *table, const key_part *part) noexcept nogil:
    """How many places of the directory lead to a part."""
    return <uint64_t>1 << (table.depth - part.depth)


cdef void key_table_free(page_pool *pool, key_table *table) noexcept nogil:
    cdef uint64_t at = 0
    cdef key_part *part
    while table.parts != NULL and at < <uint64_t>1 << table.depth:
        part = table.parts[at]
        at += places_of(table, part) if part != NULL else 1
        free_part(pool, part)
    free(table.parts)
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
    cdef key_slot *slot = key_probe(part, hash_, serial, channel)
    if slot.seq_and_channel != 0:
        return 0
    if must_grow(part):
        if key_part_grow(tables, table, hash_) != 0:
            return -1
        part = key_part_of(table, hash_)
        slot = key_probe(part, hash_, serial, channel)
    fill_slot(table, part, slot, serial, channel, content_hash, seq)
    return 0


cdef int key_tables_open(key_tables *tables, uint64_t hash_seed) noexcept nogil:
    """Return 0, or -1 where the system has no memory. The tables must not move afterwards."""
    tables.hash_seed = hash_seed
    pool_open(&tables.pool)
    tables.by_date = <key_table **>calloc(1 << 16, sizeof(void *))
    return 0 if tables.by_date != NULL else -1


cdef void key_tables_close(key_tables *tables) noexcept nogil:
    if tables.by_date == NULL:
        return
    for date in range(1 << 16):
        if tables.by_date[date] != NULL:
            key_table_free(&tables.pool, tables.by_date[date])
    free(tables.by_date)
    tables.by_date = NULL
    pool_close(&tables.pool)
