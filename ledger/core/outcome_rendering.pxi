# From frames of the journal to record batches that tell each channel what became of its events: one JSON value an event.
# Owns OutcomeRenderer; uses the frames of journal_reader.pxi, decode.pxi for channels and serials, and batch_building.pxi.

from libc.string cimport strlen

cdef enum:
    OUTCOME_VALUE_ROOM = 1024  # more than a value takes, with every character of a channel's name escaped
    OUTCOME_KEY_ROOM = 128
    DATE_BYTES = 10


cdef inline char *put_text(char *at, const char *text) noexcept nogil:
    cdef size_t size = strlen(text)
    memcpy(at, text, size)
    return at + size


cdef inline char *put_digit_pair(char *at, uint32_t number) noexcept nogil:
    memcpy(at, DIGIT_PAIRS + 2 * number, 2)
    return at + 2


cdef char *put_number(char *at, uint64_t number) noexcept nogil:
    cdef char digits[20]
    cdef int begin = sizeof(digits)
    while number >= 100:
        begin -= 2
        put_digit_pair(digits + begin, <uint32_t>(number % 100))
        number //= 100
    begin -= 2
    put_digit_pair(digits + begin, <uint32_t>number)
    begin += number < 10
    memcpy(at, digits + begin, sizeof(digits) - begin)
    return at + (sizeof(digits) - begin)


cdef inline char *put_signed(char *at, int64_t number) noexcept nogil:
    if number >= 0:
        return put_number(at, <uint64_t>number)
    at[0] = c'-'
    return put_number(at + 1, 0 - <uint64_t>number)


cdef char *put_date(char *at, uint32_t days) noexcept nogil:
    """Write days since 1970-01-01 as YYYY-MM-DD, counting years from March so that leap days come last."""
    cdef uint32_t day = days + 719_468
    cdef uint32_t era = day // 146_097
    cdef uint32_t day_of_era = day % 146_097
    cdef uint32_t year = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    cdef uint32_t day_of_year = day_of_era - (365 * year + year // 4 - year // 100)
    cdef uint32_t month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    year += 400 * era + (month <= 2)
    at = put_digit_pair(put_digit_pair(at, year // 100), year % 100)
    at[0] = c'-'
    at = put_digit_pair(at + 1, month)
    at[0] = c'-'
    return put_digit_pair(at + 1, day)


cdef char *put_escaped(char *at, const char *text, int size) noexcept nogil:
    """Write text as the inside of a JSON string."""
    cdef int i
    cdef uint8_t byte
    for i in range(size):
        byte = <uint8_t>text[i]
        if byte < 0x20:
            at = put_text(at, b"\\u00")
            at[0] = c'0' + (byte >> 4)
            at[1] = b"0123456789abcdef"[byte & 0xF]
            at += 2
            continue
        if byte == c'"' or byte == c'\\':
            at[0] = c'\\'
            at += 1
        at[0] = <char>byte
        at += 1
    return at


cdef void name_event(
    event_name *name, const channel_table *channels, uint16_t channel, uint16_t business_date, const uint8_t *serial
) noexcept nogil:
    """Fill in what is known of an idempotency key; the rest stays empty."""
    cdef uint64_t halves[2]
    memset(name, 0, sizeof(event_name))
    memcpy(halves, serial, 16)
    if business_date:
        put_date(name.business_date, business_date)
    if channel < 256 and channels.profiles[channel].serial_form:
        name.channel = &channels.profiles[channel]
        if halves[0] or halves[1]:
            name.serial_bytes = render_serial(serial, name.channel.serial_form, name.serial)


cdef char *put_event_name(char *at, const event_name *name) noexcept nogil:
    if name.channel != NULL:
        at = put_text(at, b',"channel":"')
        at = put_escaped(at, name.channel.name, name.channel.name_bytes)
        at = put_text(at, b'"')
    if name.business_date[0]:
        at = put_text(at, b',"business_date":"')
        memcpy(at, name.business_date, DATE_BYTES)
        at = put_text(at + DATE_BYTES, b'"')
    if name.serial_bytes:
        at = put_text(at, b',"serial":"')
        at = put_escaped(at, name.serial, name.serial_bytes)
        at = put_text(at, b'"')
    return at


cdef int64_t write_outcome_key(char *key, const event_name *name) noexcept nogil:
    """Write channel/business date/serial; return its length, -1 where one of the three is not known."""
    cdef char *at = key
    if name.channel == NULL or not name.business_date[0] or not name.serial_bytes:
        return -1
    memcpy(at, name.channel.name, name.channel.name_bytes)
    at = put_text(at + name.channel.name_bytes, b"/")
    memcpy(at, name.business_date, DATE_BYTES)
    at = put_text(at + DATE_BYTES, b"/")
    memcpy(at, name.serial, name.serial_bytes)
    return at + name.serial_bytes - key


cdef class OutcomeRenderer:
    """Renders frames, in their order, into record batches of at most ``max_batch_bytes``.

    An applied event is rendered once, whatever it posted. ``refused_only`` leaves out what was applied and what existed.
    """

    def __init__(self, channels, *, refused_only: bool = False, size_t max_batch_bytes=1_000_000):
        if max_batch_bytes < BATCH_HEADER_BYTES + OUTCOME_VALUE_ROOM + OUTCOME_KEY_ROOM:
            raise ValueError(f"{max_batch_bytes} bytes do not hold one outcome")
        channel_table_fill(&self.channels, channels)
        self.refused_only = refused_only
        self.reason_names = [b""] * 256
        for code in OutcomeCode:
            self.reason_names[code] = code.name.encode()
        for code in range(256):
            self.reasons[code] = <bytes>self.reason_names[code]
        self.room = bytearray(max_batch_bytes)
        builder_open(&self.builder, <uint8_t *>PyByteArray_AS_STRING(self.room), max_batch_bytes)

    def __dealloc__(self):
        channel_table_clear(&self.channels)

    def add_frame(self, Frame frame not None) -> list[tuple[bytearray, int]]:
        """Render a frame; return the batches that became full on the way, each with its count of records."""
        cdef uint32_t entry = 0, outcome = 0
        cdef bint done = False
        full = []
        while not done:
            with nogil:
                done = self.render(frame.header, &entry, &outcome)
            if not done:
                full += self.take()
        return full

    def take(self) -> list[tuple[bytearray, int]]:
        """Return the batch that is not full yet, with its count of records; nothing where it is empty."""
        cdef int32_t record_count = self.builder.record_count
        if record_count == 0:
            return []
        batch = self.room[:builder_close(&self.builder, 0)]
        builder_open(&self.builder, self.builder.data, self.builder.capacity)
        return [(batch, record_count)]

    cdef bint render(self, const frame_header *frame, uint32_t *entry, uint32_t *outcome) noexcept nogil:
        """Add events from ``entry`` and ``outcome`` on, in the order of their offsets. False: the batch is full."""
        cdef const journal_entry *entries = frame_entries(frame)
        cdef const outcome_record *outcomes = frame_outcomes(frame)
        cdef int64_t offset
        while entry[0] < frame.entry_count or outcome[0] < frame.outcome_count:
            offset = entries[entry[0]].source_offset if entry[0] < frame.entry_count else INT64_MAX
            if outcome[0] < frame.outcome_count and outcomes[outcome[0]].source_offset < offset:
                if not self.add_outcome(&outcomes[outcome[0]]):
                    return False
                outcome[0] += 1
            else:
                if not self.add_applied(&entries[entry[0]], frame.first_seq + entry[0]):
                    return False
                entry[0] += 1
        return True

    cdef bint add_applied(self, const journal_entry *entry, uint64_t seq) noexcept nogil:
        cdef char value[OUTCOME_VALUE_ROOM]
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
        return self.add_value(value, put_text(at, b"}"), &name, entry.ledger_time_ms)

    cdef bint add_outcome(self, const outcome_record *outcome) noexcept nogil:
        cdef char value[OUTCOME_VALUE_ROOM]
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
        return self.add_value(value, put_text(at, b"}"), &name, outcome.record_timestamp_ms)

    cdef bint add_value(self, const char *value, const char *end, const event_name *name, int64_t timestamp_ms) noexcept nogil:
        cdef char key[OUTCOME_KEY_ROOM]
        cdef int64_t key_bytes = write_outcome_key(key, name)
        return builder_add(&self.builder, <const uint8_t *>key, key_bytes, <const uint8_t *>value, end - value, timestamp_ms)
