"""Tells what the ledger changed: each entry to a topic of entries, each balance that moved to a compacted topic of balances.

Both are rendered from frames of the journal together with the balances in LMDB, so only as far as the balances are. Every record
carries the ``seq`` that it is of, and by that a reader drops what comes twice. docs/events-out.md is for those readers.
"""

from collections.abc import Iterable
from pathlib import Path

from ledger._core import BalanceRenderer, ChangeRenderer, EntryRenderer
from ledger.channels import BUILT_IN_CHANNELS, Channel
from ledger.projections.balances import BalanceReader, watermark_of
from streams.journal_publisher import TIMEOUT_S, Batches, JournalPublisher
from streams.positions import BALANCES_FILE, ENTRIES_FILE, Position
from streams.sinks import BatchSink


class ChangePublisher(JournalPublisher):
    """Publishes what a renderer makes of frames and balances. The balances in ``directory`` must exist."""

    def __init__(
        self,
        directory: Path | str,
        sink: BatchSink,
        partition: int,
        renderer: ChangeRenderer,
        *,
        position_file: str,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        super().__init__(directory, sink, partition, renderer, position_file=position_file, timeout_s=timeout_s)
        self._changes = renderer
        self._balances = BalanceReader(directory)

    def _render(self, last_frame: int) -> tuple[Batches, Position]:
        view = self._balances.view
        self._changes.read_from(view)
        return super()._render(min(last_frame, watermark_of(view).frame))


class EntryPublisher(ChangePublisher):
    """Publishes one shard's entries, in the order of ``seq``."""

    def __init__(
        self,
        directory: Path | str,
        sink: BatchSink,
        partition: int,
        *,
        channels: Iterable[Channel] = BUILT_IN_CHANNELS,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        renderer = EntryRenderer(channels)
        super().__init__(directory, sink, partition, renderer, position_file=ENTRIES_FILE, timeout_s=timeout_s)


class BalancePublisher(ChangePublisher):
    """Publishes the balances of one shard's accounts as they change, in the order of ``seq``."""

    def __init__(self, directory: Path | str, sink: BatchSink, partition: int, *, timeout_s: float = TIMEOUT_S) -> None:
        renderer = BalanceRenderer(())
        super().__init__(directory, sink, partition, renderer, position_file=BALANCES_FILE, timeout_s=timeout_s)
