# Checking a whole journal beyond what reading checks: digests, counters, links, accounts. Owns JournalVerifier.
# Uses journal_reader.pxi, digests.pxi. Memory: 24 bytes an account.

cdef enum:
    ACCOUNTS_AHEAD = 16  # entries between fetching an account and using it


cdef class JournalVerifier:
    """Reads a journal from the first frame on and checks what every frame says against all that was before it."""

    def __init__(self, folder):
        self.reader = JournalReader(folder)
        digester_start(&self.digester, 0, self.digester.chain)
        memset(&self.before, 0, sizeof(frame_header))

    def __dealloc__(self):
        free(self.accounts)

    cdef read_status wrong(self, damage_kind kind, uint64_t seq, uint64_t expected, uint64_t found) noexcept nogil:
        # The place is that of the frame just read.
        self.reader.damaged_at(kind, expected, found)
        self.reader.damage.seq = seq
        self.reader.damage.byte_offset = self.frame_byte_offset
        return READ_DAMAGED

    cdef read_status check_counters(self, const frame_header *frame) noexcept nogil:
        cdef const outcome_record *outcomes = frame_outcomes(frame)
        cdef const journal_entry *entries = frame_entries(frame)
        cdef uint64_t applied = self.before.events_applied
        cdef uint64_t existing = self.before.events_existing
        cdef uint64_t total = frame.events_applied + frame.events_existing + frame.events_refused
        cdef uint32_t index
        for index in range(frame.entry_count):
            applied += is_first_of_event(&entries[index])
        for index in range(frame.outcome_count):
            existing += outcomes[index].code == OUTCOME_EXISTS
        if frame.records_consumed != total:
            return self.wrong(DAMAGE_COUNT_CONSUMED, frame.first_seq, total, frame.records_consumed)
        if frame.events_applied != applied:
            return self.wrong(DAMAGE_COUNT_APPLIED, frame.first_seq, applied, frame.events_applied)
        if frame.events_existing != existing:
            return self.wrong(DAMAGE_COUNT_EXISTING, frame.first_seq, existing, frame.events_existing)
        if total - self.before.records_consumed != applied - self.before.events_applied + frame.outcome_count:
            return self.wrong(
                DAMAGE_COUNT_REFUSED, frame.first_seq,
                self.before.events_refused + frame.outcome_count - (existing - self.before.events_existing), frame.events_refused)
        if frame.ledger_time_ms < self.before.ledger_time_ms:
            return self.wrong(DAMAGE_LEDGER_TIME, frame.first_seq, self.before.ledger_time_ms, frame.ledger_time_ms)
        if frame.next_offset < self.before.next_offset:
            return self.wrong(DAMAGE_NEXT_OFFSET, frame.first_seq, self.before.next_offset, frame.next_offset)
        return READ_OK

    cdef read_status check_digests(self, const frame_header *frame) noexcept nogil:
        cdef digest_record record
        cdef const digest_record *stored = frame_digests(frame)
        cdef const journal_entry *entries = frame_entries(frame)
        cdef uint32_t count, left = frame.entry_count
        if frame.segment_number != self.before.segment_number:
            if memcmp(self.reader.segment.last_digest, self.digester.chain, 32) != 0:
                return self.wrong(DAMAGE_SEGMENT_DIGEST, frame.first_seq, 0, frame.segment_number)
        while left:
            count = min(left, ENTRIES_PER_BLOCK - <uint32_t>(self.digester.entry_count % ENTRIES_PER_BLOCK))
            if digester_add(&self.digester, entries, count, &record):
                if memcmp(stored, &record, sizeof(digest_record)) != 0:
                    return self.wrong(DAMAGE_DIGEST, self.digester.entry_count, record.block, stored.block)
                stored += 1
            entries += count
            left -= count
        return READ_OK

    cdef read_status make_room(self) noexcept nogil:
        cdef account_record *grown
        if self.account_count == self.account_capacity:
            grown = <account_record *>realloc(self.accounts, (self.account_capacity * 2 + 1024) * sizeof(account_record))
            if grown == NULL:
                return self.reader.failed(ENOMEM)
            self.accounts = grown
            self.account_capacity = self.account_capacity * 2 + 1024
        return READ_OK

    cdef read_status check_links(self, const journal_entry *entry, uint64_t seq) noexcept nogil:
        cdef uint64_t last_seq
        if entry.kind == ENTRY_KIND_OPEN_ACCOUNT or has_no_account(entry):
            return READ_OK
        last_seq = self.accounts[entry.debit_slot].last_seq
        if entry.debit_previous_seq != last_seq:
            return self.wrong(DAMAGE_LINK, seq, last_seq, entry.debit_previous_seq)
        if has_two_accounts(entry):
            last_seq = self.accounts[entry.credit_slot].last_seq
            if entry.credit_previous_seq != last_seq:
                return self.wrong(DAMAGE_LINK, seq, last_seq, entry.credit_previous_seq)
        return READ_OK

    cdef read_status check_amount(self, const journal_entry *entry, uint64_t seq) noexcept nogil:
        """What is added must not wrap, and no more may be taken from what is pending than is."""
        cdef const account_record *debit = &self.accounts[entry.debit_slot]
        cdef const account_record *credit = &self.accounts[entry.credit_slot]
        cdef uint64_t most
        if entry.kind == ENTRY_KIND_TRANSFER or entry.kind == ENTRY_KIND_REVERSE:
            most = UINT64_MAX - max(debit.debits_posted, credit.credits_posted)
        elif entry.kind == ENTRY_KIND_PENDING:
            most = UINT64_MAX - max(debit.debits_pending, credit.credits_pending)
        else:
            most = min(debit.debits_pending, credit.credits_pending)
        return self.wrong(DAMAGE_OVERFLOW, seq, most, entry.amount_fen) if entry.amount_fen > most else READ_OK

    cdef read_status check_entry(self, const journal_entry *entry, uint64_t seq) noexcept nogil:
        cdef read_status found
        if not ENTRY_KIND_OPEN_ACCOUNT <= entry.kind <= ENTRY_KIND_NOTE:
            return self.wrong(DAMAGE_ENTRY_KIND, seq, ENTRY_KIND_NOTE, entry.kind)
        if not entry_fits(entry, <uint32_t>self.account_count):
            return self.wrong(DAMAGE_SLOT, seq, self.account_count, entry.debit_slot)
        if has_two_accounts(entry) and entry.debit_slot == entry.credit_slot:
            return self.wrong(DAMAGE_SLOT, seq, entry.debit_slot, entry.credit_slot)
        found = self.check_links(entry, seq)
        if found == READ_OK and has_two_accounts(entry):
            found = self.check_amount(entry, seq)
        if found == READ_OK and entry.kind == ENTRY_KIND_OPEN_ACCOUNT:
            found = self.make_room()
            self.account_count += found == READ_OK
        if found == READ_OK:
            apply_entry_to_accounts(self.accounts, entry, seq)
        return found

    cdef read_status check_entries(self, const frame_header *frame) noexcept nogil:
        cdef const journal_entry *entries = frame_entries(frame)
        cdef read_status found = READ_OK
        cdef uint64_t seq = frame.first_seq
        cdef uint32_t index
        for index in range(frame.entry_count):
            if self.account_count and index + ACCOUNTS_AHEAD < frame.entry_count:
                prefetch(self.accounts + entries[index + ACCOUNTS_AHEAD].debit_slot, 1)
                prefetch(self.accounts + entries[index + ACCOUNTS_AHEAD].credit_slot, 1)
            found = self.check_entry(&entries[index], seq)
            if found != READ_OK:
                return found
            seq += 1
        return READ_OK

    cdef read_status check_next(self) noexcept nogil:
        # READ_END: all frames are checked.
        cdef const frame_header *frame = self.reader.read_frame()
        cdef read_status found
        if frame == NULL:
            return self.reader.status
        self.frame_byte_offset = self.reader.next_byte_offset - frame.frame_bytes
        found = self.check_counters(frame)
        if found == READ_OK:
            found = self.check_digests(frame)
        if found == READ_OK:
            found = self.check_entries(frame)
        self.before = frame[0]
        self.outcome_count += frame.outcome_count
        self.reader.status = found
        return found

    cdef uint64_t last_seq(self) noexcept nogil:
        return self.before.first_seq + self.before.entry_count - 1 if self.before.frame_number else 0

    def check_some(self, uint64_t byte_count, uint64_t up_to_seq=UINT64_MAX) -> bool:
        """Check frames until ``byte_count`` more bytes are read. ``False`` when all are checked, or all up to ``up_to_seq``.

        Raises ``JournalDamaged``.
        """
        cdef uint64_t until = self.reader.bytes_read + byte_count
        cdef read_status found = READ_OK
        with nogil:
            while found == READ_OK and self.reader.bytes_read < until and self.last_seq() < up_to_seq:
                found = self.check_next()
        self.reader.raise_status()
        return found == READ_OK and self.last_seq() < up_to_seq

    def trial_balance(self) -> tuple[int, int]:
        """Return the sums of the debits and of the credits of all accounts, posted and pending, in fen."""
        cdef wide_uint debits = 0
        cdef wide_uint credits = 0
        cdef size_t slot
        for slot in range(self.account_count):
            debits += self.accounts[slot].debits_posted
            debits += self.accounts[slot].debits_pending
            credits += self.accounts[slot].credits_posted
            credits += self.accounts[slot].credits_pending
        return python_int(debits), python_int(credits)

    def state_digest(self) -> int:
        """Return the state digest of the accounts as they are behind the last frame checked."""
        return python_int(accounts_digest(self.accounts, 0, <uint32_t>self.account_count))

    @property
    def bytes_read(self) -> int:
        return self.reader.bytes_read

    @property
    def last_frame(self) -> bytes:
        """The header of the last frame checked; zero where there was none."""
        return (<const uint8_t *>&self.before)[:sizeof(frame_header)]

    @property
    def last_digest(self) -> bytes:
        """The digest of the last full block."""
        return (<const uint8_t *>self.digester.chain)[:32]

    @property
    def counts(self) -> tuple[int, int]:
        """How many outcomes and how many accounts there are."""
        return self.outcome_count, self.account_count
