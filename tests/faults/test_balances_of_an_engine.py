"""An engine whose balances were lost, cut short or left open by a power cut makes them anew, and readers never see half of it."""

import gc
import os
import shutil

import pytest

from bench.workload import Workload
from ledger.engine import Engine
from ledger.errors import JournalDamaged, ProjectionDamaged
from ledger.journal import find_end
from ledger.projections import generations
from ledger.projections.balances import BalanceReader
from ledger.projections.comparison import compare_with_journal
from peakledger.status_line import summary
from streams.shard import ShardStatus
from tests.balances import change_meta
from tests.faults.test_journal_faults import mounted

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


def test_a_bit_that_flips_in_the_last_frame_stops_the_start_and_its_message_tells_the_way_back(tmp_path):
    with Engine.open(tmp_path, segment_bytes=1 << 20) as engine:
        for batch, next_offset in WORKLOAD.batches():
            engine.apply(batch, next_offset)
        applied_seq = engine.applied_seq
    before = list(BalanceReader(tmp_path).items())
    segment = max((tmp_path / "journal").glob("*.segment"))
    with segment.open("r+b") as file:
        file.seek(find_end(tmp_path / "journal").segment_end - 100)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 4]))
    with pytest.raises(JournalDamaged, match="delete the directories balances and keys"):
        Engine.open(tmp_path, segment_bytes=1 << 20)
    shutil.rmtree(tmp_path / "balances")
    shutil.rmtree(tmp_path / "keys")
    with Engine.open(tmp_path, segment_bytes=1 << 20) as engine:
        assert engine.applied_seq < applied_seq
        for batch, next_offset in WORKLOAD.batches():
            if next_offset > engine.next_offset:
                engine.apply(batch, next_offset)
    assert list(BalanceReader(tmp_path).items()) == before
    assert compare_with_journal(tmp_path).agrees


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
            assert not engine.wait_projected(0.5)
            status = engine.status()
            assert status.balances_lack_room and status.projected_seq < status.durable_seq
            line = summary([ShardStatus("events", 0, "running", status, 0, 0.0, None)])
            assert line.endswith(" | the disk has no room for balances")
            filling.unlink()
            assert engine.wait_projected(30)
            assert not engine.status().balances_lack_room
        assert compare_with_journal(shard).agrees
        del engine
        gc.collect()  # what is mapped keeps the file system mounted
