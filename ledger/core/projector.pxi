# The balance projector: a replica of the accounts, fed with durable frames, flushed to LMDB in blocks of ACCOUNTS_PER_BLOCK.
# Owns the replica and the writing of generations; uses lmdb_api and durable_frames.


cdef extern from "Python.h":
    bytes PyBytes_FromStringAndSize(const char *data, Py_ssize_t size)
    char *PyBytes_AS_STRING(object data)

cdef extern from "<sys/statvfs.h>" nogil:
    cdef struct statvfs_result "statvfs":
        unsigned long f_frsize
        unsigned long f_bavail
    int statvfs(const char *path, statvfs_result *result)

cdef extern from * nogil:
    int count_trailing_zeros "__builtin_ctzll"(unsigned long long)
    uint64_t atomic_load "__atomic_load_n"(uint64_t *, int)
    void atomic_store "__atomic_store_n"(uint64_t *, uint64_t, int)
    int __ATOMIC_RELAXED
    int __ATOMIC_RELEASE
    int __ATOMIC_ACQUIRE

cdef enum:
    PREFETCH_ENTRIES = 12
    MARGIN_BYTES = 16 << 20  # of disk and map, for LMDB's own pages

    BLOCKS_BETWEEN_LOOKS = 512  # about a millisecond
    IDLE_WAIT_MS = 50  # how soon a stop is noticed when nothing comes
    READ_AHEAD_WAIT_MS = 2  # how soon such time is used

    # Without a reader that holds a snapshot a file keeps to twice what the accounts need; with one it grows without end.
    BLOATED_TIMES = 4

    # Why a projector stopped; LMDB's own codes are negative or the system's error numbers, which are smaller.
    PROJECTOR_FENCED = 1001
    PROJECTOR_SEQ_MISSING = 1002
    PROJECTOR_SLOT_UNKNOWN = 1003
    PROJECTOR_ENTRY_UNKNOWN = 1004
    PROJECTOR_ERROR = 1005  # self.error says what

    STOP_WHEN_DRAINED = 1
    STOP_AT_ONCE = 2

_WAIT_STEP_S = 0.0002
_DEFAULT_SPARE_BYTES = 256 << 20
_DEFAULT_CAPACITY = 1 << 31  # accounts: address space only, memory is taken as accounts open


cdef class Projector:
    """Keeps the balances of one shard in LMDB. One thread applies and flushes; any thread may ask how far it is.

    ``shard_directory`` holds ``journal`` and gets ``balances``; ``ledger_id`` is 16 bytes, ``epoch`` that of the ledger's owner.
    ``capacity`` bounds the accounts, and takes 64 bytes of address space each. A file that grew by ``spare_bytes`` beyond what
    flushing needs, because a reader holds a snapshot, is left to that reader: a new one is written.
    """

    def __cinit__(
        self, object shard_directory, bytes ledger_id, uint64_t epoch, uint32_t capacity=_DEFAULT_CAPACITY,
        *, size_t spare_bytes=_DEFAULT_SPARE_BYTES
    ):
        self.capacity = capacity
        self.spare_bytes = spare_bytes
        self.housekeeping_ns = 10_000_000_000
        self.records = <account_record *>reserve_memory(<size_t>capacity * sizeof(account_record))
        self.changed = <uint64_t *>reserve_memory((capacity // ACCOUNTS_PER_BLOCK + 1) * sizeof(uint64_t))
        if not self.records or not self.changed:
            raise MemoryError(f"no address space for {capacity} accounts")
        self.directory = Path(shard_directory) / "balances"
        self.directory_bytes = os.fsencode(self.directory)
        self.directory_path = self.directory_bytes
        self.state.magic, self.state.format_version = BALANCE_MAGIC, BALANCE_FORMAT_VERSION
        self.state.epoch = epoch
        memcpy(self.state.ledger_id, <const char *>ledger_id, sizeof(self.state.ledger_id))
        boot_id = generations.boot_id()
        memcpy(self.state.boot_id, <const char *>boot_id, min(<size_t>len(boot_id), sizeof(self.state.boot_id)))

    def __dealloc__(self):
        if self.records:
            munmap(self.records, <size_t>self.capacity * sizeof(account_record))
        if self.changed:
            munmap(self.changed, (self.capacity // ACCOUNTS_PER_BLOCK + 1) * sizeof(uint64_t))

    # --- Opening --------------------------------------------------------------------------------------------------------

    def load(self, *, bint fresh_generation=False, object expect=None):
        """Fill the replica from the newest generation, and make it ours to flush to. Return (watermark_seq, watermark_frame).

        With ``fresh_generation`` a new one is written instead, as is needed where the last owner may still be alive: a process
        that is stopped inside an ``lmdb_txn`` locks its generation for ever. An empty ledger gets an empty one. Raises
        FormatVersionMismatch, and ProjectionDamaged where the balances cannot be trusted and must be made from the journal.
        ``expect(account_count)`` is called before the accounts are read.
        """
        newest = generations.newest(self.directory)
        if newest is None:
            self.start_generation()
            return 0, 0
        self.file = open_balance_file(newest, False)
        was_clean = self._fill(expect)
        self.slots_flushed = self.count
        if fresh_generation:
            self.start_generation()
        else:
            self._claim(newest, was_clean)
            generations.remove_before(newest)
        self.publish_progress()
        return self.state.watermark_seq, self.state.watermark_frame

    def _fill(self, expect):
        cdef balance_meta meta
        cdef wide_uint digest
        cdef void *txn
        cdef int code = self.file.begin_read(&txn)
        if code:
            raise lmdb_failure(code, self.file.path)
        code = self.file.read_meta(txn, &meta)
        try:
            if code:
                raise lmdb_failure(code, self.file.path)
            self.check_trust(&meta)
            if expect is not None:
                expect(meta.account_count)
            with nogil:
                code = self.file.read_records(txn, self.records, meta.account_count, &digest)
                if not code and memcmp(&digest, meta.state_digest, sizeof(digest)):
                    code = LMDB_CORRUPTED
            if code:
                raise lmdb_failure(code, self.file.path)
        finally:
            self.file.end_read(txn)
        meta.epoch = self.state.epoch
        memcpy(meta.boot_id, self.state.boot_id, sizeof(meta.boot_id))
        was_clean = bool(meta.clean)
        meta.clean = 0
        self.unchanged_digest = digest
        self.state = meta
        self.count = meta.account_count
        return was_clean

    cdef int check_trust(self, const balance_meta *meta) except -1:
        path = str(self.file.path)
        if meta.magic != BALANCE_MAGIC or meta.format_version != BALANCE_FORMAT_VERSION:
            raise FormatVersionMismatch(
                "The balances were written by another version", path=path,
                expected=BALANCE_FORMAT_VERSION, found=meta.format_version,
            )
        if memcmp(meta.ledger_id, self.state.ledger_id, sizeof(meta.ledger_id)):
            raise ProjectionDamaged("The balances belong to another ledger", path=path, seq=meta.watermark_seq)
        if not meta.clean and memcmp(meta.boot_id, self.state.boot_id, sizeof(meta.boot_id)):
            raise ProjectionDamaged(
                "The system stopped while the balances were open; the file may be incomplete", path=path, seq=meta.watermark_seq
            )
        if meta.account_count > self.capacity:
            raise ProjectionDamaged(
                "More accounts than this build was given room for", path=path, expected=self.capacity, found=meta.account_count
            )
        return 0

    def _claim(self, path, bint was_clean):
        """Make the generation ours. A clean mark must be gone from the disk before anything else changes there."""
        cdef int code, dead
        cdef void *txn
        self.file = open_balance_file(path, True)
        with nogil:
            LMDB.reader_check(self.file.env, &dead)
            code = LMDB.txn_begin(self.file.env, NULL, 0, &txn)
            if not code:
                code = self.put_meta(txn)
                if code:
                    LMDB.txn_abort(txn)
                else:
                    code = LMDB.txn_commit(txn)
            if not code and was_clean:
                code = LMDB.env_sync(self.file.env, 1)
        if code:
            raise lmdb_failure(code, path)

    def start_generation(self):
        """Write the whole replica into a new generation, and let the readers go over to it. Older ones are deleted."""
        cdef uint32_t block
        building = generations.prepare(self.directory, self.state.epoch)
        self.file = open_balance_file(building, True)
        self.slots_flushed = 0
        self.pages_ahead = 0
        for block in range((self.count + ACCOUNTS_PER_BLOCK - 1) // ACCOUNTS_PER_BLOCK):
            self.touch(block * ACCOUNTS_PER_BLOCK)
        self.flush()
        path = generations.publish(building)
        self.file.path, self.file.path_bytes = path, os.fsencode(path)
        generations.remove_before(path)

    # --- Applying -------------------------------------------------------------------------------------------------------

    def apply_entries(self, uint64_t first_seq, const uint8_t[::1] entries, **header_fields):
        """Apply the entries (96 bytes each) of one frame to the replica. ``header_fields`` are those of ``frame_header`` that the
        projection keeps; ``frame_number`` defaults to the next. Nothing reaches LMDB before ``flush``.
        """
        cdef frame_header header
        cdef int code
        memset(&header, 0, sizeof(header))
        header.entry_count = len(entries) // sizeof(journal_entry)
        header.first_seq = first_seq
        header.frame_number = header_fields.get("frame_number", self.state.watermark_frame + 1)
        header.ledger_time_ms = header_fields.get("ledger_time_ms", 0)
        header.next_offset = header_fields.get("next_offset", 0)
        header.records_consumed = header_fields.get("records_consumed", 0)
        header.events_applied = header_fields.get("events_applied", 0)
        header.events_existing = header_fields.get("events_existing", 0)
        header.events_refused = header_fields.get("events_refused", 0)
        with nogil:
            code = self.apply_frame(&header, <const journal_entry *>&entries[0] if header.entry_count else NULL)
        if code:
            self.check()

    cdef int apply_frame(self, const frame_header *header, const journal_entry *entries) noexcept nogil:
        """Apply a whole frame. After a failure the replica is of no use and is never flushed again."""
        cdef uint32_t i, count = header.entry_count
        if self.failure:
            return self.failure
        if header.first_seq != self.state.watermark_seq + 1:
            self.failure_found = header.first_seq
            self.failure = PROJECTOR_SEQ_MISSING
            return self.failure
        for i in range(count):
            if i + PREFETCH_ENTRIES < count:
                # Also a slot that is not there: a prefetch of any address does no harm.
                prefetch(&self.records[entries[i + PREFETCH_ENTRIES].debit_slot], 1)
                prefetch(&self.records[entries[i + PREFETCH_ENTRIES].credit_slot], 1)
            self.failure = self.apply_entry(&entries[i], header.first_seq + i)
            if self.failure:
                self.failure_found = header.first_seq + i
                return self.failure
        self.state.watermark_seq = header.first_seq + count - 1
        self.state.watermark_frame = header.frame_number
        self.state.ledger_time_ms = header.ledger_time_ms
        self.state.next_offset = header.next_offset
        self.state.records_consumed = header.records_consumed
        self.state.events_applied = header.events_applied
        self.state.events_existing = header.events_existing
        self.state.events_refused = header.events_refused
        return 0

    cdef int apply_entry(self, const journal_entry *entry, uint64_t seq) noexcept nogil:
        if not ENTRY_KIND_OPEN_ACCOUNT <= entry.kind <= ENTRY_KIND_NOTE:
            return PROJECTOR_ENTRY_UNKNOWN
        if not entry_fits(entry, self.count) or (entry.kind == ENTRY_KIND_OPEN_ACCOUNT and self.count == self.capacity):
            return PROJECTOR_SLOT_UNKNOWN
        if not has_no_account(entry):
            self.touch(entry.debit_slot)
        if has_two_accounts(entry):
            self.touch(entry.credit_slot)
        if entry.kind == ENTRY_KIND_OPEN_ACCOUNT:
            if entry.reference_seq != 0:
                self.touch(<uint32_t>entry.reference_seq - 1)
            self.count += 1
        apply_entry_to_accounts(self.records, entry, seq)
        return 0

    cdef void touch(self, uint32_t slot) noexcept nogil:
        """Note that an account is about to change, or to open."""
        cdef uint32_t block = slot // ACCOUNTS_PER_BLOCK
        cdef uint64_t bit = <uint64_t>1 << slot % ACCOUNTS_PER_BLOCK
        if not self.changed[block] & bit:
            self.dirty_count += self.changed[block] == 0
            self.changed[block] |= bit
            if slot < self.count:
                self.unchanged_digest -= account_digest(&self.records[slot], slot)

    cdef wide_uint changed_digest(self, uint32_t block) noexcept nogil:
        """The digest of the accounts in a block that changed since the last flush."""
        cdef wide_uint digest = 0
        cdef uint64_t bits = self.changed[block]
        cdef uint32_t slot
        while bits:
            slot = block * ACCOUNTS_PER_BLOCK + count_trailing_zeros(bits)
            digest += account_digest(&self.records[slot], slot)
            bits &= bits - 1
        return digest

    # --- Flushing -------------------------------------------------------------------------------------------------------

    def flush(self):
        """Write what changed since the last flush, and the watermark, in one ``lmdb_txn``. Raises as ``check``."""
        cdef int code
        self.require_file()
        with nogil:
            code = self.flush_changes()
        if code:
            self.raise_failure(code)

    cdef int require_file(self) except -1:
        if self.file is None:
            raise ProjectionDamaged("These balances are not open", hint="Load them first", path=self.directory)
        return 0

    cdef int flush_changes(self) noexcept nogil:
        cdef uint64_t begun = monotonic_ns()
        cdef lmdb_info info
        cdef uint32_t pages
        cdef bint is_large
        cdef int code
        if self.failure:
            return self.failure
        code = self.make_room()
        if not code:
            code = self.write_changes()
        while code == LMDB_MAP_FULL:
            code = self.grow_map()
            if not code:
                code = self.write_changes()
        self.lacks_room = code == ENOSPC
        if code:
            self.pace.ended_ns = monotonic_ns() + DISK_FULL_PAUSE_NS
            if code != ENOSPC:
                self.failure = code
            return code
        pages = self.dirty_pages()
        is_large = pages > self.count // ACCOUNTS_PER_BLOCK // 8
        memset(self.changed, 0, (self.count // ACCOUNTS_PER_BLOCK + 1) * sizeof(uint64_t))
        self.dirty_count = 0
        memcpy(&self.unchanged_digest, self.state.state_digest, sizeof(self.unchanged_digest))
        self.slots_flushed = self.count
        self.flush_count += 1
        LMDB.env_info(self.file.env, &info)
        self.used_bytes = (info.last_page + 1) * LMDB_PAGE_BYTES  # noted here: the map may move while another thread asks
        note_flush(&self.pace, begun, pages)
        self.publish_progress()
        if is_large:
            # LMDB writes over the pages that a flush left only when one more lmdb_txn has gone through: the file keeps two
            # versions of each block then, not three. Should this one fail, the next flush says why.
            self.write_changes()
        return 0

    cdef uint32_t dirty_pages(self) noexcept nogil:
        """The pages that a flush would write, at most: blocks, and one for the id of each account that has opened."""
        return self.dirty_count + self.count - self.slots_flushed

    cdef int make_room(self) noexcept nogil:
        """See to map and disk beforehand: a page that the disk has no room for would be a bus error."""
        cdef size_t need = <size_t>self.dirty_count * LMDB_PAGE_BYTES + (self.count - self.slots_flushed) * 64 + MARGIN_BYTES
        cdef statvfs_result disk
        cdef lmdb_info info
        LMDB.env_info(self.file.env, &info)
        if not statvfs(self.directory_path, &disk) and <size_t>disk.f_bavail * disk.f_frsize < need:
            return ENOSPC
        if (info.last_page + 1) * LMDB_PAGE_BYTES + need > info.map_bytes:
            return self.file.grow((info.last_page + 1) * LMDB_PAGE_BYTES + need)
        return 0

    cdef int grow_map(self) noexcept nogil:
        cdef lmdb_info info
        LMDB.env_info(self.file.env, &info)
        return self.file.grow(info.map_bytes + 1)

    cdef int write_changes(self) noexcept nogil:
        cdef void *txn
        cdef int code = LMDB.txn_begin(self.file.env, NULL, 0, &txn)
        if code:
            return code
        code = self.check_owner(txn)
        if not code:
            code = self.put_blocks(txn)
        if not code:
            code = put_slots(self.file, txn, self.records, self.slots_flushed, self.count)
        if not code and self.slots_flushed < self.count:
            code = self.file.count_pages(txn, self.file.slots, &self.slot_pages)
        if not code:
            code = self.put_meta(txn)
        if code:
            LMDB.txn_abort(txn)
            return code
        return LMDB.txn_commit(txn)

    cdef int check_owner(self, void *txn) noexcept nogil:
        """Refuse to write where another epoch has claimed the generation; LMDB's write lock makes this check binding."""
        cdef balance_meta meta
        cdef int code = self.file.read_meta(txn, &meta)
        if code == LMDB_NOTFOUND:
            return 0
        if not code and meta.epoch != self.state.epoch:
            self.failure_found = meta.epoch
            return PROJECTOR_FENCED
        return code

    cdef int put_blocks(self, void *txn) noexcept nogil:
        """Write the blocks with a changed account, and note the state digest that goes with them."""
        cdef wide_uint digest = self.unchanged_digest
        cdef uint32_t block
        cdef int code
        for block in range(self.count // ACCOUNTS_PER_BLOCK + 1):
            if self.changed[block]:
                code = put_block(self.file, txn, block, self.records, self.count)
                if code:
                    return code
                digest += self.changed_digest(block)  # behind put_block, which has fetched the accounts
            if block % BLOCKS_BETWEEN_LOOKS == BLOCKS_BETWEEN_LOOKS - 1 and self.frames is not None:
                self.frames.keep(self.state.watermark_frame + 1, 0)
        end_of_copies()
        memcpy(self.state.state_digest, &digest, sizeof(digest))
        return 0

    cdef int put_meta(self, void *txn) noexcept nogil:
        cdef lmdb_value key = lmdb_value(5, <void *><const char *>b"state"), data = lmdb_value(sizeof(balance_meta), &self.state)
        self.state.account_count = self.count
        return LMDB.put(txn, self.file.meta, &key, &data, 0)

    cdef size_t wanted_pages(self) noexcept nogil:
        """The pages of the file once every block was rewritten: two versions of each, and some for what stands above them."""
        cdef size_t blocks = self.count // ACCOUNTS_PER_BLOCK + 1
        return 2 * (blocks + blocks // 32) + self.slot_pages

    cdef bint reads_ahead(self) noexcept nogil:
        return self.pages_ahead < self.wanted_pages()

    cdef bint is_bloated(self) noexcept nogil:
        cdef size_t needed = 2 * <size_t>self.count * sizeof(account_record)  # blocks, and ids in half-full pages
        return self.used_bytes > self.spare_bytes + BLOATED_TIMES * needed

    # --- Following the journal ------------------------------------------------------------------------------------------

    def start(self, JournalWriter writer not None):
        """Follow ``writer`` in a thread of its own, until ``close``."""
        self.require_file()
        self.thread = threading.Thread(target=self.run, args=(writer,), name="projector", daemon=True)
        self.thread.start()

    def run(self, JournalWriter writer not None):
        """Apply and flush the durable frames of ``writer`` until ``close``. What stopped it otherwise, ``check`` raises."""
        try:
            self.frames = DurableFrames(writer, self.directory.parent / "journal")
            while True:
                with nogil:
                    self.follow()
                self.frames.raise_status()
                if self.stopping or self.failure > 0:
                    return
                self.failure = 0  # an LMDB file that is of no use any more, or bloated; the replica is as good as ever
                self.start_generation()
        except Exception as error:
            self.error, self.failure = error, PROJECTOR_ERROR
        finally:
            self.frames = None

    cdef void follow(self) noexcept nogil:
        """Return when asked to stop, when something failed, or when the file is bloated."""
        cdef const frame_header *frame
        cdef uint64_t looked_ns = 0, now_ns
        cdef int dead
        while self.stopping != STOP_AT_ONCE and not self.failure:
            frame = self.frames.next(self.state.watermark_frame + 1, self.wait_ms())
            if frame != NULL:
                self.apply_frame(frame, frame_entries(frame))
                self.frames.release()
                self.frames.keep(self.state.watermark_frame + 1, self.frames.writer.ring_frames // 2)
            elif self.frames.reader.status != READ_OK or self.stopping:
                return
            elif self.reads_ahead():
                self.pages_ahead = self.file.read_ahead(self.pages_ahead, self.wanted_pages())
            now_ns = monotonic_ns()
            if self.flush_is_due(now_ns) and not self.flush_changes() and self.is_bloated():
                return
            if now_ns - looked_ns >= self.housekeeping_ns:
                LMDB.reader_check(self.file.env, &dead)
                self.frames.give_back_kept()
                looked_ns = now_ns

    cdef bint flush_is_due(self, uint64_t now_ns) noexcept nogil:
        """Behind the pause, and with all that is durable: what came during a long flush would else wait for one more."""
        cdef uint64_t due_ns = next_flush_ns(&self.pace, self.dirty_pages())
        if now_ns < due_ns or self.state.watermark_frame == self.flushed_frame:
            return False
        return now_ns >= due_ns + MOST_DRAIN_NS or self.frames.writer.get_durable_frame() <= self.state.watermark_frame

    cdef int wait_ms(self) noexcept nogil:
        """How long to wait for a frame."""
        cdef uint64_t now_ns = monotonic_ns(), next_ns = next_flush_ns(&self.pace, self.dirty_pages())
        if self.stopping:
            return 0
        if self.state.watermark_frame == self.flushed_frame:
            return READ_AHEAD_WAIT_MS if self.reads_ahead() else IDLE_WAIT_MS
        return <int>((next_ns - now_ns) // 1000000 + 1) if next_ns > now_ns else 0

    def replay(self, JournalReader reader not None, uint64_t entries=1 << 22):
        """Apply frames of ``reader`` until ``entries`` entries are applied or no frame is left. Return whether one may be."""
        cdef const frame_header *frame = NULL
        cdef uint64_t enough = self.state.watermark_seq + entries
        with nogil:
            while self.state.watermark_seq < enough and not self.failure:
                frame = reader.read_frame()
                if frame == NULL or self.apply_frame(frame, frame_entries(frame)):
                    break
        if frame == NULL:
            reader.raise_status()
        self.check()
        return frame != NULL

    # --- Progress -------------------------------------------------------------------------------------------------------

    cdef void publish_progress(self) noexcept nogil:
        atomic_store(&self.flushed_frame, self.state.watermark_frame, __ATOMIC_RELAXED)
        atomic_store(&self.flushed_seq, self.state.watermark_seq, __ATOMIC_RELEASE)

    @property
    def projected_seq(self):
        """The watermark: every entry up to here can be read from LMDB."""
        return atomic_load(&self.flushed_seq, __ATOMIC_ACQUIRE)

    @property
    def projected_frame(self):
        return atomic_load(&self.flushed_frame, __ATOMIC_RELAXED)

    @property
    def applied_seq(self):
        """The last entry that the replica holds."""
        return self.state.watermark_seq

    @property
    def applied_frame(self):
        """The last frame that the replica holds."""
        return self.state.watermark_frame

    @property
    def account_count(self):
        """Accounts in the replica."""
        return self.count

    def copy_records(self):
        """Return a copy of the replica: the ``account_record`` of every account by slot."""
        return PyBytes_FromStringAndSize(<const char *>self.records, <Py_ssize_t>self.count * sizeof(account_record))

    def check(self):
        """Raise what stopped this projector: Fenced, JournalDamaged (the entries cannot be), or ProjectionDamaged."""
        if self.failure:
            self.raise_failure(self.failure)

    cdef int raise_failure(self, int code) except -1:
        if code == PROJECTOR_ERROR:
            raise self.error
        if code == PROJECTOR_FENCED:
            raise Fenced("Another process keeps these balances now", epoch=self.state.epoch, found=self.failure_found)
        if code == PROJECTOR_SEQ_MISSING:
            raise JournalDamaged("Entries are missing", expected=self.state.watermark_seq + 1, found=self.failure_found)
        if code == PROJECTOR_SLOT_UNKNOWN:
            raise JournalDamaged("An entry names an account that cannot be", seq=self.failure_found)
        if code == PROJECTOR_ENTRY_UNKNOWN:
            raise JournalDamaged("An entry of an unknown kind", seq=self.failure_found)
        raise lmdb_failure(code, self.directory)

    def wait_projected(self, uint64_t seq, double timeout_s):
        """Return whether the watermark reached ``seq`` in time. Raises as ``check`` where it never will."""
        cdef double deadline = time.monotonic() + timeout_s
        while self.projected_seq < seq:
            self.check()
            if time.monotonic() >= deadline:
                return False
            time.sleep(_WAIT_STEP_S)
        return True

    def status(self):
        """Return numbers for people: how far, how large, how long the last flush took."""
        return {
            "projected_seq": self.projected_seq,
            "projected_frame": self.projected_frame,
            "accounts": self.count,
            "flushes": self.flush_count,
            "last_flush_ms": self.pace.lasted_ns / 1e6,
            "used_bytes": self.used_bytes,
            "given_back_bytes": self.frames.given_back_bytes if self.frames is not None else 0,
        }

    def close(self, *, bint clean=True):
        """Stop following, and leave the file. With ``clean``, and if nothing failed, first apply what is durable, flush, sync to
        disk and mark the balances as clean.
        """
        cdef int code
        self.stopping = STOP_WHEN_DRAINED if clean else STOP_AT_ONCE
        if self.thread is not None:
            self.thread.join()
            self.thread = None
        if self.file is None:
            return
        try:
            if clean and not self.failure:
                self.flush()
                self.state.clean = 1
                with nogil:
                    # Twice: the mark may only reach the disk after what it vouches for.
                    code = LMDB.env_sync(self.file.env, 1) or self.write_changes() or LMDB.env_sync(self.file.env, 1)
                if code:
                    self.raise_failure(code)
        finally:
            self.file = None
