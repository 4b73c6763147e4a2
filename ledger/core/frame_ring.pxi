# The frames on their way into the journal: a ring of buffers between the producer, the journal thread and those who read frames
# that have just become durable. Owns FrameRing. Uses digests.pxi.
#
# One producer fills frames (begin_frame, seal_frame); the journal thread writes each in order; any thread may wait for it, or pin
# a durable one to read it. A frame's memory lies like its bytes in the file, modulo 4096, so that O_DIRECT needs no copy; the
# 4 KiB block in which a frame begins is written again, with the bytes that were already there in front.

cdef enum:
    MAX_PAYLOAD_BYTES = 1 << 30
    FRAME_ALIGNMENT = 64


cdef inline uint64_t round_up(uint64_t value, uint64_t multiple) noexcept nogil:
    return (value + multiple - 1) // multiple * multiple


cdef void deadline_after(timespec *until, int timeout_ms) noexcept nogil:
    clock_gettime(CLOCK_MONOTONIC, until)
    until.tv_sec += timeout_ms // 1000
    until.tv_nsec += timeout_ms % 1000 * 1_000_000
    if until.tv_nsec >= 1_000_000_000:
        until.tv_nsec -= 1_000_000_000
        until.tv_sec += 1


cdef class FrameRing:
    def __cinit__(self, *args, **kwargs):
        cdef pthread_condattr_t attributes
        self.failure = WRITER_RUNS
        pthread_mutex_init(&self.mutex, NULL)
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(&self.changed, &attributes)
        pthread_condattr_destroy(&attributes)

    def __dealloc__(self):
        cdef uint32_t index
        if self.ring != NULL:
            for index in range(self.ring_frames):
                if self.ring[index].image != NULL:
                    munmap(self.ring[index].image, self.ring[index].mapped_bytes)
            free(self.ring)
        pthread_cond_destroy(&self.changed)
        pthread_mutex_destroy(&self.mutex)

    # --- the producer ---------------------------------------------------------------------------------------------------

    cdef frame_buffer *begin_frame(self, uint32_t payload_needed) noexcept nogil:
        # The frame being filled, or a new one as soon as the ring has room; NULL after a failure. It has room for payload_needed
        # more bytes of payload; entries and outcomes are full at their capacity.
        cdef uint64_t number = self.last_sealed.frame_number + 1
        cdef frame_buffer *frame = &self.ring[number % self.ring_frames]
        cdef bint runs
        cdef int error = 0
        pthread_mutex_lock(&self.mutex)
        while self.failure == WRITER_RUNS and (frame.state == FRAME_SEALED or frame.pins > 0):
            self.wait_change(NULL)
        runs = self.failure == WRITER_RUNS
        if runs and frame.state != FRAME_FILLING:
            frame.state = FRAME_FILLING
            frame.frame_number = number
            frame.entry_count = frame.outcome_count = frame.payload_bytes = 0
            frame.entries = <journal_entry *>(frame.image + self.next_byte_offset % 4096 + sizeof(frame_header))
            frame.first_seq = self.last_sealed.first_seq + self.last_sealed.entry_count
            frame.ledger_time_ms = self.last_sealed.ledger_time_ms
            frame.next_offset = self.last_sealed.next_offset
            frame.records_consumed = self.last_sealed.records_consumed
            frame.events_applied = self.last_sealed.events_applied
            frame.events_existing = self.last_sealed.events_existing
            frame.events_refused = self.last_sealed.events_refused
        pthread_mutex_unlock(&self.mutex)
        if not runs:
            return NULL
        if payload_needed > MAX_PAYLOAD_BYTES - frame.payload_bytes:
            error = EFBIG
        elif frame.payload_bytes + payload_needed > frame.payload_capacity:
            error = self.map_buffer(frame, frame.payload_bytes + payload_needed)
        elif frame.payload_bytes == 0 and frame.payload_capacity > self.payload_capacity >= payload_needed:
            error = self.map_buffer(frame, self.payload_capacity)  # gives back what one giant record took
        if error:
            self.fail(WRITER_WRITE_FAILED, error, self.next_segment_number, self.next_byte_offset)
            return NULL
        return frame

    cdef int map_buffer(self, frame_buffer *frame, uint32_t payload_capacity) noexcept nogil:
        # Gives the frame new memory, and moves into it what the frame holds. Returns 0 or an errno.
        cdef size_t entries_bytes = self.entry_capacity * sizeof(journal_entry)
        cdef size_t outcomes_bytes = self.outcome_capacity * sizeof(outcome_record)
        cdef size_t digests_bytes = (self.entry_capacity // ENTRIES_PER_BLOCK + 1) * sizeof(digest_record)
        cdef size_t image_bytes = round_up(
            2 * 4096 + sizeof(frame_header) + entries_bytes + outcomes_bytes + digests_bytes + payload_capacity, 4096)
        cdef size_t mapped_bytes = round_up(image_bytes + outcomes_bytes + payload_capacity, 4096)
        cdef uint8_t *image = <uint8_t *>mmap(
            NULL, mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        cdef uint8_t *outcomes = image + image_bytes
        cdef uint8_t *payload = outcomes + outcomes_bytes
        if image == MAP_FAILED:
            return errno
        if frame.image != NULL:
            memcpy(image + (<uint8_t *>frame.entries - frame.image), frame.entries, frame.entry_count * sizeof(journal_entry))
            memcpy(outcomes, frame.outcomes, frame.outcome_count * sizeof(outcome_record))
            memcpy(payload, frame.payload, frame.payload_bytes)
            munmap(frame.image, frame.mapped_bytes)
            frame.entries = <journal_entry *>(image + (<uint8_t *>frame.entries - frame.image))
        frame.image = image
        frame.mapped_bytes = mapped_bytes
        frame.outcomes = <outcome_record *>outcomes
        frame.payload = payload
        frame.entry_capacity = self.entry_capacity
        frame.outcome_capacity = self.outcome_capacity
        frame.payload_capacity = payload_capacity
        return 0

    cdef void place_frame(self, frame_buffer *frame) noexcept nogil:
        # Decides where the frame will lie; one that does not fit the rest of the segment begins the next.
        cdef uint64_t needed = round_up(SEGMENT_HEADER_BYTES + frame.frame_bytes, 4096)
        frame.previous_segment_end = 0
        if self.next_byte_offset + frame.frame_bytes > self.next_segment_bytes:
            frame.previous_segment_end = self.next_byte_offset
            self.next_segment_number += 1
            self.next_segment_bytes = max(self.standard_segment_bytes, needed)
            self.next_byte_offset = SEGMENT_HEADER_BYTES
            memmove(frame.image + sizeof(frame_header), frame.entries, frame.entry_count * sizeof(journal_entry))
            frame.entries = <journal_entry *>(frame.image + sizeof(frame_header))
        frame.segment_number = self.next_segment_number
        frame.byte_offset = self.next_byte_offset
        self.next_byte_offset += frame.frame_bytes

    cdef int seal_frame(self, frame_buffer *frame) noexcept nogil:
        # Hands the frame to the journal thread. Returns -1 after a failure; the frame is lost then.
        cdef frame_header *header
        cdef uint32_t digest_count = blocks_ended(frame.first_seq, frame.entry_count)
        frame.frame_bytes = <uint32_t>round_up(
            sizeof(frame_header) + frame.entry_count * sizeof(journal_entry) + frame.outcome_count * sizeof(outcome_record)
            + digest_count * sizeof(digest_record) + frame.payload_bytes, FRAME_ALIGNMENT)
        self.place_frame(frame)
        header = <frame_header *>(<uint8_t *>frame.entries - sizeof(frame_header))
        memset(header, 0, sizeof(frame_header))
        header.magic = FRAME_MAGIC
        header.frame_bytes = frame.frame_bytes
        header.entry_count = frame.entry_count
        header.outcome_count = frame.outcome_count
        header.digest_count = digest_count
        header.payload_bytes = frame.payload_bytes
        header.frame_number = frame.frame_number
        header.segment_number = frame.segment_number
        header.first_seq = frame.first_seq
        header.epoch = self.epoch
        header.ledger_time_ms = frame.ledger_time_ms
        header.next_offset = frame.next_offset
        header.records_consumed = frame.records_consumed
        header.events_applied = frame.events_applied
        header.events_existing = frame.events_existing
        header.events_refused = frame.events_refused
        header.rules_digest = self.rules_digest
        self.last_sealed = header[0]
        pthread_mutex_lock(&self.mutex)
        frame.state = FRAME_SEALED
        self.sealed_frame = frame.frame_number
        if frame.byte_offset > self.next_segment_bytes // 4:
            self.wanted_segment = frame.segment_number + 1
            self.wanted_bytes = 2 * (frame.byte_offset - self.next_segment_bytes // 4)
        pthread_cond_broadcast(&self.changed)
        pthread_mutex_unlock(&self.mutex)
        return 0 if self.failure == WRITER_RUNS else -1

    # --- any thread -----------------------------------------------------------------------------------------------------

    cdef bint wait_change(self, const timespec *until) noexcept nogil:
        # Under the mutex. False: the time is up.
        if until == NULL:
            return pthread_cond_wait(&self.changed, &self.mutex) == 0
        return pthread_cond_timedwait(&self.changed, &self.mutex, until) == 0

    cdef void fail(self, writer_failure failure, int error, uint64_t segment_number, uint64_t byte_offset) noexcept nogil:
        # The first failure stays: nothing is written behind it.
        pthread_mutex_lock(&self.mutex)
        if self.failure == WRITER_RUNS:
            self.failure = failure
            self.failure_errno = error
            self.failure_segment = segment_number
            self.failure_byte_offset = byte_offset
        pthread_cond_broadcast(&self.changed)
        pthread_mutex_unlock(&self.mutex)

    cdef uint64_t get_durable_frame(self) noexcept nogil:
        cdef uint64_t number
        pthread_mutex_lock(&self.mutex)
        number = self.written_frame
        pthread_mutex_unlock(&self.mutex)
        return number

    cdef uint64_t get_durable_seq(self) noexcept nogil:
        cdef uint64_t seq
        pthread_mutex_lock(&self.mutex)
        seq = self.written_seq
        pthread_mutex_unlock(&self.mutex)
        return seq

    cdef bint wait_written(self, uint64_t frame_number, int timeout_ms) noexcept nogil:
        # Under no mutex. True: the frame is durable. timeout_ms below 0 waits without end.
        cdef timespec until
        cdef bint in_time = True
        cdef bint written
        deadline_after(&until, timeout_ms)
        pthread_mutex_lock(&self.mutex)
        while self.written_frame < frame_number and self.failure == WRITER_RUNS and in_time:
            in_time = self.wait_change(NULL if timeout_ms < 0 else &until)
        written = self.written_frame >= frame_number
        pthread_mutex_unlock(&self.mutex)
        return written

    cdef const frame_header *pin_frame(self, uint64_t frame_number, int timeout_ms) noexcept nogil:
        # A durable frame, kept in the ring until unpin_frame. NULL: not durable within timeout_ms, or no longer in the ring
        # (then it is in the files).
        cdef frame_buffer *frame = &self.ring[frame_number % self.ring_frames]
        cdef const frame_header *header = NULL
        if not self.wait_written(frame_number, timeout_ms):
            return NULL
        pthread_mutex_lock(&self.mutex)
        if frame.state == FRAME_DURABLE and frame.frame_number == frame_number:
            frame.pins += 1
            header = <const frame_header *>(<uint8_t *>frame.entries - sizeof(frame_header))
        pthread_mutex_unlock(&self.mutex)
        return header

    cdef void unpin_frame(self, uint64_t frame_number) noexcept nogil:
        pthread_mutex_lock(&self.mutex)
        self.ring[frame_number % self.ring_frames].pins -= 1
        pthread_cond_broadcast(&self.changed)
        pthread_mutex_unlock(&self.mutex)

    cdef bint ring_entry(self, uint64_t seq, journal_entry *entry) noexcept nogil:
        # The producer's: copies an entry that is still in the ring, sealed or not. False: it is durable, and in the files alone.
        cdef frame_buffer *frame
        cdef uint32_t index
        for index in range(self.ring_frames):
            frame = &self.ring[index]
            if frame.state != FRAME_FREE and frame.first_seq <= seq < frame.first_seq + frame.entry_count:
                entry[0] = frame.entries[seq - frame.first_seq]
                return True
        return False
