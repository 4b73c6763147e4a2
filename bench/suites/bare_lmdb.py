"""From events to balances in LMDB by the whole engine, beside a bare loop that merely puts the accounts which they change.

The bare loop knows beforehand what to put, in which order, and keeps no journal; its clock runs for the puts and the commit
alone. It does so in both layouts: a record an account, and blocks of accounts as the engine has them, each in one lmdb_txn.
"""

import random
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.bare_lmdb import BareLmdb, Items, blocks_of, records_of
from bench.feeding import apply_timed, next_blocks, opening_of, prefilled_engine
from bench.results import Results, new_results
from bench.workload import Workload


def run(directory: Path, *, events: int, households: int, repetitions: int, seed: int = 1) -> Results:
    """Measure ``engine_events_per_s`` until readable, and in turn ``bare_records_events_per_s`` and ``bare_blocks_events_per_s``.

    All three count events, of which several may change one account. ``share_of_bare_records`` is the ratio of the first two, turn
    by turn. The first turn does not count.
    """
    results = new_results("lmdb", events=events, households=households, seed=seed)
    workload = Workload(
        seed=seed, events=events * (repetitions + 1), households=households, duplicates=0.0, refused=0.0, bills=0.0
    )
    opening = opening_of(workload)
    with prefilled_engine(directory, workload) as engine, TemporaryDirectory(dir=directory, prefix="bench-lmdb-") as place:
        bare = BareLmdb(Path(place))
        bare.put_records(records_of(opening.household(event) for event in range(households)))
        bare.put_blocks(blocks_of(range(households)))
        for turn in range(repetitions + 1):
            first = events * turn
            records = records_of(workload.household(event) for event in range(first, first + events))
            slots = random.Random(seed + turn).sample(range(households), len(records))
            records_s = timed(bare.put_records, records)
            blocks_s = timed(bare.put_blocks, blocks_of(slots))
            prepared = next_blocks(engine, workload, first, first + events)
            start = time.perf_counter()
            apply_timed(engine, prepared)
            engine.wait_projected()
            engine_s = time.perf_counter() - start
            if turn:
                results.add("bare_records_events_per_s", "events/s", events / records_s)
                results.add("bare_blocks_events_per_s", "events/s", events / blocks_s)
                results.add("engine_events_per_s", "events/s", events / engine_s)
                results.add("share_of_bare_records", "share", records_s / engine_s)
                results.add("accounts_changed", "accounts", len(records))
        bare.close()
    return results


def timed(put: Callable[[Items], None], items: Items) -> float:
    start = time.perf_counter()
    put(items)
    return time.perf_counter() - start
