# The digest chain: one digest for every ENTRIES_PER_BLOCK entries, the same however the entries were framed.
# Owns block_digester. Uses sha256.h and record_layout.h.
#
# leaf = SHA-256(0x00 | 32 entries), node = SHA-256(0x01 | left | right), root over the 128 leaves of a block,
# digest[n] = SHA-256(digest[n - 1] | root[n]), where digest[-1] is 32 zero bytes.

cdef void digester_start(block_digester *digester, uint64_t entry_count, const uint8_t *last_digest) noexcept nogil:
    # entry_count must be a multiple of ENTRIES_PER_BLOCK: only there the chain can be taken up.
    digester.entry_count = entry_count
    memcpy(digester.chain, last_digest, 32)


cdef enum:
    LEAF_PREFIX = 0
    NODE_PREFIX = 1
    LEAVES_AT_ONCE = 4
    ENTRIES_AT_ONCE = LEAVES_AT_ONCE * ENTRIES_PER_LEAF
    LEAF_BYTES = ENTRIES_PER_LEAF * sizeof(journal_entry)


cdef void merkle_root(uint8_t *leaves, uint32_t leaf_count) noexcept nogil:
    # Leaves the root in the first 32 bytes; leaf_count is a power of two.
    cdef uint32_t node
    while leaf_count > 1:
        leaf_count //= 2
        node = 0
        while node + LEAVES_AT_ONCE <= leaf_count:
            sha256_four_prefixed(NODE_PREFIX, leaves + 64 * node, 64, leaves + 32 * node)
            node += LEAVES_AT_ONCE
        while node < leaf_count:
            sha256_prefixed(NODE_PREFIX, leaves + 64 * node, 64, leaves + 32 * node)
            node += 1


cdef void digester_end_block(block_digester *digester, digest_record *record) noexcept nogil:
    cdef sha256_context context
    merkle_root(<uint8_t *>digester.leaves, ENTRIES_PER_BLOCK // ENTRIES_PER_LEAF)
    sha256_begin(&context)
    sha256_add(&context, digester.chain, 32)
    sha256_add(&context, digester.leaves[0], 32)
    sha256_end(&context, digester.chain)
    memset(record, 0, sizeof(digest_record))
    record.block = digester.entry_count // ENTRIES_PER_BLOCK - 1
    memcpy(record.digest, digester.chain, 32)


cdef inline bint has_four_leaves(const block_digester *digester, uint32_t count) noexcept nogil:
    """Whether the next ``count`` entries begin with four leaves of one block."""
    return count >= ENTRIES_AT_ONCE and digester.entry_count % ENTRIES_PER_LEAF == 0 \
        and digester.entry_count % ENTRIES_PER_BLOCK <= ENTRIES_PER_BLOCK - ENTRIES_AT_ONCE


cdef void digester_add_four_leaves(block_digester *digester, const journal_entry *entries) noexcept nogil:
    cdef uint64_t leaf = digester.entry_count % ENTRIES_PER_BLOCK // ENTRIES_PER_LEAF
    sha256_four_prefixed(LEAF_PREFIX, <const uint8_t *>entries, LEAF_BYTES, <uint8_t *>digester.leaves + 32 * leaf)
    digester.entry_count += ENTRIES_AT_ONCE


cdef uint64_t digester_add_to_leaf(block_digester *digester, const journal_entry *entries, uint32_t count) noexcept nogil:
    # Returns how many of the entries it took: up to the end of the leaf.
    cdef uint64_t in_leaf = digester.entry_count % ENTRIES_PER_LEAF
    cdef uint64_t taken = min(<uint64_t>count, ENTRIES_PER_LEAF - in_leaf)
    cdef uint8_t prefix = LEAF_PREFIX
    if in_leaf == 0:
        sha256_begin(&digester.leaf)
        sha256_add(&digester.leaf, &prefix, 1)
    sha256_add(&digester.leaf, entries, taken * sizeof(journal_entry))
    digester.entry_count += taken
    if in_leaf + taken == ENTRIES_PER_LEAF:
        sha256_end(&digester.leaf, digester.leaves[(digester.entry_count - 1) % ENTRIES_PER_BLOCK // ENTRIES_PER_LEAF])
    return taken


cdef uint32_t digester_add(
    block_digester *digester, const journal_entry *entries, uint32_t count, digest_record *records
) noexcept nogil:
    # Returns how many blocks were completed; their records are in records, which has room for blocks_ended() of them.
    cdef uint32_t taken, blocks = 0
    while count:
        if has_four_leaves(digester, count):
            digester_add_four_leaves(digester, entries)
            taken = ENTRIES_AT_ONCE
        else:
            taken = <uint32_t>digester_add_to_leaf(digester, entries, count)
        entries += taken
        count -= taken
        if digester.entry_count % ENTRIES_PER_BLOCK == 0:
            digester_end_block(digester, records + blocks)
            blocks += 1
    return blocks


cdef uint32_t blocks_ended(uint64_t first_seq, uint32_t entry_count) noexcept nogil:
    # How many blocks the entries first_seq .. first_seq + entry_count - 1 complete.
    return <uint32_t>((first_seq - 1 + entry_count) // ENTRIES_PER_BLOCK - (first_seq - 1) // ENTRIES_PER_BLOCK)


def chain_digests(const uint8_t[::1] entries not None, bytes last_digest=bytes(32)):
    """Return the chained digests of the full blocks of ``entries``: whole 96-byte entries from the start of a block on."""
    cdef block_digester digester
    cdef digest_record record
    cdef size_t block, block_bytes = ENTRIES_PER_BLOCK * sizeof(journal_entry)
    digests = []
    digester_start(&digester, 0, last_digest)
    for block in range(entries.shape[0] // block_bytes):
        digester_add(&digester, <const journal_entry *>&entries[block * block_bytes], ENTRIES_PER_BLOCK, &record)
        digests.append((<const uint8_t *>record.digest)[:32])
    return digests


def checksum_sha256(bytes data):
    """Return the SHA-256 of ``data``."""
    cdef sha256_context context
    cdef uint8_t digest[32]
    sha256_begin(&context)
    sha256_add(&context, <const char *>data, len(data))
    sha256_end(&context, digest)
    return (<const uint8_t *>digest)[:32]


def checksum_sha256_portable(bytes data):
    """Return the same without the processor's instructions."""
    cdef uint8_t digest[32]
    sha256_portable(<const char *>data, len(data), digest)
    return (<const uint8_t *>digest)[:32]
