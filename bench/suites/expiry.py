"""Many holds that expire at one instant: how long the next event waits, against what it takes to write as many entries.

All holds are due at the same millisecond. The event that finds them due is applied when all of their entries are made, and is
durable behind them, so its time is the delay that the expiry causes.
"""

import os
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile

from bench.feeding import apply_events, apply_timed, next_blocks, prefilled_engine
from bench.results import Results, new_results
from bench.workload import LEDGER_ZONE, LedgerLoad, Workload
from ledger.engine import Engine
from ledger.errors import PeakledgerError
from ledger.events import Clock
from ledger.layouts import JOURNAL_ENTRY

TIMEOUT_S = 3600
WRITE_BYTES = 1 << 20
PLAIN_SEED = 1_000


def run(directory: Path, *, holds: int, households: int, repetitions: int, seed: int = 1) -> Results:
    """Measure ``expiry_delay_ms``, and in turn with it ``entries_ms`` and ``bare_write_ms``.

    The first of these is the time in which the engine makes as many entries of plain payments durable; the second that of a bare
    write and flush of as many bytes. ``times_entries`` is the delay over the first, turn by turn.
    """
    results = new_results("expiry", holds=holds, households=households, seed=seed)
    load = LedgerLoad(
        two_phase=0.5, expiring=1.0, multi_leg=0.0, reversals=0.0, refused=0.0, settle_distance=holds, timeout_s=TIMEOUT_S
    )
    paying = Workload(seed=seed + PLAIN_SEED, events=holds, households=households, duplicates=0.0, refused=0.0, days=0.0)
    holding = replace(paying, seed=seed, ledger=load)
    with prefilled_engine(directory, holding) as engine:
        for turn in range(repetitions):
            results.add("holds_per_s", "events/s", holds / apply_all(engine, replace(holding, seed=seed + turn)))
            results.add("entries_ms", "ms", apply_all(engine, replace(paying, seed=paying.seed + turn)) * 1000)
            results.add("bare_write_ms", "ms", bare_write_s(directory, holds * JOURNAL_ENTRY.size) * 1000)
            results.add("expiry_delay_ms", "ms", expire_all(engine, holds, f"CLOCK-{turn}") * 1000)
            results.add("times_entries", "times", results.latest("expiry_delay_ms") / results.latest("entries_ms"))
    return results


def apply_all(engine: Engine, workload: Workload) -> float:
    """Apply a workload; return how many seconds went by until all was durable."""
    prepared = next_blocks(engine, workload)
    seconds = apply_timed(engine, prepared)
    engine.wait_projected()
    return seconds


def expire_all(engine: Engine, holds: int, serial: str) -> float:
    """Move the ledger clock to the instant at which all holds are due; return the seconds until that event is durable."""
    due_ms, last_seq = engine.ledger_time_ms + TIMEOUT_S * 1000, engine.applied_seq
    business_date = datetime.fromtimestamp(due_ms / 1000, LEDGER_ZONE).date()
    start = time.perf_counter()
    apply_events(engine, [Clock("ledger", business_date, serial)], due_ms)
    engine.wait_durable()
    seconds = time.perf_counter() - start
    if engine.applied_seq != last_seq + holds + 1:
        raise PeakledgerError("the holds did not all expire at once", expected=holds + 1, found=engine.applied_seq - last_seq)
    return seconds


def bare_write_s(directory: Path, byte_count: int) -> float:
    """Write and flush so many bytes to a new file; return the seconds that took."""
    content = bytes(WRITE_BYTES)
    with TemporaryFile(dir=directory) as file:
        start = time.perf_counter()
        for _ in range(0, byte_count, WRITE_BYTES):
            file.write(content)
        file.flush()
        os.fdatasync(file.fileno())
        return time.perf_counter() - start
