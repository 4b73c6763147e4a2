"""The very bytes of balances in LMDB: what other programs read, and what a later version must still read."""

import lmdb

from ledger._core import Projector
from ledger.projections import generations
from tests.entries import LEDGER_ID, account, opening, transfer

BLOCK = (
    "0300000000000000 00000000 02000000"  # last_seq, block, account_count
    # revenue:00001: id, debits pending and posted, credits pending and posted, last_seq, book, flags, limit_index
    "0100000000000000 0000000000000503 0000000000000000 0000000000000000 0000000000000000 3930000000000000"
    "0300000000000000 01000000 00000000"
    # household:0000000007919
    "ef1e000000000000 0000000000000d01 0000000000000000 3930000000000000 0000000000000000 0000000000000000"
    "0300000000000000 02000400 00000000"
)
META = (
    "5042414c 02000000 000102030405060708090a0b0c0d0e0f"  # magic, format_version, ledger_id
    "0100000000000000 0300000000000000 0100000000000000"  # epoch, watermark_seq, watermark_frame
    "0056218d9f010000 0700000000000000"  # ledger_time_ms, next_offset
    "0600000000000000 0300000000000000 0200000000000000 0100000000000000"  # records consumed, applied, existing, refused
    "02000000 01000000"  # account_count, clean
)
SLOTS = {
    "010d0000000000000000000000001eef": "01000000 00000000",
    "03050000000000000000000000000001": "00000000 00000000",
}


def test_the_bytes_in_lmdb_are_those_of_the_first_version(tmp_path):
    projector = Projector(tmp_path, LEDGER_ID, 1, 1000)
    projector.load()
    projector.apply_entries(
        1,
        opening(0, account(0)) + opening(1, account(1), book=2, flags=4) + transfer(1, 0, 12345),
        ledger_time_ms=1_784_779_200_000,
        next_offset=7,
        records_consumed=6,
        events_applied=3,
        events_existing=2,
        events_refused=1,
    )
    projector.close()
    del projector
    with lmdb.open(str(generations.newest(tmp_path / "balances")), max_dbs=4, readonly=True) as env, env.begin() as txn:
        blocks = dict(txn.cursor(env.open_db(b"blocks", txn=txn, integerkey=True, create=False)))
        slots = dict(txn.cursor(env.open_db(b"slots", txn=txn, create=False)))
        meta = dict(txn.cursor(env.open_db(b"meta", txn=txn, create=False)))
    assert blocks == {bytes(4): bytes.fromhex(BLOCK).ljust(4048, b"\0")}
    assert slots == {bytes.fromhex(key): bytes.fromhex(value) for key, value in SLOTS.items()}
    assert list(meta) == [b"state"] and meta[b"state"][:104] == bytes.fromhex(META)
