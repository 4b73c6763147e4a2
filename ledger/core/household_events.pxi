# Bills, and the payments that a clearing account pays at once: most events are these. channel_events.pxi posts all others without
# legs. Owns nothing; uses accounts, keys, transfers.

cdef uint16_t BOOK = 1


cdef uint64_t year_month_day(uint16_t date) noexcept nogil:
    """A date as the decimal number yyyymmdd, by Howard Hinnant's civil_from_days."""
    cdef uint64_t days = <uint64_t>date + 719468
    cdef uint64_t era_day = days % 146097
    cdef uint64_t era_year = (era_day - era_day // 1460 + era_day // 36524 - era_day // 146096) // 365
    cdef uint64_t year_day = era_day - (365 * era_year + era_year // 4 - era_year // 100)
    cdef uint64_t shifted_month = (5 * year_day + 2) // 153
    cdef uint64_t month = shifted_month + 3 if shifted_month < 10 else shifted_month - 9
    cdef uint64_t year = era_year + days // 146097 * 400 + (1 if month <= 2 else 0)
    return year * 10000 + month * 100 + year_day - (153 * shifted_month + 2) // 5 + 1


cdef inline uint64_t content_hash(const packed_event *event, uint64_t hash_seed) noexcept nogil:
    """What an event says besides its key; never 0."""
    cdef uint64_t rest = hash_pair(event.detail, event.value_date, hash_seed)
    if event.payer | event.terminal:
        rest = hash_pair(event.payer, event.terminal, rest)
    return hash_pair(event.household ^ <uint64_t>event.event_type << 56, <uint64_t>event.amount_fen, rest) | 1


cdef uint32_t open_on_the_way(
    Posting posting, const prepared_event *prepared, uint64_t id_low, uint64_t id_high, uint16_t flags
) noexcept nogil:
    """Open an account that an event needs; return its slot, or NO_SLOT without memory."""
    cdef account_record record
    cdef journal_entry *entry
    cdef uint32_t slot
    memset(&record, 0, sizeof(record))
    record.id_low = id_low
    record.id_high = id_high
    slot = account_append(&posting.accounts, &record)
    if slot == NO_SLOT:
        return NO_SLOT
    entry = posting.next_entry(prepared)
    memcpy(entry.serial, &id_low, 8)
    memcpy(entry.serial + 8, &id_high, 8)
    entry.detail = <uint64_t>flags << 16 | BOOK
    entry.debit_slot = slot
    entry.credit_slot = NO_SLOT
    entry.kind = ENTRY_KIND_OPEN_ACCOUNT
    entry.code = ENTRY_CODE_OPEN_ACCOUNT
    open_record(posting.accounts.records, entry, posting.last_seq)
    return slot


cdef inline uint64_t channel_and_date(const packed_event *event) noexcept nogil:
    """The number of a clearing account."""
    return <uint64_t>event.channel * 100_000_000 + year_month_day(event.business_date)


cdef void counter_account(const packed_event *event, uint64_t *id_low, uint64_t *id_high) noexcept nogil:
    """The id of the account against the household."""
    if event.event_type == EVENT_TYPE_BILL:
        id_low[0], id_high[0] = BOOK, account_id_high(ACCOUNT_KIND_REVENUE, 5)
    else:
        id_low[0], id_high[0] = channel_and_date(event), account_id_high(ACCOUNT_KIND_CLEARING, 11)


cdef uint32_t *counter_slot(Posting posting, const packed_event *event, key_table *table) noexcept nogil:
    """Where the slot of the account against the household is kept, NO_SLOT where it is not open."""
    cdef uint64_t id_low, id_high
    cdef uint32_t *known = \
        &posting.revenue_slot if event.event_type == EVENT_TYPE_BILL else &table.clearing_slots[event.channel]
    if known[0] == NO_SLOT:
        counter_account(event, &id_low, &id_high)
        known[0] = account_find(&posting.accounts, id_low, id_high, account_hash(&posting.accounts, id_low, id_high))
    return known


cdef uint16_t household_event(Posting posting, const prepared_event *prepared, key_table *table) noexcept nogil:
    """Open what is missing and move the amount; or say why not."""
    cdef const packed_event *event = &prepared.event
    cdef bint is_bill = event.event_type == EVENT_TYPE_BILL
    cdef uint64_t household_high = account_id_high(ACCOUNT_KIND_HOUSEHOLD, 13)
    cdef uint64_t counter_low, counter_high
    cdef uint32_t *counter = counter_slot(posting, event, table)
    cdef uint32_t household = prepared.household_slot
    cdef uint16_t code
    if household == NO_SLOT or posting.accounts.records[household].id_low != event.household \
            or posting.accounts.records[household].id_high != household_high:
        household = account_find(&posting.accounts, event.household, household_high, prepared.household_hash)
    if is_bill:
        code = check_household_event(posting, household, counter[0], <uint64_t>event.amount_fen)
    else:
        code = check_household_event(posting, counter[0], household, <uint64_t>event.amount_fen)
    if code != OUTCOME_APPLIED:
        return code
    if is_bill and household == NO_SLOT:
        household = open_on_the_way(posting, prepared, event.household, household_high, 0)
    if counter[0] == NO_SLOT:
        counter_account(event, &counter_low, &counter_high)
        counter[0] = open_on_the_way(posting, prepared, counter_low, counter_high, 0)
    if not is_bill and household == NO_SLOT:
        household = open_on_the_way(posting, prepared, event.household, household_high, 0)
    if household == NO_SLOT or counter[0] == NO_SLOT:
        posting.stop_status = APPLY_NO_MEMORY
        return STOPPED_INSIDE_EVENT
    if is_bill:
        write_transfer(posting, prepared, household, counter[0])
    else:
        write_transfer(posting, prepared, counter[0], household)
    return OUTCOME_APPLIED


cdef inline uint16_t check_household_event(Posting posting, uint32_t debit, uint32_t credit, uint64_t amount_fen) noexcept nogil:
    cdef uint16_t code = check_books(posting, debit, credit, BOOK)
    return code if code != OUTCOME_APPLIED else check_amount(posting, debit, credit, amount_fen, False)


cdef inline void write_transfer(Posting posting, const prepared_event *prepared, uint32_t debit, uint32_t credit) noexcept nogil:
    cdef account_record *debit_account = &posting.accounts.records[debit]
    cdef account_record *credit_account = &posting.accounts.records[credit]
    cdef journal_entry *entry = posting.next_entry(prepared)
    memcpy(entry.serial, prepared.event.serial, 16)
    entry.amount_fen = <uint64_t>prepared.event.amount_fen
    entry.debit_previous_seq = debit_account.last_seq
    entry.credit_previous_seq = credit_account.last_seq
    entry.detail = prepared.event.detail
    entry.debit_slot = debit
    entry.credit_slot = credit
    entry.kind = ENTRY_KIND_TRANSFER
    entry.leg_count = 1
    entry.code = ENTRY_CODE_BILL if prepared.event.event_type == EVENT_TYPE_BILL else ENTRY_CODE_PAYMENT
    if (debit_account.flags | credit_account.flags) & ACCOUNT_LIMITED:
        move_limits(&posting.limits, posting.accounts.records, entry, False)
    move_amount(debit_account, credit_account, entry, posting.last_seq)
