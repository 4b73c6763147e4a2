"""Runs the shards of one process: those that the consumer group assigns, or all partitions of an embedded stream."""

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aiokafka import ConsumerRebalanceListener, TopicPartition

from ledger.errors import ConfigurationError
from streams.consumer import BlockConsumer
from streams.embedded import EmbeddedStream
from streams.inlets import priority_topics
from streams.release import ReleasedSource, ReleaseRules
from streams.shard import Shard, ShardSettings, ShardStatus
from streams.sources import EmbeddedSource, KafkaSource, Source
from streams.stopping import stop_consumer
from streams.topics import TOPIC_ASK_S, TOPIC_WAIT_S

log = logging.getLogger(__name__)

# A large engine takes its time to open and close; the heartbeat goes on meanwhile, and applying never waits for long.
GROUP_SETTINGS = {
    "session_timeout_ms": 45_000,
    "heartbeat_interval_ms": 3_000,
    "rebalance_timeout_ms": 120_000,
    "max_poll_interval_ms": 600_000,
}
LEAVE_TIMEOUT_S = 5.0


class ShardRunner(ABC):
    """Shards at work side by side. One that fails stops alone; the others go on.

    ``run`` ends when ``stop`` was called, when no shard is left running, or, with ``stop_at_end``, when all are at their ends. It
    raises the first failure then, for it is why something stands still.
    """

    def __init__(self, topic: str, settings: ShardSettings) -> None:
        self.topic = topic
        self._settings = settings
        self._shards: dict[int, Shard] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self._is_stopping = False

    def stop(self) -> None:
        """Ask for a clean stop; ``run`` returns when all shards are closed."""
        self._is_stopping = True
        self._changed.set()

    def status(self) -> list[ShardStatus]:
        """Return where each shard stands, those included that failed."""
        return [shard.status() for _, shard in sorted(self._shards.items())]

    async def run(self) -> None:
        """Run the shards. Raises what stopped a shard."""
        try:
            await self._begin()
            while not self._is_stopping and not self._nothing_is_left():
                await self._changed.wait()
                self._changed.clear()
        finally:
            self._is_stopping = True
            await self._close_shards(list(self._tasks))
            await self._end()
        for shard in self._shards.values():
            if shard.error:
                raise shard.error

    @abstractmethod
    async def _begin(self) -> None:
        """Start shards, or what starts them."""

    @abstractmethod
    async def _end(self) -> None:
        """Let go what ``_begin`` took."""

    def _start_shard(self, source: Source) -> None:
        shard = Shard(source, self._settings)
        self._shards[source.partition] = shard
        task = asyncio.ensure_future(shard.run())
        task.add_done_callback(lambda _: self._changed.set())
        self._tasks[source.partition] = task

    async def _close_shards(self, partitions: Iterable[int]) -> None:
        tasks = [self._tasks.pop(partition) for partition in partitions if partition in self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._changed.set()

    def _nothing_is_left(self) -> bool:
        running = any(not task.done() for task in self._tasks.values())
        failed = any(shard.error for shard in self._shards.values())
        return not running and (failed or (self._settings.stop_at_end and bool(self._tasks)))


class EmbeddedShards(ShardRunner):
    """All partitions of a topic of an embedded stream, in this process."""

    def __init__(self, stream: Path, topic: str, settings: ShardSettings) -> None:
        super().__init__(topic, settings)
        self._stream = stream

    async def _begin(self) -> None:
        with EmbeddedStream(self._stream) as stream:
            count = stream.partition_count(self.topic)
        for partition in range(count):
            self._start_shard(EmbeddedSource(self._stream, self.topic, partition))

    async def _end(self) -> None:
        """Each source closed its own stream."""


class KafkaShards(ShardRunner, ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """The partitions of a topic that a consumer group assigns to this process, as they come and go."""

    def __init__(
        self, topic: str, settings: ShardSettings, *, group: str, release: ReleaseRules | None = None, **consumer_settings: Any
    ) -> None:
        """``release``: how the topic's inlets are released; None: they are not, and need not be there.

        ``consumer_settings`` are AIOKafkaConsumer's, ``bootstrap_servers`` above all.
        """
        super().__init__(topic, settings)
        self._release, self._consumer_settings = release, consumer_settings
        self._consumer = BlockConsumer(group_id=group, **{**GROUP_SETTINGS, **consumer_settings})

    async def _begin(self) -> None:
        await self._consumer.start()
        await self._wait_for_topics([self.topic, *(priority_topics(self.topic) if self._release else ())])
        self._consumer.subscribe([self.topic], listener=self)

    async def _wait_for_topics(self, topics: list[str]) -> None:
        found, give_up = await self._consumer.topics(), time.monotonic() + TOPIC_WAIT_S
        while missing := [topic for topic in topics if topic not in found]:
            if time.monotonic() > give_up:
                flag = " --priority" if self._release else ""
                raise ConfigurationError(f"Kafka has no topic {missing[0]}", hint=f"Create it: peakledger topics create{flag}")
            log.info("Kafka does not show topic %s; asking again", missing[0])
            await asyncio.sleep(TOPIC_ASK_S)
            found = await self._consumer.topics()

    async def _end(self) -> None:
        if not await stop_consumer(self._consumer, LEAVE_TIMEOUT_S):
            log.warning("Kafka did not answer when leaving the group; it will notice by itself")

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Close the engines before the rebalance goes on, so that whoever gets a partition finds its ledger free."""
        partitions = [partition for _, partition in revoked]
        await self._close_shards(partitions)
        # A shard that failed stays on the list, for its error is still to be told.
        for partition in partitions:
            if partition in self._shards and not self._shards[partition].error:
                del self._shards[partition]

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Open an engine for each partition; the group is not kept waiting for it."""
        for _, partition in sorted(assigned):
            if not self._is_stopping:
                self._start_shard(self._source(partition))

    def _source(self, partition: int) -> Source:
        if self._release is None:
            return KafkaSource(self._consumer, self.topic, partition)
        directory = self._settings.directory_of(self.topic, partition)
        return ReleasedSource(self._consumer, self.topic, partition, self._release, directory, **self._consumer_settings)
