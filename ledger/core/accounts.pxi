# Accounts in memory. Owns the records, one cache line each, addressed by dense slot, and the index from account id to slot.
# Uses memory.pxi.
#
# The index is open addressing over 8-byte cells: the upper half of the id's hash, and slot + 1. A cell's home grows with its
# hash, so growing the index reads and writes memory in order and touches no account.


cdef uint64_t ACCOUNT_LIMIT = 1 << 31  # accounts whose address space is reserved: 128 GiB, of which only touched pages exist
cdef uint64_t INDEX_INITIAL_CELLS = 1 << 12


cdef int account_table_open(account_table *table, uint64_t hash_seed) noexcept nogil:
    """Return 0, or -1 where the system has no memory."""
    memset(table, 0, sizeof(account_table))
    table.hash_seed = hash_seed
    table.records = <account_record *>reserve_memory(ACCOUNT_LIMIT * sizeof(account_record))
    table.cells = <uint64_t *>reserve_memory(INDEX_INITIAL_CELLS * sizeof(uint64_t))
    table.cell_count = INDEX_INITIAL_CELLS
    return 0 if table.records != NULL and table.cells != NULL else -1


cdef void account_table_close(account_table *table) noexcept nogil:
    if table.records != NULL:
        munmap(table.records, ACCOUNT_LIMIT * sizeof(account_record))
    if table.cells != NULL:
        munmap(table.cells, table.cell_count * sizeof(uint64_t))
    memset(table, 0, sizeof(account_table))


cdef inline uint64_t account_hash(const account_table *table, uint64_t id_low, uint64_t id_high) noexcept nogil:
    return hash_pair(id_low, id_high, table.hash_seed) >> 32


cdef inline uint64_t account_home(const account_table *table, uint64_t hash_) noexcept nogil:
    return (hash_ * table.cell_count) >> 32


cdef inline void account_prefetch_cell(const account_table *table, uint64_t hash_) noexcept nogil:
    prefetch(&table.cells[account_home(table, hash_)], 0)


cdef inline uint32_t account_candidate(const account_table *table, uint64_t hash_) noexcept nogil:
    """The first slot whose hash agrees, or NO_SLOT. Its id may still be another's: only a hint for prefetching."""
    cdef uint64_t at = account_home(table, hash_)
    cdef uint64_t cell = table.cells[at]
    while cell != 0:
        if cell >> 32 == hash_:
            return <uint32_t>cell - 1
        at = at + 1 if at + 1 < table.cell_count else 0
        cell = table.cells[at]
    return NO_SLOT


cdef inline uint32_t account_find(const account_table *table, uint64_t id_low, uint64_t id_high, uint64_t hash_) noexcept nogil:
    """The slot of the account, or NO_SLOT."""
    cdef uint64_t at = account_home(table, hash_)
    cdef uint64_t cell = table.cells[at]
    cdef const account_record *record
    while cell != 0:
        if cell >> 32 == hash_:
            record = &table.records[<uint32_t>cell - 1]
            if record.id_low == id_low and record.id_high == id_high:
                return <uint32_t>cell - 1
        at = at + 1 if at + 1 < table.cell_count else 0
        cell = table.cells[at]
    return NO_SLOT


cdef inline void place_cell(uint64_t *cells, uint64_t cell_count, uint64_t cell) noexcept nogil:
    cdef uint64_t at = ((cell >> 32) * cell_count) >> 32
    while cells[at] != 0:
        at = at + 1 if at + 1 < cell_count else 0
    cells[at] = cell


cdef int account_index_grow(account_table *table, uint64_t cell_count) noexcept nogil:
    cdef uint64_t at
    cdef uint64_t *cells = <uint64_t *>reserve_memory(cell_count * sizeof(uint64_t))
    if cells == NULL:
        return -1
    for at in range(table.cell_count):
        if table.cells[at] != 0:
            place_cell(cells, cell_count, table.cells[at])
    munmap(table.cells, table.cell_count * sizeof(uint64_t))
    table.cells = cells
    table.cell_count = cell_count
    return 0


cdef uint32_t account_append(account_table *table, const account_record *record) noexcept nogil:
    """Add an account that is not there yet; return its slot, or NO_SLOT where there is no room."""
    cdef uint32_t slot = table.count
    cdef uint64_t hash_ = account_hash(table, record.id_low, record.id_high)
    if slot >= ACCOUNT_LIMIT:
        return NO_SLOT
    if <uint64_t>slot * 2 >= table.cell_count and account_index_grow(table, table.cell_count * 2) != 0:
        return NO_SLOT
    table.records[slot] = record[0]
    place_cell(table.cells, table.cell_count, hash_ << 32 | (slot + 1))
    table.count = slot + 1
    return slot


cdef int account_table_make_room(account_table *table, uint32_t count) noexcept nogil:
    """Take the memory that an empty table needs for ``count`` accounts; return 0, or -1 where there is none."""
    cdef uint64_t cell_count = table.cell_count
    while cell_count < <uint64_t>count * 2:
        cell_count *= 2
    if count > ACCOUNT_LIMIT or cell_count > table.cell_count and account_index_grow(table, cell_count) != 0:
        return -1
    touch_memory(table.records, <size_t>count * sizeof(account_record))
    touch_memory(table.cells, cell_count * sizeof(uint64_t))
    return 0


cdef int account_table_load(account_table *table, const account_record *records, uint32_t count) noexcept nogil:
    """Fill an empty table with ``count`` records in slot order; return 0, or -1 where there is no memory."""
    cdef uint64_t hash_
    cdef uint32_t slot
    cdef uint32_t ahead = 16
    if account_table_make_room(table, count) != 0:
        return -1
    memcpy(table.records, records, <size_t>count * sizeof(account_record))
    for slot in range(count):
        if slot + ahead < count:
            account_prefetch_cell(table, account_hash(table, records[slot + ahead].id_low, records[slot + ahead].id_high))
        hash_ = account_hash(table, records[slot].id_low, records[slot].id_high)
        place_cell(table.cells, table.cell_count, hash_ << 32 | (slot + 1))
    table.count = count
    return 0
