"""Releases what waits in the inlets of a partition into the topic of events, no faster than its engine applies it.

An interactive event so waits behind few batch events, however many there are. ``streams.merging`` has the order; here it is seen
to that the merge knows what was published before the records that it lets go.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from aiokafka import TopicPartition

from streams.blocks import Block
from streams.connections import connection_settings
from streams.consumer import BlockConsumer
from streams.inlets import Inlet, Inlets, KafkaInlets
from streams.kafka_txns import KafkaTxns
from streams.merging import Merge, Record, Released
from streams.release_position import ReleasePosition, write_release_position
from streams.sources import KafkaSource
from streams.stopping import end_task

RECORDS_AT_ONCE = 10_000
_PAUSE_S = 0.01
_TELL_INTERVAL_S = 1.0
_CLOSE_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class ReleaseRules:
    """``ahead``: batch records that may lie between an engine and the end of its partition. ``window``: records of an inlet that
    are read ahead and kept in memory; beyond them an interactive record waits its turn by time.
    """

    ahead: int = 20_000
    window: int = 500_000


class ReleaseWriter(Protocol):
    """What takes released records, all of them or none, together with how far the inlets are released."""

    async def write(self, records: list[Record], released: Released) -> int:
        """Return the position behind the records in the topic of events."""


class Release:
    """Moves records from the inlets of one partition to the events, each once."""

    def __init__(self, inlets: Inlets, writer: ReleaseWriter, released: Released, rules: ReleaseRules) -> None:
        self.released = released
        self.end_offset = 0
        self.ends = {Inlet.interactive: released.interactive_next, Inlet.batch: released.batch_next}
        self._inlets, self._writer, self._rules = inlets, writer, rules
        self._merge = Merge(released)

    @property
    def interactive_waiting(self) -> int:
        """Interactive records that are not released, of those that were there when the inlet's end was last asked for."""
        return max(0, self.ends[Inlet.interactive] - self.released.interactive_next)

    @property
    def batch_waiting(self) -> int:
        """The same of batch records."""
        return max(0, self.ends[Inlet.batch] - self.released.batch_next - len(self._merge.batch.lifted))

    async def move(self, room: int) -> int:
        """Release what may go now, with ``room`` for batch records in their turn. Returns how many records went.

        Whatever was published before a record that goes is known to the merge: a batch record goes in its turn only when the
        interactive inlet was then read to an end asked for after the record was there, and the other way round.
        """
        if not self._merge.interactive_waiting and not len(self._merge.batch):
            self.released = self._merge.released
            return 0
        batch_before = self._merge.batch.read_to
        is_interactive_whole = await self._read_to_end(Inlet.interactive)
        is_batch_whole = await self._read_to_end(Inlet.batch)
        records = self._merge.take(
            at_most=RECORDS_AT_ONCE,
            room=max(0, room),
            batch_before=batch_before if is_interactive_whole else 0,
            is_batch_whole=is_batch_whole,
        )
        if records:
            released = self._merge.released
            self.end_offset = await self._writer.write(records, released)
            self.released = released
        return len(records)

    async def wait(self) -> None:
        """Return when there may be something to move."""
        if self._merge.interactive_waiting < self._rules.window:
            await self._read(Inlet.interactive, _PAUSE_S)
        else:
            await asyncio.sleep(_PAUSE_S)
        if len(self._merge.batch) < self._rules.window:
            await self._read(Inlet.batch, 0)

    async def _read_to_end(self, inlet: Inlet) -> bool:
        """Read an inlet to what is its end now; False where the window is full before."""
        self.ends[inlet] = end = await self._inlets.end_offset(inlet)
        while self._read_to(inlet) < end:
            if self._count(inlet) >= self._rules.window:
                return False
            await self._read(inlet, _PAUSE_S)
        return True

    async def _read(self, inlet: Inlet, timeout_s: float) -> None:
        records, read_to = await self._inlets.read(inlet, timeout_s)
        add = self._merge.add_interactive if inlet is Inlet.interactive else self._merge.batch.add
        add(records, read_to)

    def _read_to(self, inlet: Inlet) -> int:
        return self._merge.interactive_read_to if inlet is Inlet.interactive else self._merge.batch.read_to

    def _count(self, inlet: Inlet) -> int:
        return self._merge.interactive_waiting if inlet is Inlet.interactive else len(self._merge.batch)


class ReleasedSource(KafkaSource):
    """A partition of the events whose inlets are released while it is read."""

    def __init__(
        self, consumer: BlockConsumer, topic: str, partition: int, rules: ReleaseRules, directory: Path, **settings: Any
    ) -> None:
        """``directory`` is the shard's, where it stands what waits; ``settings`` are the consumer's, of which those of the
        connection hold for the release as well.
        """
        super().__init__(consumer, topic, partition)
        connection = connection_settings(settings)
        self._rules, self._directory = rules, directory
        self._inlets = KafkaInlets(topic, partition, **connection)
        self._writer = KafkaTxns(topic, partition, **connection)
        self._release: Release | None = None
        self._running: asyncio.Task[None] | None = None
        self._applied = 0
        self._ends_at_start: Mapping[Inlet, int] = {}

    @property
    def waiting(self) -> int:
        return self._release.interactive_waiting + self._release.batch_waiting if self._release else 0

    async def seek(self, offset: int) -> None:
        await super().seek(offset)
        self._applied = offset
        if self._running is None:
            # The writer first: once it has started, no other one can change how far the inlets are released.
            await self._writer.start()
            self._release = Release(self._inlets, self._writer, await self._inlets.start(), self._rules)
            self._running = asyncio.ensure_future(self._run(self._release))

    async def read(self) -> list[Block]:
        # The shard asks for more when it has applied what it got.
        self._applied = await self.position()
        if self._running and self._running.done():
            self._running.result()
        return await super().read()

    async def end_offset(self) -> int:
        self._ends_at_start = {inlet: await self._inlets.end_offset(inlet) for inlet in Inlet}
        return await super().end_offset()

    async def reached(self, end_offset: int) -> bool:
        assert self._release
        released, ends = self._release.released, self._ends_at_start
        if released.interactive_next < ends[Inlet.interactive] or released.batch_next < ends[Inlet.batch]:
            return False
        return await super().reached(max(end_offset, self._release.end_offset))

    async def close(self) -> None:
        timeout_s = _CLOSE_TIMEOUT_S
        if self._running:
            self._running.cancel()
            # It waits for the end of a kafka_txn. Where Kafka does not tell it of that in time, nothing more can be waited for.
            _, late = await asyncio.wait([self._running], timeout=timeout_s)
            timeout_s = 0 if late else timeout_s
        if self._release:
            self._tell(self._release)
        await self._writer.close(timeout_s)
        if self._running:
            await end_task(self._running)
        await self._inlets.close(timeout_s)

    async def _run(self, release: Release) -> None:
        tell_at = 0.0
        while True:
            if time.monotonic() >= tell_at:
                tell_at = time.monotonic() + _TELL_INTERVAL_S
                self._tell(release)
            if not await release.move(self._rules.ahead - self._lag(release)):
                await release.wait()

    def _tell(self, release: Release) -> None:
        time_ms = time.time_ns() // 1_000_000
        position = ReleasePosition(release.interactive_waiting, release.batch_waiting, time_ms)
        write_release_position(self._directory, position)

    def _lag(self, release: Release) -> int:
        """Return how many records lie between the engine and the end of the events; before that is known, too many for more."""
        highwater: int | None = self._consumer.highwater(TopicPartition(self.topic, self.partition))
        if highwater is None:
            return self._rules.ahead
        return max(release.end_offset, highwater) - self._applied
