"""Balances, read from LMDB by any process: ``BalanceReader`` for one shard, ``ShardedBalances`` for all of a data directory."""

import struct
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from ledger._core import BalanceView
from ledger.account_ids import AccountKind, format_account, parse_account
from ledger.errors import FormatVersionMismatch, LedgerNotFound, ProjectionDamaged
from ledger.layouts import BALANCE_FORMAT_VERSION, BALANCE_META
from ledger.projections import generations

_LOOK_FOR_GENERATION_S = 0.02
_WAIT_STEP_S = 0.0005
_ACCOUNT_CLOSED = 0x0004  # of account_record.flags
_RECORD = struct.Struct("<QQQQQQQHHI")  # account_record
_KIND_AT = 15  # the top byte of its id


class Balance(msgspec.Struct, frozen=True):
    """What an account holds, in fen, as of one snapshot.

    Debits and credits only grow; what is owed or held is their difference.
    """

    account: str
    debits_posted: int
    credits_posted: int
    debits_pending: int
    credits_pending: int
    last_seq: int
    flags: int
    book: int

    @property
    def balance_fen(self) -> int:
        """Posted debits less posted credits. Of a household: what it owes, negative where it paid ahead."""
        return self.debits_posted - self.credits_posted

    @property
    def pending_fen(self) -> int:
        """Pending debits and credits together: zero where nothing waits for an answer."""
        return self.debits_pending + self.credits_pending

    @property
    def is_closed(self) -> bool:
        return self.flags & _ACCOUNT_CLOSED != 0


class Watermark(msgspec.Struct, frozen=True):
    """How far a projection is: every entry up to ``seq`` is in it, of frames up to ``frame``; and the ledger as of that frame.

    ``state_digest`` is over all accounts, 32 hexadecimal digits: two ledgers that agree up to ``seq`` have the same.
    """

    seq: int
    frame: int
    ledger_time_ms: int
    next_offset: int
    records_consumed: int
    events_applied: int
    events_existing: int
    events_refused: int
    account_count: int
    state_digest: str


class BalanceReader:
    """Reads the balances of one shard, while an engine writes them or none runs.

    An account is named ``household:3301234567890`` or ``clearing:00120260723``, by the bare 13 digits of a household, or by its
    id. ``get`` and ``get_many`` each see one snapshot, hold it only as long as they run, and go over to a new generation by
    themselves. One reader may be used by many threads. After a fork, make a new one.
    """

    def __init__(self, shard_directory: Path | str) -> None:
        """Raises LedgerNotFound where there are no balances, FormatVersionMismatch, ProjectionDamaged."""
        self._directory = Path(shard_directory) / "balances"
        self._generation: Path | None = None
        self._changed_ns = -1
        self._look_at_s = 0.0
        self._current_view()

    def _current_view(self) -> BalanceView:
        """Return the view of the newest generation. The directory is looked at now and then only."""
        now_s = time.monotonic()
        if now_s < self._look_at_s:
            return self._view
        self._look_at_s = now_s + _LOOK_FOR_GENERATION_S
        try:
            changed_ns = self._directory.stat().st_mtime_ns
            if changed_ns != self._changed_ns:
                self._open_newest()
                self._changed_ns = changed_ns
        except FileNotFoundError:
            if self._generation is None:
                raise LedgerNotFound(f"{self._directory} does not exist", hint="Run an engine on this ledger first") from None
        return self._view

    def _open_newest(self) -> None:
        while True:
            generation = generations.newest(self._directory)
            if generation is None:
                raise LedgerNotFound(f"{self._directory} holds no balances yet", hint="Run an engine on this ledger first")
            if generation == self._generation:
                return
            try:
                view = BalanceView(generation)
                _check_trust(generation, view)
            except (ProjectionDamaged, FileNotFoundError):
                if generations.newest(self._directory) != generation:
                    continue  # it was replaced and deleted while we opened it
                raise
            self._view, self._generation = view, generation
            return

    def get(self, account: str | int) -> Balance | None:
        """Return the balance of an account, or None where it never opened."""
        id_, text = _name(account)
        values = self._current_view().get(id_)
        return None if values is None else Balance(text, *values)

    def get_many(self, accounts: Iterable[str | int]) -> list[Balance | None]:
        """Return the balances of all ``accounts``, in their order, as of one and the same seq."""
        names = [_name(account) for account in accounts]
        _, found = self._current_view().get_many([id_ for id_, _ in names])
        return [None if values is None else Balance(text, *values) for (_, text), values in zip(names, found, strict=True)]

    def accounts_in(self, slots: Iterable[int]) -> list[str | None]:
        """Return the account in each slot, as entries name them, or None where none is in it yet."""
        return [None if id_ is None else format_account(id_) for id_ in self._current_view().accounts_in(list(slots))]

    def slot_of(self, account: str | int) -> int | None:
        """Return the slot by which entries name an account, or None where it never opened. It never changes."""
        slot: int | None = self._current_view().slot_of(_name(account)[0])
        return slot

    def records(self) -> tuple[int, bytes]:
        """Return a watermark and the ``account_record`` of every account, in order of opening, as of it."""
        found: tuple[int, bytes] = self._current_view().records()
        return found

    def items(self) -> Iterator[Balance]:
        """Yield every account in order of opening, as of one and the same seq. Takes 64 bytes of memory an account meanwhile."""
        yield from map(_balance, _RECORD.iter_unpack(self.records()[1]))

    def items_of(self, kind: AccountKind) -> Iterator[Balance]:
        """Yield every account of a kind, as ``items`` does; the others are passed over without an object for each."""
        _, records = self.records()
        kinds, wanted = records[_KIND_AT :: _RECORD.size], bytes([kind])
        at = kinds.find(wanted)
        while at >= 0:
            yield _balance(_RECORD.unpack_from(records, at * _RECORD.size))
            at = kinds.find(wanted, at + 1)

    @property
    def view(self) -> BalanceView:
        """The newest generation: for code of the core that reads balances itself."""
        return self._current_view()

    @property
    def watermark(self) -> Watermark:
        return watermark_of(self._current_view())

    def wait_for(self, seq: int, timeout_s: float) -> bool:
        """Return whether every entry up to ``seq`` can be read, waiting for it up to ``timeout_s``."""
        deadline_s = time.monotonic() + timeout_s
        while self.watermark.seq < seq:
            if time.monotonic() >= deadline_s:
                return False
            time.sleep(_WAIT_STEP_S)
        return True


class ShardedBalances:
    """The balances of all shards of a data directory: an account is in the shard that its household's events come from."""

    def __init__(self, data_directory: Path | str) -> None:
        """Raises LedgerNotFound where no shard has balances."""
        directory = Path(data_directory)
        self.shards = {path.parent.name: BalanceReader(path.parent) for path in sorted(directory.glob("*/balances"))}
        if not self.shards:
            raise LedgerNotFound(f"{directory} holds no shard with balances", hint="Run an engine on this ledger first")

    def get(self, account: str | int) -> dict[str, Balance]:
        """Return the balance of an account by shard. A household is in one; clearing and revenue accounts are in each."""
        found = {shard: reader.get(account) for shard, reader in self.shards.items()}
        return {shard: balance for shard, balance in found.items() if balance is not None}


def watermark_of(view: BalanceView) -> Watermark:
    """Return how far a generation is."""
    fields = BALANCE_META.unpack(view.meta())
    return Watermark(
        seq=fields["watermark_seq"],
        frame=fields["watermark_frame"],
        **{name: fields[name] for name in Watermark.__struct_fields__[2:-1]},
        state_digest=f"{int.from_bytes(fields['state_digest'], 'little'):032x}",
    )


def _check_trust(generation: Path, view: BalanceView) -> None:
    meta = BALANCE_META.unpack(view.meta())
    if meta["format_version"] != BALANCE_FORMAT_VERSION:
        raise FormatVersionMismatch(
            "The balances were written by another version",
            hint="The next start of an engine makes them anew",
            path=generation,
            expected=BALANCE_FORMAT_VERSION,
            found=meta["format_version"],
        )
    if not meta["clean"] and meta["boot_id"].rstrip(b"\0") != generations.boot_id():
        raise ProjectionDamaged(
            "The system stopped while the balances were open, and the file may be incomplete",
            hint="The next start of an engine makes them anew",
            path=generation,
            seq=meta["watermark_seq"],
        )


def _balance(fields: tuple[int, ...]) -> Balance:
    low, high, debits_pending, debits_posted, credits_pending, credits_posted, last_seq, book, flags, _ = fields
    id_ = high << 64 | low
    return Balance(format_account(id_), debits_posted, credits_posted, debits_pending, credits_pending, last_seq, flags, book)


def _name(account: str | int) -> tuple[int, str]:
    """Return id and text of an account."""
    if isinstance(account, int):
        return account, format_account(account)
    if ":" not in account:
        account = f"household:{account}"
    return parse_account(account), account
