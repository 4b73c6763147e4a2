# LMDB without the GIL: py-lmdb's extension exports the table of the LMDB functions that it bundles, and the core calls through it
# (docs/decisions/0040). Owns that table and the environments of balances; uses the records' layout.

import os as _os
import threading as _threading
import weakref as _weakref

import lmdb as _lmdb
import lmdb.cpython as _lmdb_extension

from ledger.errors import ConfigurationError as _ConfigurationError
from ledger.errors import ProjectionDamaged as _ProjectionDamaged

from libc.errno cimport EIO
from posix.dlfcn cimport RTLD_NOW, dlopen, dlsym

cdef enum:
    LMDB_NOSYNC = 0x10000
    LMDB_RDONLY = 0x20000
    LMDB_WRITEMAP = 0x80000
    LMDB_NOTLS = 0x200000
    LMDB_NOMEMINIT = 0x1000000
    LMDB_INTEGERKEY = 0x08
    LMDB_CREATE = 0x40000
    LMDB_RESERVE = 0x10000
    LMDB_APPEND = 0x20000
    LMDB_NEXT = 8
    LMDB_NOTFOUND = -30798
    LMDB_CORRUPTED = -30796
    LMDB_MAP_FULL = -30792
    LMDB_READERS_FULL = -30790
    LMDB_MAP_RESIZED = -30785

    LMDB_PAGE_BYTES = 4096
    FIRST_MAP_BYTES = 16 << 20
    MAP_STEP_BYTES = 1 << 30  # a map doubles up to this size, then grows by it
    MAX_READERS = 512         # of all processes; a read takes a place for its duration only

PY_LMDB_VERSION = "3.0.0"  # the only one whose table is known to have the layout that _core.pxd declares

cdef const lmdb_table *_load_lmdb() except NULL:
    cdef int major = -1, minor = -1, patch = -1
    cdef void *library = dlopen(_os.fsencode(_lmdb_extension.__file__), RTLD_NOW)
    cdef const lmdb_table *table = <const lmdb_table *>dlsym(library, "lmdb_api_v09") if library else NULL
    if table != NULL and _lmdb.__version__ == PY_LMDB_VERSION and table.data_version == 1:
        table.version(&major, &minor, &patch)
        if (major, minor, patch) == (table.major, table.minor, table.patch):
            return table
    raise _ConfigurationError(
        "This build calls LMDB through a table in py-lmdb's extension, and the installed py-lmdb does not have it as expected",
        hint=f"Install lmdb=={PY_LMDB_VERSION} from its wheel. To move to another release, compare lmdb/mdb_api.h of its source "
        "distribution with lmdb_table in ledger/_core.pxd, then change PY_LMDB_VERSION",
        expected=PY_LMDB_VERSION,
        found=_lmdb.__version__,
    )


LMDB = _load_lmdb()
LMDB_VERSION = (LMDB.major, LMDB.minor, LMDB.patch)

cdef object _lmdb_failure(int code, object path):
    return _ProjectionDamaged(f"LMDB: {LMDB.strerror(code).decode()}", path=str(path), code=code)


cdef class BalanceFile:
    """The LMDB environment of one generation of balances, shared by all of this process: LMDB allows no second one."""

    def __cinit__(self):
        pthread_rwlock_init(&self.in_use, NULL)

    def __dealloc__(self):
        self.close()
        pthread_rwlock_destroy(&self.in_use)

    cdef void open(self, bint writable, int64_t file_bytes) except *:
        """Open, or open again with the right to write; ``file_bytes`` is the file's length, -1 where there is none yet.

        Nothing may be reading, and the GIL stays held: whoever waits for ``in_use`` may hold it.
        """
        cdef unsigned int flags = LMDB_NOTLS | (LMDB_NOSYNC | LMDB_WRITEMAP | LMDB_NOMEMINIT if writable else LMDB_RDONLY)
        cdef lmdb_info info
        cdef int code
        self.close()
        code = LMDB.env_create(&self.env)
        if not code:
            LMDB.env_set_maxdbs(self.env, 4)
            LMDB.env_set_maxreaders(self.env, MAX_READERS)
            if file_bytes < 0:
                LMDB.env_set_mapsize(self.env, FIRST_MAP_BYTES)
            code = LMDB.env_open(self.env, self.path_bytes, flags, 0o644)
        if not code:
            LMDB.env_info(self.env, &info)
            if 0 <= file_bytes < <int64_t>((info.last_page + 1) * LMDB_PAGE_BYTES):
                code = EIO  # cut short: reading on would be a bus error
            else:
                self.writable = writable
                code = self.open_databases()
        if code:
            self.close()
            raise _lmdb_failure(code, self.path)

    cdef void close(self) noexcept:
        if self.env:
            LMDB.env_close(self.env)
            self.env = NULL

    cdef int open_databases(self) noexcept nogil:
        cdef unsigned int create = LMDB_CREATE if self.writable else 0
        cdef void *txn
        cdef int code = LMDB.txn_begin(self.env, NULL, 0 if self.writable else LMDB_RDONLY, &txn)
        if code:
            return code
        code = LMDB.dbi_open(txn, "meta", create, &self.meta)
        if not code:
            code = LMDB.dbi_open(txn, "blocks", create | LMDB_INTEGERKEY, &self.blocks)
        if not code:
            code = LMDB.dbi_open(txn, "slots", create, &self.slots)
        if code:
            LMDB.txn_abort(txn)
            return code
        return LMDB.txn_commit(txn)

    cdef int grow(self, size_t bytes_) noexcept nogil:
        """Make the map at least ``bytes_`` long. Waits for this process' reads; other processes follow at their next."""
        cdef lmdb_info info
        cdef size_t size
        cdef int code
        LMDB.env_info(self.env, &info)
        size = info.map_bytes
        while size < bytes_:
            size += min(size, <size_t>MAP_STEP_BYTES)
        pthread_rwlock_wrlock(&self.in_use)
        code = LMDB.env_set_mapsize(self.env, size)
        pthread_rwlock_unlock(&self.in_use)
        return code

    cdef int begin_read(self, void **txn) noexcept nogil:
        """Begin a snapshot, which ``end_read`` ends. Keep it short: the file grows while its pages cannot be used again."""
        cdef int code, dead
        while True:
            pthread_rwlock_rdlock(&self.in_use)
            code = LMDB.txn_begin(self.env, NULL, LMDB_RDONLY, txn) if self.env else EIO
            if not code:
                return 0
            if code == LMDB_READERS_FULL:
                LMDB.reader_check(self.env, &dead)
                if dead:
                    code = 0
            pthread_rwlock_unlock(&self.in_use)
            if code == LMDB_MAP_RESIZED:
                pthread_rwlock_wrlock(&self.in_use)
                code = LMDB.env_set_mapsize(self.env, 0)
                pthread_rwlock_unlock(&self.in_use)
            if code:
                return code

    cdef void end_read(self, void *txn) noexcept nogil:
        LMDB.txn_abort(txn)
        pthread_rwlock_unlock(&self.in_use)

    cdef int read_meta(self, void *txn, balance_meta *meta) noexcept nogil:
        cdef lmdb_value key = lmdb_value(5, <void *><const char *>b"state"), data
        cdef int code = LMDB.get(txn, self.meta, &key, &data)
        if code:
            return code
        if data.size != sizeof(balance_meta):
            return LMDB_CORRUPTED
        memcpy(meta, data.data, sizeof(balance_meta))
        return 0

    cdef int read_records(self, void *txn, account_record *records, uint32_t count) noexcept nogil:
        """Copy all ``count`` accounts to ``records``."""
        cdef const account_block_header *header
        cdef lmdb_value key, data
        cdef void *cursor
        cdef uint32_t first = 0, size
        cdef int code = LMDB.cursor_open(txn, self.blocks, &cursor)
        if code:
            return code
        while first < count:
            size = min(count - first, <uint32_t>ACCOUNTS_PER_BLOCK)
            code = LMDB.cursor_get(cursor, &key, &data, LMDB_NEXT)
            if code:
                break
            header = <const account_block_header *>data.data
            if data.size != BLOCK_BYTES or header.block * ACCOUNTS_PER_BLOCK != first or header.account_count != size:
                code = LMDB_CORRUPTED
                break
            memcpy(&records[first], &header[1], size * sizeof(account_record))
            first += size
        LMDB.cursor_close(cursor)
        return LMDB_CORRUPTED if code == LMDB_NOTFOUND else code

    cdef int read_account(self, void *txn, uint64_t id_high, uint64_t id_low, account_record *record) noexcept nogil:
        """Copy one account to ``record``. LMDB_NOTFOUND where there is none."""
        cdef uint64_t[2] id_bytes
        cdef uint32_t slot, block, place
        cdef lmdb_value data, key = lmdb_value(sizeof(id_bytes), &id_bytes[0])
        cdef const account_block_header *header
        cdef int code
        _slot_key(id_high, id_low, id_bytes)
        code = LMDB.get(txn, self.slots, &key, &data)
        if code:
            return code
        if data.size != sizeof(account_slot_record):
            return LMDB_CORRUPTED
        slot = (<const account_slot_record *>data.data).slot
        block, place = slot // ACCOUNTS_PER_BLOCK, slot % ACCOUNTS_PER_BLOCK
        key = lmdb_value(sizeof(block), &block)
        code = LMDB.get(txn, self.blocks, &key, &data)
        header = <const account_block_header *>data.data
        if code or data.size != BLOCK_BYTES or place >= header.account_count:
            return LMDB_CORRUPTED
        memcpy(record, <const account_record *>&header[1] + place, sizeof(account_record))
        return 0 if record.id_high == id_high and record.id_low == id_low else LMDB_CORRUPTED


cdef extern from * nogil:
    uint64_t __builtin_bswap64(uint64_t)

cdef inline void _slot_key(uint64_t id_high, uint64_t id_low, uint64_t *key) noexcept nogil:
    key[0] = __builtin_bswap64(id_high)
    key[1] = __builtin_bswap64(id_low)


_open_files = _weakref.WeakValueDictionary()  # BalanceFile by device and inode: a generation is renamed while open
_opening = _threading.Lock()

cdef BalanceFile open_balance_file(object path, bint writable):
    """Return this process' environment in the directory ``path``, with the right to write if asked for."""
    cdef BalanceFile file
    data = path / "data.mdb"
    with _opening:
        stat = data.stat() if data.exists() else None
        file = _open_files.get((stat.st_dev, stat.st_ino)) if stat else None
        if file is None:
            file = BalanceFile.__new__(BalanceFile)
            file.path, file.path_bytes = path, _os.fsencode(path)
            file.open(writable, stat.st_size if stat else -1)
            stat = data.stat()
            _open_files[stat.st_dev, stat.st_ino] = file
        elif writable and not file.writable:
            with nogil:
                pthread_rwlock_wrlock(&file.in_use)
            try:
                file.open(True, stat.st_size)
            finally:
                pthread_rwlock_unlock(&file.in_use)
        return file
