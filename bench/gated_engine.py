"""An engine on one partition in a process of its own, that opens its accounts and then waits for a word to go on to the end.

``python -m bench.gated_engine embedded|kafka PLACE TOPIC PARTITION DATA OPENED_OFFSET`` prints "ready", waits for a line, and
prints its ``GatedReading`` as JSON. PLACE is the directory of the embedded stream, or the broker.
"""

import asyncio
import sys
import time
from pathlib import Path

import msgspec
import uvloop
from aiokafka import TopicPartition

from bench import children
from ledger.errors import PeakledgerError
from streams.blocks import Block
from streams.consumer import BlockConsumer
from streams.feeding import FeedRules
from streams.shard import Shard, ShardSettings
from streams.sources import EmbeddedSource, KafkaSource, Source


class GatedReading(msgspec.Struct):
    """What was applied behind the gate, and from when to when, in seconds of ``time.perf_counter``."""

    events: int
    start: float
    end: float

    @property
    def events_per_s(self) -> float:
        return self.events / (self.end - self.start)


class GatedSource:
    """A source that stops once at an offset, until its process is told to go on."""

    def __init__(self, source: Source, opened_offset: int) -> None:
        self.topic, self.partition = source.topic, source.partition
        self.start = 0.0
        self.first_offset = 0
        self._source, self._opened_offset = source, opened_offset
        self.seek, self.position, self.end_offset = source.seek, source.position, source.end_offset
        self.reached, self.commit, self.close = source.reached, source.commit, source.close
        self.waiting = 0

    async def read(self) -> list[Block]:
        if not self.start and await self.position() >= self._opened_offset:
            print("ready", flush=True)
            await asyncio.to_thread(sys.stdin.readline)
            self.start, self.first_offset = time.perf_counter(), await self.position()
        return await self._source.read()


async def run(kind: str, place: str, topic: str, partition: int, data: Path, opened_offset: int) -> GatedReading:
    consumer = None
    if kind == "kafka":
        consumer = BlockConsumer(group_id=f"bench-{topic}-{data.name}", bootstrap_servers=place)
        await consumer.start()
        consumer.assign([TopicPartition(topic, partition)])
    source = GatedSource(
        KafkaSource(consumer, topic, partition) if consumer else EmbeddedSource(Path(place), topic, partition), opened_offset
    )
    ends: list[float] = []

    async def note_end(shard: Shard) -> None:
        """Wait until the shard closes, which it does at the end of its partition, and everything is durable."""
        assert shard.engine
        await shard.closing.wait()
        await asyncio.to_thread(shard.engine.wait_durable)
        ends.append(time.perf_counter())

    shard = Shard(source, ShardSettings(data, rules=FeedRules(max_ahead_s=None), stop_at_end=True, followers=[note_end]))
    await shard.run()
    if consumer:
        await consumer.stop()
    if shard.error:
        raise shard.error
    status = shard.status().engine
    assert status
    return GatedReading(status.next_offset - source.first_offset, source.start, ends[0])


class GatedEngine:
    """The process of such an engine. ``PLACE`` and the rest as above."""

    def __init__(self, kind: str, place: str, topic: str, partition: int, data: Path, opened_offset: int) -> None:
        self._process = children.start("bench.gated_engine", kind, place, topic, partition, data, opened_offset)

    def wait_ready(self) -> None:
        """Wait until it has opened its accounts. Raises PeakledgerError where it ended before that."""
        assert self._process.stdout
        if self._process.stdout.readline() != b"ready\n":
            raise PeakledgerError("an engine was at its end before it had opened its accounts", hint="Measure more events")

    def go_on(self) -> None:
        assert self._process.stdin
        self._process.stdin.write(b"go on\n")
        self._process.stdin.flush()

    def reading(self) -> GatedReading:
        """Wait for the end of its partition."""
        return children.answer(self._process, GatedReading)

    def end(self) -> None:
        """End the process, if it still runs."""
        self._process.kill()
        self._process.communicate()


if __name__ == "__main__":
    kind, place, topic, partition, data, opened_offset = sys.argv[1:]
    reading = uvloop.run(run(kind, place, topic, int(partition), Path(data), int(opened_offset)))
    print(msgspec.json.encode(reading).decode())
