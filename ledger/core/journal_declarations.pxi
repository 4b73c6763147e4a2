# What the journal's parts own: digests, segments, frame_ring, journal, journal_reader, entry_reader. Part of _core.pxd.

cdef extern from "ledger/core/sha256.h" nogil:
    ctypedef struct sha256_context:
        uint32_t state[8]
        uint64_t length
        uint8_t tail[64]
    void sha256_begin(sha256_context *context)
    void sha256_add(sha256_context *context, const void *data, size_t length)
    void sha256_end(sha256_context *context, uint8_t *digest)
    void sha256_prefixed(uint8_t prefix, const uint8_t *data, size_t length, uint8_t *digest)
    void sha256_four_prefixed(uint8_t prefix, const uint8_t *data, size_t length, uint8_t *digests)
    void sha256_portable(const void *data, size_t length, uint8_t *digest)

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
    int pthread_cond_signal(pthread_cond_t *condition)
    ctypedef unsigned long pthread_t
    int pthread_create(pthread_t *thread, const void *attributes, void *(*body)(void *) noexcept nogil, void *argument)
    int pthread_join(pthread_t thread, void **result)

cdef extern from "ledger/core/async_write.h" nogil:
    ctypedef struct async_write:
        pass
    void async_write_open(async_write *write)
    void async_write_close(async_write *write)
    void async_write_begin(async_write *write, int fd, const uint8_t *data, size_t length, uint64_t byte_offset)
    ssize_t async_write_end(async_write *write)

cdef extern from "<fcntl.h>" nogil:
    enum:
        O_DIRECT
    int fallocate(int fd, int mode, long offset, long length)
    enum:
        FALLOC_FL_KEEP_SIZE
        FALLOC_FL_PUNCH_HOLE

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
    cdef uint64_t rules_digest  # goes into every frame's header
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
    # Shared, under the mutex. Nobody waits for it with the GIL: a build that traces lines takes the GIL under it.
    cdef pthread_mutex_t mutex
    cdef pthread_cond_t changed
    cdef uint64_t sealed_frame
    cdef uint64_t written_frame
    cdef uint64_t written_seq
    cdef uint64_t wanted_segment  # to be prepared up to here
    cdef uint64_t wanted_bytes  # of the last of them; the ones before it as soon as can be
    cdef writer_failure failure
    cdef int failure_errno
    cdef uint64_t failure_segment
    cdef uint64_t failure_byte_offset

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
    cdef uint64_t completed_frame  # whose image is as it will be written
    cdef async_write write

    cdef frame_buffer *next_sealed(self) noexcept nogil
    cdef void complete_image(self, frame_buffer *frame) noexcept nogil
    cdef void complete_next(self, const frame_buffer *frame) noexcept nogil
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
    cdef int prepare_in_step(self, uint64_t number) noexcept nogil
    cdef bint wait_wanted(self, uint64_t number, uint64_t filled) noexcept nogil

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
    # What only verifying finds.
    DAMAGE_COUNT_CONSUMED
    DAMAGE_COUNT_APPLIED
    DAMAGE_COUNT_EXISTING
    DAMAGE_COUNT_REFUSED
    DAMAGE_LEDGER_TIME
    DAMAGE_NEXT_OFFSET
    DAMAGE_SEGMENT_DIGEST
    DAMAGE_DIGEST
    DAMAGE_ENTRY_KIND
    DAMAGE_SLOT
    DAMAGE_LINK
    DAMAGE_OVERFLOW
    # What only following an account's entries finds.
    DAMAGE_ENTRY_MISSING
    DAMAGE_OTHER_ACCOUNT

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
    cdef readonly uint32_t last_crc32c  # of the frame before the position; 0 at the beginning of a segment
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
    size_t saved_count  # of the last segment: places in its index
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
    # The same, of the segments that add_segments() has seen.
    cdef read_status copy_known_entry(self, uint64_t seq, journal_entry *entry) noexcept nogil
    cdef read_status damaged_entry(self, damage_kind kind, uint64_t seq, uint64_t expected, uint64_t found) noexcept nogil
    cdef const char *folder_path(self) noexcept nogil
    cdef read_status add_segments(self) noexcept nogil
    cdef segment_places *segment_of(self, uint64_t seq) noexcept nogil
    cdef read_status find_places(self, segment_places *segment, uint64_t number, uint64_t seq) noexcept nogil
    cdef int segment_fd(self, uint64_t number) noexcept nogil
    cdef const frame_place *place_of(self, const segment_places *segment, uint64_t seq) noexcept nogil
    cdef read_status read_bytes(
        self, const segment_places *segment, uint64_t byte_offset, void *buffer, size_t length) noexcept nogil
    cdef read_status copy_digest(self, uint64_t block, digest_record *record) noexcept nogil
    cdef uint64_t byte_offset_of(self, const segment_places *segment, uint64_t seq) noexcept nogil
    cdef read_status read_place(self, const segment_places *segment, uint64_t seq, journal_entry *entry) noexcept nogil

cdef class Frame:
    cdef readonly bytes data
    cdef readonly uint64_t byte_offset
    cdef const frame_header *header
    cdef _part(self, const uint8_t *start, size_t length)

cdef class JournalVerifier:
    cdef JournalReader reader
    cdef block_digester digester
    cdef frame_header before  # the last frame checked
    cdef uint64_t frame_byte_offset
    cdef uint64_t outcome_count
    cdef account_record *accounts  # by slot; their ids and flags as the entries make them
    cdef size_t account_count
    cdef size_t account_capacity

    cdef read_status check_next(self) noexcept nogil
    cdef uint64_t last_seq(self) noexcept nogil
    cdef read_status wrong(self, damage_kind kind, uint64_t seq, uint64_t expected, uint64_t found) noexcept nogil
    cdef read_status check_counters(self, const frame_header *frame) noexcept nogil
    cdef read_status check_digests(self, const frame_header *frame) noexcept nogil
    cdef read_status check_entries(self, const frame_header *frame) noexcept nogil
    cdef read_status make_room(self) noexcept nogil
    cdef read_status check_links(self, const journal_entry *entry, uint64_t seq) noexcept nogil
    cdef read_status check_amount(self, const journal_entry *entry, uint64_t seq) noexcept nogil
    cdef read_status check_entry(self, const journal_entry *entry, uint64_t seq) noexcept nogil
