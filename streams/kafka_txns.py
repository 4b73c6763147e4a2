"""Writes released records and how far the inlets are released in one kafka_txn, so that both count or neither does."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidProducerEpoch, KafkaError, ProducerFenced

from ledger._core import build_batch
from ledger.errors import ConfigurationError, Fenced, PublishFailed
from streams.inlets import priority_topics, released_topic
from streams.merging import Record, Released
from streams.sinks import BuiltBatch
from streams.stopping import stop_producer

TIMEOUT_S = 120.0
_ABORT_TIMEOUT_S = 5.0
BATCH_BYTES = 1_000_000
_RECORD_OVERHEAD_BYTES = 24
_ATTRIBUTES_AT = 22
_TRANSACTIONAL = 0x10


class TxnBatch(BuiltBatch):
    """A batch that counts once its kafka_txn is committed."""

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        self._batch[_ATTRIBUTES_AT] |= _TRANSACTIONAL
        super()._set_producer_state(producer_id, producer_epoch, base_sequence)


class KafkaTxns:
    """The only writer of what is released into one partition. ``settings`` are AIOKafkaProducer's."""

    def __init__(self, events_topic: str, partition: int, **settings: Any) -> None:
        self._topic, self._partition = events_topic, partition
        self._producer = AIOKafkaProducer(
            transactional_id=f"{events_topic}-{partition}-release", acks="all", linger_ms=0, **settings
        )

    async def start(self) -> None:
        """Connect, and end whatever another writer of this partition had begun.

        Raises ConfigurationError where the partitions of a topic are not as many as those of the events.
        """
        await self._producer.start()
        count = len(await self._producer.partitions_for(self._topic))
        for topic in priority_topics(self._topic):
            found = len(await self._producer.partitions_for(topic))
            if found != count:
                hint = "All topics of priority need the same count"
                raise ConfigurationError(
                    f"{topic} has not as many partitions as {self._topic}", hint=hint, found=found, wanted=count
                )

    async def write(self, records: Sequence[Record], released: Released) -> int:
        """Write records to the events, and how far the inlets are released with them. Returns the offset behind the records.

        Raises Fenced where another writer has taken over, PublishFailed.
        """
        try:
            async with asyncio.timeout(TIMEOUT_S + _ABORT_TIMEOUT_S):
                return await self._write(records, released)
        except (ProducerFenced, InvalidProducerEpoch) as error:
            raise Fenced(f"Another process releases the inlets of {self._topic}/{self._partition} now") from error
        except (KafkaError, TimeoutError) as error:
            reason = error or type(error).__name__
            hint = "Mend the cause and start again: what was not released then still waits in its inlet"
            raise PublishFailed(f"Nothing can be released into {self._topic}/{self._partition}: {reason}", hint=hint) from error

    async def _write(self, records: Sequence[Record], released: Released) -> int:
        async with self._producer.transaction():
            # aiokafka commits whatever else the broker took when it refuses a batch: so all must be acknowledged before that.
            async with asyncio.timeout(TIMEOUT_S):
                sent: list[asyncio.Future[Any]] = []
                for part in _parts(records):
                    batch = build_batch([(key, value, time) for _, time, key, value in part])
                    sent.append(await self._send(self._topic, batch, len(part)))
                state = (b"%d" % self._partition, msgspec.json.encode(released), records[-1][1])
                sent.append(await self._send(released_topic(self._topic), build_batch([state]), 1))
                *_, last, _ = await asyncio.gather(*sent)
        return int(last.offset) + len(part)

    async def _send(self, topic: str, batch: bytearray, record_count: int) -> "asyncio.Future[Any]":
        sent: asyncio.Future[Any] = await self._producer.send_batch(
            TxnBatch(batch, record_count), topic, partition=self._partition
        )
        # Where one cannot even be sent, nobody waits for those before it any more; asyncio wants their failures looked at.
        sent.add_done_callback(lambda done: done.cancelled() or done.exception())
        return sent

    async def close(self, timeout_s: float) -> None:
        """Disconnect. What is not committed by then never counts."""
        await stop_producer(self._producer, timeout_s)


def _parts(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    """Yield the records in parts that fit into a batch each."""
    first, size_bytes = 0, 0
    for number, (_, _, key, value) in enumerate(records):
        record_bytes = _RECORD_OVERHEAD_BYTES + len(key or b"") + len(value or b"")
        if size_bytes + record_bytes > BATCH_BYTES and number > first:
            yield records[first:number]
            first, size_bytes = number, 0
        size_bytes += record_bytes
    yield records[first:]
