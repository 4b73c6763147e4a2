# Ledger events of a workload: holds and what becomes of them, several legs, reversals, refusals. Part of _workload.pyx.
#
# The events are cut into blocks of settle_distance. Whatever a first block leaves to do, the second block behind it does, at the
# same place: so a settlement finds its hold by its own number alone.

cdef enum:
    CODE_TRANSFER = 7
    AGENCY_DIGITS = 7
    POOR_CARD = 1  # card:0000001, which may not be overdrawn and has nothing
    REFUSED_LEDGER_KINDS = 5


cdef set_bounds(kind_bounds *bounds, shares):
    """Set the bounds from the shares of holds, transfers, events of several legs and refusals, in this order."""
    cdef uint64_t[4] below
    reached = 0.0
    for place, share in enumerate(shares):
        reached += share
        below[<int>place] = round(reached * 2**32)
    bounds.hold_below, bounds.transfer_below, bounds.legs_below, bounds.refused_below = below[0], below[1], below[2], below[3]


cdef event_kind drawn_kind(const kind_bounds *bounds, uint64_t random) noexcept nogil:
    if random < bounds.hold_below:
        return KIND_HOLD
    if random < bounds.transfer_below:
        return KIND_TRANSFER
    if random < bounds.legs_below:
        return KIND_LEGS
    return KIND_REFUSED if random < bounds.refused_below else KIND_HOUSEHOLD


cdef inline bint expires(const workload_plan *plan, uint64_t hold) noexcept nogil:
    """Whether nobody settles the hold that this event makes."""
    return draw(plan, DRAW_DETAIL, hold) >> 32 < plan.expiring_below


cdef event_kind kind_of(const workload_plan *plan, uint64_t index) noexcept nogil:
    cdef uint64_t random = draw(plan, DRAW_KIND, index) >> 32
    cdef uint64_t first
    cdef event_kind left
    if plan.settle_distance == 0:
        return KIND_HOUSEHOLD
    if index // plan.settle_distance % 2 == 0:
        return drawn_kind(&plan.first_kinds, random)
    first = index - plan.settle_distance
    left = drawn_kind(&plan.first_kinds, draw(plan, DRAW_KIND, first) >> 32)
    if own_fate(plan, first) == FRESH and left == KIND_HOLD and not expires(plan, first):
        return KIND_SETTLEMENT
    if own_fate(plan, first) == FRESH and left == KIND_TRANSFER:
        return KIND_REVERSAL
    return drawn_kind(&plan.second_kinds, random)


cdef inline void set_account(uint8_t *account, int kind, int digits, uint64_t number) noexcept nogil:
    memset(account, 0, 16)
    memcpy(account, &number, 8)
    account[14] = <uint8_t>digits
    account[15] = <uint8_t>kind


cdef inline uint64_t ledger_amount_fen(uint64_t random) noexcept nogil:
    return 100 + (random & 0xFFFF)


cdef void write_ledger_serial(const workload_plan *plan, uint64_t index, uint8_t *serial) noexcept nogil:
    cdef uint64_t number = draw(plan, DRAW_SERIAL, index)
    cdef int place
    memset(serial, 0, 16)
    for place in range(13):
        serial[place] = <uint8_t>(BASE32[number & 31])
        number >>= 5


cdef inline uint16_t day_of(const workload_plan *plan, uint64_t index) noexcept nogil:
    return <uint16_t>((timestamp_of(plan, index) // 60000 + UTC_OFFSET_MINUTES) // 1440)


cdef void make_ledger_event(const workload_plan *plan, uint64_t index, event_kind kind, made_event *made) noexcept nogil:
    cdef packed_event *head = &made.head
    memset(made, 0, sizeof(made_event))
    head.version = PACKED_EVENT_VERSION
    head.event_type = EVENT_TYPE_TRANSFER
    head.channel = plan.ledger_channel
    head.business_date = head.value_date = day_of(plan, index)
    head.detail = 1
    write_ledger_serial(plan, index, head.serial)
    if kind == KIND_SETTLEMENT:
        settle(plan, index, made)
    elif kind == KIND_REVERSAL:
        head.event_type = EVENT_TYPE_REVERSE
        name_event(plan, index - plan.settle_distance, &made.legs[0])
    else:
        add_legs(plan, index, kind, made)
    if kind == KIND_REFUSED:
        make_unacceptable(plan, index, made)


cdef void name_event(const workload_plan *plan, uint64_t index, packed_leg *leg) noexcept nogil:
    leg.pending_channel = plan.ledger_channel
    leg.pending_business_date = day_of(plan, index)
    write_ledger_serial(plan, index, leg.pending_serial)


cdef void settle(const workload_plan *plan, uint64_t index, made_event *made) noexcept nogil:
    """Post the hold of the block before in full or in part, or give it back: of six, three, one and two."""
    cdef uint64_t hold = index - plan.settle_distance
    cdef uint64_t way = draw(plan, DRAW_DETAIL, index) % 6
    cdef packed_leg *leg = &made.legs[0]
    name_event(plan, hold, leg)
    made.head.event_type = EVENT_TYPE_VOID if way < 2 else EVENT_TYPE_POST
    leg.flags = LEG_VOID_PENDING if way < 2 else LEG_POST_PENDING
    if way == 2:
        leg.amount_fen = ledger_amount_fen(draw(plan, DRAW_CHANNEL, hold)) // 2
    elif way > 2:
        leg.amount_fen = AMOUNT_MAX


cdef void add_legs(const workload_plan *plan, uint64_t index, event_kind kind, made_event *made) noexcept nogil:
    """From an agency to a household; of several legs the second goes to another agency, the others to more households."""
    cdef uint64_t random = draw(plan, DRAW_CHANNEL, index)
    cdef uint64_t detail = draw(plan, DRAW_DETAIL, index)
    cdef uint64_t agency = random % plan.agencies
    cdef packed_leg *leg
    cdef int at
    if kind == KIND_LEGS:
        made.head.detail = 2 + detail % (MOST_LEGS - 1)
    for at in range(<int>made.head.detail):
        leg = &made.legs[at]
        set_account(leg.debit_account, ACCOUNT_KIND_AGENCY, AGENCY_DIGITS, agency)
        if at == 1:
            set_account(leg.credit_account, ACCOUNT_KIND_AGENCY, AGENCY_DIGITS, (agency + 1) % plan.agencies)
        else:
            set_account(leg.credit_account, ACCOUNT_KIND_HOUSEHOLD, 13, household_of(plan, index + <uint64_t>at))
        leg.amount_fen = ledger_amount_fen(random >> at)
        leg.book = 1
        leg.code = CODE_TRANSFER
    if kind == KIND_HOLD:
        made.legs[0].flags = LEG_PENDING
        made.legs[0].timeout_s = plan.timeout_s if expires(plan, index) else 0


cdef void make_unacceptable(const workload_plan *plan, uint64_t index, made_event *made) noexcept nogil:
    """Make of a good transfer one that the ledger must refuse; the first three burn their keys."""
    cdef packed_leg *leg = &made.legs[0]
    cdef uint64_t reason = draw(plan, DRAW_DETAIL, index) % REFUSED_LEDGER_KINDS
    if reason == 0:  # debit_account_not_found
        set_account(leg.debit_account, ACCOUNT_KIND_AGENCY, AGENCY_DIGITS, plan.agencies)
    elif reason == 1:  # exceeds_credits
        set_account(leg.debit_account, ACCOUNT_KIND_CARD, AGENCY_DIGITS, POOR_CARD)
    elif reason == 2:  # pending_transfer_not_found
        made.head.event_type = EVENT_TYPE_VOID
        memset(leg, 0, sizeof(packed_leg))
        leg.flags = LEG_VOID_PENDING
        name_event(plan, index, leg)
        leg.pending_serial[13] = c"X"  # which no event has
    elif reason == 3:  # accounts_must_be_different
        memcpy(leg.credit_account, leg.debit_account, 16)
    else:  # code_must_not_be_zero
        leg.code = 0


# --- As JSON ------------------------------------------------------------------------------------------------------------

cdef uint8_t *put_account(uint8_t *at, const uint8_t *account) noexcept nogil:
    cdef uint64_t number
    memcpy(&number, account, 8)
    if account[15] == ACCOUNT_KIND_HOUSEHOLD:
        at = put_text(at, b"household:")
    else:
        at = put_text(at, b"agency:" if account[15] == ACCOUNT_KIND_AGENCY else b"card:")
    return put_digits(at, number, account[14])


cdef uint8_t *put_name(const workload_plan *plan, uint8_t *at, const packed_leg *leg) noexcept nogil:
    """Write the name of the event that a leg names."""
    at = put_text(at, b'{"channel":"')
    at = put_text(at, plan.names[leg.pending_channel])
    at = put_text(at, b'","business_date":"')
    at = put_date(at, leg.pending_business_date)
    at = put_text(at, b'","serial":"')
    memcpy(at, leg.pending_serial, 14)
    at += 14 if leg.pending_serial[13] else 13
    return put_text(at, b'"}')


cdef uint8_t *put_leg(const workload_plan *plan, uint8_t *at, const packed_leg *leg) noexcept nogil:
    at = put_text(at, b'{"debit":"')
    at = put_account(at, leg.debit_account)
    at = put_text(at, b'","credit":"')
    at = put_account(at, leg.credit_account)
    at = put_text(at, b'","amount_fen":')
    at = put_number(at, leg.amount_fen)
    at = put_text(at, b',"code":')
    at = put_number(at, leg.code)
    if leg.flags:
        at = put_text(at, b',"flags":["pending"]')
    if leg.timeout_s:
        at = put_text(at, b',"timeout_s":')
        at = put_number(at, leg.timeout_s)
    return put_text(at, b"}")


cdef uint8_t *put_own_fields(const workload_plan *plan, uint8_t *at, const made_event *made) noexcept nogil:
    """Write what an event of this type has besides its key."""
    cdef uint64_t leg
    if made.head.event_type == EVENT_TYPE_REVERSE:
        return put_name(plan, put_text(at, b',"original":'), &made.legs[0])
    if made.head.event_type == EVENT_TYPE_TRANSFER:
        at = put_text(at, b',"legs":[')
        for leg in range(made.head.detail):
            if leg:
                at = put_text(at, b",")
            at = put_leg(plan, at, &made.legs[leg])
        return put_text(at, b"]")
    at = put_name(plan, put_text(at, b',"pending":'), &made.legs[0])
    if made.legs[0].amount_fen and made.legs[0].amount_fen != AMOUNT_MAX:
        at = put_number(put_text(at, b',"amount_fen":'), made.legs[0].amount_fen)
    return at


cdef uint8_t *put_ledger_json(const workload_plan *plan, uint8_t *at, const made_event *made) noexcept nogil:
    cdef uint8_t event_type = made.head.event_type
    if event_type == EVENT_TYPE_TRANSFER:
        at = put_text(at, b'{"type":"transfer","channel":"')
    elif event_type == EVENT_TYPE_REVERSE:
        at = put_text(at, b'{"type":"reverse","channel":"')
    else:
        at = put_text(at, b'{"type":"post","channel":"' if event_type == EVENT_TYPE_POST else b'{"type":"void","channel":"')
    at = put_text(at, plan.names[made.head.channel])
    at = put_text(at, b'","business_date":"')
    at = put_date(at, made.head.business_date)
    at = put_text(at, b'","serial":"')
    memcpy(at, made.head.serial, 13)
    at = put_text(at + 13, b'"')
    at = put_own_fields(plan, at, made)
    return put_text(at, b"}")
