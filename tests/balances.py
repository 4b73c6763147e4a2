"""Ways to falsify the stored balances of a shard that no engine has open."""

from contextlib import contextmanager

import lmdb

from ledger.layouts import ACCOUNT_BLOCK_HEADER, ACCOUNT_RECORD, BALANCE_META
from ledger.projections import generations


@contextmanager
def _database(shard, name):
    path = generations.newest(shard / "balances")
    with lmdb.open(str(path), max_dbs=4, map_size=1 << 24) as env, env.begin(write=True) as txn:
        yield txn, env.open_db(name, txn=txn, integerkey=name == b"blocks", create=False)


def change_account(shard, slot, **fields):
    """Falsify the stored record of one account."""
    with _database(shard, b"blocks") as (txn, blocks):
        key, place = (slot // 63).to_bytes(4, "little"), ACCOUNT_BLOCK_HEADER.size + slot % 63 * ACCOUNT_RECORD.size
        value = bytearray(txn.get(key, db=blocks))
        record = ACCOUNT_RECORD.unpack(value, place) | fields
        value[place : place + ACCOUNT_RECORD.size] = ACCOUNT_RECORD.pack(**record)
        txn.put(key, bytes(value), db=blocks)


def exchange_ids(shard):
    """Let two account ids lead to each other's slot."""
    with _database(shard, b"slots") as (txn, slots):
        (first, first_slot), (second, second_slot) = list(txn.cursor(slots))[:2]
        txn.put(first, second_slot, db=slots)
        txn.put(second, first_slot, db=slots)


def change_meta(shard, **fields):
    """Falsify what stands beside the watermark."""
    with _database(shard, b"meta") as (txn, meta):
        txn.put(b"state", BALANCE_META.pack(**BALANCE_META.unpack(txn.get(b"state", db=meta)) | fields), db=meta)
