"""What an epoch's checkpoint of key tables leaves to the next, and that a writer that was taken over cannot change it."""

import shutil

import pytest

from bench.workload import Workload
from ledger._core import checksum_crc32c
from ledger.engine import Engine
from ledger.errors import Fenced, FormatVersionMismatch
from ledger.key_checkpoint import KeyCheckpointer
from ledger.layouts import KEY_CHECKPOINT, KEY_FORMAT_VERSION
from ledger.projections.comparison import compare_with_journal
from ledger.verify import verify_keys

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


def write_as_format(path, version: int) -> None:
    """Have a checkpoint say that it is of another format."""
    fields = KEY_CHECKPOINT.unpack(path.read_bytes()) | {"format_version": version}
    fields["crc32c"] = checksum_crc32c(KEY_CHECKPOINT.pack(**fields)[8:])
    path.write_bytes(KEY_CHECKPOINT.pack(**fields))


def test_keys_of_an_older_format_are_made_anew_from_the_journal_and_not_read_meanwhile(tmp_path):
    shard = tmp_path / "events-0"
    with open_engine(tmp_path) as engine:
        apply(engine, BATCHES)
    write_as_format(shard / "keys" / "epoch-1" / "checkpoint", KEY_FORMAT_VERSION - 1)
    for path in (shard / "keys" / "epoch-1").glob("*.keys"):
        path.write_bytes(b"of another format")
    assert verify_keys(shard) == 0
    with open_engine(tmp_path) as engine:
        apply(engine, AGAIN)
        assert engine.status().events_applied == WORKLOAD.fates().fresh
    assert checkpoints(tmp_path) == ["epoch-2"]
    assert verify_keys(shard) >= WORKLOAD.fates().fresh


def test_keys_of_a_later_format_are_refused_and_left_alone(tmp_path):
    with open_engine(tmp_path) as engine:
        apply(engine, BATCHES)
    checkpoint = tmp_path / "events-0" / "keys" / "epoch-1" / "checkpoint"
    write_as_format(checkpoint, KEY_FORMAT_VERSION + 1)
    with pytest.raises(FormatVersionMismatch):
        open_engine(tmp_path)
    assert checkpoint.exists()


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
