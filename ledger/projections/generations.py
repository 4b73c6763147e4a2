"""Generations of a projection: directories ``gen-<epoch>-<number>``, of which the last by name is the one to read.

A writer makes a generation of its own where it cannot trust the last one, or where the last one's writer may still be alive. It
builds it aside and renames it into place. A writer that lost its ledger has a lower epoch, so whatever it still writes or renames
never comes last.
"""

import shutil
from pathlib import Path

from ledger.errors import Fenced

_PUBLISHED = "gen-"
_BUILDING = "building-"


def newest(directory: Path) -> Path | None:
    """Return the generation that counts, or None where none was published yet."""
    return max(directory.glob(f"{_PUBLISHED}*"), default=None)


def prepare(directory: Path, epoch: int) -> Path:
    """Return a new empty directory in which the writer of ``epoch`` may build the generation after the newest one.

    Raises Fenced where a later epoch has published one.
    """
    last = newest(directory)
    number = 1
    if last is not None:
        last_epoch, last_number = map(int, last.name.removeprefix(_PUBLISHED).split("-"))
        if last_epoch > epoch:
            raise Fenced("Another process keeps this projection now", epoch=epoch, found=last_epoch)
        if last_epoch == epoch:
            number = last_number + 1
    building = directory / f"{_BUILDING}{epoch:010d}-{number:06d}"
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    return building


def publish(building: Path) -> Path:
    """Rename what ``prepare`` returned into place, and return its new path."""
    return building.rename(building.with_name(building.name.replace(_BUILDING, _PUBLISHED)))


def boot_id() -> bytes:
    """Return what names this run of the system: pages that were written but not synced outlive a process, not a run."""
    return Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()


def remove_before(generation: Path) -> None:
    """Delete the generations, built or half built, that come before ``generation``; who still maps them is not disturbed."""
    for path in generation.parent.iterdir():
        prefix, _, name = path.name.partition("-")
        if f"{prefix}-" in {_PUBLISHED, _BUILDING} and name < generation.name.removeprefix(_PUBLISHED):
            shutil.rmtree(path, ignore_errors=True)
