"""What an event would change, kept apart from the ledger until all of it is known to be right: the oracle's all or none."""

from copy import copy
from heapq import heappush
from typing import Any

from ledger.layouts import JOURNAL_ENTRY, JOURNAL_NOTE, NO_SLOT, EntryCode, EntryKind
from ledger.model_events import BOOK, LEG_CLOSES, Event, Leg, LegName
from ledger.model_state import (
    Account,
    Hold,
    KeyOwner,
    LedgerState,
    above,
    account_of_opening,
    mark_account,
    move_amount,
)
from ledger.outcomes import OutcomeCode

MS_PER_SECOND = 1000


class Attempt:
    """Entries written on top of a ledger, with the accounts and holds as they would be after them.

    ``take_over`` makes the ledger what the attempt is; an attempt that is dropped leaves nothing behind.
    """

    def __init__(self, state: LedgerState, ledger_time_ms: int, source_offset: int) -> None:
        self.state = state
        self.common = {"ledger_time_ms": ledger_time_ms, "source_offset": source_offset}
        self.entries: list[bytes] = []
        self.accounts: dict[int, Account] = {}
        self.opened: list[int] = []
        self.holds: dict[LegName, Hold] = {}
        self.reversed_fen: dict[int, int] = {}
        self.closed_dates: set[tuple[int, int]] = set()

    @property
    def last_seq(self) -> int:
        return self.state.last_seq + len(self.entries)

    def entry(self, seq: int) -> dict[str, Any]:
        own = seq - self.state.last_seq
        return JOURNAL_ENTRY.unpack(self.entries[own - 1]) if own > 0 else self.state.entry(seq)

    def account(self, id_: int) -> Account | None:
        """Return the account as it is now, to read or to change; None where it is not open."""
        if id_ not in self.accounts and id_ in self.state.accounts:
            self.accounts[id_] = copy(self.state.accounts[id_])
        return self.accounts.get(id_)

    def account_at(self, slot: int) -> Account:
        known = self.state.account_ids
        account = self.account(known[slot] if slot < len(known) else self.opened[slot - len(known)])
        assert account
        return account

    def hold(self, name: LegName) -> Hold | None:
        return self.holds.get(name) or self.state.holds.get(name)

    def left_to_reverse(self, seq: int) -> int:
        """Return how much of an entry's amount was not reversed yet."""
        amount_fen: int = self.entry(seq)["amount_fen"]
        return amount_fen - self.reversed_fen.get(seq, self.state.reversed_fen.get(seq, 0))

    def open_account(self, id_: int, head: dict[str, Any], leg: Leg | None = None, flags: int = 0) -> Account:
        """Open an account: as ``leg`` says, the event being an ``open_account``; or with ``flags``, by an event that names it.

        The event's own serial goes where an opening has no account before it to link to.
        """
        line_fen, parent, detail, links = 0, None, BOOK | flags << 16, {}
        if leg:
            line_fen, parent, detail = leg.amount_fen, self.account(leg.credit_account), leg.book | leg.flags << 16
            low, high = int.from_bytes(head["serial"][:8], "little"), int.from_bytes(head["serial"][8:], "little")
            links = {"debit_previous_seq": low, "credit_previous_seq": high, "leg_count": 1}
        slot = len(self.state.account_ids) + len(self.opened)
        entry = self._append(
            head
            | links
            | {
                "kind": EntryKind.open_account,
                "code": EntryCode.open_account,
                "serial": id_.to_bytes(16, "little"),
                "amount_fen": line_fen,
                "detail": detail,
                "debit_slot": slot,
                "credit_slot": NO_SLOT,
                "reference_seq": parent.slot + 1 if parent else 0,
            }
        )
        self.opened.append(id_)
        self.accounts[id_] = account_of_opening(entry, self.last_seq, parent)
        return self.accounts[id_]

    def move(self, kind: EntryKind, debit: Account, credit: Account, fields: dict[str, Any]) -> int:
        """Write an entry between two accounts, with ``fields`` as they stand in ``journal_entry``, and return its seq."""
        links = {"debit_previous_seq": debit.last_seq, "credit_previous_seq": credit.last_seq}
        entry = self._append(fields | links | {"kind": kind, "debit_slot": debit.slot, "credit_slot": credit.slot})
        self._move_groups(kind, entry["amount_fen"], debit, credit)
        move_amount(entry, debit, credit)
        debit.last_seq = credit.last_seq = self.last_seq
        return self.last_seq

    def mark(self, kind: EntryKind, account: Account | None, fields: dict[str, Any]) -> None:
        """Write an entry that moves nothing: of one account, or of none."""
        slot, previous_seq = (account.slot, account.last_seq) if account else (NO_SLOT, 0)
        self._append(fields | {"kind": kind, "debit_slot": slot, "credit_slot": NO_SLOT, "debit_previous_seq": previous_seq})
        if account:
            mark_account(kind, account)
            account.last_seq = self.last_seq

    def write_note(self, fields: dict[str, Any], text: bytes) -> None:
        """Write a piece of a note, of at most 32 bytes."""
        texts = {"text": text[:16], "more_text": text[16:]}
        kinds = {"kind": EntryKind.note, "code": EntryCode.adjust, "debit_slot": NO_SLOT, "credit_slot": NO_SLOT}
        self.entries.append(JOURNAL_NOTE.pack(**self.common | fields | texts | kinds))

    def expire(self, hold: Hold) -> None:
        """Write the entry of a hold that is due: the hold's own, but for the count of legs and all flags that do not close."""
        held = self.entry(hold.seq)
        names = ("serial", "channel", "business_date", "value_date", "event_type", "leg", "code", "detail", "amount_fen")
        fields = {name: held[name] for name in names} | {"flags": held["flags"] & LEG_CLOSES, "reference_seq": hold.seq}
        self.move(EntryKind.expire, self.account_at(held["debit_slot"]), self.account_at(held["credit_slot"]), fields)
        self.settle(hold, OutcomeCode.pending_transfer_expired)

    def settle(self, hold: Hold, settled_with: OutcomeCode) -> None:
        self.holds[hold.name] = Hold(hold.name, hold.seq, settled_with)

    def take_over(self) -> None:
        """Make the ledger what this attempt is."""
        self.state.entries += self.entries
        self.state.accounts.update(self.accounts)
        self.state.account_ids += self.opened
        self.state.holds.update(self.holds)
        self.state.reversed_fen.update(self.reversed_fen)
        self.state.closed_dates |= self.closed_dates
        for hold in self.holds.values():
            held = self.state.entry(hold.seq)
            if hold.is_open and held["reference_seq"]:
                due_ms = held["ledger_time_ms"] + held["reference_seq"] * MS_PER_SECOND
                heappush(self.state.due, (due_ms, hold.seq, hold.name))

    def take_over_event(self, event: Event) -> None:
        """The same, and let the event own its key."""
        first = self.state.last_seq + 1
        while event.opens_accounts and self.entry(first)["kind"] == EntryKind.open_account:
            first += 1
        self.state.keys[event.key] = KeyOwner(event, first, self.last_seq)
        self.take_over()

    def _append(self, fields: dict[str, Any]) -> dict[str, Any]:
        self.entries.append(JOURNAL_ENTRY.pack(**self.common | fields))
        return self.entry(self.last_seq)

    def _move_groups(self, kind: EntryKind, amount_fen: int, debit: Account, credit: Account) -> None:
        """Move what the accounts, and all that stand above them, have together."""
        if kind in (EntryKind.transfer, EntryKind.reverse, EntryKind.pending):
            debits = amount_fen
        else:
            debits = 0 if kind is EntryKind.post else -amount_fen
        credits = amount_fen if kind in (EntryKind.transfer, EntryKind.reverse, EntryKind.post) else 0
        for account in (debit, *above(debit, self.account)):
            account.group_debits += debits
        for account in (credit, *above(credit, self.account)):
            account.group_credits += credits
