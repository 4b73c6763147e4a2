# The journal's writing side: the thread that makes sealed frames durable in order, and the thread that keeps the next segment
# ready. Owns JournalWriter. Uses frame_ring.pxi, segments.pxi, digests.pxi, crc32c.h.

cdef class JournalWriter(FrameRing):
    """Appends frames to the journal of a shard. Made by ``ledger.journal.open_journal``; closed by ``close``."""

    def __cinit__(self, *args, **kwargs):
        async_write_open(&self.write)
        self.segment_fd = -1
        self.threads = []

    def __dealloc__(self):
        async_write_close(&self.write)
        if self.segment_fd >= 0:
            close_file(self.segment_fd)

    def __init__(
        self, folder, const uint8_t[::1] owner not None, const uint8_t[::1] segment not None,
        const uint8_t[::1] last_frame not None, *, uint64_t epoch, uint64_t segment_end, bytes last_digest, bytes block_entries,
        uint64_t segment_bytes, uint32_t ring_frames, uint32_t entry_capacity, uint32_t outcome_capacity,
        uint32_t payload_capacity
    ):
        """Go on in the segment whose 256-byte header is ``segment``, at byte ``segment_end``; 0 starts the segment after it.

        ``owner`` is the mapped owner file; ``last_frame`` the 128-byte header of the last frame, zero where there is none;
        ``last_digest`` the digest of the last full block, ``block_entries`` the entries behind that block.
        """
        cdef bytes path = os.fsencode(folder)
        cdef digest_record unused
        cdef uint32_t index
        if len(path) >= <Py_ssize_t>sizeof(self.folder):
            raise ConfigurationError("the path of the journal is too long", bytes=len(path), limit=sizeof(self.folder) - 1)
        memcpy(self.folder, <const char *>path, len(path) + 1)
        self.owner_buffer = owner
        self.owner = <const volatile owner_record *>&owner[0]
        self.epoch = epoch
        memcpy(&self.segment, &segment[0], sizeof(segment_header))
        memcpy(&self.last_sealed, &last_frame[0], sizeof(frame_header))
        self.standard_segment_bytes = segment_bytes
        self.ring_frames = ring_frames
        self.entry_capacity = entry_capacity
        self.outcome_capacity = outcome_capacity
        self.payload_capacity = payload_capacity
        self.ring = <frame_buffer *>calloc(ring_frames, sizeof(frame_buffer))
        if self.ring == NULL:
            raise MemoryError
        for index in range(ring_frames):
            if self.map_buffer(&self.ring[index], payload_capacity) != 0:
                raise MemoryError
        self.last_sealed.first_seq = max(self.last_sealed.first_seq, <uint64_t>1)
        self.sealed_frame = self.written_frame = self.last_sealed.frame_number
        self.written_seq = self.last_sealed.first_seq + self.last_sealed.entry_count - 1
        digester_start(&self.digester, self.written_seq // ENTRIES_PER_BLOCK * ENTRIES_PER_BLOCK, last_digest)
        digester_add(
            &self.digester, <const journal_entry *><const uint8_t *>block_entries, self.written_seq % ENTRIES_PER_BLOCK,
            &unused)
        self._open_position(segment_end)
        self._start_threads()

    def _open_position(self, uint64_t segment_end):
        cdef char path[MAX_PATH_BYTES]
        cdef ssize_t count
        cdef int error = 0
        if segment_end == 0:
            with nogil:
                error = self.start_segment(
                    self.segment.segment_number + 1, self.sealed_frame + 1, self.written_seq + 1,
                    self.segment.previous_segment_end, self.standard_segment_bytes)
            if error == EEXIST:
                raise FileExistsError(error, os.strerror(error), f"segment {self.segment.segment_number + 1}")
            if error:
                raise write_failed(error, self.segment.segment_number + 1, 0)
            segment_end = SEGMENT_HEADER_BYTES
        else:
            segment_path(path, self.folder, self.segment.segment_number)
            self.segment_fd = open_direct(path, O_RDWR, &self.writes_direct)
            if self.segment_fd < 0:
                raise write_failed(-self.segment_fd, self.segment.segment_number, 0)
        self.next_segment_number = self.wanted_segment = self.prepared_segment = self.segment.segment_number
        self.next_segment_bytes = self.segment.segment_bytes
        self.next_byte_offset = segment_end

    def _start_threads(self):
        self._load_tail_block()
        self.preparing = True
        for name, target in (("journal", self._write), ("segments", self._prepare)):
            thread = threading.Thread(target=target, name=f"peakledger-{name}", daemon=True)
            thread.start()
            self.threads.append(thread)

    def _load_tail_block(self):
        cdef void *block = NULL
        cdef uint64_t start = self.next_byte_offset // 4096 * 4096
        cdef ssize_t count
        if start >= self.segment.segment_bytes:
            return
        if posix_memalign(&block, 4096, 4096) != 0:
            raise MemoryError
        count = read_whole(self.segment_fd, <uint8_t *>block, 4096, start)
        if count == 4096:
            memcpy(self.tail_block, block, 4096)
        free(block)
        if count != 4096:
            raise write_failed(<int>-count if count < 0 else EIO, self.segment.segment_number, start)

    # --- the journal thread ---------------------------------------------------------------------------------------------

    cdef frame_buffer *next_sealed(self) noexcept nogil:
        # The next frame to be written; NULL when there is none and the writer closes, or after a failure.
        cdef frame_buffer *frame = &self.ring[(self.written_frame + 1) % self.ring_frames]
        pthread_mutex_lock(&self.mutex)
        while self.failure == WRITER_RUNS and self.sealed_frame == self.written_frame and not self.closing:
            self.wait_change(NULL)
        if self.failure != WRITER_RUNS or self.sealed_frame == self.written_frame:
            frame = NULL
        pthread_mutex_unlock(&self.mutex)
        return frame

    cdef void complete_image(self, frame_buffer *frame) noexcept nogil:
        # Puts what comes behind the entries in its place, the digests among it, and the checksum over all; once.
        cdef frame_header *header = <frame_header *>(<uint8_t *>frame.entries - sizeof(frame_header))
        cdef uint8_t *place = <uint8_t *>(frame.entries + frame.entry_count)
        cdef uint8_t *end = <uint8_t *>header + frame.frame_bytes
        if frame.frame_number <= self.completed_frame:
            return
        self.completed_frame = frame.frame_number
        memcpy(place, frame.outcomes, frame.outcome_count * sizeof(outcome_record))
        place += frame.outcome_count * sizeof(outcome_record)
        digester_add(&self.digester, frame.entries, frame.entry_count, <digest_record *>place)
        place += header.digest_count * sizeof(digest_record)
        memcpy(place, frame.payload, frame.payload_bytes)
        place += frame.payload_bytes
        memset(place, 0, end - place)
        header.crc32c = crc32c(0, &header.frame_bytes, frame.frame_bytes - 8)

    cdef void complete_next(self, const frame_buffer *frame) noexcept nogil:
        # In another segment it must wait: that one's header has the digest of what is before it.
        cdef frame_buffer *next_ = &self.ring[(frame.frame_number + 1) % self.ring_frames]
        cdef bint is_sealed
        pthread_mutex_lock(&self.mutex)
        is_sealed = self.sealed_frame > frame.frame_number
        pthread_mutex_unlock(&self.mutex)
        if is_sealed and next_.segment_number == frame.segment_number:
            self.complete_image(next_)

    cdef int write_image(self, frame_buffer *frame) noexcept nogil:
        # One write of whole 4 KiB blocks, while which the next frame is completed, and one flush. Returns 0 or an errno.
        cdef uint64_t front = frame.byte_offset % 4096
        cdef uint64_t end = front + frame.frame_bytes
        cdef uint64_t whole = round_up(end, 4096)
        cdef uint64_t start = frame.byte_offset - front
        cdef ssize_t written
        cdef int error
        memcpy(frame.image, self.tail_block, front)
        memset(frame.image + end, 0, whole - end)
        async_write_begin(&self.write, self.segment_fd, frame.image, whole, start)
        self.complete_next(frame)
        written = async_write_end(&self.write)
        error = <int>-written if written < 0 else write_whole(
            self.segment_fd, frame.image + written, whole - written, start + written)
        if error == 0 and fdatasync(self.segment_fd) != 0:
            error = errno
        memcpy(self.tail_block, frame.image + end // 4096 * 4096, end % 4096)
        return error

    cdef bint is_fenced(self) noexcept nogil:
        cdef uint64_t found = self.owner.epoch
        if found != self.epoch:
            self.fenced_by = found
        return found != self.epoch

    cdef int start_segment(self, uint64_t number, uint64_t first_frame_number, uint64_t first_seq,
                           uint64_t previous_segment_end, uint64_t segment_bytes) noexcept nogil:
        # Makes segment number the one that is written. Returns 0 or an errno.
        cdef segment_header header = self.segment
        cdef uint64_t prepared_bytes = self.standard_segment_bytes
        cdef int fd = -1
        cdef int error = self.wait_prepared(number)
        if error:
            return error
        header.magic = SEGMENT_MAGIC
        header.format_version = FORMAT_VERSION
        header.segment_number = number
        header.first_frame_number = first_frame_number
        header.first_seq = first_seq
        header.epoch = self.epoch
        header.segment_bytes = segment_bytes
        header.previous_segment_end = previous_segment_end
        memcpy(header.last_digest, self.digester.chain, 32)
        error = publish_segment(self.folder, &header, prepared_bytes, &self.writes_direct, &fd)
        if error == 0:
            if self.segment_fd >= 0:
                close_file(self.segment_fd)
            self.segment_fd = fd
            self.segment = header
        return error

    cdef bint write_frame(self, frame_buffer *frame) noexcept nogil:
        # True: the frame is durable, and this writer still owned the journal behind the flush.
        cdef int error = 0
        if not self.is_fenced() and frame.segment_number != self.segment.segment_number:
            error = self.start_segment(
                frame.segment_number, frame.frame_number, frame.first_seq, frame.previous_segment_end,
                max(self.standard_segment_bytes, round_up(SEGMENT_HEADER_BYTES + frame.frame_bytes, 4096)))
        if error == 0:
            self.complete_image(frame)
        if error == 0 and not self.is_fenced():
            error = self.write_image(frame)
        if self.is_fenced():
            self.fail(WRITER_FENCED, 0, frame.segment_number, frame.byte_offset)
        elif error:
            self.fail(WRITER_WRITE_FAILED, error, frame.segment_number, frame.byte_offset)
        return self.failure == WRITER_RUNS

    cdef void write_frames(self) noexcept nogil:
        cdef frame_buffer *frame = self.next_sealed()
        while frame != NULL and self.write_frame(frame):
            pthread_mutex_lock(&self.mutex)
            frame.state = FRAME_DURABLE
            self.written_frame = frame.frame_number
            self.written_seq = frame.first_seq + frame.entry_count - 1
            pthread_cond_broadcast(&self.changed)
            pthread_mutex_unlock(&self.mutex)
            frame = self.next_sealed()

    def _write(self):
        with nogil:
            self.write_frames()

    # --- the preparing thread -------------------------------------------------------------------------------------------

    cdef int wait_prepared(self, uint64_t number) noexcept nogil:
        # Until the file of segment number is filled. Returns 0 or an errno. Where the preparing thread does not run yet, or gave
        # up because the disk was full, it is filled right here.
        cdef bint prepared
        pthread_mutex_lock(&self.mutex)
        if self.wanted_segment <= number:
            self.wanted_segment = number
            self.wanted_bytes = UINT64_MAX
        pthread_cond_broadcast(&self.changed)
        while self.prepared_segment < number and self.preparing:
            self.wait_change(NULL)
        prepared = self.prepared_segment >= number
        self.prepared_segment = max(self.prepared_segment, number)
        pthread_mutex_unlock(&self.mutex)
        return 0 if prepared else prepare_segment(self.folder, number, self.epoch, self.standard_segment_bytes)

    cdef uint64_t next_to_prepare(self) noexcept nogil:
        # Waits until a segment is wanted. 0: the writer has ended.
        cdef uint64_t number
        pthread_mutex_lock(&self.mutex)
        while self.failure == WRITER_RUNS and self.prepared_segment >= self.wanted_segment:
            self.wait_change(NULL)
        number = self.prepared_segment + 1 if self.failure == WRITER_RUNS else 0
        pthread_mutex_unlock(&self.mutex)
        return number

    cdef bint wait_wanted(self, uint64_t number, uint64_t filled) noexcept nogil:
        # Until more of segment number is wanted than is filled. False: the writer has ended.
        cdef bint runs
        pthread_mutex_lock(&self.mutex)
        while self.failure == WRITER_RUNS and self.wanted_segment <= number and self.wanted_bytes <= filled:
            self.wait_change(NULL)
        runs = self.failure == WRITER_RUNS
        pthread_mutex_unlock(&self.mutex)
        return runs

    cdef int prepare_in_step(self, uint64_t number) noexcept nogil:
        # Fills the next segment as the present one fills, twice as fast: all at once, its writes would hold up frames for as long
        # as they take. Returns 0 or an errno.
        cdef char path[MAX_PATH_BYTES]
        cdef bint direct
        cdef uint64_t filled = 0
        cdef int error = 0
        cdef int fd
        preparing_path(path, self.folder, number, self.epoch)
        fd = open_direct(path, O_WRONLY | O_CREAT | O_TRUNC, &direct)
        if fd < 0:
            return -fd
        fallocate(fd, 0, 0, self.standard_segment_bytes)
        while error == 0 and filled < self.standard_segment_bytes:
            error = EINTR
            if self.wait_wanted(number, filled):
                error = write_zeros(fd, filled, min(<uint64_t>ZERO_FILL_BYTES, self.standard_segment_bytes - filled))
            filled += ZERO_FILL_BYTES
        if error == 0 and fdatasync(fd) != 0:
            error = errno
        close_file(fd)
        return error

    cdef int prepare_next(self, uint64_t number) noexcept nogil:
        cdef int error = self.prepare_in_step(number)
        if error == EINVAL:  # O_DIRECT was accepted, but then refused
            error = prepare_segment(self.folder, number, self.epoch, self.standard_segment_bytes)
        pthread_mutex_lock(&self.mutex)
        self.preparing = error == 0
        if error == 0:
            self.prepared_segment = max(self.prepared_segment, number)
        pthread_cond_broadcast(&self.changed)
        pthread_mutex_unlock(&self.mutex)
        return error

    def _prepare(self):
        cdef uint64_t number
        cdef int error = 0
        while error == 0:
            with nogil:
                number = self.next_to_prepare()
                if number:
                    error = self.prepare_next(number)
            if number == 0:
                return
            if number > 2:
                with suppress(PeakledgerError, OSError):  # only a help: a reader makes it too, and reports what is wrong
                    index_segment(os.fsdecode(self.folder), number - 2)

    @property
    def durable_seq(self) -> int:
        """The ``seq`` of the last durable entry."""
        cdef uint64_t seq
        with nogil:
            seq = self.get_durable_seq()
        return seq

    @property
    def durable_frame(self) -> int:
        """The number of the last durable frame."""
        cdef uint64_t number
        with nogil:
            number = self.get_durable_frame()
        return number

    @property
    def journal_bytes(self) -> int:
        """The bytes of all segments up to the end of the last frame sealed."""
        return (self.next_segment_number - 1) * self.standard_segment_bytes + self.next_byte_offset

    @property
    def direct_io(self) -> bool:
        """Whether the open segment is written past the page cache."""
        return self.writes_direct

    @property
    def direct_io_refused(self) -> str:
        """Why not; empty where it is."""
        return "" if self.writes_direct else f"the file system of {os.fsdecode(self.folder)} refuses O_DIRECT"

    def wait_durable(self, uint64_t frame_number, double timeout_s=-1) -> bool:
        """Wait until the frame is durable; ``False`` when ``timeout_s`` is over first. Raises what ``check`` raises."""
        cdef int timeout_ms = -1 if timeout_s < 0 else <int>min(timeout_s * 1000 + 0.5, 2e9)
        cdef bint written
        with nogil:
            written = self.wait_written(frame_number, timeout_ms)
        if not written:
            self.check()
        return written

    def ring_frame(self, uint64_t frame_number, double timeout_s=0) -> Frame | None:
        """Return a copy of a frame once it is durable; ``None`` after ``timeout_s``, or where it is in the files alone."""
        cdef const frame_header *header
        cdef int timeout_ms = <int>min(timeout_s * 1000 + 0.5, 2e9)
        with nogil:
            header = self.pin_frame(frame_number, timeout_ms)
        if header == NULL:
            return None
        try:
            return make_frame(header, self.ring[frame_number % self.ring_frames].byte_offset)
        finally:
            with nogil:
                self.unpin_frame(frame_number)

    def check(self) -> None:
        """Raise ``JournalWriteFailed`` if the writer has stopped because of it, ``Fenced`` if another has taken over."""
        if self.failure == WRITER_FENCED or (self.owner is not NULL and self.is_fenced()):
            raise Fenced("another process took this journal over", epoch=self.epoch, found=self.fenced_by)
        if self.failure == WRITER_WRITE_FAILED:
            raise write_failed(self.failure_errno, self.failure_segment, self.failure_byte_offset)

    def append_frame(
        self, const uint8_t[::1] entries not None, *, bytes outcomes=b"", bytes payload=b"", ledger_time_ms=None,
        next_offset=None, uint64_t applied=0, uint64_t existing=0, uint64_t refused=0
    ) -> int:
        """Seal a frame of whole 96-byte ``entries`` and 64-byte ``outcomes``; return its number. For tools and tests.

        ``applied``, ``existing`` and ``refused`` count the events of this frame. Raises what ``check`` raises.
        """
        cdef frame_buffer *frame
        cdef uint32_t needed = <uint32_t>len(payload)
        cdef int result
        with nogil:
            frame = self.begin_frame(needed)
        if frame == NULL:
            self.check()
            raise ConfigurationError("the journal is closed")
        frame.entry_count = <uint32_t>(entries.shape[0] // sizeof(journal_entry))
        frame.outcome_count = <uint32_t>(len(outcomes) // sizeof(outcome_record))
        if frame.entry_count > frame.entry_capacity or frame.outcome_count > frame.outcome_capacity:
            frame.entry_count = frame.outcome_count = 0
            raise ConfigurationError("too many entries or outcomes for a frame", capacity=frame.entry_capacity)
        if frame.entry_count:
            memcpy(frame.entries, &entries[0], frame.entry_count * sizeof(journal_entry))
        memcpy(frame.outcomes, <const uint8_t *>outcomes, frame.outcome_count * sizeof(outcome_record))
        memcpy(frame.payload, <const uint8_t *>payload, needed)
        frame.payload_bytes = needed
        frame.ledger_time_ms = frame.ledger_time_ms if ledger_time_ms is None else ledger_time_ms
        frame.next_offset = frame.next_offset if next_offset is None else next_offset
        frame.events_applied += applied
        frame.events_existing += existing
        frame.events_refused += refused
        frame.records_consumed += applied + existing + refused
        number = frame.frame_number
        with nogil:
            result = self.seal_frame(frame)
        if result != 0:
            self.check()
        return number

    def close(self) -> None:
        """Make what is sealed durable, stop the threads, release the files; then raise what ``check`` raises."""
        with nogil:
            pthread_mutex_lock(&self.mutex)
            self.closing = True
            pthread_cond_broadcast(&self.changed)
            pthread_mutex_unlock(&self.mutex)
        if self.threads:
            self.threads[0].join()
            with nogil:
                self.fail(WRITER_CLOSED, 0, 0, 0)
            self.threads[1].join()
            self.threads = []
        if self.segment_fd >= 0:
            close_file(self.segment_fd)
            self.segment_fd = -1
        self.owner = NULL
        self.owner_buffer = None
        for path in Path(os.fsdecode(self.folder)).glob(f"*.{self.epoch}.preparing"):
            path.unlink()
        self.check()


cdef write_failed(int error, uint64_t segment, uint64_t byte_offset):
    """Return the ``JournalWriteFailed`` of a refused write; ``byte_offset`` is where the frame would begin."""
    return JournalWriteFailed(
        f"the journal could not be written: {os.strerror(error)}", hint="Start the engine again when the cause is gone",
        segment=segment, byte_offset=byte_offset, errno=error)
