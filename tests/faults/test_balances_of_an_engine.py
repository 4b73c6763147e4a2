"""An engine whose balances were lost, cut short or left open by a power cut makes them anew, and readers never see half of it."""

import gc
import os
import shutil

import pytest

from bench.workload import Workload
from ledger.engine import Engine
from ledger.errors import JournalDamaged, ProjectionDamaged
from ledger.journal import find_end
from ledger.ownership import Ownership
from ledger.projections import generations
from ledger.projections.balances import BalanceReader
from ledger.projections.comparison import compare_with_journal
from ledger.projections.lmdb_projection import rebuild_projection
from ledger.projections.outlet_totals import OutletTotals
from ledger.projections.rebuild import rebuild_balances
from peakledger.status_line import summary
from streams.shard import ShardStatus
from tests.balances import change_meta
from tests.faults.test_journal_faults import mounted
from tests.waiting import PATIENCE_S, wait_until

WORKLOAD = Workload(seed=3, events=2000, households=150, duplicates=0.05, refused=0.02)


def power_cut(balances):
    """Make the newest generation look as if the system had stopped while it was open."""
    change_meta(balances.parent, boot_id=b"an earlier run", clean=0)


def cut_short(balances):
    os.truncate(generations.newest(balances) / "data.mdb", 3 * 4096)


def test_after_a_power_cut_nobody_reads_what_may_be_incomplete(tmp_path):
    Engine.open(tmp_path, segment_bytes=1 << 20).close()
    power_cut(tmp_path / "balances")
    with pytest.raises(ProjectionDamaged, match="The system stopped"):
        BalanceReader(tmp_path)


@pytest.mark.parametrize("harm", [power_cut, cut_short, shutil.rmtree])
def test_harmed_balances_are_made_anew_at_the_next_start(tmp_path, harm):
    with Engine.open(tmp_path, segment_bytes=1 << 20) as engine:
        for batch, next_offset in WORKLOAD.batches():
            engine.apply(batch, next_offset)
        applied_seq = engine.applied_seq
    before = list(BalanceReader(tmp_path).items())
    harm(tmp_path / "balances")
    with Engine.open(tmp_path, segment_bytes=1 << 20) as engine:
        assert engine.projected_seq == applied_seq
        assert list(BalanceReader(tmp_path).items()) == before
    assert compare_with_journal(tmp_path).agrees


def flip_bit(path, byte_offset):
    with path.open("r+b") as file:
        file.seek(byte_offset)
        byte = file.read(1)[0]
        file.seek(byte_offset)
        file.write(bytes([byte ^ 4]))


def place_in_last_frame(shard):
    """Return the last segment and the byte offset of a byte of its last frame."""
    return max((shard / "journal").glob("*.segment")), find_end(shard / "journal").segment_end - 100


def stored(shard):
    """Return the content of all files but the owner's and those of locks."""
    paths = (path for path in shard.rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in paths if path.name not in {"owner", "lock.mdb"} and path.stem != "lock"}


def ledger_of_workload(shard):
    with Engine.open(shard, segment_bytes=1 << 20) as engine:
        for batch, next_offset in WORKLOAD.batches():
            engine.apply(batch, next_offset)
        return engine.applied_seq


@pytest.mark.parametrize("lost", ["", "balances", "keys"])
def test_a_bit_that_flips_in_the_last_frame_stops_the_start_and_the_frame_stays_as_it_is(tmp_path, lost):
    applied_seq = ledger_of_workload(tmp_path)
    if lost:
        shutil.rmtree(tmp_path / lost)
    place = place_in_last_frame(tmp_path)
    flip_bit(*place)
    before = stored(tmp_path)
    for _ in range(2):
        with pytest.raises(JournalDamaged, match="before frames that were durable"):
            Engine.open(tmp_path, segment_bytes=1 << 20)
        assert stored(tmp_path) == before
    flip_bit(*place)
    with Engine.open(tmp_path, segment_bytes=1 << 20) as engine:
        assert (engine.applied_seq, engine.torn_tail) == (applied_seq, None)
    assert compare_with_journal(tmp_path).agrees


def test_a_take_over_does_not_leave_a_damaged_last_frame_behind_the_end_either(tmp_path):
    ledger_of_workload(tmp_path)
    flip_bit(*place_in_last_frame(tmp_path))
    before = stored(tmp_path)
    with Ownership.take(tmp_path), pytest.raises(JournalDamaged, match="before frames that were durable"):
        Engine.open(tmp_path, segment_bytes=1 << 20, takeover_after_s=0.0)
    assert stored(tmp_path) == before


def test_a_bit_that_flips_in_a_last_frame_without_entries_stops_the_start(tmp_path):
    applied_seq = ledger_of_workload(tmp_path)
    with Engine.open(tmp_path, segment_bytes=1 << 20) as engine:
        engine.quarantine_batch(bytes(200), engine.next_offset + 1)
        engine.wait_durable()
        assert engine.applied_seq == applied_seq
    place = place_in_last_frame(tmp_path)
    flip_bit(*place)
    before = stored(tmp_path)
    with pytest.raises(JournalDamaged) as caught:
        Engine.open(tmp_path, segment_bytes=1 << 20)
    assert caught.value.numbers["expected"] == caught.value.numbers["found"] + 1
    assert stored(tmp_path) == before


def test_the_message_of_a_damaged_last_frame_tells_the_way_back(tmp_path):
    applied_seq = ledger_of_workload(tmp_path)
    OutletTotals(tmp_path).catch_up()
    before = list(BalanceReader(tmp_path).items())
    flip_bit(*place_in_last_frame(tmp_path))
    with pytest.raises(JournalDamaged, match="delete the directory keys and run peakledger rebuild"):
        Engine.open(tmp_path, segment_bytes=1 << 20)
    shutil.rmtree(tmp_path / "keys")
    rebuild_balances(tmp_path)
    rebuild_projection(OutletTotals, tmp_path)
    with Engine.open(tmp_path, segment_bytes=1 << 20) as engine:
        assert engine.torn_tail is not None
        assert engine.applied_seq < applied_seq
        for batch, next_offset in WORKLOAD.batches():
            if next_offset > engine.next_offset:
                engine.apply(batch, next_offset)
    assert list(BalanceReader(tmp_path).items()) == before
    assert compare_with_journal(tmp_path).agrees
    OutletTotals(tmp_path).catch_up()
    assert OutletTotals(tmp_path).compare_with_journal().agrees


def test_balances_that_the_disk_has_no_room_for_are_told_and_come_up_when_it_has(tmp_path):
    with mounted("tmpfs", tmp_path / "small", "size=48m") as directory:
        shard = directory / "shard"
        with Engine.open(shard, segment_bytes=1 << 20) as engine:
            filling = directory / "filling"
            with filling.open("wb") as file:
                file.write(bytes(os.statvfs(directory).f_bavail * 4096 - (32 << 10)))
            for batch, next_offset in WORKLOAD.batches():
                engine.apply(batch, next_offset)
            engine.wait_durable()
            wait_until(lambda engine=engine: engine.status().balances_lack_room)
            assert not engine.wait_projected(0.5)
            status = engine.status()
            assert status.balances_lack_room and status.projected_seq < status.durable_seq
            line = summary([ShardStatus("events", 0, "running", status, 0, 0.0, None)])
            assert line.endswith(" | the disk has no room for balances")
            filling.unlink()
            assert engine.wait_projected(PATIENCE_S)
            assert not engine.status().balances_lack_room
        assert compare_with_journal(shard).agrees
        del engine
        gc.collect()  # what is mapped keeps the file system mounted
