"""Tells the channels what became of their events: from frames of the journal to the outcomes topic."""

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

from ledger._core import OutcomeRenderer
from ledger.channels import BUILT_IN_CHANNELS, Channel
from streams.journal_publisher import TIMEOUT_S, JournalPublisher
from streams.positions import OUTCOMES_FILE
from streams.sinks import BatchSink


class OutcomeLevel(StrEnum):
    """Which outcomes are published."""

    all = "all"
    refused = "refused"
    none = "none"


class OutcomePublisher(JournalPublisher):
    """Publishes one shard's outcomes. One that comes twice has the same ``offset``."""

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
        renderer = OutcomeRenderer(channels, refused_only=level is OutcomeLevel.refused)
        super().__init__(directory, sink, partition, renderer, position_file=OUTCOMES_FILE, timeout_s=timeout_s)
        self._level = level

    async def publish_up_to(self, durable_frame: int) -> None:
        if self._level is not OutcomeLevel.none:
            await super().publish_up_to(durable_frame)
