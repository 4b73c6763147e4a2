# Recovery: bringing accounts and keys to the end of the journal at a start. Owns nothing; uses posting, keys, accounts, reader.
#
# Each starts from a watermark of its own: accounts from the projection's, keys from their checkpoint's, holds, reversals and
# limits from the posting state's. An entry is applied to each only where it lies behind that watermark.


cdef class Replay:
    """Applies the frames of a journal to a Posting that has applied nothing yet."""

    def __cinit__(self, Posting posting not None, uint64_t accounts_seq, uint64_t keys_seq, uint64_t keys_frame,
                  uint64_t state_seq):
        self.posting = posting
        self.accounts_seq = accounts_seq
        self.keys_seq = keys_seq
        self.keys_frame = keys_frame
        self.state_seq = state_seq

    cdef int account_entry(self, const journal_entry *entry, uint64_t seq) noexcept nogil:
        """Return 0, or -1 where there is no memory."""
        cdef account_table *accounts = &self.posting.accounts
        cdef account_record opened
        if entry.kind == ENTRY_KIND_OPEN_ACCOUNT:
            memset(&opened, 0, sizeof(opened))
            memcpy(&opened.id_low, entry.serial, 16)
            if account_append(accounts, &opened) == NO_SLOT:
                return -1
        apply_entry_to_accounts(accounts.records, entry, seq)
        return 0

    cdef int key_entry(self, const journal_entry *entry, uint64_t seq) noexcept nogil:
        """Return 0, or -1 where there is no memory."""
        cdef key_tables *keys = &self.posting.keys
        cdef key_table *table
        cdef packed_event event
        cdef const uint8_t *serial = event_serial(entry)
        cdef uint64_t hash_ = 0  # a ledger event's content is compared with its entries
        if not is_first_of_event(entry):
            return 0
        table = key_table_of(keys, entry.business_date)
        if table == NULL:
            return -1
        if not has_legs(entry.event_type):
            entry_to_event(entry, self.posting.accounts.records, &event)
            hash_ = content_hash(&event, keys.hash_seed)
        return key_insert(keys, table, key_hash(serial, entry.channel, keys.hash_seed), serial, entry.channel, hash_, seq)

    cdef int failed_key(self, const outcome_record *outcome) noexcept nogil:
        """Burn the key of a refusal whose reason may pass; return 0, or -1 where there is no memory."""
        cdef key_tables *keys = &self.posting.keys
        cdef key_table *table
        if not is_transient(outcome.code):
            return 0
        table = key_table_of(keys, outcome.business_date)
        if table == NULL:
            return -1
        return key_insert(keys, table, key_hash(outcome.serial, outcome.channel, keys.hash_seed), outcome.serial, outcome.channel,
                          outcome.code, KEY_FAILED)

    cdef void prefetch_entry(self, const journal_entry *entry) noexcept nogil:
        cdef account_table *accounts = &self.posting.accounts
        cdef key_table *table = self.posting.keys.by_date[entry.business_date]
        cdef uint64_t hash_
        if not has_two_accounts(entry):
            return
        prefetch(&accounts.records[entry.debit_slot], 1)
        prefetch(&accounts.records[entry.credit_slot], 1)
        if table != NULL:
            hash_ = key_hash(entry.serial, entry.channel, self.posting.keys.hash_seed)
            prefetch(key_home(key_part_of(table, hash_), hash_), 1)

    cdef int apply_entry(self, const journal_entry *entry, uint64_t seq) noexcept nogil:
        """Return 0, or -1 where the entry does not fit the accounts or there is no memory."""
        cdef uint32_t account_count = self.posting.accounts.count
        if seq > self.accounts_seq:
            if not entry_fits(entry, account_count) or self.account_entry(entry, seq) != 0:
                return -1
        elif not names_open_accounts(entry, account_count):
            return -1
        if seq > self.keys_seq and self.key_entry(entry, seq) != 0:
            return -1
        if seq > self.state_seq and replay_posting_state(self.posting, entry, seq) != 0:
            return -1
        return 0

    cdef uint64_t apply_frame(self, const frame_header *frame, const journal_entry *entries) noexcept nogil:
        """Return 0, or the seq of the entry that cannot be applied."""
        cdef uint32_t ahead = 24
        cdef uint32_t at
        cdef const outcome_record *outcomes = frame_outcomes(frame)
        for at in range(frame.entry_count):
            if at + ahead < frame.entry_count:
                self.prefetch_entry(&entries[at + ahead])
            if self.apply_entry(&entries[at], frame.first_seq + at) != 0:
                return frame.first_seq + at
        if frame.frame_number > self.keys_frame:
            for at in range(frame.outcome_count):
                if self.failed_key(&outcomes[at]) != 0:
                    return frame.first_seq
        return 0

    def run(self, JournalReader reader not None, object progress=None):
        """Apply every frame that ``reader`` gives; ``progress(byte_count)`` is told of each. Raises JournalDamaged."""
        cdef const frame_header *frame
        cdef uint64_t bad_seq = 0
        while True:
            with nogil:
                frame = reader.read_frame()
                if frame != NULL:
                    bad_seq = self.apply_frame(frame, frame_entries(frame))
            if frame == NULL:
                break
            if bad_seq != 0:
                raise JournalDamaged("an entry does not fit the accounts before it", segment=frame.segment_number, seq=bad_seq,
                                     byte_offset=reader.next_byte_offset - frame.frame_bytes)
            if progress is not None:
                progress(frame.frame_bytes)
        reader.raise_status()
        recompute_exposures(self.posting)
        with nogil:
            find_closed_dates(self.posting.closed_dates, &self.posting.accounts, &self.posting.holds)
