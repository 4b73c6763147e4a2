# The events of a season, in the order of their arrival, with their outcomes. Part of _workload.pyx; bench/season/arrivals.py is
# its definition.

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_FromStringAndSize, PyByteArray_Resize
from libc.stdlib cimport calloc

cdef enum:
    MAX_VALUE_BYTES = 400
    SORT_BITS = 14
    SORT_PLACES = 1 << SORT_BITS
    NO_HOUSEHOLD = 10000000000000  # of a record without a key
    AHEAD = 8  # arrivals that are prefetched

# Where the records go, one after the other.
cdef struct record_sink:
    uint8_t *values
    int64_t *value_ends
    uint64_t *households
    int64_t *times_ms
    int64_t count


# --- The days, one after the other ----------------------------------------------------------------------------------------

cdef void list_by_day(season_state *s, households_by_day *list_, bint by_bill) noexcept nogil:
    """List the households of the month by the day on which they are billed or pay, those of a day in their order."""
    cdef household_dues dues
    cdef uint64_t at
    cdef uint64_t count = PROVINCES * s.plan.households_of_province
    cdef int day
    memset(list_.begins, 0, sizeof(list_.begins))
    for at in range(count):
        find_dues(&s.plan, &s.plan.months[s.month], at, &dues)
        list_.begins[dues.bill_day if by_bill else dues.pay_day] += 1
    for day in range(1, LAST_PAY_DAY + 2):
        list_.begins[day] += list_.begins[day - 1]
    at = count
    while at > 0:
        at -= 1
        find_dues(&s.plan, &s.plan.months[s.month], at, &dues)
        day = dues.bill_day if by_bill else dues.pay_day
        list_.begins[day] -= 1
        list_.households[list_.begins[day]] = <uint32_t>at


cdef inline bint begins_month(const season_state *s, int day) noexcept nogil:
    return s.month + 1 < s.plan.month_count and s.plan.months[s.month + 1].first_day == day


cdef void plan_day(season_state *s) noexcept nogil:
    cdef household_dues dues
    cdef uint64_t at
    cdef int day
    if begins_month(s, s.day):
        s.month += 1
        list_by_day(s, &s.issued, True)
        list_by_day(s, &s.paid, False)
    day = 1 + s.day - s.plan.months[s.month].first_day
    if day <= LAST_PAY_DAY:
        for at in range(s.issued.begins[day], s.issued.begins[day + 1]):
            find_dues(&s.plan, &s.plan.months[s.month], s.issued.households[at], &dues)
            issue(s, &dues)
        for at in range(s.paid.begins[day], s.paid.begins[day + 1]):
            find_dues(&s.plan, &s.plan.months[s.month], s.paid.households[at], &dues)
            pay(s, &dues)
            need_deposit(s, &dues)
    fill_deposits(s)
    open_tills(s)


cdef inline void need_deposit(season_state *s, const household_dues *dues) noexcept nogil:
    cdef uint64_t at = s.plan.province_places[dues.household // 100000000000u] * s.plan.places + dues.place - 1
    if dues.channel == s.plan.codes.agency_outlet:
        s.needs[at] += dues.paid_fen
    elif dues.channel == s.plan.codes.postal_station and not dues.is_withheld:
        s.needs[PROVINCES * s.plan.places + at] += dues.paid_fen


cdef void sort_by(const uint64_t *order, uint64_t *sorted_, uint64_t count, int shift) noexcept nogil:
    """Sort by some bits; what has the same ones stays in its order."""
    cdef uint64_t begins[SORT_PLACES]
    cdef uint64_t at, before, reached = 0
    cdef int place
    memset(begins, 0, sizeof(begins))
    for at in range(count):
        begins[order[at] >> shift & (SORT_PLACES - 1)] += 1
    for place in range(SORT_PLACES):
        before, begins[place] = begins[place], reached
        reached += before
    for at in range(count):
        place = <int>(order[at] >> shift & (SORT_PLACES - 1))
        sorted_[begins[place]] = order[at]
        begins[place] += 1


cdef void order_day(season_state *s) noexcept nogil:
    """Bring what was planned for the day in the order of its times, and of its planning where times are the same."""
    cdef arrivals_of_day *of_day = &s.by_day[s.day]
    cdef uint64_t at
    cdef uint64_t *grown
    if s.order_capacity < of_day.count:
        s.order_capacity = of_day.count + of_day.count // 2
        free(s.order_before)
        grown = <uint64_t *>realloc(s.order, s.order_capacity * sizeof(uint64_t))
        s.order = s.order if grown is NULL else grown
        s.order_before = <uint64_t *>malloc(s.order_capacity * sizeof(uint64_t))
        if grown is NULL or s.order_before is NULL:
            s.is_out_of_memory = True
            return
    for at in range(of_day.count):
        s.order[at] = <uint64_t>(of_day.items[at].time_ms - start_of_day(s)) << 32 | at
    sort_by(s.order, s.order_before, of_day.count, 32)
    sort_by(s.order_before, s.order, of_day.count, 32 + SORT_BITS)


cdef void begin_day(season_state *s) noexcept nogil:
    """Plan the next day, unless the season is over."""
    if s.day >= 0:
        free(s.by_day[s.day].items)
        s.by_day[s.day].items, s.by_day[s.day].count = NULL, 0
    s.day += 1
    if s.day >= s.plan.days:
        return
    plan_day(s)
    if not s.is_out_of_memory:
        order_day(s)
    s.next = s.closes_at = 0
    s.are_tills_closed = False
    if s.is_out_of_memory:
        return
    while s.closes_at < s.by_day[s.day].count and <int64_t>(s.order[s.closes_at] >> 32) < TILLS_CLOSE_MS:
        s.closes_at += 1


cdef const season_arrival *next_arrival(season_state *s) noexcept nogil:
    """The next one of the day, NULL where there is none."""
    cdef arrivals_of_day *of_day = &s.by_day[s.day]
    if s.next == s.closes_at and not s.are_tills_closed:
        s.are_tills_closed = True
        close_tills(s)
        if not s.is_out_of_memory:
            order_day(s)
    if s.next == of_day.count or s.is_out_of_memory:
        return NULL
    if s.next + AHEAD < of_day.count:
        prefetch(&of_day.items[s.order[s.next + AHEAD] & 0xFFFFFFFFu])
    s.next += 1
    return &of_day.items[s.order[s.next - 1] & 0xFFFFFFFFu]


# --- What becomes of them -------------------------------------------------------------------------------------------------

cdef int64_t *card_of(season_state *s, uint64_t household) noexcept nogil:
    cdef uint64_t province = s.plan.province_places[household // 100000000000u]
    return &s.cards[province * s.plan.households_of_province + household % 100000000000u - 1]


cdef int64_t *deposit_of(season_state *s, uint64_t number) noexcept nogil:
    cdef uint64_t at = s.plan.province_places[number // 1000000] * s.plan.places + number % STATION_NUMBERS - 1
    return &s.stations[at] if number % 1000000 > STATION_NUMBERS else &s.agencies[at]


cdef int64_t *float_of(season_state *s, const season_arrival *event) noexcept nogil:
    if event.channel == s.plan.codes.business_hall:
        return &s.tills[s.plan.province_places[event.payer // 1000000] * s.plan.places + event.payer % 1000000 - 1]
    return &s.machines[s.plan.province_places[event.payer // 100000000] * s.plan.places + event.payer % 100000000 - 1]


cdef uint16_t pay_from(season_state *s, const season_arrival *payment) noexcept nogil:
    cdef uint8_t funds = funds_of(&s.plan, payment)
    cdef int64_t *held_fen
    if funds == FLOAT:
        float_of(s, payment)[0] += <int64_t>payment.amount_fen
    elif funds == STORED_VALUE or funds == PREFUNDED:
        held_fen = card_of(s, payment.payer) if funds == STORED_VALUE else deposit_of(s, payment.payer)
        if held_fen[0] < <int64_t>payment.amount_fen:
            return s.plan.outcomes.exceeds_credits
        held_fen[0] -= <int64_t>payment.amount_fen
    return 0


cdef uint16_t move(season_state *s, const season_arrival *event) noexcept nogil:
    """Do to cards, deposits, tills and machines what an event does; return what becomes of it."""
    cdef uint8_t funds = funds_of(&s.plan, event)
    cdef int64_t *held_fen
    if event.event_type == EVENT_TYPE_PAYMENT:
        return pay_from(s, event)
    if event.event_type == EVENT_TYPE_TOP_UP:
        held_fen = deposit_of(s, event.detail) if funds == PREFUNDED else card_of(s, event.detail)
        held_fen[0] += <int64_t>event.amount_fen
        if funds == FLOAT:
            float_of(s, event)[0] += <int64_t>event.amount_fen
    elif event.event_type == EVENT_TYPE_OPEN_FLOAT:
        float_of(s, event)[0] += <int64_t>event.amount_fen
    elif event.event_type == EVENT_TYPE_COUNT_FLOAT:
        float_of(s, event)[0] = <int64_t>event.amount_fen
    elif event.event_type == EVENT_TYPE_BANK_FLOAT:
        held_fen = float_of(s, event)
        if held_fen[0] < <int64_t>event.amount_fen:
            return s.plan.outcomes.exceeds_debits
        held_fen[0] -= <int64_t>event.amount_fen
    return 0


cdef uint16_t outcome_of(season_state *s, const season_arrival *arrival) noexcept nogil:
    """Return what must become of an arrival, and do what it does."""
    cdef uint8_t first
    cdef uint16_t outcome
    if arrival.wrong:
        return arrival.wrong
    if arrival.role == STANDS_ALONE:
        return move(s, arrival)
    if arrival.role == IS_PAYMENT:
        outcome = move(s, arrival)
        s.payment_outcomes[arrival.payment] = <uint8_t>outcome
        return outcome
    first = s.payment_outcomes[arrival.payment]
    if arrival.role == REPEATS_PAYMENT:
        return s.plan.outcomes.id_already_failed if first else s.plan.outcomes.exists
    if first == 0:
        return 0
    if arrival.event_type == EVENT_TYPE_REVERSE:
        return s.plan.outcomes.reversal_not_found
    return s.plan.outcomes.pending_transfer_not_found


cdef void give_out(season_state *s, const season_arrival *arrival, bint json, record_sink *sink) noexcept nogil:
    cdef uint16_t outcome = outcome_of(s, arrival)
    cdef uint8_t *value = sink.values + (sink.value_ends[sink.count - 1] if sink.count else 0)
    s.events[channel_of(&s.plan, arrival)][outcome] += 1
    if outcome == 0 and arrival.event_type <= EVENT_TYPE_PAYMENT:
        s.amounts_fen[arrival.channel] += arrival.amount_fen
    if json or arrival.wrong:  # an event that is wrong has no packed form
        sink.value_ends[sink.count] = put_json_arrival(&s.plan, value, arrival) - sink.values
    else:
        sink.value_ends[sink.count] = put_packed_arrival(&s.plan, value, arrival) - sink.values
    sink.households[sink.count] = arrival.key if arrival.key else NO_HOUSEHOLD
    sink.times_ms[sink.count] = arrival.time_ms
    sink.count += 1


cdef void give_out_many(season_state *s, int64_t most, bint json, record_sink *sink) noexcept nogil:
    cdef const season_arrival *arrival
    while sink.count < most and s.day < s.plan.days and not s.is_out_of_memory:
        arrival = next_arrival(s) if s.day >= 0 else NULL
        if arrival is not NULL:
            give_out(s, arrival, json, sink)
        elif sink.count and begins_month(s, s.day + 1):
            return
        else:
            begin_day(s)


cdef class SeasonMaker:
    """Makes the events of one season. ``bench.season.fast`` is the face of it."""

    cdef season_state *state

    def __cinit__(self, dict numbers, seeds, months, channels, tables):
        cdef season_state *s = <season_state *>calloc(1, sizeof(season_state))
        cdef season_plan *plan
        cdef uint64_t households, places
        cdef int at
        if s is NULL:
            raise MemoryError
        self.state = s
        plan = &s.plan
        for at in range(PURPOSES):
            plan.seeds[at] = seeds[at]
        plan.uuid_high = numbers["uuid_high"]
        plan.households_of_province, plan.places = numbers["households_of_province"], numbers["places"]
        plan.days, plan.outage_day, plan.short_kiosk_day = numbers["days"], numbers["outage_day"], numbers["short_kiosk_day"]
        plan.first_date, plan.start_ms = numbers["first_date"], numbers["start_ms"]
        plan.troubles, plan.codes, plan.outcomes = numbers["troubles"], numbers["codes"], numbers["outcomes"]
        for at, code in enumerate(numbers["provinces"]):
            plan.province_codes[at], plan.province_places[<int>code] = code, <uint8_t>at
        for number, name in numbers["event_types"].items():
            memcpy(plan.event_types[<int>number], <const char *>name, len(name))
        set_season_months(plan, months)
        set_season_channels(plan, channels)
        set_season_tables(plan, tables)
        s.month = s.day = -1
        households, places = PROVINCES * plan.households_of_province, PROVINCES * plan.places
        s.by_day = <arrivals_of_day *>calloc(plan.days, sizeof(arrivals_of_day))
        s.issued.households = <uint32_t *>calloc(households, sizeof(uint32_t))
        s.paid.households = <uint32_t *>calloc(households, sizeof(uint32_t))
        s.cards = <int64_t *>calloc(households, sizeof(int64_t))
        s.agencies, s.stations = <int64_t *>calloc(places, sizeof(int64_t)), <int64_t *>calloc(places, sizeof(int64_t))
        s.tills, s.machines = <int64_t *>calloc(places, sizeof(int64_t)), <int64_t *>calloc(places, sizeof(int64_t))
        s.needs = <uint64_t *>calloc(2 * places, sizeof(uint64_t))
        if s.by_day is NULL or s.issued.households is NULL or s.paid.households is NULL or s.cards is NULL or s.needs is NULL:
            raise MemoryError
        if s.agencies is NULL or s.stations is NULL or s.tills is NULL or s.machines is NULL:
            raise MemoryError

    def __dealloc__(self):
        cdef season_state *s = self.state
        cdef int day
        if s is NULL:
            return
        if s.by_day is not NULL:
            for day in range(s.plan.days):
                free(s.by_day[day].items)
        free(s.by_day)
        free(s.issued.households)
        free(s.paid.households)
        free(s.cards)
        free(s.agencies)
        free(s.stations)
        free(s.tills)
        free(s.machines)
        free(s.needs)
        free(s.order)
        free(s.order_before)
        free(s.payment_outcomes)
        free(s)

    def records(self, int64_t most, bint json):
        """Return the next records, at most so many: values one after the other, where each ends, households, times.

        All are of one month. The numbers are native, of 8 bytes. Nothing is left where there are no more. Works without the GIL.
        """
        cdef record_sink sink
        values = PyByteArray_FromStringAndSize(NULL, most * MAX_VALUE_BYTES)
        numbers = [PyByteArray_FromStringAndSize(NULL, most * 8) for _ in range(3)]
        sink.values = <uint8_t *>PyByteArray_AS_STRING(values)
        sink.value_ends = <int64_t *>PyByteArray_AS_STRING(numbers[0])
        sink.households = <uint64_t *>PyByteArray_AS_STRING(numbers[1])
        sink.times_ms = <int64_t *>PyByteArray_AS_STRING(numbers[2])
        sink.count = 0
        with nogil:
            give_out_many(self.state, most, json, &sink)
        if self.state.is_out_of_memory:
            raise MemoryError
        PyByteArray_Resize(values, sink.value_ends[sink.count - 1] if sink.count else 0)
        for each in numbers:
            PyByteArray_Resize(each, sink.count * 8)
        return values, *numbers

    def tally(self):
        """Return (channel, outcome, events) as codes, and the fen applied by channel, of what was given out."""
        cdef int channel, outcome
        events = []
        for channel in range(256):
            for outcome in range(256):
                if self.state.events[channel][outcome]:
                    events.append((channel, outcome, self.state.events[channel][outcome]))
        return events, [self.state.amounts_fen[channel] for channel in range(256)]
