"""Statements: an account's entries, a page at a time, newest or oldest first, found by walking from entry to entry.

Each entry names the entry before it of both its accounts, so a statement needs no index and reads only its account's entries,
each by itself, 96 bytes. Going forward needs the links the other way round: a page walks back from further on to where the page
before ended. The first one walks the whole account and leaves marks on the way, which its cursor carries, so that the next
page begins at the nearest mark, and leaves marks in between.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

from ledger._core import AccountWalk, EntryReader
from ledger.layouts import NO_SLOT, EntryKind

_EPOCH = date(1970, 1, 1)
_LAST_DATE = _EPOCH + timedelta(days=0xFFFF)
_GREATEST = 2**64 - 1
_LATEST_MS = 2**63 - 1


class Sums(NamedTuple):
    """The four sums of an account, in fen. They only grow, but for what is pending."""

    debits_pending: int = 0
    debits_posted: int = 0
    credits_pending: int = 0
    credits_posted: int = 0

    @property
    def balance_fen(self) -> int:
        """Posted debits less posted credits. Of a household: what it owes, negative where it paid ahead."""
        return self.debits_posted - self.credits_posted


class Position(NamedTuple):
    """An account as its entry ``seq`` left it; ``seq`` 0 is before its opening."""

    seq: int = 0
    sums: Sums = Sums()


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which entries are lines of a statement. ``None`` is any; ranges include both their ends."""

    code: int | None = None
    channel: int | None = None
    counter_slot: int | None = None
    value_dates: tuple[date, date] = (_EPOCH, _LAST_DATE)
    seqs: tuple[int, int] = (0, _GREATEST)
    ledger_times_ms: tuple[int, int] = (0, _LATEST_MS)
    openings: bool = True

    def walk(self, entries: EntryReader, slot: int, position: Position) -> AccountWalk:
        """Return a walk back from a position of the account in ``slot``."""
        return AccountWalk(
            entries,
            slot,
            position.seq,
            position.sums,
            code=-1 if self.code is None else self.code,
            channel=-1 if self.channel is None else self.channel,
            counter_slot=-1 if self.counter_slot is None else self.counter_slot,
            first_value_date=days_of(self.value_dates[0]),
            last_value_date=days_of(self.value_dates[1]),
            first_seq=self.seqs[0],
            last_seq=self.seqs[1],
            first_ms=self.ledger_times_ms[0],
            last_ms=self.ledger_times_ms[1],
            openings=self.openings,
        )


EVERYTHING = Filter()


class StatementLine(NamedTuple):
    """One entry as its account sees it.

    ``debit_fen`` and ``credit_fen`` are what it posted; both are zero where it only opened, marked, held or gave back.
    ``pending_fen`` is what it added to the account's pending debits or credits, negative where it took away.
    ``counter_slot`` is the account on the other side, ``None`` where there is none. ``sums`` are the account's behind this
    entry. ``serial`` is in its channel's form; of an opening it is the account id.
    """

    seq: int
    ledger_time_ms: int
    business_date: date
    value_date: date
    kind: EntryKind
    code: int
    debit_fen: int
    credit_fen: int
    pending_fen: int
    sums: Sums
    counter_slot: int | None
    channel: int
    serial: bytes
    source_offset: int


class Cursor(NamedTuple):
    """Where a page ended: newest first before its last line, oldest first behind it. It means the same however the journal grows.

    ``mark_seqs`` are entries of the account further on, in rising order, near which a page that goes forward can begin.
    """

    oldest_first: bool
    position: Position
    mark_seqs: tuple[int, ...] = ()


class Page(NamedTuple):
    """Lines of a statement, and where to go on. Oldest first there is always a cursor: the account may grow.

    ``has_more`` is false when the page came to the end; where it is true, the rest may still hold no line that the filter wants.
    """

    lines: list[StatementLine]
    cursor: Cursor | None
    has_more: bool


def newest_page(entries: EntryReader, slot: int, position: Position, limit: int, wanted: Filter = EVERYTHING) -> Page:
    """Return at most ``limit`` lines of the account in ``slot``, newest first, from a position back.

    Raises ``JournalDamaged`` where an entry is missing or belongs to other accounts.
    """
    walk = wanted.walk(entries, slot, position)
    lines = [_line(walked) for walked in walk.newest(limit)]
    has_more = len(lines) == limit and walk.seq > 0 and walk.seq >= wanted.seqs[0]
    return Page(lines, Cursor(False, Position(walk.seq, Sums(*walk.sums))) if has_more else None, has_more)


def oldest_page(
    entries: EntryReader, slot: int, head: Position, cursor: Cursor | None, limit: int, wanted: Filter = EVERYTHING
) -> Page:
    """Return at most ``limit`` lines of the account in ``slot``, oldest first, from its opening or from a cursor on.

    ``head`` is the account as it is now. Raises what ``newest_page`` raises.
    """
    lines: list[StatementLine] = []
    position, marks = (cursor.position, list(cursor.mark_seqs)) if cursor else (None, [])
    while len(lines) < limit:
        # Without a position, the head's sums say what was posted before; with one, the sums at a mark need not be known.
        start = Position(marks.pop(0)) if position and marks else head
        if start.seq <= (position.seq if position else 0):
            break
        walk = wanted.walk(entries, slot, start)
        found = walk.oldest(limit - len(lines), *position or (0, None))
        lines += [_line(walked) for walked in found]
        is_full = len(lines) == limit
        position = Position(lines[-1].seq, lines[-1].sums) if is_full else Position(start.seq, Sums(*walk.start_sums))
        marks = [seq for seq in (*walk.mark_seqs, start.seq, *marks) if position.seq < seq < head.seq]
    end = position or head
    return Page(lines, Cursor(True, end, tuple(marks)), len(lines) == limit and end.seq < min(head.seq, wanted.seqs[1]))


def days_of(day: date) -> int:
    """Return a date as entries have it: days since 1970-01-01, the nearest that they can have."""
    return min(max(0, (day - _EPOCH).days), 0xFFFF)


def _line(walked: tuple[Any, ...]) -> StatementLine:
    seq, time_ms, business_date, value_date, kind, code, counter_slot, channel, serial, source_offset, behind, before = walked
    debits_pending, debit_fen, credits_pending, credit_fen = (new - old for new, old in zip(behind, before, strict=True))
    return StatementLine(
        seq=seq,
        ledger_time_ms=time_ms,
        business_date=_EPOCH + timedelta(days=business_date),
        value_date=_EPOCH + timedelta(days=value_date),
        kind=EntryKind(kind),
        code=code,
        debit_fen=debit_fen,
        credit_fen=credit_fen,
        pending_fen=debits_pending + credits_pending,
        sums=Sums(*behind),
        counter_slot=None if counter_slot == NO_SLOT else counter_slot,
        channel=channel,
        serial=serial,
        source_offset=source_offset,
    )
