# An arrival of a season as the value of a record, packed or as JSON. Part of _workload.pyx.

# What an arrival does with its payment.
cdef enum arrival_role:
    STANDS_ALONE
    IS_PAYMENT
    REPEATS_PAYMENT
    NAMES_PAYMENT

cdef struct event_serial:
    uint64_t given  # how many serials were given before, and this one
    uint16_t date  # of the day on which it was given

# One record, without what follows from the season alone. bench/season/arrivals.py says what its outcome is.
cdef struct season_arrival:
    int64_t time_ms
    uint64_t key  # the household whose record key it has; 0 none
    uint64_t amount_fen
    uint64_t detail  # as in the packed_event
    uint64_t payer
    uint64_t payment  # of all payments, from 0: its own, or that which it repeats or names
    event_serial serial
    event_serial named
    uint16_t business_date
    uint16_t value_date
    uint16_t named_date
    uint16_t wrong  # the outcome that it is bound to have; 0 none
    uint8_t event_type
    uint8_t channel
    uint8_t form  # of its serial
    uint8_t terminal  # NO_TERMINAL where none is named
    uint8_t role


cdef inline bint has_leg(const season_arrival *arrival) noexcept nogil:
    return EVENT_TYPE_TRANSFER < arrival.event_type <= EVENT_TYPE_REVERSE


cdef inline uint8_t channel_of(const season_plan *plan, const season_arrival *arrival) noexcept nogil:
    """The channel that the event names; 0 is one that is unknown."""
    return 0 if arrival.wrong == plan.outcomes.channel_unknown else arrival.channel


cdef uint64_t date_digits(uint16_t date) noexcept nogil:
    cdef int year, month, day_of_month
    civil_of(date, &year, &month, &day_of_month)
    return <uint64_t>(year * 10000 + month * 100 + day_of_month)


cdef uint8_t *put_serial_text(const season_plan *plan, uint8_t *at, int form, const event_serial *serial) noexcept nogil:
    cdef uint64_t half = plan.uuid_high
    cdef int place
    if form == SERIAL_FORM_DIGITS:
        return put_digits(put_digits(at, date_digits(serial.date), 8), serial.given, 10)
    if form != SERIAL_FORM_UUID:
        at[0] = c"N"
        return put_number(at + 1, serial.given)
    for place in range(32):
        if place == 8 or place == 12 or place == 16 or place == 20:
            at[0] = c"-"
            at += 1
        if place == 16:
            half = serial.given
        at[0] = <uint8_t>HEX[half >> (60 - 4 * (place & 15)) & 15]
        at += 1
    return at


cdef void pack_serial(const season_plan *plan, uint8_t *packed, int form, const event_serial *serial) noexcept nogil:
    cdef uint8_t digits[18]
    cdef int place
    if form == SERIAL_FORM_UUID:
        put_big_endian(packed, plan.uuid_high, 8)
        put_big_endian(packed + 8, serial.given, 8)
    elif form == SERIAL_FORM_DIGITS:
        put_serial_text(plan, digits, form, serial)
        memset(packed, 0xFF, 16)
        for place in range(9):
            packed[place] = <uint8_t>((digits[2 * place] - 48) << 4 | (digits[2 * place + 1] - 48))
    else:
        memset(packed, 0, 16)
        put_serial_text(plan, packed, form, serial)


cdef uint8_t *put_packed_arrival(const season_plan *plan, uint8_t *at, const season_arrival *arrival) noexcept nogil:
    cdef packed_event head  # copied: among values of any length there is no place for it to be aligned
    cdef packed_leg leg
    memset(&head, 0, sizeof(packed_event))
    head.version = PACKED_EVENT_VERSION
    head.event_type = arrival.event_type
    head.channel = arrival.channel
    head.business_date, head.value_date = arrival.business_date, arrival.value_date
    pack_serial(plan, head.serial, arrival.form, &arrival.serial)
    if has_leg(arrival):
        head.detail = 1
        name_payment(plan, &leg, arrival)
        memcpy(at + sizeof(packed_event), &leg, sizeof(packed_leg))
    else:
        if arrival.event_type < EVENT_TYPE_OPEN_FLOAT:
            head.household = arrival.key
        head.amount_fen = <int64_t>arrival.amount_fen
        head.detail, head.payer = arrival.detail, arrival.payer
        head.terminal = 0 if arrival.terminal == NO_TERMINAL else arrival.terminal
    memcpy(at, &head, sizeof(packed_event))
    return at + sizeof(packed_event) + (sizeof(packed_leg) if has_leg(arrival) else 0)


cdef void name_payment(const season_plan *plan, packed_leg *leg, const season_arrival *arrival) noexcept nogil:
    memset(leg, 0, sizeof(packed_leg))
    leg.pending_channel, leg.pending_business_date = arrival.channel, arrival.named_date
    pack_serial(plan, leg.pending_serial, arrival.form, &arrival.named)
    if arrival.event_type == EVENT_TYPE_POST:
        leg.flags = LEG_POST_PENDING
        leg.amount_fen = AMOUNT_MAX
    elif arrival.event_type == EVENT_TYPE_VOID:
        leg.flags = LEG_VOID_PENDING


# --- JSON, with the fields in the order of ledger.event_structs -----------------------------------------------------------

cdef inline uint8_t *put_number_field(uint8_t *at, const char *name, uint64_t number) noexcept nogil:
    """Write a field whose value is a number in quotes; none where the number is 0."""
    if number == 0:
        return at
    at = put_number(put_text(at, name), number)
    at[0] = c'"'
    return at + 1


cdef uint8_t *put_payer(const season_plan *plan, uint8_t *at, const season_arrival *arrival) noexcept nogil:
    return put_number_field(at, b',"payer":"', arrival.payer)


cdef uint8_t *put_terminal(const season_plan *plan, uint8_t *at, const season_arrival *arrival) noexcept nogil:
    if arrival.terminal == NO_TERMINAL:
        return at
    at = put_text(at, b',"terminal":"')
    return put_text(put_text(at, plan.channels[arrival.channel].terminals[arrival.terminal]), b'"')


cdef uint8_t *put_household(uint8_t *at, const season_arrival *arrival, bint cut) noexcept nogil:
    """Write the household; of a wrong number, without its first digit."""
    return put_digits(put_text(at, b',"household":"'), arrival.key, 12 if cut else 13)


cdef uint8_t *put_amount(uint8_t *at, const season_arrival *arrival) noexcept nogil:
    return put_number(put_text(at, b',"amount_fen":'), arrival.amount_fen)


cdef uint8_t *put_value_date(uint8_t *at, const season_arrival *arrival) noexcept nogil:
    return put_text(put_date(put_text(at, b',"value_date":"'), arrival.value_date), b'"')


cdef uint8_t *put_paid_or_billed(const season_plan *plan, uint8_t *at, const season_arrival *arrival) noexcept nogil:
    at = put_text(put_household(at, arrival, arrival.wrong == plan.outcomes.household_not_13_digits), b'"')
    at = put_value_date(put_amount(at, arrival), arrival)
    if arrival.event_type == EVENT_TYPE_PAYMENT:
        return put_terminal(plan, put_payer(plan, put_number_field(at, b',"outlet":"', arrival.detail), arrival), arrival)
    at = put_digits(put_text(at, b',"period":"'), (arrival.detail & 0xFFFFFFFFu) // 100, 4)
    at[0] = c"-"
    at = put_digits(at + 1, (arrival.detail & 0xFFFFFFFFu) % 100, 2)
    return put_text(put_date(put_text(at, b'","due_date":"'), <uint16_t>(arrival.detail >> 32)), b'"')


cdef uint8_t *put_named(const season_plan *plan, uint8_t *at, const season_arrival *arrival) noexcept nogil:
    at = put_text(at, b',"original":{"channel":"' if arrival.event_type == EVENT_TYPE_REVERSE else b',"pending":{"channel":"')
    at = put_text(put_text(at, plan.channels[arrival.channel].name), b'","business_date":"')
    at = put_text(put_date(at, arrival.named_date), b'","serial":"')
    return put_text(put_serial_text(plan, at, arrival.form, &arrival.named), b'"}')


cdef uint8_t *put_json_arrival(const season_plan *plan, uint8_t *at, const season_arrival *arrival) noexcept nogil:
    at = put_text(put_text(at, b'{"type":"'), plan.event_types[arrival.event_type])
    at = put_text(put_text(at, b'","channel":"'), plan.channels[channel_of(plan, arrival)].name)
    at = put_date(put_text(at, b'","business_date":"'), arrival.business_date)
    at = put_text(put_serial_text(plan, put_text(at, b'","serial":"'), arrival.form, &arrival.serial), b'"')
    if arrival.event_type <= EVENT_TYPE_PAYMENT:
        return put_text(put_paid_or_billed(plan, at, arrival), b"}")
    at = put_value_date(at, arrival)
    if has_leg(arrival):
        return put_text(put_named(plan, at, arrival), b"}")
    if arrival.event_type == EVENT_TYPE_TOP_UP:
        at = put_amount(put_number_field(at, b',"payee":"', arrival.detail), arrival)
        at = put_terminal(plan, put_payer(plan, at, arrival), arrival)
        if arrival.key:
            at = put_text(put_household(at, arrival, False), b'"')
        return put_text(at, b"}")
    return put_text(put_terminal(plan, put_amount(put_payer(plan, at, arrival), arrival), arrival), b"}")
