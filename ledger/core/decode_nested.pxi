# Events of any type in JSON and MessagePack, right or wrong, without a Python object. Owns their reading; nested_fields.pxi says
# what they consist of, decode_values.pxi reads the values, and decode_text.pxi has the numbers that texts stand for.
#
# What is wrong is noted in value_reader.problems, and the event refused at its end for what comes first among the codes.


cdef struct nested_object:
    const field_place *places
    packed_event *event     # NULL in a leg and in a name
    packed_leg *leg
    uint32_t named          # a bit for each field
    uint32_t given          # the same, where it is not null
    bint is_below           # a number of it is below zero,
    bint is_above           # or takes more bytes than its place has
    text_slice serial       # its form is known only once the channel is
    text_slice terminal     # as the serial


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
    value_reader *reader, nested_object *found, const field_place *place, const text_slice *given
) noexcept nogil:
    """Put the text of a field, or the number that it stands for, in its place; False where it stands for none."""
    cdef uint64_t number
    if place.read_as == READ_SERIAL:
        found.serial = given[0]
        return True
    if place.read_as == READ_TERMINAL:
        found.terminal = given[0]
        return True
    if place.read_as == READ_REASON:
        reader.note.reason = given[0]
        return True
    if place.read_as == READ_ACCOUNT:
        return account_text(place_in(found, place), given.text, given.count)
    if place.read_as == READ_HOUSEHOLD:
        return take_household(found.event, given.text, given.count)
    if place.read_as == READ_EVENT_TYPE:
        number = word_of(given.text, given.count).event_type
    elif place.read_as == READ_CHANNEL:
        number = channel_by_name(reader.channels, <const char *>given.text, given.count)
    elif place.read_as == READ_DATE:
        number = text_to_date(given.text, given.count)
    elif place.read_as == READ_PERIOD:
        number = text_to_period(given.text, given.count)
    else:
        number = digits_to_number(given.text, given.count)
    memcpy(place_in(found, place), &number, place.bytes)
    return number != 0


cdef void read_number_field(value_reader *reader, nested_object *found, const field_place *place) noexcept nogil:
    cdef read_number number
    takes_number(reader, &number)
    if not number.is_integer:
        note_problem(reader, OUTCOME_FIELD_TYPE_WRONG)
    elif number.is_negative and (number.magnitude or number.is_beyond):
        found.is_below = True
    elif number.is_beyond or (place.bytes < 8 and number.magnitude >> 8 * place.bytes):
        found.is_above = True
    else:
        memcpy(place_in(found, place), &number.magnitude, place.bytes)


cdef void read_texts(value_reader *reader, nested_object *found, const field_place *place) noexcept nogil:
    """Read a list of texts: persons, or flags of a leg or of an account."""
    cdef open_container elements
    cdef const known_word *word
    cdef text_slice text
    cdef uint16_t flag
    begin_container(reader, &elements)
    while has_another(reader, &elements):
        if next_kind(reader) != VALUE_TEXT:
            note_problem(reader, OUTCOME_FIELD_TYPE_WRONG)
            skip_value(reader)
        elif not takes_text(reader, &text, True):
            break
        elif place.read_as == READ_PERSONS:
            if reader.note.person_count < MAX_PERSONS:
                reader.note.persons[reader.note.person_count] = text
            reader.note.person_count += 1
        else:
            word = word_of(text.text, text.count)
            flag = word.leg_flag if place.read_as == READ_LEG_FLAGS else word.account_flag
            found.leg.flags |= flag if flag else <uint16_t>UNKNOWN_FLAG


cdef inline void read_value(value_reader *reader, nested_object *found, const field_place *place) noexcept nogil:
    """Read the value of a field where it is of the right kind."""
    cdef text_slice text
    if place.kind == VALUE_TEXT:
        if takes_text(reader, &text, True) and not text_is_right(reader, found, place, &text):
            note_problem(reader, place.problem)
    elif place.kind == VALUE_NUMBER:
        read_number_field(reader, found, place)
    elif place.read_as == READ_HOLD or place.read_as == READ_ORIGINAL:
        read_key(reader, found.leg, SHAPE_HOLD if place.read_as == READ_HOLD else SHAPE_ORIGINAL)
    elif place.read_as == READ_LEGS:
        read_legs(reader)
    else:
        read_texts(reader, found, place)


cdef inline void read_field(value_reader *reader, nested_object *found, uint8_t field) noexcept nogil:
    """Read what stands behind the name of a field that the object has not shown yet."""
    cdef const field_place *place = &found.places[field]
    cdef int kind = next_kind(reader)
    found.named |= <uint32_t>1 << field
    if kind == VALUE_NULL:
        skip_value(reader)
        return
    found.given |= <uint32_t>1 << field
    if kind == place.kind:
        read_value(reader, found, place)
    else:
        note_problem(reader, OUTCOME_FIELD_TYPE_WRONG)
        skip_value(reader)


cdef void read_members(value_reader *reader, nested_object *found) noexcept nogil:
    cdef uint32_t names_before = reader.unknown_count
    cdef open_container members
    cdef text_slice name
    cdef uint8_t field
    begin_container(reader, &members)
    while has_another(reader, &members):
        if not takes_name(reader, &name):
            break
        field = word_of(name.text, name.count).field
        if found.places[field].read_as == READ_NOTHING:
            note_problem(reader, OUTCOME_FIELD_UNKNOWN)
            note_unknown_name(reader, names_before, &name)
            skip_value(reader)
        elif found.named >> field & 1:
            reader.has_doubled_name = True
            skip_value(reader)
        else:
            read_field(reader, found, field)
    reader.unknown_count = names_before


cdef void read_elements(value_reader *reader, nested_object *found) noexcept nogil:
    """Read an event that is a MessagePack array: its type, then the fields of the type in their order."""
    cdef open_container elements
    cdef uint8_t field
    cdef uint32_t at = 0
    begin_container(reader, &elements)
    while has_another(reader, &elements):
        field = NESTED.shapes[found.event.event_type].fields[at] if at < MAX_FIELDS_OF_ONE else 0
        at += 1
        if field:
            read_field(reader, found, field)
        else:
            note_problem(reader, OUTCOME_FIELD_UNKNOWN)
            skip_value(reader)


cdef inline void begin_object(nested_object *found, int kind, packed_event *event, packed_leg *leg) noexcept nogil:
    memset(found, 0, sizeof(nested_object))
    found.places = NESTED.places[kind]
    found.event = event
    found.leg = leg


cdef inline void check_shape(value_reader *reader, const nested_object *found, int shape) noexcept nogil:
    cdef uint32_t required = NESTED.shapes[shape].required
    reader.problems |= bit_if(found.named & ~NESTED.shapes[shape].allowed != 0, OUTCOME_FIELD_UNKNOWN)
    reader.problems |= bit_if(required & ~found.named != 0, OUTCOME_FIELD_MISSING)
    reader.problems |= bit_if(required & found.named & ~found.given != 0, OUTCOME_FIELD_TYPE_WRONG)


cdef inline bint takes_serial(
    const value_reader *reader, const nested_object *found, uint16_t channel, uint8_t *serial
) noexcept nogil:
    return take_serial(serial, reader.channels.profiles[channel].serial_form, found.serial.text, found.serial.count)


cdef void read_key(value_reader *reader, packed_leg *leg, int shape) noexcept nogil:
    """Read what names a hold, or an event."""
    cdef nested_object found
    begin_object(&found, OBJECT_NAME, NULL, leg)
    read_members(reader, &found)
    check_shape(reader, &found, shape)
    if found.is_below or found.is_above or not takes_serial(reader, &found, leg.pending_channel, leg.pending_serial):
        note_problem(reader, OUTCOME_LEG_FIELD_MALFORMED)


cdef void read_leg_object(value_reader *reader, packed_leg *leg) noexcept nogil:
    cdef nested_object found
    memset(leg, 0, sizeof(packed_leg))
    leg.book = 1
    leg.amount_fen = ALL_ONES
    begin_object(&found, OBJECT_LEG, NULL, leg)
    read_members(reader, &found)
    check_shape(reader, &found, SHAPE_LEG)
    if not (found.given & NESTED.amount_bit or leg.flags & NESTED.amount_optional):
        note_problem(reader, OUTCOME_FIELD_MISSING)
    if found.is_below or found.is_above:
        note_problem(reader, OUTCOME_LEG_FIELD_MALFORMED)


cdef void read_legs(value_reader *reader) noexcept nogil:
    """Read the legs of a transfer; those that are too many over the last one, since their faults count as well."""
    cdef open_container elements
    begin_container(reader, &elements)
    while has_another(reader, &elements):
        if next_kind(reader) == VALUE_OBJECT:
            read_leg_object(reader, &reader.legs[min(reader.leg_count, <uint32_t>(MAX_LEGS - 1))])
        else:
            note_problem(reader, OUTCOME_FIELD_TYPE_WRONG)
            skip_value(reader)
        reader.leg_count += 1


cdef uint16_t finish_legs(value_reader *reader, const nested_object *found) noexcept nogil:
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
    reader.problems |= bit_if(found.is_below or found.is_above, OUTCOME_LEG_FIELD_MALFORMED)
    return judge_ledger_event(event, reader.legs, reader.channels, reader.problems)


cdef uint16_t finish_adjustment(value_reader *reader, const nested_object *found) noexcept nogil:
    """Judge an adjustment, and write its note behind the leg that moves the amount."""
    cdef packed_event *event = found.event
    cdef uint16_t code
    reader.problems |= bit_if(found.is_below, OUTCOME_AMOUNT_NOT_POSITIVE)
    if found.is_above:
        found.leg.amount_fen = ALL_ONES
    code = judge_adjustment(event, reader.legs, reader.channels, &reader.note, reader.problems)
    if code == OUTCOME_APPLIED:
        event.detail = 1 + pack_note(&reader.note, &reader.legs[1])
    return code


cdef uint16_t finish_without_legs(value_reader *reader, const nested_object *found) noexcept nogil:
    """Judge an event of a household or a float; its amount was read as that of a leg."""
    cdef packed_event *event = found.event
    cdef const channel_profile *profile = &reader.channels.profiles[event.channel]
    cdef bint is_too_great = found.is_above or found.leg.amount_fen >> 63
    event.amount_fen = <int64_t>(found.leg.amount_fen & ALL_ONES >> 1)
    if found.terminal.text != NULL:
        event.terminal = terminal_by_name(profile, found.terminal.text, found.terminal.count)
    reader.problems |= bit_if(found.is_below, OUTCOME_AMOUNT_NOT_POSITIVE) | bit_if(is_too_great, OUTCOME_AMOUNT_TOO_GREAT)
    if is_too_great:
        event.amount_fen |= 1
    reader.problems |= packed_problems(event, profile)
    return refuse_packed(event, profile, reader.problems) if reader.problems else 0


cdef uint16_t finish_event(value_reader *reader, nested_object *found) noexcept nogil:
    """Refuse what was read to its end, or fill what follows from other fields and judge it."""
    cdef packed_event *event = found.event
    if reader.has_doubled_name:
        memset(event, 0, sizeof(packed_event))
        return OUTCOME_FIELD_DUPLICATED
    check_shape(reader, found, event.event_type)
    reader.problems |= bit_if(not takes_serial(reader, found, event.channel, event.serial), OUTCOME_SERIAL_MALFORMED)
    if reader.problems & NOT_OF_ITS_TYPE:
        return refuse_packed(event, &reader.channels.profiles[event.channel], reader.problems)
    if not found.given & NESTED.value_date_bit:
        event.value_date = event.business_date
    if event.event_type == EVENT_TYPE_ADJUST:
        return finish_adjustment(reader, found)
    return finish_legs(reader, found) if has_legs(event.event_type) else finish_without_legs(reader, found)


cdef uint16_t decode_nested(
    const uint8_t *value, int64_t value_bytes, const channel_table *channels, packed_event *event, packed_leg *legs
) noexcept nogil:
    """Decode a value of at least one byte that is not packed, as decode_with_legs does."""
    cdef value_reader reader
    cdef nested_object found
    cdef const uint8_t *first = skip_space(value, value + value_bytes)
    memset(event, 0, sizeof(packed_event))
    memset(legs, 0, sizeof(packed_leg))
    begin_reader(&reader, value, value_bytes)
    reader.channels, reader.legs = channels, legs
    reader.is_msgpack = value[0] & 0xE0 == 0x80 or 0xDC <= value[0] <= 0xDF
    if not reader.is_msgpack and (first == reader.end or first[0] != c'{'):
        return OUTCOME_ENCODING_UNKNOWN
    if value_bytes > MAX_NESTED_EVENT_BYTES:
        malformed(&reader)
    else:
        event.version = PACKED_EVENT_VERSION
        begin_object(&found, OBJECT_EVENT, event, legs)
        if next_kind(&reader) == VALUE_LIST:
            read_elements(&reader, &found)
        else:
            read_members(&reader, &found)
        if not reader.is_msgpack:
            reader.at = skip_space(reader.at, reader.end)
        if reader.at != reader.end:
            malformed(&reader)
    if not reader.stopped:
        return finish_event(&reader, &found)
    memset(event, 0, sizeof(packed_event))
    return reader.stopped
