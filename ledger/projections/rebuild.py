"""Balances made anew from the journal, and balances compared with what the journal says."""

from dataclasses import dataclass
from pathlib import Path

from ledger._core import BalanceView, JournalReader, Projector
from ledger.account_ids import format_account
from ledger.errors import LedgerNotFound, ProjectionDamaged
from ledger.journal import read_parameters
from ledger.layouts import ACCOUNT_RECORD
from ledger.ownership import Ownership
from ledger.projections import generations
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


@dataclass(frozen=True, slots=True)
class Comparison:
    """Balances held against a replay of the journal, as of ``seq``.

    ``account`` is the first by order of opening that differs, None where all agree; ``journal`` and ``balances`` are then its
    ``account_record`` here and there, None where it does not exist.
    """

    seq: int
    account_count: int
    account: str | None = None
    journal: dict[str, int] | None = None
    balances: dict[str, int] | None = None

    @property
    def agrees(self) -> bool:
        return self.account is None


def compare_with_journal(shard_directory: Path | str, progress: Progress | None = None) -> Comparison:
    """Compare every account of the newest balances, as of one snapshot, with a replay of the journal up to there.

    An engine may run meanwhile. Raises LedgerNotFound, JournalDamaged, and ProjectionDamaged where the file is not even readable.
    """
    directory = Path(shard_directory)
    newest = generations.newest(directory / "balances")
    if newest is None:
        raise LedgerNotFound(f"{directory} holds no balances", hint="Run an engine on this ledger, or rebuild them")
    seq, found = BalanceView(newest).records(check=True)
    replay = Projector(directory, read_parameters(directory).ledger_id, 0)
    reader = JournalReader(directory / "journal", follow=True)
    while replay.applied_seq < seq and replay.replay(reader, entries=min(seq - replay.applied_seq, 1 << 20)):
        if progress:
            progress(replay.applied_seq, seq)
    if replay.applied_seq != seq:
        raise ProjectionDamaged("The balances hold more than the journal", path=newest, expected=replay.applied_seq, found=seq)
    expected = replay.copy_records()
    count = max(len(expected), len(found)) // ACCOUNT_RECORD.size
    if expected == found:
        return Comparison(seq, count)
    slot = next(slot for slot in range(count) if _record(expected, slot) != _record(found, slot))
    journal, balances = _fields(expected, slot), _fields(found, slot)
    named = journal or balances or {}
    return Comparison(seq, count, format_account(named["id_high"] << 64 | named["id_low"]), journal, balances)


def _record(records: bytes, slot: int) -> bytes:
    return records[slot * ACCOUNT_RECORD.size : (slot + 1) * ACCOUNT_RECORD.size]


def _fields(records: bytes, slot: int) -> dict[str, int] | None:
    record = _record(records, slot)
    return ACCOUNT_RECORD.unpack(record) if record else None
