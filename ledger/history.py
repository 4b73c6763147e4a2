"""The past of one shard: balances and statements of accounts as of an entry, a ledger time or a value date."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from ledger._core import EntryReader, JournalReader, PastAccounts
from ledger.account_ids import format_account, parse_account
from ledger.errors import JournalDamaged, NotFound
from ledger.event_fields import format_date
from ledger.journal import ledger_time_of, read_parameters, seq_at
from ledger.projections.balances import BalanceReader, ShardedBalances
from ledger.projections.trial_balance import TrialBalance, of_totals
from ledger.statements import EVERYTHING, Cursor, Filter, Page, Position, Sums, days_of, newest_page, oldest_page

_STEP_BYTES = 64 << 20
_ENTRIES_AT_ONCE = 1 << 16


@dataclass(frozen=True, slots=True)
class Moment:
    """A state of the ledger: what the entries up to ``seq`` made of it.

    With a value date only what was posted with that value date or an earlier one counts. So the two together are what was known
    at ``seq`` of a value date. A hold has no value date until it is posted: nothing is pending then.
    """

    seq: int
    value_date: date | None = None


@dataclass(frozen=True, slots=True)
class PastBalance:
    """What an account held at a moment. ``last_seq`` is its last entry by then."""

    account: str
    sums: Sums
    last_seq: int


class History:
    """Answers from the journal of one shard, while an engine writes it or none runs. One thread at a time.

    Its balances tell where the entries of an account begin, so it knows the journal as far as they are. ``entries_read`` and
    ``bytes_read`` count what it has read of the journal, the places of entries included.
    """

    def __init__(self, shard_directory: Path | str) -> None:
        """Raises what ``BalanceReader`` raises, ``JournalDamaged``, ``FormatVersionMismatch``."""
        self.shard = Path(shard_directory).name
        self.balances = BalanceReader(shard_directory)
        header = read_parameters(shard_directory)
        self.ledger_id, self._parameters = header.ledger_id, header.parameters
        self._folder = Path(shard_directory) / "journal"
        self._entries = EntryReader(self._folder)
        self._entries_passed = self._bytes_passed = 0

    @property
    def entries_read(self) -> int:
        return self._entries.reads + self._entries_passed

    @property
    def bytes_read(self) -> int:
        return self._entries.bytes_read + self._bytes_passed

    def moment(self, *, seq: int | None = None, ledger_time_ms: int | None = None, value_date: date | None = None) -> Moment:
        """Return the moment of an entry or of a ledger time; without either, now. Raises ``NotFound`` for a later entry."""
        last_seq = self.balances.watermark.seq
        if seq is not None and not 0 <= seq <= last_seq:
            raise NotFound(f"The ledger has no entry {seq}", hint=f"The last one that its balances hold is {last_seq}")
        if ledger_time_ms is not None:
            seq = self.seq_at(ledger_time_ms)
        return Moment(last_seq if seq is None else seq, value_date)

    def seq_at(self, ledger_time_ms: int) -> int:
        """Return the last entry that was made by a ledger time, 0 where there is none. Raises ``JournalDamaged``."""
        return seq_at(self._entries, self.balances.watermark.seq, ledger_time_ms)

    def ledger_date(self, seq: int) -> date:
        """Return the ledger date as of an entry: of the last one, as of the last record that the balances know."""
        watermark = self.balances.watermark
        time_ms = ledger_time_of(self._entries, seq) if 0 < seq < watermark.seq else watermark.ledger_time_ms
        return format_date(self._parameters.ledger_date(time_ms))

    def balance(self, account: str | int, moment: Moment) -> PastBalance | None:
        """Return what an account held at a moment, or ``None`` where it was not open yet.

        Reads the account's entries from now back to the moment; for a value date, all of them back to its opening.
        Raises ``JournalDamaged``.
        """
        slot, head = self._head(account)
        if slot is None:
            return None
        walk = EVERYTHING.walk(self._entries, slot, head)
        walk.back_to(moment.seq)
        last_seq, sums = walk.seq, Sums(*walk.sums)
        if last_seq and moment.value_date is not None:
            walk = Filter(value_dates=(date.min, moment.value_date)).walk(self._entries, slot, Position(last_seq, sums))
            walk.back_to(0)
            counted = Sums(*walk.counted_sums)
            sums = Sums(debits_posted=counted.debits_posted, credits_posted=counted.credits_posted)
        return PastBalance(_name(account), sums, last_seq) if last_seq else None

    def trial_balance(self, moment: Moment, progress: Callable[[int], object] | None = None) -> TrialBalance:
        """Return all accounts added up as of a moment, by a pass over the journal from its beginning to there.

        Takes 64 bytes of memory an account. ``progress`` is called with the last entry that is added. Raises ``JournalDamaged``.
        """
        last_value_date = -1 if moment.value_date is None else days_of(moment.value_date)
        past = PastAccounts(self._folder, moment.seq, last_value_date=last_value_date)
        while past.apply_some(_STEP_BYTES):
            if progress is not None:
                progress(past.seq)
        if past.seq < moment.seq:
            raise JournalDamaged("the journal ends before an entry that the balances hold", expected=moment.seq, found=past.seq)
        self._bytes_passed += past.bytes_read
        self._entries_passed += past.seq
        return of_totals(past.totals())

    def statement(
        self,
        account: str | int,
        *,
        limit: int,
        oldest_first: bool = False,
        cursor: Cursor | None = None,
        wanted: Filter = EVERYTHING,
    ) -> Page:
        """Return a page of an account's entries, from the newest or the oldest, or from the cursor of another page on.

        Raises ``NotFound`` where the account never opened, ``JournalDamaged``.
        """
        slot, head = self._head(account)
        if slot is None:
            raise NotFound(f"No such account: {_name(account)}", hint="An account opens with the first event that names it")
        if oldest_first:
            return oldest_page(self._entries, slot, head, cursor, limit, wanted)
        return newest_page(self._entries, slot, cursor.position if cursor else head, limit, wanted)

    def entries(self, account: str | int) -> Iterator[list[tuple[int, bytes]]]:
        """Yield all entries of an account, newest first, many at a time: seq and 96 bytes. Raises ``JournalDamaged``."""
        slot, head = self._head(account)
        if slot is not None:
            walk = EVERYTHING.walk(self._entries, slot, head)
            while page := walk.newest_entries(_ENTRIES_AT_ONCE):
                yield page

    def entries_since(self, business_date: date) -> Iterator[tuple[int, memoryview]]:
        """Yield what the journal has from when events of a business date could first come: seq and entries, a frame at a time.

        Raises ``JournalDamaged``.
        """
        watermark = self.balances.watermark
        first_seq = self.seq_at(self._parameters.first_time_ms(business_date) - 1) + 1
        if first_seq <= watermark.seq:
            reader = JournalReader(self._folder, up_to_frame=watermark.frame)
            reader.seek_seq(first_seq)
            for frame in reader:
                yield frame.first_seq, frame.entries

    def _head(self, account: str | int) -> tuple[int | None, Position]:
        """Return the slot of an account and how it is now."""
        slot, now = self.balances.slot_of(account), self.balances.get(account)
        if slot is None or now is None:
            return None, Position()
        sums = Sums(now.debits_pending, now.debits_posted, now.credits_pending, now.credits_posted)
        return slot, Position(now.last_seq, sums)


def shard_histories(data_directory: Path | str) -> dict[str, History]:
    """Return the histories of all shards of a data directory. Raises ``LedgerNotFound`` where there is none."""
    return {shard: History(Path(data_directory) / shard) for shard in ShardedBalances(data_directory).shards}


def _name(account: str | int) -> str:
    return format_account(account if isinstance(account, int) else parse_account(account))
