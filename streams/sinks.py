"""Where whole record batches go: a Kafka topic, through aiokafka's idempotent producer, or a topic of the embedded stream."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, TypeVar

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from ledger._core import set_batch_producer
from ledger.errors import PublishFailed
from streams.connections import refusal
from streams.embedded import EmbeddedStream
from streams.stopping import stop_producer
from streams.topics import TOPIC_WAIT_S

Result = TypeVar("Result")

_HINT = "Mend the cause and publish again what was not acknowledged: an event that arrives twice is answered with exists"


class BatchSink(Protocol):
    """A topic that takes whole record batches. Batches of one partition arrive in the order of sending."""

    topic: str
    partition_count: int

    async def start(self) -> None:
        """Connect, and find out ``partition_count``. Raises PublishFailed."""

    async def send(self, partition: int, batch: bytearray, record_count: int) -> None:
        """Hand over one batch, waiting while too many are under way. Raises PublishFailed."""

    async def flush(self, timeout_s: float) -> None:
        """Return when all batches are acknowledged. Raises PublishFailed where one was not."""

    async def close(self, timeout_s: float) -> None:
        """Let go of the topic; what is not acknowledged by then may be lost."""


class BuiltBatch:
    """A batch that the core has built, in the place of aiokafka's BatchBuilder; tests hold the two together."""

    def __init__(self, batch: bytearray, record_count: int) -> None:
        self._batch = batch
        self._record_count = record_count

    def record_count(self) -> int:
        return self._record_count

    def append(self, **_: object) -> None:
        """None: the batch is full."""

    def close(self) -> None:
        """It is closed from the start."""

    def closed(self) -> bool:
        return True

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        # Sequence numbers begin again at 0 after 2**31 - 1; aiokafka lets them go on below zero, which brokers refuse.
        set_batch_producer(self._batch, producer_id, producer_epoch, base_sequence & 0x7FFFFFFF)

    def _build(self) -> bytearray:
        return self._batch


class KafkaSink:
    """A Kafka topic. ``settings`` are AIOKafkaProducer's; those that idempotence rests on are given.

    ``topic_flag`` is the one by which ``peakledger topics create`` makes the topic.
    """

    def __init__(self, topic: str, bootstrap_servers: str, *, topic_flag: str = "--topic", **settings: Any) -> None:
        self.topic = topic
        self._topic_flag = topic_flag
        self.partition_count = 0
        self._servers = bootstrap_servers
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._under_way: set[asyncio.Future[Any]] = set()
        self._failure: PublishFailed | None = None

    async def start(self) -> None:
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._servers, **self._settings, enable_idempotence=True, acks="all", linger_ms=0
        )
        try:
            await self._producer.start()
            self.partition_count = await self._count_partitions()
        except KafkaError as error:
            await self._producer.stop()
            hint = (
                f"Create it: peakledger topics create {self._topic_flag} {self.topic}"
                if isinstance(error, UnknownTopicOrPartitionError)
                else _HINT
            )
            reason = await refusal(self._servers, self._settings) or f"{self._servers}: {error or type(error).__name__}"
            raise PublishFailed(f"Topic {self.topic} cannot be reached at {reason}", hint=hint) from error

    async def _count_partitions(self) -> int:
        assert self._producer
        try:
            async with asyncio.timeout(TOPIC_WAIT_S):
                return len(await self._producer.partitions_for(self.topic))
        except TimeoutError as error:
            raise UnknownTopicOrPartitionError from error

    async def send(self, partition: int, batch: bytearray, record_count: int) -> None:
        self._raise_failure()
        assert self._producer
        try:
            acknowledged = await self._producer.send_batch(BuiltBatch(batch, record_count), self.topic, partition=partition)
        except KafkaError as error:
            self._failure = self._failed("does not take events", error, partition=partition, records=record_count)
            raise self._failure from error
        self._under_way.add(acknowledged)
        acknowledged.add_done_callback(lambda done: self._note_end(done, partition, record_count))

    async def flush(self, timeout_s: float) -> None:
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=timeout_s)
        self._raise_failure()
        if self._under_way:
            raise PublishFailed(
                f"{self.topic} at {self._servers} has not acknowledged all events",
                hint=_HINT,
                batches=len(self._under_way),
                timeout_s=timeout_s,
            )

    async def close(self, timeout_s: float) -> None:
        assert self._producer
        await stop_producer(self._producer, timeout_s)

    def _note_end(self, acknowledged: asyncio.Future[Any], partition: int, record_count: int) -> None:
        self._under_way.discard(acknowledged)
        error = None if acknowledged.cancelled() else acknowledged.exception()
        if error and not self._failure:
            self._failure = self._failed("refused events", error, partition=partition, records=record_count)

    def _raise_failure(self) -> None:
        if self._failure:
            raise self._failure

    def _failed(self, what: str, error: BaseException, **numbers: int) -> PublishFailed:
        return PublishFailed(f"Topic {self.topic} {what}: {error or type(error).__name__}", hint=_HINT, **numbers)


class EmbeddedSink:
    """A topic of the embedded stream. Acknowledged means flushed to the disk."""

    def __init__(self, topic: str, directory: Path | str) -> None:
        self.topic = topic
        self.partition_count = 0
        self._stream = EmbeddedStream(directory)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embedded-sink")

    async def start(self) -> None:
        self.partition_count = self._stream.partition_count(self.topic)

    async def send(self, partition: int, batch: bytearray, record_count: int) -> None:
        await self._run(self._stream.append, self.topic, partition, batch)

    async def flush(self, timeout_s: float) -> None:
        await self._run(self._stream.flush)

    async def close(self, timeout_s: float) -> None:
        await self._run(self._stream.close)
        self._thread.shutdown()

    async def _run(self, function: Callable[..., Result], *arguments: Any) -> Result:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)
        except OSError as error:
            raise PublishFailed(f"Topic {self.topic} in {self._stream.directory}: {error}", hint=_HINT) from error
