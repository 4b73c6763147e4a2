# Business dates that are closed for a channel: those whose clearing account is closed for good. Owns a bit for each channel and
# date, made from accounts and holds at a start. Uses accounts, holds.

cdef size_t CLOSED_DATES_BYTES = 65536 * 256 // 8  # address space; only the pages of dates that were looked at exist


cdef inline bint is_clearing(const account_record *record) noexcept nogil:
    return record.id_high == account_id_high(ACCOUNT_KIND_CLEARING, 11)


cdef inline bint is_date_closed(const uint8_t *closed_dates, uint16_t business_date, uint8_t channel) noexcept nogil:
    return closed_dates[<size_t>business_date * 32 + (channel >> 3)] >> (channel & 7) & 1


cdef void set_date_closed(uint8_t *closed_dates, const account_record *record, bint is_closed) noexcept nogil:
    """Close the channel and date of a clearing account, or not; all other accounts have none."""
    cdef uint64_t channel = record.id_low // 100_000_000
    cdef uint32_t number = <uint32_t>(record.id_low % 100_000_000)
    cdef uint32_t days = days_of_date(number // 10_000, number // 100 % 100, number % 100)
    cdef uint8_t bit = <uint8_t>(1 << (channel & 7))
    cdef uint8_t *place
    if not is_clearing(record) or days == 0 or channel > 255:
        return
    place = &closed_dates[<size_t>days * 32 + (channel >> 3)]
    place[0] = place[0] | bit if is_closed else place[0] & <uint8_t>~bit


cdef void find_closed_dates(uint8_t *closed_dates, const account_table *accounts, const hold_table *holds) noexcept nogil:
    """Fill the bits from accounts and holds: an account that an open hold keeps closed is not closed for good."""
    cdef const hold *held
    cdef uint32_t at
    for at in range(accounts.count):
        if accounts.records[at].flags & ACCOUNT_CLOSED:
            set_date_closed(closed_dates, &accounts.records[at], True)
    for at in range(holds.used):
        held = &holds.holds[at]
        if held.seq != 0 and held.flags & LEG_CLOSING_DEBIT:
            set_date_closed(closed_dates, &accounts.records[held.debit_slot], False)
        if held.seq != 0 and held.flags & LEG_CLOSING_CREDIT:
            set_date_closed(closed_dates, &accounts.records[held.credit_slot], False)


cdef inline bint is_at_zero(const account_record *record) noexcept nogil:
    return record.debits_posted == record.credits_posted and record.debits_pending == 0 and record.credits_pending == 0
