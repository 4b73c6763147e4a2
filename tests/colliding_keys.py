"""Keys that a key table can only tell apart by the keys themselves: their hashes lead to one line, with one tag."""

from collections.abc import Iterator
from itertools import count

from ledger.layouts import KEY_UNIT_LINES

_HALF = (1 << 64) - 1


def _fold_multiply(a: int, b: int) -> int:
    product = a * b
    return (product >> 64) ^ (product & _HALF)


def key_hash(serial: bytes, channel: int, hash_seed: int) -> int:
    """What ``core/keys.pxi`` hashes a key to."""
    low, high = int.from_bytes(serial[:8], "little"), int.from_bytes(serial[8:], "little")
    seed = hash_seed ^ channel << 32
    mixed = _fold_multiply(low ^ seed, high ^ 0xE7037ED1A0B428DB)
    return _fold_multiply(mixed ^ high, seed ^ 0xA0761D6478BD642F)


def colliding_serials(channel: int, hash_seed: int, tag: int) -> Iterator[str]:
    """Yield serials of 32 digits that share the tag, and the line of a table's first part; one of some fifty thousand does."""
    for number in count():
        serial = f"{number:032}"
        hash_ = key_hash(bytes.fromhex(serial), channel, hash_seed)
        if hash_ & 0xFFFF | 1 == tag and hash_ * KEY_UNIT_LINES >> 64 == 0:
            yield serial
