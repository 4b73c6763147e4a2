# The note of an adjustment, as ledger.notes packs it in the legs behind the first: who allowed it, and why. Owns its checks and
# its writing; adjustments.pxi takes it on to the journal.

cdef extern from "Python.h" nogil:
    bint Py_UNICODE_ISPRINTABLE(Py_UCS4 character)  # a look into a table: needs no interpreter

cdef enum:
    MAX_PERSONS = 4         # as in ledger.notes
    MAX_PERSON_BYTES = 32
    MAX_REASON_BYTES = 200
    NOTE_LEGS = 5           # at most: a count, then so much text, each with its length before it


cdef struct text_slice:
    const uint8_t *text     # UTF-8, and of a JSON string what its escapes stand for
    size_t count

cdef struct note_texts:
    uint32_t person_count
    text_slice persons[MAX_PERSONS]     # the first of them
    text_slice reason


cdef bint is_note_text(const text_slice *given, size_t most_bytes) noexcept nogil:
    """Whether UTF-8 is printable text of at most so many bytes, without a space at either end."""
    cdef const uint8_t *at = given.text
    cdef const uint8_t *end = at + given.count
    cdef const uint8_t *next_at
    cdef uint32_t character
    if not 0 < given.count <= most_bytes or at[0] == c' ' or (end - 1)[0] == c' ':
        return False
    while at < end:
        next_at = character_end(at, end)
        character = at[0] if next_at - at == 1 else at[0] & 0x7F >> (next_at - at)
        at += 1
        while at < next_at:
            character = character << 6 | (at[0] & 0x3F)
            at += 1
        if not Py_UNICODE_ISPRINTABLE(character):
            return False
    return True


cdef bint persons_are_right(const note_texts *note) noexcept nogil:
    cdef uint32_t at, other
    if not 1 <= note.person_count <= MAX_PERSONS:
        return False
    for at in range(note.person_count):
        if not is_note_text(&note.persons[at], MAX_PERSON_BYTES):
            return False
        for other in range(at):
            if note.persons[at].count == note.persons[other].count \
                    and memcmp(note.persons[at].text, note.persons[other].text, note.persons[at].count) == 0:
                return False
    return True


cdef uint64_t adjustment_problems(const note_texts *note, uint64_t amount_fen, const channel_profile *profile) noexcept nogil:
    """What is wrong with the amount and the note of an adjustment: a bit for each outcome code."""
    cdef uint64_t problems = 0
    problems |= bit_if(amount_fen == 0, OUTCOME_AMOUNT_NOT_POSITIVE) | bit_if(amount_fen >> 63, OUTCOME_AMOUNT_TOO_GREAT)
    problems |= bit_if(not persons_are_right(note), OUTCOME_ALLOWANCE_MALFORMED)
    problems |= bit_if(not is_note_text(&note.reason, MAX_REASON_BYTES), OUTCOME_REASON_MALFORMED)
    return problems | bit_if(amount_fen > profile.one_person_fen and note.person_count < 2, OUTCOME_SECOND_PERSON_MISSING)


cdef inline uint8_t *pack_note_text(uint8_t *to, const text_slice *given) noexcept nogil:
    to[0] = <uint8_t>given.count
    memcpy(to + 1, given.text, given.count)
    return to + 1 + given.count


cdef uint64_t pack_note(const note_texts *note, packed_leg *legs) noexcept nogil:
    """Write a note that is right to at most NOTE_LEGS legs; return how many it takes."""
    cdef uint8_t *first = <uint8_t *>legs
    cdef uint8_t *to = first + 1
    cdef uint32_t at
    memset(legs, 0, NOTE_LEGS * sizeof(packed_leg))
    first[0] = <uint8_t>note.person_count
    for at in range(note.person_count):
        to = pack_note_text(to, &note.persons[at])
    to = pack_note_text(to, &note.reason)
    return (<uint64_t>(to - first) + sizeof(packed_leg) - 1) // sizeof(packed_leg)


cdef bint unpack_note(const uint8_t *at, const uint8_t *end, note_texts *note) noexcept nogil:
    """Find the texts of a packed note; False where it is cut off, no UTF-8, or not in as few legs as it needs."""
    cdef const uint8_t *text_end
    cdef text_slice *found
    cdef uint32_t number
    if at == end:
        return False
    note.person_count = at[0]
    at += 1
    for number in range(note.person_count + 1):
        if at == end or end - at <= at[0]:
            return False
        found = &note.reason if number >= MAX_PERSONS or number == note.person_count else &note.persons[number]
        found.text = at + 1
        found.count = at[0]
        at += 1 + found.count
        if not is_utf8(found.text, found.count):
            return False
    text_end = at
    return end - text_end < <int64_t>sizeof(packed_leg) and is_all_zero(text_end, end - text_end)
