# Ledger events: transfers of 1 to 254 legs, holds, reversals, and what else changes accounts. Owns the checks in their order
# and the taking back of an event whose later leg fails. Uses accounts, keys, holds, limits, entries. docs/semantics.md says
# what it means.

cdef uint16_t POST_OR_VOID = LEG_POST_PENDING | LEG_VOID_PENDING
cdef uint16_t BALANCING = LEG_BALANCING_DEBIT | LEG_BALANCING_CREDIT
cdef uint16_t CLOSING = LEG_CLOSING_DEBIT | LEG_CLOSING_CREDIT
cdef uint16_t LIMIT_FLAGS = ACCOUNT_DEBITS_MUST_NOT_EXCEED_CREDITS | ACCOUNT_CREDITS_MUST_NOT_EXCEED_DEBITS


cdef inline bint is_zero_id(const uint8_t *id_) noexcept nogil:
    return load_u64(id_) == 0 and load_u64(id_ + 8) == 0


cdef inline bint is_greatest_id(const uint8_t *id_) noexcept nogil:
    return load_u64(id_) == AMOUNT_MAX and load_u64(id_ + 8) == AMOUNT_MAX


cdef inline bint names_hold(const packed_leg *leg) noexcept nogil:
    return leg.pending_channel != 0 or leg.pending_business_date != 0 or leg.pending_leg != 0 \
        or not is_zero_id(leg.pending_serial)


cdef inline void leg_hold_key(const packed_leg *leg, hold_key *key) noexcept nogil:
    memcpy(key.serial, leg.pending_serial, 16)
    key.channel = leg.pending_channel
    key.business_date = leg.pending_business_date
    key.leg = leg.pending_leg


cdef inline bint is_id_of(const uint8_t *id_, const account_record *record) noexcept nogil:
    return load_u64(id_) == record.id_low and load_u64(id_ + 8) == record.id_high


cdef inline uint32_t slot_of_id(Posting posting, const uint8_t *id_) noexcept nogil:
    cdef uint64_t low = load_u64(id_)
    cdef uint64_t high = load_u64(id_ + 8)
    return account_find(&posting.accounts, low, high, account_hash(&posting.accounts, low, high))


cdef inline void remember_account(Posting posting, uint32_t slot) noexcept nogil:
    """Keep an account's record, so that the event under way can be taken back."""
    cdef account_undo *undo = &posting.undo.accounts[posting.undo.account_count]
    undo.slot = slot
    undo.before = posting.accounts.records[slot]
    posting.undo.account_count += 1


cdef journal_entry *write_leg(Posting posting, const prepared_event *prepared, const leg_posting *leg) noexcept nogil:
    """Append the entry of a leg and apply it to accounts and limits."""
    cdef account_record *debit = &posting.accounts.records[leg.debit_slot]
    cdef account_record *credit = &posting.accounts.records[leg.credit_slot]
    cdef journal_entry *entry = posting.next_entry(prepared)
    remember_account(posting, leg.debit_slot)
    remember_account(posting, leg.credit_slot)
    memcpy(entry.serial, prepared.event.serial, 16)
    entry.amount_fen = leg.amount_fen
    entry.debit_previous_seq = debit.last_seq
    entry.credit_previous_seq = credit.last_seq
    entry.reference_seq = leg.reference_seq
    entry.detail = leg.detail
    entry.debit_slot = leg.debit_slot
    entry.credit_slot = leg.credit_slot
    entry.code = leg.code
    entry.kind = leg.kind
    entry.flags = leg.flags
    entry.leg = leg.number
    entry.leg_count = leg.count
    move_limits(&posting.limits, posting.accounts.records, entry, False)
    move_amount(debit, credit, entry, posting.last_seq)
    return entry


cdef void take_back(Posting posting, uint32_t entry_count) noexcept nogil:
    """Undo every leg of the event under way; ``entry_count`` is the frame's before it."""
    cdef event_undo *undo = &posting.undo
    cdef frame_buffer *frame = posting.frame
    while frame.entry_count > entry_count:
        frame.entry_count -= 1
        posting.last_seq -= 1
        move_limits(&posting.limits, posting.accounts.records, &frame.entries[frame.entry_count], True)
    while undo.account_count > 0:
        undo.account_count -= 1
        posting.accounts.records[undo.accounts[undo.account_count].slot] = undo.accounts[undo.account_count].before
    while undo.settled_count > 0:
        undo.settled_count -= 1
        posting.holds.holds[undo.settled[undo.settled_count]].state = HOLD_OPEN
    while undo.made_count > 0:
        undo.made_count -= 1
        hold_remove(&posting.holds, undo.made[undo.made_count])


cdef void keep(Posting posting) noexcept nogil:
    """The event under way stands: its settled holds are gone for good."""
    cdef event_undo *undo = &posting.undo
    while undo.settled_count > 0:
        undo.settled_count -= 1
        hold_remove(&posting.holds, undo.settled[undo.settled_count])
    undo.account_count = undo.made_count = 0


cdef uint16_t check_amount(
    Posting posting, uint32_t debit_slot, uint32_t credit_slot, uint64_t amount_fen, bint is_pending
) noexcept nogil:
    """Overflow and limits, for anything that adds to both accounts; a slot of NO_SLOT is an account not opened yet."""
    cdef const account_record *debit = record_of(posting, debit_slot)
    cdef const account_record *credit = record_of(posting, credit_slot)
    if is_pending:
        if debit.debits_pending + amount_fen < amount_fen:
            return OUTCOME_OVERFLOWS_DEBITS_PENDING
        if credit.credits_pending + amount_fen < amount_fen:
            return OUTCOME_OVERFLOWS_CREDITS_PENDING
    if debit.debits_posted + amount_fen < amount_fen:
        return OUTCOME_OVERFLOWS_DEBITS_POSTED
    if credit.credits_posted + amount_fen < amount_fen:
        return OUTCOME_OVERFLOWS_CREDITS_POSTED
    if debit.debits_pending + (debit.debits_posted + amount_fen) < debit.debits_pending:
        return OUTCOME_OVERFLOWS_DEBITS
    if credit.credits_pending + (credit.credits_posted + amount_fen) < credit.credits_pending:
        return OUTCOME_OVERFLOWS_CREDITS
    if debit.flags | credit.flags:
        return check_limits(posting, debit_slot, credit_slot, amount_fen)
    return OUTCOME_APPLIED


cdef inline const account_record *record_of(Posting posting, uint32_t slot) noexcept nogil:
    return &posting.unopened if slot == NO_SLOT else &posting.accounts.records[slot]


cdef uint16_t check_limits(Posting posting, uint32_t debit_slot, uint32_t credit_slot, uint64_t amount_fen) noexcept nogil:
    cdef const account_record *debit = record_of(posting, debit_slot)
    cdef const account_record *credit = record_of(posting, credit_slot)
    cdef const account_record *records = posting.accounts.records
    cdef bint exceeds_line = False
    cdef uint64_t line_fen
    if debit.flags & ACCOUNT_DEBITS_MUST_NOT_EXCEED_CREDITS:
        line_fen = credit_line(&posting.limits, records, debit_slot)
        if debit.debits_pending + debit.debits_posted + amount_fen > add_saturating(debit.credits_posted, line_fen):
            if line_fen == 0:
                return OUTCOME_EXCEEDS_CREDITS
            exceeds_line = True
    if credit.flags & ACCOUNT_CREDITS_MUST_NOT_EXCEED_DEBITS:
        line_fen = credit_line(&posting.limits, records, credit_slot)
        if credit.credits_pending + credit.credits_posted + amount_fen > add_saturating(credit.debits_posted, line_fen):
            if line_fen == 0:
                return OUTCOME_EXCEEDS_DEBITS
            exceeds_line = True
    if exceeds_line:
        return OUTCOME_CREDIT_LINE_EXCEEDED
    if debit.flags & ACCOUNT_LIMITED:
        posting.fault_level = exceeded_level(&posting.limits, records, debit_slot, amount_fen)
        if posting.fault_level != 0:
            return OUTCOME_LIMIT_EXCEEDED
    return OUTCOME_ACCOUNT_FROZEN if (debit.flags | credit.flags) & ACCOUNT_FROZEN else OUTCOME_APPLIED


cdef uint16_t check_books(Posting posting, uint32_t debit_slot, uint32_t credit_slot, uint16_t book) noexcept nogil:
    """The books of both accounts, then whether they are closed."""
    cdef const account_record *debit = record_of(posting, debit_slot)
    cdef const account_record *credit = record_of(posting, credit_slot)
    if debit.book != credit.book:
        return OUTCOME_ACCOUNTS_MUST_HAVE_THE_SAME_LEDGER
    if debit.book != book:
        return OUTCOME_TRANSFER_MUST_HAVE_THE_SAME_LEDGER_AS_ACCOUNTS
    return check_open(posting, debit_slot, credit_slot)


cdef inline uint16_t check_open(Posting posting, uint32_t debit_slot, uint32_t credit_slot) noexcept nogil:
    if record_of(posting, debit_slot).flags & ACCOUNT_CLOSED:
        return OUTCOME_DEBIT_ACCOUNT_ALREADY_CLOSED
    if record_of(posting, credit_slot).flags & ACCOUNT_CLOSED:
        return OUTCOME_CREDIT_ACCOUNT_ALREADY_CLOSED
    return OUTCOME_APPLIED


cdef uint16_t check_leg_fields(const packed_leg *leg) noexcept nogil:
    if is_zero_id(leg.debit_account):
        return OUTCOME_DEBIT_ACCOUNT_ID_MUST_NOT_BE_ZERO
    if is_greatest_id(leg.debit_account):
        return OUTCOME_DEBIT_ACCOUNT_ID_MUST_NOT_BE_INT_MAX
    if is_zero_id(leg.credit_account):
        return OUTCOME_CREDIT_ACCOUNT_ID_MUST_NOT_BE_ZERO
    if is_greatest_id(leg.credit_account):
        return OUTCOME_CREDIT_ACCOUNT_ID_MUST_NOT_BE_INT_MAX
    if memcmp(leg.debit_account, leg.credit_account, 16) == 0:
        return OUTCOME_ACCOUNTS_MUST_BE_DIFFERENT
    if names_hold(leg):
        return OUTCOME_PENDING_ID_MUST_BE_ZERO
    if leg.timeout_s != 0 and not leg.flags & LEG_PENDING:
        return OUTCOME_TIMEOUT_RESERVED_FOR_PENDING_TRANSFER
    if leg.flags & CLOSING and not leg.flags & LEG_PENDING:
        return OUTCOME_CLOSING_TRANSFER_MUST_BE_PENDING
    if leg.book == 0:
        return OUTCOME_LEDGER_MUST_NOT_BE_ZERO
    return OUTCOME_CODE_MUST_NOT_BE_ZERO if leg.code == 0 else OUTCOME_APPLIED


cdef inline uint64_t room(uint64_t own_posted, uint64_t own_pending, uint64_t opposite_posted) noexcept nogil:
    cdef uint64_t own = add_saturating(own_posted, own_pending)
    return opposite_posted - own if opposite_posted > own else 0


cdef uint64_t balanced_amount(Posting posting, const packed_leg *leg, uint32_t debit_slot, uint32_t credit_slot) noexcept nogil:
    """The amount asked, or what a balancing leg leaves room for."""
    cdef const account_record *debit = &posting.accounts.records[debit_slot]
    cdef const account_record *credit = &posting.accounts.records[credit_slot]
    cdef uint64_t amount_fen = leg.amount_fen
    if leg.flags & LEG_BALANCING_DEBIT:
        amount_fen = min(amount_fen, room(debit.debits_posted, debit.debits_pending, debit.credits_posted))
    if leg.flags & LEG_BALANCING_CREDIT:
        amount_fen = min(amount_fen, room(credit.credits_posted, credit.credits_pending, credit.debits_posted))
    return amount_fen


cdef uint16_t transfer_leg(Posting posting, const prepared_event *prepared, const packed_leg *leg, uint8_t number) noexcept nogil:
    """A leg that moves or holds an amount: check it, and apply it for as long as the event stands."""
    cdef leg_posting posted
    cdef uint16_t code
    if leg.flags & POST_OR_VOID:
        return settle_leg(posting, prepared, leg, number)
    code = check_leg_fields(leg)
    if code != OUTCOME_APPLIED:
        return code
    memset(&posted, 0, sizeof(posted))
    posted.debit_slot = slot_of_id(posting, leg.debit_account)
    if posted.debit_slot == NO_SLOT:
        return OUTCOME_DEBIT_ACCOUNT_NOT_FOUND
    posted.credit_slot = slot_of_id(posting, leg.credit_account)
    if posted.credit_slot == NO_SLOT:
        return OUTCOME_CREDIT_ACCOUNT_NOT_FOUND
    code = check_books(posting, posted.debit_slot, posted.credit_slot, leg.book)
    if code != OUTCOME_APPLIED:
        return code
    posted.kind = ENTRY_KIND_PENDING if leg.flags & LEG_PENDING else ENTRY_KIND_TRANSFER
    posted.amount_fen = balanced_amount(posting, leg, posted.debit_slot, posted.credit_slot)
    code = check_amount(posting, posted.debit_slot, posted.credit_slot, posted.amount_fen, posted.kind == ENTRY_KIND_PENDING)
    if code != OUTCOME_APPLIED:
        return code
    if leg.timeout_s != 0:
        posted.reference_seq = leg.timeout_s
    posted.detail = leg.user_data
    posted.code = leg.code
    posted.flags = leg.flags
    posted.number = number
    posted.count = prepared.leg_count
    return make_hold(posting, write_leg(posting, prepared, &posted))


cdef uint16_t make_hold(Posting posting, const journal_entry *entry) noexcept nogil:
    """Open the hold of a pending entry just written; nothing for other entries."""
    cdef hold made
    cdef uint32_t at
    if entry.kind != ENTRY_KIND_PENDING:
        return OUTCOME_APPLIED
    entry_to_hold(entry, posting.last_seq, &made)
    at = hold_add(&posting.holds, &made)
    if at == NO_HOLD:
        posting.stop_status = APPLY_NO_MEMORY
        return STOPPED_INSIDE_EVENT
    posting.undo.made[posting.undo.made_count] = at
    posting.undo.made_count += 1
    return OUTCOME_APPLIED


cdef inline bint names_own_event(const prepared_event *prepared, const hold_key *key) noexcept nogil:
    return key.channel == prepared.event.channel and key.business_date == prepared.event.business_date \
        and memcmp(key.serial, prepared.event.serial, 16) == 0


cdef uint16_t settle_leg(Posting posting, const prepared_event *prepared, const packed_leg *leg, uint8_t number) noexcept nogil:
    """A leg that posts or voids a hold."""
    cdef hold_key key
    cdef hold held
    cdef uint32_t at
    cdef uint16_t code
    if leg.flags & POST_OR_VOID == POST_OR_VOID or leg.flags & (LEG_PENDING | BALANCING | CLOSING):
        return OUTCOME_FLAGS_ARE_MUTUALLY_EXCLUSIVE
    if not names_hold(leg):
        return OUTCOME_PENDING_ID_MUST_NOT_BE_ZERO
    leg_hold_key(leg, &key)
    if key.leg == number and names_own_event(prepared, &key):
        return OUTCOME_PENDING_ID_MUST_BE_DIFFERENT
    if leg.timeout_s != 0:
        return OUTCOME_TIMEOUT_RESERVED_FOR_PENDING_TRANSFER
    at = hold_find(&posting.holds, &key)
    if at != NO_HOLD:
        held = posting.holds.holds[at]
    elif names_own_event(prepared, &key) and key.leg < number:
        return OUTCOME_PENDING_TRANSFER_NOT_PENDING
    else:
        code = find_settled(posting, &key, &held)
        if code != OUTCOME_APPLIED:
            return code
    code = check_settlement(posting, leg, &held)
    if code != OUTCOME_APPLIED:
        return code
    write_settlement(posting, prepared, leg, number, &held)
    posting.holds.holds[at].state = HOLD_VOIDED if leg.flags & LEG_VOID_PENDING else HOLD_POSTED
    posting.undo.settled[posting.undo.settled_count] = at
    posting.undo.settled_count += 1
    return OUTCOME_APPLIED


cdef inline uint64_t settled_amount(const packed_leg *leg, const hold *held) noexcept nogil:
    """What a post or void asks for, in fen."""
    if leg.flags & LEG_VOID_PENDING:
        return held.amount_fen if leg.amount_fen == 0 else leg.amount_fen
    return held.amount_fen if leg.amount_fen == AMOUNT_MAX else leg.amount_fen


cdef uint16_t check_settlement(Posting posting, const packed_leg *leg, const hold *held) noexcept nogil:
    cdef const account_record *debit = &posting.accounts.records[held.debit_slot]
    cdef const account_record *credit = &posting.accounts.records[held.credit_slot]
    cdef uint64_t amount_fen = settled_amount(leg, held)
    cdef uint16_t code
    if not is_zero_id(leg.debit_account) and not is_id_of(leg.debit_account, debit):
        return OUTCOME_PENDING_TRANSFER_HAS_DIFFERENT_DEBIT_ACCOUNT_ID
    if not is_zero_id(leg.credit_account) and not is_id_of(leg.credit_account, credit):
        return OUTCOME_PENDING_TRANSFER_HAS_DIFFERENT_CREDIT_ACCOUNT_ID
    if leg.book != 0 and leg.book != debit.book:
        return OUTCOME_PENDING_TRANSFER_HAS_DIFFERENT_LEDGER
    if leg.code != 0 and leg.code != held.code:
        return OUTCOME_PENDING_TRANSFER_HAS_DIFFERENT_CODE
    if amount_fen > held.amount_fen:
        return OUTCOME_EXCEEDS_PENDING_TRANSFER_AMOUNT
    if leg.flags & LEG_VOID_PENDING and amount_fen < held.amount_fen:
        return OUTCOME_PENDING_TRANSFER_HAS_DIFFERENT_AMOUNT
    if held.state == HOLD_POSTED:
        return OUTCOME_PENDING_TRANSFER_ALREADY_POSTED
    if held.state == HOLD_VOIDED:
        return OUTCOME_PENDING_TRANSFER_ALREADY_VOIDED
    if held.state == HOLD_EXPIRED:
        return OUTCOME_PENDING_TRANSFER_EXPIRED
    if leg.flags & LEG_VOID_PENDING:
        return OUTCOME_APPLIED
    code = check_open(posting, held.debit_slot, held.credit_slot)
    if code == OUTCOME_APPLIED and (debit.flags | credit.flags) & ACCOUNT_FROZEN:
        return OUTCOME_ACCOUNT_FROZEN
    return code


cdef void write_settlement(
    Posting posting, const prepared_event *prepared, const packed_leg *leg, uint8_t number, const hold *held
) noexcept nogil:
    """The entry of a post or void, and the one that gives back what a post leaves of the hold."""
    cdef leg_posting posted
    memset(&posted, 0, sizeof(posted))
    posted.debit_slot = held.debit_slot
    posted.credit_slot = held.credit_slot
    posted.amount_fen = settled_amount(leg, held)
    posted.reference_seq = held.seq
    posted.detail = leg.user_data if leg.user_data != 0 else held.detail
    posted.code = held.code
    posted.number = number
    posted.count = prepared.leg_count
    posted.kind = ENTRY_KIND_POST
    posted.flags = leg.flags
    if leg.flags & LEG_VOID_PENDING:
        posted.kind = ENTRY_KIND_VOID
        posted.flags |= held.flags & CLOSING
    write_leg(posting, prepared, &posted)
    if posted.amount_fen < held.amount_fen:
        posted.kind = ENTRY_KIND_RELEASE
        posted.amount_fen = held.amount_fen - posted.amount_fen
        write_leg(posting, prepared, &posted)


cdef uint16_t find_settled(Posting posting, const hold_key *key, hold *held) noexcept nogil:
    """A hold that is no longer open, from the journal, with what became of it."""
    cdef journal_entry entry
    cdef uint64_t seq = event_seq(posting, key.serial, key.channel, key.business_date)
    if seq == 0:
        return STOPPED_INSIDE_EVENT if posting.stop_status != APPLY_DONE else OUTCOME_PENDING_TRANSFER_NOT_FOUND
    if not read_leg(posting, &seq, key.leg, &entry):
        return STOPPED_INSIDE_EVENT if posting.stop_status != APPLY_DONE else OUTCOME_PENDING_TRANSFER_NOT_FOUND
    if entry.kind != ENTRY_KIND_PENDING:
        return OUTCOME_PENDING_TRANSFER_NOT_PENDING
    entry_to_hold(&entry, seq, held)
    held.state = settlement_of(posting, &entry, seq)
    if held.state == HOLD_OPEN and posting.stop_status == APPLY_DONE:
        return posting.stop_inside_event(seq)
    return STOPPED_INSIDE_EVENT if posting.stop_status != APPLY_DONE else OUTCOME_APPLIED


cdef uint64_t event_seq(Posting posting, const uint8_t *serial, uint16_t channel, uint16_t business_date) noexcept nogil:
    """The first entry of the applied event that has a key; 0 where there is none, or where the key table is damaged."""
    cdef key_table *table = posting.keys.by_date[business_date]
    cdef uint64_t hash_ = key_hash(serial, channel, posting.keys.hash_seed)
    cdef key_part *part
    cdef key_slot *slot
    if table == NULL or business_date < posting.ledger_date - posting.close_after_days:
        return 0
    part = key_part_of(table, hash_)
    if key_part_check(part) != 0:
        posting.stop_status = APPLY_KEYS_DAMAGED
        return 0
    slot = key_probe(part, hash_, serial, channel)
    return 0 if slot == NULL or slot.seq_and_channel & KEY_FAILED else slot_seq(slot)


cdef bint read_leg(Posting posting, uint64_t *seq, uint32_t leg, journal_entry *entry) noexcept nogil:
    """Go on from an event's first entry at ``seq`` to that of one of its legs; False where it has none, or cannot be read."""
    cdef journal_entry first
    if not posting.read_entry(seq[0], &first):
        return False
    entry[0] = first
    while entry.leg < leg or entry.kind == ENTRY_KIND_RELEASE:
        if leg >= first.leg_count or seq[0] >= posting.last_seq:
            return False
        seq[0] += 1
        if not posting.read_entry(seq[0], entry):
            return False
    return entry.leg == leg and entry.leg_count == first.leg_count


cdef uint8_t settlement_of(Posting posting, const journal_entry *pending, uint64_t pending_seq) noexcept nogil:
    """What became of a hold that is no longer open: a walk down the lists of both its accounts, a step on each in turn.

    HOLD_OPEN: an entry on the way could not be read, or is not what was written.
    """
    cdef journal_entry entry
    cdef uint64_t previous_seq
    cdef uint64_t[2] at
    cdef uint32_t[2] slots
    cdef int side = 0
    slots[0], slots[1] = pending.debit_slot, pending.credit_slot
    at[0], at[1] = posting.accounts.records[slots[0]].last_seq, posting.accounts.records[slots[1]].last_seq
    while at[side] > pending_seq:
        if not posting.read_entry(at[side], &entry):
            return HOLD_OPEN
        if entry.reference_seq == pending_seq:
            if entry.kind == ENTRY_KIND_POST or entry.kind == ENTRY_KIND_RELEASE:
                return HOLD_POSTED
            if entry.kind == ENTRY_KIND_VOID:
                return HOLD_VOIDED
            if entry.kind == ENTRY_KIND_EXPIRE:
                return HOLD_EXPIRED
        previous_seq = entry.debit_previous_seq if entry.debit_slot == slots[side] else entry.credit_previous_seq
        if previous_seq >= at[side]:
            return HOLD_OPEN
        at[side] = previous_seq
        side = 1 - side
    return HOLD_OPEN


cdef uint16_t reverse_event(Posting posting, const prepared_event *prepared, const packed_leg *leg) noexcept nogil:
    """Unwind the legs of an event, the last one first."""
    cdef journal_entry entry
    cdef uint64_t seq = event_seq(posting, leg.pending_serial, leg.pending_channel, leg.pending_business_date)
    cdef uint64_t left_fen = 0
    cdef int leg_count, at
    if seq == 0 or not posting.read_entry(seq, &entry):
        return STOPPED_INSIDE_EVENT if posting.stop_status != APPLY_DONE else OUTCOME_REVERSAL_NOT_FOUND
    leg_count = min(<int>entry.leg_count, <int>MAX_LEGS)  # it was read without a checksum, and there is room for no more
    for at in range(leg_count):
        if not read_leg(posting, &seq, at, &entry):
            return STOPPED_INSIDE_EVENT if posting.stop_status != APPLY_DONE else OUTCOME_NOT_REVERSIBLE
        if entry.kind != ENTRY_KIND_TRANSFER and entry.kind != ENTRY_KIND_POST:
            return OUTCOME_NOT_REVERSIBLE
        posting.originals[at].seq = seq
        posting.originals[at].left_fen = entry.amount_fen - reversed_amount(&posting.reversals, seq)
        posting.originals[at].entry = entry
        left_fen |= posting.originals[at].left_fen
        seq += 1
    if leg.amount_fen != 0 and leg_count != 1:
        return OUTCOME_NOT_REVERSIBLE
    if left_fen == 0:
        return OUTCOME_ALREADY_REVERSED
    if leg.amount_fen > left_fen:
        return OUTCOME_EXCEEDS_REVERSIBLE_AMOUNT
    if leg.amount_fen != 0:
        posting.originals[0].left_fen = leg.amount_fen
    return reverse_legs(posting, prepared, leg_count)


cdef uint16_t reverse_legs(Posting posting, const prepared_event *prepared, int leg_count) noexcept nogil:
    cdef leg_posting posted
    cdef original_leg *original
    cdef uint16_t code
    cdef int at
    memset(&posted, 0, sizeof(posted))
    posted.kind = ENTRY_KIND_REVERSE
    for at in range(leg_count):
        posted.count += posting.originals[at].left_fen != 0
    for at in range(leg_count - 1, -1, -1):
        original = &posting.originals[at]
        if original.left_fen == 0:
            continue
        posting.fault_leg = posted.number
        posted.debit_slot = original.entry.credit_slot
        posted.credit_slot = original.entry.debit_slot
        posted.amount_fen = original.left_fen
        posted.reference_seq = original.seq
        posted.detail = original.entry.detail
        posted.code = original.entry.code
        code = check_open(posting, posted.debit_slot, posted.credit_slot)
        if code == OUTCOME_APPLIED:
            code = check_amount(posting, posted.debit_slot, posted.credit_slot, posted.amount_fen, False)
        if code != OUTCOME_APPLIED:
            return code
        write_leg(posting, prepared, &posted)
        posted.number += 1
    for at in range(leg_count):
        original = &posting.originals[at]
        if original.left_fen != 0 and add_reversed(&posting.reversals, original.seq, original.left_fen) != 0:
            posting.stop_status = APPLY_NO_MEMORY
            return STOPPED_INSIDE_EVENT
    return OUTCOME_APPLIED
