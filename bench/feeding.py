"""What the suites share: blocks made beforehand, engines with every account open, and feeding at a rate."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.workload import NO_LEDGER_EVENTS, Workload
from ledger._core import build_batch
from ledger.engine import Engine
from ledger.events import Event, encode_packed

BATCHES_PER_BLOCK = 4
KEY_MEMORY_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class PreparedBlock:
    """Record batches as a fetch from Kafka brings them; ``next_offset`` follows their last record."""

    data: bytes
    next_offset: int


def blocks(
    workload: Workload, first_event: int = 0, end_event: int | None = None, *, first_offset: int = 0
) -> Iterator[PreparedBlock]:
    """Yield a part of the workload in blocks of several batches."""
    batches, next_offset = [], first_offset
    for batch, next_offset in workload.batches(first_event, end_event, first_offset=first_offset):
        batches.append(batch)
        if len(batches) == BATCHES_PER_BLOCK:
            yield PreparedBlock(b"".join(batches), next_offset)
            batches = []
    if batches:
        yield PreparedBlock(b"".join(batches), next_offset)


def next_blocks(engine: Engine, workload: Workload, first_event: int = 0, end_event: int | None = None) -> list[PreparedBlock]:
    """Return a part of the workload in blocks that follow what the engine has consumed."""
    return list(blocks(workload, first_event, end_event, first_offset=engine.next_offset))


def opening_of(workload: Workload) -> Workload:
    """Return one payment of each household of ``workload``, in packed form."""
    return replace(
        workload,
        seed=workload.seed + 1_000_003,
        events=workload.households,
        households_in_turn=True,
        records_per_batch=4096,
        duplicates=0.0,
        refused=0.0,
        bills=0.0,
        json=False,
        ledger=NO_LEDGER_EVENTS,
    )


@contextmanager
def new_engine(directory: Path, *, key_memory_bytes: int = KEY_MEMORY_BYTES) -> Iterator[Engine]:
    """An engine in a temporary directory."""
    with (
        TemporaryDirectory(dir=directory, prefix="bench-") as place,
        Engine.open(Path(place) / "events-0", key_memory_bytes=key_memory_bytes) as engine,
    ):
        yield engine


@contextmanager
def prefilled_engine(directory: Path, workload: Workload, *, key_memory_bytes: int = KEY_MEMORY_BYTES) -> Iterator[Engine]:
    """An engine in a temporary directory, with the account of every household open and readable."""
    with new_engine(directory, key_memory_bytes=key_memory_bytes) as engine:
        open_every_account(engine, workload)
        yield engine


def open_every_account(engine: Engine, workload: Workload) -> None:
    """Apply one payment of each household, open what ledger events debit, and wait until all is readable."""
    apply_timed(engine, blocks(opening_of(workload)))
    if workload.ledger is not NO_LEDGER_EVENTS:
        apply_events(engine, workload.ledger.opening(workload.first_day), engine.ledger_time_ms)
    engine.wait_projected()


def apply_events(engine: Engine, events: Iterable[Event], timestamp_ms: int) -> None:
    """Apply single events, all with one timestamp, in a batch of their own."""
    values = [encode_packed(event) for event in events]
    batch = build_batch([(None, value, timestamp_ms) for value in values], engine.next_offset)
    engine.apply(batch, engine.next_offset + len(values))


def apply_timed(engine: Engine, prepared: Iterator[PreparedBlock] | list[PreparedBlock]) -> float:
    """Apply the blocks and return how many seconds went by until all was durable."""
    start = time.perf_counter()
    for block in prepared:
        engine.apply(block.data, block.next_offset)
    engine.wait_durable()
    return time.perf_counter() - start


def feed_at_rate(engine: Engine, prepared: list[PreparedBlock], events_per_s: float) -> Iterator[tuple[float, int]]:
    """Apply each block when its time has come, never earlier; yield (time it was applied, seq applied) after each.

    A block's time is when its last event would have arrived at a steady rate; an infinite rate means at once.
    """
    first_offset = engine.next_offset
    start = time.perf_counter()
    for block in prepared:
        wait_s = start + (block.next_offset - first_offset) / events_per_s - time.perf_counter()
        if wait_s > 0:
            time.sleep(wait_s)
        engine.apply(block.data, block.next_offset)
        yield time.perf_counter(), engine.applied_seq
