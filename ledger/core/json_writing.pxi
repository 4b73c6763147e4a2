# Writing JSON by hand, without the GIL: numbers, dates, accounts, and the names of events. Owns nothing; uses decode.pxi for
# channels and serials. Each function writes at `at` and returns where to go on; whoever calls has the room.

from libc.string cimport strlen

from ledger.account_ids import AccountKind
from ledger.record_enums import EntryKind, EventType

cdef enum:
    EVENT_KEY_ROOM = 128  # more than channel/business date/serial takes
    ACCOUNT_ROOM = 96  # more than kind:number takes
    DATE_BYTES = 10
    WIDE_DIGITS = 18  # decimal digits that 64 bits hold
    NAMED_NUMBERS = 64  # more than any enumeration has

cdef uint64_t WIDE_DIGITS_LIMIT = 1_000_000_000_000_000_000
cdef const char *ACCOUNT_KIND_NAMES[NAMED_NUMBERS]
cdef const char *ENTRY_KIND_NAMES[NAMED_NUMBERS]
cdef const char *EVENT_TYPE_NAMES[NAMED_NUMBERS]
cdef list NAMES_KEPT = []  # what they point to


cdef int name_members(const char **names, enumeration) except -1:
    cdef bytes name
    for member in enumeration:
        name = member.name.encode()
        NAMES_KEPT.append(name)
        names[<int>member] = name
    return 0


name_members(ACCOUNT_KIND_NAMES, AccountKind)
name_members(ENTRY_KIND_NAMES, EntryKind)
name_members(EVENT_TYPE_NAMES, EventType)


cdef inline char *put_text(char *at, const char *text) noexcept nogil:
    cdef size_t size = strlen(text)
    memcpy(at, text, size)
    return at + size


cdef inline char *put_digit_pair(char *at, uint32_t number) noexcept nogil:
    memcpy(at, DIGIT_PAIRS + 2 * number, 2)
    return at + 2


cdef char *put_number(char *at, uint64_t number) noexcept nogil:
    cdef char digits[20]
    cdef int begin = sizeof(digits)
    while number >= 100:
        begin -= 2
        put_digit_pair(digits + begin, <uint32_t>(number % 100))
        number //= 100
    begin -= 2
    put_digit_pair(digits + begin, <uint32_t>number)
    begin += number < 10
    memcpy(at, digits + begin, sizeof(digits) - begin)
    return at + (sizeof(digits) - begin)


cdef inline char *put_signed(char *at, int64_t number) noexcept nogil:
    if number >= 0:
        return put_number(at, <uint64_t>number)
    at[0] = c'-'
    return put_number(at + 1, 0 - <uint64_t>number)


cdef inline char *put_padded(char *at, uint64_t number, int digits) noexcept nogil:
    """Write the last ``digits`` decimal digits of a number, zeros before it."""
    cdef int place = digits
    while place > 0:
        place -= 1
        at[place] = <char>(c'0' + number % 10)
        number //= 10
    return at + digits


cdef inline char *put_name(char *at, const char **names, uint64_t number) noexcept nogil:
    """Write the name of a number; a number that has none as it is."""
    if number < NAMED_NUMBERS and names[number] != NULL:
        return put_text(at, names[number])
    return put_number(at, number)


cdef char *put_account(char *at, uint64_t id_high, uint64_t id_low) noexcept nogil:
    """Write an account as ledger.account_ids.format_account does."""
    cdef uint64_t kind = id_high >> 56
    cdef int digits = (id_high >> 48) & 0x3F
    cdef wide_uint number = <wide_uint>(id_high & <uint64_t>0xFFFFFFFFFFFF) << 64 | id_low
    at = put_name(at, ACCOUNT_KIND_NAMES, kind)
    at = put_text(at, b":")
    if digits > WIDE_DIGITS:
        at = put_padded(at, <uint64_t>(number // <wide_uint>WIDE_DIGITS_LIMIT), digits - WIDE_DIGITS)
        return put_padded(at, <uint64_t>(number % <wide_uint>WIDE_DIGITS_LIMIT), WIDE_DIGITS)
    return put_padded(at, <uint64_t>number, digits)


cdef char *put_date(char *at, uint32_t days) noexcept nogil:
    """Write days since 1970-01-01 as YYYY-MM-DD, counting years from March so that leap days come last."""
    cdef uint32_t day = days + 719_468
    cdef uint32_t era = day // 146_097
    cdef uint32_t day_of_era = day % 146_097
    cdef uint32_t year = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    cdef uint32_t day_of_year = day_of_era - (365 * year + year // 4 - year // 100)
    cdef uint32_t month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    year += 400 * era + (month <= 2)
    at = put_digit_pair(put_digit_pair(at, year // 100), year % 100)
    at[0] = c'-'
    at = put_digit_pair(at + 1, month)
    at[0] = c'-'
    return put_digit_pair(at + 1, day)


cdef char *put_escaped(char *at, const char *text, int size) noexcept nogil:
    """Write text as the inside of a JSON string."""
    cdef int i
    cdef uint8_t byte
    for i in range(size):
        byte = <uint8_t>text[i]
        if byte < 0x20:
            at = put_text(at, b"\\u00")
            at[0] = c'0' + (byte >> 4)
            at[1] = b"0123456789abcdef"[byte & 0xF]
            at += 2
            continue
        if byte == c'"' or byte == c'\\':
            at[0] = c'\\'
            at += 1
        at[0] = <char>byte
        at += 1
    return at


cdef inline char *put_member(char *at, const char *name, uint64_t number) noexcept nogil:
    """Write a number as a member of a JSON object; ``name`` is all that stands before it, comma and colon included."""
    return put_number(put_text(at, name), number)


cdef void name_event(
    event_name *name, const channel_table *channels, uint16_t channel, uint16_t business_date, const uint8_t *serial
) noexcept nogil:
    """Fill in what is known of an idempotency key; the rest stays empty."""
    cdef uint64_t halves[2]
    memset(name, 0, sizeof(event_name))
    memcpy(halves, serial, 16)
    if business_date:
        put_date(name.business_date, business_date)
    if channel < 256 and channels.profiles[channel].serial_form:
        name.channel = &channels.profiles[channel]
        if halves[0] or halves[1]:
            name.serial_bytes = render_serial(serial, name.channel.serial_form, name.serial)


cdef char *put_event_name(char *at, const event_name *name) noexcept nogil:
    if name.channel != NULL:
        at = put_text(at, b',"channel":"')
        at = put_escaped(at, name.channel.name, name.channel.name_bytes)
        at = put_text(at, b'"')
    if name.business_date[0]:
        at = put_text(at, b',"business_date":"')
        memcpy(at, name.business_date, DATE_BYTES)
        at = put_text(at + DATE_BYTES, b'"')
    if name.serial_bytes:
        at = put_text(at, b',"serial":"')
        at = put_escaped(at, name.serial, name.serial_bytes)
        at = put_text(at, b'"')
    return at


cdef int64_t write_event_key(char *key, const event_name *name) noexcept nogil:
    """Write channel/business date/serial; return its length, -1 where one of the three is not known."""
    cdef char *at = key
    if name.channel == NULL or not name.business_date[0] or not name.serial_bytes:
        return -1
    memcpy(at, name.channel.name, name.channel.name_bytes)
    at = put_text(at + name.channel.name_bytes, b"/")
    memcpy(at, name.business_date, DATE_BYTES)
    at = put_text(at + DATE_BYTES, b"/")
    memcpy(at, name.serial, name.serial_bytes)
    return at + name.serial_bytes - key
