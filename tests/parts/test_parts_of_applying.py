"""From decoded events to durable frames: keys, posting, frames, digests."""

import pytest

from bench.feeding import PreparedBlock, opening_of
from bench.workload import Workload
from ledger._core import chain_digests
from ledger.engine import Engine
from ledger.journal import RingShape
from ledger.layouts import ENTRIES_PER_BLOCK, JOURNAL_ENTRY
from tests.journals import ledger_entries, open_small, transfers_in
from tests.parts.conftest import ROUNDS

FRAME_ENTRIES = 4096
FRAMES = 8


@pytest.fixture
def engine(tmp_path):
    with Engine.open(tmp_path / "events-0") as engine:
        yield engine


def block_of(engine: Engine, workload: Workload, first: int, count: int) -> PreparedBlock:
    """Return a part of the workload as one block that comes next."""
    batches = workload.batches(first, first + count, first_offset=engine.next_offset)
    return PreparedBlock(b"".join(batch for batch, _ in batches), engine.next_offset + count)


def apply(engine: Engine, block: PreparedBlock) -> None:
    engine.apply(block.data, block.next_offset)
    assert engine.wait_durable()


def test_applying_a_block_of_new_events(measure, engine, size):
    """Walk, decode, key insert, posting, frame, flush."""
    workload = Workload(events=size * (ROUNDS + 1), households=size, duplicates=0.0, refused=0.0)
    apply(engine, block_of(engine, opening_of(workload), 0, size))
    accounts, parts = engine.status().accounts, iter(range(0, workload.events, size))
    measure(lambda block: apply(engine, block), size, "events", lambda: block_of(engine, workload, next(parts), size))
    status = engine.status()
    assert status.events_existing == 0
    assert status.events_applied % size == 0
    assert status.accounts >= accounts


def test_applying_a_block_of_duplicates(measure, engine, size):
    """Walk, decode, key probe; nothing is posted."""
    workload = Workload(events=size, households=size, duplicates=0.0, refused=0.0)
    apply(engine, block_of(engine, workload, 0, size))
    measure(lambda block: apply(engine, block), size, "events", lambda: block_of(engine, workload, 0, size))
    status = engine.status()
    assert status.events_applied == size
    assert status.events_existing == status.records_consumed - size > 0


@pytest.fixture(scope="module")
def entries() -> bytes:
    return ledger_entries(FRAME_ENTRIES)


def test_sealing_frames_until_durable(measure, tmp_path, entries):
    ring = RingShape(frames=FRAMES, entries=FRAME_ENTRIES, outcomes=1, payload_bytes=64)
    journal = open_small(tmp_path, ring=ring, segment_bytes=1 << 26)
    applied = transfers_in(entries)

    def seal() -> bool:
        frames = [journal.writer.append_frame(entries, applied=applied) for _ in range(FRAMES)]
        return journal.writer.wait_durable(frames[-1], 30)

    assert measure(seal, FRAMES * FRAME_ENTRIES, "entries")
    journal.close()


def test_digesting_entries(measure, entries):
    digests = measure(lambda: chain_digests(entries), FRAME_ENTRIES, "entries")
    assert len(digests) == len(entries) // JOURNAL_ENTRY.size // ENTRIES_PER_BLOCK == 1
