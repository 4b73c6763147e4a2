"""An engine on a Kafka topic in a process of its own, and watches over what becomes of its events, in others.

``python -m bench.engine_process run SERVERS TOPIC DATA [OUTCOMES]`` runs until SIGTERM, and leaves in DATA when which frame was
durable. ``python -m bench.engine_process watch SHARD END_OFFSET`` says "ready", and prints when each position was readable, as
JSON, once END_OFFSET is. ``python -m bench.engine_process watch-outcomes SERVERS OUTCOMES FIRST_OFFSET END_OFFSET`` says
"ready" at the outcome of the event before FIRST_OFFSET, and then prints the same of the outcomes that arrive.
"""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec
import uvloop
from aiokafka import AIOKafkaConsumer

from bench import children
from bench.publishing import Times
from ledger._core import JournalReader
from ledger.errors import LedgerNotFound
from ledger.projections.balances import BalanceReader
from streams.feeding import FeedRules
from streams.followers import PublishingFollower
from streams.outcomes import OutcomePublisher
from streams.shard import Follower, Shard, ShardSettings
from streams.shards import KafkaShards
from streams.sinks import KafkaSink

POLL_S = 0.0005


class DurableNotes:
    """Follows a shard and notes when which frame was durable. They are left in a file when the shard closes."""

    async def __call__(self, shard: Shard) -> None:
        notes = await asyncio.to_thread(self._watch, shard)
        notes_file(shard.directory).write_bytes(msgspec.json.encode(notes))

    def _watch(self, shard: Shard) -> Times:
        assert shard.engine
        notes = [(time.perf_counter(), shard.engine.durable_frame)]
        while not shard.closing.is_set():
            time.sleep(POLL_S)
            frame = shard.engine.durable_frame
            if frame != notes[-1][1]:
                notes.append((time.perf_counter(), frame))
        return notes


def notes_file(shard: Path) -> Path:
    return shard.with_name(f"{shard.name}.durable")


def durable_positions(shard: Path) -> Times:
    """Return (time, next offset durable then) of an engine that was run; from its notes, and from its journal."""
    next_offsets = {frame.frame_number: frame.next_offset for frame in JournalReader(shard / "journal")}
    notes = msgspec.json.decode(notes_file(shard).read_bytes(), type=Times)
    return [(at, next_offsets[frame]) for at, frame in notes if frame]


@contextmanager
def running_engine(servers: str, topic: str, data: Path, outcomes_topic: str | None = None) -> Iterator[None]:
    """Run an engine on the topic beside the caller, and publish its outcomes where there is a topic for them."""
    outcomes = [outcomes_topic] if outcomes_topic else []
    with children.start("bench.engine_process", "run", servers, topic, data, *outcomes) as process:
        try:
            yield
        finally:
            process.terminate()


def start_watch(shard: Path, end_offset: int) -> "subprocess.Popen[bytes]":
    """Watch what is readable; returns when it does. ``seen_by`` waits for ``end_offset`` and returns what was seen."""
    return _ready(children.start("bench.engine_process", "watch", shard, end_offset))


def start_outcome_watch(servers: str, topic: str, first_offset: int, end_offset: int) -> "subprocess.Popen[bytes]":
    """The same of outcomes in their topic; returns when those of all events before ``first_offset`` have arrived."""
    return _ready(children.start("bench.engine_process", "watch-outcomes", servers, topic, first_offset, end_offset))


def _ready(watch: "subprocess.Popen[bytes]") -> "subprocess.Popen[bytes]":
    """Wait until it says so: what came while it started would seem to have come late."""
    assert watch.stdout
    watch.stdout.readline()
    return watch


def seen_by(watch: "subprocess.Popen[bytes]") -> Times:
    """Return (time, next offset seen then); times are of ``time.perf_counter``, which processes share."""
    return children.answer(watch, Times)


async def run(servers: str, topic: str, data: Path, outcomes_topic: str | None = None) -> None:
    followers: list[Follower] = [DurableNotes()]
    if outcomes_topic:
        followers.append(PublishingFollower(partial(KafkaSink, outcomes_topic, servers), OutcomePublisher))
    settings = ShardSettings(data, rules=FeedRules(max_ahead_s=None), followers=followers)
    shards = KafkaShards(topic, settings, group=f"bench-{topic}", bootstrap_servers=servers)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, shards.stop)
    await shards.run()


def watch(shard: Path, end_offset: int) -> Times:
    reader = open_when_there(shard)
    seen = [(time.perf_counter(), reader.watermark.next_offset)]
    print("ready", flush=True)
    while seen[-1][1] < end_offset:
        time.sleep(POLL_S)
        next_offset = reader.watermark.next_offset
        if next_offset != seen[-1][1]:
            seen.append((time.perf_counter(), next_offset))
    return seen


async def watch_outcomes(servers: str, topic: str, first_offset: int, end_offset: int) -> Times:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=servers, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    seen: Times = []
    next_offset = 0
    while next_offset < end_offset:
        for records in (await consumer.getmany(timeout_ms=1000)).values():
            at, before = time.perf_counter(), next_offset
            next_offset = msgspec.json.decode(records[-1].value)["offset"] + 1
            if before < first_offset <= next_offset:
                print("ready", flush=True)
            seen.append((at, next_offset))
    await consumer.stop()
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
        case ["run", servers, topic, data, *outcomes]:
            uvloop.run(run(servers, topic, Path(data), *outcomes))
        case ["watch", shard, end_offset]:
            print(msgspec.json.encode(watch(Path(shard), int(end_offset))).decode())
        case ["watch-outcomes", servers, outcomes_topic, first_offset, end_offset]:
            seen = uvloop.run(watch_outcomes(servers, outcomes_topic, int(first_offset), int(end_offset)))
            print(msgspec.json.encode(seen).decode())
        case _:
            sys.exit(__doc__)
