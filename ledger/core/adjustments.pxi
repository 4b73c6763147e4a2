# Adjustments: an amount that people move, and behind its entry the note of who allowed it and why. Owns the entries of notes, and
# how a known adjustment is compared; uses transfers. The note comes as ledger.notes packs it, in the legs behind the first.


cdef inline uint32_t note_bytes(const prepared_event *prepared) noexcept nogil:
    """The length of a note; it does not end in a zero."""
    cdef const uint8_t *text = <const uint8_t *>&prepared.legs[1]
    cdef uint32_t length = (prepared.leg_count - 1) * sizeof(packed_leg)
    while length > 0 and text[length - 1] == 0:
        length -= 1
    return length


cdef inline uint8_t note_count(const prepared_event *prepared) noexcept nogil:
    return <uint8_t>((note_bytes(prepared) + NOTE_TEXT_BYTES - 1) // NOTE_TEXT_BYTES)


cdef inline void copy_note(journal_note *note, const prepared_event *prepared, uint32_t number) noexcept nogil:
    """Fill the text of a note; the zeros behind the last leg are not there to be read."""
    cdef uint8_t text[NOTE_TEXT_BYTES]
    cdef uint32_t begin = number * NOTE_TEXT_BYTES
    memset(text, 0, sizeof(text))
    memcpy(text, <const uint8_t *>&prepared.legs[1] + begin, min(<uint32_t>NOTE_TEXT_BYTES, note_bytes(prepared) - begin))
    memcpy(note.text, text, sizeof(note.text))
    memcpy(note.more_text, text + sizeof(note.text), sizeof(note.more_text))


cdef void write_notes(Posting posting, const prepared_event *prepared) noexcept nogil:
    cdef uint8_t count = note_count(prepared)
    cdef journal_entry *entry
    cdef uint8_t number
    for number in range(count):
        entry = posting.next_entry(prepared)
        memcpy(entry.serial, prepared.event.serial, 16)
        copy_note(<journal_note *>entry, prepared, number)
        entry.debit_slot = entry.credit_slot = NO_SLOT
        entry.code = ENTRY_CODE_ADJUST
        entry.kind = ENTRY_KIND_NOTE
        entry.leg = number + 1
        entry.leg_count = count + 1


cdef uint16_t adjust_event(Posting posting, const prepared_event *prepared) noexcept nogil:
    """Move the amount as a leg of a transfer does, in the book of its accounts, and write the note down."""
    cdef packed_leg leg = prepared.legs[0]
    cdef uint64_t disputed_seq = 0
    cdef uint32_t slot = slot_of_id(posting, leg.debit_account)
    cdef journal_entry *entry
    cdef uint16_t code
    if names_hold(&leg):
        disputed_seq = event_seq(posting, leg.pending_serial, leg.pending_channel, leg.pending_business_date)
        if disputed_seq == 0:
            return STOPPED_INSIDE_EVENT if posting.stop_status != APPLY_DONE else OUTCOME_DISPUTED_EVENT_NOT_FOUND
        memset(leg.pending_serial, 0, sizeof(leg.pending_serial))
        leg.pending_channel = leg.pending_business_date = 0
    leg.book = BOOK if slot == NO_SLOT else posting.accounts.records[slot].book
    leg.code = ENTRY_CODE_ADJUST
    code = transfer_leg(posting, prepared, &leg, 0)
    if code == OUTCOME_APPLIED:
        entry = &posting.frame.entries[posting.frame.entry_count - 1]
        entry.reference_seq = disputed_seq
        entry.leg_count = note_count(prepared) + 1
        write_notes(posting, prepared)
    return code


cdef uint16_t disputed_difference(Posting posting, const packed_leg *leg, uint64_t disputed_seq) noexcept nogil:
    cdef journal_entry disputed
    if disputed_seq == 0:
        return OUTCOME_EXISTS_WITH_DIFFERENT_PENDING_ID if names_hold(leg) else OUTCOME_EXISTS
    if not posting.read_entry(disputed_seq, &disputed):
        return STOPPED_INSIDE_EVENT
    memcpy(disputed.serial, event_serial(&disputed), 16)
    return OUTCOME_EXISTS if is_key_of(leg, &disputed) else OUTCOME_EXISTS_WITH_DIFFERENT_PENDING_ID


cdef uint16_t note_difference(Posting posting, const prepared_event *prepared, uint8_t leg_count, uint64_t seq) noexcept nogil:
    cdef journal_note asked, written
    cdef uint8_t number
    if leg_count != note_count(prepared) + 1:
        return OUTCOME_EXISTS_WITH_DIFFERENT_NOTE
    for number in range(leg_count - 1):
        if not posting.read_entry(seq + number + 1, <journal_entry *>&written):
            return STOPPED_INSIDE_EVENT
        copy_note(&asked, prepared, number)
        if memcmp(asked.text, written.text, sizeof(asked.text)) != 0 \
                or memcmp(asked.more_text, written.more_text, sizeof(asked.more_text)) != 0:
            return OUTCOME_EXISTS_WITH_DIFFERENT_NOTE
    return OUTCOME_EXISTS


cdef uint16_t adjustment_difference(
    Posting posting, const prepared_event *prepared, const journal_entry *first, uint64_t seq
) noexcept nogil:
    cdef const packed_leg *leg = &prepared.legs[0]
    cdef uint16_t code
    if first.kind != ENTRY_KIND_TRANSFER:
        return posting.stop_inside_event(seq)
    code = disputed_difference(posting, leg, first.reference_seq)
    if code != OUTCOME_EXISTS:
        return code
    if not is_id_of(leg.debit_account, &posting.accounts.records[first.debit_slot]):
        return OUTCOME_EXISTS_WITH_DIFFERENT_DEBIT_ACCOUNT_ID
    if not is_id_of(leg.credit_account, &posting.accounts.records[first.credit_slot]):
        return OUTCOME_EXISTS_WITH_DIFFERENT_CREDIT_ACCOUNT_ID
    if leg.amount_fen != first.amount_fen:
        return OUTCOME_EXISTS_WITH_DIFFERENT_AMOUNT
    return note_difference(posting, prepared, first.leg_count, seq)
