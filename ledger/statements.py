"""Statements: an account's entries, newest first, by walking from entry to entry through the journal.

Each entry names the entry before it of both its accounts, so a statement needs no index and reads only its account's entries:
one read of 96 bytes a line.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from ledger._core import EntryReader
from ledger.errors import JournalDamaged
from ledger.layouts import JOURNAL_ENTRY, NO_SLOT, EntryKind

_EPOCH = date(1970, 1, 1)
_POSTS = {EntryKind.transfer, EntryKind.reverse, EntryKind.post}
_PENDING_SIGN = {
    EntryKind.pending: 1,
    EntryKind.post: -1,
    EntryKind.void: -1,
    EntryKind.expire: -1,
    EntryKind.release: -1,
}


@dataclass(frozen=True, slots=True)
class StatementHead:
    """Where a statement begins: an account with the ``seq`` of its last entry and what was posted up to there, in fen.

    Of the account as it is now, or, to go on with a further page, ``StatementLine.before``.
    """

    slot: int
    last_seq: int
    debits_posted: int
    credits_posted: int

    @property
    def balance_fen(self) -> int:
        """Credits less debits."""
        return self.credits_posted - self.debits_posted


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One entry as its account sees it.

    ``debit_fen`` and ``credit_fen`` are what it posted; both are zero where it only opened, marked, held or gave back.
    ``pending_fen`` is what it added to the account's pending debits or credits, negative where it took away.
    ``counter_slot`` is the account on the other side, ``None`` where there is none. ``balance_fen`` is credits less debits behind
    this entry; ``before`` is the account before it. ``serial`` is in its channel's form; of an opening it is the account id.
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
    balance_fen: int
    counter_slot: int | None
    channel: int
    serial: bytes
    source_offset: int
    before: StatementHead


def statement(reader: EntryReader, head: StatementHead) -> Iterator[StatementLine]:
    """Yield the lines of an account's statement, newest first. Holds one line at a time.

    Raises ``JournalDamaged`` where an entry is missing or belongs to other accounts.
    """
    while head.last_seq:
        entry = reader.read_entry(head.last_seq)
        if entry is None:
            raise JournalDamaged("an entry that an account names is missing", seq=head.last_seq)
        line = _line(JOURNAL_ENTRY.unpack(entry), head)
        yield line
        head = line.before


def _line(entry: dict[str, Any], head: StatementHead) -> StatementLine:
    is_debit = entry["debit_slot"] == head.slot
    if not is_debit and entry["credit_slot"] != head.slot:
        raise JournalDamaged(
            "an account names an entry of other accounts", seq=head.last_seq, expected=head.slot, found=entry["debit_slot"]
        )
    kind = EntryKind(entry["kind"])
    # An opening has none before it: the serial of its event stands there.
    previous_seq = 0 if kind is EntryKind.open_account else entry["debit_previous_seq" if is_debit else "credit_previous_seq"]
    if previous_seq >= head.last_seq:
        raise JournalDamaged("an entry names a later one as the one before it", seq=head.last_seq, found=previous_seq)
    posted_fen = entry["amount_fen"] if kind in _POSTS else 0
    debit_fen, credit_fen = (posted_fen, 0) if is_debit else (0, posted_fen)
    counter_slot = entry["credit_slot" if is_debit else "debit_slot"]
    return StatementLine(
        seq=head.last_seq,
        ledger_time_ms=entry["ledger_time_ms"],
        business_date=_EPOCH + timedelta(days=entry["business_date"]),
        value_date=_EPOCH + timedelta(days=entry["value_date"]),
        kind=kind,
        code=entry["code"],
        debit_fen=debit_fen,
        credit_fen=credit_fen,
        pending_fen=_PENDING_SIGN.get(kind, 0) * entry["amount_fen"],
        balance_fen=head.balance_fen,
        counter_slot=None if counter_slot == NO_SLOT else counter_slot,
        channel=entry["channel"],
        serial=entry["serial"],
        source_offset=entry["source_offset"],
        before=StatementHead(head.slot, previous_seq, head.debits_posted - debit_fen, head.credits_posted - credit_fen),
    )
