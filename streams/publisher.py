"""Publishes events: encodes them, finds their partitions as every Kafka client does, and sends whole record batches."""

import asyncio
import time
from array import array
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from ledger._core import EventDecoder, build_batch, build_packed_batches, build_value_batches, partition_of
from ledger.channels import BUILT_IN_CHANNELS, Channel
from ledger.errors import EventInvalid
from ledger.events import Bill, Event, Payment, encode_json, encode_msgpack, encode_packed
from ledger.outcomes import OutcomeCode
from streams.record_keys import household_of
from streams.sinks import BatchSink, EmbeddedSink, KafkaSink

Encoding = Literal["packed", "json", "msgpack"]
Record = tuple[bytes | None, bytes | None, int]

BATCH_BYTES = 1_000_000
LINGER_S = 0.005
TIMEOUT_S = 120.0
PACKED_EVENT_BYTES = 64
_BULK_EVENTS = 100_000
_RECORD_OVERHEAD_BYTES = 24


class PartitionQueue:
    """The records of one partition that no batch has taken yet. ``lock`` keeps its batches in order."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.size_bytes = 0
        self.lock = asyncio.Lock()

    def add(self, record: Record) -> None:
        self.records.append(record)
        self.size_bytes += _room_for(record)

    def take(self) -> list[Record]:
        taken, self.records, self.size_bytes = self.records, [], 0
        return taken


class SinkPublisher:
    """Publishes to a sink; an async context manager. What it publishes is acknowledged when ``flush`` returns.

    Events wait for ``linger_s``, or until they fill a batch of ``batch_bytes``, before they are sent; publishing waits while
    earlier batches are under way. After a PublishFailed it takes no more events: those since the last ``flush`` may or may not
    have arrived, and can be published again.
    """

    def __init__(
        self,
        sink: BatchSink,
        *,
        encoding: Encoding = "packed",
        channels: Iterable[Channel] = BUILT_IN_CHANNELS,
        linger_s: float = LINGER_S,
        batch_bytes: int = BATCH_BYTES,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._sink = sink
        self._pack = encoder_of("packed", tuple(channels))
        self._encode = encoder_of(encoding, tuple(channels))
        self._linger_s = linger_s
        self._batch_bytes = batch_bytes
        self._timeout_s = timeout_s
        self._queues: list[PartitionQueue] = []
        self._lingering: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._sink.start()
        self._queues = [PartitionQueue() for _ in range(self._sink.partition_count)]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if error is None:
                await self.flush()
        finally:
            if self._lingering:
                self._lingering.cancel()
            await self._sink.close(self._timeout_s if error is None else 0)

    @property
    def partition_count(self) -> int:
        """How many partitions the topic has; known within the context."""
        return len(self._queues)

    async def publish(self, event: Event, timestamp_ms: int | None = None, key: bytes | None = None) -> None:
        """Take one event; its time is now where none is given. Raises EventInvalid (packed only), PublishFailed.

        ``key`` is the record key, where another than that of ``publish_many`` is to choose the partition.
        """
        if key is None:
            await self.publish_many((event,), timestamp_ms)
        else:
            await self.publish_record(key, self._encode(event), timestamp_ms)

    async def publish_many(self, events: Iterable[Event], timestamp_ms: int | None = None) -> None:
        """Take events, in their order. The household that an event touches is its key; without one it goes to partition 0."""
        for event in events:
            key = event.household.encode() if isinstance(event, Bill | Payment) else self._household_of(event)
            await self.publish_record(key, self._encode(event), timestamp_ms)

    def _household_of(self, event: Event) -> bytes | None:
        try:
            return household_of(self._pack(event))
        except EventInvalid:  # of no partition more than of another: the ledger refuses it wherever it comes
            return None

    async def publish_record(
        self, key: bytes | None, value: bytes | None, timestamp_ms: int | None = None, partition: int | None = None
    ) -> None:
        """Take a record as it is. Without a key it goes to partition 0, unless another is named."""
        if partition is None:
            partition = partition_of(key, len(self._queues)) if key else 0
        record = (key, value, _now_ms() if timestamp_ms is None else timestamp_ms)
        queue = self._queues[partition]
        while queue.records and queue.size_bytes + _room_for(record) > self._batch_bytes:
            await self._send(partition)
        queue.add(record)
        if self._lingering is None or self._lingering.done():
            self._raise_lingering_failure()
            self._lingering = asyncio.create_task(self._linger())

    async def publish_packed(self, events: bytes | bytearray | memoryview, timestamps_ms: "array[int] | None" = None) -> None:
        """Take packed events of 64 bytes, one after the other, as they are: the fast way. Their times are now, or given."""
        view = memoryview(events).cast("B")
        count = len(view) // PACKED_EVENT_BYTES
        times = _times(timestamps_ms, count)
        if len(view) % PACKED_EVENT_BYTES or len(times) != count:
            raise ValueError(f"{len(view)} bytes are not {len(times)} packed events")
        for first in range(0, count, _BULK_EVENTS):
            part = view[first * PACKED_EVENT_BYTES : (first + _BULK_EVENTS) * PACKED_EVENT_BYTES]
            await self._send_built(build_packed_batches, part, times[first : first + _BULK_EVENTS])

    async def publish_values(
        self,
        values: bytes | bytearray | memoryview,
        value_ends: "array[int]",
        households: "array[int]",
        timestamps_ms: "array[int] | None" = None,
    ) -> None:
        """Take values of any length, one after the other in ``values``, as they are: the fast way for JSON and MessagePack.

        ``value_ends`` (of type q) says where each ends, ``households`` (of type Q) whose each is; one of more than 13 digits is
        none, and its value goes without a key, to partition 0.
        """
        await self._send_built(build_value_batches, values, value_ends, households, _times(timestamps_ms, len(value_ends)))

    async def flush(self) -> None:
        """Return when every event taken so far is acknowledged. Raises PublishFailed."""
        self._raise_lingering_failure()
        await self._send_all()
        await self._sink.flush(self._timeout_s)

    async def _linger(self) -> None:
        await asyncio.sleep(self._linger_s)
        await self._send_all()

    async def _send_all(self) -> None:
        await asyncio.gather(*(self._send(partition) for partition in range(len(self._queues))))

    async def _send_built(self, build: Callable[..., list[tuple[int, bytearray, int]]], *events: object) -> None:
        """Send the batches that the core builds of many events, those of one partition in their order."""
        built: dict[int, list[tuple[bytearray, int]]] = {}
        for partition, batch, record_count in await asyncio.to_thread(build, *events, len(self._queues), self._batch_bytes):
            built.setdefault(partition, []).append((batch, record_count))
        await asyncio.gather(*(self._send(partition, ready) for partition, ready in built.items()))

    async def _send(self, partition: int, ready: Iterable[tuple[bytearray, int]] = ()) -> None:
        """Send what the partition's queue holds, then the batches that are ready."""
        queue = self._queues[partition]
        async with queue.lock:
            if queue.records:
                records = queue.take()
                await self._sink.send(partition, build_batch(records), len(records))
            for batch, record_count in ready:
                await self._sink.send(partition, batch, record_count)

    def _raise_lingering_failure(self) -> None:
        if self._lingering and self._lingering.done() and not self._lingering.cancelled():
            self._lingering.result()


class Publisher(SinkPublisher):
    """Publishes to a Kafka topic, idempotently. ``kafka_settings`` are AIOKafkaProducer's, such as those of TLS and SASL."""

    def __init__(
        self, topic: str, *, bootstrap_servers: str, kafka_settings: dict[str, Any] | None = None, **settings: Any
    ) -> None:
        super().__init__(KafkaSink(topic, bootstrap_servers, **(kafka_settings or {})), **settings)


class EmbeddedPublisher(SinkPublisher):
    """Publishes to a topic of the embedded stream in ``directory``."""

    def __init__(self, topic: str, *, directory: Path | str, **settings: Any) -> None:
        super().__init__(EmbeddedSink(topic, directory), **settings)


def encoder_of(encoding: Encoding, channels: tuple[Channel, ...] = BUILT_IN_CHANNELS) -> Callable[[Event], bytes]:
    """Return what encodes an event. Packed, it raises EventInvalid where the event has a fault."""
    if encoding != "packed":
        return encode_json if encoding == "json" else encode_msgpack
    decoder = EventDecoder(channels)

    def encode(event: Event) -> bytes:
        # The way through JSON is the fast one: msgspec writes it and the core reads it, both without Python in between.
        code, packed = decoder.decode_fast(encode_json(event))
        return packed if code == OutcomeCode.applied else encode_packed(event, channels)

    return encode


def _room_for(record: Record) -> int:
    return _RECORD_OVERHEAD_BYTES + len(record[0] or b"") + len(record[1] or b"")


def _times(timestamps_ms: "array[int] | None", count: int) -> "array[int]":
    return array("q", [_now_ms()]) * count if timestamps_ms is None else timestamps_ms


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
