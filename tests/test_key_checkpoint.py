"""What an epoch's checkpoint of key tables leaves to the next, and that a writer that was taken over cannot change it."""

import shutil

import pytest

from bench.workload import Workload
from ledger.engine import Engine
from ledger.errors import Fenced
from ledger.key_checkpoint import KeyCheckpointer
from ledger.projections.comparison import compare_with_journal

WORKLOAD = Workload(seed=21, events=4000, households=300, records_per_batch=500)
BATCHES = list(WORKLOAD.batches())
AGAIN = list(WORKLOAD.batches(first_offset=WORKLOAD.events))


def open_engine(tmp_path, **options) -> Engine:
    return Engine.open(tmp_path / "events-0", source="events/0", segment_bytes=4 << 20, **options)


def apply(engine: Engine, batches) -> None:
    for batch, next_offset in batches:
        engine.apply(batch, next_offset)


def checkpoints(tmp_path) -> list[str]:
    return sorted(path.parent.name for path in (tmp_path / "events-0" / "keys").glob("*/checkpoint"))


def test_each_epoch_begins_with_the_checkpoint_of_the_one_before(tmp_path):
    for epoch, (batch, next_offset) in enumerate(BATCHES[:3], 1):
        with open_engine(tmp_path) as engine:
            engine.apply(batch, next_offset)
        assert checkpoints(tmp_path) == [f"epoch-{epoch}"]
    with open_engine(tmp_path):
        assert checkpoints(tmp_path) == ["epoch-4"]


def test_keys_made_anew_from_the_journal_are_in_the_checkpoint_of_the_next_clean_stop(tmp_path):
    with open_engine(tmp_path) as engine:
        apply(engine, BATCHES)
    shutil.rmtree(tmp_path / "events-0" / "keys")
    with open_engine(tmp_path):
        assert checkpoints(tmp_path) == []
    assert checkpoints(tmp_path) == ["epoch-2"]
    with open_engine(tmp_path) as engine:
        apply(engine, AGAIN)
        assert engine.status().events_applied == WORKLOAD.fates().fresh


def test_a_start_without_balances_and_keys_makes_both_from_the_journal(tmp_path):
    with open_engine(tmp_path) as engine:
        apply(engine, BATCHES)
        engine.wait_projected()
        before = engine.status()
    shutil.rmtree(tmp_path / "events-0" / "keys")
    shutil.rmtree(tmp_path / "events-0" / "balances")
    with open_engine(tmp_path) as engine:
        assert engine.status() == before
        assert compare_with_journal(tmp_path / "events-0").agrees
        apply(engine, AGAIN)
        assert engine.status().events_applied == WORKLOAD.fates().fresh


def test_an_epoch_that_was_killed_before_its_first_checkpoint_hands_on_what_it_was_given(tmp_path):
    with open_engine(tmp_path) as engine:
        apply(engine, BATCHES[:4])
    killed = open_engine(tmp_path)
    apply(killed, BATCHES[4:])
    killed.wait_durable()
    killed.abandon()
    with open_engine(tmp_path) as engine:
        assert checkpoints(tmp_path) == ["epoch-3"]
        apply(engine, AGAIN)
        assert engine.status().events_applied == WORKLOAD.fates().fresh


def test_a_checkpoint_that_a_writer_completes_after_it_was_taken_over_does_not_count(tmp_path):
    taken_over = open_engine(tmp_path)
    apply(taken_over, BATCHES[:2])
    taken_over.wait_durable()
    with open_engine(tmp_path, takeover_after_s=0) as successor:
        apply(successor, BATCHES[2:])
    # The writer stood still in the midst of a checkpoint, and wakes.
    keys, frame = taken_over._keys, taken_over._posting.sealed_frame
    keys._directory.mkdir(exist_ok=True)
    keys.start(taken_over.applied_seq, frame)
    keys.complete(frame)
    with pytest.raises(Fenced):
        taken_over.close()
    with open_engine(tmp_path) as engine:
        apply(engine, AGAIN)
        assert engine.status().events_applied == WORKLOAD.fates().fresh


def test_a_checkpoint_whose_entries_never_become_durable_says_why_and_gives_no_file_its_name(tmp_path):
    def fail(frame):
        raise Fenced("taken over", epoch=frame)

    folder = tmp_path / "keys"
    folder.mkdir()
    with open_engine(tmp_path) as engine:
        apply(engine, BATCHES)
        keys = KeyCheckpointer(engine._posting.key_files(bytes(16)), folder, fail)
        keys.start(engine.applied_seq, engine.durable_frame)
        with pytest.raises(Fenced, match="taken over"):
            keys.complete(engine.durable_frame)
    assert {path.suffix for path in folder.iterdir()} == {".new"}
