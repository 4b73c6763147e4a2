"""Where a shard's blocks come from: one partition of a Kafka topic, or of an embedded stream. Both look the same to the shard."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from streams.blocks import Block
from streams.consumer import BlockConsumer
from streams.embedded import EmbeddedStream

log = logging.getLogger(__name__)

WAIT_MS = 250
COMMIT_TIMEOUT_S = 3.0


class Source(Protocol):
    """One partition, read from a position on."""

    topic: str
    partition: int

    @property
    def waiting(self) -> int:
        """Records that are yet to come into the partition from elsewhere, as far as is known."""

    async def seek(self, offset: int) -> None:
        """Set the position."""

    async def read(self) -> list[Block]:
        """Return what comes next, waiting a little for it; nothing if there is none. Raises PositionLost."""

    async def position(self) -> int:
        """Return the position after all that was read."""

    async def end_offset(self) -> int:
        """Return the position after the last record that there is."""

    async def reached(self, end_offset: int) -> bool:
        """Return whether all is read that was there when ``end_offset`` was asked for."""

    async def commit(self, offset: int) -> None:
        """Tell whoever watches the lag how far the ledger is durable. The ledger itself never asks for this."""

    async def close(self) -> None:
        """Let everything go that belongs to this partition alone."""


class KafkaSource:
    """A partition that a consumer is assigned to. While one block is applied, aiokafka already fetches the next response."""

    def __init__(self, consumer: BlockConsumer, topic: str, partition: int) -> None:
        self.topic, self.partition = topic, partition
        self._consumer, self._of = consumer, TopicPartition(topic, partition)

    @property
    def waiting(self) -> int:
        return 0

    async def seek(self, offset: int) -> None:
        self._consumer.seek(self._of, offset)

    async def read(self) -> list[Block]:
        return (await self._consumer.getmany(self._of, timeout_ms=WAIT_MS)).get(self._of, [])

    async def position(self) -> int:
        return int(await self._consumer.position(self._of))

    async def end_offset(self) -> int:
        return int((await self._consumer.end_offsets([self._of]))[self._of])

    async def reached(self, end_offset: int) -> bool:
        return await self.position() >= end_offset

    async def commit(self, offset: int) -> None:
        try:
            # aiokafka tries for as long as there is no coordinator.
            async with asyncio.timeout(COMMIT_TIMEOUT_S):
                await self._consumer.commit({self._of: offset})
        except (KafkaError, TimeoutError) as error:
            reason = type(error).__name__
            log.warning("%s/%d: offset %d was not committed to the group: %s", self.topic, self.partition, offset, reason)

    async def close(self) -> None:
        """The consumer belongs to all its partitions; nothing is closed."""


class EmbeddedSource:
    """A partition of an embedded stream, read on a thread of its own."""

    waiting = 0

    def __init__(self, directory: Path, topic: str, partition: int) -> None:
        self.topic, self.partition = topic, partition
        self._stream = EmbeddedStream(directory)
        self._thread = ThreadPoolExecutor(1, f"read-{topic}-{partition}")
        self._position = 0
        self._ahead: asyncio.Future[Block | None] | None = None

    async def seek(self, offset: int) -> None:
        self._position, self._ahead = offset, None

    async def read(self) -> list[Block]:
        block = await (self._ahead or self._read_from(self._position))
        self._ahead = None
        if block is None:
            return []
        # Reading goes on while this block is applied, one block ahead.
        self._position = block.next_offset
        self._ahead = self._read_from(self._position)
        return [block]

    def _read_from(self, offset: int) -> asyncio.Future[Block | None]:
        wait = self._stream.wait
        return asyncio.get_running_loop().run_in_executor(self._thread, wait, self.topic, self.partition, offset, WAIT_MS / 1000)

    async def position(self) -> int:
        return self._position

    async def end_offset(self) -> int:
        end_offset = self._stream.end_offset
        return await asyncio.get_running_loop().run_in_executor(self._thread, end_offset, self.topic, self.partition)

    async def reached(self, end_offset: int) -> bool:
        return self._position >= end_offset

    async def commit(self, offset: int) -> None:
        """Nobody watches the lag of an embedded stream from outside."""

    async def close(self) -> None:
        if self._ahead:
            await asyncio.gather(self._ahead, return_exceptions=True)
        await asyncio.get_running_loop().run_in_executor(self._thread, self._stream.close)
        self._thread.shutdown()
