# All accounts as they were at a seq, by a pass over the journal from its first entry; and the totals of accounts.
# Owns PastAccounts. Uses journal_reader.pxi, entries.pxi, memory.pxi.


cdef class PastAccounts:
    """The accounts as the entries up to ``last_seq`` left them. With a ``last_value_date``, in days since 1970-01-01, only what
    was posted with that value date or an earlier one is in their sums.

    64 bytes of memory an account. Raises what ``JournalReader`` raises.
    """

    def __init__(self, folder, uint64_t last_seq, *, int32_t last_value_date=-1):
        self.reader = JournalReader(folder, follow=True)
        self.last_seq = last_seq
        self.last_value_date = last_value_date
        self.records = <account_record *>reserve_memory(ACCOUNT_LIMIT * sizeof(account_record))
        if self.records == NULL:
            raise MemoryError

    def __dealloc__(self):
        if self.records != NULL:
            munmap(self.records, ACCOUNT_LIMIT * sizeof(account_record))

    cdef void apply_posted(self, const journal_entry *entry, uint64_t seq) noexcept nogil:
        """Apply an entry as far as the value date lets it count."""
        if entry.kind == ENTRY_KIND_OPEN_ACCOUNT:
            open_record(self.records, entry, seq)
        elif posts_amount(entry) and entry.value_date <= self.last_value_date:
            self.records[entry.debit_slot].debits_posted += entry.amount_fen
            self.records[entry.credit_slot].credits_posted += entry.amount_fen

    cdef read_status apply_frame(self, const frame_header *frame) noexcept nogil:
        cdef const journal_entry *entries = frame_entries(frame)
        cdef const journal_entry *entry
        cdef uint32_t index
        for index in range(min(<uint64_t>frame.entry_count, self.last_seq - self.seq)):
            if index + ACCOUNTS_AHEAD < frame.entry_count:
                prefetch(self.records + entries[index + ACCOUNTS_AHEAD].debit_slot, 1)
                prefetch(self.records + entries[index + ACCOUNTS_AHEAD].credit_slot, 1)
            entry = entries + index
            self.seq += 1
            if not entry_fits(entry, self.account_count) or self.account_count == ACCOUNT_LIMIT:
                self.reader.damaged_at(DAMAGE_SLOT, self.account_count, entry.debit_slot)
                self.reader.damage.seq = self.seq
                return READ_DAMAGED
            if self.last_value_date < 0:
                apply_entry_to_accounts(self.records, entry, self.seq)
            else:
                self.apply_posted(entry, self.seq)
            self.account_count += entry.kind == ENTRY_KIND_OPEN_ACCOUNT
        return READ_OK

    def apply_some(self, uint64_t byte_count) -> bool:
        """Apply frames until ``byte_count`` more bytes are read; ``False`` when ``last_seq`` or the end so far is reached."""
        cdef const frame_header *frame = NULL
        cdef uint64_t until = self.reader.bytes_read + byte_count
        with nogil:
            while self.seq < self.last_seq and self.reader.bytes_read < until:
                frame = self.reader.read_frame()
                if frame == NULL:
                    break
                self.reader.status = self.apply_frame(frame)
                if self.reader.status != READ_OK:
                    break
        self.reader.raise_status()
        return frame != NULL and self.seq < self.last_seq

    @property
    def bytes_read(self) -> int:
        return self.reader.bytes_read

    def copy_records(self) -> bytes:
        """Return the ``account_record`` of each account, by slot."""
        return PyBytes_FromStringAndSize(<const char *>self.records, <Py_ssize_t>self.account_count * sizeof(account_record))

    def totals(self) -> list:
        """Return ``total_accounts`` of the accounts."""
        return totals_of(self.records, self.account_count)


def total_accounts(const uint8_t[::1] records) -> list:
    """Add up ``account_record``s by kind and book.

    Returns tuples of kind, book, count of accounts, debits pending and posted, credits pending and posted in fen.
    """
    if records.shape[0] == 0:
        return []
    return totals_of(<const account_record *>&records[0], <uint32_t>(records.shape[0] // <Py_ssize_t>sizeof(account_record)))


cdef int add_to_totals(totals_table *table, const account_record *record) noexcept nogil:
    """Add an account to the totals of its kind and book; return 0, or -1 where there is no memory."""
    cdef uint64_t key = record.id_high >> 56 << 16 | record.book
    cdef account_totals *grown
    cdef account_totals *totals
    if table.number_of[key] == 0:
        grown = <account_totals *>realloc(table.totals, (table.count + 1) * sizeof(account_totals))
        if grown == NULL:
            return -1
        table.totals = grown
        memset(&grown[table.count], 0, sizeof(account_totals))
        grown[table.count].key = key
        table.count += 1
        table.number_of[key] = table.count
    totals = &table.totals[table.number_of[key] - 1]
    totals.accounts += 1
    totals.debits_pending += record.debits_pending
    totals.debits_posted += record.debits_posted
    totals.credits_pending += record.credits_pending
    totals.credits_posted += record.credits_posted
    return 0


cdef list totals_of(const account_record *records, uint32_t count):
    cdef totals_table table
    cdef account_totals *totals
    cdef uint32_t index
    cdef int code = 0
    cdef list found = []
    table.totals, table.count = NULL, 0
    table.number_of = <uint32_t *>calloc(1 << 24, sizeof(uint32_t))  # only what is touched takes memory
    if table.number_of == NULL:
        raise MemoryError
    with nogil:
        for index in range(count):
            code = add_to_totals(&table, &records[index])
            if code:
                break
    for index in range(table.count):
        totals = &table.totals[index]
        found.append((
            totals.key >> 16, totals.key & 0xFFFF, totals.accounts, python_int(totals.debits_pending),
            python_int(totals.debits_posted), python_int(totals.credits_pending), python_int(totals.credits_posted)))
    free(table.number_of)
    free(table.totals)
    if code:
        raise MemoryError
    return found
