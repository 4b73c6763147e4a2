# What happens on a day of a season. Part of _workload.pyx; bench/season/generator.py is its definition.

from libc.stdlib cimport realloc

cdef enum:
    DAY_MS = 86400000
    HOUR_MS = 3600000
    MINUTE_MS = 60000
    OUTAGE_FROM_MS = 9 * HOUR_MS
    OUTAGE_MS = 4 * HOUR_MS
    BURST_MS = 10 * MINUTE_MS
    TILLS_CLOSE_MS = 23 * HOUR_MS + 30 * MINUTE_MS
    TILL_OPENS_FEN = 50000
    SHORT_FEN = 3000
    STATION_NUMBERS = 500000
    WITHHOLDING = 3  # the last of the terminals of the post; the first three are its stations
    VILLAGE_POST = 1
    WIRELESS = 1
    CASH = 0
    CARD = 1
    NOT_YET = 255  # the outcome of a payment that has not arrived

# What arrives on a day, as it was planned.
cdef struct arrivals_of_day:
    season_arrival *items
    uint64_t count
    uint64_t capacity

# The households of a month by day, from its first: where each day begins in the list, and the list.
cdef struct households_by_day:
    uint64_t begins[LAST_PAY_DAY + 2]
    uint32_t *households

cdef struct season_state:
    season_plan plan
    arrivals_of_day *by_day
    households_by_day issued
    households_by_day paid
    int month  # of the plan
    int day  # that is given out
    uint64_t serials
    uint64_t payments
    uint64_t payment_capacity
    uint8_t *payment_outcomes
    int64_t *cards  # what each holds, in fen, by household
    int64_t *agencies  # by province and place
    int64_t *stations
    int64_t *tills
    int64_t *machines
    uint64_t *needs  # what an agency or a station needs on a day
    uint64_t *order  # of the day: the time of day above, the place in its list in the lower half
    uint64_t *order_before
    uint64_t order_capacity
    uint64_t next  # of the order, to be given out
    uint64_t closes_at  # of the order, where the tills are closed
    bint are_tills_closed
    bint is_out_of_memory
    uint64_t events[256][256]  # by channel and outcome
    uint64_t amounts_fen[256]


# --- What is planned ------------------------------------------------------------------------------------------------------

cdef int64_t add_arrival(season_state *s, season_arrival *arrival) noexcept nogil:
    """Plan an arrival, and return its time: while the banks cannot be reached, theirs wait for a burst afterwards."""
    cdef int64_t outage_ms = s.plan.start_ms + <int64_t>s.plan.outage_day * DAY_MS + OUTAGE_FROM_MS
    cdef int64_t since_ms = arrival.time_ms - outage_ms
    cdef int64_t day
    cdef arrivals_of_day *of_day
    cdef season_arrival *grown
    if s.plan.channels[channel_of(&s.plan, arrival)].is_at_the_bank and 0 <= since_ms < OUTAGE_MS:
        arrival.time_ms = outage_ms + OUTAGE_MS + since_ms * BURST_MS // OUTAGE_MS
    day = (arrival.time_ms - s.plan.start_ms) // DAY_MS
    if day >= s.plan.days:
        return arrival.time_ms
    of_day = &s.by_day[day]
    if of_day.count == of_day.capacity:
        grown = <season_arrival *>realloc(of_day.items, (2 * of_day.capacity + 1024) * sizeof(season_arrival))
        if grown is NULL:
            s.is_out_of_memory = True
            return arrival.time_ms
        of_day.items, of_day.capacity = grown, 2 * of_day.capacity + 1024
    of_day.items[of_day.count] = arrival[0]
    of_day.count += 1
    return arrival.time_ms


cdef void give_serial(season_state *s, season_arrival *arrival) noexcept nogil:
    s.serials += 1
    arrival.serial.given = s.serials
    arrival.serial.date = <uint16_t>(s.plan.first_date + s.day)
    arrival.form = s.plan.channels[arrival.channel].form


cdef void new_event(season_state *s, season_arrival *arrival, uint8_t event_type, uint8_t channel) noexcept nogil:
    """Begin an event of the day with a serial of its own."""
    memset(arrival, 0, sizeof(season_arrival))
    arrival.event_type, arrival.channel, arrival.terminal = event_type, channel, NO_TERMINAL
    arrival.business_date = arrival.value_date = <uint16_t>(s.plan.first_date + s.day)
    give_serial(s, arrival)


cdef inline int64_t start_of_day(const season_state *s) noexcept nogil:
    return s.plan.start_ms + <int64_t>s.day * DAY_MS


cdef void issue(season_state *s, const household_dues *dues) noexcept nogil:
    cdef season_arrival bill
    cdef const season_month *month = &s.plan.months[s.month]
    new_event(s, &bill, EVENT_TYPE_BILL, s.plan.codes.billing)
    bill.key, bill.amount_fen = dues.household, dues.amount_fen
    bill.detail = month.period | <uint64_t>(s.plan.first_date + month.first_day + DUE_DAY - 1) << 32
    bill.time_ms = start_of_day(s) + upper(draw_for(&s.plan, FOR_ISSUE_TIME, dues.number), 6 * HOUR_MS)
    add_arrival(s, &bill)


cdef void set_payer(const season_plan *plan, const household_dues *dues, season_arrival *event) noexcept nogil:
    """Set the number of what pays, where the channel has such, and the kind of terminal, where it has several."""
    cdef uint64_t province = dues.household // 100000000000u
    if event.channel == plan.codes.recharge_card:
        event.payer = dues.household
    elif event.channel == plan.codes.agency_outlet or event.channel == plan.codes.business_hall:
        event.payer = province * 1000000 + dues.place
    elif event.channel == plan.codes.postal_station:
        event.terminal = WITHHOLDING if dues.is_withheld else <uint8_t>(dues.household // 2 % 3)
        event.payer = 0 if dues.is_withheld else province * 1000000 + STATION_NUMBERS + dues.place
    elif event.channel == plan.codes.self_service_kiosk:
        event.terminal = CASH if dues.is_even else CARD
        event.payer = province * 100000000 + dues.place if dues.is_even else 0
    elif event.channel == plan.codes.unionpay_pos:
        event.terminal = WIRELESS if dues.is_even else WIRELESS - 1


cdef void new_payment(season_state *s, const household_dues *dues, uint8_t channel, season_arrival *payment) noexcept nogil:
    cdef uint8_t *grown
    new_event(s, payment, EVENT_TYPE_PAYMENT, channel)
    payment.key, payment.amount_fen = dues.household, dues.paid_fen
    set_payer(&s.plan, dues, payment)
    payment.detail = 0 if channel == s.plan.codes.recharge_card else payment.payer
    payment.role, payment.payment = IS_PAYMENT, s.payments
    if s.payments == s.payment_capacity:
        grown = <uint8_t *>realloc(s.payment_outcomes, 2 * s.payment_capacity + 4096)
        if grown is NULL:
            s.is_out_of_memory = True
            return
        s.payment_outcomes, s.payment_capacity = grown, 2 * s.payment_capacity + 4096
    s.payment_outcomes[s.payments] = NOT_YET
    s.payments += 1


cdef inline uint8_t funds_of(const season_plan *plan, const season_arrival *event) noexcept nogil:
    return plan.channels[event.channel].funds[0 if event.terminal == NO_TERMINAL else event.terminal]


cdef int64_t time_of_payment(const season_state *s, const household_dues *dues) noexcept nogil:
    cdef uint64_t random = draw_for(&s.plan, FOR_TIME, dues.number)
    if dues.is_withheld:
        return start_of_day(s) + 2 * HOUR_MS + upper(random, MINUTE_MS)
    return start_of_day(s) + <int64_t>s.plan.hours[random % TABLE_PLACES] * HOUR_MS + upper(random, HOUR_MS)


cdef void pay(season_state *s, const household_dues *dues) noexcept nogil:
    """Plan a payment, and all that goes with it."""
    cdef season_arrival payment, repeated, again
    cdef const season_plan *plan = &s.plan
    cdef uint64_t random
    cdef bint is_offline
    new_payment(s, dues, dues.channel, &payment)
    payment.time_ms = time_of_payment(s, dues)
    if payment.channel == plan.codes.recharge_card:
        top_up(s, dues, payment.time_ms)
    is_offline = payment.channel == plan.codes.unionpay_pos and payment.terminal == WIRELESS
    is_offline = is_offline or (payment.channel == plan.codes.postal_station and payment.terminal == VILLAGE_POST)
    random = draw_for(plan, FOR_LATE, dues.number)
    if is_offline and happens(random, plan.troubles.late):
        payment.time_ms += (1 + lower(random, 3)) * DAY_MS
    payment.time_ms = add_arrival(s, &payment)
    if funds_of(plan, &payment) == TWO_PHASE:
        answer(s, dues, &payment)
    random = draw_for(plan, FOR_RETRY, dues.number)
    if happens(random, plan.troubles.retries):
        repeated = payment
        repeated.role = REPEATS_PAYMENT
        repeated.time_ms += 100 + lower(random, DAY_MS - 100)
        add_arrival(s, &repeated)
    random = draw_for(plan, FOR_REVERSAL, dues.number)
    if funds_of(plan, &payment) == DEFERRED and plan.channels[payment.channel].reverses:
        if happens(random, plan.troubles.reversals):
            reverse(s, dues, &payment, lower(random, 30 * MINUTE_MS))
    random = draw_for(plan, FOR_TWICE, dues.number)
    if happens(random, plan.troubles.paid_twice):
        new_payment(s, dues, plan.deferred_channels[random % TABLE_PLACES], &again)
        again.time_ms = payment.time_ms + upper(draw_for(plan, FOR_TWICE_TIME, dues.number), HOUR_MS)
        add_arrival(s, &again)
    random = draw_for(plan, FOR_WRONG, dues.number)
    if happens(random, plan.troubles.wrong):
        go_wrong(s, dues, &payment, random)


cdef void top_up(season_state *s, const household_dues *dues, int64_t before_ms) noexcept nogil:
    """Plan that a household buys or fills its card at a cash machine or a counter, mostly with enough."""
    cdef uint64_t random = draw_for(&s.plan, FOR_TOP_UP, dues.number)
    cdef season_arrival event
    new_event(s, &event, EVENT_TYPE_TOP_UP, s.plan.codes.self_service_kiosk if dues.is_even else s.plan.codes.recharge_card)
    if dues.is_even:
        set_payer(&s.plan, dues, &event)
    event.key = event.detail = dues.household
    event.amount_fen = (dues.paid_fen + 4999) // 5000 * 5000
    if happens(random, s.plan.troubles.cards_with_too_little):
        event.amount_fen = (dues.paid_fen + 1) // 2
    event.time_ms = before_ms - 1 - lower(random, 30 * MINUTE_MS)
    add_arrival(s, &event)


cdef void new_name(season_state *s, season_arrival *event, uint8_t event_type, const season_arrival *payment) noexcept nogil:
    """Begin an event that names a payment."""
    new_event(s, event, event_type, payment.channel)
    event.role, event.payment, event.key = NAMES_PAYMENT, payment.payment, payment.key
    event.named, event.named_date = payment.serial, payment.business_date


cdef void answer(season_state *s, const household_dues *dues, const season_arrival *payment) noexcept nogil:
    """Plan what the bank answers to an instruction early the next day; sometimes nothing."""
    cdef uint64_t random = draw_for(&s.plan, FOR_ANSWER, dues.number)
    cdef season_arrival event
    if happens(draw_for(&s.plan, FOR_SILENT, dues.number), s.plan.troubles.silent):
        return
    new_name(s, &event, EVENT_TYPE_VOID if happens(random, s.plan.troubles.refused_by_bank) else EVENT_TYPE_POST, payment)
    event.business_date = event.value_date = <uint16_t>(event.business_date + 1)
    event.time_ms = start_of_day(s) + DAY_MS + 2 * HOUR_MS + lower(random, 3 * HOUR_MS)
    add_arrival(s, &event)


cdef void reverse(season_state *s, const household_dues *dues, const season_arrival *payment, int64_t after_ms) noexcept nogil:
    """Plan a reversal so long after the payment, or shortly before it."""
    cdef uint64_t random = draw_for(&s.plan, FOR_EARLY, dues.number)
    cdef season_arrival event
    if happens(random, s.plan.troubles.early_reversals):
        after_ms = -lower(random, MINUTE_MS)
    new_name(s, &event, EVENT_TYPE_REVERSE, payment)
    event.time_ms = payment.time_ms + after_ms
    add_arrival(s, &event)


cdef void go_wrong(season_state *s, const household_dues *dues, const season_arrival *payment, uint64_t random) noexcept nogil:
    """Plan an event beside a payment that must be refused."""
    cdef season_arrival event = payment[0]
    cdef int64_t choice = lower(random, 5 if s.plan.channels[payment.channel].is_in_workload else 4)
    event.role = STANDS_ALONE
    give_serial(s, &event)
    if choice == 0:
        event.wrong = s.plan.outcomes.household_not_13_digits
    elif choice == 1:
        event.wrong = s.plan.outcomes.channel_unknown
    elif choice == 2:
        event.wrong, event.amount_fen = s.plan.outcomes.amount_not_positive, 0
    elif choice == 3:
        event.wrong = s.plan.outcomes.business_date_in_future
        event.business_date = <uint16_t>(event.business_date + 40)
    else:
        event.wrong = s.plan.outcomes.exists_with_different_amount
        event.serial = payment.serial
        event.amount_fen += 1
    event.time_ms = payment.time_ms + upper(draw_for(&s.plan, FOR_WRONG_TIME, dues.number), HOUR_MS)
    add_arrival(s, &event)


cdef void fill_deposits(season_state *s) noexcept nogil:
    """Plan that agencies and the post fill their deposits in the morning; one agency never with enough for the day."""
    cdef season_arrival event
    cdef uint64_t places = PROVINCES * s.plan.places
    cdef uint64_t at, province, place
    cdef int64_t number = 0
    for at in range(2 * places):
        if s.needs[at] == 0:
            continue
        province, place = at % places // s.plan.places, 1 + at % s.plan.places
        new_event(s, &event, EVENT_TYPE_TOP_UP, s.plan.codes.agency_outlet if at < places else s.plan.codes.postal_station)
        event.detail = s.plan.province_codes[province] * 1000000u + place + (0 if at < places else STATION_NUMBERS)
        event.amount_fen = s.needs[at] * 2
        if at < places and province == PROVINCES - 1 and place == 1:
            event.amount_fen = s.needs[at] * 9 // 10
        event.time_ms = start_of_day(s) + 6 * HOUR_MS + number
        number += 1
        add_arrival(s, &event)
        s.needs[at] = 0


cdef void new_float(season_state *s, season_arrival *event, uint8_t event_type, uint64_t at) noexcept nogil:
    """Begin an event of a till or, behind all tills, of a cash machine."""
    cdef uint64_t places = PROVINCES * s.plan.places
    cdef uint64_t code = s.plan.province_codes[at % places // s.plan.places]
    new_event(s, event, event_type, s.plan.codes.business_hall if at < places else s.plan.codes.self_service_kiosk)
    event.payer = code * (1000000 if at < places else 100000000) + 1 + at % s.plan.places
    if at >= places:
        event.terminal = CASH


cdef void open_tills(season_state *s) noexcept nogil:
    cdef season_arrival event
    cdef uint64_t at
    for at in range(2 * PROVINCES * s.plan.places):
        new_float(s, &event, EVENT_TYPE_OPEN_FLOAT, at)
        event.amount_fen = TILL_OPENS_FEN
        event.time_ms = start_of_day(s) + 6 * HOUR_MS
        add_arrival(s, &event)


cdef void close_tills(season_state *s) noexcept nogil:
    """Plan that tills and machines are counted and banked; one machine is short on one evening, and its booked sum refused."""
    cdef season_arrival event
    cdef uint64_t places = PROVINCES * s.plan.places
    cdef uint64_t at
    cdef int64_t booked_fen, counted_fen
    for at in range(2 * places):
        booked_fen = counted_fen = s.tills[at] if at < places else s.machines[at - places]
        if at == places + (PROVINCES - 1) * s.plan.places and s.day == s.plan.short_kiosk_day:
            counted_fen -= SHORT_FEN
        new_float(s, &event, EVENT_TYPE_COUNT_FLOAT, at)
        event.time_ms = start_of_day(s) + TILLS_CLOSE_MS
        event.amount_fen = <uint64_t>counted_fen
        add_arrival(s, &event)
        event.event_type, event.amount_fen = EVENT_TYPE_BANK_FLOAT, <uint64_t>booked_fen
        give_serial(s, &event)
        add_arrival(s, &event)
        if counted_fen != booked_fen:
            event.amount_fen = <uint64_t>counted_fen
            give_serial(s, &event)
            add_arrival(s, &event)
