"""Balance reads in another process while an engine applies events: on a core of its own, and on the engine's."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import children
from bench.balance_reads import Reads, start_reads
from bench.bare_lmdb import BareLmdb, records_of
from bench.feeding import feed_at_rate, next_blocks, opening_of, prefilled_engine
from bench.results import Results, new_results
from bench.workload import Workload

EVENTS_PER_BATCH = 1024


def run(directory: Path, *, households: int, rate: float, seconds: float, repetitions: int, seed: int = 1) -> Results:
    """Measure ``<where>_p50_us`` and ``<where>_p99_us``, where is ``own_core`` or ``under_load`` (the engine's core).

    ``<where>_owed_p50_us`` and ``<where>_owed_p99_us`` are of what a household owes, asked for by its number.
    ``<where>_bare_p50_us`` and ``<where>_bare_p99_us`` are of a bare get of py-lmdb, in turn with our reads.
    """
    results = new_results("read", households=households, rate=rate, seconds=seconds)
    events = int(rate * seconds)
    workload = Workload(
        seed=seed, events=events * repetitions * 2, households=households, records_per_batch=EVENTS_PER_BATCH, duplicates=0.0
    )
    cores = sorted(os.sched_getaffinity(0))  # those that are ours, which in a container are not all
    engine_core, other_core = cores[0], cores[-1]
    with prefilled_engine(directory, workload) as engine, bare_accounts(directory, opening_of(workload)) as bare:
        for turn in range(repetitions * 2):
            where, cpu = (("own_core", other_core), ("under_load", engine_core))[turn % 2]
            prepared = next_blocks(engine, workload, events * turn, events * (turn + 1))
            with all_threads_on(engine_core):
                reads = start_reads(engine.directory, bare, households, seconds, cpu)
                applied = list(feed_at_rate(engine, prepared, rate))
                found = children.answer(reads, Reads)
                engine.wait_projected()
            results.add(f"{where}_p50_us", "us", found.p50_us)
            results.add(f"{where}_p99_us", "us", found.p99_us)
            results.add(f"{where}_max_us", "us", found.max_us)
            results.add(f"{where}_owed_p50_us", "us", found.owed_p50_us)
            results.add(f"{where}_owed_p99_us", "us", found.owed_p99_us)
            results.add(f"{where}_bare_p50_us", "us", found.bare_p50_us)
            results.add(f"{where}_bare_p99_us", "us", found.bare_p99_us)
            results.add(f"{where}_events_per_s", "events/s", events / (applied[-1][0] - applied[0][0]))
    return results


@contextmanager
def bare_accounts(directory: Path, opening: Workload) -> Iterator[Path]:
    """An LMDB environment with a record for each household, to be read beside the engine's."""
    with TemporaryDirectory(dir=directory, prefix="bench-lmdb-") as place:
        bare = BareLmdb(Path(place))
        bare.put_records(records_of(opening.household(event) for event in range(opening.households)))
        bare.close()
        yield Path(place)


@contextmanager
def all_threads_on(cpu: int) -> Iterator[None]:
    """Keep every thread that this process has on one core, and let them go everywhere again afterwards."""
    everywhere = os.sched_getaffinity(0)
    _move_threads({cpu})
    try:
        yield
    finally:
        _move_threads(everywhere)


def _move_threads(cpus: set[int]) -> None:
    for task in Path("/proc/self/task").iterdir():
        try:
            os.sched_setaffinity(int(task.name), cpus)
        except ProcessLookupError:
            continue
