# Flat JSON objects without a Python object. Owns the scanner; uses decode_text.pxi for the fields.
#
# Takes only what is plain: no escapes, no text outside ASCII, the fields of the event type once each. The rest is DECODE_SLOW.

cdef extern from * nogil:
    """
    #define EIGHT_ONES 0x0101010101010101u
    #define EIGHT_QUOTES 0x2222222222222222u
    #define EIGHT_BACKSLASHES 0x5C5C5C5C5C5C5C5Cu
    #define EIGHT_SPACES 0x2020202020202020u
    """
    const uint64_t EIGHT_ONES, EIGHT_QUOTES, EIGHT_BACKSLASHES, EIGHT_SPACES
    int __builtin_ctzll(unsigned long long value)

# The length of a field's text where it is always the same, so that its end need not be searched; by FIELD_*, else 0.
cdef uint8_t[NO_FIELD] TEXT_WIDTH = [0, 0, 10, 0, 13, 0, 10, 0, 7, 10, 0, 0]


cdef inline uint64_t ends_plain_text(uint64_t word) noexcept nogil:
    """Return a word whose lowest set bit is in the first byte that is a quote, a backslash, below space or above ASCII."""
    cdef uint64_t quote = word ^ EIGHT_QUOTES
    cdef uint64_t backslash = word ^ EIGHT_BACKSLASHES
    cdef uint64_t found = (quote - EIGHT_ONES & ~quote) | (backslash - EIGHT_ONES & ~backslash)
    return (found | (word - EIGHT_SPACES & ~word) | word) & TOP_BITS


cdef inline const uint8_t *plain_text_end(const uint8_t *at, const uint8_t *end) noexcept nogil:
    """Return the quote that closes a string of plain characters; NULL where there is none, or another character first."""
    cdef uint64_t stop
    while end - at >= 8:
        stop = ends_plain_text(load_word(at))
        if stop:
            at += __builtin_ctzll(stop) >> 3
            return at if at[0] == c'"' else NULL
        at += 8
    while at < end and at[0] != c'"' and at[0] != c'\\' and 0x20 <= at[0] < 0x80:
        at += 1
    return at if at < end and at[0] == c'"' else NULL


cdef inline const uint8_t *skip_space(const uint8_t *at, const uint8_t *end) noexcept nogil:
    while at < end and (at[0] == c' ' or at[0] == c'\n' or at[0] == c'\r' or at[0] == c'\t'):
        at += 1
    return at


cdef inline const uint8_t *json_amount(const uint8_t *at, const uint8_t *end, text_event *found) noexcept nogil:
    """Take a positive integer of at most 18 digits without leading zeros; return where it ends, NULL where there is none."""
    cdef const uint8_t *first = at
    cdef uint64_t amount = 0
    while at < end and c'0' <= at[0] <= c'9':
        amount = amount * 10 + (at[0] - c'0')
        at += 1
    if not 0 < at - first <= MAX_FAST_DIGITS or first[0] == c'0':
        return NULL
    found.event.amount_fen = <int64_t> amount
    return at


cdef inline const uint8_t *json_value(
    const uint8_t *at, const uint8_t *end, const channel_table *channels, int field, text_event *found
) noexcept nogil:
    """Take the value of a field; return where it ends, NULL where it is not plain."""
    cdef const uint8_t *close
    cdef size_t width = TEXT_WIDTH[field]
    if field == FIELD_AMOUNT_FEN:
        return json_amount(at, end, found)
    if at < end and at[0] == c'"':
        if width and <size_t> (end - at) > width + 1 and at[width + 1] == c'"':
            close = at + width + 1
        else:
            close = plain_text_end(at + 1, end)
        if close == NULL or not take_text(found, channels, field, at + 1, close - at - 1):
            return NULL
        return close + 1
    if OPTIONAL_FIELDS >> field & 1 and name_is(at, end - at, b"null", 4):
        return at + 4
    return NULL


cdef inline const uint8_t *json_member(
    const uint8_t *at, const uint8_t *end, const channel_table *channels, text_event *found
) noexcept nogil:
    """Take one name and its value with the space around them; return what follows, NULL where it is not plain."""
    cdef size_t name_bytes
    cdef int field
    at = skip_space(at, end)
    if at == end or at[0] != c'"':
        return NULL
    field = field_at(at + 1, end - at - 1, &name_bytes)
    if field == NO_FIELD or not first_time(found, field):
        return NULL
    at += 1 + name_bytes
    if at == end or at[0] != c'"':
        return NULL
    at = skip_space(at + 1, end)
    if at == end or at[0] != c':':
        return NULL
    at = json_value(skip_space(at + 1, end), end, channels, field, found)
    return skip_space(at, end) if at != NULL else NULL


cdef uint16_t decode_json(
    const uint8_t *value, int64_t value_bytes, const channel_table *channels, packed_event *event
) noexcept nogil:
    """Decode a flat JSON event, as decode_event does."""
    cdef const uint8_t *end = value + value_bytes
    cdef const uint8_t *at = skip_space(value, end)
    cdef text_event found
    if value_bytes > MAX_EVENT_BYTES or at == end or at[0] != c'{':
        return DECODE_SLOW
    begin_text_event(&found, event)
    while True:
        at = json_member(at + 1, end, channels, &found)
        if at == NULL or at == end:
            return DECODE_SLOW
        if at[0] == c'}':
            break
        if at[0] != c',':
            return DECODE_SLOW
    if skip_space(at + 1, end) != end:
        return DECODE_SLOW
    return finish_text_event(&found, channels)
