"""The two inlets before a topic of events, and the topic that says how far they are released: names, and reading from Kafka."""

import asyncio
import logging
from enum import StrEnum
from typing import Any, Protocol

import msgspec
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError

from ledger._core import walk_batches
from ledger.errors import CorruptBatch, PositionLost, SourceUnavailable
from streams.blocks import Block
from streams.compression import inflate
from streams.consumer import BlockConsumer
from streams.merging import Record, Released
from streams.stopping import stop_consumer

log = logging.getLogger(__name__)

_READ_TIMEOUT_S = 0.02
_FIRST_LOOK_BACK = 2  # the last record and the marker that ends its kafka_txn
_LOOK_BACK_FACTOR = 8


class Inlet(StrEnum):
    """A topic that channels publish to instead of the topic of events, by the priority of their profile."""

    interactive = "interactive"
    batch = "batch"

    def topic(self, events_topic: str) -> str:
        """Return the name of the inlet before a topic of events."""
        return f"{events_topic}.{self}"


def released_topic(events_topic: str) -> str:
    """Return the name of the topic that says how far the inlets before a topic of events are released."""
    return f"{events_topic}.released"


def priority_topics(events_topic: str) -> tuple[str, ...]:
    """Return the topics that priority needs beside that of the events, all with as many partitions."""
    return (*(inlet.topic(events_topic) for inlet in Inlet), released_topic(events_topic))


class Inlets(Protocol):
    """The inlets of one partition, each read from a position on."""

    async def read(self, inlet: Inlet, timeout_s: float) -> tuple[list[Record], int]:
        """Return the records that come next, waiting a little for them, and the position behind them."""

    async def end_offset(self, inlet: Inlet) -> int:
        """Return the position behind the last record that there is now."""


class KafkaInlets:
    """The inlets of one partition in Kafka. ``settings`` are AIOKafkaConsumer's."""

    def __init__(self, events_topic: str, partition: int, **settings: Any) -> None:
        self._of = {inlet: TopicPartition(inlet.topic(events_topic), partition) for inlet in Inlet}
        self._topic, self._partition = events_topic, partition
        # Connections of their own: a broker answers one request after the other, and a fetch waits for new records.
        self._consumers = {inlet: BlockConsumer(**settings) for inlet in Inlet}
        self._asking = BlockConsumer(**settings)

    async def start(self) -> Released:
        """Connect, and return how far the inlets are released, which is where reading begins."""
        for consumer in (self._asking, *self._consumers.values()):
            await consumer.start()
        released = await read_released(self._asking, self._topic, self._partition)
        positions = {Inlet.interactive: released.interactive_next, Inlet.batch: released.batch_next}
        for inlet, consumer in self._consumers.items():
            consumer.assign([self._of[inlet]])
            consumer.seek(self._of[inlet], positions[inlet])
        return released

    async def read(self, inlet: Inlet, timeout_s: float) -> tuple[list[Record], int]:
        """As of Inlets. Raises SourceUnavailable where records are gone, CorruptBatch."""
        consumer, partition = self._consumers[inlet], self._of[inlet]
        return await _read(consumer, partition, timeout_s), int(await consumer.position(partition))

    async def end_offset(self, inlet: Inlet) -> int:
        return await _end_offset(self._asking, self._of[inlet])

    async def close(self, timeout_s: float) -> None:
        """Disconnect; a broker that is gone is not waited for longer than that."""
        await asyncio.gather(*(stop_consumer(consumer, timeout_s) for consumer in (self._asking, *self._consumers.values())))


async def read_released(consumer: BlockConsumer, events_topic: str, partition: int) -> Released:
    """Return how far the inlets before a partition of the events are released. The consumer is assigned to nothing then."""
    released = TopicPartition(released_topic(events_topic), partition)
    consumer.assign([released])
    last = await _last_value(consumer, released)
    consumer.unsubscribe()
    if last:
        return msgspec.json.decode(last, type=Released)
    interactive, batch = (TopicPartition(inlet.topic(events_topic), partition) for inlet in (Inlet.interactive, Inlet.batch))
    first = await consumer.beginning_offsets([interactive, batch])
    return Released(first[interactive], first[batch])


async def _end_offset(consumer: BlockConsumer, partition: TopicPartition) -> int:
    while True:
        try:
            return int((await consumer.end_offsets([partition]))[partition])
        except KafkaTimeoutError:
            # As a fetch does, for as long as Kafka is away.
            log.warning("%s/%d: Kafka does not say where it ends; asking again", *partition)


async def _last_value(consumer: BlockConsumer, partition: TopicPartition) -> bytes | None:
    """Return the value of a partition's last record that counts, looking back further and further."""
    first = (await consumer.beginning_offsets([partition]))[partition]
    end = await _end_offset(consumer, partition)
    back, start, value = _FIRST_LOOK_BACK, end, None
    while value is None and start > first:
        start = max(first, end - back)
        back *= _LOOK_BACK_FACTOR
        consumer.seek(partition, start)
        while await consumer.position(partition) < end:
            for record in await _read(consumer, partition, _READ_TIMEOUT_S):
                value = record[3]
    return value


async def _read(consumer: BlockConsumer, partition: TopicPartition, timeout_s: float) -> list[Record]:
    try:
        blocks = (await consumer.getmany(partition, timeout_ms=int(timeout_s * 1000))).get(partition, [])
    except PositionLost as error:
        # Not PositionLost: to go on with the events of the ledger, as an operator may allow, would not mend an inlet.
        raise SourceUnavailable(str(error.args[0]), hint="Restore them", **error.numbers) from error
    return [record for block in blocks for record in _records_of(block)]


def _records_of(block: Block) -> list[Record]:
    try:
        return walk_batches(inflate(block.data), block.first_offset)
    except CorruptBatch as error:
        raise CorruptBatch(
            f"A record batch of {block.topic}/{block.partition} is damaged", hint="Restore it", **error.numbers
        ) from error
