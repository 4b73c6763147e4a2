"""Cursors of statements as text, to be handed over and to come back: from a page that was shown to the one that goes on there."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from itertools import accumulate, pairwise
from typing import Any

import msgspec

from ledger._core import checksum_crc32c
from ledger.errors import ConfigurationError
from ledger.statements import Cursor, Position, Sums

_CHECKSUM_BYTES = 4


def encode_cursor(cursor: Cursor, ledger_id: bytes, account_id: int) -> str:
    """Return the text of a cursor. It counts for this account of this ledger only."""
    position, marks = cursor.position, [cursor.position.seq, *cursor.mark_seqs]
    steps = [later - earlier for earlier, later in pairwise(marks)]
    content = msgspec.msgpack.encode([cursor.oldest_first, position.seq, *position.sums, *steps])
    return urlsafe_b64encode(content + _checksum(content, ledger_id, account_id)).rstrip(b"=").decode()


def decode_cursor(text: str, ledger_id: bytes, account_id: int, *, oldest_first: bool) -> Cursor:
    """Return the cursor of a text. Raises ``ConfigurationError`` for one of another account, ledger or order, or of none."""
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as error:
        raise _wrong(text) from error
    content, checksum = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
    if checksum != _checksum(content, ledger_id, account_id):
        raise _wrong(text)
    found_order, seq, *values = msgspec.msgpack.decode(content, type=list[Any])
    if found_order is not oldest_first:
        raise ConfigurationError("The cursor is of the other order", hint="Go on in the order in which the page was shown")
    sums, steps = Sums(*values[: len(Sums._fields)]), values[len(Sums._fields) :]
    return Cursor(oldest_first, Position(seq, sums), tuple(accumulate(steps, initial=seq))[1:])


def _checksum(content: bytes, ledger_id: bytes, account_id: int) -> bytes:
    return checksum_crc32c(content + ledger_id + account_id.to_bytes(16, "little")).to_bytes(_CHECKSUM_BYTES, "little")


def _wrong(text: str) -> ConfigurationError:
    return ConfigurationError(f"{text!r} is no cursor of this account's statement", hint="Use one that a page has shown")
