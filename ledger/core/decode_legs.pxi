# Ledger events: a packed_event, then its legs. Owns the packed encoding of them, its checks that need no ledger, and the choice
# between the readers; uses decode.pxi for the checks of the head. decode_nested.pxi has JSON and MessagePack.

cdef enum:
    RESERVED_FLAG_BIT = 63  # stands for OUTCOME_RESERVED_FLAG among the problems, where there is no bit for it
    MAX_ACCOUNT_DIGITS = 33

cdef wide_int[MAX_ACCOUNT_DIGITS + 1] POWERS_OF_TEN
POWERS_OF_TEN[0] = 1
cdef int _digits
for _digits in range(MAX_ACCOUNT_DIGITS):
    POWERS_OF_TEN[_digits + 1] = POWERS_OF_TEN[_digits] * 10


cdef inline bint is_packed_ledger_event(const uint8_t *value, int64_t value_bytes) noexcept nogil:
    return value_bytes >= <int64_t>sizeof(packed_event) and value[0] == PACKED_EVENT_VERSION and has_legs(value[1])


cdef uint64_t head_problems(const packed_event *event, const channel_profile *profile) noexcept nogil:
    """What is wrong with the head of a ledger event: a bit for each outcome code; the lowest is the refusal."""
    cdef uint64_t problems = 0
    problems |= bit_if(event.event_type > EVENT_TYPE_ADJUST, OUTCOME_EVENT_TYPE_UNKNOWN)
    problems |= bit_if(not may_publish(profile, event.event_type), OUTCOME_CHANNEL_UNKNOWN)
    problems |= bit_if(event.business_date == 0, OUTCOME_BUSINESS_DATE_INVALID)
    problems |= bit_if(event.value_date == 0, OUTCOME_VALUE_DATE_INVALID)
    problems |= bit_if(not serial_is_right(event.serial, profile.serial_form), OUTCOME_SERIAL_MALFORMED)
    problems |= bit_if(not leg_count_fits(event.event_type, event.detail), OUTCOME_LEG_COUNT_WRONG)
    return problems


cdef inline bint leg_count_fits(uint8_t event_type, uint64_t leg_count) noexcept nogil:
    if event_type == EVENT_TYPE_TRANSFER:
        return 1 <= leg_count <= MAX_LEGS
    if event_type == EVENT_TYPE_ADJUST:
        return True  # the note, whose form is known to be right, takes what it needs
    return leg_count == (0 if event_type == EVENT_TYPE_CLOCK else 1)


cdef inline uint16_t known_flags(uint8_t event_type) noexcept nogil:
    if event_type == EVENT_TYPE_TRANSFER:
        return LEG_PENDING | LEG_POST_PENDING | LEG_VOID_PENDING | LEG_BALANCING_DEBIT | LEG_BALANCING_CREDIT \
            | LEG_CLOSING_DEBIT | LEG_CLOSING_CREDIT
    if event_type == EVENT_TYPE_OPEN_ACCOUNT:
        return ACCOUNT_DEBITS_MUST_NOT_EXCEED_CREDITS | ACCOUNT_CREDITS_MUST_NOT_EXCEED_DEBITS | ACCOUNT_CLOSED
    if event_type == EVENT_TYPE_POST:
        return LEG_POST_PENDING
    return LEG_VOID_PENDING if event_type == EVENT_TYPE_VOID else 0


cdef bint account_is_right(const uint8_t *account) noexcept nogil:
    """Whether the id is that of some kind:number, or zero, or the greatest."""
    cdef uint8_t kind = account[15], digits = account[14]
    cdef wide_int number = 0
    cdef uint64_t low, high
    memcpy(&low, account, 8)
    memcpy(&high, account + 8, 8)
    if low | high == 0 or low & high == ALL_ONES:
        return True
    if not 1 <= kind <= ACCOUNT_KIND_OVER_SHORT or not 1 <= digits <= MAX_ACCOUNT_DIGITS:
        return False
    memcpy(&number, account, 14)
    return number < POWERS_OF_TEN[digits]


cdef inline bint hold_is_right(const packed_leg *leg, const channel_table *channels) noexcept nogil:
    """Whether the leg names an event that could be."""
    cdef const channel_profile *profile = &channels.profiles[leg.pending_channel if leg.pending_channel < 256 else 0]
    return leg.pending_business_date != 0 and serial_is_right(leg.pending_serial, profile.serial_form)


cdef bint unused_fields_are_zero(const packed_leg *leg, uint8_t event_type) noexcept nogil:
    """Whether the fields that the event type has no use for are zero; flags are judged by themselves."""
    cdef packed_leg unused = leg[0]
    unused.flags = 0
    if event_type == EVENT_TYPE_TRANSFER:
        return leg.reserved == 0
    if event_type == EVENT_TYPE_POST or event_type == EVENT_TYPE_VOID:
        return leg.reserved == 0 and leg.timeout_s == 0
    if event_type == EVENT_TYPE_REVERSE or event_type == EVENT_TYPE_ADJUST:
        memset(unused.pending_serial, 0, sizeof(unused.pending_serial))
        unused.pending_channel = unused.pending_business_date = 0
        unused.amount_fen = 0
        if event_type == EVENT_TYPE_ADJUST:
            memset(unused.debit_account, 0, sizeof(unused.debit_account))
            memset(unused.credit_account, 0, sizeof(unused.credit_account))
    elif event_type != EVENT_TYPE_CLOCK:
        memset(unused.debit_account, 0, sizeof(unused.debit_account))
        if event_type == EVENT_TYPE_OPEN_ACCOUNT:
            memset(unused.credit_account, 0, sizeof(unused.credit_account))
            unused.amount_fen = unused.book = 0
    return is_all_zero(<const uint8_t *>&unused, sizeof(unused))


cdef bint leg_fields_are_right(const packed_leg *leg, uint8_t event_type, const channel_table *channels) noexcept nogil:
    if not unused_fields_are_zero(leg, event_type):
        return False
    if (event_type == EVENT_TYPE_POST or event_type == EVENT_TYPE_VOID) and leg.flags & known_flags(event_type) == 0:
        return False
    return hold_is_right(leg, channels) or (event_type != EVENT_TYPE_REVERSE and not names_hold(leg))


cdef uint64_t leg_problems(const packed_leg *leg, uint8_t event_type, const channel_table *channels) noexcept nogil:
    """What is wrong with a leg, as head_problems has it."""
    cdef uint64_t problems = 0
    cdef bint accounts_are_right = account_is_right(leg.debit_account) and account_is_right(leg.credit_account)
    problems |= bit_if(not accounts_are_right, OUTCOME_ACCOUNT_MALFORMED)
    problems |= bit_if(not leg_fields_are_right(leg, event_type, channels), OUTCOME_LEG_FIELD_MALFORMED)
    problems |= bit_if(leg.flags & ~known_flags(event_type) != 0, RESERVED_FLAG_BIT)
    return problems


cdef uint64_t scope_problems(const packed_event *event, const packed_leg *leg, const channel_profile *profile) noexcept nogil:
    """What the channel must not name: events of other channels, and what is past its window for reversals."""
    cdef uint64_t problems = 0
    cdef int days = <int>event.business_date - leg.pending_business_date
    if profile.names_any_event:
        return 0
    problems |= bit_if(names_hold(leg) and leg.pending_channel != event.channel, OUTCOME_EVENT_OF_ANOTHER_CHANNEL)
    if event.event_type == EVENT_TYPE_REVERSE:
        problems |= bit_if(not 0 <= days <= profile.reversal_days, OUTCOME_REVERSAL_WINDOW_CLOSED)
    return problems


cdef inline bint is_all_zero(const uint8_t *data, size_t length) noexcept nogil:
    cdef size_t at
    for at in range(length):
        if data[at] != 0:
            return False
    return True


cdef uint16_t decode_packed_ledger_event(
    const uint8_t *value, int64_t value_bytes, const channel_table *channels, packed_event *event, packed_leg *legs
) noexcept nogil:
    """Decode a packed ledger event; ``legs`` has room for MAX_LEGS. Returns as decode_event does."""
    cdef int64_t leg_bytes = value_bytes - <int64_t>sizeof(packed_event)
    cdef uint64_t leg_count
    memcpy(event, value, sizeof(packed_event))
    leg_count = event.detail
    if leg_bytes > <int64_t>(MAX_LEGS * sizeof(packed_leg)) or leg_bytes % <int64_t>sizeof(packed_leg) != 0 \
            or <uint64_t>leg_bytes // sizeof(packed_leg) != leg_count or event.household != 0 or event.amount_fen != 0 \
            or event.payer != 0 or event.terminal != 0 or not is_all_zero(event.reserved, sizeof(event.reserved)):
        memset(event, 0, sizeof(packed_event))
        return OUTCOME_PACKED_MALFORMED
    memcpy(legs, value + sizeof(packed_event), <size_t>leg_bytes)
    if event.event_type == EVENT_TYPE_ADJUST:
        return judge_packed_adjustment(event, legs, channels)
    return judge_ledger_event(event, legs, channels, 0)


cdef uint16_t judge_packed_adjustment(packed_event *event, const packed_leg *legs, const channel_table *channels) noexcept nogil:
    cdef const uint8_t *end = <const uint8_t *>&legs[event.detail]
    cdef note_texts note
    if event.detail < 2 or not unpack_note(<const uint8_t *>&legs[1], end, &note):
        memset(event, 0, sizeof(packed_event))
        return OUTCOME_PACKED_MALFORMED
    return judge_adjustment(event, legs, channels, &note, 0)


cdef uint16_t judge_adjustment(
    packed_event *event, const packed_leg *legs, const channel_table *channels, const note_texts *note, uint64_t problems
) noexcept nogil:
    """Make the checks of judge_ledger_event, and those of the amount and the note."""
    cdef const channel_profile *profile = &channels.profiles[event.channel if event.channel < 256 else 0]
    problems |= adjustment_problems(note, legs[0].amount_fen, profile)
    return judge_ledger_event(event, legs, channels, problems)


cdef uint16_t judge_ledger_event(
    packed_event *event, const packed_leg *legs, const channel_table *channels, uint64_t problems
) noexcept nogil:
    """Make all checks of a ledger event that need no ledger, besides known problems. Returns as decode_event does."""
    cdef const channel_profile *profile = &channels.profiles[event.channel if event.channel < 256 else 0]
    cdef uint64_t leg_count = min(event.detail, <uint64_t>MAX_LEGS) if event.event_type != EVENT_TYPE_ADJUST else 1
    cdef uint16_t code
    cdef uint64_t at
    problems |= head_problems(event, profile)
    for at in range(leg_count):
        problems |= leg_problems(&legs[at], event.event_type, channels) | scope_problems(event, &legs[at], profile)
    if not problems:
        return OUTCOME_APPLIED
    code = refuse_packed(event, profile, problems)
    return OUTCOME_RESERVED_FLAG if code == RESERVED_FLAG_BIT else code


cdef inline uint16_t decode_with_legs(
    const uint8_t *value, int64_t value_bytes, const channel_table *channels, packed_event *event, packed_leg *legs
) noexcept nogil:
    """Decode any value as decode_event does; of a ledger event ``event.detail`` counts its legs, for which there is room.

    DECODE_SLOW: the caller takes the GIL and calls decode_event_slow.
    """
    cdef uint16_t code
    if is_packed_ledger_event(value, value_bytes):
        return decode_packed_ledger_event(value, value_bytes, channels, event, legs)
    code = decode_event(value, value_bytes, channels, event)
    return decode_nested(value, value_bytes, channels, event, legs) if code == DECODE_SLOW else code
