# The state digest: 128 bits over all accounts, the sum of a number that each has of its own. So whoever changes an account takes
# its old number out and puts its new one in. Owns account_digest; docs/proofs.md defines it, tests hold it against plain Python.

cdef uint64_t[10] STATE_KEYS = [  # the first digits of pi behind the point
    0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89, 0x452821E638D01377,
    0xBE5466CF34E90C6C, 0xC0AC29B7C97C50DD, 0x3F84D5B5B5470917, 0x9216D5D98979FB1B, 0xD1310BA698DFB5AC,
]


cdef inline wide_uint multiply_words(uint64_t a, uint64_t b, int key) noexcept nogil:
    return <wide_uint>(a ^ STATE_KEYS[key]) * (b ^ STATE_KEYS[key + 1])


cdef inline wide_uint account_digest(const account_record *record, uint32_t slot) noexcept nogil:
    cdef uint64_t marks = record.book | <uint64_t>record.flags << 16 | <uint64_t>record.limit_index << 32
    cdef wide_uint mixed = multiply_words(record.id_low, record.id_high, 0)
    mixed += multiply_words(record.debits_pending, record.debits_posted, 2)
    mixed += multiply_words(record.credits_pending, record.credits_posted, 4)
    mixed += multiply_words(record.last_seq, marks, 6)
    # Without this the sum over accounts would not notice an amount that went to the wrong one.
    return multiply_words(<uint64_t>mixed ^ slot, <uint64_t>(mixed >> 64), 8)


cdef inline wide_uint id_digest(uint64_t id_high, uint64_t id_low, uint32_t slot) noexcept nogil:
    """The number of an account that has nothing but its id."""
    cdef account_record record
    memset(&record, 0, sizeof(record))
    record.id_high, record.id_low = id_high, id_low
    return account_digest(&record, slot)


cdef wide_uint accounts_digest(const account_record *records, uint32_t first_slot, uint32_t count) noexcept nogil:
    cdef wide_uint digest = 0
    cdef uint32_t i
    for i in range(count):
        digest += account_digest(&records[i], first_slot + i)
    return digest


cdef object python_int(wide_uint number):
    return int(<uint64_t>(number >> 64)) << 64 | <uint64_t>number


def state_digest(const uint8_t[::1] records not None):
    """Return the 128-bit state digest of whole ``account_record``s, which are those of the slots from 0 on."""
    cdef uint32_t count = <uint32_t>(<size_t>records.shape[0] // sizeof(account_record))
    return python_int(accounts_digest(<const account_record *>&records[0], 0, count)) if count else 0
