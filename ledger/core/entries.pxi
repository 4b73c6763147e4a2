# What an entry does to its accounts. Owns nothing; the engine, recovery and the projections all apply entries with this.


cdef inline void open_record(account_record *records, const journal_entry *entry, uint64_t seq) noexcept nogil:
    """Make the account of an open_account entry, in its slot."""
    cdef account_record *record = &records[entry.debit_slot]
    memset(record, 0, sizeof(account_record))
    memcpy(&record.id_low, entry.serial, 16)
    record.book = <uint16_t>entry.detail
    record.flags = <uint16_t>(entry.detail >> 16)
    record.last_seq = seq
    if entry.amount_fen != 0 or entry.reference_seq != 0:
        record.flags |= ACCOUNT_LIMITED
    if entry.reference_seq != 0:
        records[entry.reference_seq - 1].flags |= ACCOUNT_LIMITED


cdef inline void mark_account(account_record *record, const journal_entry *entry, uint64_t seq) noexcept nogil:
    """Freeze, unfreeze or close."""
    if entry.kind == ENTRY_KIND_FREEZE:
        record.flags |= ACCOUNT_FROZEN
    elif entry.kind == ENTRY_KIND_UNFREEZE:
        record.flags &= <uint16_t>~ACCOUNT_FROZEN
    else:
        record.flags |= ACCOUNT_CLOSED
    record.last_seq = seq


cdef inline void move_amount(
    account_record *debit, account_record *credit, const journal_entry *entry, uint64_t seq
) noexcept nogil:
    """Move the amount of any entry that has two accounts."""
    cdef uint64_t amount_fen = entry.amount_fen
    if entry.kind == ENTRY_KIND_TRANSFER or entry.kind == ENTRY_KIND_REVERSE:
        debit.debits_posted += amount_fen
        credit.credits_posted += amount_fen
    elif entry.kind == ENTRY_KIND_PENDING:
        debit.debits_pending += amount_fen
        credit.credits_pending += amount_fen
        if entry.flags & LEG_CLOSING_DEBIT:
            debit.flags |= ACCOUNT_CLOSED
        if entry.flags & LEG_CLOSING_CREDIT:
            credit.flags |= ACCOUNT_CLOSED
    else:
        debit.debits_pending -= amount_fen
        credit.credits_pending -= amount_fen
        if entry.kind == ENTRY_KIND_POST:
            debit.debits_posted += amount_fen
            credit.credits_posted += amount_fen
        elif entry.kind != ENTRY_KIND_RELEASE:
            if entry.flags & LEG_CLOSING_DEBIT:
                debit.flags &= <uint16_t>~ACCOUNT_CLOSED
            if entry.flags & LEG_CLOSING_CREDIT:
                credit.flags &= <uint16_t>~ACCOUNT_CLOSED
    debit.last_seq = seq
    credit.last_seq = seq


cdef inline bint has_two_accounts(const journal_entry *entry) noexcept nogil:
    return ENTRY_KIND_TRANSFER <= entry.kind <= ENTRY_KIND_REVERSE or entry.kind == ENTRY_KIND_RELEASE


cdef inline bint has_no_account(const journal_entry *entry) noexcept nogil:
    return entry.kind == ENTRY_KIND_CLOCK or entry.kind == ENTRY_KIND_NOTE


cdef inline bint posts_amount(const journal_entry *entry) noexcept nogil:
    """Whether the entry adds its amount to what is posted."""
    return entry.kind in (ENTRY_KIND_TRANSFER, ENTRY_KIND_POST, ENTRY_KIND_REVERSE)


cdef inline bint is_first_of_event(const journal_entry *entry) noexcept nogil:
    """Whether the entry stands for its event: the first leg of what was asked, not what came about on the way."""
    return entry.leg_count != 0 and entry.leg == 0 and entry.kind != ENTRY_KIND_RELEASE


cdef inline const uint8_t *event_serial(const journal_entry *entry) noexcept nogil:
    """The serial of the event that made an entry which is the first of its event."""
    if entry.kind == ENTRY_KIND_OPEN_ACCOUNT:
        return <const uint8_t *>&entry.debit_previous_seq
    return <const uint8_t *>&entry.serial[0]


cdef inline bint entry_fits(const journal_entry *entry, uint32_t account_count) noexcept nogil:
    """Whether an entry read from a journal names only accounts that are there, and an opening the next one."""
    if has_two_accounts(entry):
        return entry.debit_slot < account_count and entry.credit_slot < account_count
    if entry.kind == ENTRY_KIND_OPEN_ACCOUNT:
        return entry.debit_slot == account_count and entry.reference_seq <= account_count
    if has_no_account(entry):
        return True
    return ENTRY_KIND_FREEZE <= entry.kind <= ENTRY_KIND_CLOSE and entry.debit_slot < account_count


cdef inline void apply_entry_to_accounts(account_record *records, const journal_entry *entry, uint64_t seq) noexcept nogil:
    """Apply an entry that fits; an opening needs room in its slot, and whoever counts accounts counts it."""
    if has_two_accounts(entry):
        move_amount(&records[entry.debit_slot], &records[entry.credit_slot], entry, seq)
    elif entry.kind == ENTRY_KIND_OPEN_ACCOUNT:
        open_record(records, entry, seq)
    elif not has_no_account(entry):
        mark_account(&records[entry.debit_slot], entry, seq)
