"""From decoded events to durable frames: keys, posting, frames, digests."""

from itertools import islice

import pytest

from bench.feeding import PreparedBlock, opening_of
from bench.workload import Workload
from ledger._core import build_batch, chain_digests
from ledger.engine import Engine
from ledger.journal import RingShape
from ledger.layouts import ENTRIES_PER_BLOCK, JOURNAL_ENTRY
from tests.journals import ledger_entries, open_small, transfers_in
from tests.parts.conftest import ROUNDS
from tests.waiting import PATIENCE_S
from tests.wrong_events import wrong_events

FRAME_ENTRIES = 4096
FRAMES = 8
RECORDS_PER_BATCH = 500
WRONG = [
    "JSON cut short",
    "field unknown",
    "amount as text",
    "amount zero",
    "MessagePack, amount as text",
    "leg with an unknown flag",
]


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


@pytest.mark.parametrize(("kind", "every"), [("amount zero", 0), *((kind, every) for kind in WRONG for every in (20, 1))])
def test_applying_a_block_with_wrong_events(measure, engine, size, kind, every):
    """Walk, decode and refuse, or post, events in JSON: of a kind of wrong ones none, every twentieth, or all."""
    count = size // 10
    workload = Workload(events=count * (ROUNDS + 1), households=size, json=True, duplicates=0.0, refused=0.0)
    wrong = wrong_events(kind, count)
    parts = iter(range(0, workload.events, count))

    def block() -> PreparedBlock:
        first = next(parts)
        values = list(islice(workload.values(first), count))
        if every:
            values[::every] = wrong[::every]
        records = [(None, value, workload.timestamp_ms(event)) for event, value in enumerate(values, first)]
        batches = [
            build_batch(records[at : at + RECORDS_PER_BATCH], engine.next_offset + at)
            for at in range(0, count, RECORDS_PER_BATCH)
        ]
        return PreparedBlock(b"".join(batches), engine.next_offset + count)

    measure(lambda block: apply(engine, block), count, "events", block)
    status = engine.status()
    assert status.events_refused == (status.records_consumed // every if every else 0)


@pytest.fixture(scope="module")
def entries() -> bytes:
    return ledger_entries(FRAME_ENTRIES)


def test_sealing_frames_until_durable(measure, tmp_path, entries):
    ring = RingShape(frames=FRAMES, entries=FRAME_ENTRIES, outcomes=1, payload_bytes=64)
    journal = open_small(tmp_path, ring=ring, segment_bytes=1 << 26)
    applied = transfers_in(entries)

    def seal() -> bool:
        frames = [journal.writer.append_frame(entries, applied=applied) for _ in range(FRAMES)]
        return journal.writer.wait_durable(frames[-1], PATIENCE_S)

    assert measure(seal, FRAMES * FRAME_ENTRIES, "entries")
    journal.close()


def test_digesting_entries(measure, entries):
    digests = measure(lambda: chain_digests(entries), FRAME_ENTRIES, "entries")
    assert len(digests) == len(entries) // JOURNAL_ENTRY.size // ENTRIES_PER_BLOCK == 1
