# Posting: how a decoded event becomes entries, or an outcome that says why not. Owns the clock, the order of the checks that
# all events share, and the frame under way; uses the parts before it. ledger/model.py says the same in plain Python.

cdef int64_t DAY_MINUTES = 1440
cdef class Posting:
    """Accounts, keys and ledger time of one shard, and the one pass that applies blocks of events to them."""

    def __cinit__(self, JournalWriter writer not None, uint64_t hash_seed, object channels, *,
                  int64_t utc_offset_minutes, int64_t close_after_days, int64_t future_days,
                  uint64_t key_memory_bytes=0):
        cdef bint has_memory
        self.writer = writer
        self.utc_offset_minutes = utc_offset_minutes
        self.close_after_days = close_after_days
        self.future_days = future_days
        self.revenue_slot = NO_SLOT
        self.unopened.book = BOOK
        if writer.entry_capacity < LEDGER_ENTRIES:
            raise ConfigurationError("a frame must have room for the legs of one event", expected=LEDGER_ENTRIES,
                                     found=writer.entry_capacity)
        self.legs = <packed_leg *>malloc(GROUP_EVENTS * MAX_LEGS * sizeof(packed_leg))
        self.originals = <original_leg *>malloc(MAX_LEGS * sizeof(original_leg))
        self.closed_dates = <uint8_t *>calloc(CLOSED_DATES_BYTES, 1)
        if self.legs == NULL or self.originals == NULL or self.closed_dates == NULL \
                or account_table_open(&self.accounts, hash_seed) != 0 \
                or key_tables_open(&self.keys, hash_seed) != 0 or hold_table_open(&self.holds, hash_seed) != 0 \
                or limit_table_open(&self.limits) != 0 or reversal_table_open(&self.reversals) != 0:
            raise MemoryError
        channel_table_fill(&self.channels, channels)
        writer.rules_digest = _rules_digest(<object>self.channels.channels)
        with nogil:
            has_memory = pool_prepare(&self.keys.pool, key_memory_bytes // HUGE_PAGE_BYTES)
        if not has_memory:
            raise MemoryError(f"no memory for keys: {key_memory_bytes} bytes were to be kept ready")

    def __dealloc__(self):
        account_table_close(&self.accounts)
        key_tables_close(&self.keys)
        hold_table_close(&self.holds)
        limit_table_close(&self.limits)
        free(self.reversals.places)
        free(self.legs)
        free(self.originals)
        free(self.closed_dates)
        channel_table_clear(&self.channels)

    cdef void move_clock(self, int64_t timestamp_ms) noexcept nogil:
        if timestamp_ms > self.ledger_time_ms:
            self.ledger_time_ms = timestamp_ms
        if self.ledger_time_ms >= self.day_ends_ms:
            self.turn_day()

    cdef void turn_day(self) noexcept nogil:
        """Find the ledger date and the ledger time at which it ends; in minutes, for no timestamp may overflow."""
        cdef int64_t minutes = self.ledger_time_ms // 60_000 + self.utc_offset_minutes
        self.ledger_date = (minutes + DAY_MINUTES) // DAY_MINUTES - 1  # minutes may lie before 1970, by less than a day
        minutes = (self.ledger_date + 1) * DAY_MINUTES - self.utc_offset_minutes
        self.day_ends_ms = minutes * 60_000 if minutes < NEVER_DUE // 60_000 else NEVER_DUE

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

    cdef int make_room(self, uint32_t entries, int64_t payload_bytes) noexcept nogil:
        """Have a frame under way that can take all that one event may leave, so that a frame never ends inside an event."""
        cdef frame_buffer *frame = self.frame
        if frame != NULL and frame.entry_count + entries <= frame.entry_capacity \
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
        outcome.leg = self.fault_leg
        outcome.level = self.fault_level if code == OUTCOME_LIMIT_EXCEEDED else 0
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

    cdef int answer_failed_key(self, const prepared_event *prepared, const key_slot *slot) noexcept nogil:
        self.refuse(prepared, OUTCOME_ID_ALREADY_FAILED)
        self.frame.outcomes[self.frame.outcome_count - 1].first_code = <uint16_t>slot.content_hash
        return APPLY_DONE

    cdef int answer_known_key(self, const prepared_event *prepared, const key_slot *slot) noexcept nogil:
        cdef uint64_t seq = slot_seq(slot)
        cdef journal_entry original
        cdef packed_event first
        cdef uint16_t code = OUTCOME_EXISTS
        if slot.content_hash != event_content_hash(prepared, self.keys.hash_seed):
            if not self.read_entry(seq, &original):
                return APPLY_STOPPED
            if original.event_type != prepared.event.event_type \
                    and not (moves_legs(original.event_type) and moves_legs(prepared.event.event_type)):
                code = OUTCOME_EXISTS_WITH_DIFFERENT_CODE
            elif has_legs(prepared.event.event_type):
                code = ledger_event_difference(self, prepared, &original, seq)
            else:
                if original.debit_slot == NO_SLOT or original.credit_slot == NO_SLOT:
                    return self.stop_at_damaged_original(seq)
                entry_to_event(&original, self.accounts.records, &first)
                if content_hash(&first, self.keys.hash_seed) != slot.content_hash:
                    return self.stop_at_damaged_original(seq)
                code = difference(&prepared.event, &first)
        if code == STOPPED_INSIDE_EVENT:
            return APPLY_STOPPED
        self.add_outcome(&prepared.event, &prepared.record, code, seq, PAYLOAD_RECORD)
        return APPLY_DONE

    cdef bint read_entry(self, uint64_t seq, journal_entry *entry) noexcept nogil:
        """Read an entry back, from the frames in memory or from the files; False where that fails, and the engine stops."""
        cdef bint is_read
        if self.writer.ring_entry(seq, entry):
            return True
        with gil:
            is_read = self.read_original(seq, entry)
        if not is_read:
            self.stop_status = APPLY_STOPPED
        return is_read

    cdef bint read_original(self, uint64_t seq, journal_entry *entry) noexcept:
        """Read an entry back from the journal; False where that fails, with the reason kept in ``failure``."""
        cdef read_status found
        try:
            if self.entries is None:
                self.entries = EntryReader(os.fsdecode(<const char *>self.writer.folder))
            found = self.entries.copy_entry(seq, entry)
            if found == READ_OK and names_open_accounts(entry, self.accounts.count):
                return True
            self.entries.frames.raise_status()
            self.stop_at_damaged_original(seq)
        except Exception as error:
            self.failure = error
        return False

    cdef uint16_t stop_inside_event(self, uint64_t seq) noexcept nogil:
        """Stop at an entry read back that is not what was written, in the midst of judging an event."""
        self.stop_status = self.stop_at_damaged_original(seq)
        return STOPPED_INSIDE_EVENT

    cdef int stop_at_damaged_original(self, uint64_t seq) noexcept with gil:
        """The reader of single entries leaves checksums out, so what it read is held against the key's content hash."""
        self.failure = JournalDamaged("An entry is not what was written", hint="Run peakledger verify", seq=seq)
        return APPLY_STOPPED

    cdef journal_entry *next_entry(self, const prepared_event *prepared) noexcept nogil:
        cdef journal_entry *entry = &self.frame.entries[self.frame.entry_count]
        self.frame.entry_count += 1
        self.last_seq += 1
        clear_entry(entry)
        entry.ledger_time_ms = self.ledger_time_ms
        entry.source_offset = prepared.record.offset
        entry.business_date = prepared.event.business_date
        entry.value_date = prepared.event.value_date
        entry.channel = prepared.event.channel
        entry.event_type = prepared.event.event_type
        entry.terminal = prepared.event.terminal
        return entry

    cdef int apply_event(self, prepared_event *prepared) noexcept nogil:
        cdef packed_event *event = &prepared.event
        cdef key_table *table
        cdef key_part *part
        cdef key_slot *slot
        cdef uint32_t entries
        if self.holds.heap_count > 0 and expire_holds(self, &prepared.record) != APPLY_DONE:
            return APPLY_STOPPED
        entries = HOUSEHOLD_ENTRIES if prepared.leg_count == 0 else LEDGER_ENTRIES
        if self.make_room(entries, prepared.record.body_bytes) != APPLY_DONE:
            return APPLY_STOPPED
        self.move_clock(prepared.record.timestamp_ms)
        self.fault_leg = self.fault_level = 0
        if prepared.code != OUTCOME_APPLIED:
            return APPLY_NO_MEMORY if prepared.code == DECODE_NO_MEMORY else self.refuse(prepared, prepared.code)
        if event.business_date > self.ledger_date + self.future_days:
            return self.refuse(prepared, OUTCOME_BUSINESS_DATE_IN_FUTURE)
        if event.business_date < self.ledger_date - self.close_after_days \
                or is_date_closed(self.closed_dates, event.business_date, event.channel):
            return self.refuse(prepared, OUTCOME_BUSINESS_DATE_CLOSED)
        table = key_table_of(&self.keys, event.business_date)
        if table == NULL:
            return APPLY_NO_MEMORY
        part = key_part_of(table, prepared.key_hash)
        if key_part_check(part) != 0:
            return APPLY_KEYS_DAMAGED
        slot = key_probe(part, prepared.key_hash, event.serial, event.channel)
        if slot == NULL:
            return self.apply_fresh(prepared, table)
        if slot.seq_and_channel & KEY_FAILED:
            return self.answer_failed_key(prepared, slot)
        return self.answer_known_key(prepared, slot)

    cdef int apply_fresh(self, const prepared_event *prepared, key_table *table) noexcept nogil:
        """Apply an event whose key is new, and remember the key; or refuse it."""
        cdef uint64_t first_seq = self.last_seq + 1
        cdef uint64_t hash_
        cdef uint16_t code
        if is_plain_household_event(&prepared.event, &self.channels.profiles[prepared.event.channel]):
            code = household_event(self, prepared, table)
            first_seq = self.last_seq
        elif has_legs(prepared.event.event_type):
            code = ledger_event(self, prepared)
        else:
            code = channel_event(self, prepared)
            first_seq = self.last_seq
        if code == STOPPED_INSIDE_EVENT:
            return self.stop_status
        if code == OUTCOME_APPLIED:
            self.events_applied += 1
            hash_ = event_content_hash(prepared, self.keys.hash_seed)
            return self.remember_key(prepared, table, hash_, first_seq)
        if code == OUTCOME_EXISTS or OUTCOME_EXISTS_WITH_DIFFERENT_FLAGS <= code <= OUTCOME_EXISTS_WITH_DIFFERENT_CODE \
                or code == OUTCOME_EXISTS_WITH_DIFFERENT_LEDGER:
            self.add_outcome(&prepared.event, &prepared.record, code, self.known_seq, PAYLOAD_RECORD)
            return APPLY_DONE
        self.refuse(prepared, code)
        return self.remember_key(prepared, table, code, KEY_FAILED) if is_transient(code) else APPLY_DONE

    cdef inline int remember_key(
        self, const prepared_event *prepared, key_table *table, uint64_t hash_, uint64_t seq
    ) noexcept nogil:
        cdef const packed_event *event = &prepared.event
        if key_insert_new(&self.keys, table, prepared.key_hash, event.serial, event.channel, hash_, seq) != 0:
            return APPLY_NO_MEMORY
        return APPLY_DONE

    cdef void prepare(self, prepared_event *prepared) noexcept nogil:
        """Decode, and find the hashes by which the event's memory is found."""
        cdef packed_event *event = &prepared.event
        prepared.household_slot = NO_SLOT
        prepared.key_home = NULL
        prepared.leg_count = 0
        prepared.code = decode_with_legs(
            prepared.record.value, prepared.record.value_bytes, &self.channels, event, prepared.legs)
        if prepared.code == DECODE_SLOW:
            with gil:
                prepared.code = decode_event_slow(
                    prepared.record.value, prepared.record.value_bytes, &self.channels, event, prepared.legs)
        if has_legs(event.event_type):
            prepared.leg_count = <uint8_t>event.detail
        if prepared.code != OUTCOME_APPLIED:
            return
        prepared.key_hash = key_hash(event.serial, event.channel, self.keys.hash_seed)
        prepared.household_hash = account_hash(&self.accounts, event.household, account_id_high(ACCOUNT_KIND_HOUSEHOLD, 13))

    cdef int prefetch_homes(self, int count) noexcept nogil:
        """Ask for what the hashes lead to. A pass of its own: the tighter it is, the more requests are under way at once.

        Return how many of the events have legs.
        """
        cdef int with_legs = 0
        cdef int at
        cdef prepared_event *prepared
        cdef key_table *table
        for at in range(count):
            prepared = &self.group[at]
            if prepared.code != OUTCOME_APPLIED:
                continue
            table = self.keys.by_date[prepared.event.business_date]
            if table != NULL:
                prepared.key_home = key_home(key_part_of(table, prepared.key_hash), prepared.key_hash)
                prefetch(prepared.key_home, 1)
            if prepared.leg_count == 0:
                account_prefetch_cell(&self.accounts, prepared.household_hash)
            else:
                prefetch_leg_homes(self, prepared)
                with_legs += 1
        return with_legs

    cdef void prefetch_records(self, int count, bint with_legs) noexcept nogil:
        """Ask for what lies behind the homes: accounts, holds, and the slots behind a home that is full."""
        cdef int at
        cdef prepared_event *prepared
        for at in range(count):
            prepared = &self.group[at]
            if prepared.code != OUTCOME_APPLIED:
                continue
            if prepared.leg_count == 0:
                prepared.household_slot = account_candidate(&self.accounts, prepared.household_hash)
                if prepared.household_slot != NO_SLOT:
                    prefetch(&self.accounts.records[prepared.household_slot], 1)
            else:
                prefetch_leg_records(self, prepared)
        if with_legs:
            for at in range(count):
                if self.group[at].code == OUTCOME_APPLIED:
                    prefetch_hold_accounts(self, &self.group[at])

    cdef int apply_group(self, int count) noexcept nogil:
        cdef packed_leg *legs = self.legs
        cdef int at
        cdef int status
        for at in range(count):
            self.group[at].record = self.records[at]
            self.group[at].legs = legs
            self.prepare(&self.group[at])
            legs += self.group[at].leg_count
        self.prefetch_records(count, self.prefetch_homes(count) > 0)
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
            raise MemoryError("no memory for accounts, keys or values; restart the engine with more, it goes on from the journal")
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

    @property
    def reversal_count(self):
        """The entries of which is known how much was reversed."""
        return self.reversals.count

    def forget_reversals(self, uint64_t first_seq):
        """Forget how much was reversed of entries before ``first_seq``: of events whose business dates have closed."""
        cdef int failed
        with nogil:
            failed = forget_reversed(&self.reversals, first_seq)
        if failed:
            raise MemoryError("no memory for the reversals")

    def expect_accounts(self, uint32_t account_count):
        """Take the memory for so many accounts, before any is there. May run while a projector loads them."""
        cdef int failed
        with nogil:
            failed = account_table_make_room(&self.accounts, account_count)
        if failed:
            raise MemoryError("no memory for the accounts")

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
            self.fault_leg = self.fault_level = 0
            status = self.make_room(0, prepared.record.body_bytes)
            if status == APPLY_DONE:
                self.add_outcome(&prepared.event, &prepared.record, OUTCOME_CORRUPT_BATCH, self.last_seq, PAYLOAD_BATCH)
                self.records_consumed += 1
                self.next_offset = next_offset
                status = self.finish_block()
        self.check(status)
