# Ledger events, top-ups and floats in JSON and MessagePack, without a Python object. Owns their reading; nested_fields.pxi says
# what they consist of, and decode_text.pxi, decode_json.pxi and decode_msgpack.pxi read the parts that all events have.
#
# Takes only what is plain and right: no escapes, known names once each, values in their range. The rest is DECODE_SLOW. How deep
# a value nests is bounded by NESTED.places: legs stand in events, names in both, nothing in names.

cdef enum:
    MAX_NESTED_EVENT_BYTES = 262144  # as in ledger.nested_values: what is longer is malformed


cdef struct value_reader:
    const uint8_t *at
    const uint8_t *end
    const channel_table *channels
    packed_leg *legs
    uint32_t leg_count      # of a transfer
    bint is_msgpack
    bint is_plain           # False once something was not; nothing is left to read then

cdef struct open_container:
    uint32_t left           # MessagePack: how many members or elements are to come
    uint8_t close           # JSON: the bracket that ends it
    bint is_begun

cdef struct nested_object:
    const field_place *places
    packed_event *event     # NULL in a leg and in a name
    packed_leg *leg
    uint32_t named          # a bit for each field
    uint32_t given          # the same, where it is not null
    const uint8_t *serial   # its form is known only once the channel is
    size_t serial_bytes
    const uint8_t *terminal  # as the serial
    size_t terminal_bytes


cdef inline bint give_up(value_reader *reader) noexcept nogil:
    """Leave the value to the slow path; return False."""
    reader.is_plain = False
    reader.at = reader.end
    return False


cdef inline bint takes_sign(value_reader *reader, uint8_t sign) noexcept nogil:
    """Step over a sign of JSON and the space before it; False where another one stands there."""
    reader.at = skip_space(reader.at, reader.end)
    if reader.at == reader.end or reader.at[0] != sign:
        return False
    reader.at += 1
    return True


cdef inline bint takes_null(value_reader *reader) noexcept nogil:
    if reader.is_msgpack:
        if reader.at == reader.end or reader.at[0] != 0xC0:
            return False
        reader.at += 1
        return True
    reader.at = skip_space(reader.at, reader.end)
    if not name_is(reader.at, reader.end - reader.at, b"null", 4):
        return False
    reader.at += 4
    return True


cdef inline bint takes_text(value_reader *reader, const uint8_t **text, size_t *count) noexcept nogil:
    """Find a text; where there is none, what its place and length are is undefined."""
    cdef const uint8_t *close
    if reader.is_msgpack:
        close = msgpack_text(reader.at, reader.end, text, count)
        if close == NULL:
            return give_up(reader)
        reader.at = close
        return True
    if not takes_sign(reader, c'"'):
        return give_up(reader)
    close = plain_text_end(reader.at, reader.end)
    if close == NULL:
        return give_up(reader)
    text[0] = reader.at
    count[0] = close - reader.at
    reader.at = close + 1
    return True


cdef inline const uint8_t *json_unsigned(const uint8_t *at, const uint8_t *end, uint64_t *number) noexcept nogil:
    """Read an integer of 64 bits without sign or leading zeros; return where it ends, NULL where there is none."""
    cdef const uint8_t *first = at
    cdef uint64_t digit
    number[0] = 0
    while at < end and c'0' <= at[0] <= c'9':
        digit = at[0] - c'0'
        if number[0] > (ALL_ONES - digit) // 10:
            return NULL
        number[0] = number[0] * 10 + digit
        at += 1
    if at == first or (first[0] == c'0' and at - first > 1):
        return NULL
    return at


cdef inline bint takes_number(value_reader *reader, uint8_t *to, uint8_t bytes_) noexcept nogil:
    """Put an integer where it fits into so many bytes."""
    cdef uint64_t number = 0
    cdef const uint8_t *after
    if reader.is_msgpack:
        after = msgpack_unsigned(reader.at, reader.end, &number)
    else:
        after = json_unsigned(skip_space(reader.at, reader.end), reader.end, &number)
    if after == NULL or (bytes_ < 8 and number >> 8 * bytes_):
        return give_up(reader)
    reader.at = after
    memcpy(to, &number, bytes_)
    return True


cdef inline void begin_container(value_reader *reader, open_container *container, bint is_map) noexcept nogil:
    container.is_begun = False
    container.left = 0
    container.close = c'}' if is_map else c']'
    if not reader.is_msgpack:
        if not takes_sign(reader, c'{' if is_map else c'['):
            give_up(reader)
    elif reader.at < reader.end and reader.at[0] & 0xF0 == (0x80 if is_map else 0x90):
        container.left = reader.at[0] & 0x0F
        reader.at += 1
    elif not is_map and reader.end - reader.at >= 3 and reader.at[0] == 0xDC:  # array 16
        container.left = <uint32_t>load_big_endian(reader.at + 1, 2)
        reader.at += 3
    else:
        give_up(reader)


cdef inline bint has_another(value_reader *reader, open_container *container) noexcept nogil:
    """Step to the next member or element; False behind the last, and where what follows is not plain."""
    if not reader.is_plain:
        return False
    if reader.is_msgpack:
        if container.left == 0:
            return False
        container.left -= 1
        return True
    if takes_sign(reader, container.close):
        return False
    if container.is_begun and not takes_sign(reader, c','):
        return give_up(reader)
    container.is_begun = True
    return True


cdef inline bint account_text(uint8_t *account, const uint8_t *text, size_t count) noexcept nogil:
    """Write the id of kind:number, zero for no text; False for other text."""
    cdef size_t kind_bytes = 0, at
    cdef wide_int number = 0
    memset(account, 0, 16)
    if count == 0:
        return True
    while kind_bytes < count and text[kind_bytes] != c':':
        kind_bytes += 1
    if not kind_bytes + 1 < count <= kind_bytes + 1 + MAX_ACCOUNT_DIGITS:
        return False
    for at in range(kind_bytes + 1, count):
        if not c'0' <= text[at] <= c'9':
            return False
        number = number * 10 + (text[at] - c'0')
    memcpy(account, &number, 14)
    account[14] = <uint8_t>(count - kind_bytes - 1)
    account[15] = word_of(text, kind_bytes).account_kind
    return account[15] != 0


cdef inline uint8_t *place_in(const nested_object *found, const field_place *place) noexcept nogil:
    return (<uint8_t *>found.leg if place.in_leg else <uint8_t *>found.event) + place.offset


cdef inline bint text_is_right(
    const value_reader *reader, nested_object *found, const field_place *place, const uint8_t *text, size_t count
) noexcept nogil:
    """Put the text of a field, or the number that it stands for, in its place; False where it stands for none."""
    cdef uint64_t number
    if place.read_as == READ_SERIAL:
        found.serial = text
        found.serial_bytes = count
        return True
    if place.read_as == READ_TERMINAL:
        found.terminal = text
        found.terminal_bytes = count
        return True
    if place.read_as == READ_ACCOUNT:
        return account_text(place_in(found, place), text, count)
    if place.read_as == READ_HOUSEHOLD:
        return take_household(found.event, text, count)
    if place.read_as == READ_EVENT_TYPE:
        number = word_of(text, count).event_type
    elif place.read_as == READ_CHANNEL:
        number = channel_by_name(reader.channels, <const char *>text, count)
    elif place.read_as == READ_DATE:
        number = text_to_date(text, count)
    else:
        number = digits_to_number(text, count)
    memcpy(place_in(found, place), &number, place.bytes)
    return number != 0


cdef void read_flags(value_reader *reader, uint16_t *flags, bint of_leg) noexcept nogil:
    cdef open_container names
    cdef const known_word *word
    cdef const uint8_t *text
    cdef size_t count
    cdef uint16_t flag
    begin_container(reader, &names, False)
    while has_another(reader, &names):
        word = word_of(text, count) if takes_text(reader, &text, &count) else &NESTED.words[0]
        flag = word.leg_flag if of_leg else word.account_flag
        flags[0] |= flag
        if flag == 0:
            give_up(reader)


cdef void read_field(value_reader *reader, nested_object *found, uint8_t field) noexcept nogil:
    """Read the value of a field; 0 for a name that no field has."""
    cdef const field_place *place = &found.places[field]
    cdef uint32_t bit = <uint32_t>1 << field
    cdef const uint8_t *text
    cdef size_t count
    if place.read_as == READ_NOTHING or found.named & bit:
        give_up(reader)
        return
    found.named |= bit
    if takes_null(reader):
        return
    found.given |= bit
    if place.read_as == READ_NUMBER:
        takes_number(reader, place_in(found, place), place.bytes)
    elif place.read_as == READ_ACCOUNT_FLAGS or place.read_as == READ_LEG_FLAGS:
        read_flags(reader, &found.leg.flags, place.read_as == READ_LEG_FLAGS)
    elif place.read_as == READ_HOLD or place.read_as == READ_ORIGINAL:
        read_name(reader, found.leg, SHAPE_HOLD if place.read_as == READ_HOLD else SHAPE_ORIGINAL)
    elif place.read_as == READ_LEGS:
        read_legs(reader)
    elif not takes_text(reader, &text, &count) or not text_is_right(reader, found, place, text, count):
        give_up(reader)


cdef void read_members(value_reader *reader, nested_object *found) noexcept nogil:
    cdef open_container members
    cdef const uint8_t *text
    cdef size_t count
    begin_container(reader, &members, True)
    while has_another(reader, &members):
        if takes_text(reader, &text, &count) and (reader.is_msgpack or takes_sign(reader, c':')):
            read_field(reader, found, word_of(text, count).field)
        else:
            give_up(reader)


cdef void read_elements(value_reader *reader, nested_object *found) noexcept nogil:
    """Read an event that is a MessagePack array: its type, then the fields of the type in their order."""
    cdef open_container elements
    cdef int at = 0
    begin_container(reader, &elements, False)
    while has_another(reader, &elements):
        read_field(reader, found, NESTED.shapes[found.event.event_type].fields[at])
        at += 1


cdef inline void begin_object(nested_object *found, int kind, packed_event *event, packed_leg *leg) noexcept nogil:
    memset(found, 0, sizeof(nested_object))
    found.places = NESTED.places[kind]
    found.event = event
    found.leg = leg


cdef inline bint is_of_shape(const nested_object *found, int shape) noexcept nogil:
    return found.named & ~NESTED.shapes[shape].allowed == 0 and NESTED.shapes[shape].required & ~found.given == 0


cdef inline bint takes_serial(
    const value_reader *reader, const nested_object *found, uint16_t channel, uint8_t *serial
) noexcept nogil:
    return take_serial(serial, reader.channels.profiles[channel].serial_form, found.serial, found.serial_bytes)


cdef void read_name(value_reader *reader, packed_leg *leg, int shape) noexcept nogil:
    """Read what names a hold, or an event to reverse."""
    cdef nested_object found
    begin_object(&found, OBJECT_NAME, NULL, leg)
    read_members(reader, &found)
    if not reader.is_plain or not is_of_shape(&found, shape):
        give_up(reader)
    elif not takes_serial(reader, &found, leg.pending_channel, leg.pending_serial):
        give_up(reader)


cdef void read_leg_object(value_reader *reader, packed_leg *leg) noexcept nogil:
    cdef nested_object found
    memset(leg, 0, sizeof(packed_leg))
    leg.book = 1
    leg.amount_fen = ALL_ONES
    begin_object(&found, OBJECT_LEG, NULL, leg)
    read_members(reader, &found)
    if not is_of_shape(&found, SHAPE_LEG) or not (found.given & NESTED.amount_bit or leg.flags & NESTED.amount_optional):
        give_up(reader)


cdef void read_legs(value_reader *reader) noexcept nogil:
    cdef open_container elements
    begin_container(reader, &elements, False)
    while has_another(reader, &elements):
        if reader.leg_count == MAX_LEGS:
            give_up(reader)
            return
        read_leg_object(reader, &reader.legs[reader.leg_count])
        reader.leg_count += 1


cdef uint16_t finish_legs(const value_reader *reader, const nested_object *found) noexcept nogil:
    """Fill what a ledger event leaves out, and judge it."""
    cdef packed_event *event = found.event
    cdef packed_leg *leg = found.leg
    event.detail = reader.leg_count if event.event_type == EVENT_TYPE_TRANSFER else event.event_type != EVENT_TYPE_CLOCK
    if event.event_type == EVENT_TYPE_POST:
        leg.flags = LEG_POST_PENDING
        if not found.given & NESTED.amount_bit:
            leg.amount_fen = ALL_ONES
    elif event.event_type == EVENT_TYPE_VOID:
        leg.flags = LEG_VOID_PENDING
    elif event.event_type == EVENT_TYPE_OPEN_ACCOUNT and not found.given & NESTED.book_bit:
        leg.book = 1
    return judge_ledger_event(event, reader.legs, reader.channels)


cdef uint16_t finish_funds(const value_reader *reader, const nested_object *found) noexcept nogil:
    """Judge a top-up or an event of a float; its amount was read as that of a leg."""
    cdef packed_event *event = found.event
    cdef const channel_profile *profile = &reader.channels.profiles[event.channel]
    cdef uint64_t problems
    event.amount_fen = <int64_t>found.leg.amount_fen
    if found.terminal != NULL:
        event.terminal = terminal_by_name(profile, found.terminal, found.terminal_bytes)
    if event.amount_fen < 0 or event.terminal == UNKNOWN_TERMINAL:
        return DECODE_SLOW
    problems = packed_problems(event, profile)
    return refuse_packed(event, profile, problems) if problems else 0


cdef uint16_t decode_nested(
    const uint8_t *value, int64_t value_bytes, const channel_table *channels, packed_event *event, packed_leg *legs
) noexcept nogil:
    """Decode a value of at least one byte, as decode_with_legs does."""
    cdef value_reader reader
    cdef nested_object found
    if value_bytes > MAX_NESTED_EVENT_BYTES:
        return DECODE_SLOW
    memset(event, 0, sizeof(packed_event))
    memset(legs, 0, sizeof(packed_leg))
    memset(&reader, 0, sizeof(value_reader))
    event.version = PACKED_EVENT_VERSION
    reader.at, reader.end = value, value + value_bytes
    reader.channels, reader.legs = channels, legs
    reader.is_msgpack = value[0] & 0xE0 == 0x80
    reader.is_plain = True
    begin_object(&found, OBJECT_EVENT, event, legs)
    if value[0] & 0xF0 == 0x90:
        read_elements(&reader, &found)
    else:
        read_members(&reader, &found)
    if not reader.is_msgpack:
        reader.at = skip_space(reader.at, reader.end)
    if not reader.is_plain or reader.at != reader.end or not is_of_shape(&found, event.event_type):
        return DECODE_SLOW
    if not takes_serial(&reader, &found, event.channel, event.serial):
        return DECODE_SLOW
    if event.value_date == 0:
        event.value_date = event.business_date
    return finish_legs(&reader, &found) if has_legs(event.event_type) else finish_funds(&reader, &found)
