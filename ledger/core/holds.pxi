# Holds: pending transfers that are neither posted, voided nor expired. Owns their table, found by the key and leg of the event
# that made them and by the seq of their entry, and the order in which they expire. Uses memory.pxi.
#
# Holds due at the same instant form a list in the order of their seq; a binary heap orders the instants. A million holds that
# expire together are one node of the heap.

cdef uint32_t NO_HOLD = 0xFFFFFFFF
cdef uint64_t HOLD_LIMIT = 1 << 28  # holds whose address space is reserved
cdef int64_t NEVER_DUE = 0x7FFFFFFFFFFFFFFF


cdef inline uint64_t hold_key_hash(const hold_table *table, const hold_key *key) noexcept nogil:
    cdef uint64_t rest = <uint64_t>key.channel << 32 | <uint64_t>key.business_date << 8 | key.leg
    return hash_pair(load_u64(key.serial), load_u64(key.serial + 8), table.hash_seed ^ rest * <uint64_t>0x9E3779B97F4A7C15)


cdef inline uint64_t number_hash(uint64_t number) noexcept nogil:
    return fold_multiply(number, <uint64_t>0x9E3779B97F4A7C15)


cdef int hold_table_open(hold_table *table, uint64_t hash_seed) noexcept nogil:
    memset(table, 0, sizeof(hold_table))
    table.hash_seed = hash_seed
    table.free_hold = NO_HOLD
    table.holds = <hold *>reserve_memory(HOLD_LIMIT * sizeof(hold))
    table.instants = <due_instant *>reserve_memory(HOLD_LIMIT * sizeof(due_instant))
    table.heap = <uint32_t *>reserve_memory(HOLD_LIMIT * sizeof(uint32_t))
    table.free_instant = NO_HOLD
    if table.holds == NULL or table.instants == NULL or table.heap == NULL:
        return -1
    return hold_index_resize(table, 1 << 10)


cdef void hold_table_close(hold_table *table) noexcept nogil:
    if table.holds != NULL:
        munmap(table.holds, HOLD_LIMIT * sizeof(hold))
    if table.instants != NULL:
        munmap(table.instants, HOLD_LIMIT * sizeof(due_instant))
    if table.heap != NULL:
        munmap(table.heap, HOLD_LIMIT * sizeof(uint32_t))
    free(table.by_key)
    free(table.by_seq)
    free(table.by_instant)
    memset(table, 0, sizeof(hold_table))


cdef int hold_index_resize(hold_table *table, uint64_t size) noexcept nogil:
    """Make the chains anew with ``size`` heads, a power of two. Return 0, or -1 without memory."""
    cdef uint32_t *by_key = <uint32_t *>malloc(size * sizeof(uint32_t))
    cdef uint32_t *by_seq = <uint32_t *>malloc(size * sizeof(uint32_t))
    cdef uint32_t *by_instant = <uint32_t *>malloc(size * sizeof(uint32_t))
    cdef uint32_t at
    if by_key == NULL or by_seq == NULL or by_instant == NULL:
        free(by_key)
        free(by_seq)
        free(by_instant)
        return -1
    memset(by_key, 0xFF, size * sizeof(uint32_t))
    memset(by_seq, 0xFF, size * sizeof(uint32_t))
    memset(by_instant, 0xFF, size * sizeof(uint32_t))
    free(table.by_key)
    free(table.by_seq)
    free(table.by_instant)
    table.by_key, table.by_seq, table.by_instant, table.index_mask = by_key, by_seq, by_instant, size - 1
    for at in range(table.used):
        if table.holds[at].seq != 0:
            hold_link(table, at)
    for at in range(table.instants_used):
        if table.instants[at].heap_at != NO_HOLD:
            instant_link(table, at)
    return 0


cdef inline void hold_link(hold_table *table, uint32_t at) noexcept nogil:
    cdef hold *held = &table.holds[at]
    cdef uint32_t *head = &table.by_key[hold_key_hash(table, &held.key) & table.index_mask]
    held.next_by_key, head[0] = head[0], at
    head = &table.by_seq[held.seq & table.index_mask]  # unhashed: new holds have seqs side by side, and so in one cache line
    held.next_by_seq, head[0] = head[0], at


cdef inline void instant_link(hold_table *table, uint32_t at) noexcept nogil:
    cdef uint32_t *head = &table.by_instant[number_hash(<uint64_t>table.instants[at].due_ms) & table.index_mask]
    table.instants[at].next_by_instant, head[0] = head[0], at


cdef uint32_t hold_find(const hold_table *table, const hold_key *key) noexcept nogil:
    """The hold that an event made with one of its legs, or NO_HOLD."""
    cdef uint32_t at = table.by_key[hold_key_hash(table, key) & table.index_mask]
    while at != NO_HOLD and memcmp(&table.holds[at].key, key, sizeof(hold_key)) != 0:
        at = table.holds[at].next_by_key
    return at


cdef uint32_t hold_find_seq(const hold_table *table, uint64_t seq) noexcept nogil:
    """The hold whose pending entry has this seq, or NO_HOLD."""
    cdef uint32_t at = table.by_seq[seq & table.index_mask]
    while at != NO_HOLD and table.holds[at].seq != seq:
        at = table.holds[at].next_by_seq
    return at


cdef inline int64_t due_at(const hold_table *table, uint32_t heap_at) noexcept nogil:
    return table.instants[table.heap[heap_at]].due_ms


cdef inline void heap_put(hold_table *table, uint32_t at, uint32_t instant) noexcept nogil:
    table.heap[at] = instant
    table.instants[instant].heap_at = at


cdef void heap_place(hold_table *table, uint32_t at, uint32_t instant) noexcept nogil:
    """Put an instant at a free place of the heap, or as far above or below as its due time says."""
    cdef int64_t due_ms = table.instants[instant].due_ms
    cdef uint32_t parent = (at - 1) // 2 if at > 0 else 0
    cdef uint32_t child
    while at > 0 and due_at(table, parent) > due_ms:
        heap_put(table, at, table.heap[parent])
        at = parent
        parent = (at - 1) // 2 if at > 0 else 0
    child = 2 * at + 1
    while child < table.heap_count:
        if child + 1 < table.heap_count and due_at(table, child + 1) < due_at(table, child):
            child += 1
        if due_ms <= due_at(table, child):
            break
        heap_put(table, at, table.heap[child])
        at = child
        child = 2 * at + 1
    heap_put(table, at, instant)


cdef due_instant *instant_of(hold_table *table, int64_t due_ms) noexcept nogil:
    """The list of the holds due at an instant, made where there is none."""
    cdef uint32_t at = table.by_instant[number_hash(<uint64_t>due_ms) & table.index_mask]
    while at != NO_HOLD and table.instants[at].due_ms != due_ms:
        at = table.instants[at].next_by_instant
    if at != NO_HOLD:
        return &table.instants[at]
    if table.free_instant != NO_HOLD:
        at = table.free_instant
        table.free_instant = table.instants[at].next_by_instant
    else:
        at = table.instants_used
        table.instants_used += 1
    table.instants[at].due_ms = due_ms
    table.instants[at].first = table.instants[at].last = NO_HOLD
    instant_link(table, at)
    table.heap_count += 1
    heap_place(table, table.heap_count - 1, at)
    return &table.instants[at]


cdef void instant_drop(hold_table *table, uint32_t instant) noexcept nogil:
    """Forget an instant whose list is empty: most holds are settled long before they are due."""
    cdef uint32_t at = table.instants[instant].heap_at
    cdef uint32_t *link = &table.by_instant[number_hash(<uint64_t>table.instants[instant].due_ms) & table.index_mask]
    while link[0] != instant:
        link = &table.instants[link[0]].next_by_instant
    link[0] = table.instants[instant].next_by_instant
    table.heap_count -= 1
    if at < table.heap_count:
        heap_place(table, at, table.heap[table.heap_count])
    table.instants[instant].heap_at = NO_HOLD
    table.instants[instant].next_by_instant = table.free_instant
    table.free_instant = instant


cdef uint32_t hold_add(hold_table *table, const hold *made) noexcept nogil:
    """Add a hold, its seq above all others due at the same instant; NO_HOLD where there is no memory or no room."""
    cdef uint32_t at = table.free_hold
    cdef hold *held
    cdef due_instant *instant
    if table.count > table.index_mask and hold_index_resize(table, (table.index_mask + 1) * 4) != 0:
        return NO_HOLD
    if at != NO_HOLD:
        table.free_hold = table.holds[at].next_due
        if table.free_hold != NO_HOLD:
            prefetch_two_lines(&table.holds[table.free_hold])
    elif table.used < HOLD_LIMIT:
        at = table.used
        table.used += 1
    else:
        return NO_HOLD
    held = &table.holds[at]
    held[0] = made[0]
    held.previous_due = held.next_due = NO_HOLD
    hold_link(table, at)
    table.count += 1
    if held.due_ms != NEVER_DUE:
        instant = instant_of(table, held.due_ms)
        held.previous_due = instant.last
        if instant.last == NO_HOLD:
            instant.first = at
        else:
            table.holds[instant.last].next_due = at
        instant.last = at
    return at


cdef void hold_remove(hold_table *table, uint32_t at) noexcept nogil:
    cdef hold *held = &table.holds[at]
    cdef due_instant *instant
    cdef uint32_t *link = &table.by_key[hold_key_hash(table, &held.key) & table.index_mask]
    while link[0] != at:
        link = &table.holds[link[0]].next_by_key
    link[0] = held.next_by_key
    link = &table.by_seq[held.seq & table.index_mask]
    while link[0] != at:
        link = &table.holds[link[0]].next_by_seq
    link[0] = held.next_by_seq
    if held.due_ms != NEVER_DUE:
        instant = instant_of(table, held.due_ms)
        if held.previous_due == NO_HOLD:
            instant.first = held.next_due
        else:
            table.holds[held.previous_due].next_due = held.next_due
        if held.next_due == NO_HOLD:
            instant.last = held.previous_due
        else:
            table.holds[held.next_due].previous_due = held.previous_due
        if instant.first == NO_HOLD:
            instant_drop(table, <uint32_t>(instant - table.instants))
    held.seq = 0
    held.next_due = table.free_hold
    table.free_hold = at
    table.count -= 1


cdef uint32_t hold_first_due(hold_table *table, int64_t now_ms) noexcept nogil:
    """The hold that expires next, if it is due by ``now_ms``; NO_HOLD otherwise."""
    if table.heap_count > 0 and due_at(table, 0) <= now_ms:
        return table.instants[table.heap[0]].first
    return NO_HOLD


cdef void entry_to_hold(const journal_entry *entry, uint64_t seq, hold *made) noexcept nogil:
    """The hold that a pending entry made."""
    memset(made, 0, sizeof(hold))
    made.seq = seq
    memcpy(made.key.serial, entry.serial, 16)
    made.key.channel = entry.channel
    made.key.business_date = entry.business_date
    made.key.leg = entry.leg
    made.amount_fen = entry.amount_fen
    made.detail = entry.detail
    made.debit_slot = entry.debit_slot
    made.credit_slot = entry.credit_slot
    made.code = entry.code
    made.flags = entry.flags
    made.value_date = entry.value_date
    made.event_type = entry.event_type
    made.due_ms = NEVER_DUE
    if entry.reference_seq != 0 and entry.ledger_time_ms < NEVER_DUE - <int64_t>entry.reference_seq * 1000:
        made.due_ms = entry.ledger_time_ms + <int64_t>entry.reference_seq * 1000
