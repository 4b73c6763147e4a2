# Reading balances: one generation, any process. Owns BalanceView; uses lmdb_api.

cdef tuple balance_tuple(const account_record *record):
    return (
        record.debits_posted, record.credits_posted, record.debits_pending, record.credits_pending,
        record.last_seq, record.flags, record.book,
    )


cdef class BalanceView:
    """Reads the generation of balances in the directory ``path``. Each call is one snapshot. Balances are tuples: debits and
    credits posted, debits and credits pending (fen), seq of the last entry, flags, book. Raises ProjectionDamaged.
    """

    def __cinit__(self, object path):
        self.file = open_balance_file(path, False)

    cdef int begin(self, void **txn) except -1:
        cdef int code = self.file.begin_read(txn)
        if code:
            raise lmdb_failure(code, self.file.path)
        return 0

    def get(self, object account_id):
        """Return the balance of a 128-bit account id, or None."""
        cdef account_record record
        cdef uint64_t id_high = account_id >> 64, id_low = account_id & 0xFFFFFFFFFFFFFFFF
        cdef void *txn
        cdef int code
        self.begin(&txn)
        code = self.file.read_account(txn, id_high, id_low, &record)
        self.file.end_read(txn)
        if code == LMDB_NOTFOUND:
            return None
        if code:
            raise lmdb_failure(code, self.file.path)
        return balance_tuple(&record)

    def slot_of(self, object account_id):
        """Return the slot of a 128-bit account id, or None. It is the same in every snapshot."""
        cdef uint32_t slot
        cdef void *txn
        cdef int code
        self.begin(&txn)
        code = self.file.find_slot(txn, account_id >> 64, account_id & 0xFFFFFFFFFFFFFFFF, &slot)
        self.file.end_read(txn)
        if code == LMDB_NOTFOUND:
            return None
        if code:
            raise lmdb_failure(code, self.file.path)
        return slot

    def get_many(self, list account_ids):
        """Return the watermark, and a balance or None for each id, of one snapshot."""
        cdef account_record record
        cdef balance_meta meta
        cdef void *txn
        cdef int code
        cdef list balances = []
        self.begin(&txn)
        try:
            code = self.file.read_meta(txn, &meta)
            for account_id in account_ids if not code else ():
                code = self.file.read_account(txn, account_id >> 64, account_id & 0xFFFFFFFFFFFFFFFF, &record)
                if code and code != LMDB_NOTFOUND:
                    break
                balances.append(balance_tuple(&record) if not code else None)
                code = 0
        finally:
            self.file.end_read(txn)
        if code:
            raise lmdb_failure(code, self.file.path)
        return meta.watermark_seq, balances

    def accounts_in(self, list slots):
        """Return the 128-bit id of the account in each slot, or None, of one snapshot."""
        cdef account_record record
        cdef void *txn
        cdef int code = 0
        cdef list ids = []
        self.begin(&txn)
        try:
            for slot in slots:
                code = self.file.read_slot(txn, slot, &record)
                if code and code != LMDB_NOTFOUND:
                    break
                ids.append(<object>record.id_high << 64 | record.id_low if not code else None)
                code = 0
        finally:
            self.file.end_read(txn)
        if code:
            raise lmdb_failure(code, self.file.path)
        return ids

    def meta(self):
        """Return the bytes of the generation's ``balance_meta``."""
        cdef balance_meta meta
        cdef void *txn
        cdef int code
        self.begin(&txn)
        code = self.file.read_meta(txn, &meta)
        self.file.end_read(txn)
        if code:
            raise lmdb_failure(code, self.file.path)
        return PyBytes_FromStringAndSize(<const char *>&meta, sizeof(meta))

    def digests(self):
        """Return the bytes of ``balance_meta`` and the state digest of the accounts that the blocks hold, of one snapshot.

        Reads every block and every id; raises ProjectionDamaged also where an id leads to another slot than its account's.
        """
        cdef balance_meta meta
        cdef wide_uint digest = 0, ids_of_blocks = 0, ids_of_slots = 0
        cdef void *txn
        cdef int code
        self.begin(&txn)
        with nogil:
            code = self.file.read_meta(txn, &meta)
            if not code:
                code = self.file.digest_blocks(txn, meta.account_count, &digest, &ids_of_blocks)
            if not code:
                code = self.file.digest_slots(txn, &ids_of_slots)
            self.file.end_read(txn)
        if code:
            raise lmdb_failure(code, self.file.path)
        if ids_of_blocks != ids_of_slots:
            raise ProjectionDamaged("An account id leads to another account", path=self.file.path, seq=meta.watermark_seq)
        return PyBytes_FromStringAndSize(<const char *>&meta, sizeof(meta)), python_int(digest)

    def records(self):
        """Return the watermark and the ``account_record`` of every account by slot, as bytes, of one snapshot.

        They are copied, so that a slow caller holds no snapshot: 64 bytes an account.
        """
        cdef balance_meta meta
        cdef wide_uint digest
        cdef bytes data = b""
        cdef account_record *records
        cdef void *txn
        cdef int code
        self.begin(&txn)
        code = self.file.read_meta(txn, &meta)
        if not code:
            try:
                data = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>meta.account_count * sizeof(account_record))
            except MemoryError:
                self.file.end_read(txn)
                raise
            records = <account_record *>PyBytes_AS_STRING(data)
            with nogil:
                code = self.file.read_records(txn, records, meta.account_count, &digest)
                self.file.end_read(txn)
        else:
            self.file.end_read(txn)
        if code:
            raise lmdb_failure(code, self.file.path)
        return meta.watermark_seq, data
