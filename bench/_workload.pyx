# cython: language_level=3
"""Events of a workload, whole Kafka record batches of them, and events of a season, without a Python object per event.

Everything about event ``i`` of a workload follows from the seed and ``i`` alone. So a duplicate needs no memory of what it
repeats, and any part of a workload can be made without the rest.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.math cimport pow
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset, strlen

cdef extern from "ledger/core/crc32c.h" nogil:
    uint32_t crc32c(uint32_t crc, const void *data, size_t length)

cdef extern from * nogil:
    void prefetch "__builtin_prefetch"(const void *place)

cdef extern from "ledger/record_layout.h" nogil:
    ctypedef struct packed_event:
        uint8_t version
        uint8_t event_type
        uint16_t channel
        uint16_t business_date
        uint16_t value_date
        uint8_t serial[16]
        uint64_t household
        int64_t amount_fen
        uint64_t detail
        uint64_t payer
        uint8_t terminal
    ctypedef struct packed_leg:
        uint8_t debit_account[16]
        uint8_t credit_account[16]
        uint64_t amount_fen
        uint64_t user_data
        uint8_t pending_serial[16]
        uint16_t pending_channel
        uint16_t pending_business_date
        uint16_t flags
        uint32_t timeout_s
        uint16_t book
        uint16_t code
    enum:
        PACKED_EVENT_VERSION
        EVENT_TYPE_BILL
        EVENT_TYPE_PAYMENT
        EVENT_TYPE_TRANSFER
        EVENT_TYPE_POST
        EVENT_TYPE_VOID
        EVENT_TYPE_REVERSE
        EVENT_TYPE_TOP_UP
        EVENT_TYPE_OPEN_FLOAT
        EVENT_TYPE_COUNT_FLOAT
        EVENT_TYPE_BANK_FLOAT
        ACCOUNT_KIND_HOUSEHOLD
        ACCOUNT_KIND_CARD
        ACCOUNT_KIND_AGENCY
        LEG_PENDING
        LEG_POST_PENDING
        LEG_VOID_PENDING
        AMOUNT_MAX
        SERIAL_FORM_DIGITS
        SERIAL_FORM_UUID

cdef uint32_t FOUR_DIGITS[10000]  # "0000" to "9999"


cdef void fill_four_digits():
    cdef int i
    for i in range(10000):
        digits = b"%04d" % i
        memcpy(&FOUR_DIGITS[i], <const char *>digits, 4)


fill_four_digits()

cdef const char *HEX = b"0123456789abcdef"
cdef const char *BASE32 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

cdef enum:
    MAX_RECORD_BYTES = 1024
    MOST_LEGS = 4
    BATCH_HEADER_BYTES = 61
    CHANNEL_DRAWS = 4096
    DRAW_STREAMS = 7
    UTC_OFFSET_MINUTES = 480
    DUE_DAYS = 30  # from a bill to its due date

# What a published event is: itself, the repetition of an earlier one, or one of the events that must be refused.
cdef enum event_fate:
    FRESH = 0
    DUPLICATE = 1
    REFUSED_TOMBSTONE = 2
    REFUSED_GARBAGE = 3
    REFUSED_CHANNEL = 4
    REFUSED_CLOSED = 5
    REFUSED_FUTURE = 6
    REFUSED_AMOUNT = 7
    REFUSED_HOUSEHOLD = 8
    REFUSED_OTHER_CONTENT = 9

cdef enum:
    REFUSED_KINDS = 8

# Streams of draws: one for each thing that is decided about an event.
cdef enum draw_stream:
    DRAW_FATE
    DRAW_SOURCE
    DRAW_HOUSEHOLD
    DRAW_CHANNEL
    DRAW_SERIAL
    DRAW_DETAIL
    DRAW_KIND

# What a fresh event does.
cdef enum event_kind:
    KIND_HOUSEHOLD  # a payment or a bill
    KIND_HOLD
    KIND_SETTLEMENT
    KIND_TRANSFER  # of one leg, to be reversed later
    KIND_REVERSAL
    KIND_LEGS
    KIND_REFUSED

# Which kinds there are among the events of one block: each below its bound of 2**32, in the order of the bounds.
cdef struct kind_bounds:
    uint64_t hold_below
    uint64_t transfer_below
    uint64_t legs_below
    uint64_t refused_below

# An event and, of a ledger event, its legs.
cdef struct made_event:
    packed_event head
    packed_leg legs[MOST_LEGS]

cdef struct workload_plan:
    uint64_t stream_seeds[DRAW_STREAMS]
    uint64_t households
    uint64_t duplicate_distance
    uint64_t duplicate_below  # of 2**32
    uint64_t refused_below
    uint64_t bill_below
    uint64_t late_below
    int64_t start_ms
    double ms_per_event
    double zipf_theta  # 0: uniform
    double zipf_zeta
    double zipf_eta
    uint16_t channels[CHANNEL_DRAWS]
    uint16_t billing_channel
    uint16_t ledger_channel
    kind_bounds first_kinds  # of blocks whose holds and transfers the block behind settles and reverses
    kind_bounds second_kinds
    uint64_t settle_distance  # events of a block; 0: no ledger events at all
    uint64_t expiring_below  # of 2**32: of the holds
    uint64_t agencies
    uint32_t timeout_s  # of the holds that nobody settles
    uint8_t serial_forms[256]
    char names[256][24]
    bint json
    bint households_in_turn


cdef inline uint64_t draw(const workload_plan *plan, draw_stream stream, uint64_t index) noexcept nogil:
    return drawn(plan.stream_seeds[<int>stream], index)


cdef inline uint64_t drawn(uint64_t seed, uint64_t index) noexcept nogil:
    """A bijection of the index (splitmix64), so that the draws of one stream never repeat."""
    cdef uint64_t x = seed + index * 0x9E3779B97F4A7C15u
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u
    x = (x ^ x >> 27) * 0x94D049BB133111EBu
    return x ^ x >> 31


cdef inline uint64_t scaled(uint64_t random, uint64_t count) noexcept nogil:
    return (random >> 32) * count >> 32


cdef event_fate own_fate(const workload_plan *plan, uint64_t index) noexcept nogil:
    cdef uint64_t random = draw(plan, DRAW_FATE, index) >> 32
    if random < plan.duplicate_below:
        return DUPLICATE if index else FRESH
    if random < plan.duplicate_below + plan.refused_below:
        return <event_fate>(REFUSED_TOMBSTONE + random % REFUSED_KINDS)
    return FRESH


cdef event_fate fate_of(const workload_plan *plan, uint64_t index, uint64_t *source) noexcept nogil:
    """What event ``index`` is, and which fresh event it repeats or contradicts. Without one before it, it is fresh itself."""
    cdef event_fate fate = own_fate(plan, index)
    cdef uint64_t distance
    source[0] = index
    if fate == DUPLICATE or fate == REFUSED_OTHER_CONTENT:
        distance = scaled(draw(plan, DRAW_SOURCE, index), min(plan.duplicate_distance, index)) + 1
        source[0] = index - min(distance, index)
        while source[0] and own_fate(plan, source[0]) != FRESH:
            source[0] -= 1
        if source[0] == index or own_fate(plan, source[0]) != FRESH:
            source[0] = index
            return FRESH
    return fate


cdef uint64_t household_of(const workload_plan *plan, uint64_t index) noexcept nogil:
    """13 digits that begin with 33; a rank is spread over the other 11 by a multiplication that is invertible modulo 10**11."""
    cdef uint64_t random = draw(plan, DRAW_HOUSEHOLD, index)
    cdef uint64_t rank = scaled(random, plan.households)
    cdef double u, uz
    if plan.households_in_turn:
        rank = index
    elif plan.zipf_theta > 0:
        u = <double>(random >> 11) / 9007199254740992.0
        uz = u * plan.zipf_zeta
        if uz < 1:
            rank = 0
        elif uz < 1 + pow(0.5, plan.zipf_theta):
            rank = 1
        else:
            rank = <uint64_t>(<double>plan.households * pow(plan.zipf_eta * (u - 1) + 1, 1 / (1 - plan.zipf_theta)))
    return 3300000000000u + (rank % plan.households * 6180339887u + 14142135623u) % 100000000000u


cdef inline int64_t timestamp_of(const workload_plan *plan, uint64_t index) noexcept nogil:
    return plan.start_ms + <int64_t>(<double>index * plan.ms_per_event)


cdef void write_serial(const workload_plan *plan, uint64_t index, uint16_t channel, uint8_t *serial) noexcept nogil:
    cdef uint64_t number = draw(plan, DRAW_SERIAL, index)
    cdef uint64_t rest = number
    cdef int place
    cdef uint8_t pair
    if plan.serial_forms[channel] == SERIAL_FORM_DIGITS:
        memset(serial, 0xFF, 16)
        for place in range(9, -1, -1):
            pair = <uint8_t>(rest % 100)
            rest = rest // 100
            serial[place] = <uint8_t>(pair // 10 << 4 | pair % 10)
    elif plan.serial_forms[channel] == SERIAL_FORM_UUID:
        memcpy(serial, &number, 8)
        rest = draw(plan, DRAW_DETAIL, index)
        memcpy(serial + 8, &rest, 8)
    else:
        memset(serial, 0, 16)
        for place in range(13):
            serial[place] = <uint8_t>(BASE32[rest & 31])
            rest >>= 5


cdef void civil_of(uint16_t day, int *year, int *month, int *day_of_month) noexcept nogil:
    """The Gregorian date of a day since 1970-01-01 (Howard Hinnant's days_from_civil, the other way)."""
    cdef int shifted = day + 719468
    cdef int era = shifted // 146097
    cdef int day_of_era = shifted - era * 146097
    cdef int year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
    cdef int day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    cdef int shifted_month = (5 * day_of_year + 2) // 153
    day_of_month[0] = day_of_year - (153 * shifted_month + 2) // 5 + 1
    month[0] = shifted_month + 3 if shifted_month < 10 else shifted_month - 9
    year[0] = year_of_era + era * 400 + (1 if month[0] <= 2 else 0)


cdef uint64_t month_of(uint16_t day) noexcept nogil:
    cdef int year, month, day_of_month
    civil_of(day, &year, &month, &day_of_month)
    return <uint64_t>(year * 100 + month)


cdef void make_event(const workload_plan *plan, uint64_t index, made_event *made) noexcept nogil:
    """The event that ``index`` is when it is fresh."""
    cdef event_kind kind = kind_of(plan, index)
    if kind == KIND_HOUSEHOLD:
        make_household_event(plan, index, &made.head)
    else:
        make_ledger_event(plan, index, kind, made)


cdef void make_household_event(const workload_plan *plan, uint64_t index, packed_event *event) noexcept nogil:
    cdef uint64_t random = draw(plan, DRAW_CHANNEL, index)
    cdef uint64_t detail = draw(plan, DRAW_DETAIL, index)
    cdef uint16_t day = <uint16_t>((timestamp_of(plan, index) // 60000 + UTC_OFFSET_MINUTES) // 1440)
    cdef bint bill = random >> 32 < plan.bill_below
    memset(event, 0, sizeof(packed_event))
    event.version = PACKED_EVENT_VERSION
    event.event_type = EVENT_TYPE_BILL if bill else EVENT_TYPE_PAYMENT
    event.channel = plan.billing_channel if bill else plan.channels[random & (CHANNEL_DRAWS - 1)]
    event.business_date = <uint16_t>(day - (1 + detail % 3 if (detail >> 32) < plan.late_below else 0))
    event.value_date = event.business_date
    write_serial(plan, index, event.channel, event.serial)
    event.household = household_of(plan, index)
    event.amount_fen = 100 + <int64_t>((random >> 12 & 0x3FFF) * (random >> 12 & 0x3FFF) >> 10)
    if bill:
        event.detail = month_of(day) | <uint64_t>(day + DUE_DAYS) << 32
    elif plan.serial_forms[event.channel] != SERIAL_FORM_DIGITS:
        event.detail = 330000001 + detail % 3000


cdef void spoil(const workload_plan *plan, event_fate fate, packed_event *event) noexcept nogil:
    """Make of a good event one that must be refused."""
    if fate == REFUSED_CHANNEL:
        event.channel = 0
    elif fate == REFUSED_CLOSED:
        event.business_date = <uint16_t>(event.business_date - 1000)
    elif fate == REFUSED_FUTURE:
        event.business_date = <uint16_t>(event.business_date + 30)
    elif fate == REFUSED_AMOUNT:
        event.amount_fen = 0
    elif fate == REFUSED_HOUSEHOLD:
        event.household += 10000000000000u
    elif fate == REFUSED_OTHER_CONTENT:
        event.amount_fen += 1


# --- JSON ---------------------------------------------------------------------------------------------------------------

cdef inline uint8_t *put_text(uint8_t *at, const char *text) noexcept nogil:
    cdef size_t length = strlen(text)
    memcpy(at, text, length)
    return at + length


cdef inline uint8_t *put_digits(uint8_t *at, uint64_t number, int digits) noexcept nogil:
    """Write exactly that many digits, leading zeros too."""
    cdef uint8_t *end = at + digits
    cdef uint8_t *place = end
    while place - at >= 4:
        place -= 4
        memcpy(place, &FOUR_DIGITS[number % 10000], 4)
        number //= 10000
    while place > at:
        place -= 1
        place[0] = <uint8_t>(48 + number % 10)
        number //= 10
    return end


cdef inline uint8_t *put_number(uint8_t *at, uint64_t number) noexcept nogil:
    cdef int digits = 1
    cdef uint64_t rest = number // 10
    while rest:
        digits += 1
        rest //= 10
    return put_digits(at, number, digits)


cdef uint8_t *put_date(uint8_t *at, uint16_t day) noexcept nogil:
    cdef int year, month, day_of_month
    civil_of(day, &year, &month, &day_of_month)
    at = put_digits(at, <uint64_t>year, 4)
    at[0] = c"-"
    at = put_digits(at + 1, <uint64_t>month, 2)
    at[0] = c"-"
    return put_digits(at + 1, <uint64_t>day_of_month, 2)


cdef uint8_t *put_serial(const workload_plan *plan, uint8_t *at, const packed_event *event) noexcept nogil:
    cdef int form = plan.serial_forms[event.channel]
    cdef int nibbles = 20 if form == SERIAL_FORM_DIGITS else 32
    cdef int place
    if form != SERIAL_FORM_DIGITS and form != SERIAL_FORM_UUID:
        memcpy(at, event.serial, 13)
        return at + 13
    for place in range(nibbles):
        if form == SERIAL_FORM_UUID and (place == 8 or place == 12 or place == 16 or place == 20):
            at[0] = c"-"
            at += 1
        at[0] = <uint8_t>(HEX[event.serial[place >> 1] >> (0 if place & 1 else 4) & 15])
        at += 1
    return at


cdef uint8_t *put_household_json(const workload_plan *plan, uint8_t *at, const packed_event *event) noexcept nogil:
    cdef bint bill = event.event_type == EVENT_TYPE_BILL
    at = put_text(at, b'{"type":"bill","channel":"' if bill else b'{"type":"payment","channel":"')
    at = put_text(at, plan.names[event.channel])
    at = put_text(at, b'","business_date":"')
    at = put_date(at, event.business_date)
    at = put_text(at, b'","serial":"')
    at = put_serial(plan, at, event)
    at = put_text(at, b'","household":"')
    at = put_digits(at, event.household, 13 if event.household < 10000000000000u else 14)
    at = put_text(at, b'","amount_fen":')
    at = put_number(at, <uint64_t>event.amount_fen)
    at = put_text(at, b',"value_date":"')
    at = put_date(at, event.value_date)
    if bill:
        at = put_text(at, b'","period":"')
        at = put_digits(at, (event.detail & 0xFFFFFFFFu) // 100, 4)
        at[0] = c"-"
        at = put_digits(at + 1, (event.detail & 0xFFFFFFFFu) % 100, 2)
        at = put_text(at, b'","due_date":"')
        at = put_date(at, <uint16_t>(event.detail >> 32))
    elif event.detail:
        at = put_text(at, b'","outlet":"')
        at = put_number(at, event.detail)
    return put_text(at, b'"}')


include "_ledger_load.pxi"

# --- Record batches -----------------------------------------------------------------------------------------------------

cdef inline uint8_t *put_varint(uint8_t *at, int64_t number) noexcept nogil:
    cdef uint64_t zigzag = <uint64_t>number << 1 ^ <uint64_t>(number >> 63)
    while zigzag > 0x7F:
        at[0] = <uint8_t>(zigzag & 0x7F | 0x80)
        zigzag >>= 7
        at += 1
    at[0] = <uint8_t>zigzag
    return at + 1


cdef inline void put_big_endian(uint8_t *at, uint64_t number, int count) noexcept nogil:
    while count:
        count -= 1
        at[count] = <uint8_t>number
        number >>= 8


cdef uint8_t *put_value(const workload_plan *plan, uint8_t *at, event_fate fate, const made_event *made) noexcept nogil:
    """Write the value of a record, without its length."""
    if fate == REFUSED_TOMBSTONE:
        return at
    if fate == REFUSED_GARBAGE:
        memset(at, 0xC1, 24)  # the one byte that MessagePack never uses
        return at + 24
    if plan.json and made.head.event_type <= EVENT_TYPE_PAYMENT:
        return put_household_json(plan, at, &made.head)
    if plan.json:
        return put_ledger_json(plan, at, made)
    memcpy(at, &made.head, sizeof(packed_event))
    at += sizeof(packed_event)
    if made.head.event_type > EVENT_TYPE_PAYMENT:
        memcpy(at, made.legs, made.head.detail * sizeof(packed_leg))
        at += made.head.detail * sizeof(packed_leg)
    return at


cdef uint8_t *put_record(const workload_plan *plan, uint8_t *at, uint64_t index, int64_t delta, int64_t base_ms) noexcept nogil:
    cdef made_event made
    cdef uint64_t source
    cdef event_fate fate = fate_of(plan, index, &source)
    cdef uint64_t household = household_of(plan, source)
    cdef uint8_t value[MAX_RECORD_BYTES]
    cdef uint8_t body[MAX_RECORD_BYTES]
    cdef uint8_t *end = body
    cdef int64_t value_bytes
    make_event(plan, source, &made)
    spoil(plan, fate, &made.head)
    value_bytes = put_value(plan, value, fate, &made) - value
    body[0] = 0  # attributes
    end = put_varint(body + 1, timestamp_of(plan, index) - base_ms)
    end = put_varint(end, delta)
    end = put_varint(end, 13)
    end = put_digits(end, household, 13)
    end = put_varint(end, -1 if fate == REFUSED_TOMBSTONE else value_bytes)
    memcpy(end, value, <size_t>value_bytes)
    end += value_bytes
    end[0] = 0  # headers
    end += 1
    at = put_varint(at, end - body)
    memcpy(at, body, <size_t>(end - body))
    return at + (end - body)


cdef size_t put_batch(const workload_plan *plan, uint8_t *batch, uint64_t first, uint64_t count, int64_t offset) noexcept nogil:
    """Write one record batch (v2, uncompressed) and return its bytes."""
    cdef uint8_t *end = batch + BATCH_HEADER_BYTES
    cdef int64_t base_ms = timestamp_of(plan, first)
    cdef uint64_t i
    for i in range(count):
        end = put_record(plan, end, first + i, <int64_t>i, base_ms)
    put_big_endian(batch, <uint64_t>offset, 8)
    put_big_endian(batch + 8, <uint64_t>(end - batch - 12), 4)
    put_big_endian(batch + 12, 0xFFFFFFFFu, 4)  # partition leader epoch: none
    batch[16] = 2  # magic
    put_big_endian(batch + 21, 0, 2)  # attributes
    put_big_endian(batch + 23, count - 1, 4)
    put_big_endian(batch + 27, <uint64_t>base_ms, 8)
    put_big_endian(batch + 35, <uint64_t>timestamp_of(plan, first + count - 1), 8)
    memset(batch + 43, 0xFF, 14)  # producer id, epoch and sequence: none
    put_big_endian(batch + 57, count, 4)
    put_big_endian(batch + 17, crc32c(0, batch + 21, <size_t>(end - batch - 21)), 4)
    return <size_t>(end - batch)


cdef class Generator:
    """Makes the events of one plan. ``bench.workload.Workload`` is the face of it, and says what the numbers mean."""

    cdef workload_plan plan

    def __cinit__(self, seed, channels, serial_forms, names, billing_channel, ledger_channel, numbers):
        cdef uint64_t state = seed
        cdef int i
        memset(&self.plan, 0, sizeof(workload_plan))
        for i in range(<int>DRAW_STREAMS):
            self.plan.stream_seeds[i] = state = draw(&self.plan, DRAW_FATE, state ^ <uint64_t>(i + 1))
        for i in range(CHANNEL_DRAWS):
            self.plan.channels[i] = channels[i]
        for code, form in serial_forms.items():
            self.plan.serial_forms[<int>code] = form
        for code, name in names.items():
            memcpy(self.plan.names[<int>code], <const char *>name, len(name))
        self.plan.billing_channel, self.plan.ledger_channel = billing_channel, ledger_channel
        self.plan.households = numbers["households"]
        self.plan.duplicate_distance = numbers["duplicate_distance"]
        self.plan.duplicate_below = numbers["duplicate_below"]
        self.plan.refused_below = numbers["refused_below"]
        self.plan.bill_below = numbers["bill_below"]
        self.plan.late_below = numbers["late_below"]
        self.plan.start_ms = numbers["start_ms"]
        self.plan.ms_per_event = numbers["ms_per_event"]
        self.plan.zipf_theta = numbers["zipf_theta"]
        self.plan.zipf_zeta = numbers["zipf_zeta"]
        self.plan.zipf_eta = numbers["zipf_eta"]
        self.plan.json = numbers["json"]
        self.plan.households_in_turn = numbers["households_in_turn"]
        self.plan.settle_distance = numbers["settle_distance"]
        self.plan.expiring_below = numbers["expiring_below"]
        self.plan.agencies = numbers["agencies"]
        self.plan.timeout_s = numbers["timeout_s"]
        set_bounds(&self.plan.first_kinds, numbers["first_kinds"])
        set_bounds(&self.plan.second_kinds, numbers["second_kinds"])

    def batch(self, uint64_t first, uint64_t count, int64_t base_offset):
        """Return the record batch of the events ``first`` to ``first + count - 1``, as bytes; the GIL is released."""
        cdef uint8_t *batch
        cdef size_t size
        if count == 0:
            return b""
        batch = <uint8_t *>malloc(BATCH_HEADER_BYTES + count * MAX_RECORD_BYTES)
        if batch is NULL:
            raise MemoryError
        with nogil:
            size = put_batch(&self.plan, batch, first, count, base_offset)
        try:
            return PyBytes_FromStringAndSize(<char *>batch, <Py_ssize_t>size)
        finally:
            free(batch)

    def value(self, uint64_t index):
        """Return the value of the record of event ``index``, or None where it has none."""
        cdef made_event made
        cdef uint64_t source
        cdef event_fate fate = fate_of(&self.plan, index, &source)
        cdef uint8_t value[MAX_RECORD_BYTES]
        make_event(&self.plan, source, &made)
        spoil(&self.plan, fate, &made.head)
        end = put_value(&self.plan, value, fate, &made)
        return None if fate == REFUSED_TOMBSTONE else value[:end - value]

    def timestamp_ms(self, uint64_t index):
        return timestamp_of(&self.plan, index)

    def household(self, uint64_t index):
        """Return the household number of event ``index`` were it fresh."""
        return household_of(&self.plan, index)

    def kinds(self, uint64_t first, uint64_t count):
        """Return how many of the fresh ones among these events are of which kind, in the order of ``event_kind``."""
        cdef uint64_t[7] counts
        cdef uint64_t i, source
        memset(counts, 0, sizeof(counts))
        with nogil:
            for i in range(first, first + count):
                if fate_of(&self.plan, i, &source) == FRESH:
                    counts[<int>kind_of(&self.plan, i)] += 1
        return [counts[i] for i in range(7)]

    def fates(self, uint64_t first, uint64_t count):
        """Return how many of these events are fresh, duplicates, and bound to be refused."""
        cdef uint64_t counts[3]
        cdef uint64_t i, source
        cdef event_fate fate
        memset(counts, 0, sizeof(counts))
        with nogil:
            for i in range(first, first + count):
                fate = fate_of(&self.plan, i, &source)
                counts[min(<int>fate, 2)] += 1
        return counts[0], counts[1], counts[2]


include "_season_plan.pxi"
include "_season_records.pxi"
include "_season_day.pxi"
include "_season_maker.pxi"
