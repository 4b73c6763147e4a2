"""Publishes what a shard's journal tells to one partition of a topic: frames rendered by the core, in order, in whole batches.

How far that went stands in a file of the shard (``streams.positions``). A publisher that is killed goes on from there: nothing is
lost, and the last frames may be told twice. A topic that the file does not name is told everything from the first frame on.
"""

import asyncio
import logging
from pathlib import Path

from ledger._core import BatchRenderer, JournalReader
from ledger.errors import PeakledgerError
from streams.positions import Position, read_position, write_position
from streams.sinks import BatchSink

log = logging.getLogger(__name__)

ROUND_BYTES = 8 << 20
ROUND_FRAMES = 1000
TIMEOUT_S = 120.0

Batches = list[tuple[bytearray, int]]


class JournalPublisher:
    """Publishes what ``renderer`` makes of the frames. ``sink`` is started by the caller; it is the one for ``partition``."""

    def __init__(
        self,
        directory: Path | str,
        sink: BatchSink,
        partition: int,
        renderer: BatchRenderer,
        *,
        position_file: str,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """``position_file`` is the name of a file in ``directory``. Raises PeakledgerError where there is no such partition."""
        if partition >= sink.partition_count:
            raise PeakledgerError(
                f"Topic {sink.topic} has too few partitions for what is told of partition {partition}",
                hint="Give it as many as the topic of the events has",
                partition_count=sink.partition_count,
            )
        self._position_file = Path(directory) / position_file
        self._sink = sink
        self._partition = partition
        self._timeout_s = timeout_s
        self._renderer = renderer
        self._reader = JournalReader(Path(directory) / "journal", follow=True)
        self.next_frame = self._first_frame()
        if self.next_frame > 1:
            self._reader.seek_frame(self.next_frame)

    def _first_frame(self) -> int:
        """Return the number of the frame to begin with."""
        position = read_position(self._position_file)
        if position.topic in {self._sink.topic, ""}:
            return position.next_frame
        log.warning("%s tells of %s: %s is told everything", self._position_file, position.topic, self._sink.topic)
        return 1

    async def publish_up_to(self, durable_frame: int) -> None:
        """Publish frames up to one that is durable; return when they are acknowledged and that is noted.

        Raises PublishFailed, and what reading the journal raises.
        """
        while self.next_frame <= durable_frame:
            batches, next_frame = await asyncio.to_thread(self._render, durable_frame)
            if next_frame == self.next_frame:
                break
            for batch, record_count in batches:
                await self._sink.send(self._partition, batch, record_count)
            await self._sink.flush(self._timeout_s)
            await asyncio.to_thread(write_position, self._position_file, Position(next_frame, self._sink.topic))
            self.next_frame = next_frame

    def _render(self, last_frame: int) -> tuple[Batches, int]:
        """Return the batches of the next frames, a round at most, and the number of the frame behind them."""
        batches: Batches = []
        next_frame = self.next_frame
        end_frame = min(next_frame + ROUND_FRAMES, last_frame + 1)
        self._reader.up_to_frame = last_frame
        while next_frame < end_frame and sum(len(batch) for batch, _ in batches) < ROUND_BYTES:
            frame = self._reader.next_frame()
            if frame is None:
                break
            batches += self._renderer.add_frame(frame)
            next_frame = frame.frame_number + 1
        return batches + self._renderer.take(), next_frame
