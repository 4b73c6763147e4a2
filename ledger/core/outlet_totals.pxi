# What is paid and reversed at each outlet, added up from frames until it is written: a hash table of the cells that changed.
# Owns OutletCells; uses durable_frames.pxi and the entries' layout. ledger/projections/outlet_totals.py writes them to LMDB.
#
# A cell is an outlet, a channel and a business date. A payment counts where its entry's code says so, by its own channel; what is
# posted from a hold or reversed has the channel of the event that did it, so there the clearing account tells the payment's.

cdef enum:
    FIRST_CELLS = 1 << 10
    CELLS_TO_WRITE = 1 << 17  # so many at most wait to be written
    CELL_KEY_BYTES = 12
    CLEARING_DIGITS = 11      # channel 3, business date 8

    CELLS_SEQ_MISSING = 1
    CELLS_NO_MEMORY = 2

cdef struct outlet_cell:
    uint64_t outlet  # 0: the payment names none
    uint16_t business_date
    uint16_t channel
    bint is_used
    outlet_total total

cdef struct clearing_slot:
    uint32_t slot
    uint16_t channel
    bint is_used


cdef int compare_cells(const void *a, const void *b) noexcept nogil:
    """In the order of their keys."""
    cdef const outlet_cell *first = <const outlet_cell *>a
    cdef const outlet_cell *second = <const outlet_cell *>b
    if first.business_date != second.business_date:
        return 1 if first.business_date > second.business_date else -1
    if first.outlet != second.outlet:
        return 1 if first.outlet > second.outlet else -1
    return <int>first.channel - <int>second.channel


cdef inline outlet_cell *cell_place(
    outlet_cell *cells, uint64_t capacity, uint64_t outlet, uint16_t date, uint16_t channel
) noexcept nogil:
    """The cell, or the unused one where it belongs. There is always one."""
    cdef uint64_t at = hash_pair(outlet, <uint64_t>date << 16 | channel, 0) & (capacity - 1)
    while cells[at].is_used and (
        cells[at].outlet != outlet or cells[at].business_date != date or cells[at].channel != channel
    ):
        at = (at + 1) & (capacity - 1)
    return &cells[at]


cdef inline clearing_slot *clearing_place(clearing_slot *slots, uint64_t capacity, uint32_t slot) noexcept nogil:
    cdef uint64_t at = hash_pair(slot, 0, 0) & (capacity - 1)
    while slots[at].is_used and slots[at].slot != slot:
        at = (at + 1) & (capacity - 1)
    return &slots[at]


cdef class OutletCells:
    """The changes since ``frame`` and ``seq``. ``clearing``: slot and channel of every clearing account opened by then.

    One thread at a time. After an exception from ``replay`` or ``follow`` it is of no use any more.
    """
    cdef outlet_cell *cells
    cdef uint64_t capacity  # a power of two, at least twice the count
    cdef uint64_t count
    cdef clearing_slot *clearing
    cdef uint64_t clearing_capacity
    cdef readonly uint64_t clearing_count
    cdef bint is_sorted  # the cells stand in front, in order; nothing can be added before ``clear``
    cdef readonly uint64_t applied_frame
    cdef readonly uint64_t applied_seq
    cdef readonly uint32_t applied_crc32c  # of the applied frame; 0 until one is
    cdef int failure
    cdef uint64_t found_seq

    def __cinit__(self, uint64_t frame, uint64_t seq, clearing):
        self.applied_frame, self.applied_seq = frame, seq
        self.capacity = self.clearing_capacity = FIRST_CELLS
        self.cells = <outlet_cell *>calloc(self.capacity, sizeof(outlet_cell))
        self.clearing = <clearing_slot *>calloc(self.clearing_capacity, sizeof(clearing_slot))
        if self.cells == NULL or self.clearing == NULL:
            raise MemoryError
        for slot, channel in clearing:
            self.failure = self.add_clearing(slot, channel)
            self.check()

    def __dealloc__(self):
        free(self.cells)
        free(self.clearing)

    def __len__(self):
        """How many cells changed."""
        return self.count

    # --- Adding up ------------------------------------------------------------------------------------------------------

    def apply_entries(self, uint64_t first_seq, const uint8_t[::1] entries):
        """Apply the entries (96 bytes each) of the next frame."""
        cdef frame_header header
        self.check_open()
        memset(&header, 0, sizeof(header))
        header.frame_number = self.applied_frame + 1
        header.first_seq = first_seq
        header.entry_count = len(entries) // sizeof(journal_entry)
        with nogil:
            self.apply_frame(&header, <const journal_entry *>&entries[0] if header.entry_count else NULL)
        self.check()

    cdef int apply_frame(self, const frame_header *header, const journal_entry *entries) noexcept nogil:
        cdef uint32_t i
        if header.first_seq != self.applied_seq + 1:
            self.found_seq = header.first_seq
            self.failure = CELLS_SEQ_MISSING
        for i in range(header.entry_count):
            if self.failure:
                return self.failure
            self.failure = self.apply_entry(&entries[i])
        self.applied_frame = header.frame_number
        self.applied_crc32c = header.crc32c
        self.applied_seq += header.entry_count
        return self.failure

    cdef inline int apply_entry(self, const journal_entry *entry) noexcept nogil:
        cdef outlet_cell *cell
        if entry.code == ENTRY_CODE_PAYMENT and entry.kind == ENTRY_KIND_TRANSFER:
            cell = self.cell_of(entry, entry.channel)
        elif entry.code == ENTRY_CODE_PAYMENT and entry.kind == ENTRY_KIND_POST:
            cell = self.cell_of(entry, self.channel_of(entry, entry.debit_slot))
        elif entry.code == ENTRY_CODE_PAYMENT and entry.kind == ENTRY_KIND_REVERSE:
            cell = self.cell_of(entry, self.channel_of(entry, entry.credit_slot))
        else:
            return self.open_account(entry) if entry.kind == ENTRY_KIND_OPEN_ACCOUNT else 0
        if cell == NULL:
            return CELLS_NO_MEMORY
        if entry.kind == ENTRY_KIND_REVERSE:
            cell.total.reversals += 1
            cell.total.reversals_fen += entry.amount_fen
        else:
            cell.total.payments += 1
            cell.total.payments_fen += entry.amount_fen
        return 0

    cdef inline outlet_cell *cell_of(self, const journal_entry *entry, uint16_t channel) noexcept nogil:
        """The cell that the entry counts in. NULL where there is no memory."""
        cdef uint64_t outlet = entry.detail if entry.detail < OUTLET_LIMIT else 0
        cdef outlet_cell *cell = cell_place(self.cells, self.capacity, outlet, entry.business_date, channel)
        if cell.is_used:
            return cell
        if 2 * self.count >= self.capacity:
            if self.grow_cells():
                return NULL
            cell = cell_place(self.cells, self.capacity, outlet, entry.business_date, channel)
        cell.outlet, cell.business_date, cell.channel, cell.is_used = outlet, entry.business_date, channel, True
        self.count += 1
        return cell

    cdef int grow_cells(self) noexcept nogil:
        cdef uint64_t capacity = 2 * self.capacity, i
        cdef outlet_cell *cell
        cdef outlet_cell *grown = <outlet_cell *>calloc(capacity, sizeof(outlet_cell))
        if grown == NULL:
            return CELLS_NO_MEMORY
        for i in range(self.capacity):
            cell = &self.cells[i]
            if cell.is_used:
                cell_place(grown, capacity, cell.outlet, cell.business_date, cell.channel)[0] = cell[0]
        free(self.cells)
        self.cells, self.capacity = grown, capacity
        return 0

    # --- Clearing accounts ----------------------------------------------------------------------------------------------

    cdef int open_account(self, const journal_entry *entry) noexcept nogil:
        cdef uint64_t number = load_u64(entry.serial)
        if load_u64(entry.serial + 8) != (<uint64_t>ACCOUNT_KIND_CLEARING << 56 | <uint64_t>CLEARING_DIGITS << 48):
            return 0
        return self.add_clearing(entry.debit_slot, <uint16_t>(number // 100000000))

    cdef int add_clearing(self, uint32_t slot, uint16_t channel) noexcept nogil:
        cdef clearing_slot *place
        if 2 * self.clearing_count >= self.clearing_capacity and self.grow_clearing():
            return CELLS_NO_MEMORY
        place = clearing_place(self.clearing, self.clearing_capacity, slot)
        self.clearing_count += not place.is_used
        place.slot, place.channel, place.is_used = slot, channel, True
        return 0

    cdef int grow_clearing(self) noexcept nogil:
        cdef uint64_t capacity = 2 * self.clearing_capacity, i
        cdef clearing_slot *grown = <clearing_slot *>calloc(capacity, sizeof(clearing_slot))
        if grown == NULL:
            return CELLS_NO_MEMORY
        for i in range(self.clearing_capacity):
            if self.clearing[i].is_used:
                clearing_place(grown, capacity, self.clearing[i].slot)[0] = self.clearing[i]
        free(self.clearing)
        self.clearing, self.clearing_capacity = grown, capacity
        return 0

    cdef uint16_t channel_of(self, const journal_entry *entry, uint32_t slot) noexcept nogil:
        """The channel whose clearing account is in ``slot``; where it is no clearing account, the event's own."""
        cdef const clearing_slot *place = clearing_place(self.clearing, self.clearing_capacity, slot)
        return place.channel if place.is_used else entry.channel

    @property
    def clearing_accounts(self):
        """Slot and channel of every clearing account opened so far."""
        cdef uint64_t i
        return [
            (self.clearing[i].slot, self.clearing[i].channel) for i in range(self.clearing_capacity) if self.clearing[i].is_used
        ]

    # --- Following the journal ------------------------------------------------------------------------------------------

    def replay(self, JournalReader reader not None):
        """Apply frames of ``reader`` until there is enough to write or no frame is left. Return whether one may be."""
        cdef const frame_header *frame = NULL
        self.check_open()
        with nogil:
            while self.count < CELLS_TO_WRITE:
                frame = reader.read_frame()
                if frame == NULL or self.apply_frame(frame, frame_entries(frame)):
                    break
        if frame == NULL:
            reader.raise_status()
        self.check()
        return frame != NULL

    def follow(self, DurableFrames frames not None, double timeout_s):
        """Apply frames as they become durable, for ``timeout_s`` or until there is enough to write."""
        cdef const frame_header *frame = NULL
        cdef uint64_t until_ns = monotonic_ns() + <uint64_t>(timeout_s * 1e9), now_ns = 0
        self.check_open()
        with nogil:
            while self.count < CELLS_TO_WRITE and not self.failure:
                now_ns = monotonic_ns()
                if now_ns >= until_ns:
                    break
                frame = frames.next(self.applied_frame + 1, <int>((until_ns - now_ns) // 1000000 + 1))
                if frame != NULL:
                    self.apply_frame(frame, frame_entries(frame))
                    frames.release()
                elif frames.reader.status != READ_OK:
                    break
        frames.raise_status()
        self.check()

    cdef int check_open(self) except -1:
        if self.is_sorted:
            raise ValueError("the cells are sorted: clear them first")
        return self.check()

    cdef int check(self) except -1:
        if self.failure == CELLS_SEQ_MISSING:
            raise JournalDamaged("Entries are missing", expected=self.applied_seq + 1, found=self.found_seq)
        if self.failure:
            raise MemoryError("no memory for the totals of outlets")
        return 0

    # --- Writing --------------------------------------------------------------------------------------------------------

    def sort(self):
        """Put the cells in the order of their keys, for ``keys`` and ``add_to``; only ``clear`` may follow those."""
        cdef uint64_t i, used = 0
        with nogil:
            for i in range(self.capacity):
                if self.cells[i].is_used:
                    self.cells[used] = self.cells[i]
                    used += 1
            qsort(self.cells, used, sizeof(outlet_cell), compare_cells)
            self.is_sorted = True

    def keys(self, uint64_t start, uint64_t count):
        """Return the keys of some cells from number ``start`` on: business date, outlet and channel, big-endian."""
        cdef uint64_t i
        return [cell_key(&self.cells[i]) for i in range(start, min(start + count, self.count))]

    def add_to(self, uint64_t start, stored):
        """Return the ``outlet_total`` of cells from number ``start`` on: what is ``stored`` of each, or None, and the change."""
        cdef outlet_total total
        cdef uint64_t i = start
        cdef list totals = []
        for before in stored[:self.count - start]:
            memset(&total, 0, sizeof(total))
            if before is not None:
                if len(before) != sizeof(outlet_total):
                    raise ProjectionDamaged(
                        "A total of an outlet has a wrong size", expected=sizeof(outlet_total), found=len(before)
                    )
                memcpy(&total, <const char *>before, sizeof(total))
            total.payments += self.cells[i].total.payments
            total.payments_fen += self.cells[i].total.payments_fen
            total.reversals += self.cells[i].total.reversals
            total.reversals_fen += self.cells[i].total.reversals_fen
            totals.append((<const uint8_t *>&total)[:sizeof(total)])
            i += 1
        return totals

    def clear(self):
        """Forget the changes, which are written; go on behind them."""
        memset(self.cells, 0, self.capacity * sizeof(outlet_cell))
        self.count = 0
        self.is_sorted = False


cdef bytes cell_key(const outlet_cell *cell):
    cdef uint8_t key[CELL_KEY_BYTES]
    cdef uint64_t outlet = __builtin_bswap64(cell.outlet)
    key[0], key[1] = cell.business_date >> 8, cell.business_date & 0xFF
    memcpy(key + 2, &outlet, 8)
    key[10], key[11] = cell.channel >> 8, cell.channel & 0xFF
    return key[:CELL_KEY_BYTES]
