"""Reads random balances in a process of its own, beside an engine that writes them, and times each read.

``python -m bench.balance_reads SHARD HOUSEHOLDS SECONDS CPU`` prints one line of JSON; CPU -1 leaves the process where it is.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from bench.percentiles import percentile
from bench.workload import Workload
from ledger.projections.balances import BalanceReader

SAMPLE = 20_000


class Reads(msgspec.Struct):
    """How many reads were made, and how long they took, in microseconds."""

    reads: int
    p50_us: float
    p99_us: float
    max_us: float


def start_reads(shard: Path, households: int, seconds: float, cpu: int) -> "subprocess.Popen[bytes]":
    """Begin reading in another process; ``finish_reads`` waits for what it found."""
    command = [sys.executable, "-m", "bench.balance_reads", str(shard), str(households), str(seconds), str(cpu)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def finish_reads(process: "subprocess.Popen[bytes]") -> Reads:
    output, _ = process.communicate()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return msgspec.json.decode(output, type=Reads)


def read(shard: Path, households: int, seconds: float, cpu: int) -> Reads:
    """Read random households, all of them open, for so many seconds."""
    if cpu >= 0:
        os.sched_setaffinity(0, {cpu})
    workload = Workload(households=households, seed=99)
    accounts = [f"household:{workload.household(event)}" for event in range(SAMPLE)]
    reader = BalanceReader(shard)
    times_ns = []
    end_ns = time.perf_counter_ns() + int(seconds * 1e9)
    before_ns = time.perf_counter_ns()
    while before_ns < end_ns:
        for account in accounts:
            before_ns = time.perf_counter_ns()
            balance = reader.get(account)
            times_ns.append(time.perf_counter_ns() - before_ns)
            assert balance is not None
    times_us = [duration / 1000 for duration in times_ns]
    return Reads(len(times_us), percentile(times_us, 0.5), percentile(times_us, 0.99), max(times_us))


if __name__ == "__main__":
    shard, households, seconds, cpu = sys.argv[1:]
    print(msgspec.json.encode(read(Path(shard), int(households), float(seconds), int(cpu))).decode())
