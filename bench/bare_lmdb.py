"""LMDB as one would use it from Python without an engine: what our own way into it, and out of it, is compared with.

One record of 64 bytes an account under the account's id, or blocks of 63 accounts under their number, as the engine keeps them.
Opened with the engine's flags: written through the map, without a sync at each commit.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import lmdb

from ledger.account_ids import household_account
from ledger.layouts import ACCOUNTS_PER_BLOCK

RECORD = bytes(64)
BLOCK = bytes(16 + ACCOUNTS_PER_BLOCK * len(RECORD))
MAP_BYTES = 16 << 30

Items = list[tuple[bytes, bytes]]


def record_key(household: str) -> bytes:
    """Return the key of an account that has a record of its own."""
    return household_account(household).to_bytes(16, "big")


def records_of(households: Iterable[str]) -> Items:
    """Return what puts the accounts of these households, once each, in the order of their keys."""
    return [(key, RECORD) for key in sorted({record_key(household) for household in households})]


def blocks_of(slots: Iterable[int]) -> Items:
    """Return what puts the blocks that hold the accounts in these slots, in their order."""
    return [(block.to_bytes(4, "little"), BLOCK) for block in sorted({slot // ACCOUNTS_PER_BLOCK for slot in slots})]


class BareLmdb:
    """An environment with a database for each layout. One that is read only sees what another process has put."""

    def __init__(self, directory: Path, *, readonly: bool = False) -> None:
        self._environment = lmdb.open(
            str(directory), map_size=MAP_BYTES, max_dbs=2, writemap=True, sync=False, readonly=readonly, lock=True
        )
        self._records = self._environment.open_db(b"records", create=not readonly)
        self._blocks = self._environment.open_db(b"blocks", integerkey=True, create=not readonly)

    def put_records(self, items: Items) -> None:
        self._put(self._records, items)

    def put_blocks(self, items: Items) -> None:
        self._put(self._blocks, items)

    def get(self, key: bytes) -> bytes | None:
        """Return an account's record, as of a snapshot of its own."""
        with self._environment.begin(db=self._records) as lmdb_txn:
            record: bytes | None = lmdb_txn.get(key)
            return record

    def close(self) -> None:
        self._environment.close()

    def _put(self, database: Any, items: Items) -> None:
        with self._environment.begin(write=True, db=database) as lmdb_txn, lmdb_txn.cursor() as cursor:
            cursor.putmulti(items)
