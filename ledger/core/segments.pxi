# Segment files: making them, giving them their header and name, reading the header. Owns no state. Uses crc32c.h.
#
# A segment is zero-filled under the name NNNNNNNNNN.EPOCH.preparing, and gets its own name, NNNNNNNNNN.segment, only when its
# header is durable: whoever sees a segment sees it whole. The epoch keeps a fenced writer's file apart from its successor's.
# Where a take-over ends a segment early, the rest of it becomes a hole.

cdef enum:
    ZERO_FILL_BYTES = 1 << 20
    MAX_PATH_BYTES = 4096


cdef void segment_path(char *path, const char *folder, uint64_t number) noexcept nogil:
    snprintf(path, MAX_PATH_BYTES, b"%s/%010llu.segment", folder, <unsigned long long>number)


cdef void preparing_path(char *path, const char *folder, uint64_t number, uint64_t epoch) noexcept nogil:
    snprintf(path, MAX_PATH_BYTES, b"%s/%010llu.%llu.preparing", folder, <unsigned long long>number, <unsigned long long>epoch)


cdef int write_whole(int fd, const uint8_t *data, size_t length, uint64_t byte_offset) noexcept nogil:
    # Returns 0 or an errno.
    cdef ssize_t written
    while length:
        written = pwrite(fd, data, length, <off_t>byte_offset)
        if written < 0 and errno == EINTR:
            continue
        if written <= 0:
            return errno if written < 0 else EIO
        data += written
        length -= written
        byte_offset += written
    return 0


cdef ssize_t read_whole(int fd, uint8_t *data, size_t length, uint64_t byte_offset) noexcept nogil:
    # Returns the bytes read, fewer than length only at the end of the file, or minus an errno.
    cdef ssize_t count
    cdef size_t done = 0
    while done < length:
        count = pread(fd, data + done, length - done, <off_t>(byte_offset + done))
        if count < 0 and errno == EINTR:
            continue
        if count < 0:
            return -errno
        if count == 0:
            break
        done += count
    return done


cdef int zero_fill(int fd, uint64_t start, uint64_t end) noexcept nogil:
    # Both are multiples of 4096. Blocks that were written once take later writes without any change of metadata.
    cdef int error = 0
    fallocate(fd, 0, start, end - start)  # only a hint to keep the extents together: it may be refused
    while start < end and error == 0:
        error = write_zeros(fd, start, min(<uint64_t>ZERO_FILL_BYTES, end - start))
        start += ZERO_FILL_BYTES
    if error == 0 and fdatasync(fd) != 0:
        error = errno
    return error


cdef int write_zeros(int fd, uint64_t start, size_t length) noexcept nogil:
    # At most ZERO_FILL_BYTES. Returns 0 or an errno.
    cdef int error
    cdef void *zeros = NULL
    if posix_memalign(&zeros, 4096, length) != 0:
        return ENOMEM
    memset(zeros, 0, length)
    error = write_whole(fd, <const uint8_t *>zeros, length, start)
    free(zeros)
    return error


def free_behind(path, uint64_t segment_end) -> None:
    """Give the disk back what a segment has behind its end, where the file system can; the file keeps its length.

    Only where the next segment says that this one ends there: a late writer may take some of it again, and it does not count.
    Raises ``OSError`` where the file cannot be opened.
    """
    cdef uint64_t start = round_up(segment_end, 4096)
    cdef int64_t file_bytes
    cdef int fd = open_file(os.fsencode(path), O_WRONLY | O_CLOEXEC, 0)
    if fd < 0:
        raise OSError(errno, os.strerror(errno), os.fsdecode(path))
    file_bytes = lseek(fd, 0, SEEK_END)
    if file_bytes > <int64_t>start:
        fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start, file_bytes - start)
    close_file(fd)


cdef int open_direct(const char *path, int flags, bint *direct) noexcept nogil:
    # Opens past the page cache where the file system lets us; *direct says whether it did. Returns the fd, or minus an errno.
    cdef int fd = open_file(path, flags | O_DIRECT | O_CLOEXEC, 0o644)
    direct[0] = fd >= 0
    if fd < 0 and errno == EINVAL:
        fd = open_file(path, flags | O_CLOEXEC, 0o644)
    return fd if fd >= 0 else -errno


cdef int prepare_segment(const char *folder, uint64_t number, uint64_t epoch, uint64_t segment_bytes) noexcept nogil:
    # Makes the zero-filled file that number's segment will be. Returns 0 or an errno.
    cdef char path[MAX_PATH_BYTES]
    cdef bint direct = False
    cdef int fd, error
    preparing_path(path, folder, number, epoch)
    fd = open_direct(path, O_WRONLY | O_CREAT | O_TRUNC, &direct)
    if fd < 0:
        return -fd
    error = zero_fill(fd, 0, segment_bytes)
    if error == EINVAL and direct:  # opened, but then refused: unusual alignment
        close_file(fd)
        fd = open_file(path, O_WRONLY | O_CLOEXEC, 0o644)
        error = zero_fill(fd, 0, segment_bytes) if fd >= 0 else errno
    if fd >= 0:
        close_file(fd)
    return error


cdef int sync_folder(const char *folder) noexcept nogil:
    cdef int error = 0
    cdef int fd = open_file(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
    if fd < 0:
        return errno
    if fsync(fd) != 0:
        error = errno
    close_file(fd)
    return error


cdef int name_segment(const char *folder, uint64_t number, uint64_t epoch) noexcept nogil:
    # link refuses an existing name, where rename would replace another writer's segment: EEXIST.
    cdef char preparing[MAX_PATH_BYTES]
    cdef char final[MAX_PATH_BYTES]
    preparing_path(preparing, folder, number, epoch)
    segment_path(final, folder, number)
    if link(preparing, final) != 0:
        return errno
    unlink(preparing)
    return sync_folder(folder)


cdef uint32_t segment_header_crc(const uint8_t *block) noexcept nogil:
    return crc32c(0, block + 8, SEGMENT_HEADER_BYTES - 8)


cdef int write_segment_header(int fd, const segment_header *header) noexcept nogil:
    cdef void *block = NULL
    cdef int error
    if posix_memalign(&block, 4096, SEGMENT_HEADER_BYTES) != 0:
        return ENOMEM
    memset(block, 0, SEGMENT_HEADER_BYTES)
    memcpy(block, header, sizeof(segment_header))
    (<segment_header *>block).crc32c = segment_header_crc(<const uint8_t *>block)
    error = write_whole(fd, <const uint8_t *>block, SEGMENT_HEADER_BYTES, 0)
    free(block)
    if error == 0 and fdatasync(fd) != 0:
        error = errno
    return error


cdef int publish_segment(
    const char *folder, const segment_header *header, uint64_t prepared_bytes, bint *direct, int *opened
) noexcept nogil:
    # Turns the prepared file into the segment that header describes, and opens it for writing. Returns 0 or an errno.
    cdef char path[MAX_PATH_BYTES]
    cdef int fd, error = 0
    preparing_path(path, folder, header.segment_number, header.epoch)
    fd = open_direct(path, O_RDWR, direct)
    if fd < 0:
        return -fd
    if header.segment_bytes > prepared_bytes:
        error = zero_fill(fd, prepared_bytes, header.segment_bytes)
    if error == 0:
        error = write_segment_header(fd, header)
    if error == EINVAL and direct[0]:
        close_file(fd)
        direct[0] = False
        fd = open_file(path, O_RDWR | O_CLOEXEC, 0)
        error = write_segment_header(fd, header) if fd >= 0 else errno
    if error == 0:
        error = name_segment(folder, header.segment_number, header.epoch)
    if error and fd >= 0:
        close_file(fd)
    opened[0] = -1 if error else fd
    return error


cdef int check_segment_header(const uint8_t *block, uint64_t file_bytes, damage_report *damage) noexcept nogil:
    # block holds SEGMENT_HEADER_BYTES. Returns READ_OK, READ_DAMAGED or READ_OTHER_VERSION.
    cdef const segment_header *header = <const segment_header *>block
    cdef uint32_t crc = segment_header_crc(block)
    if header.magic != SEGMENT_MAGIC:
        return damaged(damage, DAMAGE_SEGMENT_MAGIC, SEGMENT_MAGIC, header.magic)
    if header.crc32c != crc:
        return damaged(damage, DAMAGE_SEGMENT_CRC, header.crc32c, crc)
    if header.format_version != FORMAT_VERSION:
        damaged(damage, DAMAGE_NONE, FORMAT_VERSION, header.format_version)
        return READ_OTHER_VERSION
    if header.segment_bytes != file_bytes or file_bytes % 4096:
        return damaged(damage, DAMAGE_SEGMENT_BYTES, header.segment_bytes, file_bytes)
    if header.segment_number == 0 or header.first_seq == 0 or header.first_frame_number == 0 or header.source[127]:
        return damaged(damage, DAMAGE_SEGMENT_FIELDS, 1, 0)
    return READ_OK
