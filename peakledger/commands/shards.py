"""The shard directories of a data directory."""

from pathlib import Path

from ledger.errors import LedgerNotFound, NotFound


def shard_directories(data: str, shard: str | None = None) -> list[Path]:
    """Return the directories of all shards by name, or that of one. Raises LedgerNotFound, and NotFound where that one is not."""
    found = [path.parent for path in sorted(Path(data).glob("*/journal"))]
    if not found:
        raise LedgerNotFound(f"{data} holds no ledger", hint="Run one first, or name its directory with --data")
    named = [path for path in found if shard in {None, path.name}]
    if not named:
        raise NotFound(f"{data} has no shard {shard}", hint=f"It has {', '.join(path.name for path in found)}")
    return named
