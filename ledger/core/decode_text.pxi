# The fields of a JSON or MessagePack event, given as text, to the numbers of a packed_event. Owns text_event; uses channel_table.
#
# Of bills and payments that are plain and right: False or NULL means that something is not, and leads to DECODE_SLOW. Eight
# characters are read at a time where the length allows it: a little-endian word whose lowest byte is the first character.

cdef extern from * nogil:
    """
    #define EIGHT_ZEROS 0x3030303030303030u      /* "00000000" */
    #define DATE_ZEROS 0x2D30302D30303030u       /* "0000-00-" */
    #define ABOVE_9 0x7676767676767676u          /* added to a byte of 10 to 127, sets its top bit */
    #define ABOVE_9_OR_0 0x7F76767F76767676u     /* the same, but in place of a hyphen a byte of 1 to 127 */
    #define TOP_BITS 0x8080808080808080u
    #define EVERY_2ND_BYTE 0x00FF00FF00FF00FFu
    #define EVERY_2ND_PAIR 0x0000FFFF0000FFFFu
    #define EVERY_4TH_BYTE 0x000000FF000000FFu
    #define LAST_FIVE_BYTES 0xFFFFFFFFFF000000u
    #define FIRST_AND_THIRD_PAIR (100u + (1000000ull << 32))
    #define SECOND_AND_FOURTH_PAIR (1u + (10000ull << 32))
    """
    const uint64_t EIGHT_ZEROS, DATE_ZEROS, ABOVE_9, ABOVE_9_OR_0, TOP_BITS
    const uint64_t EVERY_2ND_BYTE, EVERY_2ND_PAIR, EVERY_4TH_BYTE, LAST_FIVE_BYTES
    const uint64_t FIRST_AND_THIRD_PAIR, SECOND_AND_FOURTH_PAIR

cdef enum:
    FIELD_TYPE = 0
    FIELD_CHANNEL = 1
    FIELD_BUSINESS_DATE = 2
    FIELD_SERIAL = 3
    FIELD_HOUSEHOLD = 4
    FIELD_AMOUNT_FEN = 5
    FIELD_VALUE_DATE = 6
    FIELD_OUTLET = 7
    FIELD_PERIOD = 8
    FIELD_DUE_DATE = 9
    FIELD_PAYER = 10
    FIELD_TERMINAL = 11
    NO_FIELD = 12
    REQUIRED_FIELDS = 0x03F         # of both event types
    OPTIONAL_FIELDS = 0xCC0         # value_date, outlet, payer and terminal
    REQUIRED_BILL_FIELDS = 0x33F
    PAYMENT_FIELDS = 0xC80          # outlet, payer and terminal: of payments only
    MAX_EVENT_BYTES = 65536         # of a plain event
    MAX_FAST_DIGITS = 18            # of an amount: cannot overflow
    LAST_YEAR = 2149

cdef uint16_t[13] DAYS_BEFORE_MONTH = [0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334]
cdef uint8_t[13] DAYS_OF_MONTH = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]


cdef struct text_event:
    packed_event *event
    const uint8_t *serial   # its form is known only once the channel is
    size_t serial_bytes
    const uint8_t *terminal  # as the serial; NULL: left out
    size_t terminal_bytes
    uint64_t outlet
    uint32_t period
    uint32_t due_date
    uint32_t seen           # a bit for each FIELD_*


cdef inline uint64_t load_word(const uint8_t *text) noexcept nogil:
    cdef uint64_t word
    memcpy(&word, text, 8)
    return word


cdef inline bint are_digits(uint64_t values) noexcept nogil:
    """Whether eight bytes, with '0' taken off each, are below 10."""
    return (values | values + ABOVE_9) & TOP_BITS == 0


cdef inline uint64_t eight_digits(uint64_t values) noexcept nogil:
    """Return the number that eight digits write: pairs first, then the pairs in two halves."""
    values = values * 10 + (values >> 8)
    return ((values & EVERY_4TH_BYTE) * FIRST_AND_THIRD_PAIR + (values >> 16 & EVERY_4TH_BYTE) * SECOND_AND_FOURTH_PAIR) >> 32


cdef inline uint64_t digits_to_number(const uint8_t *text, size_t count) noexcept nogil:
    """Return the number that 1 to 18 digits write; 0 where the text is something else."""
    cdef uint64_t number = 0
    cdef size_t at
    if not 0 < count <= MAX_FAST_DIGITS:
        return 0
    for at in range(count):
        if not c'0' <= text[at] <= c'9':
            return 0
        number = number * 10 + (text[at] - c'0')
    return number


cdef inline uint32_t days_of_date(uint32_t year, uint32_t month, uint32_t day) noexcept nogil:
    """Return the days since 1970-01-01; 0 where it is no date of 1970-01-02 to 2149-06-06."""
    cdef uint32_t days
    cdef bint leap = year & 3 == 0 and year != 2100
    if not 1970 <= year <= LAST_YEAR or not 1 <= month <= 12:
        return 0
    if not 1 <= day <= <uint32_t> DAYS_OF_MONTH[month] + (leap and month == 2):
        return 0
    days = (year - 1970) * 365 + (year - 1969) // 4 - (year > 2100)
    days += DAYS_BEFORE_MONTH[month] + (leap and month > 2) + day - 1
    return days if days <= HIGHEST_DATE else 0


cdef inline uint32_t text_to_date(const uint8_t *text, size_t count) noexcept nogil:
    """Return the days since 1970-01-01 of YYYY-MM-DD; 0 where the text is no date of 1970-01-02 to 2149-06-06."""
    cdef uint64_t word
    cdef uint32_t year, month
    if count != 10 or not c'0' <= text[8] <= c'3' or not c'0' <= text[9] <= c'9':
        return 0
    word = load_word(text) ^ DATE_ZEROS
    if (word | word + ABOVE_9_OR_0) & TOP_BITS:
        return 0
    year = (word & 0xFF) * 1000 + (word >> 8 & 0xFF) * 100 + (word >> 16 & 0xFF) * 10 + (word >> 24 & 0xFF)
    month = (word >> 40 & 0xFF) * 10 + (word >> 48 & 0xFF)
    return days_of_date(year, month, (text[8] - c'0') * 10 + (text[9] - c'0'))


cdef inline uint32_t text_to_period(const uint8_t *text, size_t count) noexcept nogil:
    """Return YYYY-MM as yyyymm; 0 where the text is no such month."""
    cdef uint32_t period
    if count != 7 or text[4] != c'-':
        return 0
    period = digits_to_number(text, 4) * 100 + digits_to_number(text + 5, 2)
    return period if period_is_right(period) else 0


cdef inline bint take_household(packed_event *event, const uint8_t *text, size_t count) noexcept nogil:
    cdef uint64_t first, last
    if count != 13:
        return False
    first = load_word(text) ^ EIGHT_ZEROS
    last = load_word(text + 5) ^ EIGHT_ZEROS
    event.household = eight_digits(first) * 100000 + eight_digits(last & LAST_FIVE_BYTES)
    return are_digits(first) and are_digits(last)


cdef inline bint take_digits_serial(uint8_t *serial, const uint8_t *text, size_t count) noexcept nogil:
    cdef uint64_t word
    cdef uint32_t packed
    cdef size_t at = 0
    memset(serial, 0xFF, 16)
    if not 0 < count <= 32:
        return False
    while at + 8 <= count:
        word = load_word(text + at) ^ EIGHT_ZEROS
        if not are_digits(word):
            return False
        word = (word << 4 | word >> 8) & EVERY_2ND_BYTE
        word = (word | word >> 8) & EVERY_2ND_PAIR
        packed = <uint32_t> (word | word >> 16)
        memcpy(serial + (at >> 1), &packed, 4)
        at += 8
    while at < count:
        if not c'0' <= text[at] <= c'9':
            return False
        if at & 1:
            serial[at >> 1] = (serial[at >> 1] & 0xF0) | (text[at] - c'0')
        else:
            serial[at >> 1] = (text[at] - c'0') << 4 | 0x0F
        at += 1
    return True


cdef inline int hex_digit(uint8_t letter) noexcept nogil:
    if c'0' <= letter <= c'9':
        return letter - c'0'
    letter |= 0x20
    return letter - c'a' + 10 if c'a' <= letter <= c'f' else -1


cdef inline bint take_uuid_serial(uint8_t *serial, const uint8_t *text, size_t count) noexcept nogil:
    cdef int high, low
    cdef size_t at = 0, filled = 0
    if count != 36:
        return False
    while at < 36:
        if at == 8 or at == 13 or at == 18 or at == 23:
            if text[at] != c'-':
                return False
            at += 1
        high = hex_digit(text[at])
        low = hex_digit(text[at + 1])
        if high < 0 or low < 0:
            return False
        serial[filled] = high << 4 | low
        filled += 1
        at += 2
    return True


cdef inline bint take_serial(uint8_t *serial, int form, const uint8_t *text, size_t count) noexcept nogil:
    """Write the 16 bytes of a serial; False where the text has not the form."""
    if form == SERIAL_FORM_DIGITS:
        if not take_digits_serial(serial, text, count):
            return False
    elif form == SERIAL_FORM_UUID:
        if not take_uuid_serial(serial, text, count):
            return False
    else:
        if not 0 < count <= 16 or text[count - 1] == 0:  # zeros behind the text would not be seen among the 16 bytes
            return False
        memset(serial, 0, 16)
        memcpy(serial, text, count)
    return serial_is_right(serial, form)


cdef inline bint name_is(const uint8_t *text, size_t left, const char *name, size_t count) noexcept nogil:
    return left >= count and memcmp(text, name, count) == 0


cdef inline int field_at(const uint8_t *text, size_t left, size_t *name_bytes) noexcept nogil:
    """Return the field whose name the text begins with, and the length of the name; else NO_FIELD."""
    cdef uint8_t first = text[0] if left else 0
    name_bytes[0] = 6
    if first == c'o':
        return FIELD_OUTLET if name_is(text, left, b"outlet", 6) else NO_FIELD
    if first == c'p':
        if name_is(text, left, b"period", 6):
            return FIELD_PERIOD
        name_bytes[0] = 5
        return FIELD_PAYER if name_is(text, left, b"payer", 5) else NO_FIELD
    if first == c's':
        return FIELD_SERIAL if name_is(text, left, b"serial", 6) else NO_FIELD
    name_bytes[0] = 10
    if first == c'a':
        return FIELD_AMOUNT_FEN if name_is(text, left, b"amount_fen", 10) else NO_FIELD
    if first == c'v':
        return FIELD_VALUE_DATE if name_is(text, left, b"value_date", 10) else NO_FIELD
    if first == c't':
        name_bytes[0] = 4
        if name_is(text, left, b"type", 4):
            return FIELD_TYPE
        name_bytes[0] = 8
        return FIELD_TERMINAL if name_is(text, left, b"terminal", 8) else NO_FIELD
    if first == c'c':
        name_bytes[0] = 7
        return FIELD_CHANNEL if name_is(text, left, b"channel", 7) else NO_FIELD
    if first == c'd':
        name_bytes[0] = 8
        return FIELD_DUE_DATE if name_is(text, left, b"due_date", 8) else NO_FIELD
    if first == c'h':
        name_bytes[0] = 9
        return FIELD_HOUSEHOLD if name_is(text, left, b"household", 9) else NO_FIELD
    name_bytes[0] = 13
    return FIELD_BUSINESS_DATE if name_is(text, left, b"business_date", 13) else NO_FIELD


cdef inline bint take_event_type(packed_event *event, const uint8_t *text, size_t count) noexcept nogil:
    if count == 7 and memcmp(text, b"payment", 7) == 0:
        event.event_type = EVENT_TYPE_PAYMENT
    elif count == 4 and memcmp(text, b"bill", 4) == 0:
        event.event_type = EVENT_TYPE_BILL
    return event.event_type != 0


cdef inline bint take_text(
    text_event *found, const channel_table *channels, int field, const uint8_t *text, size_t count
) noexcept nogil:
    """Turn the text of a field into its number; False where it is none."""
    cdef packed_event *event = found.event
    if field == FIELD_TYPE:
        return take_event_type(event, text, count)
    elif field == FIELD_CHANNEL:
        event.channel = channel_by_name(channels, <const char *> text, count)
        return event.channel != 0
    elif field == FIELD_BUSINESS_DATE:
        event.business_date = text_to_date(text, count)
        return event.business_date != 0
    elif field == FIELD_SERIAL:
        found.serial = text
        found.serial_bytes = count
        return True
    elif field == FIELD_HOUSEHOLD:
        return take_household(event, text, count)
    elif field == FIELD_VALUE_DATE:
        event.value_date = text_to_date(text, count)
        return event.value_date != 0
    elif field == FIELD_OUTLET:
        found.outlet = digits_to_number(text, count)
        return found.outlet != 0
    elif field == FIELD_PAYER:
        event.payer = digits_to_number(text, count)
        return event.payer != 0
    elif field == FIELD_TERMINAL:
        found.terminal = text
        found.terminal_bytes = count
        return True
    elif field == FIELD_PERIOD:
        found.period = text_to_period(text, count)
        return found.period != 0
    elif field == FIELD_DUE_DATE:
        found.due_date = text_to_date(text, count)
        return found.due_date != 0
    return False


cdef inline void begin_text_event(text_event *found, packed_event *event) noexcept nogil:
    memset(event, 0, sizeof(packed_event))
    event.version = PACKED_EVENT_VERSION
    memset(found, 0, sizeof(text_event))
    found.event = event


cdef inline bint first_time(text_event *found, int field) noexcept nogil:
    """Note that a field was seen; False where it was before."""
    cdef uint32_t bit = <uint32_t> 1 << field
    cdef bint is_first = found.seen & bit == 0
    found.seen |= bit
    return is_first


cdef inline uint8_t terminal_by_name(const channel_profile *profile, const uint8_t *name, size_t count) noexcept nogil:
    """Return the place of a kind of terminal in its channel's profile; UNKNOWN_TERMINAL where it has none of that name."""
    cdef uint8_t at
    for at in range(profile.terminal_count):
        if count and profile.terminal_name_bytes[at] == count and memcmp(profile.terminal_names[at], name, count) == 0:
            return at
    return UNKNOWN_TERMINAL


cdef inline uint16_t finish_text_event(text_event *found, const channel_table *channels) noexcept nogil:
    """Fill what depends on other fields; DECODE_SLOW where they are not those of the event's type, or do not fit its channel."""
    cdef packed_event *event = found.event
    cdef const channel_profile *profile = &channels.profiles[event.channel]
    if event.event_type == EVENT_TYPE_PAYMENT:
        if found.seen & ~<uint32_t> OPTIONAL_FIELDS != REQUIRED_FIELDS:
            return DECODE_SLOW
        event.detail = found.outlet
        if found.terminal != NULL:
            event.terminal = terminal_by_name(profile, found.terminal, found.terminal_bytes)
        if payment_problems(event, profile):
            return DECODE_SLOW
    else:
        if found.seen & ~<uint32_t> OPTIONAL_FIELDS != REQUIRED_BILL_FIELDS or found.seen & PAYMENT_FIELDS:
            return DECODE_SLOW
        event.detail = <uint64_t> found.due_date << 32 | found.period
    if event.value_date == 0:
        event.value_date = event.business_date
    if not may_publish(profile, event.event_type):
        return DECODE_SLOW
    return 0 if take_serial(event.serial, profile.serial_form, found.serial, found.serial_bytes) else DECODE_SLOW
