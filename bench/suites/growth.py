"""The rate as the ledger grows: journal, accounts and key tables from empty to many events, tenth by tenth."""

from pathlib import Path

from bench.feeding import apply_timed, blocks, prefilled_engine
from bench.results import Results, new_results
from bench.workload import Workload

PARTS = 10


def run(directory: Path, *, events: int, households: int, days: float, seed: int = 1) -> Results:
    """Measure ``events_per_s`` of each tenth, with every account open before the first, which else would be another kind of work.

    Key tables grow by business date: ``days`` spreads the events over so many of them.
    """
    results = new_results("growth", events=events, households=households, days=days)
    workload = Workload(seed=seed, events=events, households=households, days=days)
    part = events // PARTS
    with prefilled_engine(directory, workload) as engine:
        for first in range(0, part * PARTS, part):
            prepared = list(blocks(workload, first, first + part, first_offset=engine.next_offset))
            results.add("events_per_s", "events/s", part / apply_timed(engine, prepared), along="events")
        status = engine.status()
        results.add("journal_bytes_per_entry", "bytes", status.journal_bytes / status.applied_seq)
        results.add("accounts", "accounts", status.accounts)
    return results
