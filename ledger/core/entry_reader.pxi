# Random access to journal entries by seq. Owns EntryReader and the index files. Uses journal_reader.pxi, segments.pxi.
#
# NNNNNNNNNN.index beside a complete segment tells where its frames begin; it is derived, and made anew where it is missing or
# does not fit. The places in the last segment are found by walking its frame headers, as far as they are asked for; its index
# tells of the first of them only, and whoever walks far behind these writes a longer one.

cdef enum:
    PLACES_A_SAVE = 16  # frames to walk in the last segment, or a part of those known, before its index is written again


cdef void index_path(char *path, const char *folder, uint64_t number) noexcept nogil:
    snprintf(path, MAX_PATH_BYTES, b"%s/%010llu.index", folder, <unsigned long long>number)


cdef int places_add(segment_places *segment, uint64_t first_seq, uint64_t byte_offset) noexcept nogil:
    cdef frame_place *grown
    if segment.count == segment.capacity:
        grown = <frame_place *>realloc(segment.places, (segment.capacity * 2 + 64) * sizeof(frame_place))
        if grown == NULL:
            return ENOMEM
        segment.places = grown
        segment.capacity = segment.capacity * 2 + 64
    segment.places[segment.count].first_seq = first_seq
    segment.places[segment.count].byte_offset = byte_offset
    segment.count += 1
    return 0


cdef void places_clear(segment_places *segment) noexcept nogil:
    if segment.mapping != NULL:
        munmap(segment.mapping, segment.mapped_bytes)
    else:
        free(segment.places)
    segment.mapping = NULL
    segment.places = NULL
    segment.count = segment.capacity = 0


cdef bint places_map(const char *folder, segment_places *segment, const segment_header *header) noexcept nogil:
    # Uses the segment's index file. False: there is none that fits; nothing is changed then. An index of the last segment says no
    # end (0), and fits as long as no next segment says one: what a writer that was taken over wrote does not count.
    cdef char path[MAX_PATH_BYTES]
    cdef const index_header *index
    cdef int64_t file_bytes
    cdef uint8_t *mapping
    cdef bint fits = False
    cdef int fd
    index_path(path, folder, header.segment_number)
    fd = open_file(path, O_RDONLY | O_CLOEXEC, 0)
    if fd < 0:
        return False
    file_bytes = lseek(fd, 0, SEEK_END)
    mapping = <uint8_t *>MAP_FAILED
    if file_bytes >= <int64_t>sizeof(index_header):
        mapping = <uint8_t *>mmap(NULL, file_bytes, PROT_READ, MAP_SHARED, fd, 0)
    close_file(fd)
    if mapping == MAP_FAILED:
        return False
    index = <const index_header *>mapping
    if index.magic == INDEX_MAGIC and index.format_version == FORMAT_VERSION:
        fits = (
            index.frame_count == (<uint64_t>file_bytes - sizeof(index_header)) // sizeof(frame_place)
            and index.segment_number == header.segment_number and index.segment_end == segment.end
            and memcmp(index.ledger_id, header.ledger_id, 16) == 0
            and index.crc32c == crc32c(0, mapping + 8, file_bytes - 8))
    if not fits:
        munmap(mapping, file_bytes)
        return False
    places_clear(segment)
    segment.mapping = mapping
    segment.mapped_bytes = file_bytes
    segment.places = <frame_place *>(mapping + sizeof(index_header))
    segment.count = index.frame_count
    return True


cdef int places_load(const char *folder, segment_places *segment, const segment_header *header) noexcept nogil:
    # Begins with what the index of the last segment tells, in memory that can grow. Returns 0 or ENOMEM.
    cdef segment_places mapped = segment[0]
    if not places_map(folder, &mapped, header):
        return 0
    segment.places = <frame_place *>malloc(mapped.count * sizeof(frame_place) + 1)
    if segment.places != NULL:
        memcpy(segment.places, mapped.places, mapped.count * sizeof(frame_place))
        segment.count = segment.capacity = segment.saved_count = mapped.count
    places_clear(&mapped)
    return 0 if segment.places != NULL else ENOMEM


cdef int places_save(const char *folder, const segment_places *segment, const segment_header *header) noexcept nogil:
    # Under a name of its own first, so that no reader maps half an index. Returns 0 or an errno: it is only a help.
    cdef char path[MAX_PATH_BYTES]
    cdef char unfinished[MAX_PATH_BYTES + 16]
    cdef index_header index
    cdef size_t places_bytes = segment.count * sizeof(frame_place)
    cdef int fd, error
    memset(&index, 0, sizeof(index_header))
    index.magic = INDEX_MAGIC
    index.format_version = FORMAT_VERSION
    memcpy(index.ledger_id, header.ledger_id, 16)
    index.segment_number = header.segment_number
    index.segment_end = segment.end
    index.frame_count = segment.count
    index.crc32c = crc32c(crc32c(0, &index.format_version, sizeof(index_header) - 8), segment.places, places_bytes)
    index_path(path, folder, header.segment_number)
    snprintf(unfinished, sizeof(unfinished), b"%s.%d", path, getpid())
    fd = open_file(unfinished, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    if fd < 0:
        return errno
    error = write_whole(fd, <const uint8_t *>&index, sizeof(index_header), 0)
    if error == 0:
        error = write_whole(fd, <const uint8_t *>segment.places, places_bytes, sizeof(index_header))
    close_file(fd)
    if error == 0 and rename(unfinished, path) != 0:
        error = errno
    if error:
        unlink(unfinished)
    return error


cdef class EntryReader:
    """Reads single entries of a journal directory by ``seq``. ``bytes_read`` and ``reads`` count what it took from the files.

    One thread at a time. An entry is given out unchecked by its frame's checksum: that would cost the whole frame.
    """

    def __init__(self, folder):
        self.frames = JournalReader(folder, follow=True)

    def __dealloc__(self):
        cdef size_t index
        for index in range(self.segment_count):
            places_clear(&self.segments[index])
        for index in range(<size_t>OPEN_SEGMENTS):
            if self.open_numbers[index]:
                close_file(self.open_fds[index])
        free(self.segments)

    @property
    def reads(self) -> int:
        return self.read_count

    @property
    def bytes_read(self) -> int:
        return self.entry_bytes_read + self.frames.bytes_read

    cdef read_status add_segments(self) noexcept nogil:
        # Learns of the segments that came since it last looked.
        cdef segment_places *grown
        cdef read_status found
        while True:
            found = self.frames.open_segment(self.segment_count + 1, False)
            if found != READ_OK:
                return READ_OK if found == READ_END and self.segment_count else found
            grown = <segment_places *>realloc(self.segments, (self.segment_count + 1) * sizeof(segment_places))
            if grown == NULL:
                return self.frames.failed(ENOMEM)
            self.segments = grown
            memset(&grown[self.segment_count], 0, sizeof(segment_places))
            grown[self.segment_count].first_seq = self.frames.segment.first_seq
            if self.segment_count:  # frames found behind this end came from a writer that was taken over
                places_clear(&grown[self.segment_count - 1])
                grown[self.segment_count - 1].next_seq = 0
                grown[self.segment_count - 1].end = self.frames.segment.previous_segment_end
            self.segment_count += 1

    cdef segment_places *segment_of(self, uint64_t seq) noexcept nogil:
        # The last segment that begins at or before seq.
        cdef size_t low = 0, high = self.segment_count, middle
        while high - low > 1:
            middle = (low + high) // 2
            if self.segments[middle].first_seq <= seq:
                low = middle
            else:
                high = middle
        return &self.segments[low]

    cdef read_status find_places(self, segment_places *segment, uint64_t number, uint64_t seq) noexcept nogil:
        # Fills in the segment's places: of a complete one all, of the last one up to seq.
        cdef const frame_header *frame
        cdef read_status found = self.frames.open_segment(number, False)
        if found != READ_OK:
            return found
        if segment.end and places_map(self.folder_path(), segment, &self.frames.segment):
            segment.is_complete = True
            return READ_OK
        self.frames.segment_end = segment.end
        if segment.count == 0 and segment.end == 0 and places_load(self.folder_path(), segment, &self.frames.segment) != 0:
            return self.frames.failed(ENOMEM)
        if segment.count:  # go on behind what is known
            segment.count -= 1
            self.frames.next_byte_offset = segment.places[segment.count].byte_offset
            self.frames.next_seq = segment.places[segment.count].first_seq
            self.frames.next_frame_number += segment.count
        self.frames.status = READ_OK
        frame = self.frames.frame_header_here()
        while frame != NULL and (segment.end or self.frames.next_seq <= seq):
            if places_add(segment, frame.first_seq, self.frames.next_byte_offset) != 0:
                return self.frames.failed(ENOMEM)
            self.frames.step_over(frame)
            frame = self.frames.frame_header_here()
        segment.next_seq = self.frames.next_seq
        if self.frames.status != READ_OK:
            return self.frames.status
        if segment.end and self.frames.next_byte_offset != segment.end:
            return self.frames.damaged_at(DAMAGE_FRAME_MAGIC, FRAME_MAGIC, 0)
        if segment.end:
            segment.is_complete = True
        # Of the last segment only frames up to the one that was asked for, whose entries are known to be durable.
        if segment.end or segment.next_seq > seq and segment.count >= segment.saved_count + max(
            <size_t>PLACES_A_SAVE, segment.count // PLACES_A_SAVE
        ):
            places_save(self.folder_path(), segment, &self.frames.segment)
            segment.saved_count = segment.count
        return READ_OK

    cdef const char *folder_path(self) noexcept nogil:
        return self.frames.folder

    cdef int segment_fd(self, uint64_t number) noexcept nogil:
        cdef char path[MAX_PATH_BYTES]
        cdef size_t place = number % OPEN_SEGMENTS
        if self.open_numbers[place] == number:
            return self.open_fds[place]
        if self.open_numbers[place]:
            close_file(self.open_fds[place])
        self.open_numbers[place] = 0
        segment_path(path, self.folder_path(), number)
        self.open_fds[place] = open_file(path, O_RDONLY | O_CLOEXEC, 0)
        if self.open_fds[place] < 0:
            return -errno
        self.open_numbers[place] = number
        return self.open_fds[place]

    cdef read_status copy_entry(self, uint64_t seq, journal_entry *entry) noexcept nogil:
        # READ_END: there is no such entry in the files yet. Sets what raise_status() of frames tells otherwise.
        cdef read_status found = READ_OK
        if seq == 0:
            return READ_END
        if self.segment_count == 0 or not self.segment_of(seq).is_complete:
            found = self.add_segments()
        if found == READ_OK:
            found = self.copy_known_entry(seq, entry)
        self.frames.status = found
        return found

    cdef read_status copy_known_entry(self, uint64_t seq, journal_entry *entry) noexcept nogil:
        # Of a segment that add_segments() has seen: it spares who reads many entries a look for new ones at each.
        cdef segment_places *segment = self.segment_of(seq)
        cdef read_status found = READ_OK
        if not segment.is_complete and segment.next_seq <= seq:
            found = self.find_places(segment, segment - self.segments + 1, seq)
        return self.read_place(segment, seq, entry) if found == READ_OK else found

    cdef const frame_place *place_of(self, const segment_places *segment, uint64_t seq) noexcept nogil:
        # The frame of an entry. NULL: the segment has no such entry, as far as is known.
        cdef size_t low = 0, high = segment.count, middle
        while high - low > 1:
            middle = (low + high) // 2
            if segment.places[middle].first_seq <= seq:
                low = middle
            else:
                high = middle
        if segment.count == 0 or seq < segment.places[low].first_seq or (not segment.is_complete and seq >= segment.next_seq):
            return NULL
        return &segment.places[low]

    cdef uint64_t byte_offset_of(self, const segment_places *segment, uint64_t seq) noexcept nogil:
        # 0: the segment has no such entry, as far as is known.
        cdef const frame_place *place = self.place_of(segment, seq)
        cdef uint64_t byte_offset
        if place == NULL:
            return 0
        byte_offset = place.byte_offset + sizeof(frame_header) + (seq - place.first_seq) * sizeof(journal_entry)
        return 0 if segment.end and byte_offset >= segment.end else byte_offset

    cdef read_status damaged_entry(self, damage_kind kind, uint64_t seq, uint64_t expected, uint64_t found) noexcept nogil:
        # For who reads entries and finds that one is not what it must be.
        cdef const segment_places *segment = self.segment_of(seq)
        self.frames.damage.segment = segment - self.segments + 1
        self.frames.damage.seq = seq
        self.frames.damage.byte_offset = self.byte_offset_of(segment, seq)
        return damaged(&self.frames.damage, kind, expected, found)

    cdef read_status read_place(self, const segment_places *segment, uint64_t seq, journal_entry *entry) noexcept nogil:
        cdef uint64_t byte_offset = self.byte_offset_of(segment, seq)
        return self.read_bytes(segment, byte_offset, entry, sizeof(journal_entry)) if byte_offset else READ_END

    cdef read_status read_bytes(
        self, const segment_places *segment, uint64_t byte_offset, void *buffer, size_t length
    ) noexcept nogil:
        cdef int fd = self.segment_fd(segment - self.segments + 1)
        cdef ssize_t count
        if fd < 0:
            return self.frames.failed(-fd)
        count = read_whole(fd, <uint8_t *>buffer, length, byte_offset)
        if count < 0:
            return self.frames.failed(<int>-count)
        self.read_count += 1
        self.entry_bytes_read += count
        return READ_OK if count == <ssize_t>length else READ_END

    cdef read_status copy_digest(self, uint64_t block, digest_record *record) noexcept nogil:
        # READ_END: the block is not full yet, or its frame keeps no such digest.
        cdef uint64_t byte_offset, last_seq = (block + 1) * ENTRIES_PER_BLOCK
        cdef const segment_places *segment
        cdef const frame_place *place
        cdef frame_header frame
        cdef journal_entry entry
        cdef read_status found = self.copy_entry(last_seq, &entry)
        if found != READ_OK:
            return found
        segment = self.segment_of(last_seq)
        place = self.place_of(segment, last_seq)
        found = self.read_bytes(segment, place.byte_offset, &frame, sizeof(frame_header))
        if found == READ_OK:
            byte_offset = place.byte_offset + sizeof(frame_header) + <uint64_t>frame.entry_count * sizeof(journal_entry)
            byte_offset += <uint64_t>frame.outcome_count * sizeof(outcome_record)
            byte_offset += (block - (place.first_seq - 1) // ENTRIES_PER_BLOCK) * sizeof(digest_record)
            found = self.read_bytes(segment, byte_offset, record, sizeof(digest_record))
        self.frames.status = found
        return READ_END if found == READ_OK and record.block != block else found

    def read_entry(self, uint64_t seq) -> bytes | None:
        """Return the 96 bytes of entry ``seq``, ``None`` where the journal does not have it (yet)."""
        cdef journal_entry entry
        cdef read_status found
        with nogil:
            found = self.copy_entry(seq, &entry)
        self.frames.raise_status()
        return (<const uint8_t *>&entry)[:sizeof(journal_entry)] if found == READ_OK else None

    def read_digest(self, uint64_t block) -> bytes | None:
        """Return the chained digest of a full block, as its frame keeps it; ``None`` where the journal does not have it (yet)."""
        cdef digest_record record
        cdef read_status found
        with nogil:
            found = self.copy_digest(block, &record)
        self.frames.raise_status()
        return (<const uint8_t *>record.digest)[:32] if found == READ_OK else None


def index_segment(folder, uint64_t number) -> None:
    """Write the index of a complete segment, if it has none that fits."""
    cdef EntryReader reader = EntryReader(folder)
    cdef read_status found
    with nogil:
        found = reader.add_segments()
        if found == READ_OK and number < reader.segment_count:
            found = reader.find_places(&reader.segments[number - 1], number, 0)
        reader.frames.status = found
    reader.frames.raise_status()
