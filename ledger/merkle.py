"""The tree of digests over the entries of a journal, in plain Python: docs/proofs.md says in words what this says in code.

The core makes the leaves, the roots of full blocks and the chain over them as it writes (``core/digests.pxi``); the tree over the
chain is made when somebody asks for a digest or a proof.
"""

from collections.abc import Sequence
from hashlib import sha256

ENTRY_BYTES = 96
ENTRIES_PER_LEAF = 32
ENTRIES_PER_BLOCK = 4096
BEFORE_FIRST_BLOCK = bytes(32)


def leaf_hash(entries: bytes) -> bytes:
    """Return the hash of the entries of one leaf."""
    return sha256(b"\0" + entries).digest()


def chained_hash(before: bytes, block_root: bytes) -> bytes:
    """Return the chained hash of a block, given that of the block before it."""
    return sha256(before + block_root).digest()


def published_digest(last_seq: int, root: bytes) -> bytes:
    """Return the digest over the entries 1 to ``last_seq``, given the root over the chained hashes of their blocks."""
    return sha256(b"\2" + last_seq.to_bytes(8, "little") + root).digest()


def block_count(last_seq: int) -> int:
    """Return the number of blocks that hold the entries 1 to ``last_seq``; the last one may not be full."""
    return -(-last_seq // ENTRIES_PER_BLOCK)


def leaf_count(block: int, last_seq: int) -> int:
    """Return the number of leaves of a block where the journal ends with ``last_seq``."""
    return -(-min(ENTRIES_PER_BLOCK, last_seq - block * ENTRIES_PER_BLOCK) // ENTRIES_PER_LEAF)


def tree_root(hashes: Sequence[bytes]) -> bytes:
    """Return the root over one hash or more: neighbours pair up, and who has no neighbour goes up alone."""
    while len(hashes) > 1:
        hashes = _level_above(hashes)
    return hashes[0]


def path_to_root(hashes: Sequence[bytes], index: int) -> list[bytes]:
    """Return the neighbours that the hash at ``index`` meets on its way up to the root."""
    path = []
    while len(hashes) > 1:
        if index ^ 1 < len(hashes):
            path.append(hashes[index ^ 1])
        hashes, index = _level_above(hashes), index // 2
    return path


def root_by_path(hash_: bytes, index: int, count: int, path: Sequence[bytes]) -> bytes:
    """Return the root over ``count`` hashes, one of which is known with its path.

    Raises ValueError for a path of another length.
    """
    rest = list(reversed(path))
    while count > 1:
        if index % 2 or index + 1 < count:
            if not rest:
                raise ValueError("a path is too short")
            neighbour = rest.pop()
            hash_ = _node_hash(neighbour, hash_) if index % 2 else _node_hash(hash_, neighbour)
        index, count = index // 2, (count + 1) // 2
    if rest:
        raise ValueError("a path is too long")
    return hash_


def _level_above(hashes: Sequence[bytes]) -> list[bytes]:
    pairs = [_node_hash(*hashes[at : at + 2]) for at in range(0, len(hashes) - 1, 2)]
    return [*pairs, hashes[-1]] if len(hashes) % 2 else pairs


def _node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()
