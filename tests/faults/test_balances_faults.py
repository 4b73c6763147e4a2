"""Balances under faults: writers and readers that are killed or stopped, files that grow without end."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from ledger._core import BalanceView, Projector, state_digest
from ledger.journal import open_journal
from ledger.layouts import BALANCE_META
from ledger.projections import generations
from ledger.projections.balances import BalanceReader
from ledger.projections.comparison import compare_with_journal
from tests.entries import LEDGER_ID, openings, transfer
from tests.faults.balance_children import ACCOUNTS, GROWTH_CREDITS, apply_frames, first_seq
from tests.waiting import PATIENCE_S, wait_until

ROOT = Path(__file__).parent.parent.parent


@contextmanager
def child(function, directory):
    """Run a function of ``balance_children``; give the process when it says that it is ready, kill it at the end."""
    command = [sys.executable, "-m", "tests.faults.balance_children", function, str(directory)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def loaded(directory, epoch, **options):
    projector = Projector(directory, LEDGER_ID, epoch, 1 << 20, **options)
    projector.load()
    return projector


def stored(directory):
    view = BalanceView(generations.newest(directory / "balances"))
    meta, digest = view.digests()
    seq, records = view.records()
    assert digest == state_digest(records) == int.from_bytes(BALANCE_META.unpack(meta)["state_digest"], "little")
    return seq, records


def test_a_writer_killed_at_any_instant_leaves_whole_flushes(tmp_path):
    instants = random.Random(5)
    replay = Projector(tmp_path / "replay", LEDGER_ID, 1, 10_000)
    for _ in range(8):
        with child("flush_for_ever", tmp_path) as writer:
            time.sleep(instants.random() * 0.2)
            writer.kill()
            writer.wait()
        survivor = loaded(tmp_path, 1)
        apply_frames(replay, survivor.applied_frame)
        assert stored(tmp_path) == (replay.applied_seq, replay.copy_records())
        survivor.close(clean=False)
        del survivor


def test_every_snapshot_of_another_process_sums_to_zero_while_flushing_goes_on(tmp_path):
    with child("flush_for_ever", tmp_path):
        wait_until(lambda: BalanceReader(tmp_path).watermark.seq > ACCOUNTS)
        with child("watch_the_sums", tmp_path) as reader:
            assert reader.stdout.readline() == "right\n"


def test_a_writer_stopped_inside_an_lmdb_txn_hinders_its_successor_in_nothing(tmp_path):
    first = loaded(tmp_path, 1)
    apply_frames(first, 5)
    first.flush()
    first.close(clean=False)
    del first
    with child("stop_inside_lmdb_txn", tmp_path) as zombie:
        os.waitid(os.P_PID, zombie.pid, os.WSTOPPED)
        successor = Projector(tmp_path, LEDGER_ID, 2, 10_000)
        assert successor.load(fresh_generation=True) == (first_seq(6) - 1, 5)
        before = stored(tmp_path)
        zombie.send_signal(signal.SIGCONT)
        assert zombie.stdout.readline() == "committed\n"
        assert stored(tmp_path) == before
        apply_frames(successor, 6)
        successor.flush()
        assert BalanceReader(tmp_path).watermark.frame == 6


def rewrite_all(projector, times):
    """Touch every block and flush, again and again."""
    for _ in range(times):
        touching = b"".join(transfer(slot, slot - 1, 1) for slot in range(63, projector.account_count, 63))
        projector.apply_entries(projector.applied_seq + 1, touching)
        projector.flush()


def test_what_a_killed_reader_held_is_used_again_after_a_start(tmp_path):
    projector = loaded(tmp_path, 1)
    projector.apply_entries(1, openings(20_000))
    projector.flush()
    with child("hold_a_snapshot", tmp_path) as reader:
        reader.kill()
        reader.wait()
    projector.close(clean=False)
    del projector
    projector = loaded(tmp_path, 1)
    rewrite_all(projector, 3)
    settled = projector.status()["used_bytes"]
    rewrite_all(projector, 10)
    assert projector.status()["used_bytes"] < settled * 1.2


def test_a_file_that_outgrows_its_map_grows_it_and_readers_elsewhere_follow(tmp_path):
    projector = loaded(tmp_path, 1)
    projector.apply_entries(1, openings(1000))
    projector.flush()
    map_bytes = (generations.newest(tmp_path / "balances") / "data.mdb").stat().st_size
    with child("read_one_account_as_the_file_grows", tmp_path) as reader:
        for first in range(1000, 1000 + GROWTH_CREDITS * 20_000, 20_000):
            projector.apply_entries(projector.applied_seq + 1, openings(20_000, first=first) + transfer(first, 0, 1))
            projector.flush()
        assert reader.stdout.readline() == f"{projector.applied_seq} {GROWTH_CREDITS}\n"
    assert (generations.newest(tmp_path / "balances") / "data.mdb").stat().st_size > map_bytes


def test_a_reader_may_be_made_while_generations_come_and_go(tmp_path):
    projector = loaded(tmp_path, 1)
    projector.apply_entries(1, openings(1000))
    projector.start_generation()
    with child("open_readers_all_the_time", tmp_path) as reader:
        while reader.poll() is None:
            projector.start_generation()
        assert reader.stdout.readline() == "done\n"


@pytest.fixture
def journal(tmp_path):
    journal = open_journal(tmp_path, source="topic/0", segment_bytes=16 << 20)
    yield journal
    journal.close()


def test_a_reader_that_holds_a_snapshot_is_left_behind_with_its_file(journal, tmp_path):
    projector = Projector(tmp_path, journal.segment.ledger_id, journal.ownership.epoch, spare_bytes=8 << 20)
    projector.load()
    projector.start(journal.writer)
    for first in range(0, 20_000, 10_000):
        journal.writer.append_frame(openings(10_000, first=first))
    assert projector.wait_projected(20_000, PATIENCE_S)
    generation = generations.newest(tmp_path / "balances")
    touching = b"".join(transfer(slot, slot - 1, 1) for slot in range(63, 20_000, 63))
    with child("hold_a_snapshot", tmp_path):
        for _ in range(60):
            journal.writer.append_frame(touching)
            assert journal.writer.wait_durable(journal.writer.durable_frame + 1, PATIENCE_S)
            assert projector.wait_projected(journal.writer.durable_seq, PATIENCE_S)
        assert generations.newest(tmp_path / "balances") != generation
        wait_until(lambda: not generation.exists())  # the projector deletes it after it has let readers know
    projector.close()
    assert compare_with_journal(tmp_path).agrees
