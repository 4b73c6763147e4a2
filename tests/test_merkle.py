"""The tree over hashes is RFC 6962's, and a path leads from any of them to the root and from no other."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.merkle import block_count, leaf_count, path_to_root, root_by_path, tree_root

HASHES = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=70)


def rfc_6962_root(hashes):
    """Return the root as the RFC defines it: split at the greatest power of two that is less than the count."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return sha256(b"\1" + rfc_6962_root(hashes[:split]) + rfc_6962_root(hashes[split:])).digest()


@given(HASHES)
def test_the_root_is_that_of_rfc_6962(hashes):
    assert tree_root(hashes) == rfc_6962_root(hashes)


@given(HASHES, st.data())
def test_a_path_leads_to_the_root_from_its_own_hash_and_place_alone(hashes, data):
    index = data.draw(st.integers(0, len(hashes) - 1))
    path = path_to_root(hashes, index)
    assert len(path) <= (len(hashes) - 1).bit_length()
    assert root_by_path(hashes[index], index, len(hashes), path) == tree_root(hashes)
    if path:
        assert root_by_path(bytes(32), index, len(hashes), path) != tree_root(hashes) or hashes[index] == bytes(32)
        with pytest.raises(ValueError, match="too short"):
            root_by_path(hashes[index], index, len(hashes), path[:-1])
    with pytest.raises(ValueError, match="too long"):
        root_by_path(hashes[index], index, len(hashes), [*path, bytes(32)])


@pytest.mark.parametrize(
    ("last_seq", "blocks", "leaves"), [(1, 1, 1), (32, 1, 1), (33, 1, 2), (4096, 1, 128), (4097, 2, 1), (8192, 2, 128)]
)
def test_blocks_and_leaves_are_counted_from_the_entries(last_seq, blocks, leaves):
    assert block_count(last_seq) == blocks
    assert leaf_count(blocks - 1, last_seq) == leaves
    assert leaf_count(0, last_seq) == (128 if blocks > 1 else leaves)
