"""Tells the channels what became of their events: from frames of the journal to the outcomes topic, in whole batches.

How far that went stands in the shard's file ``outcomes.position``, replaced when the topic has acknowledged. A publisher that is
killed goes on from there: nothing is lost, the last frames may be told twice, and the same ``offset`` tells so.
"""

import asyncio
import json
import os
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

from ledger._core import JournalReader, OutcomeRenderer
from ledger.channels import BUILT_IN_CHANNELS, Channel
from ledger.errors import PeakledgerError
from streams.sinks import BatchSink

POSITION_FILE = "outcomes.position"
ROUND_BYTES = 8 << 20
TIMEOUT_S = 120.0

Batches = list[tuple[bytearray, int]]


class OutcomeLevel(StrEnum):
    """Which outcomes are published."""

    all = "all"
    refused = "refused"
    none = "none"


class OutcomePublisher:
    """Publishes one shard's outcomes to its own partition of the outcomes topic. ``sink`` is started by the caller."""

    def __init__(
        self,
        directory: Path | str,
        sink: BatchSink,
        partition: int,
        *,
        channels: Iterable[Channel] = BUILT_IN_CHANNELS,
        level: OutcomeLevel = OutcomeLevel.all,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        if partition >= sink.partition_count:
            raise PeakledgerError(
                f"Topic {sink.topic} has too few partitions for the outcomes of partition {partition}",
                hint="Give it as many as the topic of the events has",
                partition_count=sink.partition_count,
            )
        self._position_file = Path(directory) / POSITION_FILE
        self._sink = sink
        self._partition = partition
        self._level = level
        self._timeout_s = timeout_s
        self._renderer = OutcomeRenderer(channels, refused_only=level is OutcomeLevel.refused)
        self._reader = JournalReader(Path(directory) / "journal", follow=True)
        self.next_frame = read_position(self._position_file)
        if self.next_frame > 1:
            self._reader.seek_frame(self.next_frame)

    async def publish_up_to(self, durable_frame: int) -> None:
        """Publish the outcomes of all frames up to one that is durable; return when they are acknowledged and that is noted.

        Raises PublishFailed, and what reading the journal raises.
        """
        while self._level is not OutcomeLevel.none and self.next_frame <= durable_frame:
            batches, next_frame = await asyncio.to_thread(self._render, durable_frame)
            for batch, record_count in batches:
                await self._sink.send(self._partition, batch, record_count)
            await self._sink.flush(self._timeout_s)
            await asyncio.to_thread(write_position, self._position_file, next_frame)
            self.next_frame = next_frame

    def _render(self, durable_frame: int) -> tuple[Batches, int]:
        """Return the batches of the next frames, a round at most, and the number of the frame behind them."""
        batches: Batches = []
        next_frame = self.next_frame
        self._reader.up_to_frame = durable_frame
        while sum(len(batch) for batch, _ in batches) < ROUND_BYTES and (frame := self._reader.next_frame()) is not None:
            batches += self._renderer.add_frame(frame)
            next_frame = frame.frame_number + 1
        return batches + self._renderer.take(), next_frame


def read_position(path: Path) -> int:
    """Return the number of the first frame whose outcomes were not acknowledged; 1 where nothing was published."""
    try:
        return int(json.loads(path.read_bytes())["next_frame"])
    except FileNotFoundError:
        return 1
    except (ValueError, KeyError, TypeError) as error:
        raise PeakledgerError(f"{path} is damaged", hint="Delete it to publish all outcomes again") from error


def write_position(path: Path, next_frame: int) -> None:
    """Replace the position, so that a reader sees the old one or the new one whole."""
    draft = path.with_suffix(".draft")
    with draft.open("wb") as file:
        file.write(json.dumps({"next_frame": next_frame}).encode())
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
