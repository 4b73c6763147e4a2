"""How long an engine takes to open: after a clean stop, after a stop in the midst of work, and from the journal alone."""

import shutil
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.feeding import apply_timed, blocks, open_every_account
from bench.results import Results, new_results
from bench.workload import Workload
from ledger.engine import Engine
from ledger.projections.rebuild import rebuild_balances


def run(directory: Path, *, households: int, events: int, repetitions: int, seed: int = 1) -> Results:
    """Measure starts and rebuilds of a ledger with so many accounts: ``clean_start_s``, ``start_after_kill_s``,
    ``rebuild_entries_per_s`` (the balances), and ``start_from_journal_entries_per_s`` (with neither balances nor key tables).

    ``events`` are applied after the last clean stop and before each unclean one, so that a start has them to replay.
    """
    results = new_results("start", households=households, events=events)
    workload = Workload(seed=seed, events=events * repetitions, households=households)
    with TemporaryDirectory(dir=directory, prefix="bench-") as place:
        shard = Path(place) / "events-0"
        with Engine.open(shard) as engine:
            open_every_account(engine, workload)
        for repetition in range(repetitions):
            results.add("clean_start_s", "s", open_timed(shard)[0])
            engine = Engine.open(shard)
            first = events * repetition
            apply_timed(engine, blocks(workload, first, first + events, first_offset=engine.next_offset))
            engine.abandon()
            results.add("start_after_kill_s", "s", open_timed(shard)[0])
            shutil.rmtree(shard / "balances")
            start = time.perf_counter()
            entries = rebuild_balances(shard)
            results.add("rebuild_entries_per_s", "entries/s", entries / (time.perf_counter() - start))
            shutil.rmtree(shard / "balances")
            shutil.rmtree(shard / "keys")
            seconds, entries = open_timed(shard)
            results.add("start_from_journal_entries_per_s", "entries/s", entries / seconds)
    return results


def open_timed(shard: Path) -> tuple[float, int]:
    """Open, wait until all is readable, and close; return the seconds until then and the entries that there are."""
    start = time.perf_counter()
    engine = Engine.open(shard)
    engine.wait_projected()
    seconds = time.perf_counter() - start
    entries = engine.applied_seq
    engine.close()
    return seconds, entries
