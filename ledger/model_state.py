"""What the oracle knows between two events: accounts, entries, keys, holds; and what an entry does to its accounts."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ledger.layouts import ACCOUNT_RECORD, JOURNAL_ENTRY, EntryKind
from ledger.model_events import BOOK, LEG_CLOSING_CREDIT, LEG_CLOSING_DEBIT, Event, Key, LegName
from ledger.outcomes import OutcomeCode

GREATEST_BALANCE = 2**64 - 1
LOW_HALF = 2**64 - 1
MAX_LIMIT_LEVELS = 8

ACCOUNT_DEBITS_MUST_NOT_EXCEED_CREDITS = 0x0001
ACCOUNT_CREDITS_MUST_NOT_EXCEED_DEBITS = 0x0002
ACCOUNT_CLOSED = 0x0004
ACCOUNT_FROZEN = 0x0008
ACCOUNT_LIMITED = 0x0010


@dataclass(slots=True)
class Account:
    """One account, in fen. ``slot`` counts the accounts in the order of their opening, from 0.

    ``group_debits`` (pending and posted) and ``group_credits`` (posted) sum this account and all that stand below it, at any
    depth; they are what a limit parent's credit line is held against.
    """

    id: int
    slot: int
    book: int = BOOK
    flags: int = 0
    debits_pending: int = 0
    debits_posted: int = 0
    credits_pending: int = 0
    credits_posted: int = 0
    last_seq: int = 0
    credit_line_fen: int = 0
    limit_parent: int = 0
    group_debits: int = 0
    group_credits: int = 0

    @property
    def closed(self) -> bool:
        return self.flags & ACCOUNT_CLOSED != 0

    @property
    def frozen(self) -> bool:
        return self.flags & ACCOUNT_FROZEN != 0

    @property
    def at_zero(self) -> bool:
        return self.debits_posted == self.credits_posted and not self.debits_pending and not self.credits_pending

    def debits_exceed_credits(self, amount_fen: int) -> bool:
        """Whether ``amount_fen`` more of debits is too much for an account that must not have more debits than credits."""
        limit = self.credits_posted + self.credit_line_fen
        return (
            self.flags & ACCOUNT_DEBITS_MUST_NOT_EXCEED_CREDITS != 0
            and self.debits_pending + self.debits_posted + amount_fen > limit
        )

    def credits_exceed_debits(self, amount_fen: int) -> bool:
        """The mirror."""
        limit = self.debits_posted + self.credit_line_fen
        return (
            self.flags & ACCOUNT_CREDITS_MUST_NOT_EXCEED_DEBITS != 0
            and self.credits_pending + self.credits_posted + amount_fen > limit
        )

    def record(self) -> bytes:
        """Return the ``account_record``."""
        return ACCOUNT_RECORD.pack(
            id_low=self.id & LOW_HALF,
            id_high=self.id >> 64,
            debits_pending=self.debits_pending,
            debits_posted=self.debits_posted,
            credits_pending=self.credits_pending,
            credits_posted=self.credits_posted,
            last_seq=self.last_seq,
            book=self.book,
            flags=self.flags,
        )


def account_of_opening(entry: dict[str, Any], seq: int, parent: Account | None) -> Account:
    """Return the account that an ``open_account`` entry opens; ``parent`` is its limit parent, which is marked as such."""
    flags = entry["detail"] >> 16
    if entry["amount_fen"] or parent:
        flags |= ACCOUNT_LIMITED
    if parent:
        parent.flags |= ACCOUNT_LIMITED
    return Account(
        id=int.from_bytes(entry["serial"], "little"),
        slot=entry["debit_slot"],
        book=entry["detail"] & 0xFFFF,
        flags=flags,
        last_seq=seq,
        credit_line_fen=entry["amount_fen"],
        limit_parent=parent.id if parent else 0,
    )


def move_amount(entry: dict[str, Any], debit: Account, credit: Account) -> None:
    """Do to the accounts what an entry with two accounts says. Groups are not moved here."""
    kind, amount_fen, flags = entry["kind"], entry["amount_fen"], entry["flags"]
    if kind == EntryKind.pending:
        debit.debits_pending += amount_fen
        credit.credits_pending += amount_fen
        debit.flags |= ACCOUNT_CLOSED if flags & LEG_CLOSING_DEBIT else 0
        credit.flags |= ACCOUNT_CLOSED if flags & LEG_CLOSING_CREDIT else 0
    elif kind in (EntryKind.post, EntryKind.void, EntryKind.expire, EntryKind.release):
        debit.debits_pending -= amount_fen
        credit.credits_pending -= amount_fen
    if kind in (EntryKind.transfer, EntryKind.reverse, EntryKind.post):
        debit.debits_posted += amount_fen
        credit.credits_posted += amount_fen
    if kind in (EntryKind.void, EntryKind.expire):
        debit.flags &= ~ACCOUNT_CLOSED if flags & LEG_CLOSING_DEBIT else ~0
        credit.flags &= ~ACCOUNT_CLOSED if flags & LEG_CLOSING_CREDIT else ~0


def mark_account(kind: int, account: Account) -> None:
    """Freeze, unfreeze or close."""
    if kind == EntryKind.freeze:
        account.flags |= ACCOUNT_FROZEN
    elif kind == EntryKind.unfreeze:
        account.flags &= ~ACCOUNT_FROZEN
    elif kind == EntryKind.close:
        account.flags |= ACCOUNT_CLOSED


@dataclass(frozen=True, slots=True)
class Hold:
    """A pending transfer. ``settled_with`` is what a post or void of it is refused with; ``applied`` while it may be settled."""

    name: LegName
    seq: int
    settled_with: OutcomeCode = OutcomeCode.applied

    @property
    def is_open(self) -> bool:
        return self.settled_with is OutcomeCode.applied


@dataclass(frozen=True, slots=True)
class KeyOwner:
    """The event that was applied under a key, and its entries but for the opening of accounts that came with it."""

    event: Event
    first_seq: int
    last_seq: int


@dataclass(slots=True)
class LedgerState:
    """Everything that decides about the next event, but for the clock.

    ``entries`` has the entry of ``seq`` at ``seq - 1``. ``accounts`` is by id, in the order of opening; ``account_ids`` by slot.
    ``keys`` gives the event that owns a key, ``burnt_keys`` the code that a key failed with. ``holds`` are by the leg that made
    them; ``due`` is a heap of when they expire, with the seq of their entries. ``reversed_fen`` is by the seq reversed.
    ``closed_dates`` are the channels and business dates whose clearing account is closed for good.
    """

    entries: list[bytes] = field(default_factory=list)
    accounts: dict[int, Account] = field(default_factory=dict)
    account_ids: list[int] = field(default_factory=list)
    keys: dict[Key, KeyOwner] = field(default_factory=dict)
    burnt_keys: dict[Key, OutcomeCode] = field(default_factory=dict)
    holds: dict[LegName, Hold] = field(default_factory=dict)
    due: list[tuple[int, int, LegName]] = field(default_factory=list)
    reversed_fen: dict[int, int] = field(default_factory=dict)
    closed_dates: set[tuple[int, int]] = field(default_factory=set)

    @property
    def last_seq(self) -> int:
        return len(self.entries)

    def entry(self, seq: int) -> dict[str, Any]:
        return JOURNAL_ENTRY.unpack(self.entries[seq - 1])

    def account_at(self, slot: int) -> Account:
        return self.accounts[self.account_ids[slot]]


def above(account: Account, account_of: Callable[[int], Account | None]) -> Iterator[Account]:
    """Yield the limit parents of an account, the direct one first."""
    parent = account_of(account.limit_parent)
    while parent:
        yield parent
        parent = account_of(parent.limit_parent)
