"""The rate and the latencies as the ledger grows: journal, accounts and key tables from empty to many events, tenth by tenth.

Behind each tenth come small blocks, one at a time, as a quiet hour would bring them: how long until each is durable, and until it
is readable. Events of a tenth and of the blocks behind it are of the same business dates.
"""

import time
from dataclasses import replace
from pathlib import Path

from bench.feeding import BATCHES_PER_BLOCK, apply_timed, next_blocks, prefilled_engine
from bench.percentiles import percentile
from bench.results import Results, new_results
from bench.workload import Workload
from ledger.engine import Engine

PARTS = 10
PROBES = 200
PROBE_EVENTS = 100
READABLE_EVERY = 10  # probes; what is readable comes with the next flush, tens of milliseconds later


def run(directory: Path, *, events: int, households: int, days: float, seed: int = 1) -> Results:
    """Measure ``events_per_s``, ``durable_p50_ms``, ``durable_p99_ms`` and ``readable_p50_ms`` of each tenth.

    Every account is open before the first, which else would be another kind of work. Key tables grow by business date: ``days``
    spreads the events over so many of them.
    """
    results = new_results("growth", events=events, households=households, days=days)
    workload = Workload(seed=seed, events=events, households=households, days=days)
    part = events // PARTS
    probes = min(PROBES * PROBE_EVENTS, part // 2)
    with prefilled_engine(directory, workload) as engine:
        for first in range(0, part * PARTS, part):
            probed = first + part - probes
            prepared = next_blocks(engine, workload, first, probed)
            results.add("events_per_s", "events/s", (part - probes) / apply_timed(engine, prepared), along="events")
            engine.wait_projected()
            durable_ms, readable_ms = probe(engine, workload, probed, probed + probes)
            results.add("durable_p50_ms", "ms", percentile(durable_ms, 0.5), along="events")
            results.add("durable_p99_ms", "ms", percentile(durable_ms, 0.99), along="events")
            results.add("readable_p50_ms", "ms", percentile(readable_ms, 0.5), along="events")
        status = engine.status()
        results.add("journal_bytes_per_entry", "bytes", status.journal_bytes / status.applied_seq)
        results.add("accounts", "accounts", status.accounts)
    return results


def probe(engine: Engine, workload: Workload, first_event: int, end_event: int) -> tuple[list[float], list[float]]:
    """Apply events in small blocks, one after the other; return the milliseconds until durable, and of some until readable."""
    small = replace(workload, records_per_batch=PROBE_EVENTS // BATCHES_PER_BLOCK)
    durable_ms, readable_ms = [], []
    for number, block in enumerate(next_blocks(engine, small, first_event, end_event)):
        start = time.perf_counter()
        engine.apply(block.data, block.next_offset)
        engine.wait_durable()
        durable_ms.append((time.perf_counter() - start) * 1000)
        if number % READABLE_EVERY == 0:
            engine.wait_projected()
            readable_ms.append((time.perf_counter() - start) * 1000)
    return durable_ms, readable_ms
