# What the core knows of channels: their names, what they may publish, and how their events are posted. Owns channel_table and the
# checks of an event that a profile decides. Filled at open; nothing changes it after.

from cpython.ref cimport Py_INCREF, Py_XDECREF

from ledger.channels import rules_digest as _rules_digest
from ledger.errors import ConfigurationError
from ledger.event_structs import EVENT_NUMBERS as _EVENT_NUMBERS


cdef inline uint64_t account_id_high(uint64_t kind, uint64_t digits) noexcept nogil:
    return kind << 56 | digits << 48


cdef inline void name_words(const char *name, size_t name_bytes, uint64_t *head, uint64_t *tail) noexcept nogil:
    """Read the first and the last eight bytes of a name; a shorter one is all in the head."""
    cdef size_t at
    if name_bytes >= 8:
        memcpy(head, name, 8)
        memcpy(tail, name + name_bytes - 8, 8)
        return
    head[0] = tail[0] = 0
    for at in range(name_bytes):
        head[0] |= <uint64_t> <uint8_t> name[at] << 8 * at


cdef inline size_t name_slot(uint64_t head, uint64_t tail) noexcept nogil:
    return (head ^ tail * HASH_MULTIPLIER) * HASH_MULTIPLIER >> 54


cdef uint16_t channel_by_name(const channel_table *table, const char *name, size_t name_bytes) noexcept nogil:
    """Return the code of the channel with this name; 0 where there is none."""
    cdef const channel_profile *profile
    cdef uint64_t head, tail
    cdef size_t slot
    if not 0 < name_bytes <= CHANNEL_NAME_BYTES:
        return 0
    name_words(name, name_bytes, &head, &tail)
    slot = name_slot(head, tail)
    while table.code_by_name[slot]:
        profile = &table.profiles[table.code_by_name[slot]]
        if profile.name_bytes == name_bytes and profile.name_head == head and profile.name_tail == tail:
            if name_bytes <= 16 or memcmp(profile.name, name, name_bytes) == 0:
                return table.code_by_name[slot]
        slot = (slot + 1) % CHANNEL_NAME_SLOTS
    return 0


cdef void rule_fill(posting_rule *rule, object found) except *:
    """Fill a zeroed rule from a ledger.channel_profile.PostingRule."""
    rule.payer_count = 1
    if found.payer is not None:
        rule.payer_least = 1
        rule.payer_count = 10 ** found.payer.digits - 1
        rule.payer_high = account_id_high(found.payer.kind, found.payer.digits)
    if found.payee is not None:
        rule.payee_count = 10 ** found.payee.digits - 1
        rule.payee_high = account_id_high(found.payee.kind, found.payee.digits)
    rule.timeout_s = found.timeout_s
    rule.is_instruction = found.funds == "two_phase"
    rule.is_float = found.funds == "float"


cdef void rules_fill(channel_profile *profile, object channel) except *:
    """Fill the part of a zeroed profile that posting needs, from a ledger.channels.Channel."""
    cdef bytes name
    cdef int at
    profile.least_fen = channel.limits.least_fen
    profile.span_fen = channel.limits.greatest_fen - channel.limits.least_fen
    profile.one_person_fen = channel.adjust.two_persons_above_fen if channel.adjust else 0
    profile.terminal_count = len(channel.rules)
    for at in range(profile.terminal_count):
        rule_fill(&profile.rules[at], channel.rules[at])
        profile.plain_terminals |= <uint8_t>((profile.rules[at].payer_high == 0 and not profile.rules[at].is_instruction) << at)
        name = channel.rules[at].terminal.encode()
        profile.terminal_name_bytes[at] = <uint8_t>len(name)
        memcpy(profile.terminal_names[at], <const char *>name, len(name))


cdef int channel_table_fill(channel_table *table, object channels) except -1:
    """Fill a zeroed or filled table from an iterable of ledger.channels.Channel. channel_table_clear gives it back."""
    cdef channel_profile *profile
    cdef tuple kept = tuple(channels)
    cdef bytes name
    cdef size_t slot
    channel_table_clear(table)
    for channel in kept:
        name = channel.name.encode()
        if not 0 < channel.code < 256 or not 0 < len(name) <= CHANNEL_NAME_BYTES:
            raise ConfigurationError("a channel has a code of 1 to 255 and a name of 1 to 32 bytes", channel=channel)
        profile = &table.profiles[<uint8_t> channel.code]
        if profile.serial_form or channel_by_name(table, name, len(name)):
            raise ConfigurationError("two channels have the same code or name", channel=channel)
        profile.serial_form = channel.serial_form
        for event_type in channel.publishes:
            profile.publishes |= <uint32_t>1 << <int>_EVENT_NUMBERS[event_type]
        profile.reversal_days = channel.reversal_days
        profile.names_any_event = channel.scope == "all"
        rules_fill(profile, channel)
        profile.name_bytes = <uint8_t> len(name)
        memcpy(profile.name, <const char *> name, len(name))
        name_words(profile.name, len(name), &profile.name_head, &profile.name_tail)
        slot = name_slot(profile.name_head, profile.name_tail)
        while table.code_by_name[slot]:
            slot = (slot + 1) % CHANNEL_NAME_SLOTS
        table.code_by_name[slot] = channel.code
    table.channels = <PyObject *> kept
    Py_INCREF(kept)
    return 0


cdef void channel_table_clear(channel_table *table) noexcept:
    """Make the table empty and let go of what it was filled from."""
    cdef PyObject *channels = table.channels
    memset(table, 0, sizeof(channel_table))
    Py_XDECREF(channels)


cdef inline bint may_publish(const channel_profile *profile, uint8_t event_type) noexcept nogil:
    return profile.publishes >> (event_type & 31) & 1


cdef inline bint moves_legs(uint8_t event_type) noexcept nogil:
    """Whether the event is a transfer, post or void, which differ in the flags of their legs only."""
    return EVENT_TYPE_TRANSFER <= event_type <= EVENT_TYPE_VOID


cdef inline bint has_legs(uint8_t event_type) noexcept nogil:
    return event_type > EVENT_TYPE_PAYMENT and not EVENT_TYPE_TOP_UP <= event_type <= EVENT_TYPE_BANK_FLOAT


cdef inline bint is_plain_household_event(const packed_event *event, const channel_profile *profile) noexcept nogil:
    """Whether it is a bill, or a payment that the clearing account pays at once."""
    return event.event_type == EVENT_TYPE_BILL \
        or (event.event_type == EVENT_TYPE_PAYMENT and profile.plain_terminals >> event.terminal & 1)


cdef inline const posting_rule *rule_of(const packed_event *event, const channel_profile *profile) noexcept nogil:
    """The rule of the event's kind of terminal; of the first where there is no such kind."""
    return &profile.rules[event.terminal if event.terminal < profile.terminal_count else 0]


cdef inline uint64_t bit_if(bint problem, int code) noexcept nogil:
    return <uint64_t> problem << code


cdef inline uint64_t payment_problems(const packed_event *event, const channel_profile *profile) noexcept nogil:
    """What the profile finds wrong with a payment: a bit for each outcome code."""
    cdef const posting_rule *rule = rule_of(event, profile)
    cdef uint64_t problems = bit_if(event.terminal >= profile.terminal_count, OUTCOME_TERMINAL_UNKNOWN)
    problems |= bit_if(event.payer - rule.payer_least >= rule.payer_count, OUTCOME_PAYER_MALFORMED)
    return problems | bit_if(<uint64_t>event.amount_fen - profile.least_fen > profile.span_fen, OUTCOME_AMOUNT_OUTSIDE_LIMITS)


cdef uint64_t funds_problems(const packed_event *event, const channel_profile *profile) noexcept nogil:
    """What the profile finds wrong with a top-up or with an event of a float."""
    cdef const posting_rule *rule = rule_of(event, profile)
    cdef bint is_top_up = event.event_type == EVENT_TYPE_TOP_UP
    cdef bint names_payer = event.payer - rule.payer_least < rule.payer_count
    cdef uint64_t problems = bit_if(event.terminal >= profile.terminal_count, OUTCOME_TERMINAL_UNKNOWN)
    if is_top_up and not rule.is_float:
        names_payer = event.payer == 0
    problems |= bit_if(not is_top_up and not rule.is_float, OUTCOME_TERMINAL_UNKNOWN)
    problems |= bit_if(not names_payer, OUTCOME_PAYER_MALFORMED)
    return problems | bit_if(is_top_up and event.detail - 1 >= rule.payee_count, OUTCOME_PAYEE_MALFORMED)
