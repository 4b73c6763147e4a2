# Asking ahead for the memory that ledger events will touch, in three steps, for each leads to the next: what a hash leads to,
# what that names, and the accounts of a hold. Only the first LEGS_AHEAD legs of an event: more would push out what was asked for
# before. Owns nothing, changes nothing; uses accounts, keys, holds.


cdef inline int legs_ahead(const prepared_event *prepared) noexcept nogil:
    return min(prepared.leg_count, <uint8_t>LEGS_AHEAD)


cdef inline bint settles_hold(const prepared_event *prepared, const packed_leg *leg) noexcept nogil:
    return EVENT_TYPE_TRANSFER <= prepared.event.event_type <= EVENT_TYPE_VOID and leg.flags & POST_OR_VOID != 0


cdef inline bint makes_hold(const prepared_event *prepared, const packed_leg *leg) noexcept nogil:
    return prepared.event.event_type == EVENT_TYPE_TRANSFER and leg.flags & LEG_PENDING != 0


cdef inline void prefetch_key_home(Posting posting, const packed_leg *leg) noexcept nogil:
    """Of the event that a reversal names."""
    cdef const key_table *table = posting.keys.by_date[leg.pending_business_date]
    cdef uint64_t hash_ = key_hash(leg.pending_serial, leg.pending_channel, posting.keys.hash_seed)
    if table != NULL:
        prefetch(key_home(key_part_of(table, hash_), hash_), 1)


cdef inline void prefetch_account_cell(Posting posting, const uint8_t *id_, uint32_t *hash_) noexcept nogil:
    hash_[0] = <uint32_t>account_hash(&posting.accounts, load_u64(id_), load_u64(id_ + 8))
    account_prefetch_cell(&posting.accounts, hash_[0])


cdef inline void prefetch_account(Posting posting, uint32_t hash_) noexcept nogil:
    cdef uint32_t slot = account_candidate(&posting.accounts, hash_)
    if slot != NO_SLOT:
        prefetch(&posting.accounts.records[slot], 1)


cdef void prefetch_leg_homes(Posting posting, prepared_event *prepared) noexcept nogil:
    cdef const packed_leg *leg
    cdef hold_key key
    cdef int at
    if prepared.event.event_type == EVENT_TYPE_REVERSE:
        prefetch_key_home(posting, &prepared.legs[0])
        return
    for at in range(legs_ahead(prepared)):
        leg = &prepared.legs[at]
        if settles_hold(prepared, leg):
            leg_hold_key(leg, &key)
            prepared.leg_hashes[at][0] = <uint32_t>hold_key_hash(&posting.holds, &key)
            prefetch(&posting.holds.by_key[prepared.leg_hashes[at][0] & posting.holds.index_mask], 1)
            continue
        prefetch_account_cell(posting, leg.debit_account, &prepared.leg_hashes[at][0])
        prefetch_account_cell(posting, leg.credit_account, &prepared.leg_hashes[at][1])
        if makes_hold(prepared, leg):
            memcpy(key.serial, prepared.event.serial, 16)
            key.channel, key.business_date, key.leg = prepared.event.channel, prepared.event.business_date, at
            prefetch(&posting.holds.by_key[hold_key_hash(&posting.holds, &key) & posting.holds.index_mask], 1)


cdef void prefetch_leg_records(Posting posting, const prepared_event *prepared) noexcept nogil:
    cdef uint32_t held
    cdef int at
    if prepared.event.event_type == EVENT_TYPE_REVERSE:
        return
    for at in range(legs_ahead(prepared)):
        if settles_hold(prepared, &prepared.legs[at]):
            held = posting.holds.by_key[prepared.leg_hashes[at][0] & posting.holds.index_mask]
            if held != NO_HOLD:
                prefetch_two_lines(&posting.holds.holds[held])
        else:
            prefetch_account(posting, prepared.leg_hashes[at][0])
            prefetch_account(posting, prepared.leg_hashes[at][1])


cdef void prefetch_hold_accounts(Posting posting, const prepared_event *prepared) noexcept nogil:
    cdef hold_key key
    cdef uint32_t held
    cdef int at
    for at in range(legs_ahead(prepared)):
        if settles_hold(prepared, &prepared.legs[at]):
            leg_hold_key(&prepared.legs[at], &key)
            held = hold_find(&posting.holds, &key)
            if held != NO_HOLD:
                prefetch(&posting.accounts.records[posting.holds.holds[held].debit_slot], 1)
                prefetch(&posting.accounts.records[posting.holds.holds[held].credit_slot], 1)
