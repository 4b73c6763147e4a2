# Posting: how a decoded event becomes entries, or an outcome that says why not. Owns the order of the checks and the rules for
# bills and payments; uses decode, accounts, keys and the journal's frame buffers. ledger/model.py says the same in plain Python.

cdef uint16_t BOOK = 1
cdef int64_t DAY_MS = 86_400_000


cdef inline uint64_t account_id_high(uint64_t kind, uint64_t digits) noexcept nogil:
    return kind << 56 | digits << 48


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
    return hash_pair(
        event.household ^ <uint64_t>event.event_type << 56,
        <uint64_t>event.amount_fen,
        hash_pair(event.detail, event.value_date, hash_seed),
    ) | 1


cdef void entry_to_event(const journal_entry *entry, const account_record *accounts, packed_event *event) noexcept nogil:
    """What the event said that made this transfer."""
    cdef uint32_t household_slot = entry.debit_slot if entry.event_type == EVENT_TYPE_BILL else entry.credit_slot
    memset(event, 0, sizeof(packed_event))
    event.version = PACKED_EVENT_VERSION
    event.event_type = entry.event_type
    event.channel = entry.channel
    event.business_date = entry.business_date
    event.value_date = entry.value_date
    memcpy(event.serial, entry.serial, 16)
    event.household = accounts[household_slot].id_low
    event.amount_fen = <int64_t>entry.amount_fen
    event.detail = entry.detail


cdef uint16_t difference(const packed_event *event, const packed_event *first) noexcept nogil:
    """The outcome of an event whose key is known, by the first field that differs."""
    if event.event_type != first.event_type:
        return OUTCOME_EXISTS_WITH_DIFFERENT_CODE
    if event.household != first.household:
        if event.event_type == EVENT_TYPE_BILL:
            return OUTCOME_EXISTS_WITH_DIFFERENT_DEBIT_ACCOUNT_ID
        return OUTCOME_EXISTS_WITH_DIFFERENT_CREDIT_ACCOUNT_ID
    if event.amount_fen != first.amount_fen:
        return OUTCOME_EXISTS_WITH_DIFFERENT_AMOUNT
    if event.detail != first.detail:
        if event.event_type == EVENT_TYPE_PAYMENT:
            return OUTCOME_EXISTS_WITH_DIFFERENT_OUTLET
        if <uint32_t>event.detail != <uint32_t>first.detail:
            return OUTCOME_EXISTS_WITH_DIFFERENT_PERIOD
        return OUTCOME_EXISTS_WITH_DIFFERENT_DUE_DATE
    if event.value_date != first.value_date:
        return OUTCOME_EXISTS_WITH_DIFFERENT_VALUE_DATE
    return OUTCOME_EXISTS


cdef class Posting:
    """Accounts, keys and ledger time of one shard, and the one pass that applies blocks of events to them."""

    def __cinit__(self, JournalWriter writer not None, uint64_t hash_seed, object channels, *,
                  int64_t utc_offset_minutes, int64_t close_after_days, int64_t future_days):
        self.writer = writer
        self.utc_offset_ms = utc_offset_minutes * 60_000
        self.close_after_days = close_after_days
        self.future_days = future_days
        self.revenue_slot = NO_SLOT
        self.day_ends_ms = 0
        if account_table_open(&self.accounts, hash_seed) != 0 or key_tables_open(&self.keys, hash_seed) != 0:
            raise MemoryError
        channel_table_fill(&self.channels, channels)

    def __dealloc__(self):
        account_table_close(&self.accounts)
        key_tables_close(&self.keys)
        channel_table_clear(&self.channels)

    cdef void move_clock(self, int64_t timestamp_ms) noexcept nogil:
        if timestamp_ms > self.ledger_time_ms:
            self.ledger_time_ms = timestamp_ms
        if self.ledger_time_ms + self.utc_offset_ms >= self.day_ends_ms:
            self.ledger_date = (self.ledger_time_ms + self.utc_offset_ms) // DAY_MS
            self.day_ends_ms = (self.ledger_date + 1) * DAY_MS

    cdef int roll_frame(self, uint32_t payload_bytes) noexcept nogil:
        """Seal the frame under way, if any, and begin another with room for ``payload_bytes``."""
        if self.frame != NULL and self.seal_frame() != APPLY_DONE:
            return APPLY_STOPPED
        self.frame = self.writer.begin_frame(payload_bytes)
        return APPLY_STOPPED if self.frame == NULL else APPLY_DONE

    cdef int seal_frame(self) noexcept nogil:
        cdef frame_buffer *frame = self.frame
        frame.ledger_time_ms = self.ledger_time_ms
        frame.next_offset = self.next_offset
        frame.records_consumed = self.records_consumed
        frame.events_applied = self.events_applied
        frame.events_existing = self.events_existing
        frame.events_refused = self.events_refused
        self.frame = NULL
        self.sealed_frame = frame.frame_number
        return APPLY_DONE if self.writer.seal_frame(frame) == 0 else APPLY_STOPPED

    cdef int make_room(self, int64_t payload_bytes) noexcept nogil:
        """Have a frame under way that can take all that one event may leave, so that a frame never ends inside an event."""
        cdef frame_buffer *frame = self.frame
        if frame != NULL and frame.entry_count + EVENT_ENTRIES <= frame.entry_capacity \
                and frame.outcome_count < frame.outcome_capacity \
                and frame.payload_bytes + payload_bytes <= frame.payload_capacity:
            return APPLY_DONE
        return self.roll_frame(<uint32_t>payload_bytes)

    cdef void add_outcome(
        self, const packed_event *event, const record_view *record, uint16_t code, uint64_t seq, uint8_t payload_kind
    ) noexcept nogil:
        cdef outcome_record *outcome
        cdef uint32_t payload_bytes = <uint32_t>record.body_bytes
        outcome = &self.frame.outcomes[self.frame.outcome_count]
        memset(outcome, 0, sizeof(outcome_record))
        memcpy(outcome.serial, event.serial, 16)
        outcome.source_offset = record.offset
        outcome.seq = seq
        outcome.record_timestamp_ms = record.timestamp_ms
        outcome.code = code
        outcome.channel = event.channel
        outcome.business_date = event.business_date
        outcome.event_type = event.event_type
        if code == OUTCOME_EXISTS:
            self.events_existing += 1
        else:
            self.events_refused += 1
            outcome.payload_kind = payload_kind
            outcome.payload_offset = self.frame.payload_bytes
            outcome.payload_bytes = payload_bytes
            memcpy(self.frame.payload + self.frame.payload_bytes, record.body, payload_bytes)
            self.frame.payload_bytes += payload_bytes
        self.frame.outcome_count += 1

    cdef int refuse(self, const prepared_event *prepared, uint16_t code) noexcept nogil:
        self.add_outcome(&prepared.event, &prepared.record, code, self.last_seq, PAYLOAD_RECORD)
        return APPLY_DONE

    cdef int answer_known_key(self, const prepared_event *prepared, const key_slot *slot) noexcept nogil:
        cdef uint64_t seq = slot_seq(slot)
        cdef journal_entry original
        cdef packed_event first
        if slot.content_hash == content_hash(&prepared.event, self.keys.hash_seed):
            self.add_outcome(&prepared.event, &prepared.record, OUTCOME_EXISTS, seq, PAYLOAD_NONE)
            return APPLY_DONE
        if seq >= self.frame.first_seq:
            original = self.frame.entries[seq - self.frame.first_seq]
        else:
            with gil:
                if not self.read_original(seq, &original):
                    return APPLY_STOPPED
        entry_to_event(&original, self.accounts.records, &first)
        if content_hash(&first, self.keys.hash_seed) != slot.content_hash:
            return self.stop_at_damaged_original(seq)
        self.add_outcome(&prepared.event, &prepared.record, difference(&prepared.event, &first), seq, PAYLOAD_RECORD)
        return APPLY_DONE

    cdef bint read_original(self, uint64_t seq, journal_entry *entry) noexcept:
        """Read an entry back from the journal; False where that fails, with the reason kept in ``failure``."""
        cdef read_status found
        try:
            if self.writer.get_durable_seq() < seq:
                self.writer.wait_durable(self.frame.frame_number - 1)
            if self.originals is None:
                self.originals = EntryReader(os.fsdecode(<const char *>self.writer.folder))
            found = self.originals.copy_entry(seq, entry)
            if found == READ_OK and max(entry.debit_slot, entry.credit_slot) < self.accounts.count:
                return True
            self.originals.frames.raise_status()
            self.stop_at_damaged_original(seq)
        except Exception as error:
            self.failure = error
        return False

    cdef int stop_at_damaged_original(self, uint64_t seq) noexcept with gil:
        """The reader of single entries leaves checksums out, so what it read is held against the key's content hash."""
        self.failure = JournalDamaged("An entry is not what was written", hint="Run peakledger verify", seq=seq)
        return APPLY_STOPPED

    cdef journal_entry *next_entry(self, const prepared_event *prepared) noexcept nogil:
        cdef journal_entry *entry = &self.frame.entries[self.frame.entry_count]
        self.frame.entry_count += 1
        self.last_seq += 1
        memset(entry, 0, sizeof(journal_entry))
        entry.ledger_time_ms = self.ledger_time_ms
        entry.source_offset = prepared.record.offset
        entry.business_date = prepared.event.business_date
        entry.value_date = prepared.event.value_date
        entry.channel = prepared.event.channel
        entry.event_type = prepared.event.event_type
        return entry

    cdef uint32_t open_account(self, const prepared_event *prepared, uint64_t id_low, uint64_t id_high) noexcept nogil:
        cdef account_record record
        cdef journal_entry *entry
        cdef uint32_t slot
        memset(&record, 0, sizeof(record))
        record.id_low = id_low
        record.id_high = id_high
        record.book = BOOK
        record.last_seq = self.last_seq + 1
        slot = account_append(&self.accounts, &record)
        if slot == NO_SLOT:
            return NO_SLOT
        entry = self.next_entry(prepared)
        memcpy(entry.serial, &id_low, 8)
        memcpy(entry.serial + 8, &id_high, 8)
        entry.detail = BOOK
        entry.debit_slot = slot
        entry.credit_slot = NO_SLOT
        entry.kind = ENTRY_KIND_OPEN_ACCOUNT
        entry.code = ENTRY_CODE_OPEN_ACCOUNT
        return slot

    cdef uint32_t counter_slot(
        self, const packed_event *event, key_table *table, uint64_t *id_low, uint64_t *id_high
    ) noexcept nogil:
        """The account that stands against the household, or NO_SLOT where it is not open; its id in any case."""
        cdef uint32_t *known
        if event.event_type == EVENT_TYPE_BILL:
            id_low[0] = BOOK
            id_high[0] = account_id_high(ACCOUNT_KIND_REVENUE, 5)
            known = &self.revenue_slot
        else:
            id_low[0] = <uint64_t>event.channel * 100_000_000 + year_month_day(event.business_date)
            id_high[0] = account_id_high(ACCOUNT_KIND_CLEARING, 11)
            known = &table.clearing_slots[event.channel]
        if known[0] == NO_SLOT:
            known[0] = account_find(&self.accounts, id_low[0], id_high[0], account_hash(&self.accounts, id_low[0], id_high[0]))
        return known[0]

    cdef int post(self, prepared_event *prepared, key_table *table) noexcept nogil:
        """Open what is missing, move the amount, remember the key; or refuse."""
        cdef packed_event *event = &prepared.event
        cdef bint is_bill = event.event_type == EVENT_TYPE_BILL
        cdef uint64_t household_high = account_id_high(ACCOUNT_KIND_HOUSEHOLD, 13)
        cdef uint64_t amount_fen = <uint64_t>event.amount_fen
        cdef uint64_t counter_low, counter_high
        cdef uint32_t counter = self.counter_slot(event, table, &counter_low, &counter_high)
        cdef uint32_t household = prepared.household_slot
        cdef uint32_t debit, credit
        if household == NO_SLOT or self.accounts.records[household].id_low != event.household \
                or self.accounts.records[household].id_high != household_high:
            household = account_find(&self.accounts, event.household, household_high, prepared.household_hash)
        debit = household if is_bill else counter
        credit = counter if is_bill else household
        if debit != NO_SLOT and self.accounts.records[debit].debits_posted + amount_fen < amount_fen:
            return self.refuse(prepared, OUTCOME_OVERFLOWS_DEBITS_POSTED)
        if credit != NO_SLOT and self.accounts.records[credit].credits_posted + amount_fen < amount_fen:
            return self.refuse(prepared, OUTCOME_OVERFLOWS_CREDITS_POSTED)
        if is_bill and household == NO_SLOT:
            debit = household = self.open_account(prepared, event.household, household_high)
        if counter == NO_SLOT:
            counter = self.open_account(prepared, counter_low, counter_high)
            self.remember_counter(event, table, counter)
        if not is_bill and household == NO_SLOT:
            household = self.open_account(prepared, event.household, household_high)
        debit = household if is_bill else counter
        credit = counter if is_bill else household
        if debit == NO_SLOT or credit == NO_SLOT:
            return APPLY_NO_MEMORY
        self.write_transfer(prepared, debit, credit)
        self.events_applied += 1
        if key_insert(&self.keys, table, prepared.key_hash, event.serial, event.channel,
                      content_hash(event, self.keys.hash_seed), self.last_seq) != 0:
            return APPLY_NO_MEMORY
        return APPLY_DONE

    cdef inline void remember_counter(self, const packed_event *event, key_table *table, uint32_t slot) noexcept nogil:
        if event.event_type == EVENT_TYPE_BILL:
            self.revenue_slot = slot
        else:
            table.clearing_slots[event.channel] = slot

    cdef inline void write_transfer(self, const prepared_event *prepared, uint32_t debit, uint32_t credit) noexcept nogil:
        cdef account_record *debit_account = &self.accounts.records[debit]
        cdef account_record *credit_account = &self.accounts.records[credit]
        cdef journal_entry *entry = self.next_entry(prepared)
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
        debit_account.debits_posted += entry.amount_fen
        debit_account.last_seq = self.last_seq
        credit_account.credits_posted += entry.amount_fen
        credit_account.last_seq = self.last_seq

    cdef int apply_event(self, prepared_event *prepared) noexcept nogil:
        cdef packed_event *event = &prepared.event
        cdef key_table *table
        cdef key_part *part
        cdef key_slot *slot
        if self.make_room(prepared.record.body_bytes) != APPLY_DONE:
            return APPLY_STOPPED
        self.move_clock(prepared.record.timestamp_ms)
        if prepared.code != OUTCOME_APPLIED:
            return self.refuse(prepared, prepared.code)
        if event.business_date > self.ledger_date + self.future_days:
            return self.refuse(prepared, OUTCOME_BUSINESS_DATE_IN_FUTURE)
        if event.business_date < self.ledger_date - self.close_after_days:
            return self.refuse(prepared, OUTCOME_BUSINESS_DATE_CLOSED)
        table = key_table_of(&self.keys, event.business_date)
        if table == NULL:
            return APPLY_NO_MEMORY
        part = key_part_of(table, prepared.key_hash)
        if key_part_check(part) != 0:
            return APPLY_KEYS_DAMAGED
        slot = key_probe(part, prepared.key_hash, event.serial, event.channel)
        if slot.seq_and_channel != 0:
            return self.answer_known_key(prepared, slot)
        return self.post(prepared, table)

    cdef void prepare(self, prepared_event *prepared) noexcept nogil:
        """Decode, and ask for the memory that the event will touch."""
        cdef packed_event *event = &prepared.event
        cdef key_table *table
        prepared.household_slot = NO_SLOT
        prepared.code = decode_event(prepared.record.value, prepared.record.value_bytes, &self.channels, event)
        if prepared.code == DECODE_SLOW:
            with gil:
                prepared.code = decode_event_slow(prepared.record.value, prepared.record.value_bytes, &self.channels, event)
        if prepared.code != OUTCOME_APPLIED:
            return
        prepared.key_hash = key_hash(event.serial, event.channel, self.keys.hash_seed)
        prepared.household_hash = account_hash(&self.accounts, event.household, account_id_high(ACCOUNT_KIND_HOUSEHOLD, 13))
        account_prefetch_cell(&self.accounts, prepared.household_hash)
        table = self.keys.by_date[event.business_date]
        if table != NULL:
            prefetch(key_home(key_part_of(table, prepared.key_hash), prepared.key_hash), 1)

    cdef int apply_group(self, int count) noexcept nogil:
        cdef int at
        cdef int status
        cdef prepared_event *prepared
        for at in range(count):
            self.group[at].record = self.records[at]
            self.prepare(&self.group[at])
        for at in range(count):
            prepared = &self.group[at]
            if prepared.code == OUTCOME_APPLIED:
                prepared.household_slot = account_candidate(&self.accounts, prepared.household_hash)
                if prepared.household_slot != NO_SLOT:
                    prefetch(&self.accounts.records[prepared.household_slot], 1)
        for at in range(count):
            status = self.apply_event(&self.group[at])
            if status != APPLY_DONE:
                return status
            self.records_consumed += 1
            self.next_offset = self.group[at].record.offset + 1
        return APPLY_DONE

    cdef int apply_batches(self, batch_walker *walker, int64_t next_offset) noexcept nogil:
        """Apply every record of the block; a block without any still moves the position."""
        cdef int status = APPLY_DONE
        cdef int count = walker_fill(walker, self.records, GROUP_EVENTS)
        while count > 0 and status == APPLY_DONE:
            status = self.apply_group(count)
            count = walker_fill(walker, self.records, GROUP_EVENTS)
        if status != APPLY_DONE:
            return status
        if walker.status == WALK_END and next_offset > self.next_offset:
            self.next_offset = next_offset
        return self.finish_block()

    cdef int finish_block(self) noexcept nogil:
        """Seal what is under way, so that it becomes durable without waiting for the next block."""
        if self.frame == NULL:
            if self.next_offset == self.sealed_offset:
                return APPLY_DONE
            if self.roll_frame(0) != APPLY_DONE:
                return APPLY_STOPPED
        self.sealed_offset = self.next_offset
        return self.seal_frame()

    cdef int check(self, int status) except -1:
        """Raise what stopped the engine; it applies nothing more."""
        if status == APPLY_DONE:
            return 0
        self.stopped = True
        if self.failure is not None:
            raise self.failure
        if status == APPLY_NO_MEMORY:
            raise MemoryError("no memory for accounts or keys; restart the engine with more, it goes on from the journal")
        if status == APPLY_KEYS_DAMAGED:
            raise KeyTableDamaged("a key table file is not what was written", hint=KEYS_HINT)
        self.writer.check()
        raise PeakledgerError("the journal takes no more frames")

    cdef int check_usable(self) except -1:
        if self.stopped:
            raise PeakledgerError("the engine has stopped", hint="Open the ledger again: it goes on from the journal")
        return 0

    @property
    def account_count(self):
        """The accounts that are open."""
        return self.accounts.count

    @property
    def first_open_date(self):
        """The first business date that is not closed, in days since 1970-01-01."""
        return max(0, self.ledger_date - self.close_after_days)

    def load_accounts(self, Projector projector not None):
        """Take the accounts that a projection holds."""
        if account_table_load(&self.accounts, projector.records, projector.count) != 0:
            raise MemoryError("no memory for the accounts")

    def resume(self, object position):
        """Go on from where the journal ends; ``position`` has the fields of its last frame's header."""
        self.sealed_frame = position.frame_number
        self.move_clock(position.ledger_time_ms)
        self.next_offset = self.sealed_offset = position.next_offset
        self.last_seq = position.last_seq
        self.records_consumed = position.records_consumed
        self.events_applied = position.events_applied
        self.events_existing = position.events_existing
        self.events_refused = position.events_refused

    def key_files(self, bytes ledger_id not None):
        """Return the face of the key tables for the checkpoint."""
        cdef KeyFiles files = KeyFiles(ledger_id)
        files.posting = self
        files.tables = &self.keys
        return files

    def apply(self, const uint8_t[::1] batches not None, int64_t next_offset):
        """Apply whole, uncompressed record batches; then go on from ``next_offset``.

        Records below the present ``next_offset`` are skipped. Raises CorruptBatch at the first damaged batch, with everything
        before it applied; and JournalWriteFailed, Fenced, KeyTableDamaged or MemoryError, after which the engine applies no more.
        """
        cdef batch_walker walker
        cdef int status
        cdef size_t length = batches.shape[0]
        self.check_usable()
        walker_open(&walker, &batches[0] if length > 0 else NULL, length, self.next_offset)
        with nogil:
            status = self.apply_batches(&walker, next_offset)
        self.check(status)
        if walker.status != WALK_END:
            raise walk_error(&walker)

    def quarantine_batch(self, const uint8_t[::1] raw not None, int64_t next_offset):
        """Keep a damaged batch whole as one refused event, and go on from ``next_offset``."""
        cdef prepared_event prepared
        cdef int status
        self.check_usable()
        memset(&prepared, 0, sizeof(prepared))
        prepared.record.offset = self.next_offset
        prepared.record.body = &raw[0] if raw.shape[0] > 0 else NULL
        prepared.record.body_bytes = raw.shape[0]
        with nogil:
            status = self.make_room(prepared.record.body_bytes)
            if status == APPLY_DONE:
                self.add_outcome(&prepared.event, &prepared.record, OUTCOME_CORRUPT_BATCH, self.last_seq, PAYLOAD_BATCH)
                self.records_consumed += 1
                self.next_offset = next_offset
                status = self.finish_block()
        self.check(status)
