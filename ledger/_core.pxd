# cython: language_level=3
"""Declarations of the extension module: stored records, then what each part under core/ owns, in the order of _core.pyx."""

cimport cython
from cpython.object cimport PyObject
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from posix.time cimport timespec

include "core/record_declarations.pxi"

cdef extern from * nogil:
    """
    typedef unsigned __int128 wide_uint;
    """
    ctypedef unsigned long long wide_uint  # told to Python by python_int

# --- core/checksums.pxi -------------------------------------------------------------------------------------------------

cdef extern from "ledger/core/crc32c.h" nogil:
    uint32_t crc32c(uint32_t crc, const void *data, size_t length)
    uint32_t crc32c_portable(uint32_t state, const uint8_t *data, size_t length)

# --- core/record_batches.pxi --------------------------------------------------------------------------------------------

cdef enum:
    WALK_MORE = 0
    WALK_END = 1
    WALK_CORRUPT_CRC = 2
    WALK_TRUNCATED = 3
    WALK_MALFORMED = 4
    WALK_COMPRESSED = 5
    WALK_MAGIC_UNKNOWN = 6

cdef struct record_view:
    const uint8_t *value
    int64_t value_bytes
    int64_t offset
    int64_t timestamp_ms
    const uint8_t *body
    int64_t body_bytes

cdef struct batch_header:
    int64_t base_offset
    int64_t batch_bytes
    int magic
    uint32_t crc
    uint16_t attributes
    int32_t last_offset_delta
    int64_t base_timestamp_ms
    int64_t max_timestamp_ms
    int32_t record_count

cdef struct record_fields:
    int64_t timestamp_delta
    int64_t offset_delta
    const uint8_t *key
    int64_t key_bytes
    const uint8_t *value
    int64_t value_bytes

cdef struct batch_walker:
    const uint8_t *data
    size_t length
    size_t next_batch
    int64_t first_offset
    const uint8_t *record
    const uint8_t *batch_end
    int32_t record_count
    int32_t records_left
    int32_t last_offset_delta
    int64_t previous_delta
    int64_t timestamp_ms
    int64_t timestamp_delta_mask
    int status
    int64_t base_offset
    uint64_t byte_offset
    uint32_t expected
    uint32_t found

cdef void walker_open(batch_walker *w, const uint8_t *data, size_t length, int64_t first_offset) noexcept nogil
cdef int walker_fill(batch_walker *w, record_view *records, int capacity) noexcept nogil
cdef object walk_error(const batch_walker *w)

# --- core/batch_building.pxi --------------------------------------------------------------------------------------------

cdef struct batch_builder:
    uint8_t *data
    size_t capacity
    size_t length
    int32_t record_count
    int64_t base_timestamp_ms
    int64_t max_timestamp_ms

cdef struct event_source:
    int64_t count
    const uint8_t *values
    const int64_t *value_ends
    const uint8_t *households
    int64_t household_stride
    const int64_t *timestamps_ms

cdef void builder_open(batch_builder *b, uint8_t *data, size_t capacity) noexcept nogil
cdef bint builder_add(
    batch_builder *b, const uint8_t *key, int64_t key_bytes, const uint8_t *value, int64_t value_bytes, int64_t timestamp_ms
) noexcept nogil
cdef size_t builder_close(batch_builder *b, int64_t base_offset) noexcept nogil

# --- core/decode.pxi ----------------------------------------------------------------------------------------------------

include "core/decode_declarations.pxi"

# --- digests, segments, frame_ring, journal, journal_reader, entry_reader -----------------------------------------------

include "core/journal_declarations.pxi"

# --- core/json_writing.pxi, core/outcome_rendering.pxi ------------------------------------------------------------------

cdef struct event_name:
    const channel_profile *channel  # NULL: not known
    char business_date[10]  # begins with a zero byte where it is not known
    char serial[36]
    int serial_bytes

cdef struct render_place:  # in a frame: what comes next
    uint32_t entry
    uint32_t outcome
    bint is_credit  # of a balance change: the second account of the entry

cdef enum render_status:
    RENDER_DONE = 0
    RENDER_FULL = 1  # the batch: take it, and go on from the place reached
    RENDER_FAILED = 2  # the renderer knows why

cdef class BatchRenderer:
    cdef channel_table channels
    cdef bytearray room
    cdef batch_builder builder

    cdef render_status render(self, const frame_header *frame, render_place *place) noexcept nogil
    cdef int raise_failure(self) except -1
    cdef bint add_value(
        self, const char *key, int64_t key_bytes, const char *value, const char *end, int64_t timestamp_ms
    ) noexcept nogil
    cdef bint add_event_value(
        self, const event_name *name, const char *value, const char *end, int64_t timestamp_ms
    ) noexcept nogil

cdef class OutcomeRenderer(BatchRenderer):
    cdef const char *reasons[256]
    cdef list reason_names  # keeps what reasons points to
    cdef bint refused_only

    cdef bint add_applied(self, const journal_entry *entry, uint64_t seq) noexcept nogil
    cdef bint add_outcome(self, const outcome_record *outcome) noexcept nogil

# --- core/page_pool.pxi ------------------------------------------------------------------------------------------------

cdef enum:
    HUGE_PAGE_BYTES = 2 << 20
    PAGES_AHEAD = 16

cdef struct page_pool:
    pthread_mutex_t mutex
    pthread_cond_t changed
    pthread_t thread
    bint has_thread
    bint closing
    size_t pages_ahead  # how many to keep ready
    size_t ready_count
    uint8_t *ready  # zeroed; a list through their first bytes
    uint8_t *returned  # the same, with anything in them
    uint8_t **arenas
    size_t arena_count
    uint8_t *fresh  # the part of the last arena that was never given
    uint8_t *fresh_end

# --- core/accounts.pxi --------------------------------------------------------------------------------------------------

cdef struct account_table:
    account_record *records
    uint64_t *cells
    uint64_t cell_count
    uint64_t hash_seed
    uint32_t count

# --- core/keys.pxi ------------------------------------------------------------------------------------------------------

cdef struct key_part:
    key_line *lines  # the memory of the part; the slots follow
    key_slot *slots
    uint32_t units
    uint32_t line_count
    uint32_t keys
    uint32_t most_keys  # before it grows
    uint32_t crc32c
    uint8_t depth  # how many bits of the hash all its keys share
    bint in_file
    bint checked

cdef struct key_table:
    key_part **parts  # the directory, addressed by the first bits of the hash
    uint32_t clearing_slots[256]
    uint64_t keys_added
    uint8_t *file_map
    size_t file_bytes
    uint16_t business_date
    uint8_t depth  # how many bits the directory takes

cdef struct key_tables:
    key_table **by_date
    uint64_t hash_seed
    page_pool pool

cdef void key_table_free(page_pool *pool, key_table *table) noexcept nogil


@cython.final
cdef class KeyFiles:
    cdef key_tables *tables
    cdef object posting
    cdef bytes ledger_id

cdef int check_key_header(str path, const uint8_t *memory, uint64_t hash_seed, bytes ledger_id) except -1
cdef key_table *open_key_table(str path, uint64_t hash_seed, bytes ledger_id) except NULL

cdef extern from *:
    """
    typedef __int128 wide_int;
    """
    ctypedef long long wide_int

# --- core/holds.pxi -----------------------------------------------------------------------------------------------------

cdef enum hold_state:
    HOLD_OPEN = 0
    HOLD_POSTED = 1  # by an earlier leg of the event under way
    HOLD_VOIDED = 2
    HOLD_EXPIRED = 3

cdef struct hold_key:
    uint8_t serial[16]
    uint16_t channel
    uint16_t business_date
    uint32_t leg

cdef struct hold:
    hold_key key
    uint64_t seq  # of its pending entry; 0: the place is free
    uint64_t amount_fen
    uint64_t detail
    int64_t due_ms
    uint32_t debit_slot
    uint32_t credit_slot
    uint32_t next_by_key
    uint32_t next_by_seq
    uint32_t previous_due
    uint32_t next_due
    uint16_t code
    uint16_t flags
    uint16_t value_date
    uint8_t event_type
    uint8_t state

cdef struct due_instant:
    int64_t due_ms
    uint32_t first
    uint32_t last
    uint32_t next_by_instant
    uint32_t heap_at         # NO_HOLD: the place is free

cdef struct hold_table:
    hold *holds
    due_instant *instants
    uint32_t *heap
    uint32_t *by_key
    uint32_t *by_seq
    uint32_t *by_instant
    uint64_t index_mask
    uint64_t hash_seed
    uint32_t used
    uint32_t count
    uint32_t free_hold
    uint32_t instants_used
    uint32_t free_instant
    uint32_t heap_count

cdef int hold_index_resize(hold_table *table, uint64_t size) noexcept nogil
cdef void hold_link(hold_table *table, uint32_t at) noexcept nogil
cdef void instant_link(hold_table *table, uint32_t at) noexcept nogil

# --- core/limits.pxi ----------------------------------------------------------------------------------------------------

cdef enum:
    LIMIT_LEVELS = 8

cdef struct limit_record:  # of an account with a credit line, with a parent, or with accounts below it
    uint32_t slot
    uint32_t parent  # index of its limit record + 1; 0 none
    uint64_t credit_line_fen
    wide_int exposure  # debits, pending and posted, less posted credits, of the account and all below it

cdef struct limit_table:
    limit_record *records
    uint32_t *index_of_slot  # index + 1; 0 none
    uint32_t count

cdef struct reversal_table:
    reversal_place *places  # seq 0: free
    uint64_t mask
    uint64_t count

# --- core/posting.pxi ---------------------------------------------------------------------------------------------------

cdef enum:
    GROUP_EVENTS = 64
    LEGS_AHEAD = 4  # of an event, so many legs are looked at ahead
    HOUSEHOLD_ENTRIES = 3  # two accounts opened and a transfer
    LEDGER_ENTRIES = 508  # a post and a release for each of MAX_LEGS legs
    STOPPED_INSIDE_EVENT = 0xFFFE  # no outcome: stop_status says why the engine stops
    APPLY_DONE = 0
    APPLY_STOPPED = 1
    APPLY_NO_MEMORY = 2
    APPLY_KEYS_DAMAGED = 3

cdef struct prepared_event:
    packed_event event
    record_view record
    uint64_t key_hash
    uint64_t household_hash
    const key_line *key_home
    packed_leg *legs
    uint32_t leg_hashes[LEGS_AHEAD][2]
    uint32_t household_slot
    uint16_t code
    uint8_t leg_count

cdef struct leg_posting:  # what one leg is about to write
    uint64_t amount_fen
    uint64_t reference_seq
    uint64_t detail
    uint32_t debit_slot
    uint32_t credit_slot
    uint16_t code
    uint16_t flags
    uint8_t kind
    uint8_t number
    uint8_t count

cdef struct account_undo:
    account_record before
    uint32_t slot

cdef struct event_undo:  # what takes back the legs of the event under way
    account_undo accounts[1016]
    uint32_t settled[254]
    uint32_t made[254]
    uint32_t account_count
    uint32_t settled_count
    uint32_t made_count

cdef struct original_leg:  # of an event that is being reversed
    journal_entry entry
    uint64_t seq
    uint64_t left_fen


@cython.final
cdef class Posting:
    cdef account_table accounts
    cdef key_tables keys
    cdef channel_table channels
    cdef JournalWriter writer
    cdef EntryReader entries
    cdef hold_table holds
    cdef limit_table limits
    cdef reversal_table reversals
    cdef uint8_t *closed_dates
    cdef packed_leg *legs  # MAX_LEGS for each event of a group
    cdef original_leg *originals
    cdef event_undo undo
    cdef account_record unopened  # stands for an account that is not open yet
    cdef uint64_t known_seq
    cdef int stop_status
    cdef uint8_t fault_leg
    cdef uint8_t fault_level
    cdef object failure
    cdef bint stopped
    cdef frame_buffer *frame
    cdef int64_t utc_offset_minutes
    cdef int64_t close_after_days
    cdef int64_t future_days
    cdef readonly int64_t ledger_time_ms
    cdef int64_t ledger_date
    cdef int64_t day_ends_ms
    cdef readonly int64_t next_offset
    cdef int64_t sealed_offset
    cdef readonly uint64_t last_seq
    cdef readonly uint64_t sealed_frame
    cdef readonly uint64_t records_consumed
    cdef readonly uint64_t events_applied
    cdef readonly uint64_t events_existing
    cdef readonly uint64_t events_refused
    cdef uint32_t revenue_slot
    cdef record_view records[GROUP_EVENTS]
    cdef prepared_event group[GROUP_EVENTS]
    cdef void move_clock(self, int64_t timestamp_ms) noexcept nogil
    cdef void turn_day(self) noexcept nogil
    cdef int roll_frame(self, uint32_t payload_bytes) noexcept nogil
    cdef int seal_frame(self) noexcept nogil
    cdef int make_room(self, uint32_t entries, int64_t payload_bytes) noexcept nogil
    cdef void add_outcome(
        self, const packed_event *event, const record_view *record, uint16_t code, uint64_t seq, uint8_t payload_kind
    ) noexcept nogil
    cdef int refuse(self, const prepared_event *prepared, uint16_t code) noexcept nogil
    cdef int answer_known_key(self, const prepared_event *prepared, const key_slot *slot) noexcept nogil
    cdef int answer_failed_key(self, const prepared_event *prepared, const key_slot *slot) noexcept nogil
    cdef bint read_entry(self, uint64_t seq, journal_entry *entry) noexcept nogil
    cdef bint read_original(self, uint64_t seq, journal_entry *entry) noexcept
    cdef uint16_t stop_inside_event(self, uint64_t seq) noexcept nogil
    cdef int stop_at_damaged_original(self, uint64_t seq) noexcept with gil
    cdef journal_entry *next_entry(self, const prepared_event *prepared) noexcept nogil
    cdef int apply_event(self, prepared_event *prepared) noexcept nogil
    cdef int apply_fresh(self, const prepared_event *prepared, key_table *table) noexcept nogil
    cdef int remember_key(
        self, const prepared_event *prepared, key_table *table, uint64_t hash_, uint64_t seq
    ) noexcept nogil
    cdef void prepare(self, prepared_event *prepared) noexcept nogil
    cdef int prefetch_homes(self, int count) noexcept nogil
    cdef void prefetch_records(self, int count, bint with_legs) noexcept nogil
    cdef int apply_group(self, int count) noexcept nogil
    cdef int apply_batches(self, batch_walker *walker, int64_t next_offset) noexcept nogil
    cdef int finish_block(self) noexcept nogil
    cdef int check(self, int status) except -1
    cdef int check_usable(self) except -1

cdef uint16_t settle_leg(
    Posting posting, const prepared_event *prepared, const packed_leg *leg, uint8_t number
) noexcept nogil

# --- core/lmdb_api.pxi, core/balance_file.pxi ---------------------------------------------------------------------------

include "core/projection_declarations.pxi"

# --- core/account_walk.pxi, core/past_accounts.pxi ----------------------------------------------------------------------

include "core/history_declarations.pxi"

# --- core/change_rendering.pxi ------------------------------------------------------------------------------------------

cdef class ChangeRenderer(BatchRenderer):
    cdef BalanceFile file
    cdef void *txn
    cdef const journal_entry *frame_end  # behind the last entry of the frame under way
    cdef int failure  # LMDB's or the system's number, or of CHANGE_*
    cdef uint64_t failure_seq

    cdef render_status failed(self, int code, uint64_t seq) noexcept nogil
    cdef render_status render_entry(self, const journal_entry *entry, uint64_t seq, render_place *place) noexcept nogil

cdef class BalanceRenderer(ChangeRenderer):
    cdef bint add_balance(self, const account_record *record, const journal_entry *entry) noexcept nogil

cdef class EntryRenderer(ChangeRenderer):
    cdef char *put_effect(self, char *at, const journal_entry *entry, int *code) noexcept nogil
    cdef char *put_opening(self, char *at, const journal_entry *entry, int *code) noexcept nogil
    cdef char *put_movement(self, char *at, const journal_entry *entry, int *code) noexcept nogil

# --- core/recovery.pxi --------------------------------------------------------------------------------------------------


@cython.final
cdef class Replay:
    cdef Posting posting
    cdef uint64_t accounts_seq
    cdef uint64_t keys_seq
    cdef uint64_t keys_frame
    cdef uint64_t state_seq
    cdef int failed_key(self, const outcome_record *outcome) noexcept nogil
    cdef int apply_entry(self, const journal_entry *entry, uint64_t seq) noexcept nogil
    cdef int account_entry(self, const journal_entry *entry, uint64_t seq) noexcept nogil
    cdef int key_entry(self, const journal_entry *entry, uint64_t seq) noexcept nogil
    cdef void prefetch_entry(self, const journal_entry *entry) noexcept nogil
    cdef uint64_t apply_frame(self, const frame_header *frame, const journal_entry *entries) noexcept nogil
