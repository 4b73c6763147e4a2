"""Balances made anew from the journal."""

from pathlib import Path

from ledger._core import Projector
from ledger.journal import read_parameters
from ledger.ownership import Ownership
from ledger.projections.base import Progress, catch_up


def replayed_projector(shard_directory: Path | str, epoch: int, progress: Progress | None = None) -> Projector:
    """Return a projector whose accounts are those of the whole journal, and write them as the newest generation.

    For the owner of the shard, whose ``epoch`` it is, in place of ``Projector.load``. Raises JournalDamaged.
    """
    projector = Projector(shard_directory, read_parameters(shard_directory).ledger_id, epoch)
    catch_up(projector, shard_directory, progress)
    projector.start_generation()
    return projector


def rebuild_balances(shard_directory: Path | str, progress: Progress | None = None) -> int:
    """Make the balances of a shard anew while no engine runs; return the seq that they stand at.

    Raises LedgerNotFound, LedgerLocked where an engine runs, JournalDamaged.
    """
    directory = Path(shard_directory)
    read_parameters(directory)
    with Ownership.take(directory) as ownership:
        projector = replayed_projector(directory, ownership.epoch, progress)
        projector.close()
        return projector.projected_seq
