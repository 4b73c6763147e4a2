"""How much memory an account and an open idempotency key take, in a process that has nothing else to do.

What counts is the anonymous memory that the kernel says the process has touched, so everything is in it: tables with their free
slots, indexes, the projector's copy. Files that are mapped are not: they are page cache, which gives way. First one payment of
each household opens its account; then payments of the same households on a later business date bring new keys and nothing else.
What as many keys took there is taken off what the accounts took.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from bench import children
from bench.feeding import apply_timed, blocks, opening_of
from bench.results import Results, new_results
from bench.workload import Workload
from ledger.engine import Engine


class MemoryUse(msgspec.Struct):
    """Bytes of memory for each account, and for each open key with so many, twice as many, ... keys as there are households."""

    bytes_per_account: float
    bytes_per_open_key: list[float]


def run(directory: Path, *, households: int, keys_per_household: int, seed: int = 1) -> Results:
    """Measure ``memory_bytes_per_account`` and, at several sizes of a date's key table, ``memory_bytes_per_open_key``."""
    results = new_results("memory", households=households, keys_per_household=keys_per_household, seed=seed)
    process = children.start("bench.suites.memory", directory, households, keys_per_household, seed)
    use = children.answer(process, MemoryUse)
    results.add("memory_bytes_per_account", "bytes", use.bytes_per_account)
    for per_key in use.bytes_per_open_key:
        results.add("memory_bytes_per_open_key", "bytes", per_key)
    return results


def measure(directory: Path, households: int, keys_per_household: int, seed: int) -> MemoryUse:
    """Measure this very process, which must have done nothing before."""
    workload = Workload(
        seed=seed, events=households * keys_per_household, households=households, duplicates=0.0, refused=0.0, late=0.0
    )
    opening = replace(opening_of(workload), first_day=workload.first_day - timedelta(days=1), late=0.0)
    with TemporaryDirectory(dir=directory, prefix="bench-") as place, Engine.open(Path(place) / "events-0") as engine:
        warm_up(engine, opening)
        before = anonymous_bytes()
        apply_timed(engine, blocks(opening, first_offset=engine.next_offset))
        engine.wait_projected()
        opened = anonymous_bytes()
        per_key = list(bytes_per_key(engine, workload, opened))
    return MemoryUse((opened - before) / households - per_key[0], per_key)


def bytes_per_key(engine: Engine, workload: Workload, opened_bytes: int) -> Iterator[float]:
    """Apply the workload in steps of as many events as there are households; yield what each key has taken so far."""
    for first in range(0, workload.events, workload.households):
        end = first + workload.households
        apply_timed(engine, blocks(workload, first, end, first_offset=engine.next_offset))
        engine.wait_projected()
        yield (anonymous_bytes() - opened_bytes) / end


def warm_up(engine: Engine, opening: Workload, events: int = 200_000) -> None:
    """Have the engine touch every buffer whose size does not depend on what the ledger holds, on a date of its own."""
    earlier = replace(opening, events=events, households=1000, first_day=opening.first_day - timedelta(days=1))
    apply_timed(engine, blocks(earlier))
    engine.wait_projected()


def anonymous_bytes() -> int:
    """Return how much memory this process has touched that is no file's."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon")) * 1024


if __name__ == "__main__":
    place, households, keys_per_household, seed = sys.argv[1:]
    print(msgspec.json.encode(measure(Path(place), int(households), int(keys_per_household), int(seed))).decode())
