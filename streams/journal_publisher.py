"""Publishes what a shard's journal tells to one partition of a topic: frames rendered by the core, in order, in whole batches.

How far that went stands in a file of the shard (``streams.positions``). A publisher that is killed goes on from there: nothing is
lost, and the last frames may be told twice. A topic that the file does not name is told everything from the first frame on.
Where the journal lost a frame that was told, its records come again in other frames, with the same entries: what is behind the
last entry that was told is told, whatever the frames, and what shares a frame with that once more.
"""

import asyncio
import logging
from pathlib import Path

from ledger._core import BatchRenderer, JournalReader
from ledger.errors import ConfigurationError
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
        """``position_file`` names a file in ``directory``. Raises ConfigurationError where there is no such partition."""
        if partition >= sink.partition_count:
            raise ConfigurationError(
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
        self.next_frame = self._seek_first_frame()

    def _seek_first_frame(self) -> int:
        """Go to the frame to begin with, and return its number."""
        told, file, topic = read_position(self._position_file), self._position_file, self._sink.topic
        if told.topic not in {topic, ""}:
            log.warning("%s tells of %s: %s is told everything", file, told.topic, topic)
            return 1
        if self._reader.seek_behind(told.next_frame - 1, told.frame_crc32c):
            return told.next_frame
        if told.seq:
            self._reader.seek_seq(told.seq)
        else:
            self._reader.seek_frame(1)
        first = self._reader.position[2]
        log.warning(
            "%s: %s was told frames up to %d, seq %d, and the journal does not have that frame so: told again from frame %d on",
            file,
            topic,
            told.next_frame - 1,
            told.seq,
            first,
        )
        return first

    async def publish_up_to(self, durable_frame: int) -> None:
        """Publish frames up to one that is durable; return when they are acknowledged and that is noted.

        Raises PublishFailed, and what reading the journal raises.
        """
        while self.next_frame <= durable_frame:
            batches, position = await asyncio.to_thread(self._render, durable_frame)
            if position.next_frame == self.next_frame:
                break
            for batch, record_count in batches:
                await self._sink.send(self._partition, batch, record_count)
            await self._sink.flush(self._timeout_s)
            await asyncio.to_thread(write_position, self._position_file, position)
            self.next_frame = position.next_frame

    def _render(self, last_frame: int) -> tuple[Batches, Position]:
        """Return the batches of the next frames, a round at most, and the position behind them."""
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
        seq = self._reader.position[3] - 1
        return batches + self._renderer.take(), Position(next_frame, self._sink.topic, seq, self._reader.last_crc32c)
