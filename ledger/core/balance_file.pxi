# The LMDB environment of balances: opening, reading, writing of blocks and slots. Owns the environments of this process;
# uses lmdb_api and the records' layout.


cdef enum:
    PAGES_AT_ONCE = 1024
    BLOCK_BYTES = 4048  # sizeof(account_block_header) + ACCOUNTS_PER_BLOCK * sizeof(account_record)

cdef extern from * nogil:
    uint64_t __builtin_bswap64(uint64_t)

cdef inline void slot_key(uint64_t id_high, uint64_t id_low, uint64_t *key) noexcept nogil:
    key[0] = __builtin_bswap64(id_high)
    key[1] = __builtin_bswap64(id_low)


cdef inline uint64_t greatest_seq(const account_record *records, uint32_t count) noexcept nogil:
    cdef uint64_t seq = 0
    cdef uint32_t i
    for i in range(count):
        seq = max(seq, records[i].last_seq)
    return seq


cdef class BalanceFile:
    """The LMDB environment of one generation of balances, shared by all of this process: LMDB allows no second one."""

    def __cinit__(self):
        self.data_fd = -1
        pthread_rwlock_init(&self.in_use, NULL)

    def __dealloc__(self):
        self.close()
        pthread_rwlock_destroy(&self.in_use)

    cdef void open(self, bint writable, int64_t file_bytes) except *:
        """Open, or open again with the right to write; ``file_bytes`` is the file's length, -1 where there is none yet.

        Nothing may be reading, and the GIL stays held: whoever waits for ``in_use`` may hold it.
        """
        cdef unsigned int flags = LMDB_NOTLS | (LMDB_NOSYNC | LMDB_WRITEMAP | LMDB_NOMEMINIT if writable else LMDB_RDONLY)
        cdef bytes data = self.path_bytes + b"/data.mdb"
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
                if writable:
                    self.data_fd = open_file(data, O_RDONLY | O_CLOEXEC, 0)
                code = self.open_databases()
        if code:
            self.close()
            raise lmdb_failure(code, self.path)

    cdef void close(self) noexcept:
        if self.env:
            LMDB.env_close(self.env)
            self.env = NULL
        if self.data_fd >= 0:
            close_file(self.data_fd)
            self.data_fd = -1

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
        memset(meta, 0, sizeof(balance_meta))
        memcpy(meta, data.data, min(data.size, sizeof(balance_meta)))
        # Of another version it may have another length; whoever trusts the balances looks at the version first.
        return 0 if data.size == sizeof(balance_meta) or meta.format_version != BALANCE_FORMAT_VERSION else LMDB_CORRUPTED

    cdef int read_records(self, void *txn, account_record *records, uint32_t count, wide_uint *digest) noexcept nogil:
        """Copy all ``count`` accounts to ``records``, and tell their state digest."""
        cdef const account_record *block
        cdef void *cursor
        cdef uint32_t first = 0, size
        cdef int code = LMDB.cursor_open(txn, self.blocks, &cursor)
        if code:
            return code
        digest[0] = 0
        while not code and first < count:
            size = min(count - first, <uint32_t>ACCOUNTS_PER_BLOCK)
            code = next_block(cursor, first, size, &block)
            if not code:
                memcpy(&records[first], block, size * sizeof(account_record))
                digest[0] += accounts_digest(&records[first], first, size)
            first += size
        LMDB.cursor_close(cursor)
        return code

    cdef int digest_blocks(self, void *txn, uint32_t count, wide_uint *digest, wide_uint *ids) noexcept nogil:
        """Tell the state digest of all ``count`` accounts, and the digest of their ids in their slots, keeping none of them."""
        cdef const account_record *block
        cdef void *cursor
        cdef uint32_t first = 0, size, i
        cdef int code = LMDB.cursor_open(txn, self.blocks, &cursor)
        if code:
            return code
        digest[0] = ids[0] = 0
        while not code and first < count:
            size = min(count - first, <uint32_t>ACCOUNTS_PER_BLOCK)
            code = next_block(cursor, first, size, &block)
            if not code:
                digest[0] += accounts_digest(block, first, size)
                for i in range(size):
                    ids[0] += id_digest(block[i].id_high, block[i].id_low, first + i)
            first += size
        LMDB.cursor_close(cursor)
        return code

    cdef size_t read_ahead(self, size_t first, size_t wanted) noexcept nogil:
        """Have some of the pages that the file will grow by, from ``first`` up to ``wanted``, in the page cache, where the system
        clears them; return up to where that was tried. While it does that in a flush, because the file grows there, the flush
        takes several times as long. A help only, so no failure of it counts.
        """
        cdef lmdb_info info
        cdef size_t end
        cdef void *pages
        LMDB.env_info(self.env, &info)
        first = max(first, info.last_page + 1)
        end = min(first + PAGES_AT_ONCE, wanted, info.map_bytes // LMDB_PAGE_BYTES)
        if first >= end:
            return wanted
        pages = mmap(NULL, (end - first) * LMDB_PAGE_BYTES, PROT_READ, MAP_SHARED, self.data_fd, first * LMDB_PAGE_BYTES)
        if pages != MAP_FAILED:
            madvise(pages, (end - first) * LMDB_PAGE_BYTES, MADV_POPULATE_READ)
            munmap(pages, (end - first) * LMDB_PAGE_BYTES)
        return end

    cdef int count_pages(self, void *txn, unsigned int database, size_t *pages) noexcept nogil:
        cdef lmdb_stat stat
        cdef int code = LMDB.stat(txn, database, &stat)
        if not code:
            pages[0] = stat.branch_pages + stat.leaf_pages + stat.overflow_pages
        return code

    cdef int digest_slots(self, void *txn, wide_uint *ids) noexcept nogil:
        """Tell the digest of the ids by the slots that they lead to: that of the blocks, if each leads to its account."""
        cdef lmdb_value key, data
        cdef const uint64_t *id_bytes
        cdef void *cursor
        cdef int code = LMDB.cursor_open(txn, self.slots, &cursor)
        if code:
            return code
        ids[0] = 0
        while not code:
            code = LMDB.cursor_get(cursor, &key, &data, LMDB_NEXT)
            if not code and (key.size != 16 or data.size != sizeof(account_slot_record)):
                code = LMDB_CORRUPTED
            if not code:
                id_bytes = <const uint64_t *>key.data
                ids[0] += id_digest(
                    __builtin_bswap64(id_bytes[0]), __builtin_bswap64(id_bytes[1]), (<const account_slot_record *>data.data).slot)
        LMDB.cursor_close(cursor)
        return 0 if code == LMDB_NOTFOUND else code

    cdef int read_account(self, void *txn, uint64_t id_high, uint64_t id_low, account_record *record) noexcept nogil:
        """Copy one account to ``record``. LMDB_NOTFOUND where there is none."""
        cdef uint32_t slot
        cdef int code = self.find_slot(txn, id_high, id_low, &slot)
        if code:
            return code
        code = self.read_slot(txn, slot, record)
        return LMDB_CORRUPTED if code or record.id_high != id_high or record.id_low != id_low else 0

    cdef int find_slot(self, void *txn, uint64_t id_high, uint64_t id_low, uint32_t *slot) noexcept nogil:
        """Find the slot of an account. LMDB_NOTFOUND where there is none."""
        cdef uint64_t[2] id_bytes
        cdef lmdb_value data, key = lmdb_value(sizeof(id_bytes), &id_bytes[0])
        cdef int code
        slot_key(id_high, id_low, id_bytes)
        code = LMDB.get(txn, self.slots, &key, &data)
        if code == 0 and data.size != sizeof(account_slot_record):
            code = LMDB_CORRUPTED
        if code == 0:
            slot[0] = (<const account_slot_record *>data.data).slot
        return code

    cdef int read_slot(self, void *txn, uint32_t slot, account_record *record) noexcept nogil:
        """Copy the account in a slot to ``record``. LMDB_NOTFOUND where none is in it."""
        cdef uint32_t block = slot // ACCOUNTS_PER_BLOCK, place = slot % ACCOUNTS_PER_BLOCK
        cdef lmdb_value data, key = lmdb_value(sizeof(block), &block)
        cdef const account_block_header *header
        cdef int code = LMDB.get(txn, self.blocks, &key, &data)
        if code:
            return code
        header = <const account_block_header *>data.data
        if data.size != BLOCK_BYTES:
            return LMDB_CORRUPTED
        if place >= header.account_count:
            return LMDB_NOTFOUND
        memcpy(record, <const account_record *>&header[1] + place, sizeof(account_record))
        return 0


cdef int next_block(void *cursor, uint32_t first_slot, uint32_t size, const account_record **records) noexcept nogil:
    """Find the block with the ``size`` accounts from ``first_slot`` on, which must be the next one."""
    cdef const account_block_header *header
    cdef lmdb_value key, data
    cdef int code = LMDB.cursor_get(cursor, &key, &data, LMDB_NEXT)
    if code:
        return LMDB_CORRUPTED if code == LMDB_NOTFOUND else code
    header = <const account_block_header *>data.data
    records[0] = <const account_record *>&header[1]
    if data.size != BLOCK_BYTES or header.block * ACCOUNTS_PER_BLOCK != first_slot or header.account_count != size:
        return LMDB_CORRUPTED
    return 0 if header.last_seq == greatest_seq(records[0], size) else LMDB_CORRUPTED


open_files = weakref.WeakValueDictionary()  # BalanceFile by device and inode: a generation is renamed while open
opening = threading.Lock()

cdef BalanceFile open_balance_file(object path, bint writable):
    """Return this process' environment in the directory ``path``, with the right to write if asked for."""
    cdef BalanceFile file
    data = path / "data.mdb"
    with opening:
        stat = data.stat() if data.exists() else None
        file = open_files.get((stat.st_dev, stat.st_ino)) if stat else None
        if file is None:
            file = BalanceFile.__new__(BalanceFile)
            file.path, file.path_bytes = path, os.fsencode(path)
            file.open(writable, stat.st_size if stat else -1)
            stat = data.stat()
            open_files[stat.st_dev, stat.st_ino] = file
        elif writable and not file.writable:
            with nogil:
                pthread_rwlock_wrlock(&file.in_use)
            try:
                file.open(True, stat.st_size)
            finally:
                pthread_rwlock_unlock(&file.in_use)
        return file


cdef int put_block(BalanceFile file, void *txn, uint32_t block, const account_record *records, uint32_t count) noexcept nogil:
    """Write the accounts of one block; ``records`` are all ``count`` accounts."""
    cdef uint32_t first = block * ACCOUNTS_PER_BLOCK, size = min(count - first, <uint32_t>ACCOUNTS_PER_BLOCK)
    cdef lmdb_value key = lmdb_value(sizeof(block), &block), data = lmdb_value(BLOCK_BYTES, NULL)
    cdef account_block_header *header
    cdef int code = LMDB.put(txn, file.blocks, &key, &data, LMDB_RESERVE)
    if code:
        return code
    header = <account_block_header *>data.data
    header.last_seq, header.block, header.account_count = greatest_seq(&records[first], size), block, size
    copy_past_cache(&header[1], &records[first], size * sizeof(account_record))
    memset(<account_record *>&header[1] + size, 0, (ACCOUNTS_PER_BLOCK - size) * sizeof(account_record))
    return 0


cdef inline uint8_t id_byte(const opened_account *account, int position) noexcept nogil:
    return <uint8_t>((account.id_low if position < 8 else account.id_high) >> (position & 7) * 8)


cdef opened_account *sort_by_id(opened_account *accounts, opened_account *spare, uint32_t count) noexcept nogil:
    """Sort byte by byte from the lowest; many times faster than qsort for millions. Return which of the two is sorted."""
    cdef uint32_t[256] places
    cdef uint32_t i, place, size
    cdef int position
    for position in range(16):
        memset(places, 0, sizeof(places))
        for i in range(count):
            places[id_byte(&accounts[i], position)] += 1
        if places[id_byte(&accounts[0], position)] == count:
            continue
        place = 0
        for i in range(256):
            size = places[i]
            places[i] = place
            place += size
        for i in range(count):
            size = id_byte(&accounts[i], position)
            spare[places[size]] = accounts[i]
            places[size] += 1
        accounts, spare = spare, accounts
    return accounts


cdef int put_slots(BalanceFile file, void *txn, const account_record *records, uint32_t first, uint32_t end) noexcept nogil:
    """Write the ids of the accounts from slot ``first`` on, in order: neighbours fall into the same page."""
    cdef uint32_t count = end - first, i
    cdef unsigned int flags = LMDB_APPEND if first == 0 else 0
    cdef account_slot_record slot
    cdef uint64_t[2] id_bytes
    cdef lmdb_value key = lmdb_value(sizeof(id_bytes), &id_bytes[0]), data = lmdb_value(sizeof(slot), &slot)
    cdef opened_account *memory
    cdef opened_account *opened
    cdef int code = 0
    if count == 0:
        return 0
    memory = <opened_account *>malloc(2 * <size_t>count * sizeof(opened_account))
    if not memory:
        return ENOMEM
    for i in range(count):
        memory[i] = opened_account(records[first + i].id_high, records[first + i].id_low, first + i)
    opened = sort_by_id(memory, memory + count, count)
    slot.reserved = 0
    for i in range(count):
        slot.slot = opened[i].slot
        slot_key(opened[i].id_high, opened[i].id_low, id_bytes)
        code = LMDB.put(txn, file.slots, &key, &data, flags)
        if code:
            break
    free(memory)
    return code
