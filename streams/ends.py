"""How many records lie between a ledger and the ends that its topic had at a moment: asked by whoever is no engine."""

import asyncio
import time
from pathlib import Path
from typing import Any, Protocol

from aiokafka import TopicPartition

from ledger.errors import SourceUnavailable
from streams.consumer import BATCH_HEADER, BlockConsumer
from streams.embedded import EmbeddedStream
from streams.inlets import Inlet, read_released
from streams.stopping import stop_consumer

_ANSWER_S = 30.0
_LOOK_S = 2.0
_FETCH_MS = 100
_FETCH_BYTES = 1 << 16  # one batch is enough to know that there are records
_CLOSE_S = 5.0


class Ends(Protocol):
    """The ends of the partitions of a topic, as they were when ``start`` returned, and of its inlets where it has some."""

    async def start(self, partition_count: int) -> None:
        """Connect, and ask for the ends. Raises SourceUnavailable."""

    async def behind(self, partition: int, next_offset: int) -> int:
        """Return about how many records below the end a ledger lacks whose next offset this is; 0 only where it lacks none."""

    async def close(self) -> None:
        """Disconnect."""


class EmbeddedEnds:
    """The ends of a topic of an embedded stream."""

    def __init__(self, topic: str, directory: Path | str) -> None:
        self._topic, self._directory = topic, directory
        self._ends: list[int] = []

    async def start(self, partition_count: int) -> None:
        with EmbeddedStream(self._directory) as stream:
            self._ends = [stream.end_offset(self._topic, partition) for partition in range(partition_count)]

    async def behind(self, partition: int, next_offset: int) -> int:
        return max(0, self._ends[partition] - next_offset)

    async def close(self) -> None:
        """Nothing is open."""


class KafkaEnds:
    """The ends of a topic in Kafka; with ``has_inlets``, of those before it too. ``settings`` are AIOKafkaConsumer's.

    An end counts what is not committed as well: what was published behind an open kafka_txn is on its way, and no engine sees it.
    """

    def __init__(self, topic: str, *, has_inlets: bool, **settings: Any) -> None:
        self._topic, self._has_inlets = topic, has_inlets
        self._reading = BlockConsumer(max_partition_fetch_bytes=_FETCH_BYTES, **settings)
        self._asking = BlockConsumer(isolation_level="read_uncommitted", **settings)
        self._ends: dict[TopicPartition, int] = {}
        self._unreleased: set[int] = set()

    async def start(self, partition_count: int) -> None:
        for consumer in (self._reading, self._asking):
            await consumer.start()
        topics = [self._topic, *(inlet.topic(self._topic) for inlet in Inlet if self._has_inlets)]
        await self._ask([TopicPartition(topic, partition) for topic in topics for partition in range(partition_count)])
        self._unreleased = set(range(partition_count)) if self._has_inlets else set()

    async def behind(self, partition: int, next_offset: int) -> int:
        """As of Ends. Raises SourceUnavailable where Kafka does not answer, PositionLost where records are gone."""
        try:
            async with asyncio.timeout(_ANSWER_S):
                return await self._behind(partition, next_offset)
        except TimeoutError as error:
            raise SourceUnavailable(f"Kafka does not say what waits in {self._topic}/{partition}", timeout_s=_ANSWER_S) from error

    async def _behind(self, partition: int, next_offset: int) -> int:
        events = TopicPartition(self._topic, partition)
        if partition in self._unreleased:
            if waiting := await self._waiting(partition):
                return waiting + max(0, self._ends[events] - next_offset)
            # What was released has come into the events behind the end that was asked for first.
            await self._ask([events])
            self._unreleased.remove(partition)
        return await self._between(events, next_offset)

    async def _waiting(self, partition: int) -> int:
        released = await read_released(self._reading, self._topic, partition)
        next_offsets = {Inlet.interactive: released.interactive_next, Inlet.batch: released.batch_next}
        inlets = {inlet: TopicPartition(inlet.topic(self._topic), partition) for inlet in Inlet}
        return sum([await self._between(inlets[inlet], next_offset) for inlet, next_offset in next_offsets.items()])

    async def _between(self, partition: TopicPartition, next_offset: int) -> int:
        """Return how many offsets lie between a position and the end of a partition, 0 where there is no record at them.

        At the last offsets there may be none for ever: a kafka_txn ends with a marker, or was aborted. So it is read.
        """
        end, give_up = self._ends[partition], time.monotonic() + _LOOK_S
        if next_offset >= end:
            return 0
        self._reading.assign([partition])
        self._reading.seek(partition, next_offset)
        while await self._reading.position(partition) < end:
            blocks = (await self._reading.getmany(partition, timeout_ms=_FETCH_MS)).get(partition, [])
            if blocks:
                first_offset = BATCH_HEADER.unpack_from(blocks[0].data)[0]
                return end - next_offset if first_offset < end else 0
            if time.monotonic() > give_up:
                return end - next_offset
        return 0

    async def _ask(self, partitions: list[TopicPartition]) -> None:
        self._ends |= await self._asking.end_offsets(partitions)

    async def close(self) -> None:
        for consumer in (self._reading, self._asking):
            await stop_consumer(consumer, _CLOSE_S)
