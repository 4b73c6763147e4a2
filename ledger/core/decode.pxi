# From the bytes of an event to a packed_event, with all checks that need no ledger state.
# Owns the packed encoding of events without legs, and the way to plain Python. Uses channel_profiles.pxi.
#
# Three readers come one after the other, each for what the one before leaves as DECODE_SLOW. decode_event reads bills and
# payments that are plain and right, the bulk (decode_json.pxi, decode_msgpack.pxi), decode_nested everything else, right or
# wrong. What is longer than it has room for goes to decode_event_slow, which asks ledger.events: plain Python that also defines
# what the others must do, and is tested to agree.

from cpython.exc cimport PyErr_SetInterrupt

from ledger.events import decode_to_packed

cdef enum:
    HIGHEST_PERIOD = 214912
    LOWEST_PERIOD = 197001
    HIGHEST_DATE = 0xFFFF

cdef extern from * nogil:
    """
    #define HOUSEHOLD_LIMIT 10000000000000u
    #define OUTLET_LIMIT 1000000000000000000u
    #define NIBBLE_ONES 0x1111111111111111u
    #define ALL_ONES 0xFFFFFFFFFFFFFFFFu
    #define HASH_MULTIPLIER 0x9E3779B97F4A7C15u
    """
    const uint64_t HOUSEHOLD_LIMIT, OUTLET_LIMIT, NIBBLE_ONES, ALL_ONES, HASH_MULTIPLIER
    uint64_t __builtin_bswap64(uint64_t value)


cdef inline uint64_t nibbles_of_fill(uint64_t nibbles) noexcept nogil:
    """Return 0xF for each nibble that is 0xF and 0 for each digit; a value that is no tail of 0xF where a nibble is neither."""
    cdef uint64_t above_9 = nibbles >> 3 & (nibbles >> 2 | nibbles >> 1) & NIBBLE_ONES
    cdef uint64_t fill = nibbles & nibbles >> 1 & nibbles >> 2 & nibbles >> 3 & NIBBLE_ONES
    return fill * 15 if above_9 == fill else <uint64_t> 1 << 63


cdef inline bint digits_serial_is_right(const uint8_t *serial) noexcept nogil:
    """Whether the nibbles are 1 to 32 decimal digits, then 0xF up to the end."""
    cdef uint64_t high, low
    memcpy(&high, serial, 8)
    memcpy(&low, serial + 8, 8)
    high = nibbles_of_fill(__builtin_bswap64(high))
    low = nibbles_of_fill(__builtin_bswap64(low))
    if high == 0:
        return low & low + 1 == 0
    return high & high + 1 == 0 and high != ALL_ONES and low == ALL_ONES


cdef inline bint ascii_serial_is_right(const uint8_t *serial) noexcept nogil:
    """Whether the bytes are printable without space, then zero up to the end."""
    cdef int at = 0
    while at < 16 and 0x21 <= serial[at] <= 0x7E:
        at += 1
    if at == 0:
        return False
    while at < 16 and serial[at] == 0:
        at += 1
    return at == 16


cdef inline bint serial_is_right(const uint8_t *serial, int form) noexcept nogil:
    """Whether 16 bytes are a serial of the form. All zero bytes never are: they mean that no serial is known."""
    cdef uint64_t low, high
    memcpy(&low, serial, 8)
    memcpy(&high, serial + 8, 8)
    if low | high == 0:
        return False
    if form == SERIAL_FORM_DIGITS:
        return digits_serial_is_right(serial)
    if form == SERIAL_FORM_ASCII:
        return ascii_serial_is_right(serial)
    return form == SERIAL_FORM_UUID


cdef inline bint period_is_right(uint32_t period) noexcept nogil:
    return LOWEST_PERIOD <= period <= HIGHEST_PERIOD and 1 <= period % 100 <= 12


cdef inline uint64_t packed_problems(const packed_event *event, const channel_profile *profile) noexcept nogil:
    """What is wrong with a packed event without legs: a bit for each outcome code; the lowest is the refusal."""
    cdef uint64_t problems = 0, due_date = event.detail >> 32
    problems |= bit_if(event.event_type == 0, OUTCOME_EVENT_TYPE_UNKNOWN)
    problems |= bit_if(not may_publish(profile, event.event_type), OUTCOME_CHANNEL_UNKNOWN)
    problems |= bit_if(event.business_date == 0, OUTCOME_BUSINESS_DATE_INVALID)
    problems |= bit_if(event.value_date == 0, OUTCOME_VALUE_DATE_INVALID)
    problems |= bit_if(not serial_is_right(event.serial, profile.serial_form), OUTCOME_SERIAL_MALFORMED)
    problems |= bit_if(event.household >= HOUSEHOLD_LIMIT, OUTCOME_HOUSEHOLD_NOT_13_DIGITS)
    problems |= bit_if(event.amount_fen < (event.event_type != EVENT_TYPE_COUNT_FLOAT), OUTCOME_AMOUNT_NOT_POSITIVE)
    if event.event_type == EVENT_TYPE_PAYMENT:
        problems |= bit_if(event.detail >= OUTLET_LIMIT, OUTCOME_OUTLET_MALFORMED)
        problems |= payment_problems(event, profile)
    elif event.event_type == EVENT_TYPE_BILL:
        problems |= bit_if(not period_is_right(<uint32_t> event.detail), OUTCOME_PERIOD_INVALID)
        problems |= bit_if(due_date == 0 or due_date > HIGHEST_DATE, OUTCOME_DUE_DATE_INVALID)
        problems |= bit_if(event.terminal != 0, OUTCOME_TERMINAL_UNKNOWN) | bit_if(event.payer != 0, OUTCOME_PAYER_MALFORMED)
    else:
        problems |= funds_problems(event, profile)
    return problems


cdef uint16_t refuse_packed(packed_event *event, const channel_profile *profile, uint64_t problems) noexcept nogil:
    """Leave of a refused event what is known of its key and its type; return the code of the first problem."""
    cdef packed_event known
    cdef uint16_t code = 0
    memset(&known, 0, sizeof(packed_event))
    if not problems >> OUTCOME_EVENT_TYPE_UNKNOWN & 1:
        known.event_type = event.event_type
    known.business_date = event.business_date
    if profile.serial_form:
        known.channel = event.channel
        if not problems >> OUTCOME_SERIAL_MALFORMED & 1:
            memcpy(known.serial, event.serial, 16)
    event[0] = known
    while not problems >> code & 1:
        code += 1
    return code


cdef inline uint16_t decode_packed(
    const uint8_t *value, int64_t value_bytes, const channel_table *channels, packed_event *event
) noexcept nogil:
    cdef const channel_profile *profile
    cdef uint64_t tail
    cdef uint64_t problems
    if value_bytes != sizeof(packed_event):
        memset(event, 0, sizeof(packed_event))
        return OUTCOME_PACKED_MALFORMED
    memcpy(event, value, sizeof(packed_event))
    memcpy(&tail, &event.terminal, 8)
    if tail >> 8 or (event.event_type >= EVENT_TYPE_OPEN_FLOAT and event.household | event.detail):
        memset(event, 0, sizeof(packed_event))
        return OUTCOME_PACKED_MALFORMED
    profile = &channels.profiles[event.channel if event.channel < 256 else 0]
    problems = packed_problems(event, profile)
    return refuse_packed(event, profile, problems) if problems else 0


cdef uint16_t decode_event(
    const uint8_t *value, int64_t value_bytes, const channel_table *channels, packed_event *event
) noexcept nogil:
    """Decode the value of a record, -1 bytes for none.

    0: the event is whole and right. A refusal: only the type and the parts of the key are filled, as far as they are known.
    DECODE_SLOW: the next reader has to look at it; the event is undefined.
    """
    if value_bytes <= 0:
        memset(event, 0, sizeof(packed_event))
        return OUTCOME_VALUE_MISSING
    if value[0] == PACKED_EVENT_VERSION:
        return decode_packed(value, value_bytes, channels, event)
    if value[0] & 0xE0 == 0x80:
        return decode_msgpack(value, value_bytes, channels, event)
    return decode_json(value, value_bytes, channels, event)


cdef int render_serial(const uint8_t *serial, int form, char *out) noexcept nogil:
    """Write the text of a serial, at most RENDERED_SERIAL_BYTES and without a zero at the end; return its length."""
    cdef const char *digits = b"0123456789abcdef"
    cdef int at, length = 0, nibble
    if form == SERIAL_FORM_ASCII:
        while length < 16 and serial[length]:
            out[length] = <char> serial[length]
            length += 1
        return length
    for at in range(32):
        nibble = serial[at >> 1] >> (0 if at & 1 else 4) & 0xF
        if form == SERIAL_FORM_DIGITS and nibble > 9:
            break
        if form == SERIAL_FORM_UUID and (at == 8 or at == 12 or at == 16 or at == 20):
            out[length] = c'-'
            length += 1
        out[length] = digits[nibble]
        length += 1
    return length


cdef uint16_t decode_event_slow(
    const uint8_t *value, int64_t value_bytes, const channel_table *channels, packed_event *event, packed_leg *legs
) noexcept:
    """Decode any value with ledger.events, under the GIL; never raises. Returns as decode_with_legs does, never DECODE_SLOW, but
    DECODE_NO_MEMORY where that says nothing about the value.
    """
    cdef bytes packed
    cdef uint16_t code = DECODE_SLOW
    cdef bint interrupted = False
    while code == DECODE_SLOW:
        try:
            code, packed = decode_to_packed(value[:value_bytes] if value_bytes > 0 else None, <object> channels.channels)
            memcpy(event, <const char *> packed, sizeof(packed_event))
            memcpy(legs, <const char *> packed + sizeof(packed_event), len(packed) - sizeof(packed_event))
        except KeyboardInterrupt:
            interrupted = True  # the event is decoded all the same; the interrupt is raised again behind it
        except BaseException as error:
            memset(event, 0, sizeof(packed_event))
            code = DECODE_NO_MEMORY if isinstance(error, MemoryError) else OUTCOME_ENCODING_UNKNOWN
    if interrupted:
        PyErr_SetInterrupt()
    return code


cdef bytes event_with_legs(const packed_event *event, const packed_leg *legs):
    cdef bytes head = (<const uint8_t *> event)[:sizeof(packed_event)]
    if not has_legs(event.event_type):
        return head
    return head + (<const uint8_t *> legs)[:event.detail * sizeof(packed_leg)]


cdef class EventDecoder:
    """The core's decoder for one set of channels, as Python sees it: for tests and tools. Not for one call an event."""

    def __init__(self, channels):
        channel_table_fill(&self.table, channels)

    def __dealloc__(self):
        channel_table_clear(&self.table)

    def decode_fast(self, const uint8_t[::1] value):
        """Return the outcome code and the packed event; code 0xFFFF where the fast path leaves the value to the slow one."""
        cdef packed_event event
        cdef packed_leg[MAX_LEGS] legs
        cdef int64_t value_bytes = -1 if value is None else value.shape[0]
        cdef uint16_t code
        memset(&event, 0, sizeof(packed_event))
        code = decode_with_legs(&value[0] if value_bytes > 0 else NULL, value_bytes, &self.table, &event, legs)
        return code, event_with_legs(&event, legs)

    def decode_slow(self, const uint8_t[::1] value):
        """Return the outcome code and the packed event as the slow path has them. Raises MemoryError."""
        cdef packed_event event
        cdef packed_leg[MAX_LEGS] legs
        cdef int64_t value_bytes = -1 if value is None else value.shape[0]
        cdef uint16_t code = decode_event_slow(&value[0] if value_bytes > 0 else NULL, value_bytes, &self.table, &event, legs)
        if code == DECODE_NO_MEMORY:
            raise MemoryError("no memory to decode a value")
        return code, event_with_legs(&event, legs)
