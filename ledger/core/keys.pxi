# Idempotency keys. Owns one table a business date, in parts that grow on their own: in memory while keys are added to them, else
# mapped from the table's file and checked against its CRC when first probed. Uses memory.pxi, page_pool.pxi and crc32c.h.
#
# A table is an extendible hash (Fagin and others, Extendible Hashing, 1979): a directory, addressed by the first bits of a key's
# hash, of parts. In a part the keys stand one behind the other as they came, 32 bytes each, behind lines of tags that say where:
# a key's hash leads to a line of sixteen, and from a line that is full to the next one. Nothing is ever deleted. A part doubles
# until it fills a huge page, then it splits in two by the next bit of the hash: growing never takes longer than that.

cdef extern from * nogil:
    """
    /* A bit for each of the sixteen tags of a line that is this one. */
    #ifdef __SSE2__
    static inline unsigned int tags_alike(const uint16_t *tags, uint16_t tag) {
        const __m128i *halves = (const __m128i *)tags;
        __m128i wanted = _mm_set1_epi16((short)tag);
        __m128i low = _mm_cmpeq_epi16(_mm_loadu_si128(halves), wanted);
        __m128i high = _mm_cmpeq_epi16(_mm_loadu_si128(halves + 1), wanted);
        return (unsigned int)_mm_movemask_epi8(_mm_packs_epi16(low, high));
    }
    #else
    static inline unsigned int tags_alike(const uint16_t *tags, uint16_t tag) {
        unsigned int alike = 0;
        for (int at = 0; at < KEY_LINE_PLACES; at++) alike |= (unsigned int)(tags[at] == tag) << at;
        return alike;
    }
    #endif
    """
    unsigned int tags_alike(const uint16_t *tags, uint16_t tag)
    int __builtin_ctz(unsigned int bits)

cdef uint64_t KEY_FAILED = <uint64_t>1 << 63
cdef uint64_t SEQ_MASK = (<uint64_t>1 << 48) - 1
cdef uint32_t PAGE_UNITS = HUGE_PAGE_BYTES // KEY_UNIT_BYTES
cdef uint8_t MAX_KEY_DEPTH = 32


cdef inline uint64_t key_hash(const uint8_t *serial, uint16_t channel, uint64_t hash_seed) noexcept nogil:
    return hash_pair(load_u64(serial), load_u64(serial + 8), hash_seed ^ (<uint64_t>channel << 32))


cdef inline key_part *key_part_of(const key_table *table, uint64_t hash_) noexcept nogil:
    return table.parts[(hash_ >> 1) >> (63 - table.depth)]


cdef inline key_line *key_home(const key_part *part, uint64_t hash_) noexcept nogil:
    """The line where to look first."""
    return &part.lines[multiply_high(hash_ << part.depth, part.line_count)]


cdef inline key_line *next_line(const key_part *part, key_line *line) noexcept nogil:
    return line + 1 if line + 1 < part.lines + part.line_count else part.lines


cdef inline uint16_t key_tag(uint64_t hash_) noexcept nogil:
    """The last bits of the hash; the first ones lead to part and line. Never 0, which is a free place."""
    return <uint16_t>(hash_ | 1)


cdef inline uint16_t slot_channel(const key_slot *slot) noexcept nogil:
    return <uint16_t>(slot.seq_and_channel >> 48 & 0x7FFF)


cdef inline uint64_t slot_seq(const key_slot *slot) noexcept nogil:
    return slot.seq_and_channel & SEQ_MASK


cdef key_slot *key_among(
    const key_part *part, const key_line *line, unsigned int alike, const uint8_t *serial, uint16_t channel
) noexcept nogil:
    """The slot of the key among those of a line with its tag; NULL where it is none of them."""
    cdef key_slot *slot
    while alike:
        slot = &part.slots[line.places[__builtin_ctz(alike)]]
        if memcmp(slot.serial, serial, 16) == 0 and slot_channel(slot) == channel:
            return slot
        alike &= alike - 1
    return NULL


cdef inline key_slot *key_probe(const key_part *part, uint64_t hash_, const uint8_t *serial, uint16_t channel) noexcept nogil:
    """The slot of the key; NULL where the part does not have it."""
    cdef key_line *line = key_home(part, hash_)
    cdef key_slot *slot
    cdef unsigned int alike
    while True:
        alike = tags_alike(line.tags, key_tag(hash_))
        if alike:
            slot = key_among(part, line, alike, serial, channel)
            if slot != NULL:
                return slot
        if line.tags[KEY_LINE_PLACES - 1] == 0:
            return NULL
        line = next_line(part, line)


cdef inline key_slot *key_add(key_part *part, uint64_t hash_) noexcept nogil:
    """The slot for a key that the part does not have, and has room for."""
    cdef key_line *line = key_home(part, hash_)
    cdef key_slot *slot = &part.slots[part.keys]
    cdef int at
    while line.tags[KEY_LINE_PLACES - 1] != 0:
        line = next_line(part, line)
    at = __builtin_ctz(tags_alike(line.tags, 0))
    line.tags[at] = key_tag(hash_)
    line.places[at] = <uint16_t>part.keys
    part.keys += 1
    prefetch(slot + 2, 1)
    return slot


cdef inline size_t part_bytes(const key_part *part) noexcept nogil:
    return <size_t>part.units * KEY_UNIT_BYTES


cdef inline bint is_part_size(uint32_t units) noexcept nogil:
    return 0 < units <= PAGE_UNITS and units & (units - 1) == 0


cdef void place_part(key_part *part, void *memory, uint32_t units) noexcept nogil:
    """Have a part stand at ``memory``."""
    part.units = units
    part.line_count = units * KEY_UNIT_LINES
    part.lines = <key_line *>memory
    part.slots = <key_slot *>(part.lines + part.line_count)


cdef void *allocate_units(page_pool *pool, uint32_t units) noexcept nogil:
    cdef void *memory = NULL
    if units == PAGE_UNITS:
        return pool_take(pool)
    if posix_memalign(&memory, sizeof(key_line), <size_t>units * KEY_UNIT_BYTES) != 0:
        return NULL
    memset(memory, 0, <size_t>units * KEY_UNIT_BYTES)
    return memory


cdef void free_units(page_pool *pool, key_part *part) noexcept nogil:
    if part.in_file or part.lines == NULL:
        return
    if part.units == PAGE_UNITS:
        pool_return(pool, <uint8_t *>part.lines)
    else:
        free(part.lines)


cdef uint32_t most_keys(uint32_t units, uint8_t depth, uint64_t hash_) noexcept nogil:
    """How many keys a part takes before it grows: 80 to 100 % of its room, so that a large table's do not all grow at once."""
    cdef uint64_t first_bits = (hash_ >> 1) >> (63 - depth)
    cdef uint32_t room = units * KEY_UNIT_SLOTS
    return room - <uint32_t>multiply_high(first_bits * <uint64_t>0x9E3779B97F4A7C15, room // 5)


cdef key_part *new_part(page_pool *pool, uint32_t units, uint8_t depth, uint64_t hash_) noexcept nogil:
    """An empty part for the keys whose hashes agree with ``hash_`` in the first ``depth`` bits; NULL where there is no memory."""
    cdef key_part *part = <key_part *>calloc(1, sizeof(key_part))
    cdef void *memory
    if part == NULL:
        return NULL
    memory = allocate_units(pool, units)
    if memory == NULL:
        free(part)
        return NULL
    place_part(part, memory, units)
    part.depth = depth
    part.most_keys = most_keys(units, depth, hash_)
    return part


cdef void free_part(page_pool *pool, key_part *part) noexcept nogil:
    if part != NULL:
        free_units(pool, part)
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


cdef void fetch_lines(key_part *part) noexcept nogil:
    """Have the lines of an empty part in the cache: one behind the other they come faster than as hashes want them."""
    cdef uint32_t at
    for at in range(part.line_count):
        part.lines[at].tags[0] = 0


cdef void move_keys(const key_part *old, key_part *low, key_part *high, uint64_t hash_seed) noexcept nogil:
    """Put the keys of a part into two, by the bit of the hash behind its depth; the two may be one."""
    cdef const key_slot *slot
    cdef uint64_t hash_
    cdef uint32_t at
    fetch_lines(low)
    fetch_lines(high)
    for at in range(old.keys):
        slot = &old.slots[at]
        hash_ = key_hash(slot.serial, slot_channel(slot), hash_seed)
        key_add(high if (hash_ << old.depth) >> 63 else low, hash_)[0] = slot[0]


cdef int key_part_copy(key_tables *tables, key_part *part) noexcept nogil:
    """Take a part out of its file into memory."""
    cdef void *memory = allocate_units(&tables.pool, part.units)
    if memory == NULL:
        return -1
    memcpy(memory, part.lines, part_bytes(part))
    place_part(part, memory, part.units)
    part.in_file = False
    return 0


cdef int key_part_double(key_tables *tables, key_table *table, key_part *part, uint64_t hash_) noexcept nogil:
    cdef key_part *larger = new_part(&tables.pool, part.units * 2, part.depth, hash_)
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
    low = new_part(&tables.pool, part.units, part.depth + 1, hash_ & ~high_bit)
    high = new_part(&tables.pool, part.units, part.depth + 1, hash_ | high_bit)
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
        elif part.units < PAGE_UNITS:
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
        table.parts[0] = new_part(&tables.pool, 1, 0, 0)
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


cdef bint lines_are_sound(const key_part *part) noexcept nogil:
    """Whether every place that is taken leads to a key of the part, and each of its keys has one."""
    cdef const key_line *line
    cdef uint32_t at, found = 0
    cdef int i
    for at in range(part.line_count):
        line = &part.lines[at]
        for i in range(KEY_LINE_PLACES):
            if line.tags[i] != 0:
                found += 1
                if line.places[i] >= part.keys or i > 0 and line.tags[i - 1] == 0:
                    return False
    return found == part.keys


cdef int key_part_check(key_part *part) noexcept nogil:
    """Compare a mapped part with its CRC, once; return 0, or -1 where its file is damaged."""
    if part.in_file and not part.checked:
        if crc32c(0, part.lines, part_bytes(part)) != part.crc32c or not lines_are_sound(part):
            return -1
        part.checked = True
    return 0


cdef inline void key_fill(
    key_table *table, key_part *part, uint64_t hash_, const uint8_t *serial, uint16_t channel, uint64_t content_hash, uint64_t seq
) noexcept nogil:
    """Add a key that the part does not have, and has room for."""
    cdef key_slot *slot = key_add(part, hash_)
    memcpy(slot.serial, serial, 16)
    slot.content_hash = content_hash
    slot.seq_and_channel = <uint64_t>channel << 48 | seq
    table.keys_added += 1


cdef int key_insert(
    key_tables *tables, key_table *table, uint64_t hash_, const uint8_t *serial, uint16_t channel, uint64_t content_hash,
    uint64_t seq
) noexcept nogil:
    """Add a key that may be there already, as it is when a part of the journal is applied again; 0, or -1 without memory."""
    if key_probe(key_part_of(table, hash_), hash_, serial, channel) != NULL:
        return 0
    return key_insert_new(tables, table, hash_, serial, channel, content_hash, seq)


cdef inline int key_insert_new(
    key_tables *tables, key_table *table, uint64_t hash_, const uint8_t *serial, uint16_t channel, uint64_t content_hash,
    uint64_t seq
) noexcept nogil:
    """Add a key that is not there; 0, or -1 without memory."""
    if must_grow(key_part_of(table, hash_)) and key_part_grow(tables, table, hash_) != 0:
        return -1
    key_fill(table, key_part_of(table, hash_), hash_, serial, channel, content_hash, seq)
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
