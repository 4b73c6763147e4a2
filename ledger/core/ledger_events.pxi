# The ledger events that change accounts themselves, the expiry of holds, and how a known ledger event is compared with the one
# that came first. Owns nothing; uses transfers, holds, limits, entries.


cdef uint16_t ledger_event(Posting posting, const prepared_event *prepared) noexcept nogil:
    """Apply a ledger event with all its legs, or none of them."""
    cdef uint32_t entry_count = posting.frame.entry_count
    cdef uint8_t event_type = prepared.event.event_type
    cdef uint16_t code = OUTCOME_APPLIED
    cdef int at
    if event_type == EVENT_TYPE_CLOCK:
        return clock_event(posting, prepared)
    if event_type == EVENT_TYPE_OPEN_ACCOUNT:
        return open_account_event(posting, prepared, &prepared.legs[0])
    if EVENT_TYPE_FREEZE <= event_type <= EVENT_TYPE_CLOSE:
        return mark_event(posting, prepared, &prepared.legs[0])
    if event_type == EVENT_TYPE_REVERSE:
        code = reverse_event(posting, prepared, &prepared.legs[0])
    elif event_type == EVENT_TYPE_ADJUST:
        code = adjust_event(posting, prepared)
    else:
        for at in range(prepared.leg_count):
            posting.fault_leg = at
            code = transfer_leg(posting, prepared, &prepared.legs[at], at)
            if code != OUTCOME_APPLIED:
                break
    if code == OUTCOME_APPLIED:
        keep(posting)
    elif code != STOPPED_INSIDE_EVENT:
        take_back(posting, entry_count)
    return code


cdef uint64_t event_content_hash(const prepared_event *prepared, uint64_t hash_seed) noexcept nogil:
    """What an event says besides its key, its legs included; never 0."""
    cdef uint64_t hash_ = content_hash(&prepared.event, hash_seed)
    cdef const uint8_t *at = <const uint8_t *>prepared.legs
    cdef const uint8_t *end = at + prepared.leg_count * sizeof(packed_leg)
    while at < end:
        hash_ = hash_pair(load_u64(at), load_u64(at + 8), hash_) | 1
        at += 16
    return hash_


cdef bint is_transient(uint16_t code) noexcept nogil:
    """Whether the reason of a refusal may pass; such a refusal burns the key."""
    return code == OUTCOME_DEBIT_ACCOUNT_NOT_FOUND or code == OUTCOME_CREDIT_ACCOUNT_NOT_FOUND \
        or code == OUTCOME_PENDING_TRANSFER_NOT_FOUND or code == OUTCOME_REVERSAL_NOT_FOUND \
        or code == OUTCOME_DISPUTED_EVENT_NOT_FOUND \
        or code == OUTCOME_DEBIT_ACCOUNT_ALREADY_CLOSED or code == OUTCOME_CREDIT_ACCOUNT_ALREADY_CLOSED \
        or code == OUTCOME_BALANCE_NOT_ZERO \
        or code == OUTCOME_EXCEEDS_CREDITS or code == OUTCOME_EXCEEDS_DEBITS or code == OUTCOME_CREDIT_LINE_EXCEEDED \
        or code == OUTCOME_LIMIT_EXCEEDED or code == OUTCOME_ACCOUNT_FROZEN


cdef inline bint names_open_accounts(const journal_entry *entry, uint32_t account_count) noexcept nogil:
    """Whether an entry read back names only accounts that are there, and both where it must."""
    if has_two_accounts(entry):
        return entry.debit_slot < account_count and entry.credit_slot < account_count
    if has_no_account(entry):
        return entry.debit_slot == NO_SLOT and entry.credit_slot == NO_SLOT
    return entry.debit_slot < account_count and entry.credit_slot == NO_SLOT


cdef uint16_t mark_event(Posting posting, const prepared_event *prepared, const packed_leg *leg) noexcept nogil:
    """Freeze, unfreeze or close an account."""
    cdef bint is_close = prepared.event.event_type == EVENT_TYPE_CLOSE
    cdef journal_entry *entry
    cdef account_record *record
    cdef uint32_t slot
    if is_zero_id(leg.debit_account):
        return OUTCOME_DEBIT_ACCOUNT_ID_MUST_NOT_BE_ZERO
    if is_greatest_id(leg.debit_account):
        return OUTCOME_DEBIT_ACCOUNT_ID_MUST_NOT_BE_INT_MAX
    slot = slot_of_id(posting, leg.debit_account)
    if slot == NO_SLOT:
        return OUTCOME_DEBIT_ACCOUNT_NOT_FOUND
    record = &posting.accounts.records[slot]
    if is_close and record.flags & ACCOUNT_CLOSED:
        return OUTCOME_DEBIT_ACCOUNT_ALREADY_CLOSED
    if is_close and is_clearing(record) and not is_at_zero(record):
        return OUTCOME_BALANCE_NOT_ZERO
    entry = posting.next_entry(prepared)
    memcpy(entry.serial, prepared.event.serial, 16)
    entry.debit_slot = slot
    entry.credit_slot = NO_SLOT
    entry.debit_previous_seq = record.last_seq
    entry.leg_count = 1
    entry.kind = ENTRY_KIND_CLOSE
    if prepared.event.event_type == EVENT_TYPE_FREEZE:
        entry.kind = ENTRY_KIND_FREEZE
    elif prepared.event.event_type == EVENT_TYPE_UNFREEZE:
        entry.kind = ENTRY_KIND_UNFREEZE
    mark_account(record, entry, posting.last_seq)
    if is_close:
        set_date_closed(posting.closed_dates, record, True)
    return OUTCOME_APPLIED


cdef uint16_t clock_event(Posting posting, const prepared_event *prepared) noexcept nogil:
    """Nothing but an entry: the record's timestamp has moved the ledger clock already."""
    cdef journal_entry *entry = posting.next_entry(prepared)
    memcpy(entry.serial, prepared.event.serial, 16)
    entry.debit_slot = entry.credit_slot = NO_SLOT
    entry.leg_count = 1
    entry.kind = ENTRY_KIND_CLOCK
    return OUTCOME_APPLIED


cdef uint16_t check_opening(Posting posting, const packed_leg *leg, uint32_t parent) noexcept nogil:
    if leg.flags & LIMIT_FLAGS == LIMIT_FLAGS:
        return OUTCOME_FLAGS_ARE_MUTUALLY_EXCLUSIVE
    if leg.book == 0:
        return OUTCOME_LEDGER_MUST_NOT_BE_ZERO
    if is_zero_id(leg.credit_account):
        return OUTCOME_APPLIED
    if parent == NO_SLOT:
        return OUTCOME_CREDIT_ACCOUNT_NOT_FOUND
    if posting.accounts.records[parent].book != leg.book:
        return OUTCOME_ACCOUNTS_MUST_HAVE_THE_SAME_LEDGER
    return OUTCOME_LIMIT_CHAIN_TOO_LONG if levels_above(&posting.limits, parent) >= LIMIT_LEVELS else OUTCOME_APPLIED


cdef uint16_t compare_opening(Posting posting, const packed_leg *leg, uint32_t slot, uint32_t parent) noexcept nogil:
    """The answer to opening an account that is open."""
    cdef const account_record *record = &posting.accounts.records[slot]
    cdef uint32_t limit = posting.limits.index_of_slot[slot] if record.flags & ACCOUNT_LIMITED else 0
    cdef uint32_t present = posting.limits.records[limit - 1].parent if limit != 0 else 0
    cdef uint32_t present_slot = posting.limits.records[present - 1].slot if present != 0 else NO_SLOT
    cdef bint is_same_parent = present_slot == parent and (parent != NO_SLOT or is_zero_id(leg.credit_account))
    if record.flags & (LIMIT_FLAGS | ACCOUNT_CLOSED) != leg.flags:
        return OUTCOME_EXISTS_WITH_DIFFERENT_FLAGS
    if record.book != leg.book:
        return OUTCOME_EXISTS_WITH_DIFFERENT_LEDGER
    if credit_line(&posting.limits, posting.accounts.records, slot) != leg.amount_fen:
        return OUTCOME_EXISTS_WITH_DIFFERENT_AMOUNT
    return OUTCOME_EXISTS if is_same_parent else OUTCOME_EXISTS_WITH_DIFFERENT_CREDIT_ACCOUNT_ID


cdef uint16_t open_account_event(Posting posting, const prepared_event *prepared, const packed_leg *leg) noexcept nogil:
    cdef journal_entry *entry
    cdef account_record record
    cdef uint32_t slot
    cdef uint32_t parent = NO_SLOT if is_zero_id(leg.credit_account) else slot_of_id(posting, leg.credit_account)
    cdef uint16_t code
    if is_zero_id(leg.debit_account):
        return OUTCOME_DEBIT_ACCOUNT_ID_MUST_NOT_BE_ZERO
    if is_greatest_id(leg.debit_account):
        return OUTCOME_DEBIT_ACCOUNT_ID_MUST_NOT_BE_INT_MAX
    slot = slot_of_id(posting, leg.debit_account)
    if slot != NO_SLOT:
        posting.known_seq = posting.accounts.records[slot].last_seq
        return compare_opening(posting, leg, slot, parent)
    code = check_opening(posting, leg, parent)
    if code != OUTCOME_APPLIED:
        return code
    memset(&record, 0, sizeof(record))
    memcpy(&record.id_low, leg.debit_account, 16)
    slot = account_append(&posting.accounts, &record)
    if slot == NO_SLOT:
        posting.stop_status = APPLY_NO_MEMORY
        return STOPPED_INSIDE_EVENT
    entry = posting.next_entry(prepared)
    memcpy(entry.serial, leg.debit_account, 16)
    memcpy(&entry.debit_previous_seq, prepared.event.serial, 16)
    entry.amount_fen = leg.amount_fen
    entry.reference_seq = 0 if parent == NO_SLOT else parent + 1
    entry.detail = <uint64_t>leg.flags << 16 | leg.book
    entry.debit_slot = slot
    entry.credit_slot = NO_SLOT
    entry.kind = ENTRY_KIND_OPEN_ACCOUNT
    entry.code = ENTRY_CODE_OPEN_ACCOUNT
    entry.leg_count = 1
    open_record(posting.accounts.records, entry, posting.last_seq)
    if leg.flags & ACCOUNT_CLOSED:
        set_date_closed(posting.closed_dates, &posting.accounts.records[slot], True)
    if limit_open(&posting.limits, posting.accounts.records, entry) != 0:
        posting.stop_status = APPLY_NO_MEMORY
        return STOPPED_INSIDE_EVENT
    return OUTCOME_APPLIED


cdef int expire_holds(Posting posting, const record_view *record) noexcept nogil:
    """Expire, in their order and at their own instants, all holds that are due when the ledger clock reaches the record."""
    cdef uint32_t at = hold_first_due(&posting.holds, record.timestamp_ms)
    while at != NO_HOLD:
        if posting.make_room(1, 0) != APPLY_DONE:
            return APPLY_STOPPED
        posting.move_clock(posting.holds.holds[at].due_ms)
        write_expiry(posting, &posting.holds.holds[at], record.offset)
        hold_remove(&posting.holds, at)
        at = hold_first_due(&posting.holds, record.timestamp_ms)
    return APPLY_DONE


cdef void write_expiry(Posting posting, const hold *held, int64_t offset) noexcept nogil:
    cdef account_record *debit = &posting.accounts.records[held.debit_slot]
    cdef account_record *credit = &posting.accounts.records[held.credit_slot]
    cdef journal_entry *entry = &posting.frame.entries[posting.frame.entry_count]
    posting.frame.entry_count += 1
    posting.last_seq += 1
    clear_entry(entry)
    memcpy(entry.serial, held.key.serial, 16)
    entry.amount_fen = held.amount_fen
    entry.debit_previous_seq = debit.last_seq
    entry.credit_previous_seq = credit.last_seq
    entry.ledger_time_ms = posting.ledger_time_ms
    entry.source_offset = offset
    entry.reference_seq = held.seq
    entry.detail = held.detail
    entry.debit_slot = held.debit_slot
    entry.credit_slot = held.credit_slot
    entry.business_date = held.key.business_date
    entry.value_date = held.value_date
    entry.channel = held.key.channel
    entry.code = held.code
    entry.kind = ENTRY_KIND_EXPIRE
    entry.event_type = held.event_type
    entry.leg = <uint8_t>held.key.leg
    entry.flags = held.flags & CLOSING
    move_limits(&posting.limits, posting.accounts.records, entry, False)
    move_amount(debit, credit, entry, posting.last_seq)


cdef uint16_t leg_difference(Posting posting, const packed_leg *leg, const journal_entry *entry) noexcept nogil:
    """EXISTS, or the first field in which a leg differs from the entry of the event that has its key."""
    cdef const account_record *debit = &posting.accounts.records[entry.debit_slot]
    cdef const account_record *credit = &posting.accounts.records[entry.credit_slot]
    cdef bint settles = entry.kind == ENTRY_KIND_POST or entry.kind == ENTRY_KIND_VOID
    cdef journal_entry pending
    cdef uint64_t expected_data = leg.user_data
    cdef uint16_t asked = entry.flags if not settles else entry.flags & <uint16_t>~CLOSING
    if asked != leg.flags:
        return OUTCOME_EXISTS_WITH_DIFFERENT_FLAGS
    if settles:
        if not posting.read_entry(entry.reference_seq, &pending):
            return STOPPED_INSIDE_EVENT
        if not is_key_of(leg, &pending) or leg.pending_leg != pending.leg:
            return OUTCOME_EXISTS_WITH_DIFFERENT_PENDING_ID
        if expected_data == 0:
            expected_data = pending.detail
    elif names_hold(leg):
        return OUTCOME_EXISTS_WITH_DIFFERENT_PENDING_ID
    if leg.timeout_s != (entry.reference_seq if entry.kind == ENTRY_KIND_PENDING else 0):
        return OUTCOME_EXISTS_WITH_DIFFERENT_TIMEOUT
    if not (settles and is_zero_id(leg.debit_account)) and not is_id_of(leg.debit_account, debit):
        return OUTCOME_EXISTS_WITH_DIFFERENT_DEBIT_ACCOUNT_ID
    if not (settles and is_zero_id(leg.credit_account)) and not is_id_of(leg.credit_account, credit):
        return OUTCOME_EXISTS_WITH_DIFFERENT_CREDIT_ACCOUNT_ID
    if not amount_agrees(leg, entry, &pending):
        return OUTCOME_EXISTS_WITH_DIFFERENT_AMOUNT
    if expected_data != entry.detail:
        return OUTCOME_EXISTS_WITH_DIFFERENT_USER_DATA_64
    if not (settles and leg.book == 0) and leg.book != debit.book:
        return OUTCOME_EXISTS_WITH_DIFFERENT_LEDGER
    if not (settles and leg.code == 0) and leg.code != entry.code:
        return OUTCOME_EXISTS_WITH_DIFFERENT_CODE
    return OUTCOME_EXISTS


cdef bint amount_agrees(const packed_leg *leg, const journal_entry *entry, const journal_entry *pending) noexcept nogil:
    if entry.kind == ENTRY_KIND_POST:
        return entry.amount_fen == (pending.amount_fen if leg.amount_fen == AMOUNT_MAX else leg.amount_fen)
    if entry.kind == ENTRY_KIND_VOID:
        return leg.amount_fen == 0 or leg.amount_fen == entry.amount_fen
    if leg.flags & BALANCING:
        return leg.amount_fen >= entry.amount_fen
    return leg.amount_fen == entry.amount_fen


cdef bint is_key_of(const packed_leg *leg, const journal_entry *entry) noexcept nogil:
    """Whether the leg names the event that made the entry."""
    return memcmp(leg.pending_serial, entry.serial, 16) == 0 and leg.pending_channel == entry.channel \
        and leg.pending_business_date == entry.business_date


cdef uint16_t transfer_difference(Posting posting, const prepared_event *prepared, uint64_t seq) noexcept nogil:
    cdef journal_entry entry
    cdef uint16_t code
    cdef int at
    for at in range(prepared.leg_count):
        posting.fault_leg = at
        if not read_leg(posting, &seq, at, &entry):
            return STOPPED_INSIDE_EVENT if posting.stop_status != APPLY_DONE else OUTCOME_EXISTS_WITH_DIFFERENT_FLAGS
        if not has_two_accounts(&entry):
            return posting.stop_inside_event(seq)
        if (at == prepared.leg_count - 1) != (at == entry.leg_count - 1):  # what TigerBeetle's flag linked says
            return OUTCOME_EXISTS_WITH_DIFFERENT_FLAGS
        code = leg_difference(posting, &prepared.legs[at], &entry)
        if code != OUTCOME_EXISTS:
            return code
    posting.fault_leg = 0
    return OUTCOME_EXISTS


cdef uint16_t opening_difference(Posting posting, const packed_leg *leg, const journal_entry *entry) noexcept nogil:
    cdef uint32_t parent = NO_SLOT if is_zero_id(leg.credit_account) else slot_of_id(posting, leg.credit_account)
    if <uint16_t>(entry.detail >> 16) != leg.flags:
        return OUTCOME_EXISTS_WITH_DIFFERENT_FLAGS
    if <uint16_t>entry.detail != leg.book:
        return OUTCOME_EXISTS_WITH_DIFFERENT_LEDGER
    if entry.amount_fen != leg.amount_fen:
        return OUTCOME_EXISTS_WITH_DIFFERENT_AMOUNT
    if entry.reference_seq != (0 if is_zero_id(leg.credit_account) else <uint64_t>parent + 1):
        return OUTCOME_EXISTS_WITH_DIFFERENT_CREDIT_ACCOUNT_ID
    return OUTCOME_EXISTS if memcmp(entry.serial, leg.debit_account, 16) == 0 else OUTCOME_EXISTS_WITH_DIFFERENT_DEBIT_ACCOUNT_ID


cdef uint16_t reversal_difference(Posting posting, const packed_leg *leg, const journal_entry *entry) noexcept nogil:
    cdef journal_entry original
    if not posting.read_entry(entry.reference_seq, &original):
        return STOPPED_INSIDE_EVENT
    if not is_key_of(leg, &original):
        return OUTCOME_EXISTS_WITH_DIFFERENT_PENDING_ID
    if leg.amount_fen == 0 or (entry.leg_count == 1 and leg.amount_fen == entry.amount_fen):
        return OUTCOME_EXISTS
    return OUTCOME_EXISTS_WITH_DIFFERENT_AMOUNT


cdef uint16_t ledger_event_difference(
    Posting posting, const prepared_event *prepared, const journal_entry *first, uint64_t seq
) noexcept nogil:
    """The outcome of a ledger event whose key is known; ``first`` is the first entry of the event that has it, at ``seq``."""
    cdef uint16_t code = OUTCOME_EXISTS
    cdef uint8_t event_type = prepared.event.event_type
    if event_type == EVENT_TYPE_OPEN_ACCOUNT:
        code = opening_difference(posting, &prepared.legs[0], first)
    elif event_type == EVENT_TYPE_REVERSE:
        code = reversal_difference(posting, &prepared.legs[0], first)
    elif event_type == EVENT_TYPE_ADJUST:
        code = adjustment_difference(posting, prepared, first, seq)
    elif moves_legs(event_type):
        code = transfer_difference(posting, prepared, seq)
    elif event_type != EVENT_TYPE_CLOCK:
        if not ENTRY_KIND_FREEZE <= first.kind <= ENTRY_KIND_CLOSE:
            return posting.stop_inside_event(seq)
        if not is_id_of(prepared.legs[0].debit_account, &posting.accounts.records[first.debit_slot]):
            code = OUTCOME_EXISTS_WITH_DIFFERENT_DEBIT_ACCOUNT_ID
    if code == OUTCOME_EXISTS and prepared.event.value_date != first.value_date:
        code = OUTCOME_EXISTS_WITH_DIFFERENT_VALUE_DATE
    return code
