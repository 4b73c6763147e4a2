"""The state digest in plain Python: what the core must come to, and how to write it in another language.

It is for damage and mistakes, not against forgers: whoever wants to can find other accounts with the same digest. What must stand
up to them is proven by the SHA-256 digests over the journal.
"""

import struct
from collections.abc import Sequence

_WORD = 2**64 - 1
_WIDE = 2**128 - 1
_WORDS = struct.Struct("<8Q")

# The first digits of pi behind the point, in words of 64 bits.
KEYS = (
    0x243F6A8885A308D3,
    0x13198A2E03707344,
    0xA4093822299F31D0,
    0x082EFA98EC4E6C89,
    0x452821E638D01377,
    0xBE5466CF34E90C6C,
    0xC0AC29B7C97C50DD,
    0x3F84D5B5B5470917,
    0x9216D5D98979FB1B,
    0xD1310BA698DFB5AC,
)


def plain_account_digest(slot: int, record: bytes) -> int:
    """Return the 128-bit number of the account in ``slot``, whose ``account_record`` is 64 bytes."""
    id_low, id_high, debits_pending, debits_posted, credits_pending, credits_posted, last_seq, marks = _WORDS.unpack(record)
    mixed = (
        _multiply(id_low, id_high, 0)
        + _multiply(debits_pending, debits_posted, 2)
        + _multiply(credits_pending, credits_posted, 4)
        + _multiply(last_seq, marks, 6)
    ) & _WIDE
    return _multiply((mixed & _WORD) ^ slot, mixed >> 64, 8)


def plain_state_digest(records: Sequence[bytes]) -> int:
    """Return the state digest of the accounts in the slots from 0 on."""
    return sum(plain_account_digest(slot, record) for slot, record in enumerate(records)) & _WIDE


def _multiply(a: int, b: int, key: int) -> int:
    return (a ^ KEYS[key]) * (b ^ KEYS[key + 1])
