# What posting holds besides accounts and keys: open holds, reversed amounts, limits. Owns the file keys/posting.state, which
# holds them as of one seq; uses holds.pxi and limits.pxi. The exposure of a limit is not in it: balances tell it.


cdef int by_hold_seq(const void *a, const void *b) noexcept nogil:
    cdef uint64_t first = (<const hold_record *>a).seq
    cdef uint64_t second = (<const hold_record *>b).seq
    return -1 if first < second else 1 if first > second else 0


cdef void write_holds(const hold_table *table, hold_record *records) noexcept nogil:
    cdef const hold *held
    cdef hold_record *record = records
    cdef uint32_t at
    for at in range(table.used):
        held = &table.holds[at]
        if held.seq == 0:
            continue
        memset(record, 0, sizeof(hold_record))
        memcpy(record.serial, held.key.serial, 16)
        record.seq, record.amount_fen, record.detail, record.due_ms = held.seq, held.amount_fen, held.detail, held.due_ms
        record.debit_slot, record.credit_slot = held.debit_slot, held.credit_slot
        record.channel, record.business_date, record.leg = held.key.channel, held.key.business_date, <uint8_t>held.key.leg
        record.value_date, record.code, record.flags, record.event_type = held.value_date, held.code, held.flags, held.event_type
        record += 1
    qsort(records, table.count, sizeof(hold_record), by_hold_seq)


cdef uint32_t read_hold(hold_table *table, const hold_record *record) noexcept nogil:
    cdef hold held
    memset(&held, 0, sizeof(held))
    memcpy(held.key.serial, record.serial, 16)
    held.seq, held.amount_fen, held.detail, held.due_ms = record.seq, record.amount_fen, record.detail, record.due_ms
    held.debit_slot, held.credit_slot = record.debit_slot, record.credit_slot
    held.key.channel, held.key.business_date, held.key.leg = record.channel, record.business_date, record.leg
    held.value_date, held.code, held.flags, held.event_type = record.value_date, record.code, record.flags, record.event_type
    return hold_add(table, &held)


cdef bytes posting_state_bytes(Posting posting, bytes ledger_id, uint64_t frame):
    """The content of the file as of now; the last frame sealed is ``frame``."""
    cdef posting_state_header header
    cdef uint64_t holds_bytes = posting.holds.count * sizeof(hold_record)
    cdef uint64_t reversals_bytes = posting.reversals.count * sizeof(reversal_place)
    cdef uint64_t limits_bytes = posting.limits.count * sizeof(limit_place)
    cdef bytearray content = bytearray(sizeof(header) + holds_bytes + reversals_bytes + limits_bytes)
    cdef uint8_t[::1] view = content
    cdef uint8_t *place = &view[sizeof(header)] if len(content) > <Py_ssize_t>sizeof(header) else NULL
    cdef limit_place *limit
    cdef uint64_t at
    memset(&header, 0, sizeof(header))
    header.magic = POSTING_STATE_MAGIC
    header.format_version = FORMAT_VERSION
    memcpy(header.ledger_id, <const char *>ledger_id, 16)
    header.watermark_seq = posting.last_seq
    header.watermark_frame = frame
    header.hold_count = posting.holds.count
    header.reversal_count = posting.reversals.count
    header.limit_count = posting.limits.count
    if place != NULL:
        write_holds(&posting.holds, <hold_record *>place)
        place += holds_bytes
        for at in range(posting.reversals.mask + 1):
            if posting.reversals.places[at].seq != 0:
                memcpy(place, &posting.reversals.places[at], sizeof(reversal_place))
                place += sizeof(reversal_place)
        for at in range(posting.limits.count):
            limit = <limit_place *>place
            limit.slot = posting.limits.records[at].slot
            limit.parent = posting.limits.records[at].parent
            limit.credit_line_fen = posting.limits.records[at].credit_line_fen
            place += sizeof(limit_place)
    memcpy(&view[0], &header, sizeof(header))
    header.crc32c = crc32c(0, &view[8], view.shape[0] - 8)
    memcpy(&view[0], &header, sizeof(header))
    return bytes(content)


cdef uint64_t expected_state_bytes(const posting_state_header *header) noexcept nogil:
    return sizeof(posting_state_header) + header.hold_count * sizeof(hold_record) \
        + header.reversal_count * sizeof(reversal_place) + header.limit_count * sizeof(limit_place)


cdef int check_posting_state(bytes content, bytes ledger_id, str path) except -1:
    cdef const uint8_t *data = <const uint8_t *><const char *>content
    cdef const posting_state_header *header = <const posting_state_header *>data
    if len(content) < <Py_ssize_t>sizeof(posting_state_header) or header.magic != POSTING_STATE_MAGIC \
            or header.crc32c != crc32c(0, data + 8, len(content) - 8) \
            or memcmp(header.ledger_id, <const char *>ledger_id, 16) != 0 \
            or expected_state_bytes(header) != <uint64_t>len(content):
        raise KeyTableDamaged("the posting state is damaged or another ledger's", hint=KEYS_HINT, path=path)
    if header.format_version != FORMAT_VERSION:
        raise FormatVersionMismatch(
            "the posting state has another format", path=path, expected=FORMAT_VERSION, found=header.format_version)
    return 0


cdef int load_posting_state(Posting posting, bytes content, bytes ledger_id, str path) except -1:
    """Fill an empty posting from the file's content. Raises KeyTableDamaged, FormatVersionMismatch, MemoryError."""
    cdef const posting_state_header *header = <const posting_state_header *><const char *>content
    cdef const uint8_t *place = <const uint8_t *><const char *>content + sizeof(posting_state_header)
    cdef const reversal_place *reversed_
    cdef const limit_place *limit
    cdef uint64_t at
    check_posting_state(content, ledger_id, path)
    for at in range(header.hold_count):
        if read_hold(&posting.holds, <const hold_record *>place) == NO_HOLD:
            raise MemoryError("no memory for the holds")
        place += sizeof(hold_record)
    for at in range(header.reversal_count):
        reversed_ = <const reversal_place *>place
        if add_reversed(&posting.reversals, reversed_.seq, reversed_.reversed_fen) != 0:
            raise MemoryError("no memory for the reversals")
        place += sizeof(reversal_place)
    for at in range(header.limit_count):
        limit = <const limit_place *>place
        posting.limits.records[at].slot = limit.slot
        posting.limits.records[at].parent = limit.parent
        posting.limits.records[at].credit_line_fen = limit.credit_line_fen
        posting.limits.index_of_slot[limit.slot] = <uint32_t>at + 1
        place += sizeof(limit_place)
    posting.limits.count = <uint32_t>header.limit_count
    return 0


cdef int replay_posting_state(Posting posting, const journal_entry *entry, uint64_t seq) noexcept nogil:
    """Apply an entry of the journal to holds, reversals and limits; return 0, or -1 without memory."""
    cdef hold made
    cdef uint32_t at
    if entry.kind == ENTRY_KIND_PENDING:
        entry_to_hold(entry, seq, &made)
        return 0 if hold_add(&posting.holds, &made) != NO_HOLD else -1
    if entry.kind == ENTRY_KIND_REVERSE:
        return add_reversed(&posting.reversals, entry.reference_seq, entry.amount_fen)
    if entry.kind == ENTRY_KIND_OPEN_ACCOUNT:
        return limit_open(&posting.limits, posting.accounts.records, entry)
    if entry.kind == ENTRY_KIND_POST or entry.kind == ENTRY_KIND_VOID or entry.kind == ENTRY_KIND_EXPIRE:
        at = hold_find_seq(&posting.holds, entry.reference_seq)
        if at != NO_HOLD:
            hold_remove(&posting.holds, at)
    return 0


cdef void recompute_exposures(Posting posting) noexcept nogil:
    """The exposure of a limit is the sum of the balances of its account and of all accounts below it."""
    cdef limit_table *table = &posting.limits
    cdef const account_record *account
    cdef limit_record *record
    cdef uint32_t at, above
    for at in range(table.count):
        memset(&table.records[at].exposure, 0, sizeof(table.records[at].exposure))
    for at in range(table.count):
        account = &posting.accounts.records[table.records[at].slot]
        above = at + 1
        while above != 0:
            record = &table.records[above - 1]
            wide_add(&record.exposure, account.debits_pending)
            wide_add(&record.exposure, account.debits_posted)
            wide_subtract(&record.exposure, account.credits_posted)
            above = record.parent
