# Flat MessagePack maps and arrays without a Python object. Owns their reading; uses decode_text.pxi for the fields.
#
# Takes only what is plain: at most 15 members, short strings, the fields of the event type once each. The rest is DECODE_SLOW.


cdef inline uint64_t load_big_endian(const uint8_t *at, int count) noexcept nogil:
    cdef uint64_t number = 0
    cdef int index
    for index in range(count):
        number = number << 8 | at[index]
    return number


cdef inline const uint8_t *msgpack_text(
    const uint8_t *at, const uint8_t *end, const uint8_t **text, size_t *count
) noexcept nogil:
    """Find a string of at most 255 bytes; return where it ends, NULL where there is none."""
    if end - at >= 1 and at[0] & 0xE0 == 0xA0:  # fixstr
        count[0] = at[0] & 0x1F
        text[0] = at + 1
    elif end - at >= 2 and at[0] == 0xD9:  # str 8
        count[0] = at[1]
        text[0] = at + 2
    else:
        return NULL
    return text[0] + count[0] if count[0] <= <size_t> (end - text[0]) else NULL


cdef inline const uint8_t *msgpack_unsigned(const uint8_t *at, const uint8_t *end, uint64_t *number) noexcept nogil:
    """Read an unsigned integer; return where it ends, NULL where there is none."""
    cdef int width
    if at == end:
        return NULL
    number[0] = at[0]
    if at[0] <= 0x7F:  # fixint
        return at + 1
    if not 0xCC <= at[0] <= 0xCF:  # uint 8 to 64
        return NULL
    width = 1 << (at[0] - 0xCC)
    if end - at <= width:
        return NULL
    number[0] = load_big_endian(at + 1, width)
    return at + 1 + width


cdef inline const uint8_t *msgpack_amount(const uint8_t *at, const uint8_t *end, text_event *found) noexcept nogil:
    """Take a positive integer of 63 bits; return where it ends, NULL where there is none."""
    cdef uint64_t amount = 0
    cdef const uint8_t *after = msgpack_unsigned(at, end, &amount)
    found.event.amount_fen = <int64_t> amount
    return after if found.event.amount_fen > 0 else NULL


cdef inline const uint8_t *msgpack_value(
    const uint8_t *at, const uint8_t *end, const channel_table *channels, int field, text_event *found
) noexcept nogil:
    """Take the value of a field; return where it ends, NULL where it is not plain."""
    cdef const uint8_t *text
    cdef const uint8_t *value_end
    cdef size_t count
    if not first_time(found, field):
        return NULL
    if field == FIELD_AMOUNT_FEN:
        return msgpack_amount(at, end, found)
    if at < end and at[0] == 0xC0 and OPTIONAL_FIELDS >> field & 1:  # nil
        return at + 1
    value_end = msgpack_text(at, end, &text, &count)
    return value_end if value_end != NULL and take_text(found, channels, field, text, count) else NULL


cdef inline int msgpack_field(const uint8_t **at, const uint8_t *end) noexcept nogil:
    """Read the name of a field and step behind it; return NO_FIELD where it is none."""
    cdef const uint8_t *text
    cdef size_t count, name_bytes
    cdef int field
    at[0] = msgpack_text(at[0], end, &text, &count)
    if at[0] == NULL:
        return NO_FIELD
    field = field_at(text, count, &name_bytes)
    return field if name_bytes == count else NO_FIELD


cdef inline int field_of_index(int index, const packed_event *event) noexcept nogil:
    """Return the field at a place of an array: a bill has no outlet, a payment no period and no due date."""
    if event.event_type == EVENT_TYPE_BILL:
        index += index >= FIELD_OUTLET
        return index if index <= FIELD_DUE_DATE else NO_FIELD
    if index >= FIELD_PERIOD:
        index += 2
    return index if index < NO_FIELD else NO_FIELD


cdef uint16_t decode_msgpack(
    const uint8_t *value, int64_t value_bytes, const channel_table *channels, packed_event *event
) noexcept nogil:
    """Decode a value whose first byte is 0x80 to 0x9F, as decode_event does."""
    cdef const uint8_t *at = value + 1
    cdef const uint8_t *end = value + value_bytes
    cdef bint is_map = value[0] < 0x90
    cdef text_event found
    cdef int index, field
    if value_bytes > MAX_EVENT_BYTES:
        return DECODE_SLOW
    begin_text_event(&found, event)
    for index in range(value[0] & 0x0F):
        field = msgpack_field(&at, end) if is_map else field_of_index(index, event)
        if field == NO_FIELD:
            return DECODE_SLOW
        at = msgpack_value(at, end, channels, field, &found)
        if at == NULL:
            return DECODE_SLOW
    return finish_text_event(&found, channels) if at == end else DECODE_SLOW
