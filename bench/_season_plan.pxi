# The plan of a season: who owes what, and pays it when and how. Part of _workload.pyx; bench/season/plan.py says what it means.

cdef enum:
    TABLE_PLACES = 4096
    PROVINCES = 19
    PURPOSES = 18
    MOST_MONTHS = 14
    LAST_BILL_DAY = 8
    LAST_PAY_DAY = 28
    DUE_DAY = 25
    NO_TERMINAL = 255
    BATCH_WEEKDAY = 2  # Wednesday

# What is drawn; the numbers are those of bench.season.draws.
cdef enum draw_purpose:
    FOR_HOT_DAYS
    FOR_BILL
    FOR_CHANNEL
    FOR_PAY_DAY
    FOR_PAID
    FOR_ISSUE_TIME
    FOR_TIME
    FOR_LATE
    FOR_RETRY
    FOR_TWICE
    FOR_TWICE_TIME
    FOR_REVERSAL
    FOR_EARLY
    FOR_WRONG
    FOR_WRONG_TIME
    FOR_TOP_UP
    FOR_SILENT
    FOR_ANSWER

cdef enum funds_model:
    DEFERRED
    TWO_PHASE
    STORED_VALUE
    PREFUNDED
    FLOAT

# Below which the upper half of a draw is where something happens.
cdef struct trouble_bounds:
    uint64_t retries
    uint64_t late
    uint64_t wrong
    uint64_t paid_twice
    uint64_t reversals
    uint64_t early_reversals
    uint64_t refused_by_bank
    uint64_t silent
    uint64_t cards_with_too_little

cdef struct channel_codes:
    uint8_t billing
    uint8_t recharge_card
    uint8_t agency_outlet
    uint8_t business_hall
    uint8_t unionpay_pos
    uint8_t self_service_kiosk
    uint8_t postal_station

cdef struct outcome_codes:
    uint16_t exists
    uint16_t exceeds_credits
    uint16_t exceeds_debits
    uint16_t reversal_not_found
    uint16_t pending_transfer_not_found
    uint16_t id_already_failed
    uint16_t household_not_13_digits
    uint16_t channel_unknown
    uint16_t amount_not_positive
    uint16_t business_date_in_future
    uint16_t exists_with_different_amount

cdef struct season_channel:
    char name[24]
    char terminals[4][24]
    uint8_t funds[4]  # by terminal
    uint8_t form
    bint is_at_the_bank
    bint reverses
    bint is_in_workload

cdef struct season_month:
    int first_day  # of the season, from 0
    uint64_t first_number  # by which is drawn what concerns the first household
    uint64_t period
    uint64_t lifts_ppm[PROVINCES]

cdef struct season_plan:
    uint64_t seeds[PURPOSES]
    uint64_t uuid_high
    uint64_t households_of_province
    uint64_t places
    int days
    int month_count
    int outage_day
    int short_kiosk_day
    uint16_t first_date  # days since 1970
    int64_t start_ms
    season_month months[MOST_MONTHS]
    season_channel channels[256]
    channel_codes codes
    outcome_codes outcomes
    trouble_bounds troubles
    char event_types[16][16]  # of those that a season has
    uint8_t province_codes[PROVINCES]
    uint8_t province_places[100]  # by code
    uint64_t last_year_fen[TABLE_PLACES]
    uint8_t paying_channels[TABLE_PLACES]
    uint8_t deferred_channels[TABLE_PLACES]
    uint8_t hours[TABLE_PLACES]
    uint8_t paid[TABLE_PLACES]  # 0 all, 1 half, 2 a round sum above
    uint8_t pay_days[LAST_BILL_DAY + 1][TABLE_PLACES]

# One household's bill of a month, and what it pays of it.
cdef struct household_dues:
    uint64_t number
    uint64_t household
    uint64_t place
    uint64_t amount_fen
    uint64_t paid_fen
    uint8_t channel
    int bill_day  # of the month, from 1
    int pay_day
    bint is_even
    bint is_withheld


cdef inline uint64_t draw_for(const season_plan *plan, draw_purpose purpose, uint64_t number) noexcept nogil:
    return drawn(plan.seeds[<int>purpose], number)


cdef inline bint happens(uint64_t random, uint64_t bound) noexcept nogil:
    return random >> 32 < bound


cdef inline int64_t lower(uint64_t random, uint64_t count) noexcept nogil:
    return <int64_t>((random & 0xFFFFFFFFu) * count >> 32)


cdef inline int64_t upper(uint64_t random, uint64_t count) noexcept nogil:
    return <int64_t>scaled(random, count)


cdef inline int batch_day(const season_plan *plan, const season_month *month, int bill_day) noexcept nogil:
    """The first Wednesday behind a day of a month. 1970 began on a Thursday."""
    cdef int weekday = (plan.first_date + month.first_day + bill_day - 1 + 3) % 7
    return bill_day + (BATCH_WEEKDAY - weekday + 6) % 7 + 1


cdef void find_dues(const season_plan *plan, const season_month *month, uint64_t at, household_dues *dues) noexcept nogil:
    """What household ``at``, counted over all provinces from 0, owes and pays in a month."""
    cdef uint64_t province = at // plan.households_of_province
    cdef uint64_t household = 1 + at % plan.households_of_province
    cdef uint64_t random
    cdef uint8_t how
    dues.number = month.first_number + at
    dues.household = plan.province_codes[province] * 100000000000u + household
    dues.place = 1 + household % plan.places
    dues.is_even = household % 2 == 0
    random = draw_for(plan, FOR_BILL, dues.number)
    dues.bill_day = 1 + <int>upper(random, LAST_BILL_DAY)
    dues.amount_fen = plan.last_year_fen[random % TABLE_PLACES] * month.lifts_ppm[province] // 1000000
    dues.paid_fen = dues.amount_fen
    dues.channel = plan.paying_channels[draw_for(plan, FOR_CHANNEL, dues.number) % TABLE_PLACES]
    dues.is_withheld = dues.channel == plan.codes.postal_station and dues.is_even
    if dues.is_withheld:
        dues.pay_day = batch_day(plan, month, dues.bill_day)
        return
    dues.pay_day = plan.pay_days[dues.bill_day][draw_for(plan, FOR_PAY_DAY, dues.number) % TABLE_PLACES]
    how = plan.paid[draw_for(plan, FOR_PAID, dues.number) % TABLE_PLACES]
    if how == 1:
        dues.paid_fen = (dues.amount_fen + 1) // 2
    elif how == 2:
        dues.paid_fen = (dues.amount_fen + 999) // 1000 * 1000


cdef void set_season_channels(season_plan *plan, channels):
    """``channels``: by code, (name, terminals, funds by terminal, form, is at the bank, reverses, is in the workload)."""
    cdef season_channel *channel
    cdef int at
    for code, (name, terminals, funds, form, is_at_the_bank, reverses, is_in_workload) in channels.items():
        channel = &plan.channels[<int>code]
        memcpy(channel.name, <const char *>name, len(name))
        for at, (terminal, model) in enumerate(zip(terminals, funds, strict=True)):
            memcpy(channel.terminals[at], <const char *>terminal, len(terminal))
            channel.funds[at] = model
        channel.form, channel.is_at_the_bank = form, is_at_the_bank
        channel.reverses, channel.is_in_workload = reverses, is_in_workload


cdef void set_season_tables(season_plan *plan, tables):
    cdef int place, day
    for place in range(TABLE_PLACES):
        plan.last_year_fen[place] = tables["last_year_fen"][place]
        plan.paying_channels[place] = tables["paying_channels"][place]
        plan.deferred_channels[place] = tables["deferred_channels"][place]
        plan.hours[place] = tables["hours"][place]
        plan.paid[place] = tables["paid"][place]
        for day in range(1, LAST_BILL_DAY + 1):
            plan.pay_days[day][place] = tables["pay_days"][day][place]


cdef void set_season_months(season_plan *plan, months):
    cdef season_month *month
    cdef int at, province
    for at, (first_day, first_number, period, lifts_ppm) in enumerate(months):
        month = &plan.months[at]
        month.first_day, month.first_number, month.period = first_day, first_number, period
        for province in range(PROVINCES):
            month.lifts_ppm[province] = lifts_ppm[province]
    plan.month_count = len(months)
