# Limits above accounts, and how much of an entry was reversed. Owns the exposure of every account that has a credit line, a
# parent or accounts below it, and the reversed amount of every entry that was reversed. Uses memory.pxi and entries.pxi.

cdef extern from * nogil:
    """
    static inline void wide_add(wide_int *sum, uint64_t amount) { *sum += amount; }
    static inline void wide_subtract(wide_int *sum, uint64_t amount) { *sum -= amount; }
    static inline int wide_exceeds(const wide_int *sum, uint64_t amount, uint64_t limit) { return *sum + amount > limit; }
    """
    void wide_add(wide_int *sum, uint64_t amount)
    void wide_subtract(wide_int *sum, uint64_t amount)
    bint wide_exceeds(const wide_int *sum, uint64_t amount, uint64_t limit)

cdef enum:
    LEAST_REVERSALS = 1 << 8  # places; a power of two

cdef uint64_t LIMIT_CAPACITY = 1 << 26


cdef int limit_table_open(limit_table *table) noexcept nogil:
    memset(table, 0, sizeof(limit_table))
    table.records = <limit_record *>reserve_memory(LIMIT_CAPACITY * sizeof(limit_record))
    table.index_of_slot = <uint32_t *>reserve_memory(ACCOUNT_LIMIT * sizeof(uint32_t))
    return 0 if table.records != NULL and table.index_of_slot != NULL else -1


cdef void limit_table_close(limit_table *table) noexcept nogil:
    if table.records != NULL:
        munmap(table.records, LIMIT_CAPACITY * sizeof(limit_record))
    if table.index_of_slot != NULL:
        munmap(table.index_of_slot, ACCOUNT_LIMIT * sizeof(uint32_t))
    memset(table, 0, sizeof(limit_table))


cdef uint32_t limit_of(limit_table *table, const account_record *accounts, uint32_t slot) noexcept nogil:
    """The index + 1 of the account's limit record, made where there is none; its exposure begins with its own balance."""
    cdef limit_record *record
    if table.index_of_slot[slot] == 0 and table.count < LIMIT_CAPACITY:
        record = &table.records[table.count]
        memset(record, 0, sizeof(limit_record))
        record.slot = slot
        wide_add(&record.exposure, accounts[slot].debits_pending)
        wide_add(&record.exposure, accounts[slot].debits_posted)
        wide_subtract(&record.exposure, accounts[slot].credits_posted)
        table.count += 1
        table.index_of_slot[slot] = table.count
    return table.index_of_slot[slot]


cdef int limit_open(limit_table *table, const account_record *accounts, const journal_entry *entry) noexcept nogil:
    """Note the credit line and the parent of an account that an entry opened; return 0, or -1 where there is no room."""
    cdef uint32_t own, parent = 0
    if entry.amount_fen == 0 and entry.reference_seq == 0:
        return 0
    own = limit_of(table, accounts, entry.debit_slot)
    if entry.reference_seq != 0:
        parent = limit_of(table, accounts, <uint32_t>entry.reference_seq - 1)
    if own == 0 or (entry.reference_seq != 0 and parent == 0):
        return -1
    table.records[own - 1].credit_line_fen = entry.amount_fen
    table.records[own - 1].parent = parent
    return 0


cdef int levels_above(const limit_table *table, uint32_t slot) noexcept nogil:
    """How many limits lie above an account."""
    cdef uint32_t at = table.index_of_slot[slot]
    cdef int levels = -1
    while at != 0:
        at = table.records[at - 1].parent
        levels += 1
    return max(levels, 0)


cdef uint64_t credit_line(const limit_table *table, const account_record *accounts, uint32_t slot) noexcept nogil:
    if slot == NO_SLOT or not accounts[slot].flags & ACCOUNT_LIMITED or table.index_of_slot[slot] == 0:
        return 0
    return table.records[table.index_of_slot[slot] - 1].credit_line_fen


cdef inline uint64_t add_saturating(uint64_t a, uint64_t b) noexcept nogil:
    return a + b if a + b >= a else AMOUNT_MAX


cdef uint8_t exceeded_level(
    const limit_table *table, const account_record *accounts, uint32_t slot, uint64_t amount_fen
) noexcept nogil:
    """The level, from 1, of the first limit above the account that another debit would exceed; 0 where there is none."""
    cdef const limit_record *record
    cdef uint32_t at
    cdef uint8_t level = 0
    if not accounts[slot].flags & ACCOUNT_LIMITED:
        return 0
    at = table.index_of_slot[slot]
    if at != 0:
        at = table.records[at - 1].parent
    while at != 0:
        record = &table.records[at - 1]
        level += 1
        if record.credit_line_fen != 0 and wide_exceeds(&record.exposure, amount_fen, record.credit_line_fen):
            return level
        at = record.parent
    return 0


cdef inline bint raises_exposure(const journal_entry *entry, bint is_debit) noexcept nogil:
    if not is_debit:
        return False
    return entry.kind == ENTRY_KIND_TRANSFER or entry.kind == ENTRY_KIND_REVERSE or entry.kind == ENTRY_KIND_PENDING


cdef inline bint lowers_exposure(const journal_entry *entry, bint is_debit) noexcept nogil:
    if is_debit:
        return entry.kind == ENTRY_KIND_VOID or entry.kind == ENTRY_KIND_EXPIRE or entry.kind == ENTRY_KIND_RELEASE
    return entry.kind == ENTRY_KIND_TRANSFER or entry.kind == ENTRY_KIND_REVERSE or entry.kind == ENTRY_KIND_POST


cdef void move_side(limit_table *table, uint32_t slot, const journal_entry *entry, bint is_debit, bint undo) noexcept nogil:
    """A post moves nothing on the debit side: what was pending becomes posted."""
    cdef bint raises = lowers_exposure(entry, is_debit) if undo else raises_exposure(entry, is_debit)
    cdef bint lowers = raises_exposure(entry, is_debit) if undo else lowers_exposure(entry, is_debit)
    cdef uint32_t at = table.index_of_slot[slot]
    while at != 0:
        if raises:
            wide_add(&table.records[at - 1].exposure, entry.amount_fen)
        elif lowers:
            wide_subtract(&table.records[at - 1].exposure, entry.amount_fen)
        at = table.records[at - 1].parent


cdef inline void move_limits(
    limit_table *table, const account_record *accounts, const journal_entry *entry, bint undo
) noexcept nogil:
    """Move the exposures of both accounts of an entry and of all above them; ``undo`` takes it back."""
    if accounts[entry.debit_slot].flags & ACCOUNT_LIMITED:
        move_side(table, entry.debit_slot, entry, True, undo)
    if accounts[entry.credit_slot].flags & ACCOUNT_LIMITED:
        move_side(table, entry.credit_slot, entry, False, undo)


cdef int reversal_table_open(reversal_table *table) noexcept nogil:
    table.mask = LEAST_REVERSALS - 1
    table.count = 0
    table.places = <reversal_place *>calloc(table.mask + 1, sizeof(reversal_place))
    return 0 if table.places != NULL else -1


cdef inline reversal_place *find_reversal(const reversal_table *table, uint64_t seq) noexcept nogil:
    """The place of an entry that was reversed, or the free one where it belongs."""
    cdef uint64_t at = number_hash(seq) & table.mask
    while table.places[at].seq != 0 and table.places[at].seq != seq:
        at = (at + 1) & table.mask
    return &table.places[at]


cdef inline uint64_t reversed_amount(const reversal_table *table, uint64_t seq) noexcept nogil:
    return find_reversal(table, seq).reversed_fen


cdef int copy_reversals(reversal_table *table, uint64_t mask, uint64_t first_seq) noexcept nogil:
    """Have a table of another size, without the entries before ``first_seq``; return 0, or -1 without memory."""
    cdef reversal_table copy
    cdef uint64_t at
    copy.mask = mask
    copy.count = 0
    copy.places = <reversal_place *>calloc(mask + 1, sizeof(reversal_place))
    if copy.places == NULL:
        return -1
    for at in range(table.mask + 1):
        if table.places[at].seq != 0 and table.places[at].seq >= first_seq:
            find_reversal(&copy, table.places[at].seq)[0] = table.places[at]
            copy.count += 1
    free(table.places)
    table[0] = copy
    return 0


cdef int forget_reversed(reversal_table *table, uint64_t first_seq) noexcept nogil:
    """Forget what was reversed of entries before ``first_seq``, and give their memory back; return 0, or -1 without memory."""
    cdef uint64_t kept = 0, mask = LEAST_REVERSALS - 1
    cdef uint64_t at
    for at in range(table.mask + 1):
        kept += table.places[at].seq != 0 and table.places[at].seq >= first_seq
    if kept == table.count:
        return 0
    while kept * 2 > mask:
        mask = mask * 2 + 1
    return copy_reversals(table, mask, first_seq)


cdef int add_reversed(reversal_table *table, uint64_t seq, uint64_t amount_fen) noexcept nogil:
    """Count what was reversed of an entry; return 0, or -1 without memory."""
    cdef reversal_place *place
    if table.count * 2 > table.mask and copy_reversals(table, table.mask * 2 + 1, 0) != 0:
        return -1
    place = find_reversal(table, seq)
    if place.seq == 0:
        place.seq = seq
        table.count += 1
    place.reversed_fen += amount_fen
    return 0
