"""What must be true of a shard's ledger at any time, checked from its files alone."""

import shutil
import struct
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from ledger._core import Frame, JournalReader
from ledger.account_ids import format_account
from ledger.engine import Engine
from ledger.layouts import EntryKind
from ledger.model import Model
from ledger.projections.balances import BalanceReader

# journal_entry: serial, amount_fen, slots, kind
ENTRY = struct.Struct("<16sQ48xII8xB7x")
Balances = dict[str, tuple[int, int, int]]


def check_journal(directory: Path) -> tuple[int, bytes]:
    """Check that the whole frames of a journal leave no record out and count none twice.

    For a source without gaps. Returns the records consumed and all entries.
    """
    entries, consumed, next_seq, epoch = bytearray(), 0, 1, 0
    for frame in frames(directory):
        assert frame.first_seq == next_seq
        assert frame.epoch >= epoch, "a writer that was fenced has written"
        assert frame.records_consumed == frame.next_offset, "a record has no outcome, or two"
        assert frame.records_consumed == frame.events_applied + frame.events_existing + frame.events_refused
        entries += frame.entries
        consumed, epoch, next_seq = frame.records_consumed, frame.epoch, next_seq + frame.entry_count
    return consumed, bytes(entries)


def check_balances(directory: Path, entries: bytes) -> None:
    """Check that the balances in LMDB are what the entries come to, and that they sum up to zero."""
    found = {
        balance.account: (balance.debits_posted, balance.credits_posted, balance.last_seq)
        for balance in BalanceReader(directory).items()
    }
    assert sum(debits for debits, _, _ in found.values()) == sum(credits for _, credits, _ in found.values())
    assert found == replay(entries)


def check_recovery(directory: Path) -> tuple[int, int]:
    """Check what a killed engine left, and what the next start makes of it, on a copy. Returns records consumed and last seq."""
    with tempfile.TemporaryDirectory(dir=directory.parent) as temporary:
        copy = Path(temporary) / directory.name
        shutil.copytree(directory, copy)
        consumed, entries = check_journal(copy)
        topic, _, partition = directory.name.rpartition("-")
        with Engine.open(copy, source=f"{topic}/{partition}", segment_bytes=4 << 20) as engine:
            assert (engine.next_offset, engine.applied_seq) == (consumed, len(entries) // ENTRY.size)
        check_balances(copy, entries)
    return consumed, len(entries) // ENTRY.size


def check_against_model(directory: Path, records: Iterable[tuple[bytes | None, int]]) -> None:
    """Check a ledger entry by entry against the plain-Python oracle. ``records`` are (value, timestamp_ms), offsets from 0."""
    model = Model()
    for offset, (value, timestamp_ms) in enumerate(records):
        model.apply_record(value, offset, timestamp_ms)
    consumed, entries = check_journal(directory)
    assert consumed == model.records_consumed
    assert entries == b"".join(model.entries)
    assert model.trial_balance() == 0
    check_balances(directory, entries)


def replay(entries: bytes) -> Balances:
    """The debits, credits and last seq of each account that entries come to."""
    accounts: list[tuple[str, list[int]]] = []
    for seq, (serial, amount_fen, debit_slot, credit_slot, kind) in enumerate(ENTRY.iter_unpack(entries), 1):
        if kind == EntryKind.open_account:
            accounts.append((format_account(int.from_bytes(serial, "little")), [0, 0, seq]))
            continue
        for slot, side in ((debit_slot, 0), (credit_slot, 1)):
            accounts[slot][1][side] += amount_fen
            accounts[slot][1][2] = seq
    return {name: (debits, credits, last_seq) for name, (debits, credits, last_seq) in accounts}


def frames(directory: Path) -> Iterator[Frame]:
    yield from JournalReader(directory / "journal")
