# What the quarantine needs of a journal: the frames that keep the bytes of refused events. Owns nothing; uses journal_reader.

def next_frame_with_payload(JournalReader reader not None, uint64_t most_frames):
    """Return the next frame that keeps bytes of refused events; None after ``most_frames`` others, and at the end.

    Raises what ``JournalReader.next_frame`` raises.
    """
    cdef const frame_header *frame = NULL
    cdef uint64_t passed = 0
    with nogil:
        while passed < most_frames:
            frame = reader.read_frame()
            if frame == NULL or frame.payload_bytes:
                break
            frame = NULL
            passed += 1
    if frame != NULL:
        return make_frame(frame, reader.next_byte_offset - frame.frame_bytes)
    if passed < most_frames:
        reader.raise_status()
    return None
