"""An aiokafka consumer that hands over whole record batches as bytes instead of an object for each record.

Positions, the consumer group, commit, pause and seek are aiokafka's own; so is the decision which kafka_txns count. Some of
aiokafka's methods run here with classes of ours in place of the ones they name (``with_names``): see decision 0050, and
``tests/kafka/test_aiokafka_contract.py``, which fails when an aiokafka release has moved what this relies on.
"""

import asyncio
import struct
from collections.abc import Iterator
from types import FunctionType
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.fetcher import READ_COMMITTED, Fetcher, PartitionRecords
from aiokafka.errors import OffsetOutOfRangeError
from aiokafka.record.default_records import DefaultRecordBatch

from ledger.errors import PositionLost
from streams import transport
from streams.blocks import Block

# base_offset, length, magic, attributes, last_offset_delta, producer_id of a record batch v2
BATCH_HEADER = struct.Struct(">qi4xb4xhi16xq")
BATCH_OVERHEAD_BYTES = 12
TRANSACTIONAL, CONTROL = 0x10, 0x20

MEBIBYTE = 1024 * 1024
DEFAULTS: dict[str, Any] = {
    # Positions are the ledger's own: nothing is committed unasked, and a position that is gone is an error, not a jump.
    "enable_auto_commit": False,
    "auto_offset_reset": "none",
    "isolation_level": "read_committed",
    "fetch_max_bytes": 16 * MEBIBYTE,
    "max_partition_fetch_bytes": 8 * MEBIBYTE,
}


class BatchRun(NamedTuple):
    """Record batches that follow one another in a response, and the positions before and after them."""

    data: memoryview
    first_offset: int
    next_offset: int


class BatchPlace(NamedTuple):
    """Where a record batch lies in a response, and what its header says."""

    start: int
    end: int
    attributes: int
    base_offset: int
    next_offset: int
    producer_id: int


class RecordSet:
    """The record batches of one partition in a response: in the place of aiokafka's MemoryRecords."""

    def __init__(self, data: bytes | memoryview) -> None:
        self.data = memoryview(data)

    def has_next(self) -> bool:
        return len(self.data) > 0

    def size_in_bytes(self) -> int:
        return len(self.data)

    def batches(self) -> Iterator[BatchPlace]:
        """Yield each whole batch. A response may end in the midst of one, which the next response begins with.

        Headers are believed here, unchecked: the core verifies each batch before it applies it. What cannot be a header is
        yielded with all that follows, so that the core can say what is wrong with it.
        """
        data, start = self.data, 0
        while start + BATCH_HEADER.size <= len(data):
            base_offset, length, magic, attributes, last_offset_delta, producer_id = BATCH_HEADER.unpack_from(data, start)
            end = start + BATCH_OVERHEAD_BYTES + length
            if length < BATCH_HEADER.size - BATCH_OVERHEAD_BYTES or magic != 2:
                end, attributes, last_offset_delta = len(data), 0, 0
            elif end > len(data):
                break
            yield BatchPlace(start, end, attributes, base_offset, base_offset + last_offset_delta + 1, producer_id)
            start = end


class BlockRecords(PartitionRecords):  # type: ignore[misc]  # aiokafka has no types
    """Yields runs of batches where aiokafka's PartitionRecords yields records."""

    next_fetch_offset: int

    def _unpack_records(self) -> Iterator[BatchRun]:
        data = self._records.data
        run_start = run_end = 0
        first_offset = self.next_fetch_offset
        for batch in self._records.batches():
            left_out = self._is_left_out(batch)
            if not left_out and run_end < batch.start:
                if run_start < run_end:
                    yield BatchRun(data[run_start:run_end], first_offset, self.next_fetch_offset)
                    first_offset = self.next_fetch_offset
                run_start = batch.start
            if not left_out:
                run_end = batch.end
            # Positions move past what is left out and over gaps, so a run ends where the next one begins.
            self.next_fetch_offset = max(self.next_fetch_offset, batch.next_offset)
        if run_start < run_end:
            yield BatchRun(data[run_start:run_end], first_offset, self.next_fetch_offset)

    def _is_left_out(self, batch: BatchPlace) -> bool:
        """Whether a batch is a control batch or of an aborted kafka_txn; the bookkeeping is the parent's."""
        if not batch.attributes & (TRANSACTIONAL | CONTROL):
            return False
        is_control = bool(batch.attributes & CONTROL)
        if self._isolation_level == READ_COMMITTED:
            self._consume_aborted_up_to(batch.base_offset)
            if is_control and self._contains_abort_marker(
                DefaultRecordBatch(self._records.data[batch.start : batch.end].tobytes())
            ):
                self._aborted_producers.discard(batch.producer_id)
            if batch.producer_id in self._aborted_producers:
                return True
        return is_control


def with_names(function: Any, **replacements: Any) -> Any:
    """The same function, but it finds ``replacements`` where it names those globals of its module."""
    missing = replacements.keys() - set(function.__code__.co_names)
    if missing:
        raise ImportError(f"aiokafka has changed: {function.__qualname__} no longer uses {', '.join(sorted(missing))}")
    names = {**function.__globals__, **replacements}
    changed = FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)
    changed.__kwdefaults__ = function.__kwdefaults__
    return changed


class BlockFetcher(Fetcher):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka's fetcher over whole batches."""

    _pending_tasks: set[asyncio.Task[bool]]
    _proc_fetch_request = with_names(Fetcher._proc_fetch_request, MemoryRecords=RecordSet, PartitionRecords=BlockRecords)

    def __init__(self, *args: Any, **settings: Any) -> None:
        # One partition's unread records shall not hold up the fetching of the others.
        super().__init__(*args, prefetch_backoff=0, **settings)

    async def close(self) -> None:
        """End as aiokafka does, but also while a broker is gone: it lets the cancellation of a waiting request escape."""
        # Another set, not the same emptied: aiokafka may be in a loop over it, which awaits each.
        pending = self._pending_tasks
        self._pending_tasks: set[asyncio.Task[Any]] = set()
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        await super().close()


class BlockClient(AIOKafkaClient):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka's client over our transport."""

    _get_conn = with_names(AIOKafkaClient._get_conn, create_conn=transport.connect)


class BlockConsumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
    """An AIOKafkaConsumer whose ``getmany`` returns Blocks. Settings are AIOKafkaConsumer's, with ``DEFAULTS`` for a ledger.

    The CRC of a batch is not verified here: the core does that, and inflates compressed batches.
    """

    _initialize = with_names(AIOKafkaConsumer.__init__, AIOKafkaClient=BlockClient)
    start = with_names(AIOKafkaConsumer.start, Fetcher=BlockFetcher)

    def __init__(self, *topics: str, **settings: Any) -> None:
        self._initialize(*topics, **{**DEFAULTS, **settings})

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> dict[TopicPartition, list[Block]]:
        """Blocks by partition; waits ``timeout_ms`` for the first. ``max_records`` counts blocks.

        Raises PositionLost if the broker no longer, or not yet, has the records at a partition's position.
        """
        try:
            fetched = await super().getmany(*partitions, timeout_ms=timeout_ms, max_records=max_records)
        except OffsetOutOfRangeError as error:
            raise await self._position_lost(error.args[0]) from error
        return {partition: [self._block(partition, run) for run in runs] for partition, runs in fetched.items()}

    def _block(self, partition: TopicPartition, run: BatchRun) -> Block:
        return Block(partition.topic, partition.partition, *run, high_watermark=self.highwater(partition))

    async def _position_lost(self, positions: dict[TopicPartition, int]) -> PositionLost:
        ((partition, next_offset),) = positions.items()
        first = (await self.beginning_offsets([partition]))[partition]
        end = (await self.end_offsets([partition]))[partition]
        where = f"{partition.topic}/{partition.partition}"
        if next_offset < first:
            message = f"Records of {where} were deleted before they were read"
            hint = "Restore them, or go on without them by accepting lost records; the ledger keeps what it has"
        else:
            message = f"{where} ends before the ledger's position: it is not the topic that this ledger was made from"
            hint = "Point the ledger at the topic that it was made from, or start an empty ledger for this one"
        return PositionLost(message, hint=hint, next_offset=next_offset, first_offset=first, end_offset=end)
