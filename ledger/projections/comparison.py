"""Balances held against the journal: by their state digest, and account by account where that differs."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ledger._core import BalanceView, JournalReader, Projector
from ledger.account_ids import format_account
from ledger.errors import FormatVersionMismatch, LedgerNotFound, ProjectionDamaged
from ledger.journal import read_parameters
from ledger.layouts import ACCOUNT_RECORD, BALANCE_FORMAT_VERSION, BALANCE_META
from ledger.projections import generations
from ledger.projections.base import Progress


@dataclass(frozen=True, slots=True)
class StoredState:
    """What the newest balances say of themselves at ``seq``.

    ``noted_digest`` is the state digest that the projector wrote beside the watermark, ``found_digest`` that of the accounts as
    they are in the file.
    """

    path: Path
    seq: int
    noted_digest: int
    found_digest: int


def stored_state(shard_directory: Path | str) -> StoredState:
    """Read every account and every id of the newest balances, in one snapshot, keeping none. An engine may run meanwhile.

    Raises LedgerNotFound, FormatVersionMismatch, and ProjectionDamaged where the file is not readable or an id leads elsewhere.
    """
    view, path = _newest(Path(shard_directory))
    meta, found_digest = view.digests()
    fields = BALANCE_META.unpack(meta)
    return StoredState(path, fields["watermark_seq"], int.from_bytes(fields["state_digest"], "little"), found_digest)


@dataclass(frozen=True, slots=True)
class Difference:
    """A field of an account's record that is not what the journal makes it; None where the account does not exist."""

    account: str
    field: str
    expected: int | None
    found: int | None

    def __str__(self) -> str:
        return f"{self.account} {self.field}: expected {self.expected}, found {self.found}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Balances compared with a replay of the journal, as of ``seq``: the first differences in order of opening, and in how many
    accounts there are any.
    """

    seq: int
    account_count: int
    accounts_differing: int = 0
    differences: tuple[Difference, ...] = ()

    @property
    def agrees(self) -> bool:
        return self.accounts_differing == 0


def compare_with_journal(shard_directory: Path | str, progress: Progress | None = None, most_differences: int = 20) -> Comparison:
    """Compare every account of the newest balances, as of one snapshot, with a replay of the journal up to there.

    An engine may run meanwhile. Takes 128 bytes of memory an account. Raises LedgerNotFound, FormatVersionMismatch,
    JournalDamaged, and ProjectionDamaged where the file is not even readable.
    """
    directory = Path(shard_directory)
    view, path = _newest(directory)
    seq, found = view.records()
    expected = _replayed(directory, path, seq, progress)
    count = max(len(expected), len(found)) // ACCOUNT_RECORD.size
    if expected == found:
        return Comparison(seq, count)
    slots = [slot for slot in range(count) if _record(expected, slot) != _record(found, slot)]
    differences: list[Difference] = []
    for slot in slots:
        differences += _differences(_record(expected, slot), _record(found, slot))
        if len(differences) >= most_differences:
            break
    return Comparison(seq, count, len(slots), tuple(differences[:most_differences]))


def _newest(directory: Path) -> tuple[BalanceView, Path]:
    path = generations.newest(directory / "balances")
    if path is None:
        raise LedgerNotFound(f"{directory} holds no balances", hint="Run an engine on this ledger, or rebuild them")
    view = BalanceView(path)
    version = BALANCE_META.unpack(view.meta())["format_version"]
    if version != BALANCE_FORMAT_VERSION:
        raise FormatVersionMismatch(
            "The balances were written by another version",
            hint="Make them anew: peakledger rebuild",
            path=path,
            expected=BALANCE_FORMAT_VERSION,
            found=version,
        )
    return view, path


def _replayed(directory: Path, path: Path, seq: int, progress: Progress | None) -> bytes:
    replay = Projector(directory, read_parameters(directory).ledger_id, 0)
    reader = JournalReader(directory / "journal", follow=True)
    while replay.applied_seq < seq and replay.replay(reader, entries=min(seq - replay.applied_seq, 1 << 20)):
        if progress:
            progress(replay.applied_seq, seq)
    if replay.applied_seq != seq:
        raise ProjectionDamaged("The balances hold more than the journal", path=path, expected=replay.applied_seq, found=seq)
    return replay.copy_records()


def _differences(expected: bytes, found: bytes) -> Iterator[Difference]:
    there, here = (ACCOUNT_RECORD.unpack(record) if record else {} for record in (expected, found))
    named = there or here
    account = format_account(named["id_high"] << 64 | named["id_low"])
    for field in named:
        if there.get(field) != here.get(field):
            yield Difference(account, field, there.get(field), here.get(field))


def _record(records: bytes, slot: int) -> bytes:
    return records[slot * ACCOUNT_RECORD.size : (slot + 1) * ACCOUNT_RECORD.size]
