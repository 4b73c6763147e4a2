"""An engine on a Kafka topic in a process of its own, and a watch over what becomes readable, in another.

``python -m bench.engine_process run SERVERS TOPIC DATA`` runs until SIGTERM.
``python -m bench.engine_process watch SHARD END_OFFSET`` prints when each position was readable, as JSON, once
END_OFFSET is.
"""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import uvloop

from ledger.errors import LedgerNotFound
from ledger.projections.balances import BalanceReader
from streams.feeding import FeedRules
from streams.shard import ShardSettings
from streams.shards import KafkaShards

POLL_S = 0.0005


@contextmanager
def running_engine(servers: str, topic: str, data: Path) -> Iterator[None]:
    """Run an engine on the topic beside the caller."""
    process = subprocess.Popen([sys.executable, "-m", "bench.engine_process", "run", servers, topic, str(data)])
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def start_watch(shard: Path, end_offset: int) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "bench.engine_process", "watch", str(shard), str(end_offset)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def finish_watch(process: "subprocess.Popen[bytes]") -> list[tuple[float, int]]:
    """Return (time, next offset readable then); times are of ``time.perf_counter``, which processes share."""
    output, _ = process.communicate()
    return msgspec.json.decode(output, type=list[tuple[float, int]])


async def run(servers: str, topic: str, data: Path) -> None:
    shards = KafkaShards(
        topic, ShardSettings(data, rules=FeedRules(max_ahead_s=None)), group=f"bench-{topic}", bootstrap_servers=servers
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, shards.stop)
    await shards.run()


def watch(shard: Path, end_offset: int) -> list[tuple[float, int]]:
    reader = open_when_there(shard)
    seen = [(time.perf_counter(), reader.watermark.next_offset)]
    while seen[-1][1] < end_offset:
        time.sleep(POLL_S)
        next_offset = reader.watermark.next_offset
        if next_offset != seen[-1][1]:
            seen.append((time.perf_counter(), next_offset))
    return seen


def open_when_there(shard: Path, timeout_s: float = 60.0) -> BalanceReader:
    """Return a reader of the shard as soon as its engine has made it."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            return BalanceReader(shard)
        except LedgerNotFound:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["run", servers, topic, data]:
            uvloop.run(run(servers, topic, Path(data)))
        case ["watch", shard, end_offset]:
            print(msgspec.json.encode(watch(Path(shard), int(end_offset))).decode())
        case _:
            sys.exit(__doc__)
