# The durable frames of a running journal, one after another: from the writer's ring while they are there, else from the files.
# Owns DurableFrames; uses frame_ring.pxi and journal_reader.pxi.

cdef class DurableFrames:
    """Gives the frames of ``writer`` as they become durable. One thread at a time. ``folder`` is the journal's directory."""

    def __init__(self, JournalWriter writer not None, folder):
        self.writer = writer
        self.reader = JournalReader(folder, follow=True)

    cdef const frame_header *next(self, uint64_t number, int timeout_ms) noexcept nogil:
        """Frame ``number``, which stays where it is until ``release``. NULL: it is not durable yet, if the reader's status is
        READ_OK; else that says what is wrong.
        """
        cdef const frame_header *frame = self.writer.pin_frame(number, timeout_ms)
        self.reader.status = READ_OK
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
