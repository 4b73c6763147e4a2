# The parts of one frame in memory, whether its sizes fit, and a copy of it for Python. Owns Frame. Uses record_layout.h.

cdef const journal_entry *frame_entries(const frame_header *frame) noexcept nogil:
    return <const journal_entry *>(<const uint8_t *>frame + sizeof(frame_header))


cdef const outcome_record *frame_outcomes(const frame_header *frame) noexcept nogil:
    return <const outcome_record *>(frame_entries(frame) + frame.entry_count)


cdef const digest_record *frame_digests(const frame_header *frame) noexcept nogil:
    return <const digest_record *>(frame_outcomes(frame) + frame.outcome_count)


cdef const uint8_t *frame_payload(const frame_header *frame) noexcept nogil:
    return <const uint8_t *>(frame_digests(frame) + frame.digest_count)


cdef bint frame_shape_fits(const frame_header *frame, uint64_t room) noexcept nogil:
    # Whether the counts make up frame_bytes, and these lie within room.
    cdef uint64_t needed = (
        sizeof(frame_header) + <uint64_t>frame.entry_count * sizeof(journal_entry)
        + <uint64_t>frame.outcome_count * sizeof(outcome_record) + <uint64_t>frame.digest_count * sizeof(digest_record)
        + frame.payload_bytes)
    return round_up(needed, FRAME_ALIGNMENT) == frame.frame_bytes <= room


cdef bint payload_ranges_fit(const frame_header *frame) noexcept nogil:
    cdef const outcome_record *outcome = frame_outcomes(frame)
    cdef uint32_t index
    for index in range(frame.outcome_count):
        if <uint64_t>outcome[index].payload_offset + outcome[index].payload_bytes > frame.payload_bytes:
            return False
    return True


cdef Frame make_frame(const frame_header *frame, uint64_t byte_offset):
    cdef Frame copy = Frame.__new__(Frame)
    copy.data = (<const uint8_t *>frame)[:frame.frame_bytes]
    copy.header = <const frame_header *><const uint8_t *>copy.data
    copy.byte_offset = byte_offset
    return copy


cdef class Frame:
    """A copy of one frame. ``data`` is all of it, ``byte_offset`` its place in the segment file."""

    @property
    def frame_number(self) -> int:
        return self.header.frame_number

    @property
    def segment_number(self) -> int:
        return self.header.segment_number

    @property
    def first_seq(self) -> int:
        return self.header.first_seq

    @property
    def entry_count(self) -> int:
        return self.header.entry_count

    @property
    def outcome_count(self) -> int:
        return self.header.outcome_count

    @property
    def epoch(self) -> int:
        return self.header.epoch

    @property
    def ledger_time_ms(self) -> int:
        return self.header.ledger_time_ms

    @property
    def next_offset(self) -> int:
        return self.header.next_offset

    @property
    def records_consumed(self) -> int:
        return self.header.records_consumed

    @property
    def events_applied(self) -> int:
        return self.header.events_applied

    @property
    def events_existing(self) -> int:
        return self.header.events_existing

    @property
    def events_refused(self) -> int:
        return self.header.events_refused

    @property
    def entries(self) -> memoryview:
        """The entries: 96 bytes each, the first at ``first_seq``."""
        return self._part(<const uint8_t *>frame_entries(self.header), self.header.entry_count * sizeof(journal_entry))

    @property
    def outcomes(self) -> memoryview:
        """The outcomes: 64 bytes each."""
        return self._part(<const uint8_t *>frame_outcomes(self.header), self.header.outcome_count * sizeof(outcome_record))

    @property
    def digests(self) -> memoryview:
        """The digest records: 48 bytes each."""
        return self._part(<const uint8_t *>frame_digests(self.header), self.header.digest_count * sizeof(digest_record))

    def payload(self, uint32_t index) -> bytes:
        """Return the bytes kept with outcome ``index``; empty where none are."""
        cdef const outcome_record *outcome
        if index >= self.header.outcome_count:
            raise IndexError(index)
        outcome = frame_outcomes(self.header) + index
        return (frame_payload(self.header) + outcome.payload_offset)[:outcome.payload_bytes]

    cdef _part(self, const uint8_t *start, size_t length):
        cdef size_t first = start - <const uint8_t *>self.header
        return memoryview(self.data)[first:first + length]
