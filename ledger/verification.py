"""Reads a whole journal and checks everything in it that can be checked without another copy."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ledger._core import Frame, JournalReader, chain_digests
from ledger.errors import JournalDamaged, LedgerNotFound
from ledger.journal import FrameHeader, find_end
from ledger.layouts import DIGEST_RECORD, ENTRIES_PER_BLOCK, JOURNAL_ENTRY

_BLOCK_BYTES = ENTRIES_PER_BLOCK * JOURNAL_ENTRY.size


@dataclass(frozen=True, slots=True)
class JournalSummary:
    """What a sound journal holds. ``torn_bytes`` lie behind its last frame, as a dying writer leaves them; they never counted."""

    segments: int
    frames: int
    last_seq: int
    records_consumed: int
    events_applied: int
    events_existing: int
    events_refused: int
    torn_bytes: int


def verify_journal(shard_directory: Path, progress: Callable[[int, int], None] | None = None) -> JournalSummary:
    """Read every frame up to the last one as of now; check checksums, digests, numbering and counts.

    An engine may write meanwhile. ``progress`` is told the frame number that was reached and the last one. Raises LedgerNotFound,
    and JournalDamaged with segment, seq and byte offset.
    """
    folder = shard_directory / "journal"
    end = find_end(folder)
    if end is None:
        raise LedgerNotFound(f"There is no ledger in {shard_directory}")
    last = FrameHeader.unpack(end.last_frame) if end.last_frame else None
    chain = _DigestChain()
    reader = JournalReader(folder, follow=True, up_to_frame=last.frame_number if last else 0)
    for frame in reader if last else ():
        _check_counts(frame)
        chain.add(frame)
        if progress and last:
            progress(frame.frame_number, last.frame_number)
    return JournalSummary(
        segments=reader.segment_number,
        frames=last.frame_number if last else 0,
        last_seq=last.last_seq if last else 0,
        records_consumed=last.records_consumed if last else 0,
        events_applied=last.events_applied if last else 0,
        events_existing=last.events_existing if last else 0,
        events_refused=last.events_refused if last else 0,
        torn_bytes=end.torn_tail.byte_count if end.torn_tail else 0,
    )


def _check_counts(frame: Frame) -> None:
    total = frame.events_applied + frame.events_existing + frame.events_refused
    if frame.records_consumed != total:
        raise _damaged(f"Outcomes are {total} and records consumed {frame.records_consumed}", frame)


class _DigestChain:
    """The digest chain over blocks of entries, computed anew and held against what the frames say."""

    def __init__(self) -> None:
        self._last = bytes(32)
        self._open_block = b""

    def add(self, frame: Frame) -> None:
        entries = self._open_block + bytes(frame.entries)
        whole = len(entries) // _BLOCK_BYTES * _BLOCK_BYTES
        expected = chain_digests(entries[:whole], self._last)
        found = [record["digest"] for record in DIGEST_RECORD.unpack_all(frame.digests)]
        if expected != found:
            raise _damaged("The entries do not have the digests of the journal", frame)
        self._last = expected[-1] if expected else self._last
        self._open_block = entries[whole:]


def _damaged(message: str, frame: Frame) -> JournalDamaged:
    return JournalDamaged(message, segment=frame.segment_number, seq=frame.first_seq, byte_offset=frame.byte_offset)
