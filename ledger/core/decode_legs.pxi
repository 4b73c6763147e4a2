# Packed ledger events: a packed_event, then its legs. Owns their checks that need no ledger; uses decode.pxi for those of the
# head.


cdef inline bint is_packed_ledger_event(const uint8_t *value, int64_t value_bytes) noexcept nogil:
    return value_bytes >= <int64_t>sizeof(packed_event) and value[0] == PACKED_EVENT_VERSION and value[1] > EVENT_TYPE_PAYMENT


cdef uint64_t head_problems(const packed_event *event, const channel_profile *profile) noexcept nogil:
    """What is wrong with the head of a ledger event: a bit for each outcome code; the lowest is the refusal."""
    cdef uint64_t problems = 0
    problems |= bit_if(event.event_type > EVENT_TYPE_CLOCK, OUTCOME_EVENT_TYPE_UNKNOWN)
    problems |= bit_if(profile.event_type != EVENT_TYPE_OPEN_ACCOUNT, OUTCOME_CHANNEL_UNKNOWN)
    problems |= bit_if(event.business_date == 0, OUTCOME_BUSINESS_DATE_INVALID)
    problems |= bit_if(event.value_date == 0, OUTCOME_VALUE_DATE_INVALID)
    problems |= bit_if(not serial_is_right(event.serial, profile.serial_form), OUTCOME_SERIAL_MALFORMED)
    problems |= bit_if(not leg_count_fits(event.event_type, event.detail), OUTCOME_LEG_COUNT_WRONG)
    return problems


cdef inline bint leg_count_fits(uint8_t event_type, uint64_t leg_count) noexcept nogil:
    if event_type == EVENT_TYPE_TRANSFER:
        return 1 <= leg_count <= MAX_LEGS
    return leg_count == (0 if event_type == EVENT_TYPE_CLOCK else 1)


cdef uint16_t leg_problem(const packed_leg *leg, uint8_t event_type) noexcept nogil:
    """Fields that the event type has no use for must be zero, and flags must be known."""
    cdef packed_leg unused
    cdef uint16_t known_flags = 0
    if event_type == EVENT_TYPE_TRANSFER:
        known_flags = 0x7F
    elif event_type == EVENT_TYPE_OPEN_ACCOUNT:
        known_flags = ACCOUNT_DEBITS_MUST_NOT_EXCEED_CREDITS | ACCOUNT_CREDITS_MUST_NOT_EXCEED_DEBITS | ACCOUNT_CLOSED
    elif event_type == EVENT_TYPE_POST:
        known_flags = LEG_POST_PENDING
    elif event_type == EVENT_TYPE_VOID:
        known_flags = LEG_VOID_PENDING
    if leg.flags & ~known_flags:
        return OUTCOME_RESERVED_FLAG
    if leg.reserved != 0:
        return OUTCOME_LEG_FIELD_MALFORMED
    if event_type == EVENT_TYPE_TRANSFER:
        return OUTCOME_APPLIED
    if event_type == EVENT_TYPE_POST or event_type == EVENT_TYPE_VOID:
        return OUTCOME_APPLIED if leg.flags == known_flags and leg.timeout_s == 0 else OUTCOME_LEG_FIELD_MALFORMED
    unused = leg[0]
    if event_type == EVENT_TYPE_REVERSE:
        memset(unused.pending_serial, 0, 16)
        unused.pending_channel = unused.pending_business_date = 0
        unused.amount_fen = 0
    else:
        memset(unused.debit_account, 0, 16)
        if event_type == EVENT_TYPE_OPEN_ACCOUNT:
            memset(unused.credit_account, 0, 16)
            unused.amount_fen = unused.flags = unused.book = 0
    return OUTCOME_APPLIED if is_all_zero(<const uint8_t *>&unused, sizeof(unused)) else OUTCOME_LEG_FIELD_MALFORMED


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
    cdef const channel_profile *profile
    cdef uint64_t problems
    cdef int64_t leg_bytes = value_bytes - <int64_t>sizeof(packed_event)
    cdef uint64_t leg_count
    cdef uint16_t code
    cdef uint64_t at
    memcpy(event, value, sizeof(packed_event))
    leg_count = event.detail
    if leg_bytes > <int64_t>(MAX_LEGS * sizeof(packed_leg)) or leg_bytes % <int64_t>sizeof(packed_leg) != 0 \
            or <uint64_t>leg_bytes // sizeof(packed_leg) != leg_count or event.household != 0 or event.amount_fen != 0 \
            or not is_all_zero(event.reserved, sizeof(event.reserved)):
        memset(event, 0, sizeof(packed_event))
        return OUTCOME_PACKED_MALFORMED
    profile = &channels.profiles[event.channel if event.channel < 256 else 0]
    problems = head_problems(event, profile)
    if problems:
        return refuse_packed(event, profile, problems)
    memcpy(legs, value + sizeof(packed_event), <size_t>leg_bytes)
    for at in range(leg_count):
        code = leg_problem(&legs[at], event.event_type)
        if code != OUTCOME_APPLIED:
            event.detail = 0
            event.value_date = 0
            return code
    return OUTCOME_APPLIED
