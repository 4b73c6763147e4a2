# From frames of the journal to record batches of one JSON value an event. Owns BatchRenderer, which cuts the batches, and
# OutcomeRenderer, which tells each channel what became of its events; uses json_writing.pxi and batch_building.pxi.

cdef enum:
    VALUE_ROOM = 2816  # more than any value takes, with every character of a channel's name and of a note escaped


cdef class BatchRenderer:
    """Renders frames, in their order, into record batches of at most ``max_batch_bytes``."""

    def __init__(self, channels, *, size_t max_batch_bytes=1_000_000):
        if max_batch_bytes < BATCH_HEADER_BYTES + RECORD_BYTES_AROUND + VALUE_ROOM + EVENT_KEY_ROOM:
            raise ValueError(f"{max_batch_bytes} bytes do not hold one value")
        channel_table_fill(&self.channels, channels)
        self.room = bytearray(max_batch_bytes)
        builder_open(&self.builder, <uint8_t *>PyByteArray_AS_STRING(self.room), max_batch_bytes)

    def __dealloc__(self):
        channel_table_clear(&self.channels)

    def add_frame(self, Frame frame not None) -> list[tuple[bytearray, int]]:
        """Render a frame; return the batches that became full on the way, each with its count of records."""
        cdef render_place place = render_place(0, 0, False)
        cdef render_status status = RENDER_FULL
        full = []
        while status == RENDER_FULL:
            with nogil:
                status = self.render(frame.header, &place)
            if status == RENDER_FULL:
                full += self.take()
        if status == RENDER_FAILED:
            self.raise_failure()
        return full

    def take(self) -> list[tuple[bytearray, int]]:
        """Return the batch that is not full yet, with its count of records; nothing where it is empty."""
        cdef int32_t record_count = self.builder.record_count
        if record_count == 0:
            return []
        batch = self.room[:builder_close(&self.builder, 0)]
        builder_open(&self.builder, self.builder.data, self.builder.capacity)
        return [(batch, record_count)]

    cdef render_status render(self, const frame_header *frame, render_place *place) noexcept nogil:
        """Add what comes from ``place`` on, and move it."""
        return RENDER_DONE

    cdef int raise_failure(self) except -1:
        return 0

    cdef bint add_value(
        self, const char *key, int64_t key_bytes, const char *value, const char *end, int64_t timestamp_ms
    ) noexcept nogil:
        """Add a record; a key of -1 bytes is none. False: the batch is full."""
        return builder_add(&self.builder, <const uint8_t *>key, key_bytes, <const uint8_t *>value, end - value, timestamp_ms)

    cdef bint add_event_value(
        self, const event_name *name, const char *value, const char *end, int64_t timestamp_ms
    ) noexcept nogil:
        """The same, keyed by the event that the value is about."""
        cdef char key[EVENT_KEY_ROOM]
        return self.add_value(key, write_event_key(key, name), value, end, timestamp_ms)


cdef class OutcomeRenderer(BatchRenderer):
    """Renders outcomes. An applied event is rendered once, whatever it posted.

    ``refused_only`` leaves out what was applied and what existed.
    """

    def __init__(self, channels, *, refused_only: bool = False, size_t max_batch_bytes=1_000_000):
        super().__init__(channels, max_batch_bytes=max_batch_bytes)
        self.refused_only = refused_only
        self.reason_names = [b""] * 256
        for code in OutcomeCode:
            self.reason_names[code] = code.name.encode()
        for code in range(256):
            self.reasons[code] = <bytes>self.reason_names[code]

    cdef render_status render(self, const frame_header *frame, render_place *place) noexcept nogil:
        """Add events in the order of their offsets."""
        cdef const journal_entry *entries = frame_entries(frame)
        cdef const outcome_record *outcomes = frame_outcomes(frame)
        cdef int64_t offset
        while place.entry < frame.entry_count or place.outcome < frame.outcome_count:
            offset = entries[place.entry].source_offset if place.entry < frame.entry_count else INT64_MAX
            if place.outcome < frame.outcome_count and outcomes[place.outcome].source_offset < offset:
                if not self.add_outcome(&outcomes[place.outcome]):
                    return RENDER_FULL
                place.outcome += 1
            else:
                if not self.add_applied(&entries[place.entry], frame.first_seq + place.entry):
                    return RENDER_FULL
                place.entry += 1
        return RENDER_DONE

    cdef bint add_applied(self, const journal_entry *entry, uint64_t seq) noexcept nogil:
        cdef char value[VALUE_ROOM]
        cdef char *at = value
        cdef event_name name
        if self.refused_only or not is_first_of_event(entry):
            return True
        name_event(&name, &self.channels, entry.channel, entry.business_date, event_serial(entry))
        at = put_text(at, b'{"outcome":"applied","seq":')
        at = put_number(at, seq)
        at = put_event_name(at, &name)
        at = put_text(at, b',"offset":')
        at = put_signed(at, entry.source_offset)
        at = put_text(at, b',"ledger_time_ms":')
        at = put_signed(at, entry.ledger_time_ms)
        return self.add_event_value(&name, value, put_text(at, b"}"), entry.ledger_time_ms)

    cdef bint add_outcome(self, const outcome_record *outcome) noexcept nogil:
        cdef char value[VALUE_ROOM]
        cdef char *at = value
        cdef event_name name
        if outcome.code == OUTCOME_EXISTS and self.refused_only:
            return True
        name_event(&name, &self.channels, outcome.channel, outcome.business_date, outcome.serial)
        if outcome.code == OUTCOME_EXISTS:
            at = put_text(at, b'{"outcome":"exists"')
        else:
            at = put_text(at, b'{"outcome":"refused","reason":"')
            at = put_text(at, self.reasons[outcome.code & 0xFF])
            at = put_text(at, b'"')
        if outcome.first_code:
            at = put_text(at, b',"first_reason":"')
            at = put_text(at, self.reasons[outcome.first_code & 0xFF])
            at = put_text(at, b'"')
        at = put_text(at, b',"seq":')
        at = put_number(at, outcome.seq)
        at = put_event_name(at, &name)
        at = put_text(at, b',"offset":')
        at = put_signed(at, outcome.source_offset)
        at = put_text(at, b',"record_timestamp_ms":')
        at = put_signed(at, outcome.record_timestamp_ms)
        return self.add_event_value(&name, value, put_text(at, b"}"), outcome.record_timestamp_ms)
