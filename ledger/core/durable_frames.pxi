# The durable frames of a running journal, one after another: from the writer's ring while they are there, else from the files.
# Owns DurableFrames; uses frame_ring.pxi, journal_reader.pxi and memory.pxi.

cdef size_t KEPT_BYTES = 256 << 20  # address space; what is not touched takes no memory


cdef inline size_t kept_bytes(const frame_header *frame) noexcept nogil:
    return round_up(sizeof(frame_header) + frame.entry_count * sizeof(journal_entry), FRAME_ALIGNMENT)


cdef class DurableFrames:
    """Gives the frames of ``writer`` as they become durable. One thread at a time. ``folder`` is the journal's directory.

    Whoever is busy for longer than the ring lasts may ``keep`` copies meanwhile: the files are written past the page cache, so
    reading them waits for the disk.
    """

    def __cinit__(self, *args, **kwargs):
        self.kept = <uint8_t *>reserve_memory(KEPT_BYTES)
        if self.kept == NULL:
            raise MemoryError(f"no address space for {KEPT_BYTES} bytes of frames")

    def __dealloc__(self):
        if self.kept != NULL:
            munmap(self.kept, KEPT_BYTES)

    def __init__(self, JournalWriter writer not None, folder):
        self.writer = writer
        self.reader = JournalReader(folder, follow=True)

    cdef const frame_header *next(self, uint64_t number, int timeout_ms) noexcept nogil:
        """Frame ``number``, which stays where it is until ``release``. NULL: it is not durable yet, if the reader's status is
        READ_OK; else that says what is wrong.
        """
        cdef const frame_header *frame = self.kept_frame(number)
        self.reader.status = READ_OK
        if frame != NULL:
            return frame
        frame = self.writer.pin_frame(number, timeout_ms)
        if frame != NULL:
            self.pinned = number
        elif self.writer.get_durable_frame() >= number:
            frame = self.read(number)
        elif self.writer.failure != WRITER_RUNS:
            usleep(timeout_ms * 1000)  # a stopped writer makes nobody wait: without this the thread would spin
        return frame

    cdef void release(self) noexcept nogil:
        if self.pinned:
            self.writer.unpin_frame(self.pinned)
        self.pinned = 0

    cdef void keep(self, uint64_t number, uint64_t frames_left) noexcept nogil:
        """Copy what is durable from frame ``number`` on, but for the last ``frames_left``: headers and entries only. What has
        left the ring already, or finds no room, is read from the files later.
        """
        cdef uint64_t durable = self.writer.get_durable_frame()
        if self.kept_start < self.kept_end:
            number = self.kept_number
        else:
            self.kept_most = max(self.kept_most, self.kept_end)
            self.kept_start = self.kept_end = 0
            # Nothing older is sure to be in the ring; copied from here on, no more than what lies before must be read.
            number = max(number, durable - min(durable, <uint64_t>self.writer.ring_frames // 2))
        while number + frames_left <= durable and self.keep_frame(number):
            number += 1
            self.kept_number = number

    cdef bint keep_frame(self, uint64_t number) noexcept nogil:
        cdef const frame_header *frame = self.writer.pin_frame(number, 0)
        cdef size_t needed
        if frame == NULL:
            return False
        needed = kept_bytes(frame)
        if needed <= KEPT_BYTES - self.kept_end:
            memcpy(self.kept + self.kept_end, frame, sizeof(frame_header) + frame.entry_count * sizeof(journal_entry))
            self.kept_end += needed
        else:
            needed = 0
        self.writer.unpin_frame(number)
        return needed != 0

    cdef const frame_header *kept_frame(self, uint64_t number) noexcept nogil:
        """Frame ``number`` if it is the next copy; NULL: it is not."""
        cdef const frame_header *frame = <const frame_header *>(self.kept + self.kept_start)
        if self.kept_start == self.kept_end or frame.frame_number != number:
            return NULL
        self.kept_start += kept_bytes(frame)
        return frame

    cdef void give_back_kept(self) noexcept nogil:
        """Give the system back what copies have taken, where since the last call they took less than half of it.

        No frame that was given out may be in use.
        """
        cdef size_t needed = round_up(max(self.kept_most, self.kept_end), HUGE_PAGE_BYTES)
        if self.kept_start == self.kept_end:
            self.kept_start = self.kept_end = 0
        self.kept_most = 0
        self.kept_touched = max(self.kept_touched, needed)
        if needed < self.kept_touched // 2:
            # Huge pages are not aligned with it, so that one more may have been taken.
            madvise(self.kept + needed, min(self.kept_touched + HUGE_PAGE_BYTES, KEPT_BYTES) - needed, MADV_DONTNEED)
            self.given_back_bytes += self.kept_touched - needed
            self.kept_touched = needed

    cdef const frame_header *read(self, uint64_t number) noexcept nogil:
        cdef const frame_header *frame
        if self.reader.segment_number == 0 or self.reader.next_frame_number != number:
            self.reader.status = self.reader.seek(number, 0)
            if self.reader.status > READ_END:
                return NULL
        frame = self.reader.read_frame()
        if frame == NULL and self.reader.status == READ_END:
            frame = self.reader.read_frame()  # what the reader had read ahead was from before the frame was written
        return frame

    cdef int raise_status(self) except -1:
        """Raise what kept ``next`` from giving a durable frame."""
        self.reader.raise_status()
        if self.reader.status == READ_END:
            raise JournalDamaged("A frame that was durable is missing", frame=self.reader.next_frame_number)
        return 0
