# What the parts about the past own: account_walk, past_accounts. Part of _core.pxd.

cdef struct account_sums:
    uint64_t debits_pending
    uint64_t debits_posted
    uint64_t credits_pending
    uint64_t credits_posted

cdef struct entry_filter:
    int64_t code  # -1: any; so are the next two
    int64_t channel
    int64_t counter_slot
    uint16_t first_value_date
    uint16_t last_value_date
    uint64_t first_seq
    uint64_t last_seq
    int64_t first_ms
    int64_t last_ms
    bint openings

cdef struct walk_line:
    uint64_t seq
    journal_entry entry
    account_sums behind
    account_sums before

cdef enum:
    MOST_MARKS = 16


@cython.final
cdef class AccountWalk:
    cdef EntryReader entries
    cdef uint32_t slot
    cdef uint64_t next_seq  # the position
    cdef account_sums behind  # behind the entry at the position
    cdef account_sums start
    cdef account_sums counted
    cdef entry_filter wanted
    cdef walk_line *lines
    cdef size_t capacity  # 0: only going back
    cdef size_t found
    cdef bint keeps_oldest  # lines is a ring
    cdef bint keeps_bounds  # the walk ends at the lower bounds of wanted
    cdef uint64_t marks[MOST_MARKS]  # falling
    cdef int mark_count
    cdef uint64_t mark_spacing
    cdef uint64_t passed

    cdef read_status read_line(self, walk_line *line, bint *is_debit, uint64_t *previous_seq) noexcept nogil
    cdef void mark(self, uint64_t seq) noexcept nogil
    cdef bint is_full(self) noexcept nogil
    cdef bint go_back(self, uint64_t stop_seq) noexcept nogil
    cdef int walk(self, uint64_t stop_seq) except -1
    cdef int make_room(self, size_t capacity) except -1
    cdef int walk_newest(self, size_t limit) except -1

cdef struct account_totals:
    uint64_t key  # kind << 16 | book
    uint64_t accounts
    wide_uint debits_pending
    wide_uint debits_posted
    wide_uint credits_pending
    wide_uint credits_posted

cdef struct totals_table:
    account_totals *totals
    uint32_t count
    uint32_t *number_of  # by key, from 1; 0: none yet


@cython.final
cdef class PastAccounts:
    cdef JournalReader reader
    cdef account_record *records  # by slot
    cdef uint32_t account_count
    cdef readonly uint64_t seq  # applied so far
    cdef uint64_t last_seq
    cdef int32_t last_value_date  # -1: all entries count in full

    cdef void apply_posted(self, const journal_entry *entry, uint64_t seq) noexcept nogil
    cdef read_status apply_frame(self, const frame_header *frame) noexcept nogil
