"""A file of each shard that says what waits in its inlets, for whoever looks from outside. The release itself never reads it."""

from pathlib import Path

import msgspec

POSITION_FILE = "release.position"


class ReleasePosition(msgspec.Struct, frozen=True):
    """Records that wait in the inlets of a partition, as of ``time_ms``."""

    interactive_waiting: int
    batch_waiting: int
    time_ms: int


def read_release_position(directory: Path) -> ReleasePosition | None:
    """Return what waits before the shard of a directory; None where it has no inlets."""
    try:
        return msgspec.json.decode((directory / POSITION_FILE).read_bytes(), type=ReleasePosition)
    except FileNotFoundError:
        return None


def write_release_position(directory: Path, position: ReleasePosition) -> None:
    """Replace the file, so that a reader sees the old one or the new one whole."""
    draft = directory / f"{POSITION_FILE}.draft"
    draft.write_bytes(msgspec.json.encode(position))
    draft.replace(directory / POSITION_FILE)
