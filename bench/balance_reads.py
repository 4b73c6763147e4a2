"""Reads random balances, and what households owe, in a process of its own, beside an engine that writes them; times each read.

In turn with them it gets the same accounts with py-lmdb from an environment that nobody writes: the least that a read can cost.
``python -m bench.balance_reads SHARD BARE HOUSEHOLDS SECONDS CPU`` prints one line of JSON; CPU -1 leaves it where it is.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from bench import children
from bench.bare_lmdb import BareLmdb, record_key
from bench.percentiles import percentile
from bench.workload import Workload
from ledger.households import HouseholdReader
from ledger.projections.balances import BalanceReader

SAMPLE = 20_000

Name = TypeVar("Name")


class Reads(msgspec.Struct):
    """How many balances were read, and how long that took, in microseconds; ``owed`` is what a household owes."""

    reads: int
    p50_us: float
    p99_us: float
    max_us: float
    owed_p50_us: float
    owed_p99_us: float
    bare_p50_us: float
    bare_p99_us: float


def start_reads(shard: Path, bare: Path, households: int, seconds: float, cpu: int) -> "subprocess.Popen[bytes]":
    """Begin reading in another process, whose ``children.answer`` are the ``Reads``."""
    return children.start("bench.balance_reads", shard, bare, households, seconds, cpu)


def read(shard: Path, bare: Path, households: int, seconds: float, cpu: int) -> Reads:
    """Read random households, all of them open, for so many seconds."""
    if cpu >= 0:
        os.sched_setaffinity(0, {cpu})
    workload = Workload(households=households, seed=99)
    households_read = [workload.household(event) for event in range(SAMPLE)]
    accounts = [f"household:{household}" for household in households_read]
    keys = [record_key(household) for household in households_read]
    reader, household_reader, bare_reader = BalanceReader(shard), HouseholdReader(shard.parent), BareLmdb(bare, readonly=True)
    times_us: list[float] = []
    owed_us: list[float] = []
    bare_us: list[float] = []
    end_s = time.perf_counter() + seconds
    while time.perf_counter() < end_s:
        times_us += times_of(reader.get, accounts)
        owed_us += times_of(household_reader.owed, households_read)
        bare_us += times_of(bare_reader.get, keys)
    bare_reader.close()
    return Reads(
        reads=len(times_us),
        p50_us=percentile(times_us, 0.5),
        p99_us=percentile(times_us, 0.99),
        max_us=max(times_us),
        owed_p50_us=percentile(owed_us, 0.5),
        owed_p99_us=percentile(owed_us, 0.99),
        bare_p50_us=percentile(bare_us, 0.5),
        bare_p99_us=percentile(bare_us, 0.99),
    )


def times_of(get: Callable[[Name], object], names: Sequence[Name]) -> list[float]:
    """Get each of them, all of which are there; return how many microseconds each took."""
    times_us = []
    for name in names:
        before_ns = time.perf_counter_ns()
        found = get(name)
        times_us.append((time.perf_counter_ns() - before_ns) / 1000)
        assert found is not None
    return times_us


if __name__ == "__main__":
    shard, bare, households, seconds, cpu = sys.argv[1:]
    print(msgspec.json.encode(read(Path(shard), Path(bare), int(households), float(seconds), int(cpu))).decode())
