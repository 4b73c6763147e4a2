"""How far publishing went: a file of the shard for each topic, replaced when the topic has acknowledged."""

import os
from pathlib import Path

import msgspec

from ledger.errors import PeakledgerError, ProjectionDamaged

OUTCOMES_FILE = "outcomes.position"
ENTRIES_FILE = "entries.position"
BALANCES_FILE = "balances.position"


class Position(msgspec.Struct, frozen=True):
    """The first frame that ``topic`` did not acknowledge, the last entry before it, and the checksum of the frame before it."""

    next_frame: int
    topic: str = ""  # empty in files that were written before they named it
    seq: int = 0
    frame_crc32c: int = 0  # of any frame, in files that were written before they had it


def read_position(path: Path) -> Position:
    """Return what a file says; where there is none, nothing was published. Raises ProjectionDamaged."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Position)
    except FileNotFoundError:
        return Position(next_frame=1)
    except msgspec.DecodeError as error:
        raise ProjectionDamaged(f"{path} is damaged", hint="Delete it to publish everything again") from error


def write_position(path: Path, position: Position) -> None:
    """Replace the file, so that a reader sees the old one or the new one whole. Raises PeakledgerError where it cannot."""
    draft = path.with_suffix(".draft")
    try:
        with draft.open("wb") as file:
            file.write(msgspec.json.encode(position))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        hint = "Make room and start again: nothing is lost, and what was told last is told again"
        raise PeakledgerError(f"{path} cannot be written: {error.strerror}", hint=hint) from error
