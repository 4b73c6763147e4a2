# One account's entries, newest first, by the links between them. Owns AccountWalk. Uses entry_reader.pxi, entries.pxi.
#
# What an entry did is taken back from the account's sums, so that they are known behind every entry on the way.

cdef enum:
    ENTRIES_A_STEP = 1 << 16  # between two looks at signals
    MOST_LINES = 1 << 20


cdef inline account_sums sums_of(const account_record *record) noexcept nogil:
    return account_sums(record.debits_pending, record.debits_posted, record.credits_pending, record.credits_posted)


cdef inline account_sums sums_plus(account_sums a, account_sums b) noexcept nogil:
    return account_sums(
        a.debits_pending + b.debits_pending, a.debits_posted + b.debits_posted,
        a.credits_pending + b.credits_pending, a.credits_posted + b.credits_posted)


cdef inline account_sums sums_less(account_sums a, account_sums b) noexcept nogil:
    # Modulo 2^64, as everything here: what was added comes off again.
    return account_sums(
        a.debits_pending - b.debits_pending, a.debits_posted - b.debits_posted,
        a.credits_pending - b.credits_pending, a.credits_posted - b.credits_posted)


cdef inline account_sums effect_of(const journal_entry *entry, bint is_debit) noexcept nogil:
    """What an entry added to the sums of one of its accounts."""
    cdef account_record debit, credit
    memset(&debit, 0, sizeof(account_record))
    memset(&credit, 0, sizeof(account_record))
    if has_two_accounts(entry):
        move_amount(&debit, &credit, entry, 0)
    return sums_of(&debit if is_debit else &credit)


cdef inline bint filter_passes(
    const entry_filter *wanted, const journal_entry *entry, uint64_t seq, bint is_debit
) noexcept nogil:
    cdef uint32_t counter_slot = entry.credit_slot if is_debit else entry.debit_slot
    return (
        wanted.first_seq <= seq <= wanted.last_seq and wanted.first_ms <= entry.ledger_time_ms <= wanted.last_ms
        and wanted.first_value_date <= entry.value_date <= wanted.last_value_date
        and (wanted.code < 0 or wanted.code == entry.code)
        and (wanted.channel < 0 or wanted.channel == entry.channel)
        and (wanted.counter_slot < 0 or wanted.counter_slot == counter_slot)
        and (wanted.openings or entry.kind != ENTRY_KIND_OPEN_ACCOUNT))


cdef account_sums parse_sums(values) except *:
    return account_sums(values[0], values[1], values[2], values[3])


cdef tuple sums_tuple(const account_sums *sums):
    return sums.debits_pending, sums.debits_posted, sums.credits_pending, sums.credits_posted


cdef tuple line_tuple(const walk_line *line, uint32_t slot):
    cdef const journal_entry *entry = &line.entry
    return (
        line.seq, entry.ledger_time_ms, entry.business_date, entry.value_date, entry.kind, entry.code,
        entry.credit_slot if entry.debit_slot == slot else entry.debit_slot, entry.channel,
        (<const uint8_t *>&entry.serial[0])[:16], entry.source_offset, sums_tuple(&line.behind), sums_tuple(&line.before))


cdef class AccountWalk:
    """Goes from the entry ``seq`` of the account in ``slot`` back to its opening. ``sums`` are the account's just behind ``seq``:
    debits pending and posted, credits pending and posted, in fen.

    The keywords choose which entries count; ``-1`` is any. A line is a tuple of seq, ledger time, business and value date, kind,
    code, slot of the other account, channel, serial, source offset, and the sums behind and before it. Each entry on the way is
    read once, by itself. Raises ``JournalDamaged`` where a link leads astray.
    """

    def __init__(
        self, EntryReader entries, uint32_t slot, uint64_t seq, sums, *, int64_t code=-1, int64_t channel=-1,
        int64_t counter_slot=-1, uint16_t first_value_date=0, uint16_t last_value_date=UINT16_MAX, uint64_t first_seq=0,
        uint64_t last_seq=UINT64_MAX, int64_t first_ms=INT64_MIN, int64_t last_ms=INT64_MAX, bint openings=True
    ):
        self.entries = entries
        self.slot = slot
        self.next_seq = seq
        self.behind = self.start = parse_sums(sums)
        self.wanted = entry_filter(
            code, channel, counter_slot, first_value_date, last_value_date, first_seq, last_seq, first_ms, last_ms, openings)

    def __dealloc__(self):
        free(self.lines)

    cdef read_status read_line(self, walk_line *line, bint *is_debit, uint64_t *previous_seq) noexcept nogil:
        """The entry at the position, and the sums before it."""
        cdef const journal_entry *entry = &line.entry
        cdef read_status found = self.entries.copy_known_entry(self.next_seq, &line.entry)
        if found == READ_END:
            return self.entries.damaged_entry(DAMAGE_ENTRY_MISSING, self.next_seq, self.slot, 0)
        if found != READ_OK:
            return found
        if not ENTRY_KIND_OPEN_ACCOUNT <= entry.kind <= ENTRY_KIND_RELEASE:
            return self.entries.damaged_entry(DAMAGE_ENTRY_KIND, self.next_seq, ENTRY_KIND_RELEASE, entry.kind)
        is_debit[0] = entry.debit_slot == self.slot
        if not is_debit[0] and entry.credit_slot != self.slot:
            return self.entries.damaged_entry(DAMAGE_OTHER_ACCOUNT, self.next_seq, self.slot, entry.debit_slot)
        # An opening has none before it: the serial of its event stands there.
        if entry.kind == ENTRY_KIND_OPEN_ACCOUNT:
            previous_seq[0] = 0
        else:
            previous_seq[0] = entry.debit_previous_seq if is_debit[0] else entry.credit_previous_seq
        if previous_seq[0] >= self.next_seq:
            return self.entries.damaged_entry(DAMAGE_LINK, self.next_seq, self.next_seq - 1, previous_seq[0])
        line.seq = self.next_seq
        line.behind = self.behind
        line.before = sums_less(self.behind, effect_of(entry, is_debit[0]))
        return READ_OK

    cdef void mark(self, uint64_t seq) noexcept nogil:
        """Remember some of the entries passed, evenly spread, so that a later walk can begin nearer to where this one ends."""
        cdef int place
        self.passed += 1
        if self.passed % self.mark_spacing:
            return
        if self.mark_count == MOST_MARKS:
            for place in range(MOST_MARKS // 2):
                self.marks[place] = self.marks[2 * place + 1]
            self.mark_count = MOST_MARKS // 2
            self.mark_spacing *= 2
            if self.passed % self.mark_spacing:
                return
        self.marks[self.mark_count] = seq
        self.mark_count += 1

    cdef bint is_full(self) noexcept nogil:
        return self.capacity and self.found == self.capacity and not self.keeps_oldest

    cdef bint go_back(self, uint64_t stop_seq) noexcept nogil:
        """Go back a step on the way to ``stop_seq``; False where the way ends, with the status of the reader that says how."""
        cdef walk_line line
        cdef uint64_t previous_seq
        cdef bint is_debit
        cdef int count
        for count in range(ENTRIES_A_STEP):
            if self.next_seq <= stop_seq or self.is_full() or self.keeps_bounds and self.next_seq < self.wanted.first_seq:
                return False
            self.entries.frames.status = self.read_line(&line, &is_debit, &previous_seq)
            if self.entries.frames.status != READ_OK or self.keeps_bounds and line.entry.ledger_time_ms < self.wanted.first_ms:
                return False
            if filter_passes(&self.wanted, &line.entry, line.seq, is_debit):
                if self.capacity:
                    self.lines[self.found % self.capacity] = line
                self.found += 1
                self.counted = sums_plus(self.counted, sums_less(line.behind, line.before))
            if self.keeps_oldest:
                self.mark(line.seq)
            self.behind = line.before
            self.next_seq = previous_seq
        return True

    cdef int walk(self, uint64_t stop_seq) except -1:
        cdef bint goes_on = True
        with nogil:
            self.entries.frames.status = self.entries.add_segments()
        self.entries.frames.raise_status()
        while goes_on:
            with nogil:
                goes_on = self.go_back(stop_seq)
            PyErr_CheckSignals()
        self.entries.frames.raise_status()
        return 0

    cdef int make_room(self, size_t capacity) except -1:
        cdef walk_line *grown = NULL
        if not 0 < capacity <= MOST_LINES:
            raise ConfigurationError("a page of a statement has too many lines, or none", found=capacity, limit=MOST_LINES)
        grown = <walk_line *>realloc(self.lines, capacity * sizeof(walk_line))
        if grown == NULL:
            raise MemoryError
        self.lines = grown
        self.capacity = capacity
        self.found = 0
        return 0

    cdef int walk_newest(self, size_t limit) except -1:
        self.make_room(limit)
        self.keeps_bounds = True
        return self.walk(0)

    def newest(self, size_t limit) -> list:
        """Return the next lines, at most ``limit``, newest first; the position is behind the last of them then."""
        cdef size_t place
        self.walk_newest(limit)
        return [line_tuple(&self.lines[place], self.slot) for place in range(self.found)]

    def newest_entries(self, size_t limit) -> list:
        """Go back as ``newest`` does, and return of each line its seq and the 96 bytes of its entry."""
        cdef size_t place
        self.walk_newest(limit)
        return [
            (self.lines[place].seq, (<const uint8_t *>&self.lines[place].entry)[:sizeof(journal_entry)])
            for place in range(self.found)]

    def oldest(self, size_t limit, uint64_t after_seq, known=None) -> list:
        """Go back to ``after_seq``; return the oldest lines above it, at most ``limit``, oldest first.

        ``known`` are the sums behind ``after_seq``; with them, those that the walk began with may be any, and are put right.
        """
        cdef account_sums shift
        cdef walk_line *line
        cdef list lines = []
        cdef size_t place
        self.make_room(limit)
        self.keeps_oldest = True
        self.keeps_bounds = known is None
        self.mark_spacing = limit
        self.walk(after_seq)
        shift = sums_less(self.behind if known is None else parse_sums(known), self.behind)
        self.start = sums_plus(self.start, shift)
        self.behind = sums_plus(self.behind, shift)
        for place in range(min(self.found, limit)):
            line = &self.lines[(self.found - 1 - place) % limit]
            line.behind = sums_plus(line.behind, shift)
            line.before = sums_plus(line.before, shift)
            lines.append(line_tuple(line, self.slot))
        return lines

    def back_to(self, uint64_t seq) -> None:
        """Go back until no entry above ``seq`` is left; the position is the account as of ``seq`` then."""
        self.capacity = 0
        self.keeps_oldest = self.keeps_bounds = False
        self.walk(seq)

    @property
    def seq(self) -> int:
        """The entry at the position, which has not been passed; 0 before the opening."""
        return self.next_seq

    @property
    def sums(self) -> tuple:
        """The account's sums at the position."""
        return sums_tuple(&self.behind)

    @property
    def start_sums(self) -> tuple:
        """The account's sums where the walk began."""
        return sums_tuple(&self.start)

    @property
    def counted_sums(self) -> tuple:
        """What the entries that count added, as far as the walk came."""
        return sums_tuple(&self.counted)

    @property
    def mark_seqs(self) -> list:
        """Some of the account's entries that ``oldest`` passed, evenly spread, in rising order."""
        return [self.marks[place] for place in range(self.mark_count - 1, -1, -1)]
