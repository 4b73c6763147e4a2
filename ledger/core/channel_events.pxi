# The posting rules of channels: payments that a card, deposit or float pays, instructions, top-ups, and what happens to floats.
# ledger/model_channels.py says the same in plain Python. Owns nothing; uses accounts, holds, transfers, household events.

cdef struct account_side:
    uint64_t id_low
    uint64_t id_high
    uint32_t slot           # NO_SLOT: not open yet
    uint16_t opens_with     # ACCOUNT_*


cdef void find_side(Posting posting, account_side *side, uint64_t id_low, uint64_t id_high, uint16_t opens_with) noexcept nogil:
    side.id_low, side.id_high, side.opens_with = id_low, id_high, opens_with
    side.slot = account_find(&posting.accounts, id_low, id_high, account_hash(&posting.accounts, id_low, id_high))


cdef void find_clearing(Posting posting, const packed_event *event, account_side *side) noexcept nogil:
    find_side(posting, side, channel_and_date(event), account_id_high(ACCOUNT_KIND_CLEARING, 11), 0)


cdef void find_payer(Posting posting, const packed_event *event, const posting_rule *rule, account_side *side) noexcept nogil:
    """Whose money it is. A float must not pay out more than it took; a card or deposit must not pay more than it got."""
    cdef uint16_t flags = ACCOUNT_DEBITS_MUST_NOT_EXCEED_CREDITS
    if rule.payer_high == 0:
        find_clearing(posting, event, side)
        return
    if rule.is_float:
        flags = ACCOUNT_CREDITS_MUST_NOT_EXCEED_DEBITS
    find_side(posting, side, event.payer, rule.payer_high, flags)


cdef void find_payee(Posting posting, const packed_event *event, const posting_rule *rule, account_side *side) noexcept nogil:
    """Who is credited by a payment or a top-up."""
    if event.event_type == EVENT_TYPE_PAYMENT:
        find_side(posting, side, event.household, account_id_high(ACCOUNT_KIND_HOUSEHOLD, 13), 0)
    else:
        find_side(posting, side, event.detail, rule.payee_high, ACCOUNT_DEBITS_MUST_NOT_EXCEED_CREDITS)


cdef uint16_t count_float(
    Posting posting, const packed_event *event, account_side *debit, account_side *credit, uint64_t *amount_fen
) noexcept nogil:
    """Turn the sides, the float and what is over or short, and find the amount that makes the float what was counted."""
    cdef const account_record *till = record_of(posting, debit.slot)
    cdef wide_int found = <wide_int>till.credits_posted + <uint64_t>event.amount_fen
    cdef account_side other
    if found < till.debits_posted:
        other = debit[0]
        debit[0] = credit[0]
        credit[0] = other
        amount_fen[0] = till.debits_posted - <uint64_t>found
        return OUTCOME_APPLIED
    found = found - till.debits_posted
    if found > AMOUNT_MAX:
        return OUTCOME_OVERFLOWS_DEBITS_POSTED
    amount_fen[0] = <uint64_t>found
    return OUTCOME_APPLIED


cdef uint16_t find_sides(
    Posting posting, const packed_event *event, const posting_rule *rule, account_side *debit, account_side *credit,
    leg_posting *posted
) noexcept nogil:
    """Find both accounts of an event, its amount, and why it is posted."""
    posted.amount_fen = <uint64_t>event.amount_fen
    if event.event_type == EVENT_TYPE_PAYMENT:
        posted.code, posted.detail = ENTRY_CODE_PAYMENT, event.detail
        find_payer(posting, event, rule, debit)
        find_payee(posting, event, rule, credit)
    elif event.event_type == EVENT_TYPE_TOP_UP:
        posted.code, posted.detail = ENTRY_CODE_TOP_UP, event.household
        if rule.is_float:
            find_payer(posting, event, rule, debit)
        else:
            find_clearing(posting, event, debit)
        find_payee(posting, event, rule, credit)
    elif event.event_type == EVENT_TYPE_OPEN_FLOAT:
        posted.code = ENTRY_CODE_OPEN_FLOAT
        find_payer(posting, event, rule, debit)
        find_clearing(posting, event, credit)
    elif event.event_type == EVENT_TYPE_BANK_FLOAT:
        posted.code = ENTRY_CODE_BANK_FLOAT
        find_clearing(posting, event, debit)
        find_payer(posting, event, rule, credit)
    else:
        posted.code, posted.detail = ENTRY_CODE_COUNT_FLOAT, <uint64_t>event.amount_fen
        find_payer(posting, event, rule, debit)
        find_side(posting, credit, channel_and_date(event), account_id_high(ACCOUNT_KIND_OVER_SHORT, 11), 0)
        return count_float(posting, event, debit, credit, &posted.amount_fen)
    return OUTCOME_APPLIED


cdef uint16_t check_sides(
    Posting posting, const account_side *debit, const account_side *credit, uint64_t amount_fen, bint is_pending
) noexcept nogil:
    """All checks of a leg, with an account that is not open yet as it would open."""
    cdef uint16_t code
    if debit.id_low == credit.id_low and debit.id_high == credit.id_high:
        return OUTCOME_ACCOUNTS_MUST_BE_DIFFERENT
    # One record stands for both accounts where neither is open: each side looks at its own limit flag only.
    posting.unopened.flags = (debit.opens_with & ACCOUNT_DEBITS_MUST_NOT_EXCEED_CREDITS) \
        | (credit.opens_with & ACCOUNT_CREDITS_MUST_NOT_EXCEED_DEBITS)
    code = check_books(posting, debit.slot, credit.slot, BOOK)
    if code == OUTCOME_APPLIED:
        code = check_amount(posting, debit.slot, credit.slot, amount_fen, is_pending)
    posting.unopened.flags = 0
    return code


cdef inline uint32_t opened_side(Posting posting, const prepared_event *prepared, const account_side *side) noexcept nogil:
    if side.slot != NO_SLOT:
        return side.slot
    return open_on_the_way(posting, prepared, side.id_low, side.id_high, side.opens_with)


cdef uint16_t channel_event(Posting posting, const prepared_event *prepared) noexcept nogil:
    """Open what is missing and post by the rule of the event's terminal; or say why not."""
    cdef const packed_event *event = &prepared.event
    cdef const posting_rule *rule = rule_of(event, &posting.channels.profiles[event.channel])
    cdef bint is_pending = rule.is_instruction and event.event_type == EVENT_TYPE_PAYMENT
    cdef account_side debit, credit
    cdef leg_posting posted
    cdef uint16_t code
    memset(&posted, 0, sizeof(posted))
    code = find_sides(posting, event, rule, &debit, &credit, &posted)
    if code == OUTCOME_APPLIED:
        code = check_sides(posting, &debit, &credit, posted.amount_fen, is_pending)
    if code != OUTCOME_APPLIED:
        return code
    posted.debit_slot = opened_side(posting, prepared, &debit)
    posted.credit_slot = opened_side(posting, prepared, &credit)
    if posted.debit_slot == NO_SLOT or posted.credit_slot == NO_SLOT:
        posting.stop_status = APPLY_NO_MEMORY
        return STOPPED_INSIDE_EVENT
    posted.kind = ENTRY_KIND_TRANSFER
    posted.count = 1
    if is_pending:
        posted.kind = ENTRY_KIND_PENDING
        posted.flags = LEG_PENDING
        posted.reference_seq = rule.timeout_s
    code = make_hold(posting, write_leg(posting, prepared, &posted))
    keep(posting)
    return code


cdef void entry_to_event(const journal_entry *entry, const account_record *accounts, packed_event *event) noexcept nogil:
    """What the event without legs said that made this entry."""
    cdef const account_record *debit = &accounts[entry.debit_slot]
    cdef const account_record *credit = &accounts[entry.credit_slot]
    memset(event, 0, sizeof(packed_event))
    event.version = PACKED_EVENT_VERSION
    event.event_type = entry.event_type
    event.channel = entry.channel
    event.business_date = entry.business_date
    event.value_date = entry.value_date
    memcpy(event.serial, entry.serial, 16)
    event.amount_fen = <int64_t>entry.amount_fen
    event.terminal = entry.terminal
    if entry.event_type == EVENT_TYPE_BILL:
        event.household = debit.id_low
        event.detail = entry.detail
        return
    event.payer = payer_of(debit)
    if entry.event_type == EVENT_TYPE_PAYMENT:
        event.household = credit.id_low
        event.detail = entry.detail
    elif entry.event_type == EVENT_TYPE_TOP_UP:
        event.household = entry.detail
        event.detail = credit.id_low
    elif event.payer == 0:
        event.payer = payer_of(credit)
    if entry.event_type == EVENT_TYPE_COUNT_FLOAT:
        event.amount_fen = <int64_t>entry.detail


cdef inline uint64_t payer_of(const account_record *record) noexcept nogil:
    """The number of an account that pays; 0 of the accounts that no event names."""
    cdef uint64_t kind = record.id_high >> 56
    return 0 if kind == ACCOUNT_KIND_CLEARING or kind == ACCOUNT_KIND_OVER_SHORT else record.id_low


cdef uint16_t difference(const packed_event *event, const packed_event *first) noexcept nogil:
    """The outcome of an event whose key is known, by the first field that differs; the types are the same."""
    cdef uint8_t event_type = event.event_type
    cdef bint pays = event_type != EVENT_TYPE_BANK_FLOAT
    if (pays and event.payer != first.payer) or (event_type == EVENT_TYPE_BILL and event.household != first.household):
        return OUTCOME_EXISTS_WITH_DIFFERENT_DEBIT_ACCOUNT_ID
    if event.payer != first.payer or (event_type == EVENT_TYPE_PAYMENT and event.household != first.household) \
            or (event_type == EVENT_TYPE_TOP_UP and event.detail != first.detail):
        return OUTCOME_EXISTS_WITH_DIFFERENT_CREDIT_ACCOUNT_ID
    if event.amount_fen != first.amount_fen:
        return OUTCOME_EXISTS_WITH_DIFFERENT_AMOUNT
    if event.household != first.household:
        return OUTCOME_EXISTS_WITH_DIFFERENT_USER_DATA_64
    if event.detail != first.detail:
        if event_type == EVENT_TYPE_PAYMENT:
            return OUTCOME_EXISTS_WITH_DIFFERENT_OUTLET
        if <uint32_t>event.detail != <uint32_t>first.detail:
            return OUTCOME_EXISTS_WITH_DIFFERENT_PERIOD
        return OUTCOME_EXISTS_WITH_DIFFERENT_DUE_DATE
    if event.terminal != first.terminal:
        return OUTCOME_EXISTS_WITH_DIFFERENT_TERMINAL
    if event.value_date != first.value_date:
        return OUTCOME_EXISTS_WITH_DIFFERENT_VALUE_DATE
    return OUTCOME_EXISTS
