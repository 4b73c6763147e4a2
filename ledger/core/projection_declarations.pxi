# What the parts of the projection own: lmdb_api.pxi, balance_file.pxi, flush_pacing.pxi, durable_frames.pxi, projector.pxi,
# balance_view.pxi. Part of _core.pxd.

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

cdef struct lmdb_stat:
    unsigned int page_bytes
    unsigned int depth
    size_t branch_pages
    size_t leaf_pages
    size_t overflow_pages
    size_t entries

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
    int (*stat)(void *txn, unsigned int dbi, lmdb_stat *stat) noexcept nogil
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
    cdef int data_fd
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
    cdef int read_records(self, void *txn, account_record *records, uint32_t count, wide_uint *digest) noexcept nogil
    cdef int digest_blocks(self, void *txn, uint32_t count, wide_uint *digest, wide_uint *ids) noexcept nogil
    cdef size_t read_ahead(self, size_t first, size_t wanted) noexcept nogil
    cdef int count_pages(self, void *txn, unsigned int database, size_t *pages) noexcept nogil
    cdef int digest_slots(self, void *txn, wide_uint *ids) noexcept nogil
    cdef int find_slot(self, void *txn, uint64_t id_high, uint64_t id_low, uint32_t *slot) noexcept nogil
    cdef int read_account(self, void *txn, uint64_t id_high, uint64_t id_low, account_record *record) noexcept nogil
    cdef int read_slot(self, void *txn, uint32_t slot, account_record *record) noexcept nogil

cdef BalanceFile open_balance_file(object path, bint writable)

cdef struct opened_account:
    uint64_t id_high
    uint64_t id_low
    uint32_t slot

# --- core/flush_pacing.pxi ----------------------------------------------------------------------------------------------

cdef struct flush_pace:  # of the last flush
    uint32_t pages
    uint64_t lasted_ns
    uint64_t ended_ns

# --- core/durable_frames.pxi --------------------------------------------------------------------------------------------


@cython.final
cdef class DurableFrames:
    cdef JournalWriter writer
    cdef JournalReader reader
    cdef uint64_t pinned
    cdef uint8_t *kept          # copies of frames, one behind the other
    cdef size_t kept_start      # of the next copy to give
    cdef size_t kept_end
    cdef uint64_t kept_number   # of the frame behind the last copy
    cdef size_t kept_most       # that the copies took at once, before the present ones, since the last look at it
    cdef size_t kept_touched    # that the system has given, as far as it was looked at
    cdef uint64_t given_back_bytes

    cdef const frame_header *next(self, uint64_t number, int timeout_ms) noexcept nogil
    cdef void release(self) noexcept nogil
    cdef void keep(self, uint64_t number, uint64_t frames_left) noexcept nogil
    cdef bint keep_frame(self, uint64_t number) noexcept nogil
    cdef const frame_header *kept_frame(self, uint64_t number) noexcept nogil
    cdef void give_back_kept(self) noexcept nogil
    cdef const frame_header *read(self, uint64_t number) noexcept nogil
    cdef int raise_status(self) except -1

# --- core/projector.pxi -------------------------------------------------------------------------------------------------


@cython.final
cdef class Projector:
    cdef account_record *records  # the replica, by slot
    cdef uint32_t count
    cdef uint32_t capacity
    cdef size_t spare_bytes
    cdef size_t used_bytes        # of the file, after the last flush
    cdef size_t slot_pages        # of the file, that hold ids
    cdef size_t pages_ahead       # of the file, up to which they were read before LMDB asked for them
    cdef uint64_t *changed        # a word a block, a bit for each account that changed since the last flush
    cdef uint32_t dirty_count     # blocks with one that changed
    cdef wide_uint unchanged_digest  # of all accounts that did not
    cdef uint32_t slots_flushed   # the accounts whose ids stand in LMDB
    cdef balance_meta state       # as of the last frame applied; what the next flush writes
    cdef uint64_t flushed_seq     # read by other threads
    cdef uint64_t flushed_frame
    cdef uint64_t flush_count
    cdef readonly bint lacks_room  # the last flush found no room on the disk; it is tried again
    cdef flush_pace pace
    cdef public uint64_t housekeeping_ns  # between two looks for dead readers and for copies of frames that are not needed
    cdef int failure              # of PROJECTOR_*, or LMDB's or the system's error number
    cdef uint64_t failure_found
    cdef object error
    cdef object thread
    cdef DurableFrames frames     # what the thread follows
    cdef volatile int stopping    # of STOP_*
    cdef BalanceFile file
    cdef object directory
    cdef bytes directory_bytes
    cdef const char *directory_path  # into directory_bytes

    cdef int check_trust(self, const balance_meta *meta) except -1
    cdef int apply_frame(self, const frame_header *header, const journal_entry *entries) noexcept nogil
    cdef int apply_entry(self, const journal_entry *entry, uint64_t seq) noexcept nogil
    cdef void touch(self, uint32_t slot) noexcept nogil
    cdef wide_uint changed_digest(self, uint32_t block) noexcept nogil
    cdef int require_file(self) except -1
    cdef int flush_changes(self) noexcept nogil
    cdef uint32_t dirty_pages(self) noexcept nogil
    cdef int make_room(self) noexcept nogil
    cdef int grow_map(self) noexcept nogil
    cdef int write_changes(self) noexcept nogil
    cdef int check_owner(self, void *txn) noexcept nogil
    cdef int put_blocks(self, void *txn) noexcept nogil
    cdef int put_meta(self, void *txn) noexcept nogil
    cdef void publish_progress(self) noexcept nogil
    cdef bint is_bloated(self) noexcept nogil
    cdef void follow(self) noexcept nogil
    cdef bint flush_is_due(self, uint64_t now_ns) noexcept nogil
    cdef int wait_ms(self) noexcept nogil
    cdef size_t wanted_pages(self) noexcept nogil
    cdef bint reads_ahead(self) noexcept nogil
    cdef int raise_failure(self, int code) except -1

# --- core/balance_view.pxi ----------------------------------------------------------------------------------------------


@cython.final
cdef class BalanceView:
    cdef BalanceFile file

    cdef int begin(self, void **txn) except -1
