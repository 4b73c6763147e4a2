"""The shard directories of a data directory, and whether engines run on them."""

from collections.abc import Iterable
from pathlib import Path

from ledger.errors import ConfigurationError, LedgerNotFound, NotFound
from ledger.ownership import read_owner

_LOOKS = 3


def shard_directories(data: str, shard: str | None = None) -> list[Path]:
    """Return the directories of all shards by name, or that of one. Raises LedgerNotFound, and NotFound where that one is not."""
    found = [path.parent for path in sorted(Path(data).glob("*/journal"))]
    if not found:
        raise LedgerNotFound(f"{data} holds no ledger", hint="Run one first, or name its directory with --data")
    named = [path for path in found if shard in {None, path.name}]
    if not named:
        raise no_shard(str(shard), [path.name for path in found])
    return named


def no_shard(shard: str, known: Iterable[str]) -> NotFound:
    """Return the error of a shard that is none of those there are."""
    return NotFound(f"There is no shard {shard}", hint=f"There are {', '.join(known)}")


def check_all_shards(found: int, expected: int) -> None:
    """Raise ConfigurationError where a data directory has not as many shards as their topic has partitions."""
    if found != expected:
        raise ConfigurationError(
            "The data directory does not hold the shards of all partitions, so that payments are missing",
            hint="Bring all shards together, or name their directory with --data",
            expected=expected,
            found=found,
        )


def is_running(directory: Path) -> bool:
    """Return whether the writer of the current epoch holds its lock. It is not tried, for that could be in a writer's way."""
    owner = read_owner(directory)
    if owner is None:
        return False
    try:
        inode = (directory / f"lock.{owner.epoch}").stat().st_ino
        # Linux gives a long list in pieces, between which it may change. So who is not found is looked for again.
        locks = (line for _ in range(_LOOKS) for line in Path("/proc/locks").read_text().splitlines())
        return any(" FLOCK " in line and f":{inode} " in line for line in locks)
    except FileNotFoundError:
        return False
