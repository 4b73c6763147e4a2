# How soon the projector flushes (docs/decisions/0042). Owns flush_pace.


cdef enum:
    # The pause before a flush is as long as four flushes, so that flushing takes a fifth of the thread, within these limits.
    LEAST_PAUSE_NS = 1000000
    MOST_SHORT_PAUSE_NS = 50000000
    MOST_LONG_PAUSE_NS = 150000000
    MOST_DRAIN_NS = 300000000  # behind the pause, while frames are there that are not applied
    DISK_FULL_PAUSE_NS = 1000000000


cdef inline uint64_t monotonic_ns() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <uint64_t>now.tv_sec * 1000000000 + <uint64_t>now.tv_nsec


cdef inline uint64_t pause_before_ns(uint64_t flush_ns) noexcept nogil:
    """Four times as long as a short flush will take; half as long as a long one will."""
    return max(
        min(max(4 * flush_ns, <uint64_t>LEAST_PAUSE_NS), <uint64_t>MOST_SHORT_PAUSE_NS),
        min(flush_ns // 2, <uint64_t>MOST_LONG_PAUSE_NS),
    )


cdef void note_flush(flush_pace *pace, uint64_t begun_ns, uint32_t pages) noexcept nogil:
    """Note that a flush of so many pages ends now."""
    pace.pages = pages
    pace.ended_ns = monotonic_ns()
    pace.lasted_ns = pace.ended_ns - begun_ns


cdef uint64_t next_flush_ns(const flush_pace *pace, uint32_t pages) noexcept nogil:
    """When to flush so many pages: they will take about as long, each, as those of the last flush did."""
    cdef double share = min(pages / <double>max(pace.pages, <uint32_t>1), 1.0)
    return pace.ended_ns + pause_before_ns(<uint64_t>(share * pace.lasted_ns))
