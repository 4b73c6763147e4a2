"""Opening a shard's journal: who may write, where it ends, what is torn, and the writer that goes on from there."""

import os
import secrets
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

from ledger._core import EntryReader, JournalReader, JournalWriter, check_segment_numbers, free_behind
from ledger.errors import ConfigurationError, JournalDamaged, LedgerNotFound, SourceMismatch
from ledger.layouts import ENTRIES_PER_BLOCK, FRAME_HEADER, JOURNAL_ENTRY, SEGMENT_HEADER
from ledger.ownership import Ownership, sync_directory
from ledger.parameters import LedgerParameters

DEFAULT_SEGMENT_BYTES = 256 << 20

_BLOCK_BYTES = 4096


@dataclass(frozen=True, slots=True)
class RingShape:
    """The writer's frame buffers: how many, and what each has room for. A full standard frame is about 1 MiB."""

    frames: int = 32
    entries: int = 10_880
    outcomes: int = 16_384
    payload_bytes: int = 1 << 20


DEFAULT_RING = RingShape()


class SegmentHeader(NamedTuple):
    """What the header of a segment says of the ledger and of the segment."""

    ledger_id: bytes
    hash_seed: int
    source: str
    parameters: LedgerParameters
    segment_number: int
    first_frame_number: int
    first_seq: int
    epoch: int
    segment_bytes: int

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """Read a ``segment_header``."""
        fields = SEGMENT_HEADER.unpack(data)
        return cls(
            source=fields["source"].rstrip(b"\0").decode(),
            parameters=LedgerParameters(fields["utc_offset_minutes"], fields["close_after_days"], fields["future_days"]),
            **{name: fields[name] for name in cls._fields if name not in {"source", "parameters"}},
        )


class FrameHeader(NamedTuple):
    """What the header of a frame says of the ledger: where it stands behind the frame."""

    frame_number: int
    segment_number: int
    first_seq: int
    entry_count: int
    epoch: int
    ledger_time_ms: int
    next_offset: int
    records_consumed: int
    events_applied: int
    events_existing: int
    events_refused: int
    rules_digest: int = 0

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """Read a ``frame_header``."""
        fields = FRAME_HEADER.unpack(data)
        return cls(*(fields[name] for name in cls._fields))

    @property
    def last_seq(self) -> int:
        """The ``seq`` of the last entry up to here, in this frame or before it."""
        return self.first_seq + self.entry_count - 1


class TornTail(NamedTuple):
    """Bytes behind the last whole frame that a dying writer left: where, how many, and the ``seq`` that would have come."""

    segment: int
    seq: int
    byte_offset: int
    byte_count: int


class JournalEnd(NamedTuple):
    """Where a journal ends: ``segment_header``, that of the last segment, and the byte offset behind its last frame.

    ``block_entries`` are the entries behind the last full block, whose digest is ``last_digest``.
    """

    segment_header: bytes
    segment_end: int
    last_frame: bytes | None
    last_digest: bytes
    block_entries: bytes
    torn_tail: TornTail | None


@dataclass(slots=True)
class Journal:
    """An open journal: the writer, the ledger's parameters, and the frame that the ledger goes on from."""

    directory: Path
    writer: JournalWriter
    ownership: Ownership
    segment: SegmentHeader
    last_frame: FrameHeader | None
    torn_tail: TornTail | None

    def reader(self, *, follow: bool = True, up_to_frame: int = 0) -> JournalReader:
        """Return a reader of this journal."""
        return JournalReader(self.directory / "journal", follow=follow, up_to_frame=up_to_frame)

    def close(self) -> None:
        """Make durable what is sealed and give the directory back. Raises ``JournalWriteFailed`` or ``Fenced``."""
        try:
            self.writer.close()
        finally:
            self.ownership.release()


def open_journal(
    directory: Path | str,
    *,
    source: str,
    parameters: LedgerParameters | None = None,
    takeover_after_s: float | None = None,
    segment_bytes: int = DEFAULT_SEGMENT_BYTES,
    ring: RingShape = DEFAULT_RING,
    check_end: Callable[[SegmentHeader, FrameHeader | None], None] | None = None,
) -> Journal:
    """Become the writer of the shard in ``directory``, made if need be, and return its open journal.

    ``parameters`` count when the ledger is created; an existing one keeps its own. A torn tail is cut and reported in the result.
    ``check_end`` is told the last segment and the last whole frame before the journal is changed. What it
    raises ends the opening.
    Raises ``LedgerLocked``, ``SourceMismatch``, ``FormatVersionMismatch``, ``JournalDamaged``, ``JournalWriteFailed``.
    """
    directory = Path(directory)
    folder = directory / "journal"
    if segment_bytes % _BLOCK_BYTES or segment_bytes < 4 * _BLOCK_BYTES:
        raise ConfigurationError("a segment is a multiple of 4096 bytes, and 16384 at least", segment_bytes=segment_bytes)
    folder.mkdir(parents=True, exist_ok=True)
    sync_directory(directory)
    ownership = Ownership.take(directory, takeover_after_s=takeover_after_s, least_epoch=lambda: _last_epoch(folder))
    try:
        for leftover in folder.glob("*.preparing"):
            leftover.unlink()
        while True:
            end = find_end(folder) or _new_end(source, parameters or LedgerParameters())
            segment = SegmentHeader.unpack(end.segment_header)
            if segment.source != source:
                raise SourceMismatch("this ledger was made from another source", expected=segment.source, found=source)
            last_frame = FrameHeader.unpack(end.last_frame) if end.last_frame else None
            if check_end is not None:
                check_end(segment, last_frame)
            try:
                writer = _open_writer(folder, end, ownership, segment_bytes, ring)
                break
            except FileExistsError:
                continue  # a writer that we took over from began the next segment meanwhile
    except BaseException:
        ownership.release()
        raise
    _free_segment_before(folder, end, begun_anew=end.segment_end > 0 and not ownership.is_alone)
    return Journal(directory, writer, ownership, segment, last_frame, end.torn_tail)


def find_end(folder: Path) -> JournalEnd | None:
    """Return where the journal in ``folder`` ends, ``None`` where it has no segment. Changes nothing."""
    last_number = check_segment_numbers(folder)
    if last_number == 0:
        return None
    reader = JournalReader(folder)
    reader.seek_segment(last_number)
    segment_header = reader.segment_header
    last_frame, last_digest = reader.read_to_end()
    number, byte_offset, _, next_seq = reader.position
    torn = reader.torn_bytes()
    torn_tail = TornTail(number, next_seq, byte_offset, torn) if torn else None
    if last_frame is None:
        last_frame = _last_frame_before(folder, SegmentHeader.unpack(segment_header).first_frame_number)
    block_start = (next_seq - 1) // ENTRIES_PER_BLOCK * ENTRIES_PER_BLOCK + 1
    block_entries = b"".join(_entries_from(folder, block_start, next_seq))
    return JournalEnd(segment_header, byte_offset, last_frame, last_digest, block_entries, torn_tail)


def read_parameters(directory: Path | str) -> SegmentHeader:
    """Return the header of the first segment of a shard. Raises ``LedgerNotFound``."""
    folder = Path(directory) / "journal"
    if check_segment_numbers(folder) == 0:
        raise LedgerNotFound(f"there is no ledger in {directory}")
    reader = JournalReader(folder)
    reader.seek_segment(1)
    return SegmentHeader.unpack(reader.segment_header)


def seq_at(entries: EntryReader, last_seq: int, ledger_time_ms: int) -> int:
    """Return the last entry, of those up to one, that was made by a ledger time, 0 where there is none.

    Ledger time never goes back from one entry to the next, so it is found by halving: one read for each doubling of the journal.
    Raises ``JournalDamaged``.
    """
    return bisect_right(range(1, last_seq + 1), ledger_time_ms, key=lambda seq: ledger_time_of(entries, seq))


def ledger_time_of(entries: EntryReader, seq: int) -> int:
    """Return the ledger time at which an entry was made. Raises ``JournalDamaged`` where the journal lacks it."""
    entry = entries.read_entry(seq)
    if entry is None:
        raise JournalDamaged("the journal lacks an entry that it should hold", seq=seq)
    ledger_time_ms: int = JOURNAL_ENTRY.unpack(entry)["ledger_time_ms"]
    return ledger_time_ms


def _last_epoch(folder: Path) -> int:
    end = find_end(folder)
    if end is None:
        return 0
    segment = SegmentHeader.unpack(end.segment_header)
    return max(segment.epoch, FrameHeader.unpack(end.last_frame).epoch if end.last_frame else 0)


def _last_frame_before(folder: Path, frame_number: int) -> bytes | None:
    if frame_number == 1:
        return None
    reader = JournalReader(folder, up_to_frame=frame_number - 1)
    reader.seek_frame(frame_number - 1)
    last_frame: bytes | None = reader.read_to_end()[0]
    return last_frame


def _entries_from(folder: Path, first_seq: int, next_seq: int) -> Iterator[memoryview]:
    if first_seq == next_seq:
        return
    reader = JournalReader(folder)
    reader.seek_seq(first_seq)
    for frame in reader:
        yield frame.entries[max(0, first_seq - frame.first_seq) * JOURNAL_ENTRY.size :]
        if frame.first_seq + frame.entry_count >= next_seq:
            return


def _new_end(source: str, parameters: LedgerParameters) -> JournalEnd:
    if not 0 < len(source.encode()) < 128:
        raise ConfigurationError("the name of the source must have 1 to 127 bytes", found=len(source.encode()))
    segment_header = SEGMENT_HEADER.pack(
        ledger_id=secrets.token_bytes(16),
        hash_seed=secrets.randbits(64),
        source=source.encode(),
        utc_offset_minutes=parameters.utc_offset_minutes,
        close_after_days=parameters.close_after_days,
        future_days=parameters.future_days,
    )
    return JournalEnd(segment_header, 0, None, bytes(32), b"", None)


def _open_writer(folder: Path, end: JournalEnd, ownership: Ownership, segment_bytes: int, ring: RingShape) -> JournalWriter:
    segment_header, segment_end = end.segment_header, end.segment_end
    if segment_end and not ownership.is_alone:
        # The other writer may still append to its segment, and what is behind segment_end does not count.
        fields = SEGMENT_HEADER.unpack(segment_header)
        segment_header, segment_end = SEGMENT_HEADER.pack(**fields | {"previous_segment_end": segment_end}), 0
    elif end.torn_tail:
        cut_torn_tail(folder, end.torn_tail)
    return JournalWriter(
        folder,
        ownership.owner_map,
        segment_header,
        end.last_frame or bytes(FRAME_HEADER.size),
        epoch=ownership.epoch,
        segment_end=segment_end,
        last_digest=end.last_digest,
        block_entries=end.block_entries,
        segment_bytes=segment_bytes,
        ring_frames=ring.frames,
        entry_capacity=ring.entries,
        outcome_capacity=ring.outcomes,
        payload_capacity=ring.payload_bytes,
    )


def _free_segment_before(folder: Path, end: JournalEnd, *, begun_anew: bool) -> None:
    """Give the disk back what the segment before the writer's own has behind its end: next to nothing where it was full, most of
    it where it was taken over, now or by a start that was killed before it came here.
    """
    fields = SEGMENT_HEADER.unpack(end.segment_header)
    number, segment_end = fields["segment_number"] - 1, fields["previous_segment_end"]
    if begun_anew:
        number, segment_end = number + 1, end.segment_end
    if number > 0:
        free_behind(folder / f"{number:010d}.segment", segment_end)


def cut_torn_tail(folder: Path, torn_tail: TornTail) -> None:
    """Overwrite a torn tail with zeros, durably."""
    with (folder / f"{torn_tail.segment:010d}.segment").open("r+b") as file:
        file.seek(torn_tail.byte_offset)
        file.write(bytes(torn_tail.byte_count))
        file.flush()
        os.fsync(file.fileno())
