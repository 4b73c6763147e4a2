"""The shard directories of a data directory."""

from pathlib import Path

from ledger.errors import LedgerNotFound


def shard_directories(data: str) -> list[Path]:
    """Return the directories of all shards, by name. Raises LedgerNotFound where there is none."""
    found = [path.parent for path in sorted(Path(data).glob("*/journal"))]
    if not found:
        raise LedgerNotFound(f"{data} holds no ledger", hint="Run one first, or name its directory with --data")
    return found
