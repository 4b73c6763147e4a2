"""Durable apply from memory, beside the C limit.

An engine with every household's account open applies blocks of packed events that were made beforehand; the clock stops when the
last one is on the disk. The limit program does as many events over as many households, before each repetition of the engine.
"""

from pathlib import Path

from bench.feeding import apply_timed, next_blocks, prefilled_engine
from bench.limit import run_limit
from bench.results import Results, new_results
from bench.workload import Workload


def run(directory: Path, *, events: int, households: int, repetitions: int, seed: int = 1, zipf_theta: float = 0.0) -> Results:
    """Measure ``engine_events_per_s`` and ``limit_events_per_s``, one after the other, after a repetition that does not count."""
    results = new_results("core", events=events, households=households, seed=seed, zipf_theta=zipf_theta)
    workload = Workload(seed=seed, events=events * (repetitions + 1), households=households, zipf_theta=zipf_theta)
    with prefilled_engine(directory, workload) as engine:
        for repetition in range(repetitions + 1):
            limit = run_limit(events, households, directory, seed + repetition)
            first = events * repetition
            prepared = next_blocks(engine, workload, first, first + events)
            seconds = apply_timed(engine, prepared)
            engine.wait_projected()
            if repetition:
                results.add("limit_events_per_s", "events/s", limit.events_per_s)
                results.add("engine_events_per_s", "events/s", events / seconds)
        status = engine.status()
        results.add("journal_bytes_per_entry", "bytes", status.journal_bytes / status.applied_seq)
    return results
