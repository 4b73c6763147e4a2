# Key tables as files. Owns the format of keys/<business date>.keys; uses keys.pxi. ledger/key_checkpoint.py says when to write.

KEYS_HINT = "Delete the keys directory: the next start makes it anew from the journal"


cdef class KeyFiles:
    """The key tables of one engine, for the checkpoint: one part of one table a call, between two blocks of events."""

    def __cinit__(self, bytes ledger_id not None):
        self.ledger_id = ledger_id

    def changed_dates(self):
        """Return the business dates (days since 1970-01-01) whose tables hold keys that no file holds."""
        return [date for date in range(1 << 16) if self.tables.by_date[date] != NULL and self.tables.by_date[date].keys_added > 0]

    def all_dates(self):
        """Return the business dates that have a table."""
        return [date for date in range(1 << 16) if self.tables.by_date[date] != NULL]

    def keys_added(self, uint16_t business_date):
        """Return how many keys were added to the table since it was last mapped from its file."""
        return self.tables.by_date[business_date].keys_added

    def write_part(self, uint16_t business_date, uint64_t first_hash, int fd, uint64_t byte_offset):
        """Write the slots of the part that takes ``first_hash`` at ``byte_offset``; return its record. Raises OSError."""
        cdef key_part *part = key_part_of(self.tables.by_date[business_date], first_hash)
        cdef const uint8_t *data = <const uint8_t *>part.lines
        cdef size_t length = part_bytes(part)
        cdef key_part_record record
        cdef int error
        with nogil:
            # What nobody has asked since its file was mapped may be damaged: a new checksum would make it look sound.
            record.crc32c = part.crc32c if part.in_file else crc32c(0, data, length)
            error = write_whole(fd, data, length, byte_offset)
        if error:
            raise OSError(error, "cannot write the key table", str(business_date))
        record.depth = part.depth
        record.units = part.units
        record.keys = part.keys
        return (<const char *>&record)[:sizeof(record)]

    def header(self, uint16_t business_date, bytes parts not None):
        """Return the header of a table file; ``parts`` are its key_part_records in order."""
        cdef key_table_header header
        cdef bytearray block = bytearray(KEY_TABLE_HEADER_BYTES)
        cdef uint8_t[::1] view = block
        memset(&header, 0, sizeof(header))
        header.magic = KEY_TABLE_MAGIC
        header.format_version = KEY_FORMAT_VERSION
        header.business_date = business_date
        header.hash_seed = self.tables.hash_seed
        memcpy(header.ledger_id, <const char *>self.ledger_id, 16)
        header.part_count = len(parts) // sizeof(key_part_record)
        header.parts_crc32c = crc32c(0, <const char *>parts, len(parts))
        memcpy(&view[0], &header, sizeof(header))
        header.crc32c = crc32c(0, &view[8], KEY_TABLE_HEADER_BYTES - 8)
        memcpy(&view[0], &header, sizeof(header))
        return bytes(block)

    def map_file(self, str path not None):
        """Serve a business date from its file from now on; return the date. Raises KeyTableDamaged, OSError."""
        cdef key_table *table = open_key_table(path, self.tables.hash_seed, self.ledger_id)
        if self.tables.by_date[table.business_date] != NULL:
            key_table_free(&self.tables.pool, self.tables.by_date[table.business_date])
        self.tables.by_date[table.business_date] = table
        return table.business_date

    def settle(self, uint16_t business_date, uint64_t keys_written):
        """Note that a file holds ``keys_written`` more keys of the table; return how many it still lacks."""
        self.tables.by_date[business_date].keys_added -= keys_written
        return self.tables.by_date[business_date].keys_added

    def checkpoint_record(self, uint64_t seq, uint64_t frame):
        """Return the content of the checkpoint file: the files hold every key up to ``seq`` and ``frame``."""
        cdef key_checkpoint record
        memset(&record, 0, sizeof(record))
        record.magic = KEY_CHECKPOINT_MAGIC
        record.format_version = KEY_FORMAT_VERSION
        memcpy(record.ledger_id, <const char *>self.ledger_id, 16)
        record.watermark_seq = seq
        record.watermark_frame = frame
        record.crc32c = crc32c(0, <const uint8_t *>&record + 8, sizeof(record) - 8)
        return (<const char *>&record)[:sizeof(record)]

    def read_checkpoint(self, bytes content not None, str path not None):
        """Return (seq, frame) of a checkpoint file's content. Raises KeyTableDamaged, FormatVersionMismatch."""
        cdef key_checkpoint record
        if len(content) != sizeof(record):
            raise KeyTableDamaged("the key checkpoint has the wrong length", hint=KEYS_HINT, path=path,
                                  expected=sizeof(record), found=len(content))
        memcpy(&record, <const char *>content, sizeof(record))
        if record.magic != KEY_CHECKPOINT_MAGIC or record.crc32c != crc32c(0, <const uint8_t *>&record + 8, sizeof(record) - 8) \
                or memcmp(record.ledger_id, <const char *>self.ledger_id, 16) != 0:
            raise KeyTableDamaged("the key checkpoint is damaged or another ledger's", hint=KEYS_HINT, path=path)
        if record.format_version != KEY_FORMAT_VERSION:
            raise FormatVersionMismatch("the key checkpoint has another format", path=path, expected=KEY_FORMAT_VERSION,
                                        found=record.format_version)
        return record.watermark_seq, record.watermark_frame

    def state_record(self):
        """Return the content of keys/posting.state as of now, between two blocks."""
        cdef Posting posting = self.posting
        return posting_state_bytes(posting, self.ledger_id, posting.sealed_frame)

    def check_state(self, bytes content not None, str path not None):
        """Raise what ``load_state`` would raise of such a content."""
        check_posting_state(content, self.ledger_id, path)

    def load_state(self, bytes content not None, str path not None):
        """Fill an empty posting from keys/posting.state; return its (seq, frame). Raises as ``read_checkpoint`` does."""
        load_posting_state(self.posting, content, self.ledger_id, path)
        return (<const posting_state_header *><const char *>content).watermark_seq, \
            (<const posting_state_header *><const char *>content).watermark_frame

    def forget(self, uint16_t business_date):
        """Drop the table of a closed business date."""
        if self.tables.by_date[business_date] != NULL:
            key_table_free(&self.tables.pool, self.tables.by_date[business_date])
            self.tables.by_date[business_date] = NULL


cdef uint8_t *map_whole_file(const char *path, size_t length) noexcept nogil:
    cdef int fd = open_file(path, O_RDONLY | O_CLOEXEC)
    cdef void *memory
    if fd < 0:
        return NULL
    memory = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, 0)
    close_file(fd)
    return NULL if memory == MAP_FAILED else <uint8_t *>memory


cdef const key_part_record *part_records(const uint8_t *memory, size_t length) noexcept nogil:
    """The records that end a table's file; NULL where they are not what was written, or do not tell the file's whole length."""
    cdef const key_table_header *header = <const key_table_header *>memory
    cdef size_t records_bytes = header.part_count * sizeof(key_part_record)
    cdef const key_part_record *records = <const key_part_record *>(memory + length - records_bytes)
    cdef uint64_t expected = KEY_TABLE_HEADER_BYTES + records_bytes
    if records_bytes == 0 or records_bytes > length - KEY_TABLE_HEADER_BYTES \
            or crc32c(0, records, records_bytes) != header.parts_crc32c:
        return NULL
    for at in range(header.part_count):
        expected += <uint64_t>records[at].units * KEY_UNIT_BYTES
        if not is_part_size(records[at].units) or records[at].keys > records[at].units * KEY_UNIT_SLOTS \
                or records[at].depth > MAX_KEY_DEPTH:
            return NULL
    return records if expected == length else NULL


cdef key_table *key_table_map(str path, uint8_t *memory, size_t length) except NULL:
    cdef const key_table_header *header = <const key_table_header *>memory
    cdef const key_part_record *records = part_records(memory, length)
    cdef key_table *table
    if records == NULL:
        raise KeyTableDamaged("the parts of the key table are damaged", hint=KEYS_HINT, path=path)
    table = new_table(<uint16_t>header.business_date)
    if table == NULL:
        raise MemoryError
    for at in range(header.part_count):
        table.depth = max(table.depth, <uint8_t>records[at].depth)
    table.parts = <key_part **>calloc(<size_t>1 << table.depth, sizeof(key_part *))
    if table.parts == NULL or not map_parts(table, records, header.part_count, memory + KEY_TABLE_HEADER_BYTES):
        key_table_free(NULL, table)
        raise KeyTableDamaged("the parts of the key table do not take every hash once", hint=KEYS_HINT, path=path)
    table.file_map = memory
    table.file_bytes = length
    return table


cdef bint map_parts(key_table *table, const key_part_record *records, uint32_t count, uint8_t *memory) noexcept nogil:
    """Have the directory lead to each part in turn; False where they leave or lap over any of it, or without memory."""
    cdef uint64_t place = 0
    cdef uint64_t places
    cdef key_part *part
    for at in range(count):
        places = <uint64_t>1 << (table.depth - records[at].depth)
        part = <key_part *>calloc(1, sizeof(key_part))
        if part == NULL or place % places != 0 or place + places > <uint64_t>1 << table.depth:
            free(part)
            return False
        place_part(part, memory, records[at].units)
        part.keys = records[at].keys
        part.most_keys = most_keys(part.units, <uint8_t>records[at].depth, (place << 1) << (63 - table.depth))
        part.crc32c = records[at].crc32c
        part.depth = <uint8_t>records[at].depth
        part.in_file = True
        for to in range(place, place + places):
            table.parts[to] = part
        memory += part_bytes(part)
        place += places
    return place == <uint64_t>1 << table.depth


cdef int check_key_header(str path, const uint8_t *memory, uint64_t hash_seed, bytes ledger_id) except -1:
    cdef const key_table_header *header = <const key_table_header *>memory
    if header.magic != KEY_TABLE_MAGIC:
        raise KeyTableDamaged("this is no key table file", hint=KEYS_HINT, path=path)
    if header.crc32c != crc32c(0, memory + 8, KEY_TABLE_HEADER_BYTES - 8):
        raise KeyTableDamaged("the header of the key table is damaged", hint=KEYS_HINT, path=path)
    if header.format_version != KEY_FORMAT_VERSION:
        raise FormatVersionMismatch("the key table has another format", path=path,
                                    expected=KEY_FORMAT_VERSION, found=header.format_version)
    if header.hash_seed != hash_seed or memcmp(header.ledger_id, <const char *>ledger_id, 16) != 0:
        raise KeyTableDamaged("the key table belongs to another ledger", hint=KEYS_HINT, path=path)
    return 0


cdef key_table *open_key_table(str path, uint64_t hash_seed, bytes ledger_id) except NULL:
    """Map a table's file; ``key_table_free`` lets it go. Raises KeyTableDamaged, FormatVersionMismatch, OSError."""
    cdef size_t length = Path(path).stat().st_size
    cdef uint8_t *memory
    if length < KEY_TABLE_HEADER_BYTES:
        raise KeyTableDamaged("this is no key table file", hint=KEYS_HINT, path=path)
    memory = map_whole_file(path.encode(), length)
    if memory == NULL:
        raise OSError(errno, "cannot map the key table", path)
    try:
        check_key_header(path, memory, hash_seed, ledger_id)
        return key_table_map(path, memory, length)
    except BaseException:
        munmap(memory, length)
        raise


def check_key_table(str path not None, uint64_t hash_seed, bytes ledger_id not None):
    """Read a table's whole file and return how many keys it holds. Raises KeyTableDamaged, FormatVersionMismatch, OSError."""
    cdef key_table *table = open_key_table(path, hash_seed, ledger_id)
    cdef key_part *part
    cdef uint64_t keys = 0, at = 0
    cdef int failure = 0
    try:
        with nogil:
            while at < <uint64_t>1 << table.depth:
                part = table.parts[at]
                keys += part.keys
                failure |= key_part_check(part)
                at += places_of(table, part)
        if failure:
            raise KeyTableDamaged("the key table file is not what was written", hint=KEYS_HINT, path=path)
        return keys
    finally:
        key_table_free(NULL, table)


def find_key(str path not None, uint64_t hash_seed, bytes ledger_id not None, bytes serial not None, uint16_t channel):
    """Look one key up in the file of its business date, of which one part is read.

    Return ``(seq, 0)`` of an applied event, ``(0, code)`` of a key that a refusal burnt, None of any other. Raises
    KeyTableDamaged, FormatVersionMismatch, OSError.
    """
    cdef key_table *table = open_key_table(path, hash_seed, ledger_id)
    cdef const uint8_t *bytes_ = <const uint8_t *><const char *>serial
    cdef uint64_t hash_ = key_hash(bytes_, channel, hash_seed)
    cdef const key_slot *slot
    try:
        if key_part_check(key_part_of(table, hash_)) != 0:
            raise KeyTableDamaged("the key table file is not what was written", hint=KEYS_HINT, path=path)
        slot = key_probe(key_part_of(table, hash_), hash_, bytes_, channel)
        if slot == NULL:
            return None
        if slot.seq_and_channel & KEY_FAILED:
            return 0, slot.content_hash
        return slot_seq(slot), 0
    finally:
        key_table_free(NULL, table)
