# UTF-8 as Python reads it, and the escapes of JSON. Owns nothing; uses decode_text.pxi for words and hexadecimal digits.


cdef inline const uint8_t *character_end(const uint8_t *at, const uint8_t *end) noexcept nogil:
    """Return where the character ends that begins here; NULL where it is none, a surrogate, longer than needed, or cut off."""
    cdef uint8_t first = at[0], least = 0x80, greatest = 0xBF
    cdef int more, step
    if first < 0x80:
        return at + 1
    if not 0xC2 <= first <= 0xF4:
        return NULL
    more = 1 + (first >= 0xE0) + (first >= 0xF0)
    if first == 0xE0:
        least = 0xA0
    elif first == 0xED:
        greatest = 0x9F
    elif first == 0xF0:
        least = 0x90
    elif first == 0xF4:
        greatest = 0x8F
    if end - at <= more or not least <= at[1] <= greatest:
        return NULL
    for step in range(2, more + 1):
        if at[step] & 0xC0 != 0x80:
            return NULL
    return at + more + 1


cdef bint is_utf8(const uint8_t *text, size_t count) noexcept nogil:
    cdef const uint8_t *at = text
    cdef const uint8_t *end = text + count
    while at != NULL and at < end:
        if end - at >= 8 and load_word(at) & TOP_BITS == 0:
            at += 8
        else:
            at = character_end(at, end)
    return at != NULL


cdef inline uint8_t *put_utf8(uint8_t *to, uint32_t character) noexcept nogil:
    """Write a character; return where it ends."""
    cdef int more = (character >= 0x80) + (character >= 0x800) + (character >= 0x10000)
    cdef int step
    if more == 0:
        to[0] = <uint8_t>character
        return to + 1
    to[0] = <uint8_t>(0xFF00 >> (more + 1) | character >> 6 * more)
    for step in range(1, more + 1):
        to[step] = <uint8_t>(0x80 | (character >> 6 * (more - step) & 0x3F))
    return to + more + 1


cdef inline int four_hex_digits(const uint8_t *at, const uint8_t *end) noexcept nogil:
    """Return what the digits of \\uXXXX write, which begins here; -1 where there is no such escape."""
    cdef int number = 0, step, digit
    if end - at < 6 or at[0] != c'\\' or at[1] != c'u':
        return -1
    for step in range(2, 6):
        digit = hex_digit(at[step])
        if digit < 0:
            return -1
        number = number << 4 | digit
    return number


cdef const uint8_t *escape_end(const uint8_t *at, const uint8_t *end, uint32_t *character) noexcept nogil:
    """Read an escape, two where they write the halves of one character; return where it ends, NULL where it is none."""
    cdef const char *signs = b'"\\/bfnrt'
    cdef const char *written = b'"\\/\b\f\n\r\t'
    cdef int number, low, place
    if end - at < 2:
        return NULL
    if at[1] != c'u':
        for place in range(8):
            if at[1] == <uint8_t>signs[place]:
                character[0] = <uint8_t>written[place]
                return at + 2
        return NULL
    number = four_hex_digits(at, end)
    if number < 0 or number & 0xFC00 == 0xDC00:
        return NULL
    character[0] = <uint32_t>number
    if number & 0xFC00 != 0xD800:
        return at + 6
    low = four_hex_digits(at + 6, end)
    if low < 0 or low & 0xFC00 != 0xDC00:
        return NULL
    character[0] = <uint32_t>(0x10000 + ((number & 0x3FF) << 10 | (low & 0x3FF)))
    return at + 12
