# The journal's reading side: frames in order, each checked before it is given out. Owns JournalReader.
# Uses frames.pxi, segments.pxi, digests.pxi, crc32c.h.
#
# A frame is given out when its magic, sizes, checksum, number, first seq, segment, epoch and payload ranges are right. What is
# wrong inside the journal is damage, with the place; what is wrong behind the last whole frame is the torn tail, or the end.

cdef enum:
    READ_AHEAD_LEAST = 4096  # at the end of a live journal: look for one more frame, not for megabytes of zeros
    READ_AHEAD_MOST = 2 << 20


cdef read_status damaged(damage_report *damage, damage_kind kind, uint64_t expected, uint64_t found) noexcept nogil:
    damage.kind = kind
    damage.expected = expected
    damage.found = found
    return READ_DAMAGED


def check_segment_numbers(folder) -> int:
    """Return the number of the last segment in a journal directory, 0 where there is none. Raises ``JournalDamaged`` at a gap."""
    numbers = sorted(int(path.stem) for path in Path(folder).glob("*.segment"))
    for expected, found in enumerate(numbers, start=1):
        if found != expected:
            raise JournalDamaged("a segment is missing", segment=expected, seq=0, byte_offset=0, expected=expected, found=found)
    return len(numbers)


cdef class JournalReader:
    """Reads the frames of a journal directory, from the first or from a place that ``seek_*`` finds.

    ``up_to_frame`` ends the reading behind that frame. With ``follow`` the end of a live journal is only the end so far:
    ``next_frame`` returns ``None`` and can be called again. Without it, what lies behind the last whole frame is looked through
    once, and a whole frame there means that the bytes before it are damaged.
    """

    def __cinit__(self, *args, **kwargs):
        self.segment_fd = -1

    def __init__(self, folder, *, bint follow=False, uint64_t up_to_frame=0):
        cdef bytes path = os.fsencode(folder)
        if len(path) >= <Py_ssize_t>sizeof(self.folder):
            raise ConfigurationError("the path of the journal is too long", bytes=len(path), limit=sizeof(self.folder) - 1)
        memcpy(self.folder, <const char *>path, len(path) + 1)
        check_segment_numbers(folder)
        self.follow = follow
        self.up_to_frame = up_to_frame
        self.read_ahead = READ_AHEAD_MOST
        self.next_frame_number = self.next_seq = 1

    def __dealloc__(self):
        self.close_segment()
        free(self.window)

    cdef void close_segment(self) noexcept nogil:
        if self.segment_fd >= 0:
            close_file(self.segment_fd)
        self.segment_fd = -1
        self.window_bytes = 0

    cdef read_status failed(self, int error) noexcept nogil:
        self.error_number = error
        return READ_FAILED

    cdef read_status damaged_at(self, damage_kind kind, uint64_t expected, uint64_t found) noexcept nogil:
        self.damage.segment = self.segment_number
        self.damage.seq = self.next_seq
        self.damage.byte_offset = self.next_byte_offset
        return damaged(&self.damage, kind, expected, found)

    cdef read_status open_segment(self, uint64_t number, bint continues) noexcept nogil:
        # READ_END: there is no such segment. continues: it must begin where the reading is; else the reading goes on there.
        cdef char path[MAX_PATH_BYTES]
        cdef uint8_t block[SEGMENT_HEADER_BYTES]
        cdef const segment_header *header = <const segment_header *>block
        cdef int64_t file_bytes
        cdef ssize_t count
        cdef int fd
        segment_path(path, self.folder, number)
        fd = open_file(path, O_RDONLY | O_CLOEXEC, 0)
        if fd < 0:
            return READ_END if errno == ENOENT else self.failed(errno)
        file_bytes = lseek(fd, 0, SEEK_END)
        count = read_whole(fd, block, SEGMENT_HEADER_BYTES, 0)
        if count < 0 or file_bytes < 0:
            close_file(fd)
            return self.failed(<int>-count if count < 0 else EIO)
        self.bytes_read += count
        memset(block + count, 0, SEGMENT_HEADER_BYTES - count)
        self.close_segment()
        self.segment_fd = fd
        self.segment_number = number
        self.segment_end = self.damage.byte_offset = 0
        self.next_byte_offset = SEGMENT_HEADER_BYTES
        self.damage.segment = number
        self.damage.seq = self.next_seq
        self.status = <read_status>check_segment_header(block, file_bytes, &self.damage)
        if self.status != READ_OK:
            return self.status
        if header.segment_number != number:
            return damaged(&self.damage, DAMAGE_SEGMENT_NUMBER, number, header.segment_number)
        if continues and header.first_frame_number != self.next_frame_number:
            return damaged(&self.damage, DAMAGE_SEGMENT_FIRST_FRAME, self.next_frame_number, header.first_frame_number)
        if continues and header.first_seq != self.next_seq:
            return damaged(&self.damage, DAMAGE_SEGMENT_FIRST_SEQ, self.next_seq, header.first_seq)
        if continues and number > 1 and memcmp(header.ledger_id, self.segment.ledger_id, 16) != 0:
            return damaged(&self.damage, DAMAGE_SEGMENT_LEDGER, number - 1, number)
        self.segment = header[0]
        self.next_frame_number = header.first_frame_number
        self.next_seq = header.first_seq
        self.last_epoch = 0
        self.last_crc32c = 0
        return READ_OK

    cdef read_status look_for_next_segment(self) noexcept nogil:
        # READ_OK: there is one, and segment_end is what it says. A damaged header is reported when the reading comes to it.
        cdef char path[MAX_PATH_BYTES]
        cdef segment_header header
        cdef ssize_t count
        cdef int fd
        segment_path(path, self.folder, self.segment_number + 1)
        fd = open_file(path, O_RDONLY | O_CLOEXEC, 0)
        if fd < 0:
            return READ_END if errno == ENOENT else self.failed(errno)
        count = read_whole(fd, <uint8_t *>&header, sizeof(segment_header), 0)
        close_file(fd)
        if count < 0:
            return self.failed(<int>-count)
        if count < <ssize_t>sizeof(segment_header):
            header.previous_segment_end = 0
        self.segment_end = header.previous_segment_end
        if self.segment_end < self.next_byte_offset or self.segment_end > self.segment.segment_bytes:
            return self.damaged_at(DAMAGE_SEGMENT_END, self.next_byte_offset, self.segment_end)
        return READ_OK

    cdef const uint8_t *bytes_at(self, uint64_t byte_offset, size_t length) noexcept nogil:
        # length bytes of the segment, which has them; NULL with status set when it cannot be read. Reads ahead.
        cdef size_t wanted
        cdef ssize_t count
        cdef uint8_t *grown
        if self.window_start <= byte_offset and byte_offset + length <= self.window_start + self.window_bytes:
            return self.window + (byte_offset - self.window_start)
        wanted = min(max(length, self.read_ahead), self.segment.segment_bytes - byte_offset)
        if wanted > self.window_capacity:
            grown = <uint8_t *>realloc(self.window, wanted)
            if grown == NULL:
                self.status = self.failed(ENOMEM)
                return NULL
            self.window = grown
            self.window_capacity = wanted
        self.window_start = byte_offset
        self.window_bytes = 0
        count = read_whole(self.segment_fd, self.window, wanted, byte_offset)
        if count < <ssize_t>length:
            self.status = self.failed(<int>-count if count < 0 else EIO)
            return NULL
        self.window_bytes = count
        self.bytes_read += count
        self.read_ahead = min(self.read_ahead * 8, <size_t>READ_AHEAD_MOST)
        return self.window

    cdef read_status check_frame(self) noexcept nogil:
        # Whether a whole frame lies at next_byte_offset. READ_DAMAGED may still mean the end: end_or_damage decides.
        cdef uint64_t room = self.segment.segment_bytes - self.next_byte_offset
        cdef const frame_header *frame
        cdef uint32_t crc
        if room < sizeof(frame_header):
            return self.damaged_at(DAMAGE_FRAME_MAGIC, FRAME_MAGIC, 0)
        frame = <const frame_header *>self.bytes_at(self.next_byte_offset, sizeof(frame_header))
        if frame == NULL:
            return self.status
        if frame.magic != FRAME_MAGIC:
            return self.damaged_at(DAMAGE_FRAME_MAGIC, FRAME_MAGIC, frame.magic)
        if not frame_shape_fits(frame, room):
            return self.damaged_at(DAMAGE_FRAME_BYTES, room, frame.frame_bytes)
        frame = <const frame_header *>self.bytes_at(self.next_byte_offset, frame.frame_bytes)
        if frame == NULL:
            return self.status
        crc = crc32c(0, &frame.frame_bytes, frame.frame_bytes - 8)
        if frame.crc32c != crc:
            return self.damaged_at(DAMAGE_FRAME_CRC, frame.crc32c, crc)
        if frame.frame_number != self.next_frame_number:
            return self.damaged_at(DAMAGE_FRAME_NUMBER, self.next_frame_number, frame.frame_number)
        if frame.segment_number != self.segment_number:
            return self.damaged_at(DAMAGE_FRAME_SEGMENT, self.segment_number, frame.segment_number)
        if frame.first_seq != self.next_seq:
            return self.damaged_at(DAMAGE_FRAME_FIRST_SEQ, self.next_seq, frame.first_seq)
        if frame.epoch < max(self.last_epoch, self.segment.epoch):
            return self.damaged_at(DAMAGE_FRAME_EPOCH, max(self.last_epoch, self.segment.epoch), frame.epoch)
        if frame.digest_count != blocks_ended(frame.first_seq, frame.entry_count):
            return self.damaged_at(DAMAGE_FRAME_DIGESTS, blocks_ended(frame.first_seq, frame.entry_count), frame.digest_count)
        if not payload_ranges_fit(frame):
            return self.damaged_at(DAMAGE_FRAME_PAYLOAD, frame.payload_bytes, 0)
        return READ_OK

    cdef read_status end_or_damage(self) noexcept nogil:
        # There is no whole frame at next_byte_offset, and no next segment says that there must be one.
        cdef uint64_t byte_offset
        cdef const frame_header *frame
        self.window_bytes = 0  # a live journal's next frame may come to be where we just looked
        self.read_ahead = READ_AHEAD_LEAST
        if self.up_to_frame >= self.next_frame_number:
            return READ_DAMAGED
        if self.damage.kind > DAMAGE_FRAME_CRC:
            return READ_DAMAGED  # whole, so not torn, but not the frame that comes next
        if self.follow:
            return READ_END
        self.read_ahead = READ_AHEAD_MOST
        byte_offset = self.next_byte_offset + FRAME_ALIGNMENT
        while byte_offset + sizeof(frame_header) <= self.segment.segment_bytes:
            frame = <const frame_header *>self.bytes_at(byte_offset, sizeof(frame_header))
            if frame == NULL:
                return self.status
            if frame.magic == FRAME_MAGIC and self.is_later_frame(byte_offset):
                self.window_bytes = 0  # a live writer may have finished both since we looked at the first
                return self.check_frame()
            byte_offset += FRAME_ALIGNMENT
        return READ_END

    cdef bint is_later_frame(self, uint64_t byte_offset) noexcept nogil:
        cdef const frame_header *frame = <const frame_header *>self.bytes_at(byte_offset, sizeof(frame_header))
        if frame == NULL or not frame_shape_fits(frame, self.segment.segment_bytes - byte_offset):
            return False
        if frame.segment_number != self.segment_number or frame.frame_number <= self.next_frame_number:
            return False
        frame = <const frame_header *>self.bytes_at(byte_offset, frame.frame_bytes)
        return frame != NULL and frame.crc32c == crc32c(0, &frame.frame_bytes, frame.frame_bytes - 8)

    cdef const frame_header *read_frame(self) noexcept nogil:
        cdef const frame_header *frame
        cdef read_status found
        self.status = READ_END
        if self.up_to_frame and self.next_frame_number > self.up_to_frame:
            return NULL
        if self.segment_number == 0:
            self.status = self.open_segment(1, True)
            if self.status != READ_OK:
                return NULL
        while True:
            if self.segment_end == 0:
                self.status = self.look_for_next_segment()
                if self.status > READ_END:
                    return NULL
            if self.segment_end and self.next_byte_offset == self.segment_end:
                self.status = self.open_segment(self.segment_number + 1, True)
                if self.status != READ_OK:
                    return NULL
                continue
            found = self.check_frame()
            if found == READ_DAMAGED:
                self.window_bytes = 0  # perhaps it was read ahead, before the writer came here
                found = self.check_frame()
            if found == READ_OK:
                break
            if found == READ_DAMAGED and self.segment_end == 0:
                # The writer may have begun the next segment since we looked.
                self.status = self.look_for_next_segment()
                if self.status == READ_OK:
                    continue
                if self.status == READ_END:
                    found = self.end_or_damage()
                if found == READ_OK:
                    break
            self.status = found if self.status <= READ_END else self.status
            return NULL
        frame = <const frame_header *>self.bytes_at(self.next_byte_offset, sizeof(frame_header))
        self.step_over(frame)
        self.last_epoch = frame.epoch
        self.status = READ_OK
        return frame

    cdef int raise_status(self) except -1:
        # Nothing at READ_OK and READ_END.
        if self.status == READ_DAMAGED:
            raise JournalDamaged(
                _DAMAGE_MESSAGES[self.damage.kind], hint="Restore this segment from a copy; nothing behind it was read",
                segment=self.damage.segment, seq=self.damage.seq, byte_offset=self.damage.byte_offset,
                expected=self.damage.expected, found=self.damage.found)
        if self.status == READ_OTHER_VERSION:
            raise FormatVersionMismatch(
                "the journal was written by another version of Peakledger",
                path=f"{os.fsdecode(self.folder)}/{self.damage.segment:010d}.segment",
                expected=self.damage.expected, found=self.damage.found)
        if self.status == READ_FAILED:
            raise OSError(self.error_number, os.strerror(self.error_number), os.fsdecode(self.folder))
        return 0

    def next_frame(self) -> Frame | None:
        """Return the next frame, or ``None`` at the end. Raises ``JournalDamaged``, ``FormatVersionMismatch``, ``OSError``."""
        cdef const frame_header *frame
        with nogil:
            frame = self.read_frame()
        if frame == NULL:
            self.raise_status()
            return None
        return make_frame(frame, self.next_byte_offset - frame.frame_bytes)

    def read_to_end(self) -> tuple[bytes | None, bytes]:
        """Read all that is left; return the header of the last frame, if there was one, and the digest of the last full block."""
        cdef const frame_header *frame
        cdef frame_header last
        cdef uint64_t frames = 0
        cdef uint8_t digest[32]
        memcpy(digest, self.segment.last_digest, 32)
        with nogil:
            frame = self.read_frame()
            while frame != NULL:
                last = frame[0]
                frames += 1
                if frame.digest_count:
                    memcpy(digest, frame_digests(frame)[frame.digest_count - 1].digest, 32)
                frame = self.read_frame()
        self.raise_status()
        return (<const uint8_t *>&last)[:sizeof(frame_header)] if frames else None, (<const uint8_t *>digest)[:32]

    def torn_bytes(self) -> int:
        """Return how many bytes from the position on, up to the last that is not zero, are no frame. At the end only."""
        cdef uint64_t byte_offset = self.next_byte_offset // 8 * 8
        cdef uint64_t torn_end = self.next_byte_offset
        cdef const uint8_t *word
        with nogil:
            while byte_offset < self.segment.segment_bytes:
                word = self.bytes_at(byte_offset, 8)
                if word == NULL:
                    break
                if (<const uint64_t *>word)[0]:
                    torn_end = byte_offset + 8
                byte_offset += 8
        self.raise_status()
        return torn_end - self.next_byte_offset

    def __iter__(self):
        while (frame := self.next_frame()) is not None:
            yield frame

    def seek_segment(self, uint64_t number) -> None:
        """Go on with the first frame of a segment."""
        cdef read_status found
        with nogil:
            found = self.status = self.open_segment(number, False)
        self.raise_status()
        if found == READ_END:
            raise JournalDamaged(
                "a segment is missing", segment=number, seq=self.next_seq, byte_offset=0, expected=number, found=0)

    cdef const frame_header *frame_header_here(self) noexcept nogil:
        # The header at the position, if it is that of the next frame; no more than the header is checked. NULL: it is not.
        cdef const frame_header *frame
        cdef uint64_t end = self.segment_end if self.segment_end else self.segment.segment_bytes
        if self.next_byte_offset + sizeof(frame_header) > end:
            return NULL
        self.read_ahead = READ_AHEAD_LEAST
        frame = <const frame_header *>self.bytes_at(self.next_byte_offset, sizeof(frame_header))
        if frame == NULL or frame.magic != FRAME_MAGIC or not frame_shape_fits(frame, end - self.next_byte_offset):
            return NULL
        if frame.frame_number != self.next_frame_number or frame.first_seq != self.next_seq:
            return NULL
        return frame

    cdef void step_over(self, const frame_header *frame) noexcept nogil:
        self.last_crc32c = frame.crc32c
        self.next_byte_offset += frame.frame_bytes
        self.next_frame_number += 1
        self.next_seq += frame.entry_count

    cdef void hop_to(self, uint64_t frame_number, uint64_t seq) noexcept nogil:
        # From header to header of the open segment, to frame_number or to the first frame that holds seq or anything behind it,
        # or to the end. The reading that follows checks what it gives out.
        cdef const frame_header *frame = self.frame_header_here()
        while frame != NULL and (
            frame.frame_number < frame_number or frame.first_seq < seq and frame.first_seq + frame.entry_count <= seq
        ):
            self.step_over(frame)
            frame = self.frame_header_here()
        self.read_ahead = READ_AHEAD_MOST

    cdef bint begins_behind(self, uint64_t frame_number, uint64_t seq) noexcept nogil:
        if frame_number:
            return self.segment.first_frame_number > frame_number
        return self.segment.first_seq >= seq

    cdef read_status seek(self, uint64_t frame_number, uint64_t seq) noexcept nogil:
        # One of the two is 0. The segment to look into is the last one that does not begin behind the place.
        cdef uint64_t number = max(self.segment_number, <uint64_t>1)
        cdef read_status found = self.open_segment(number, False)
        while found == READ_OK and not self.begins_behind(frame_number, seq):
            number += 1
            found = self.open_segment(number, False)
        while number > 1 and (found == READ_END or found == READ_OK and self.begins_behind(frame_number, seq)):
            number -= 1
            found = self.open_segment(number, False)
        if found == READ_OK:
            found = self.look_for_next_segment()
            self.hop_to(frame_number, seq)
        return found

    def seek_frame(self, uint64_t frame_number) -> None:
        """Go on with a frame; with the end, where it is not written yet. Raises what ``next_frame`` raises."""
        with nogil:
            self.status = self.seek(frame_number, 0)
        self.raise_status()

    def seek_behind(self, uint64_t frame_number, uint32_t crc32c) -> bool:
        """Go on behind a frame, where the journal has the one with this checksum, 0 for any; return whether it has.

        Where it has not, the position is not defined. Raises what ``next_frame`` raises.
        """
        cdef const frame_header *frame = NULL
        with nogil:
            self.status = self.seek(max(frame_number, <uint64_t>1), 0)
            if self.status <= READ_END and self.segment_fd >= 0 and frame_number:
                frame = self.frame_header_here()
                if frame != NULL and (frame.frame_number != frame_number or crc32c and frame.crc32c != crc32c):
                    frame = NULL
                if frame != NULL:
                    self.step_over(frame)
        self.raise_status()
        return frame != NULL or frame_number == 0

    def seek_seq(self, uint64_t seq) -> None:
        """Go on with the first frame that holds ``seq`` or anything behind it. Raises what ``next_frame`` raises."""
        with nogil:
            self.status = self.seek(0, seq)
        self.raise_status()

    @property
    def segment_header(self) -> bytes:
        """The 256 bytes of the open segment's header."""
        return (<const uint8_t *>&self.segment)[:sizeof(segment_header)]

    @property
    def position(self) -> tuple[int, int, int, int]:
        """Segment, byte offset, frame number and seq of what comes next."""
        return self.segment_number, self.next_byte_offset, self.next_frame_number, self.next_seq


_DAMAGE_MESSAGES = {
    DAMAGE_SEGMENT_MAGIC: "a segment file does not begin as one",
    DAMAGE_SEGMENT_CRC: "the checksum of a segment header is wrong",
    DAMAGE_SEGMENT_BYTES: "a segment file does not have the length that its header says",
    DAMAGE_SEGMENT_FIELDS: "a segment header has a field that cannot be",
    DAMAGE_SEGMENT_NUMBER: "a segment file has the header of another segment",
    DAMAGE_SEGMENT_FIRST_FRAME: "a segment does not begin with the frame that comes next",
    DAMAGE_SEGMENT_FIRST_SEQ: "a segment does not begin with the entry that comes next",
    DAMAGE_SEGMENT_LEDGER: "a segment belongs to another ledger than the one before it",
    DAMAGE_SEGMENT_END: "the next segment says that the frames of this one end elsewhere",
    DAMAGE_FRAME_MAGIC: "there is no frame where one must be",
    DAMAGE_FRAME_BYTES: "a frame's length does not agree with what it holds",
    DAMAGE_FRAME_CRC: "the checksum of a frame is wrong",
    DAMAGE_FRAME_NUMBER: "a frame has not the number that comes next",
    DAMAGE_FRAME_SEGMENT: "a frame belongs to another segment",
    DAMAGE_FRAME_FIRST_SEQ: "a frame does not begin with the entry that comes next",
    DAMAGE_FRAME_EPOCH: "a frame was written by a writer of an earlier epoch",
    DAMAGE_FRAME_DIGESTS: "a frame has not one digest for every block that it completes",
    DAMAGE_FRAME_PAYLOAD: "an outcome points outside the frame's payload",
    DAMAGE_COUNT_CONSUMED: "the records consumed are not the sum of applied, existing and refused",
    DAMAGE_COUNT_APPLIED: "the count of applied events is not that of the entries",
    DAMAGE_COUNT_EXISTING: "the count of existing events is not that of the outcomes",
    DAMAGE_COUNT_REFUSED: "the count of refused events is not that of the outcomes",
    DAMAGE_LEDGER_TIME: "ledger time goes back",
    DAMAGE_NEXT_OFFSET: "the position in the source goes back",
    DAMAGE_SEGMENT_DIGEST: "the digest in a segment header is not that of the entries before it",
    DAMAGE_DIGEST: "the digest of a block is not that of its entries",
    DAMAGE_ENTRY_KIND: "an entry is of no known kind",
    DAMAGE_SLOT: "an entry names an account that it cannot name",
    DAMAGE_LINK: "an entry does not name the entry before it of one of its accounts",
    DAMAGE_OVERFLOW: "an entry moves more than an account can hold",
    DAMAGE_ENTRY_MISSING: "an entry that an account names is missing",
    DAMAGE_OTHER_ACCOUNT: "an account names an entry of other accounts",
}
