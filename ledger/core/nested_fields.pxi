# What the fields of ledger events, top-ups and floats are called, how their values are read and where these go. Owns NESTED,
# which is filled from ledger.event_shapes when the module is imported, and never again. decode_nested.pxi reads by it.

from ledger.account_ids import AccountKind as _AccountKind
from ledger.event_shapes import LEG_SHAPE as _LEG_SHAPE
from ledger.event_shapes import SHAPES as _SHAPES
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
    READ_NUMBER = 9
    READ_ACCOUNT_FLAGS = 10
    READ_LEG_FLAGS = 11
    READ_HOLD = 12
    READ_ORIGINAL = 13
    READ_LEGS = 14

    OBJECT_EVENT = 0
    OBJECT_LEG = 1
    OBJECT_NAME = 2  # of a hold, or of an event to reverse
    OBJECTS = 3

    SHAPE_UNTYPED = 0
    SHAPE_LEG = EVENT_TYPE_BANK_FLOAT + 1  # between them the shapes of event types, by their numbers
    SHAPE_HOLD = EVENT_TYPE_BANK_FLOAT + 2
    SHAPE_ORIGINAL = EVENT_TYPE_BANK_FLOAT + 3
    OBJECT_SHAPES = EVENT_TYPE_BANK_FLOAT + 4

    MAX_WORDS = 64
    MAX_FIELDS = 32         # a bit for each
    MAX_FIELDS_OF_ONE = 16  # as many as a short MessagePack array


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
    uint32_t amount_bit
    uint32_t book_bit
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
    """Return for each kind of object its fields: name to (READ_*, whether in packed_leg, offset, bytes)."""
    cdef packed_event event
    cdef packed_leg leg
    cdef size_t head = <size_t>&event, of_leg = <size_t>&leg
    amount = (READ_NUMBER, True, <size_t>&leg.amount_fen - of_leg, sizeof(leg.amount_fen))
    debit = (READ_ACCOUNT, True, <size_t>&leg.debit_account - of_leg, sizeof(leg.debit_account))
    credit = (READ_ACCOUNT, True, <size_t>&leg.credit_account - of_leg, sizeof(leg.credit_account))
    hold = (READ_HOLD, True, 0, 0)
    moving = {
        "debit": debit,
        "credit": credit,
        "amount_fen": amount,
        "book": (READ_NUMBER, True, <size_t>&leg.book - of_leg, sizeof(leg.book)),
        "code": (READ_NUMBER, True, <size_t>&leg.code - of_leg, sizeof(leg.code)),
        "user_data": (READ_NUMBER, True, <size_t>&leg.user_data - of_leg, sizeof(leg.user_data)),
        "pending": hold,
    }
    of_event = {
        "type": (READ_EVENT_TYPE, False, <size_t>&event.event_type - head, sizeof(event.event_type)),
        "channel": (READ_CHANNEL, False, <size_t>&event.channel - head, sizeof(event.channel)),
        "business_date": (READ_DATE, False, <size_t>&event.business_date - head, sizeof(event.business_date)),
        "serial": (READ_SERIAL, False, 0, 0),
        "value_date": (READ_DATE, False, <size_t>&event.value_date - head, sizeof(event.value_date)),
        "household": (READ_HOUSEHOLD, False, 0, 0),
        "payee": (READ_DIGITS, False, <size_t>&event.detail - head, sizeof(event.detail)),
        "payer": (READ_DIGITS, False, <size_t>&event.payer - head, sizeof(event.payer)),
        "terminal": (READ_TERMINAL, False, 0, 0),
        "account": debit,
        "limit_parent": credit,
        "credit_line_fen": amount,
        "flags": (READ_ACCOUNT_FLAGS, True, <size_t>&leg.flags - of_leg, sizeof(leg.flags)),
        "original": (READ_ORIGINAL, True, 0, 0),
        "legs": (READ_LEGS, True, 0, 0),
    }
    own_of_leg = {
        "flags": (READ_LEG_FLAGS, True, <size_t>&leg.flags - of_leg, sizeof(leg.flags)),
        "timeout_s": (READ_NUMBER, True, <size_t>&leg.timeout_s - of_leg, sizeof(leg.timeout_s)),
    }
    of_name = {
        "channel": (READ_CHANNEL, True, <size_t>&leg.pending_channel - of_leg, sizeof(leg.pending_channel)),
        "business_date": (READ_DATE, True, <size_t>&leg.pending_business_date - of_leg, sizeof(leg.pending_business_date)),
        "serial": (READ_SERIAL, True, 0, 0),
        "leg": (READ_NUMBER, True, <size_t>&leg.pending_leg - of_leg, sizeof(leg.pending_leg)),
    }
    return [of_event | moving, own_of_leg | moving, of_name]


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
    for at, name in enumerate(described.fields):
        shape.fields[<int>at] = <uint8_t>(names.index(name) + 1)
        shape.allowed |= <uint32_t>1 << shape.fields[<int>at]
        shape.required |= <uint32_t>(name in described.required) << shape.fields[<int>at]
    return 0


cdef int _fill_nested() except -1:
    """Fill NESTED: of all event types but those that decode_text.pxi knows, and adjustments, which are left to the slow path."""
    cdef int field, kind
    objects = _places()
    names = list(dict.fromkeys(name for places in objects for name in places))
    numbers = {name: number for name, number in _EVENT_NUMBERS.items() if EVENT_TYPE_PAYMENT < number < EVENT_TYPE_ADJUST}
    _fill_words(names, numbers)
    for kind, places in enumerate(objects):
        for name, (read_as, in_leg, offset, size) in places.items():
            field = names.index(name) + 1
            NESTED.places[kind][field] = field_place(read_as, in_leg, offset, size)
    NESTED.shapes[SHAPE_UNTYPED].fields[0] = <uint8_t>(names.index("type") + 1)
    for name, number in numbers.items():
        _fill_shape(&NESTED.shapes[<int>number], _SHAPES[name], names)
    _fill_shape(&NESTED.shapes[SHAPE_LEG], _LEG_SHAPE, names)
    _fill_shape(&NESTED.shapes[SHAPE_HOLD], _SHAPES["post"].fields["pending"], names)
    _fill_shape(&NESTED.shapes[SHAPE_ORIGINAL], _SHAPES["reverse"].fields["original"], names)
    NESTED.amount_bit = <uint32_t>1 << <int>(names.index("amount_fen") + 1)
    NESTED.book_bit = <uint32_t>1 << <int>(names.index("book") + 1)
    NESTED.amount_optional = sum(_LegFlags[name] for name in _AMOUNT_OPTIONAL)
    return 0


_fill_nested()
