"""The contract with py-lmdb: the table of functions in its extension, on which the core's way into LMDB rests."""

import tomllib
from pathlib import Path

import lmdb

from ledger._core import LMDB_VERSION, PY_LMDB_VERSION, BalanceView, Projector
from ledger.layouts import ACCOUNT_BLOCK_HEADER, ACCOUNT_SLOT_RECORD, BALANCE_META
from ledger.projections import generations
from tests.entries import LEDGER_ID, account, openings, transfer

ROOT = Path(__file__).parent.parent
DIFFERS = "py-lmdb moved: compare lmdb/mdb_api.h of its sdist with lmdb_table in ledger/_core.pxd, see decision 0040"


def test_the_pinned_py_lmdb_is_the_one_whose_table_the_core_knows():
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert f"lmdb=={PY_LMDB_VERSION}" in dependencies, DIFFERS
    assert lmdb.__version__ == PY_LMDB_VERSION, DIFFERS
    assert lmdb.version() == LMDB_VERSION == (0, 9, 36), DIFFERS


def test_what_the_core_writes_through_the_table_py_lmdb_reads(tmp_path):
    projector = Projector(tmp_path, LEDGER_ID, 1, 1000)
    projector.load()
    projector.apply_entries(1, openings(64) + transfer(63, 0, 5))
    projector.close()
    del projector
    with lmdb.open(str(generations.newest(tmp_path / "balances")), max_dbs=4, readonly=True) as env:
        assert env.info()["max_readers"] == 512
        meta, slots = env.open_db(b"meta", create=False), env.open_db(b"slots", create=False)
        blocks = env.open_db(b"blocks", integerkey=True, create=False)
        with env.begin() as txn:
            assert BALANCE_META.unpack(txn.get(b"state", db=meta))["watermark_seq"] == 65, DIFFERS
            assert [int.from_bytes(key, "little") for key, _ in txn.cursor(blocks)] == [0, 1]
            header = ACCOUNT_BLOCK_HEADER.unpack(txn.get((1).to_bytes(4, "little"), db=blocks))
            assert (header["block"], header["account_count"], header["last_seq"]) == (1, 1, 65)
            found = {int.from_bytes(key, "big"): ACCOUNT_SLOT_RECORD.unpack(value)["slot"] for key, value in txn.cursor(slots)}
            assert found == {account(slot): slot for slot in range(64)}
            assert list(found) == sorted(found)


def test_a_file_that_py_lmdb_compacted_is_read_by_the_core(tmp_path):
    projector = Projector(tmp_path / "a", LEDGER_ID, 1, 1000)
    projector.load()
    projector.apply_entries(1, openings(64))
    projector.close()
    del projector
    copy = tmp_path / "copy"
    copy.mkdir()
    with lmdb.open(str(generations.newest(tmp_path / "a" / "balances")), max_dbs=4, readonly=True) as env:
        env.copy(str(copy), compact=True)
    assert BalanceView(copy).get(account(63)) == (0, 0, 0, 0, 64, 0, 1)
