"""What all projections have in common: they are made from the frames of a journal, know how far they are, and can be thrown away.

A read model is a class with these three members, kept in a directory of its own beside the journal; where it needs no more than
the last state, it writes its watermark together with its data, so that a start goes on from there.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from ledger._core import JournalReader
from ledger.journal import FrameHeader, find_end

Progress = Callable[[int, int], None]
"""Called now and then with the frame number that was reached and the last one."""


class Projection(Protocol):
    """A read model of one shard."""

    @property
    def applied_frame(self) -> int:
        """The last frame that it holds, 0 for none."""

    @property
    def applied_seq(self) -> int:
        """The last entry that it holds, 0 for none."""

    def replay(self, reader: JournalReader) -> bool:
        """Apply some of the frames that ``reader`` comes to, without a gap. Return whether there may be more."""


def last_frame(shard_directory: Path | str) -> FrameHeader | None:
    """Return the last whole frame of a shard's journal. Changes nothing; a live journal may go on meanwhile."""
    end = find_end(Path(shard_directory) / "journal")
    return FrameHeader.unpack(end.last_frame) if end and end.last_frame else None


def catch_up(projection: Projection, shard_directory: Path | str, progress: Progress | None = None) -> None:
    """Apply what the journal holds behind the projection, up to its end as of now. Raises JournalDamaged, and what it raises."""
    last = last_frame(shard_directory)
    if last is not None:
        replay_to(last.frame_number, projection, shard_directory, progress)


def replay_to(frame: int, projection: Projection, shard_directory: Path | str, progress: Progress | None = None) -> None:
    """Apply the frames behind the projection up to one that the journal has."""
    if frame <= projection.applied_frame:
        return
    reader = JournalReader(Path(shard_directory) / "journal", up_to_frame=frame)
    reader.seek_frame(projection.applied_frame + 1)
    while projection.replay(reader):
        if progress:
            progress(projection.applied_frame, frame)
    if progress:
        progress(projection.applied_frame, frame)
