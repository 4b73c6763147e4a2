# What the fields of events are called, how their values are read and where these go. Owns NESTED, which is filled from
# ledger.event_shapes when the module is imported, and never again. decode_nested.pxi reads by it.

from ledger.account_ids import AccountKind as _AccountKind
from ledger.event_shapes import LEG_SHAPE as _LEG_SHAPE
from ledger.event_shapes import SHAPES as _SHAPES
from ledger.event_shapes import UNTYPED as _UNTYPED
from ledger.event_structs import AMOUNT_OPTIONAL as _AMOUNT_OPTIONAL
from ledger.packed_legs import AccountFlags as _AccountFlags
from ledger.packed_legs import LegFlags as _LegFlags

cdef enum:
    READ_NOTHING = 0  # the object has no such field
    READ_EVENT_TYPE = 1
    READ_CHANNEL = 2
    READ_DATE = 3
    READ_SERIAL = 4
    READ_HOUSEHOLD = 5
    READ_DIGITS = 6
    READ_TERMINAL = 7
    READ_ACCOUNT = 8
    READ_PERIOD = 9
    READ_REASON = 10
    READ_NUMBER = 11
    READ_ACCOUNT_FLAGS = 12
    READ_LEG_FLAGS = 13
    READ_PERSONS = 14
    READ_LEGS = 15
    READ_HOLD = 16
    READ_ORIGINAL = 17

    OBJECT_EVENT = 0
    OBJECT_LEG = 1
    OBJECT_NAME = 2  # of a hold, or of an event to reverse
    OBJECTS = 3

    SHAPE_UNTYPED = 0
    SHAPE_LEG = EVENT_TYPE_ADJUST + 1  # between them the shapes of event types, by their numbers
    SHAPE_HOLD = EVENT_TYPE_ADJUST + 2
    SHAPE_ORIGINAL = EVENT_TYPE_ADJUST + 3
    OBJECT_SHAPES = EVENT_TYPE_ADJUST + 4

    MAX_WORDS = 96
    MAX_FIELDS = 32         # a bit for each
    MAX_FIELDS_OF_ONE = 16
    UNKNOWN_FLAG = 0x8000   # what a name stands for that no flag has
    NOT_OF_ITS_TYPE = 0x0F << OUTCOME_EVENT_TYPE_UNKNOWN  # the problems of an event that has not the fields of its type


cdef struct known_word:  # what a word means at the places where it may stand; 0: nothing
    char name[CHANNEL_NAME_BYTES]
    uint8_t name_bytes
    uint8_t field
    uint8_t event_type
    uint8_t account_kind
    uint16_t leg_flag
    uint16_t account_flag

cdef struct field_place:
    uint8_t read_as         # READ_*
    uint8_t kind            # VALUE_*: what the value has to be
    uint8_t problem         # the code that a text deserves which is no such field
    bint in_leg             # in packed_leg, not in packed_event
    uint8_t offset
    uint8_t bytes

cdef struct object_shape:
    uint32_t allowed        # a bit for each field
    uint32_t required
    uint8_t fields[MAX_FIELDS_OF_ONE]  # in their order; 0 behind the last

cdef struct nested_fields:
    known_word words[MAX_WORDS]                 # the first means nothing
    uint8_t word_by_name[CHANNEL_NAME_SLOTS]    # open addressing; 0 empty
    field_place places[OBJECTS][MAX_FIELDS]
    object_shape shapes[OBJECT_SHAPES]
    uint32_t amount_bit     # of the field of that name, as the next two
    uint32_t book_bit
    uint32_t value_date_bit
    uint16_t amount_optional                    # the LEG_* with which a leg need not have an amount

cdef nested_fields NESTED


cdef inline const known_word *word_of(const uint8_t *text, size_t count) noexcept nogil:
    """Return what is known of a word; the word that means nothing where that is nothing."""
    cdef const known_word *word
    cdef uint64_t head, tail
    cdef size_t slot
    if not 0 < count <= CHANNEL_NAME_BYTES:
        return &NESTED.words[0]
    name_words(<const char *>text, count, &head, &tail)
    slot = name_slot(head, tail)
    while NESTED.word_by_name[slot]:
        word = &NESTED.words[NESTED.word_by_name[slot]]
        if word.name_bytes == count and memcmp(word.name, text, count) == 0:
            return word
        slot = (slot + 1) % CHANNEL_NAME_SLOTS
    return &NESTED.words[0]


cdef known_word *add_word(str name, int number) except NULL:
    """Put a word at a place of its own, where word_of finds it."""
    cdef bytes encoded = name.encode()
    cdef known_word *word = &NESTED.words[number]
    cdef uint64_t head, tail
    cdef size_t slot
    if number >= MAX_WORDS or len(encoded) > CHANNEL_NAME_BYTES:
        raise OverflowError(f"the table of words has no room for {name}")
    word.name_bytes = <uint8_t>len(encoded)
    memcpy(word.name, <const char *>encoded, len(encoded))
    name_words(word.name, len(encoded), &head, &tail)
    slot = name_slot(head, tail)
    while NESTED.word_by_name[slot]:
        slot = (slot + 1) % CHANNEL_NAME_SLOTS
    NESTED.word_by_name[slot] = <uint8_t>number
    return word


cdef list _places():
    """Return for each kind of object its fields: name to (READ_*, whether in packed_leg, offset, bytes, problem)."""
    cdef packed_event event
    cdef packed_leg leg
    cdef size_t head = <size_t>&event, of_leg = <size_t>&leg
    cdef size_t detail = <size_t>&event.detail - head
    wrong = OUTCOME_ACCOUNT_MALFORMED
    amount = (READ_NUMBER, True, <size_t>&leg.amount_fen - of_leg, sizeof(leg.amount_fen), 0)
    debit = (READ_ACCOUNT, True, <size_t>&leg.debit_account - of_leg, sizeof(leg.debit_account), wrong)
    credit = (READ_ACCOUNT, True, <size_t>&leg.credit_account - of_leg, sizeof(leg.credit_account), wrong)
    moving = {
        "debit": debit,
        "credit": credit,
        "amount_fen": amount,
        "book": (READ_NUMBER, True, <size_t>&leg.book - of_leg, sizeof(leg.book), 0),
        "code": (READ_NUMBER, True, <size_t>&leg.code - of_leg, sizeof(leg.code), 0),
        "user_data": (READ_NUMBER, True, <size_t>&leg.user_data - of_leg, sizeof(leg.user_data), 0),
        "pending": (READ_HOLD, True, 0, 0, 0),
    }
    date = sizeof(event.business_date)
    business_date = (READ_DATE, False, <size_t>&event.business_date - head, date, OUTCOME_BUSINESS_DATE_INVALID)
    of_event = {
        "type": (READ_EVENT_TYPE, False, <size_t>&event.event_type - head, sizeof(event.event_type), OUTCOME_EVENT_TYPE_UNKNOWN),
        "channel": (READ_CHANNEL, False, <size_t>&event.channel - head, sizeof(event.channel), OUTCOME_CHANNEL_UNKNOWN),
        "business_date": business_date,
        "serial": (READ_SERIAL, False, 0, 0, 0),
        "value_date": (READ_DATE, False, <size_t>&event.value_date - head, date, OUTCOME_VALUE_DATE_INVALID),
        "household": (READ_HOUSEHOLD, False, 0, 0, OUTCOME_HOUSEHOLD_NOT_13_DIGITS),
        "outlet": (READ_DIGITS, False, detail, sizeof(event.detail), OUTCOME_OUTLET_MALFORMED),
        "period": (READ_PERIOD, False, detail, 4, OUTCOME_PERIOD_INVALID),
        "due_date": (READ_DATE, False, detail + 4, 4, OUTCOME_DUE_DATE_INVALID),
        "payee": (READ_DIGITS, False, detail, sizeof(event.detail), OUTCOME_PAYEE_MALFORMED),
        "payer": (READ_DIGITS, False, <size_t>&event.payer - head, sizeof(event.payer), OUTCOME_PAYER_MALFORMED),
        "terminal": (READ_TERMINAL, False, 0, 0, 0),
        "account": debit,
        "limit_parent": credit,
        "credit_line_fen": amount,
        "flags": (READ_ACCOUNT_FLAGS, True, 0, 0, 0),
        "original": (READ_ORIGINAL, True, 0, 0, 0),
        "legs": (READ_LEGS, True, 0, 0, 0),
        "allowed_by": (READ_PERSONS, True, 0, 0, 0),
        "reason": (READ_REASON, True, 0, 0, 0),
        "disputed": (READ_ORIGINAL, True, 0, 0, 0),
    }
    own_of_leg = {
        "flags": (READ_LEG_FLAGS, True, 0, 0, 0),
        "timeout_s": (READ_NUMBER, True, <size_t>&leg.timeout_s - of_leg, sizeof(leg.timeout_s), 0),
    }
    wrong = OUTCOME_LEG_FIELD_MALFORMED
    of_name = {
        "channel": (READ_CHANNEL, True, <size_t>&leg.pending_channel - of_leg, sizeof(leg.pending_channel), wrong),
        "business_date": (READ_DATE, True, <size_t>&leg.pending_business_date - of_leg, date, wrong),
        "serial": (READ_SERIAL, True, 0, 0, 0),
        "leg": (READ_NUMBER, True, <size_t>&leg.pending_leg - of_leg, sizeof(leg.pending_leg), 0),
    }
    return [of_event | moving, own_of_leg | moving, of_name]


cdef int _kind_of(int read_as) noexcept:
    """Return what a value has to be to be read so."""
    if read_as < READ_NUMBER:
        return VALUE_TEXT
    if read_as == READ_NUMBER:
        return VALUE_NUMBER
    return VALUE_OBJECT if read_as >= READ_HOLD else VALUE_LIST


cdef int _fill_words(list names, dict numbers) except -1:
    """Fill the words: fields with numbers from 1, and of the other words what they stand for."""
    cdef known_word *word
    every_name = [*names, *numbers, *_LegFlags.__members__, *_AccountFlags.__members__, *_AccountKind.__members__]
    for number, name in enumerate(dict.fromkeys(every_name), 1):
        word = add_word(name, number)
        word.field = <uint8_t>(number if number <= len(names) else 0)
        word.event_type = numbers.get(name, 0)
        word.leg_flag = _LegFlags.__members__.get(name, 0)
        word.account_flag = _AccountFlags.__members__.get(name, 0)
        word.account_kind = _AccountKind.__members__.get(name, 0)
    return 0


cdef int _fill_shape(object_shape *shape, object described, list names) except -1:
    """Fill a shape; one of an event whose type cannot be known has in its order what every event has."""
    order = described.fields if described is not _UNTYPED else [name for name in names if name in described.required]
    for at, name in enumerate(order):
        shape.fields[<int>at] = <uint8_t>(names.index(name) + 1)
    for name in described.fields:
        shape.allowed |= <uint32_t>1 << <int>(names.index(name) + 1)
        shape.required |= <uint32_t>(name in described.required) << <int>(names.index(name) + 1)
    return 0


cdef int _fill_nested() except -1:
    """Fill NESTED. Raises ValueError for a field that has no place, OverflowError for more than there is room for."""
    cdef int field, kind
    objects = _places()
    names = list(dict.fromkeys(name for places in objects for name in places))
    if len(names) >= MAX_FIELDS:
        raise OverflowError("a field has no bit of its own")
    _fill_words(names, _EVENT_NUMBERS)
    for kind, places in enumerate(objects):
        for name, (read_as, in_leg, offset, size, problem) in places.items():
            field = names.index(name) + 1
            NESTED.places[kind][field] = field_place(read_as, _kind_of(read_as), problem, in_leg, offset, size)
    _fill_shape(&NESTED.shapes[SHAPE_UNTYPED], _UNTYPED, names)
    for name, number in _EVENT_NUMBERS.items():
        _fill_shape(&NESTED.shapes[<int>number], _SHAPES[name], names)
    _fill_shape(&NESTED.shapes[SHAPE_LEG], _LEG_SHAPE, names)
    _fill_shape(&NESTED.shapes[SHAPE_HOLD], _SHAPES["post"].fields["pending"], names)
    _fill_shape(&NESTED.shapes[SHAPE_ORIGINAL], _SHAPES["reverse"].fields["original"], names)
    NESTED.amount_bit = <uint32_t>1 << <int>(names.index("amount_fen") + 1)
    NESTED.book_bit = <uint32_t>1 << <int>(names.index("book") + 1)
    NESTED.value_date_bit = <uint32_t>1 << <int>(names.index("value_date") + 1)
    NESTED.amount_optional = sum(_LegFlags[name] for name in _AMOUNT_OPTIONAL)
    return 0


_fill_nested()
