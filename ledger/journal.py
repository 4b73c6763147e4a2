"""Opening a shard's journal: who may write, where it ends, what is torn, and the writer that goes on from there."""

import os
import secrets
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

from ledger._core import JournalReader, JournalWriter, check_segment_numbers
from ledger.errors import ConfigurationError, LedgerNotFound, SourceMismatch
from ledger.ownership import Ownership, sync_directory
from ledger.parameters import LedgerParameters

ENTRY_BYTES = 96
ENTRIES_PER_BLOCK = 4096
DEFAULT_SEGMENT_BYTES = 256 << 20

_SEGMENT = struct.Struct("<4I16s6QiI32sQ128s")  # segment_header
_FRAME = struct.Struct("<8I4Q2q4Q16x")  # frame_header
_BLOCK_BYTES = 4096


@dataclass(frozen=True, slots=True)
class RingShape:
    """The writer's frame buffers: how many, and what each has room for. A full standard frame is about 1 MiB."""

    frames: int = 32
    entries: int = 10_880
    outcomes: int = 16_384
    payload_bytes: int = 1 << 20


class SegmentHeader(NamedTuple):
    """The fields of ``segment_header`` in ``record_layout.h``, in its order."""

    magic: int
    crc32c: int
    format_version: int
    close_after_days: int
    ledger_id: bytes
    segment_number: int
    first_frame_number: int
    first_seq: int
    epoch: int
    segment_bytes: int
    previous_segment_end: int
    utc_offset_minutes: int
    future_days: int
    last_digest: bytes
    hash_seed: int
    source_bytes: bytes

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        return cls._make(_SEGMENT.unpack(data))

    def pack(self) -> bytes:
        return _SEGMENT.pack(*self)

    @property
    def source(self) -> str:
        """The topic and partition that the ledger is made from: ``topic/0``."""
        return self.source_bytes.rstrip(b"\0").decode()

    @property
    def parameters(self) -> LedgerParameters:
        return LedgerParameters(self.utc_offset_minutes, self.close_after_days, self.future_days)


class FrameHeader(NamedTuple):
    """The fields of ``frame_header`` in ``record_layout.h``, in its order."""

    magic: int
    crc32c: int
    frame_bytes: int
    entry_count: int
    outcome_count: int
    digest_count: int
    payload_bytes: int
    reserved: int
    frame_number: int
    segment_number: int
    first_seq: int
    epoch: int
    ledger_time_ms: int
    next_offset: int
    records_consumed: int
    events_applied: int
    events_existing: int
    events_refused: int

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        return cls._make(_FRAME.unpack(data))

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
    """Where a journal ends. ``segment_end`` is the byte offset behind the last frame of the last segment."""

    segment: SegmentHeader
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
    ring: RingShape = RingShape(),
) -> Journal:
    """Become the writer of the shard in ``directory``, made if need be, and return its open journal.

    ``parameters`` count when the ledger is created; an existing one keeps its own. A torn tail is cut and reported in the result.
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
            if end.segment.source != source:
                raise SourceMismatch("this ledger was made from another source", expected=end.segment.source, found=source)
            try:
                writer = _open_writer(folder, end, ownership, segment_bytes, ring)
                break
            except FileExistsError:
                continue  # a writer that we took over from began the next segment meanwhile
    except BaseException:
        ownership.release()
        raise
    last_frame = FrameHeader.unpack(end.last_frame) if end.last_frame else None
    return Journal(directory, writer, ownership, end.segment, last_frame, end.torn_tail)


def find_end(folder: Path) -> JournalEnd | None:
    """Return where the journal in ``folder`` ends, ``None`` where it has no segment. Changes nothing."""
    last_number = check_segment_numbers(folder)
    if last_number == 0:
        return None
    reader = JournalReader(folder)
    reader.seek_segment(last_number)
    segment = SegmentHeader.unpack(reader.segment_header)
    last_frame, last_digest = reader.read_to_end()
    number, byte_offset, _, next_seq = reader.position
    torn = reader.torn_bytes()
    torn_tail = TornTail(number, next_seq, byte_offset, torn) if torn else None
    if last_frame is None:
        last_frame = _last_frame_before(folder, segment)
    block_start = (next_seq - 1) // ENTRIES_PER_BLOCK * ENTRIES_PER_BLOCK + 1
    block_entries = b"".join(_entries_from(folder, block_start, next_seq))
    return JournalEnd(segment, byte_offset, last_frame, last_digest, block_entries, torn_tail)


def read_parameters(directory: Path | str) -> SegmentHeader:
    """Return the header of the first segment of a shard. Raises ``LedgerNotFound``."""
    folder = Path(directory) / "journal"
    if check_segment_numbers(folder) == 0:
        raise LedgerNotFound(f"there is no ledger in {directory}")
    reader = JournalReader(folder)
    reader.seek_segment(1)
    return SegmentHeader.unpack(reader.segment_header)


def _last_epoch(folder: Path) -> int:
    end = find_end(folder)
    if end is None:
        return 0
    return max(end.segment.epoch, FrameHeader.unpack(end.last_frame).epoch if end.last_frame else 0)


def _last_frame_before(folder: Path, segment: SegmentHeader) -> bytes | None:
    if segment.first_frame_number == 1:
        return None
    reader = JournalReader(folder, up_to_frame=segment.first_frame_number - 1)
    reader.seek_frame(segment.first_frame_number - 1)
    return reader.read_to_end()[0]


def _entries_from(folder: Path, first_seq: int, next_seq: int) -> Iterator[memoryview]:
    if first_seq == next_seq:
        return
    reader = JournalReader(folder)
    reader.seek_seq(first_seq)
    for frame in reader:
        yield frame.entries[max(0, first_seq - frame.first_seq) * ENTRY_BYTES :]
        if frame.first_seq + frame.entry_count >= next_seq:
            return


def _new_end(source: str, parameters: LedgerParameters) -> JournalEnd:
    if not 0 < len(source.encode()) < 128:
        raise ConfigurationError("the name of the source must have 1 to 127 bytes", found=len(source.encode()))
    no_segment = SegmentHeader.unpack(bytes(_SEGMENT.size))
    segment = no_segment._replace(
        ledger_id=secrets.token_bytes(16),
        hash_seed=secrets.randbits(64),
        source_bytes=source.encode(),
        utc_offset_minutes=parameters.utc_offset_minutes,
        close_after_days=parameters.close_after_days,
        future_days=parameters.future_days,
    )
    return JournalEnd(segment, 0, None, bytes(32), b"", None)


def _open_writer(folder: Path, end: JournalEnd, ownership: Ownership, segment_bytes: int, ring: RingShape) -> JournalWriter:
    segment, segment_end = end.segment, end.segment_end
    if not ownership.is_alone:
        # The other writer may still append to its segment: it is left as it is, and what is behind segment_end does not count.
        segment, segment_end = segment._replace(previous_segment_end=segment_end), 0
    elif end.torn_tail:
        cut_torn_tail(folder, end.torn_tail)
    return JournalWriter(
        folder,
        ownership.owner_map,
        segment.pack(),
        end.last_frame or bytes(_FRAME.size),
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


def cut_torn_tail(folder: Path, torn_tail: TornTail) -> None:
    """Overwrite a torn tail with zeros, durably."""
    with (folder / f"{torn_tail.segment:010d}.segment").open("r+b") as file:
        file.seek(torn_tail.byte_offset)
        file.write(bytes(torn_tail.byte_count))
        file.flush()
        os.fsync(file.fileno())
