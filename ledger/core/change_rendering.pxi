# From frames of the journal to record batches that tell what changed: each entry whole, or the balances of its accounts. Entries
# name accounts by slot and do not say what a balance then is; both are read in a snapshot of the balances that holds the frame.
# Owns ChangeRenderer and what is derived from it; uses BatchRenderer, json_writing.pxi, balance_file.pxi, entries.pxi.

cdef enum:
    MAX_NOTES = 11  # of an adjustment: 334 bytes
    CHANGE_NOT_IN_BALANCES = 2001  # no number of LMDB or of the system


cdef class ChangeRenderer(BatchRenderer):
    """Renders frames that the balances hold; ``read_from`` says which balances."""

    def read_from(self, BalanceView view not None) -> None:
        """Read balances and the names of accounts from this view from now on."""
        self.file = view.file

    cdef render_status render(self, const frame_header *frame, render_place *place) noexcept nogil:
        cdef const journal_entry *entries = frame_entries(frame)
        cdef render_status status = RENDER_DONE
        cdef int code = self.file.begin_read(&self.txn)
        self.frame_end = entries + frame.entry_count
        if code:
            return self.failed(code, frame.first_seq)
        while status == RENDER_DONE and place.entry < frame.entry_count:
            status = self.render_entry(&entries[place.entry], frame.first_seq + place.entry, place)
            place.entry += status == RENDER_DONE
        self.file.end_read(self.txn)
        return status

    cdef render_status render_entry(self, const journal_entry *entry, uint64_t seq, render_place *place) noexcept nogil:
        return RENDER_DONE

    cdef render_status failed(self, int code, uint64_t seq) noexcept nogil:
        self.failure = CHANGE_NOT_IN_BALANCES if code == LMDB_NOTFOUND else code
        self.failure_seq = seq
        return RENDER_FAILED

    cdef int raise_failure(self) except -1:
        if self.failure == CHANGE_NOT_IN_BALANCES:
            raise ProjectionDamaged(
                "The balances lack what the journal has", hint="Rebuild them", path=str(self.file.path), seq=self.failure_seq)
        raise lmdb_failure(self.failure, self.file.path)


cdef class BalanceRenderer(ChangeRenderer):
    """Renders the balance of each account that an entry changed, keyed by the account: as it is behind that entry, unless the
    balances hold a later one of the account already. Then that one's frame tells it.
    """

    cdef render_status render_entry(self, const journal_entry *entry, uint64_t seq, render_place *place) noexcept nogil:
        cdef account_record record
        cdef int code
        if has_no_account(entry):
            return RENDER_DONE
        while True:
            code = self.file.read_slot(self.txn, entry.credit_slot if place.is_credit else entry.debit_slot, &record)
            if code or record.last_seq < seq:
                return self.failed(code if code else CHANGE_NOT_IN_BALANCES, seq)
            if record.last_seq == seq and not self.add_balance(&record, entry):
                return RENDER_FULL
            place.is_credit = not place.is_credit and has_two_accounts(entry)
            if not place.is_credit:
                return RENDER_DONE

    cdef bint add_balance(self, const account_record *record, const journal_entry *entry) noexcept nogil:
        cdef char key[ACCOUNT_ROOM]
        cdef char value[VALUE_ROOM]
        cdef int64_t key_bytes = put_account(key, record.id_high, record.id_low) - key
        cdef char *at = put_text(value, b'{"account":"')
        memcpy(at, key, <size_t>key_bytes)
        at = put_member(at + key_bytes, b'","seq":', record.last_seq)
        at = put_member(at, b',"book":', record.book)
        at = put_member(at, b',"debits_posted_fen":', record.debits_posted)
        at = put_member(at, b',"credits_posted_fen":', record.credits_posted)
        at = put_member(at, b',"debits_pending_fen":', record.debits_pending)
        at = put_member(at, b',"credits_pending_fen":', record.credits_pending)
        at = put_text(at, b',"frozen":true' if record.flags & ACCOUNT_FROZEN else b',"frozen":false')
        at = put_text(at, b',"closed":true' if record.flags & ACCOUNT_CLOSED else b',"closed":false')
        at = put_place(at, entry)
        return self.add_value(key, key_bytes, value, at, entry.ledger_time_ms)


cdef class EntryRenderer(ChangeRenderer):
    """Renders each entry with the names of its event and accounts, keyed by the event."""

    cdef render_status render_entry(self, const journal_entry *entry, uint64_t seq, render_place *place) noexcept nogil:
        cdef char value[VALUE_ROOM]
        cdef event_name name
        cdef int code = 0
        cdef char *at = put_member(value, b'{"seq":', seq)
        name_entry(&name, &self.channels, entry)
        at = put_name(put_text(at, b',"kind":"'), ENTRY_KIND_NAMES, entry.kind)
        at = put_name(put_text(at, b'","event":"'), EVENT_TYPE_NAMES, entry.event_type)
        at = put_event_name(put_text(at, b'"'), &name)
        at = put_member(at, b',"leg":', entry.leg)
        at = put_member(at, b',"leg_count":', entry.leg_count)
        at = self.put_effect(at, entry, &code)
        if code:
            return self.failed(code, seq)
        at = put_place(at, entry)
        return RENDER_DONE if self.add_event_value(&name, value, at, entry.ledger_time_ms) else RENDER_FULL

    cdef char *put_effect(self, char *at, const journal_entry *entry, int *code) noexcept nogil:
        """Write what the entry does to which accounts. ``code`` is LMDB's where one of them cannot be read."""
        cdef account_record record
        if has_no_account(entry):
            return at
        if entry.kind == ENTRY_KIND_OPEN_ACCOUNT:
            return self.put_opening(at, entry, code)
        if has_two_accounts(entry):
            return self.put_movement(at, entry, code)
        code[0] = self.file.read_slot(self.txn, entry.debit_slot, &record)
        return at if code[0] else put_account_member(at, b',"account":"', &record)

    cdef char *put_opening(self, char *at, const journal_entry *entry, int *code) noexcept nogil:
        cdef account_record parent, opened
        memcpy(&opened.id_low, entry.serial, sizeof(entry.serial))
        at = put_account_member(at, b',"account":"', &opened)
        if entry.reference_seq:
            code[0] = self.file.read_slot(self.txn, <uint32_t>(entry.reference_seq - 1), &parent)
            if code[0]:
                return at
            at = put_account_member(at, b',"limit_parent":"', &parent)
        at = put_member(at, b',"credit_line_fen":', entry.amount_fen)
        at = put_member(at, b',"book":', entry.detail & 0xFFFF)
        return put_member(at, b',"flags":', entry.detail >> 16 & 0xFFFF)

    cdef char *put_movement(self, char *at, const journal_entry *entry, int *code) noexcept nogil:
        cdef account_record debit, credit
        code[0] = self.file.read_slot(self.txn, entry.debit_slot, &debit)
        if not code[0]:
            code[0] = self.file.read_slot(self.txn, entry.credit_slot, &credit)
        if code[0]:
            return at
        at = put_account_member(at, b',"debit_account":"', &debit)
        at = put_account_member(at, b',"credit_account":"', &credit)
        at = put_member(at, b',"amount_fen":', entry.amount_fen)
        at = put_member(at, b',"book":', debit.book)
        at = put_member(at, b',"code":', entry.code)
        at = put_member(at, b',"flags":', entry.flags)
        at = put_detail(at, entry)
        return put_note(at, entry, self.frame_end) if entry.code == ENTRY_CODE_ADJUST else at


cdef void name_entry(event_name *name, const channel_table *channels, const journal_entry *entry) noexcept nogil:
    """Name the event of an entry. An opening on the way of another event does not know that one's serial."""
    cdef uint64_t[2] unknown = [0, 0]
    cdef const uint8_t *serial = event_serial(entry)
    if entry.kind == ENTRY_KIND_OPEN_ACCOUNT and not entry.leg_count:
        serial = <const uint8_t *>&unknown[0]
    name_event(name, channels, entry.channel, entry.business_date, serial)


cdef char *put_account_member(char *at, const char *name, const account_record *record) noexcept nogil:
    return put_text(put_account(put_text(at, name), record.id_high, record.id_low), b'"')


cdef char *put_detail(char *at, const journal_entry *entry) noexcept nogil:
    """Write what an entry between two accounts says beside accounts and amount."""
    cdef uint32_t period = <uint32_t>entry.detail
    if entry.event_type == EVENT_TYPE_BILL:
        at = put_padded(put_text(at, b',"period":"'), period // 100, 4)
        at = put_padded(put_text(at, b'-'), period % 100, 2)
        at = put_text(put_date(put_text(at, b'","due_date":"'), <uint32_t>(entry.detail >> 32)), b'"')
    elif entry.event_type == EVENT_TYPE_PAYMENT:
        at = put_member(at, b',"outlet":', entry.detail) if entry.detail else at
    else:
        at = put_member(at, b',"user_data":', entry.detail)
    if entry.kind == ENTRY_KIND_PENDING:
        at = put_member(at, b',"timeout_s":', entry.reference_seq)
    elif entry.reference_seq:
        at = put_member(at, b',"reference_seq":', entry.reference_seq)
    return put_text(put_date(put_text(at, b',"value_date":"'), entry.value_date), b'"')


cdef char *put_note(char *at, const journal_entry *entry, const journal_entry *frame_end) noexcept nogil:
    """Write what stands in the notes behind an adjustment, as ledger.notes packs it. Nothing where there are none."""
    cdef uint8_t text[MAX_NOTES * NOTE_TEXT_BYTES]
    cdef const journal_note *note = <const journal_note *>(entry + 1)
    cdef uint32_t length = 0, place = 1, person
    while <const journal_entry *>note < frame_end and note.kind == ENTRY_KIND_NOTE and length < sizeof(text):
        memcpy(text + length, note.text, sizeof(note.text))
        memcpy(text + length + sizeof(note.text), note.more_text, sizeof(note.more_text))
        length += NOTE_TEXT_BYTES
        note += 1
    if length == 0:
        return at
    at = put_text(at, b',"allowed_by":[')
    for person in range(text[0]):
        at = put_note_text(put_text(at, b"," if person else b""), text, length, &place)
    return put_note_text(put_text(at, b'],"reason":'), text, length, &place)


cdef char *put_note_text(char *at, const uint8_t *text, uint32_t length, uint32_t *place) noexcept nogil:
    """Write the text of a note whose length stands at ``place``, and move that behind it; at the end, an empty text."""
    cdef uint32_t begin = min(place[0] + 1, length)
    cdef uint32_t end = min(begin + text[place[0]], length) if place[0] < length else length
    cdef uint32_t index
    at = put_text(at, b'"')
    for index in range(begin, end):
        if text[index] == c'"' or text[index] == c'\\':
            at = put_text(at, b"\\")
        at[0] = <char>text[index]
        at += 1
    place[0] = end
    return put_text(at, b'"')


cdef char *put_place(char *at, const journal_entry *entry) noexcept nogil:
    """Write where an entry comes from, and end the object."""
    at = put_signed(put_text(at, b',"offset":'), entry.source_offset)
    return put_text(put_signed(put_text(at, b',"ledger_time_ms":'), entry.ledger_time_ms), b"}")
