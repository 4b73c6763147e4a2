# Memory and hashing that accounts and keys share. Owns nothing; uses mmap, huge pages where the system gives them, and prefetch.

cdef extern from * nogil:
    """
    /* A macro: GCC takes a call of a function that only prefetches for one without effect, and leaves it out. */
    #define prefetch_two_lines(address) \\
        (__builtin_prefetch(address, 1), __builtin_prefetch((const char *)(address) + 64, 1))

    /* Copies to memory that is not read soon: without this a processor reads what it is going to write over. */
    #ifdef __SSE2__
    #include <emmintrin.h>
    static inline void copy_past_cache(void *to, const void *from, size_t length) {
        char *out = to;
        const char *in = from;
        size_t head = -(size_t)out & 63;
        if (head > length) { head = length; }
        memcpy(out, in, head);
        for (out += head, in += head, length -= head; length >= 64; out += 64, in += 64, length -= 64) {
            for (int at = 0; at < 64; at += 16) {
                _mm_stream_si128((__m128i *)(out + at), _mm_loadu_si128((const __m128i *)(in + at)));
            }
        }
        memcpy(out, in, length);
    }
    #define end_of_copies() _mm_sfence()
    #else
    #define copy_past_cache memcpy
    #define end_of_copies() ((void)0)
    #endif
    """
    void copy_past_cache(void *to, const void *source, size_t length)
    void end_of_copies()
    void prefetch "__builtin_prefetch"(const void *address, int write)
    void prefetch_two_lines(const void *address)

cdef enum:
    MADV_POPULATE_READ = 22  # Linux 5.14; C libraries do not all have it yet
    MADV_POPULATE_WRITE = 23


cdef inline uint64_t multiply_high(uint64_t a, uint64_t b) noexcept nogil:
    return <uint64_t>((<wide_uint>a * b) >> 64)


cdef inline uint64_t fold_multiply(uint64_t a, uint64_t b) noexcept nogil:
    """The mixing step of wyhash: both halves of the 128-bit product, folded into one."""
    cdef wide_uint product = <wide_uint>a * b
    return <uint64_t>(product >> 64) ^ <uint64_t>product


cdef inline uint64_t hash_pair(uint64_t low, uint64_t high, uint64_t seed) noexcept nogil:
    cdef uint64_t mixed = fold_multiply(low ^ seed, high ^ <uint64_t>0xE7037ED1A0B428DB)
    return fold_multiply(mixed ^ high, seed ^ <uint64_t>0xA0761D6478BD642F)


cdef inline void clear_entry(journal_entry *entry) noexcept nogil:
    """Set all of an entry to zero: in three parts, for of 96 bytes GCC makes a string instruction that starts slowly."""
    memset(entry, 0, 32)
    memset(<uint8_t *>entry + 32, 0, 32)
    memset(<uint8_t *>entry + 64, 0, 32)


cdef inline uint64_t load_u64(const uint8_t *bytes_) noexcept nogil:
    cdef uint64_t value
    memcpy(&value, bytes_, 8)
    return value


cdef void *reserve_memory(size_t length) noexcept nogil:
    """Address space of ``length`` bytes, zero, taken from the system as it is touched; NULL where there is none."""
    cdef void *memory
    memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    if memory == MAP_FAILED:
        return NULL
    madvise(memory, length, MADV_HUGEPAGE)
    return memory


cdef void touch_memory(void *memory, size_t length) noexcept nogil:
    """Have the system give the memory now that it would give page by page; where it does not know how, it does that."""
    if length:
        madvise(memory, length, MADV_POPULATE_WRITE)
