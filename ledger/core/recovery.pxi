# Recovery: bringing accounts and keys to the end of the journal at a start. Owns nothing; uses posting, keys, accounts, reader.
#
# The two start from watermarks of their own: accounts from the projection, keys from their checkpoint. An entry is applied to
# each only where it lies behind that watermark.


cdef class Replay:
    """Applies the frames of a journal to a Posting that has applied nothing yet."""

    def __cinit__(self, Posting posting not None, uint64_t accounts_seq, uint64_t keys_seq):
        self.posting = posting
        self.accounts_seq = accounts_seq
        self.keys_seq = keys_seq

    cdef int account_entry(self, const journal_entry *entry, uint64_t seq) noexcept nogil:
        """Return 0, or -1 where the entry does not fit the accounts."""
        cdef account_table *accounts = &self.posting.accounts
        cdef account_record record
        if entry.kind == ENTRY_KIND_OPEN_ACCOUNT:
            memset(&record, 0, sizeof(record))
            record.id_low = load_u64(entry.serial)
            record.id_high = load_u64(entry.serial + 8)
            record.book = <uint16_t>entry.detail
            record.flags = <uint16_t>(entry.detail >> 16)
            record.last_seq = seq
            return 0 if account_append(accounts, &record) == entry.debit_slot else -1
        if entry.debit_slot >= accounts.count or entry.credit_slot >= accounts.count:
            return -1
        accounts.records[entry.debit_slot].debits_posted += entry.amount_fen
        accounts.records[entry.debit_slot].last_seq = seq
        accounts.records[entry.credit_slot].credits_posted += entry.amount_fen
        accounts.records[entry.credit_slot].last_seq = seq
        return 0

    cdef int key_entry(self, const journal_entry *entry, uint64_t seq) noexcept nogil:
        """Return 0, or -1 where the entry does not fit the accounts or there is no memory."""
        cdef key_tables *keys = &self.posting.keys
        cdef account_table *accounts = &self.posting.accounts
        cdef key_table *table
        cdef packed_event event
        if entry.kind != ENTRY_KIND_TRANSFER or entry.leg != 0:
            return 0
        table = key_table_of(keys, entry.business_date)
        if table == NULL or entry.debit_slot >= accounts.count or entry.credit_slot >= accounts.count:
            return -1
        entry_to_event(entry, accounts.records, &event)
        return key_insert(keys, table, key_hash(entry.serial, entry.channel, keys.hash_seed), entry.serial, entry.channel,
                          content_hash(&event, keys.hash_seed), seq)

    cdef void prefetch_entry(self, const journal_entry *entry) noexcept nogil:
        cdef account_table *accounts = &self.posting.accounts
        cdef key_table *table = self.posting.keys.by_date[entry.business_date]
        cdef uint64_t hash_
        if entry.kind != ENTRY_KIND_TRANSFER:
            return
        prefetch(&accounts.records[entry.debit_slot], 1)
        prefetch(&accounts.records[entry.credit_slot], 1)
        if table != NULL:
            hash_ = key_hash(entry.serial, entry.channel, self.posting.keys.hash_seed)
            prefetch(key_home(key_part_of(table, hash_), hash_), 1)

    cdef uint64_t apply_frame(self, const frame_header *frame, const journal_entry *entries) noexcept nogil:
        """Return 0, or the seq of the entry that cannot be applied."""
        cdef uint32_t ahead = 24
        cdef uint32_t at
        cdef uint64_t seq
        for at in range(frame.entry_count):
            if at + ahead < frame.entry_count:
                self.prefetch_entry(&entries[at + ahead])
            seq = frame.first_seq + at
            if seq > self.accounts_seq and self.account_entry(&entries[at], seq) != 0:
                return seq
            if seq > self.keys_seq and self.key_entry(&entries[at], seq) != 0:
                return seq
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
