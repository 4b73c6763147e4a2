"""The statement of an account: its entries, found by walking from its last one back to its opening. There is no index.

Each entry names the entry before it of its debit account and of its credit account, so a statement reads the account's own
entries and no others.
"""

from array import array
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from ledger._core import EntryReader
from ledger.channels import BUILT_IN_CHANNELS
from ledger.errors import JournalDamaged, NotFound
from ledger.event_fields import format_date, format_serial
from ledger.layouts import JOURNAL_ENTRY, EntryKind, EventType
from ledger.projections.balances import Balance, BalanceReader

_CHANNELS = {channel.code: channel for channel in BUILT_IN_CHANNELS}


class StatementLine(msgspec.Struct, frozen=True):
    """One transfer of an account. ``balance_fen``: posted debits less posted credits after it."""

    seq: int
    event: str
    channel: str
    business_date: date
    serial: str
    ledger_time_ms: int
    value_date: date
    offset: int
    counter_account: str
    debit_fen: int
    credit_fen: int
    balance_fen: int


class Statement:
    """The statement of one account of one shard, as of the balances' watermark when it was made."""

    def __init__(self, shard_directory: Path, account: str) -> None:
        """Raises LedgerNotFound, and NotFound where the account never opened."""
        self._balances = BalanceReader(shard_directory)
        self._entries = EntryReader(shard_directory / "journal")
        balance = self._balances.get(account)
        if balance is None:
            raise NotFound(f"No such account: {account}", hint="An account opens with the first event that names it")
        self.balance: Balance = balance
        self._slot = self._own_slot(balance)

    def newest_first(self) -> Iterator[StatementLine]:
        """Yield the lines from the last to the first."""
        balance_fen = self.balance.balance_fen
        for seq, entry in self._walk():
            line = self._line(seq, entry, balance_fen)
            yield line
            balance_fen -= line.debit_fen - line.credit_fen

    def oldest_first(self) -> Iterator[StatementLine]:
        """Yield the lines from the first to the last. Walks the account once before, keeping 8 bytes a line."""
        balance_fen = 0
        for seq in reversed(array("Q", (seq for seq, _ in self._walk()))):
            entry = self._entry(seq)
            balance_fen += entry["amount_fen"] * (1 if entry["debit_slot"] == self._slot else -1)
            yield self._line(seq, entry, balance_fen)

    def _walk(self) -> Iterator[tuple[int, dict[str, Any]]]:
        seq = self.balance.last_seq
        while seq:
            entry = self._entry(seq)
            if entry["kind"] == EntryKind.transfer:
                yield seq, entry
            seq = entry["debit_previous_seq" if entry["debit_slot"] == self._slot else "credit_previous_seq"]

    def _entry(self, seq: int) -> dict[str, Any]:
        data = self._entries.read_entry(seq)
        if data is None:
            raise JournalDamaged("The journal lacks an entry that the balances hold", seq=seq)
        return JOURNAL_ENTRY.unpack(data)

    def _own_slot(self, balance: Balance) -> int:
        entry = self._entry(balance.last_seq)
        slots = [entry["debit_slot"], entry["credit_slot"]]
        for slot, account in zip(slots, self._balances.accounts_in(slots), strict=True):
            if account == balance.account:
                return int(slot)
        raise JournalDamaged("An account's last entry is not its own", seq=balance.last_seq)

    def _line(self, seq: int, entry: dict[str, Any], balance_fen: int) -> StatementLine:
        channel = _CHANNELS[entry["channel"]]
        is_debit = entry["debit_slot"] == self._slot
        (counter_account,) = self._balances.accounts_in([entry["credit_slot" if is_debit else "debit_slot"]])
        return StatementLine(
            seq=seq,
            event=EventType(entry["event_type"]).name,
            channel=channel.name,
            business_date=format_date(entry["business_date"]),
            serial=format_serial(entry["serial"], channel.serial_form),
            ledger_time_ms=entry["ledger_time_ms"],
            value_date=format_date(entry["value_date"]),
            offset=entry["source_offset"],
            counter_account=counter_account or "",
            debit_fen=entry["amount_fen"] if is_debit else 0,
            credit_fen=0 if is_debit else entry["amount_fen"],
            balance_fen=balance_fen,
        )
