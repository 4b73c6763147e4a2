"""The Python face of the core: open a shard's ledger, apply blocks of events to it, close it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from ledger import _core
from ledger.channels import BUILT_IN_CHANNELS, Channel
from ledger.errors import (
    BalancesBehind,
    ConfigurationError,
    FormatVersionMismatch,
    JournalDamaged,
    LedgerNotFound,
    ProjectionDamaged,
)
from ledger.event_fields import format_date
from ledger.journal import (
    DEFAULT_RING,
    DEFAULT_SEGMENT_BYTES,
    FrameHeader,
    Journal,
    RingShape,
    SegmentHeader,
    open_journal,
    read_parameters,
    seq_at,
)
from ledger.key_checkpoint import (
    KeyCheckpointer,
    KeyWatermarks,
    complete_directory,
    key_directory,
    load_key_files,
    read_watermarks,
)
from ledger.layouts import BALANCE_META
from ledger.parameters import LedgerParameters
from ledger.projections.balances import BalanceReader
from ledger.projections.rebuild import replayed_projector

_CHECKPOINT_ENTRIES = 32_000_000
_SECONDS_AT_END = 60


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """Where an engine stands. ``records_consumed`` = applied + existing + refused, always."""

    next_offset: int
    ledger_time_ms: int
    applied_seq: int
    durable_seq: int
    projected_seq: int
    records_consumed: int
    events_applied: int
    events_existing: int
    events_refused: int
    journal_bytes: int
    accounts: int
    balances_lack_room: bool


class Engine:
    """One shard's ledger, open for writing. Only one process at a time can have it open.

    ``apply`` and ``quarantine_batch`` are for one thread; everything else may be called from any.
    """

    def __init__(
        self,
        journal: Journal,
        posting: _core.Posting,
        projector: _core.Projector,
        keys: KeyCheckpointer,
        checkpoint_seq: int,
    ) -> None:
        """Use ``Engine.open``. ``checkpoint_seq``: what key tables on disk hold."""
        self._journal = journal
        self._writer = journal.writer
        self._posting = posting
        self._projector = projector
        self._keys = keys
        self._checkpoint_seq = checkpoint_seq
        self.directory = journal.directory
        self.torn_tail = journal.torn_tail

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        source: str = "events/0",
        parameters: LedgerParameters | None = None,
        channels: Iterable[Channel] = BUILT_IN_CHANNELS,
        takeover_after_s: float | None = None,
        progress: Callable[[int], None] | None = None,
        segment_bytes: int = DEFAULT_SEGMENT_BYTES,
        ring: RingShape = DEFAULT_RING,
        key_memory_bytes: int = 0,
    ) -> Engine:
        """Open the ledger in ``directory``, made where there is none, and bring it to the end of its journal.

        ``source`` is "topic/partition"; ``parameters`` are those that the ledger was or is to be made with, None any.
        ``takeover_after_s``: how long to wait for another writer before taking the ledger from it; None refuses at once.
        ``progress(byte_count)`` is told of each frame that is applied again. ``key_memory_bytes`` of memory for idempotency keys
        are kept ready ahead of need; a key takes some 75. Raises LedgerLocked, SourceMismatch, ConfigurationError (other
        parameters), FormatVersionMismatch, JournalDamaged, KeyTableDamaged.
        """
        if parameters:
            _check_parameters(directory, parameters)
        journal = open_journal(
            directory,
            source=source,
            parameters=parameters,
            takeover_after_s=takeover_after_s,
            segment_bytes=segment_bytes,
            ring=ring,
            check_end=lambda segment, last_frame: _check_end(directory, segment, last_frame),
        )
        try:
            return cls._recover(journal, tuple(channels), progress, key_memory_bytes)
        except BaseException:
            journal.close()
            raise

    @classmethod
    def _recover(
        cls, journal: Journal, channels: tuple[Channel, ...], progress: Callable[[int], None] | None, key_memory_bytes: int
    ) -> Engine:
        ledger_id, parameters, last = journal.segment.ledger_id, journal.segment.parameters, journal.last_frame
        posting = _core.Posting(
            journal.writer,
            journal.segment.hash_seed,
            channels,
            utc_offset_minutes=parameters.utc_offset_minutes,
            close_after_days=parameters.close_after_days,
            future_days=parameters.future_days,
            key_memory_bytes=key_memory_bytes,
        )
        with ThreadPoolExecutor(1, "recovery") as beside:
            projector_when_ready, accounts_seq, accounts_frame = _load_accounts(journal, posting, beside)
            key_files = posting.key_files(ledger_id)
            keys_directory = key_directory(journal.directory / "keys", journal.ownership.epoch)
            watermarks = load_key_files(key_files, keys_directory)
            reader = journal.reader(follow=False)
            reader.seek_frame(min(accounts_frame, watermarks.keys_frame, watermarks.state_frame) + 1)
            replay = _core.Replay(posting, accounts_seq, watermarks.keys_seq, watermarks.keys_frame, watermarks.state_seq)
            replay.run(reader, progress)
            projector = projector_when_ready()
        if last:
            posting.resume(last)
            _forget_reversals(posting, journal, last.last_seq)
        keys = KeyCheckpointer(key_files, keys_directory, journal.writer.wait_durable)
        projector.start(journal.writer)
        return cls(journal, posting, projector, keys, min(watermarks.keys_seq, watermarks.state_seq))

    @property
    def next_offset(self) -> int:
        """The Kafka offset to go on from."""
        return self._posting.next_offset

    @property
    def ledger_time_ms(self) -> int:
        return self._posting.ledger_time_ms

    @property
    def applied_seq(self) -> int:
        """The last entry made, durable or not."""
        return self._posting.last_seq

    @property
    def durable_seq(self) -> int:
        return self._writer.durable_seq

    @property
    def durable_frame(self) -> int:
        return self._writer.durable_frame

    @property
    def projected_seq(self) -> int:
        """The watermark of the balances in LMDB."""
        return self._projector.projected_seq

    @property
    def epoch(self) -> int:
        return self._journal.ownership.epoch

    def durable_frames(self) -> _core.DurableFrames:
        """Return what gives the frames of this engine as they become durable, for a projection that follows it in a thread."""
        return _core.DurableFrames(self._writer, self.directory / "journal")

    def apply(self, batches: bytes | bytearray | memoryview, next_offset: int) -> None:
        """Apply whole, uncompressed record batches from ``self.next_offset`` on; then stand at ``next_offset``.

        Returns once everything is on its way to the disk, not yet on it. Raises CorruptBatch with everything before the damaged
        batch applied; JournalWriteFailed, Fenced, KeyTableDamaged, MemoryError, after which the engine applies no more.
        """
        try:
            self._posting.apply(batches, next_offset)
        finally:
            self._checkpoint_step()

    def quarantine_batch(self, raw: bytes, next_offset: int) -> None:
        """Keep a damaged batch whole as one refused event and go on from ``next_offset``."""
        self._posting.quarantine_batch(raw, next_offset)

    def wait_durable(self, timeout_s: float = 60.0) -> bool:
        """Wait until everything applied is on the disk. Raises JournalWriteFailed, Fenced."""
        return self._writer.wait_durable(self._posting.sealed_frame, timeout_s)

    def wait_projected(self, timeout_s: float = 60.0) -> bool:
        """Wait until everything applied is readable in LMDB."""
        return self._projector.wait_projected(self.applied_seq, timeout_s)

    def wait_projected_at_end(self) -> bool:
        """Wait, where an engine ends, until everything applied is readable in LMDB; for room on the disk for one try only."""
        for _ in range(_SECONDS_AT_END):
            if self.wait_projected(1.0):
                return True
            if self._projector.lacks_room:
                break
        return False

    def status(self) -> EngineStatus:
        """Return where the engine stands; the numbers may be a few events apart while it works."""
        posting = self._posting
        return EngineStatus(
            next_offset=posting.next_offset,
            ledger_time_ms=posting.ledger_time_ms,
            applied_seq=posting.last_seq,
            durable_seq=self.durable_seq,
            projected_seq=self.projected_seq,
            records_consumed=posting.records_consumed,
            events_applied=posting.events_applied,
            events_existing=posting.events_existing,
            events_refused=posting.events_refused,
            journal_bytes=self._writer.journal_bytes,
            accounts=posting.account_count,
            balances_lack_room=self._projector.lacks_room,
        )

    def close(self) -> None:
        """Make everything durable and readable, write the key checkpoint, and let the ledger go.

        Raises BalancesBehind where the disk has no room for balances: they come up at the next start.
        """
        try:
            self._writer.check()
            self._keys.complete(self._posting.sealed_frame)
            if self._posting.last_seq > self._checkpoint_seq:
                self._keys.start(self._posting.last_seq, self._posting.sealed_frame)
                self._keys.complete(self._posting.sealed_frame)
            self.wait_projected_at_end()
        finally:
            try:
                self._close_projector()
            finally:
                self._journal.close()

    def _close_projector(self) -> None:
        try:
            self._projector.close()
        except ProjectionDamaged as error:
            if not self._projector.lacks_room:
                raise
            raise BalancesBehind(
                "the balances lack what is durable: the disk has no room for them",
                hint="Make room and start again: the journal has everything",
                expected=self.durable_seq,
                found=self.projected_seq,
            ) from error

    def abandon(self) -> None:
        """Let the ledger go at once after a failure; the next start goes on from what is durable."""
        with suppress(Exception):
            self._projector.close(clean=False)
        with suppress(Exception):
            self._journal.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()

    def _checkpoint_step(self) -> None:
        """Carry a running key checkpoint on by a part; begin one when enough entries lie behind the last."""
        posting = self._posting
        if self._keys.is_running:
            self._keys.step(self._posting.sealed_frame)
        elif posting.last_seq - self._checkpoint_seq >= _CHECKPOINT_ENTRIES:
            self._keys.forget_before(posting.first_open_date)
            _forget_reversals(posting, self._journal, self.durable_seq)
            self._keys.start(posting.last_seq, self._posting.sealed_frame)
            self._checkpoint_seq = posting.last_seq


def _forget_reversals(posting: _core.Posting, journal: Journal, durable_seq: int) -> None:
    """Forget how much was reversed of events that no reversal can name any more, as their business dates have closed.

    Those are the events of before anything of the first open date could come, all of earlier dates; some of later ones stay.
    """
    if posting.reversal_count:
        first_time_ms = journal.segment.parameters.first_time_ms(format_date(posting.first_open_date))
        entries = _core.EntryReader(journal.directory / "journal")
        posting.forget_reversals(seq_at(entries, durable_seq, first_time_ms - 1) + 1)


def _check_parameters(directory: Path, parameters: LedgerParameters) -> None:
    """Raise ConfigurationError where a ledger was made with others: they are fixed, and a start would go on without these."""
    try:
        made_with = asdict(read_parameters(directory).parameters)
    except LedgerNotFound:
        return
    for name, value in asdict(parameters).items():
        if value != made_with[name]:
            raise ConfigurationError(
                f"{name} is fixed when a ledger is made: {directory} has {made_with[name]}, not {value}",
                hint="Start with what the ledger has, or make another one",
            )


def _check_end(directory: Path, segment: SegmentHeader, last: FrameHeader | None) -> None:
    """Raise JournalDamaged where balances or key tables hold more than the journal: what looks torn behind ``last`` was durable.

    Projections that catch up beside an engine are not asked: they may have seen a frame that was whole, but not yet durable.
    """
    keys_directory = complete_directory(directory / "keys")
    keys = read_watermarks(keys_directory, _core.KeyFiles(segment.ledger_id)) if keys_directory else KeyWatermarks()
    accounts_seq, accounts_frame = _balances_watermark(directory, segment.ledger_id)
    last_seq, last_frame = (last.last_seq, last.frame_number) if last else (0, 0)
    known_frame = max(accounts_frame, keys.keys_frame, keys.state_frame)
    if known_frame > last_frame or max(accounts_seq, keys.keys_seq, keys.state_seq) > last_seq:
        raise JournalDamaged(
            "the journal ends before frames that were durable",
            hint="Nothing was changed. Restore its last segment from a copy. Without one, delete the directory keys and run"
            " peakledger rebuild: what is missing comes again from the source",
            segment=segment.segment_number,
            seq=last_seq + 1,
            expected=known_frame,
            found=last_frame,
        )


def _balances_watermark(directory: Path, ledger_id: bytes) -> tuple[int, int]:
    """Return seq and frame up to where the balances tell; 0 where there are none to trust, which the start makes anew."""
    try:
        meta = BALANCE_META.unpack(BalanceReader(directory).view.meta())
    except (LedgerNotFound, ProjectionDamaged, FormatVersionMismatch):
        return 0, 0
    return (meta["watermark_seq"], meta["watermark_frame"]) if meta["ledger_id"] == ledger_id else (0, 0)


def _load_accounts(
    journal: Journal, posting: _core.Posting, beside: ThreadPoolExecutor
) -> tuple[Callable[[], _core.Projector], int, int]:
    """Give ``posting`` the accounts of the balances; return what waits for the projector, and the watermark of the accounts.

    Where there are none to trust, posting begins with none, and its replay of the journal makes them, while another replay
    ``beside`` makes the balances anew.
    """
    directory, epoch = journal.directory, journal.ownership.epoch
    projector = _core.Projector(directory, journal.segment.ledger_id, epoch)
    room: list[Future[None]] = []
    try:
        seq, frame = projector.load(
            fresh_generation=not journal.ownership.is_alone,
            expect=lambda account_count: room.append(beside.submit(posting.expect_accounts, account_count)),
        )
    except (ProjectionDamaged, FormatVersionMismatch):
        seq = frame = 0
    for taken in room:
        taken.result()
    if frame == 0 and journal.last_frame:
        return beside.submit(replayed_projector, directory, epoch).result, 0, 0
    posting.load_accounts(projector)
    return lambda: projector, seq, frame
