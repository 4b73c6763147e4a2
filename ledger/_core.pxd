# cython: language_level=3
"""Declarations of the extension module: stored records, then what each part under core/ owns, in the order of _core.pyx."""

cimport cython
from cpython.object cimport PyObject
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from posix.time cimport timespec

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
        uint8_t reserved[16]

    ctypedef struct journal_entry:
        uint8_t serial[16]
        uint64_t amount_fen
        uint64_t debit_previous_seq
        uint64_t credit_previous_seq
        int64_t ledger_time_ms
        int64_t source_offset
        uint64_t reference_seq
        uint64_t detail
        uint32_t debit_slot
        uint32_t credit_slot
        uint16_t business_date
        uint16_t value_date
        uint16_t channel
        uint16_t code
        uint8_t kind
        uint8_t event_type
        uint8_t leg
        uint8_t leg_count
        uint8_t reserved[4]

    ctypedef struct outcome_record:
        uint8_t serial[16]
        int64_t source_offset
        uint64_t seq
        int64_t record_timestamp_ms
        uint32_t payload_offset
        uint32_t payload_bytes
        uint16_t code
        uint16_t first_code
        uint16_t channel
        uint16_t business_date
        uint8_t event_type
        uint8_t payload_kind
        uint8_t reserved[6]

    ctypedef struct digest_record:
        uint64_t block
        uint8_t digest[32]
        uint8_t reserved[8]

    ctypedef struct frame_header:
        uint32_t magic
        uint32_t crc32c
        uint32_t frame_bytes
        uint32_t entry_count
        uint32_t outcome_count
        uint32_t digest_count
        uint32_t payload_bytes
        uint32_t reserved
        uint64_t frame_number
        uint64_t segment_number
        uint64_t first_seq
        uint64_t epoch
        int64_t ledger_time_ms
        int64_t next_offset
        uint64_t records_consumed
        uint64_t events_applied
        uint64_t events_existing
        uint64_t events_refused
        uint8_t reserved_tail[16]

    ctypedef struct segment_header:
        uint32_t magic
        uint32_t crc32c
        uint32_t format_version
        uint32_t close_after_days
        uint8_t ledger_id[16]
        uint64_t segment_number
        uint64_t first_frame_number
        uint64_t first_seq
        uint64_t epoch
        uint64_t segment_bytes
        uint64_t previous_segment_end
        int32_t utc_offset_minutes
        uint32_t future_days
        uint8_t last_digest[32]
        uint64_t hash_seed
        char source[128]

    ctypedef struct index_header:
        uint32_t magic
        uint32_t crc32c
        uint32_t format_version
        uint32_t reserved
        uint8_t ledger_id[16]
        uint64_t segment_number
        uint64_t segment_end
        uint64_t frame_count
        uint64_t reserved_tail

    ctypedef struct frame_place:
        uint64_t first_seq
        uint64_t byte_offset

    ctypedef struct account_record:
        uint64_t id_low
        uint64_t id_high
        uint64_t debits_pending
        uint64_t debits_posted
        uint64_t credits_pending
        uint64_t credits_posted
        uint64_t last_seq
        uint16_t book
        uint16_t flags
        uint32_t limit_index

    ctypedef struct account_block_header:
        uint64_t last_seq
        uint32_t block
        uint32_t account_count

    ctypedef struct account_slot_record:
        uint32_t slot
        uint32_t reserved

    ctypedef struct balance_meta:
        uint32_t magic
        uint32_t format_version
        uint8_t ledger_id[16]
        uint64_t epoch
        uint64_t watermark_seq
        uint64_t watermark_frame
        int64_t ledger_time_ms
        int64_t next_offset
        uint64_t records_consumed
        uint64_t events_applied
        uint64_t events_existing
        uint64_t events_refused
        uint32_t account_count
        uint32_t clean
        char boot_id[40]

    ctypedef struct key_slot:
        uint8_t serial[16]
        uint64_t content_hash
        uint64_t seq_and_channel

    ctypedef struct key_table_header:
        uint32_t magic
        uint32_t crc32c
        uint32_t format_version
        uint32_t business_date
        uint64_t hash_seed
        uint8_t ledger_id[16]
        uint32_t slots_crc32c
        uint32_t reserved
        uint32_t part_capacity[64]
        uint32_t part_keys[64]

    ctypedef struct key_checkpoint:
        uint32_t magic
        uint32_t crc32c
        uint32_t format_version
        uint32_t reserved
        uint8_t ledger_id[16]
        uint64_t watermark_seq
        uint64_t watermark_frame

    ctypedef struct owner_record:
        uint32_t magic
        uint32_t format_version
        uint64_t epoch
        uint64_t pid
        int64_t since_ms
        char host[64]
        char boot_id[40]

    enum:
        FORMAT_VERSION
        PACKED_EVENT_VERSION
        EVENT_TYPE_BILL
        EVENT_TYPE_PAYMENT
        SERIAL_FORM_DIGITS
        SERIAL_FORM_UUID
        SERIAL_FORM_ASCII
        ACCOUNT_KIND_HOUSEHOLD
        ACCOUNT_KIND_CLEARING
        ACCOUNT_KIND_REVENUE
        ACCOUNT_DEBITS_MUST_NOT_EXCEED_CREDITS
        ACCOUNT_CREDITS_MUST_NOT_EXCEED_DEBITS
        ACCOUNT_CLOSED
        ACCOUNT_FROZEN
        ENTRY_KIND_OPEN_ACCOUNT
        ENTRY_KIND_TRANSFER
        ENTRY_CODE_OPEN_ACCOUNT
        ENTRY_CODE_BILL
        ENTRY_CODE_PAYMENT
        NO_SLOT
        FRAME_MAGIC
        SEGMENT_MAGIC
        KEY_TABLE_MAGIC
        KEY_CHECKPOINT_MAGIC
        OWNER_MAGIC
        INDEX_MAGIC
        BALANCE_MAGIC
        ENTRIES_PER_BLOCK
        ENTRIES_PER_LEAF
        ACCOUNTS_PER_BLOCK
        SEGMENT_HEADER_BYTES
        KEY_TABLE_HEADER_BYTES
        KEY_TABLE_PARTS
        PAYLOAD_NONE
        PAYLOAD_RECORD
        PAYLOAD_BATCH

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
    int64_t producer_id
    int16_t producer_epoch
    int32_t base_sequence
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
    uint64_t control_batches
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

# The numbers of ledger.outcomes.OutcomeCode; a test holds the two against each other.
cdef enum outcome_code:
    OUTCOME_APPLIED = 0
    OUTCOME_EXISTS = 1
    OUTCOME_CORRUPT_BATCH = 10
    OUTCOME_VALUE_MISSING = 11
    OUTCOME_ENCODING_UNKNOWN = 12
    OUTCOME_PACKED_MALFORMED = 13
    OUTCOME_JSON_MALFORMED = 14
    OUTCOME_MSGPACK_MALFORMED = 15
    OUTCOME_FIELD_DUPLICATED = 16
    OUTCOME_EVENT_TYPE_UNKNOWN = 17
    OUTCOME_FIELD_UNKNOWN = 18
    OUTCOME_FIELD_MISSING = 19
    OUTCOME_FIELD_TYPE_WRONG = 20
    OUTCOME_CHANNEL_UNKNOWN = 31
    OUTCOME_BUSINESS_DATE_INVALID = 32
    OUTCOME_VALUE_DATE_INVALID = 33
    OUTCOME_SERIAL_MALFORMED = 34
    OUTCOME_HOUSEHOLD_NOT_13_DIGITS = 35
    OUTCOME_AMOUNT_NOT_POSITIVE = 36
    OUTCOME_AMOUNT_TOO_GREAT = 37
    OUTCOME_OUTLET_MALFORMED = 38
    OUTCOME_PERIOD_INVALID = 39
    OUTCOME_DUE_DATE_INVALID = 40
    OUTCOME_EXISTS_WITH_DIFFERENT_DEBIT_ACCOUNT_ID = 137
    OUTCOME_EXISTS_WITH_DIFFERENT_CREDIT_ACCOUNT_ID = 138
    OUTCOME_EXISTS_WITH_DIFFERENT_AMOUNT = 139
    OUTCOME_EXISTS_WITH_DIFFERENT_OUTLET = 141
    OUTCOME_EXISTS_WITH_DIFFERENT_PERIOD = 142
    OUTCOME_EXISTS_WITH_DIFFERENT_DUE_DATE = 143
    OUTCOME_EXISTS_WITH_DIFFERENT_VALUE_DATE = 144
    OUTCOME_EXISTS_WITH_DIFFERENT_CODE = 145
    OUTCOME_ID_ALREADY_FAILED = 168
    OUTCOME_OVERFLOWS_DEBITS_POSTED = 149
    OUTCOME_OVERFLOWS_CREDITS_POSTED = 150
    OUTCOME_BUSINESS_DATE_CLOSED = 200
    OUTCOME_BUSINESS_DATE_IN_FUTURE = 201

cdef enum:
    DECODE_SLOW = 0xFFFF        # decode_event leaves this value to decode_event_slow
    CHANNEL_NAME_BYTES = 32
    CHANNEL_NAME_SLOTS = 1024
    RENDERED_SERIAL_BYTES = 36  # the longest text of a serial

cdef struct channel_profile:
    uint8_t serial_form         # SERIAL_FORM_*; 0: there is no such channel
    uint8_t event_type          # the one type that the channel publishes
    uint8_t name_bytes
    char name[CHANNEL_NAME_BYTES]

cdef struct channel_table:
    channel_profile profiles[256]               # by channel code
    uint8_t code_by_name[CHANNEL_NAME_SLOTS]    # open addressing; 0 empty
    PyObject *channels                          # owned: the tuple that the table was filled from

cdef class EventDecoder:
    cdef channel_table table

cdef int channel_table_fill(channel_table *table, object channels) except -1
cdef void channel_table_clear(channel_table *table) noexcept
cdef uint16_t channel_by_name(const channel_table *table, const char *name, size_t name_bytes) noexcept nogil
cdef uint16_t decode_event(
    const uint8_t *value, int64_t value_bytes, const channel_table *channels, packed_event *event
) noexcept nogil
cdef uint16_t decode_event_slow(
    const uint8_t *value, int64_t value_bytes, const channel_table *channels, packed_event *event
) noexcept
cdef int render_serial(const uint8_t *serial, int form, char *out) noexcept nogil

# --- digests, segments, frame_ring, journal, journal_reader, entry_reader -----------------------------------------------

cdef extern from "ledger/core/sha256.h" nogil:
    ctypedef struct sha256_context:
        uint32_t state[8]
        uint64_t length
        uint8_t tail[64]
    void sha256_begin(sha256_context *context)
    void sha256_add(sha256_context *context, const void *data, size_t length)
    void sha256_end(sha256_context *context, uint8_t *digest)

cdef extern from "<pthread.h>" nogil:
    ctypedef struct pthread_mutex_t:
        pass
    ctypedef struct pthread_cond_t:
        pass
    ctypedef struct pthread_condattr_t:
        pass
    int pthread_mutex_init(pthread_mutex_t *mutex, const void *attributes)
    int pthread_mutex_destroy(pthread_mutex_t *mutex)
    int pthread_mutex_lock(pthread_mutex_t *mutex)
    int pthread_mutex_unlock(pthread_mutex_t *mutex)
    int pthread_condattr_init(pthread_condattr_t *attributes)
    int pthread_condattr_setclock(pthread_condattr_t *attributes, int clock)
    int pthread_condattr_destroy(pthread_condattr_t *attributes)
    int pthread_cond_init(pthread_cond_t *condition, const pthread_condattr_t *attributes)
    int pthread_cond_destroy(pthread_cond_t *condition)
    int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
    int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const timespec *until)
    int pthread_cond_broadcast(pthread_cond_t *condition)

cdef extern from "<fcntl.h>" nogil:
    enum:
        O_DIRECT
    int fallocate(int fd, int mode, long offset, long length)

cdef extern from "<sys/eventfd.h>" nogil:
    enum:
        EFD_CLOEXEC
        EFD_NONBLOCK
    int eventfd(unsigned int initial, int flags)
    int eventfd_write(int fd, uint64_t value)

cdef struct block_digester:
    uint64_t entry_count  # digested so far; the next entry is entry_count + 1
    sha256_context leaf  # of the leaf that is not full yet
    uint8_t leaves[128][32]  # of the block that is not full yet
    uint8_t chain[32]  # digest of the last full block

cdef enum frame_state:
    FRAME_FREE
    FRAME_FILLING  # begin_frame gave it to the caller
    FRAME_SEALED  # waits for the journal thread
    FRAME_DURABLE  # can be pinned, or used again

cdef struct frame_buffer:
    # Filled by the caller. begin_frame sets the counters to those of the frame before.
    journal_entry *entries
    uint32_t entry_count
    uint32_t entry_capacity
    outcome_record *outcomes
    uint32_t outcome_count
    uint32_t outcome_capacity
    uint8_t *payload
    uint32_t payload_bytes
    uint32_t payload_capacity
    int64_t ledger_time_ms
    int64_t next_offset
    uint64_t records_consumed
    uint64_t events_applied
    uint64_t events_existing
    uint64_t events_refused
    # Set by begin_frame; the caller reads them.
    uint64_t first_seq
    uint64_t frame_number
    # The writer's own.
    uint8_t *image  # what is written: page-aligned; the frame lies in it at byte_offset % 4096
    size_t mapped_bytes  # image, outcomes and payload are one mapping
    uint64_t segment_number
    uint64_t byte_offset
    uint64_t previous_segment_end  # of a frame that begins a segment
    uint32_t frame_bytes
    frame_state state
    int pins

cdef enum writer_failure:
    WRITER_RUNS
    WRITER_WRITE_FAILED
    WRITER_FENCED
    WRITER_CLOSED

cdef class FrameRing:
    cdef frame_buffer *ring
    cdef uint32_t ring_frames
    cdef uint32_t entry_capacity
    cdef uint32_t outcome_capacity
    cdef uint32_t payload_capacity
    cdef uint64_t epoch
    cdef frame_header last_sealed  # what the next frame goes on from
    cdef uint64_t next_segment_number  # segment and position of the next frame to be sealed
    cdef uint64_t next_byte_offset
    cdef uint64_t next_segment_bytes
    cdef uint64_t standard_segment_bytes
    # Shared, under the mutex.
    cdef pthread_mutex_t mutex
    cdef pthread_cond_t changed
    cdef uint64_t sealed_frame
    cdef uint64_t written_frame
    cdef uint64_t written_seq
    cdef uint64_t wanted_segment  # to be prepared up to here
    cdef writer_failure failure
    cdef int failure_errno
    cdef uint64_t failure_segment
    cdef uint64_t failure_byte_offset
    cdef int event_fd

    # The producer's: one thread at a time.
    cdef frame_buffer *begin_frame(self, uint32_t payload_needed) noexcept nogil
    cdef int seal_frame(self, frame_buffer *frame) noexcept nogil
    cdef bint ring_entry(self, uint64_t seq, journal_entry *entry) noexcept nogil
    cdef int map_buffer(self, frame_buffer *frame, uint32_t payload_capacity) noexcept nogil
    cdef void place_frame(self, frame_buffer *frame) noexcept nogil
    # Any thread's.
    cdef const frame_header *pin_frame(self, uint64_t frame_number, int timeout_ms) noexcept nogil
    cdef void unpin_frame(self, uint64_t frame_number) noexcept nogil
    cdef bint wait_written(self, uint64_t frame_number, int timeout_ms) noexcept nogil
    cdef uint64_t get_durable_frame(self) noexcept nogil
    cdef uint64_t get_durable_seq(self) noexcept nogil
    cdef bint wait_change(self, const timespec *until) noexcept nogil
    cdef void fail(self, writer_failure failure, int error, uint64_t segment_number, uint64_t byte_offset) noexcept nogil
    cdef void notify(self) noexcept nogil

cdef class JournalWriter(FrameRing):
    cdef char folder[3072]
    cdef object owner_buffer
    cdef const volatile owner_record *owner
    cdef uint64_t fenced_by
    cdef bint closing  # under the mutex
    cdef bint preparing  # the preparing thread runs; under the mutex
    cdef uint64_t prepared_segment  # under the mutex
    cdef object threads
    # Touched by the journal thread only.
    cdef segment_header segment
    cdef int segment_fd
    cdef bint writes_direct
    cdef uint8_t tail_block[4096]  # the file's bytes of the 4 KiB block in which the next frame begins
    cdef block_digester digester

    cdef frame_buffer *next_sealed(self) noexcept nogil
    cdef void complete_image(self, frame_buffer *frame) noexcept nogil
    cdef int write_image(self, frame_buffer *frame) noexcept nogil
    cdef bint is_fenced(self) noexcept nogil
    cdef int start_segment(
        self, uint64_t number, uint64_t first_frame_number, uint64_t first_seq, uint64_t previous_segment_end,
        uint64_t segment_bytes
    ) noexcept nogil
    cdef bint write_frame(self, frame_buffer *frame) noexcept nogil
    cdef void write_frames(self) noexcept nogil
    cdef int wait_prepared(self, uint64_t number) noexcept nogil
    cdef uint64_t next_to_prepare(self) noexcept nogil
    cdef int prepare_next(self, uint64_t number) noexcept nogil

cdef enum read_status:
    READ_OK
    READ_END  # no more whole frame, or up_to_frame is reached
    READ_DAMAGED
    READ_OTHER_VERSION
    READ_FAILED  # the operating system refused; error_number says why

cdef enum damage_kind:
    DAMAGE_NONE
    DAMAGE_SEGMENT_MAGIC
    DAMAGE_SEGMENT_CRC
    DAMAGE_SEGMENT_BYTES
    DAMAGE_SEGMENT_FIELDS
    DAMAGE_SEGMENT_NUMBER
    DAMAGE_SEGMENT_FIRST_FRAME
    DAMAGE_SEGMENT_FIRST_SEQ
    DAMAGE_SEGMENT_LEDGER
    DAMAGE_SEGMENT_END
    DAMAGE_FRAME_MAGIC
    DAMAGE_FRAME_BYTES
    DAMAGE_FRAME_CRC
    DAMAGE_FRAME_NUMBER
    DAMAGE_FRAME_SEGMENT
    DAMAGE_FRAME_FIRST_SEQ
    DAMAGE_FRAME_EPOCH
    DAMAGE_FRAME_DIGESTS
    DAMAGE_FRAME_PAYLOAD

cdef struct damage_report:
    damage_kind kind
    uint64_t segment
    uint64_t seq
    uint64_t byte_offset
    uint64_t expected
    uint64_t found

cdef class JournalReader:
    cdef char folder[3072]
    cdef int segment_fd
    cdef readonly uint64_t segment_number  # 0: none is open yet
    cdef segment_header segment
    cdef uint64_t segment_end  # where the segment's frames end; 0 while no next segment says it
    cdef uint8_t *window  # bytes of the file from window_start on
    cdef size_t window_capacity
    cdef size_t window_bytes
    cdef uint64_t window_start
    cdef size_t read_ahead
    cdef uint64_t next_byte_offset
    cdef uint64_t next_frame_number
    cdef uint64_t next_seq
    cdef uint64_t last_epoch
    cdef public uint64_t up_to_frame  # 0: no limit
    cdef bint follow
    cdef readonly uint64_t bytes_read
    cdef read_status status
    cdef damage_report damage
    cdef int error_number

    # The next whole frame, in a buffer that the next call overwrites; NULL: look at status, or call raise_status().
    cdef const frame_header *read_frame(self) noexcept nogil
    cdef int raise_status(self) except -1
    cdef read_status damaged_at(self, damage_kind kind, uint64_t expected, uint64_t found) noexcept nogil
    cdef read_status failed(self, int error) noexcept nogil
    cdef read_status open_segment(self, uint64_t number, bint continues) noexcept nogil
    cdef read_status look_for_next_segment(self) noexcept nogil
    cdef const uint8_t *bytes_at(self, uint64_t byte_offset, size_t length) noexcept nogil
    cdef read_status check_frame(self) noexcept nogil
    cdef read_status end_or_damage(self) noexcept nogil
    cdef bint is_later_frame(self, uint64_t byte_offset) noexcept nogil
    cdef void close_segment(self) noexcept nogil
    cdef const frame_header *frame_header_here(self) noexcept nogil
    cdef void step_over(self, const frame_header *frame) noexcept nogil
    cdef void hop_to(self, uint64_t frame_number, uint64_t seq) noexcept nogil
    cdef bint begins_behind(self, uint64_t frame_number, uint64_t seq) noexcept nogil
    cdef read_status seek(self, uint64_t frame_number, uint64_t seq) noexcept nogil

cdef const journal_entry *frame_entries(const frame_header *frame) noexcept nogil
cdef const outcome_record *frame_outcomes(const frame_header *frame) noexcept nogil
cdef const digest_record *frame_digests(const frame_header *frame) noexcept nogil
cdef const uint8_t *frame_payload(const frame_header *frame) noexcept nogil

cdef enum:
    OPEN_SEGMENTS = 64  # an EntryReader keeps so many files open at most

cdef struct segment_places:
    uint64_t first_seq
    uint64_t next_seq  # behind the last place; 0 while none is known
    uint64_t end  # byte offset where the frames end; 0: of the last segment, nobody knows
    bint is_complete  # places has every frame of the segment
    frame_place *places
    size_t count
    size_t capacity
    void *mapping  # of the index file; NULL: places is on the heap
    size_t mapped_bytes

cdef class EntryReader:
    cdef JournalReader frames
    cdef segment_places *segments  # segment n at n - 1
    cdef size_t segment_count
    cdef uint64_t open_numbers[OPEN_SEGMENTS]
    cdef int open_fds[OPEN_SEGMENTS]
    cdef uint64_t read_count
    cdef uint64_t entry_bytes_read

    # READ_OK, READ_END (no such entry in the files yet), or what raise_status() of frames raises.
    cdef read_status copy_entry(self, uint64_t seq, journal_entry *entry) noexcept nogil
    cdef const char *folder_path(self) noexcept nogil
    cdef read_status add_segments(self) noexcept nogil
    cdef segment_places *segment_of(self, uint64_t seq) noexcept nogil
    cdef read_status find_places(self, segment_places *segment, uint64_t number, uint64_t seq) noexcept nogil
    cdef int segment_fd(self, uint64_t number) noexcept nogil
    cdef read_status read_place(self, const segment_places *segment, uint64_t seq, journal_entry *entry) noexcept nogil

cdef class Frame:
    cdef readonly bytes data
    cdef readonly uint64_t byte_offset
    cdef const frame_header *header
    cdef _part(self, const uint8_t *start, size_t length)

# --- core/outcome_rendering.pxi -----------------------------------------------------------------------------------------

cdef struct event_name:
    const channel_profile *channel  # NULL: not known
    char business_date[10]  # begins with a zero byte where it is not known
    char serial[36]
    int serial_bytes

cdef class OutcomeRenderer:
    cdef channel_table channels
    cdef const char *reasons[256]
    cdef list reason_names  # keeps what reasons points to
    cdef bint refused_only
    cdef bytearray room
    cdef batch_builder builder

    cdef bint render(self, const frame_header *frame, uint32_t *entry, uint32_t *outcome) noexcept nogil
    cdef bint add_applied(self, const journal_entry *entry, uint64_t seq) noexcept nogil
    cdef bint add_outcome(self, const outcome_record *outcome) noexcept nogil
    cdef bint add_value(self, const char *value, const char *end, const event_name *name, int64_t timestamp_ms) noexcept nogil

# --- core/accounts.pxi --------------------------------------------------------------------------------------------------

# --- core/keys.pxi ------------------------------------------------------------------------------------------------------

# --- core/posting.pxi ---------------------------------------------------------------------------------------------------

# --- core/lmdb_api.pxi, core/balance_file.pxi ---------------------------------------------------------------------------

cdef extern from "<pthread.h>" nogil:
    ctypedef struct pthread_rwlock_t:
        pass
    int pthread_rwlock_init(pthread_rwlock_t *lock, const void *attributes)
    int pthread_rwlock_rdlock(pthread_rwlock_t *lock)
    int pthread_rwlock_wrlock(pthread_rwlock_t *lock)
    int pthread_rwlock_unlock(pthread_rwlock_t *lock)
    int pthread_rwlock_destroy(pthread_rwlock_t *lock)

cdef struct lmdb_value:
    size_t size
    void *data

cdef struct lmdb_info:
    void *map_address
    size_t map_bytes
    size_t last_page
    size_t last_txn
    unsigned int max_readers
    unsigned int reader_count

# py-lmdb's table of LMDB functions, struct MdbApi in its mdb_api.h; `void *` where the core calls nothing. Environments,
# lmdb_txns and cursors are opaque.
cdef struct lmdb_table:
    int major
    int minor
    int patch
    unsigned int data_version
    int (*env_create)(void **env) noexcept nogil
    int (*env_open)(void *env, const char *path, unsigned int flags, unsigned int mode) noexcept nogil
    void (*env_close)(void *env) noexcept nogil
    void *env_copy2
    void *env_copyfd2
    void *env_copy3
    void *env_copyfd3
    int (*env_sync)(void *env, int force) noexcept nogil
    void *env_stat
    int (*env_info)(void *env, lmdb_info *info) noexcept nogil
    void *env_get_flags
    void *env_set_flags
    void *env_get_maxkeysize
    void *env_get_maxreaders
    void *env_get_path
    int (*env_set_mapsize)(void *env, size_t size) noexcept nogil
    int (*env_set_maxdbs)(void *env, unsigned int count) noexcept nogil
    int (*env_set_maxreaders)(void *env, unsigned int count) noexcept nogil
    int (*reader_check)(void *env, int *dead) noexcept nogil
    void *reader_list
    int (*txn_begin)(void *env, void *parent, unsigned int flags, void **txn) noexcept nogil
    int (*txn_commit)(void *txn) noexcept nogil
    void (*txn_abort)(void *txn) noexcept nogil
    void *txn_reset
    void *txn_renew
    void *txn_id
    int (*dbi_open)(void *txn, const char *name, unsigned int flags, unsigned int *dbi) noexcept nogil
    void *dbi_flags
    void *dbi_close
    void *drop
    int (*get)(void *txn, unsigned int dbi, lmdb_value *key, lmdb_value *data) noexcept nogil
    int (*put)(void *txn, unsigned int dbi, lmdb_value *key, lmdb_value *data, unsigned int flags) noexcept nogil
    void *delete
    void *stat
    int (*cursor_open)(void *txn, unsigned int dbi, void **cursor) noexcept nogil
    void (*cursor_close)(void *cursor) noexcept nogil
    int (*cursor_get)(void *cursor, lmdb_value *key, lmdb_value *data, int operation) noexcept nogil
    void *cursor_put
    void *cursor_del
    void *cursor_count
    char *(*strerror)(int error) noexcept nogil
    char *(*version)(int *major, int *minor, int *patch) noexcept nogil

cdef const lmdb_table *LMDB


@cython.final
cdef class BalanceFile:
    cdef void *env
    cdef unsigned int meta
    cdef unsigned int blocks
    cdef unsigned int slots
    cdef pthread_rwlock_t in_use  # held shared in every read; alone, to change the map or to reopen
    cdef bint writable
    cdef object path
    cdef bytes path_bytes
    cdef object __weakref__

    cdef void open(self, bint writable, int64_t file_bytes) except *
    cdef void close(self) noexcept
    cdef int open_databases(self) noexcept nogil
    cdef int grow(self, size_t bytes_) noexcept nogil
    cdef int begin_read(self, void **txn) noexcept nogil
    cdef void end_read(self, void *txn) noexcept nogil
    cdef int read_meta(self, void *txn, balance_meta *meta) noexcept nogil
    cdef int read_records(self, void *txn, account_record *records, uint32_t count) noexcept nogil
    cdef int read_account(self, void *txn, uint64_t id_high, uint64_t id_low, account_record *record) noexcept nogil

cdef BalanceFile open_balance_file(object path, bint writable)

cdef struct opened_account:
    uint64_t id_high
    uint64_t id_low
    uint32_t slot

# --- core/projector.pxi -------------------------------------------------------------------------------------------------


@cython.final
cdef class Projector:
    cdef account_record *records  # the replica, by slot
    cdef uint32_t count
    cdef uint32_t capacity
    cdef uint64_t *dirty          # one bit a block
    cdef uint32_t dirty_count
    cdef uint32_t slots_flushed   # the accounts whose ids stand in LMDB
    cdef balance_meta state       # as of the last frame applied; what the next flush writes
    cdef uint64_t flushed_seq     # read by other threads
    cdef uint64_t flushed_frame
    cdef uint64_t flush_count
    cdef uint64_t last_flush_ns   # how long it took
    cdef uint64_t next_flush_ns   # when, at the earliest
    cdef int failure              # of PROJECTOR_*, or LMDB's or the system's error number
    cdef uint64_t failure_found
    cdef object error
    cdef object thread
    cdef volatile int stopping    # of STOP_*
    cdef BalanceFile file
    cdef object directory
    cdef bytes directory_bytes
    cdef const char *directory_path  # into directory_bytes

    cdef int check_trust(self, const balance_meta *meta) except -1
    cdef int apply_frame(self, const frame_header *header, const journal_entry *entries) noexcept nogil
    cdef int apply_entry(self, const journal_entry *entry, uint64_t seq) noexcept nogil
    cdef void touch(self, uint32_t slot) noexcept nogil
    cdef int flush_changes(self) noexcept nogil
    cdef int make_room(self) noexcept nogil
    cdef int grow_map(self) noexcept nogil
    cdef int write_changes(self) noexcept nogil
    cdef int check_owner(self, void *txn) noexcept nogil
    cdef int put_blocks(self, void *txn) noexcept nogil
    cdef int put_meta(self, void *txn) noexcept nogil
    cdef void publish_progress(self) noexcept nogil
    cdef bint is_bloated(self) noexcept nogil
    cdef void follow(self, JournalWriter writer, JournalReader reader) noexcept nogil
    cdef int wait_ms(self) noexcept nogil
    cdef read_status apply_from_files(self, JournalReader reader, uint64_t number) noexcept nogil
    cdef int raise_failure(self, int code) except -1

# --- core/balance_view.pxi ----------------------------------------------------------------------------------------------


@cython.final
cdef class BalanceView:
    cdef BalanceFile file

    cdef int begin(self, void **txn) except -1

# --- core/recovery.pxi --------------------------------------------------------------------------------------------------
