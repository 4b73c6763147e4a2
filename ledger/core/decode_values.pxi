# JSON and MessagePack values without a Python object: all that ledger.nested_values reads, and nothing else. Owns value_reader;
# decode_nested.pxi reads events with it.
#
# What is malformed is malformed here. Left to the slow path (DECODE_SLOW) is only what has more names that no field has, or more
# text behind escapes, than there is room for.

cdef enum:
    MAX_NESTED_EVENT_BYTES = 262144  # as in ledger.nested_values: what is longer is malformed, and
    MAX_DEPTH = 4                    # so is what nests deeper
    MAX_UNKNOWN_NAMES = 64
    MAX_RESOLVED_BYTES = 1024

    VALUE_MALFORMED = 0
    VALUE_NULL = 1
    VALUE_TEXT = 2
    VALUE_NUMBER = 3
    VALUE_LIST = 4
    VALUE_OBJECT = 5
    VALUE_OTHER = 6         # true and false; in MessagePack floats, bytes and extensions, too


cdef struct read_number:
    uint64_t magnitude      # where it is an integer of at most 64 bits and a sign
    bint is_negative
    bint is_beyond          # an integer of more bits
    bint is_integer

cdef struct open_container:
    uint32_t left           # MessagePack: how many members or elements are to come
    uint8_t close           # JSON: the bracket that ends it
    bint is_begun

cdef struct value_reader:
    const uint8_t *at
    const uint8_t *end
    const channel_table *channels
    packed_leg *legs
    uint32_t leg_count      # of a transfer
    note_texts note         # of an adjustment
    uint64_t problems       # a bit for each outcome code; RESERVED_FLAG_BIT for that one
    uint16_t stopped        # 0, or how the value ends: malformed or DECODE_SLOW. Nothing is left to read then
    bint is_msgpack
    bint has_doubled_name
    uint8_t depth
    uint32_t unknown_count
    uint32_t resolved_bytes
    text_slice unknown_names[MAX_UNKNOWN_NAMES]     # of the objects that are open
    uint8_t resolved[MAX_RESOLVED_BYTES]


cdef inline void begin_reader(value_reader *reader, const uint8_t *value, int64_t value_bytes) noexcept nogil:
    """Begin to read; what stands in the arrays is not looked at before it is written."""
    reader.at, reader.end = value, value + value_bytes
    reader.leg_count = 0
    reader.note.person_count = 0
    reader.note.reason.count = 0
    reader.problems = 0
    reader.stopped = 0
    reader.is_msgpack = reader.has_doubled_name = False
    reader.depth = 0
    reader.unknown_count = reader.resolved_bytes = 0


cdef inline bint stop_reading(value_reader *reader, uint16_t code) noexcept nogil:
    """Read nothing more; return False."""
    if reader.stopped == 0:
        reader.stopped = code
    reader.at = reader.end
    return False


cdef inline bint malformed(value_reader *reader) noexcept nogil:
    return stop_reading(reader, OUTCOME_MSGPACK_MALFORMED if reader.is_msgpack else OUTCOME_JSON_MALFORMED)


cdef inline void note_problem(value_reader *reader, int code) noexcept nogil:
    reader.problems |= <uint64_t>1 << code


cdef inline const uint8_t *takes_bytes(value_reader *reader, uint64_t count) noexcept nogil:
    """Step over so many bytes and return the first; NULL where there are fewer."""
    cdef const uint8_t *first = reader.at
    if <uint64_t>(reader.end - first) < count:
        malformed(reader)
        return NULL
    reader.at += count
    return first


cdef inline uint64_t takes_big_endian(value_reader *reader, int width) noexcept nogil:
    """Read a number of so many bytes; 0 where there are fewer."""
    cdef const uint8_t *first = takes_bytes(reader, width)
    return load_big_endian(first, width) if first != NULL else 0


cdef inline bint takes_sign(value_reader *reader, uint8_t sign) noexcept nogil:
    """Step over a sign of JSON and the space before it; False where another one stands there."""
    reader.at = skip_space(reader.at, reader.end)
    if reader.at == reader.end or reader.at[0] != sign:
        return False
    reader.at += 1
    return True


cdef int json_kind(value_reader *reader) noexcept nogil:
    cdef size_t left
    reader.at = skip_space(reader.at, reader.end)
    left = reader.end - reader.at
    if left == 0:
        malformed(reader)
        return VALUE_MALFORMED
    if reader.at[0] == c'"':
        return VALUE_TEXT
    if reader.at[0] == c'-' or c'0' <= reader.at[0] <= c'9':
        return VALUE_NUMBER
    if reader.at[0] == c'{':
        return VALUE_OBJECT
    if reader.at[0] == c'[':
        return VALUE_LIST
    if name_is(reader.at, left, b"null", 4):
        return VALUE_NULL
    if name_is(reader.at, left, b"true", 4) or name_is(reader.at, left, b"false", 5):
        return VALUE_OTHER
    malformed(reader)
    return VALUE_MALFORMED


cdef int msgpack_kind(value_reader *reader) noexcept nogil:
    cdef uint8_t first = reader.at[0] if reader.at < reader.end else 0xC1
    if first == 0xC1:  # no value begins with it
        malformed(reader)
        return VALUE_MALFORMED
    if first <= 0x7F or first >= 0xE0 or 0xCC <= first <= 0xD3:
        return VALUE_NUMBER
    if first <= 0x8F or first >= 0xDE:
        return VALUE_OBJECT
    if first <= 0x9F or first >= 0xDC:
        return VALUE_LIST
    if first <= 0xBF or first >= 0xD9:
        return VALUE_TEXT
    return VALUE_NULL if first == 0xC0 else VALUE_OTHER


cdef inline int next_kind(value_reader *reader) noexcept nogil:
    """Say what begins here, behind space. VALUE_MALFORMED: nothing can."""
    if reader.is_msgpack:
        return msgpack_kind(reader)
    if reader.at < reader.end and reader.at[0] == c'"':  # most values, without space before them
        return VALUE_TEXT
    return json_kind(reader)


cdef inline bint takes_text(value_reader *reader, text_slice *found, bint is_wanted) noexcept nogil:
    """Read a text that begins here. One that is not wanted may keep its escapes."""
    cdef const uint8_t *close
    if reader.is_msgpack:
        return takes_msgpack_text(reader, found)
    close = plain_text_end(reader.at + 1, reader.end)
    if close == NULL:
        return takes_unusual_text(reader, found, is_wanted)
    found.text = reader.at + 1
    found.count = close - found.text
    reader.at = close + 1
    return True


cdef bint takes_msgpack_text(value_reader *reader, text_slice *found) noexcept nogil:
    cdef uint8_t first = reader.at[0]
    reader.at += 1
    found.count = first & 0x1F if first < 0xC0 else takes_big_endian(reader, 1 << (first - 0xD9))
    found.text = takes_bytes(reader, found.count)
    if reader.stopped:
        return False
    return True if is_utf8(found.text, found.count) else malformed(reader)


cdef bint takes_unusual_text(value_reader *reader, text_slice *found, bint is_wanted) noexcept nogil:
    """Read a JSON string that has escapes, or text outside ASCII, or no end."""
    cdef const uint8_t *end = reader.end
    cdef const uint8_t *at = reader.at + 1
    cdef bint has_escapes = False
    cdef uint32_t character
    found.text = at
    while at < end and at[0] != c'"':
        if at[0] == c'\\':
            has_escapes = True
            at = escape_end(at, end, &character)
        elif at[0] < 0x20:
            at = NULL
        else:
            at = character_end(at, end)
        if at == NULL:
            return malformed(reader)
    if at == end:
        return malformed(reader)
    found.count = at - found.text
    reader.at = at + 1
    return resolve_escapes(reader, found) if has_escapes and is_wanted else True


cdef bint resolve_escapes(value_reader *reader, text_slice *found) noexcept nogil:
    """Write the text again, without its escapes: never longer than with them."""
    cdef const uint8_t *at = found.text
    cdef const uint8_t *end = at + found.count
    cdef uint8_t *first = reader.resolved + reader.resolved_bytes
    cdef uint8_t *to = first
    cdef uint32_t character
    if found.count > MAX_RESOLVED_BYTES - reader.resolved_bytes:
        return stop_reading(reader, DECODE_SLOW)
    while at < end:
        if at[0] == c'\\':
            at = escape_end(at, end, &character)
            to = put_utf8(to, character)
        else:
            to[0] = at[0]
            to += 1
            at += 1
    found.text = first
    found.count = to - first
    reader.resolved_bytes += <uint32_t>found.count
    return True


cdef void takes_json_number(value_reader *reader, read_number *found) noexcept nogil:
    cdef const uint8_t *end = reader.end
    cdef const uint8_t *at = reader.at
    cdef const uint8_t *first
    cdef uint64_t digit
    found.is_negative = at[0] == c'-'
    at += found.is_negative
    first = at
    while at < end and c'0' <= at[0] <= c'9':
        digit = at[0] - c'0'
        found.is_beyond |= found.magnitude > (ALL_ONES - digit) // 10
        found.magnitude = found.magnitude * 10 + digit
        at += 1
    if at == first or (first[0] == c'0' and at - first > 1):
        malformed(reader)
        return
    reader.at = at
    if at < end and at[0] == c'.':
        at += 1
        while at < end and c'0' <= at[0] <= c'9':
            at += 1
        if at - reader.at > 1:
            reader.at = at
            found.is_integer = False
    takes_exponent(reader, found)


cdef void takes_exponent(value_reader *reader, read_number *found) noexcept nogil:
    """Step over an exponent; where it has no digits, what is there of it makes the value malformed."""
    cdef const uint8_t *end = reader.end
    cdef const uint8_t *at = reader.at
    cdef const uint8_t *first
    if at == end or at[0] | 0x20 != c'e':
        return
    at += 1
    at += at < end and (at[0] == c'+' or at[0] == c'-')
    first = at
    while at < end and c'0' <= at[0] <= c'9':
        at += 1
    if at > first:
        reader.at = at
        found.is_integer = False


cdef void takes_msgpack_number(value_reader *reader, read_number *found) noexcept nogil:
    cdef uint8_t first = reader.at[0]
    cdef int width
    reader.at += 1
    if first <= 0x7F:  # fixint
        found.magnitude = first
    elif first >= 0xE0:
        found.magnitude = 0x100 - first
        found.is_negative = True
    else:  # uint and int 8 to 64
        width = 1 << (first & 3)
        found.magnitude = takes_big_endian(reader, width)
        found.is_negative = first >= 0xD0 and found.magnitude >> (8 * width - 1)


cdef inline void takes_number(value_reader *reader, read_number *found) noexcept nogil:
    """Read a number that begins here. Of a negative one the magnitude tells whether it is zero, and no more."""
    memset(found, 0, sizeof(read_number))
    found.is_integer = True
    if reader.is_msgpack:
        takes_msgpack_number(reader, found)
    else:
        takes_json_number(reader, found)


cdef inline void begin_container(value_reader *reader, open_container *container) noexcept nogil:
    """Step into an object or list that begins here."""
    cdef uint8_t first = reader.at[0]
    container.is_begun = False
    container.left = 0
    container.close = c'}' if first == c'{' else c']'
    if reader.depth == MAX_DEPTH:
        malformed(reader)
        return
    reader.depth += 1
    reader.at += 1
    if reader.is_msgpack:
        container.left = first & 0x0F if first < 0xA0 else <uint32_t>takes_big_endian(reader, 4 if first & 1 else 2)


cdef inline bint has_another(value_reader *reader, open_container *container) noexcept nogil:
    """Step to the next member or element; False behind the last, and where what follows is malformed."""
    if reader.stopped:
        return False
    if reader.is_msgpack:
        if container.left == 0:
            reader.depth -= 1
            return False
        container.left -= 1
        return True
    if takes_sign(reader, container.close):
        reader.depth -= 1
        return False
    if container.is_begun and not takes_sign(reader, c','):
        return malformed(reader)
    container.is_begun = True
    return True


cdef inline bint takes_name(value_reader *reader, text_slice *name) noexcept nogil:
    """Read the name of a member, up to its value."""
    if not reader.is_msgpack:
        reader.at = skip_space(reader.at, reader.end)
        if reader.at == reader.end or reader.at[0] != c'"':
            return malformed(reader)
    elif msgpack_kind(reader) != VALUE_TEXT:
        return malformed(reader)
    if not takes_text(reader, name, True):
        return False
    return reader.is_msgpack or takes_sign(reader, c':') or malformed(reader)


cdef void note_unknown_name(value_reader *reader, uint32_t names_before, const text_slice *name) noexcept nogil:
    """Remember a name that no field has, among those of its object, which come behind ``names_before`` others."""
    cdef const text_slice *other
    cdef uint32_t at
    for at in range(names_before, reader.unknown_count):
        other = &reader.unknown_names[at]
        if other.count == name.count and memcmp(other.text, name.text, name.count) == 0:
            reader.has_doubled_name = True
            return
    if reader.unknown_count == MAX_UNKNOWN_NAMES:
        stop_reading(reader, DECODE_SLOW)
        return
    reader.unknown_names[reader.unknown_count] = name[0]
    reader.unknown_count += 1


cdef void skip_members(value_reader *reader) noexcept nogil:
    cdef uint32_t names_before = reader.unknown_count
    cdef open_container members
    cdef text_slice name
    begin_container(reader, &members)
    while has_another(reader, &members):
        if takes_name(reader, &name):
            note_unknown_name(reader, names_before, &name)
            skip_value(reader)
    reader.unknown_count = names_before


cdef void skip_other(value_reader *reader) noexcept nogil:
    """Step over what is neither text, number, list nor object."""
    cdef uint8_t first = reader.at[0]
    reader.at += 1
    if not reader.is_msgpack:
        takes_bytes(reader, 4 if first == c'f' else 3)
    elif 0xC4 <= first <= 0xC6:  # bin 8, 16, 32
        takes_bytes(reader, takes_big_endian(reader, 1 << (first - 0xC4)))
    elif 0xC7 <= first <= 0xC9:  # ext 8, 16, 32
        takes_bytes(reader, takes_big_endian(reader, 1 << (first - 0xC7)) + 1)
    elif 0xCA <= first <= 0xCB:  # float 32, 64
        takes_bytes(reader, 4 if first == 0xCA else 8)
    elif 0xD4 <= first <= 0xD8:  # fixext
        takes_bytes(reader, (1 << (first - 0xD4)) + 1)


cdef void skip_value(value_reader *reader) noexcept nogil:
    """Step over a value of any kind, and see whether it is malformed or has a name twice."""
    cdef open_container elements
    cdef read_number number
    cdef text_slice text
    cdef int kind = next_kind(reader)
    if kind == VALUE_TEXT:
        takes_text(reader, &text, False)
    elif kind == VALUE_NUMBER:
        takes_number(reader, &number)
    elif kind == VALUE_OBJECT:
        skip_members(reader)
    elif kind == VALUE_LIST:
        begin_container(reader, &elements)
        while has_another(reader, &elements):
            skip_value(reader)
    elif kind != VALUE_MALFORMED:
        skip_other(reader)
