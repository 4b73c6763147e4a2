"""Balances made anew from the journal."""

import os

import lmdb
import pytest

from ledger._core import Projector
from ledger.errors import LedgerLocked, LedgerNotFound
from ledger.journal import open_journal
from ledger.layouts import BALANCE_META
from ledger.projections import generations
from ledger.projections.balances import BalanceReader
from ledger.projections.rebuild import rebuild_balances, replayed_projector
from tests.entries import openings, transfer
from tests.waiting import PATIENCE_S

ACCOUNTS = 200


@pytest.fixture
def shard(tmp_path):
    """A closed ledger of 200 accounts, whose balances were flushed at many points."""
    journal = open_journal(tmp_path, source="topic/0", segment_bytes=1 << 20)
    projector = Projector(tmp_path, journal.segment.ledger_id, journal.ownership.epoch)
    projector.load()
    projector.start(journal.writer)
    for slot in range(0, ACCOUNTS, 50):
        number = journal.writer.append_frame(
            openings(50, first=slot) + transfer(slot + 1, 0, 7) * 20, next_offset=slot, applied=20
        )
        assert journal.writer.wait_durable(number, PATIENCE_S)
        projector.wait_projected(journal.writer.durable_seq, PATIENCE_S)
    projector.close()
    journal.close()
    return tmp_path


def dump(shard, database):
    """Return all keys and values of a database of the newest generation."""
    with (
        lmdb.open(str(generations.newest(shard / "balances")), max_dbs=4, readonly=True) as env,
        env.begin() as txn,
    ):
        return dict(txn.cursor(env.open_db(database, txn=txn, integerkey=database == b"blocks", create=False)))


def stored(shard):
    meta = BALANCE_META.unpack(dump(shard, b"meta")[b"state"])
    return dump(shard, b"blocks"), dump(shard, b"slots"), meta | {"epoch": 0}


def test_a_rebuilt_projection_is_byte_for_byte_the_live_one(shard):
    before, seen = stored(shard), []
    seq = rebuild_balances(shard, lambda done, total: seen.append((done, total)))
    assert seq == 280 and seen[-1] == (4, 4)
    assert stored(shard) == before


def test_a_rebuild_does_not_need_the_old_projection_and_replaces_a_broken_one(shard):
    before = stored(shard)
    newest = generations.newest(shard / "balances")
    os.truncate(newest / "data.mdb", 8192)
    rebuild_balances(shard)
    assert stored(shard) == before and not newest.exists()


def test_readers_go_over_to_a_rebuilt_projection(shard):
    reader = BalanceReader(shard)
    rebuild_balances(shard)
    assert reader.wait_for(280, PATIENCE_S)
    assert sum(balance.balance_fen for balance in reader.items()) == 0


def test_nothing_is_rebuilt_beside_a_running_engine_or_without_a_ledger(shard, tmp_path):
    journal = open_journal(shard, source="topic/0")
    with pytest.raises(LedgerLocked):
        rebuild_balances(shard)
    journal.close()
    with pytest.raises(LedgerNotFound):
        rebuild_balances(tmp_path / "elsewhere")


def test_a_replayed_projector_goes_on_where_the_journal_ends(shard):
    journal = open_journal(shard, source="topic/0")
    projector = replayed_projector(shard, journal.ownership.epoch)
    projector.start(journal.writer)
    journal.writer.append_frame(transfer(1, 0, 1))
    assert projector.wait_projected(281, PATIENCE_S)
    projector.close()
    journal.close()
