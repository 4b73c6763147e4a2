"""Adjustments, read back from the journal with their notes: of an account, about an event, or all."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from ledger._core import EntryReader, JournalReader
from ledger.errors import JournalDamaged
from ledger.history import History
from ledger.key_lookup import EventKey
from ledger.layouts import JOURNAL_ENTRY, JOURNAL_NOTE, EntryCode, EntryKind, EventType
from ledger.notes import Note
from ledger.statements import Filter

_PAGE_LINES = 1000
_KIND_PLACE = 86  # of code, kind and event type, side by side in a journal_entry
_KIND = EntryCode.adjust.to_bytes(2, "little") + bytes([EntryKind.transfer, EventType.adjust])


class Adjustment(NamedTuple):
    """One adjustment as the journal has it. ``disputed`` is the key of the event that it is about, if there is one."""

    seq: int
    key: EventKey
    ledger_time_ms: int
    value_date: int
    debit_slot: int
    credit_slot: int
    amount_fen: int
    disputed: EventKey | None
    note: Note


class Adjustments:
    """The adjustments of one shard, while an engine writes it or none runs. Its methods raise ``JournalDamaged``."""

    def __init__(self, shard_directory: Path | str) -> None:
        self._folder = Path(shard_directory) / "journal"
        self._reader = EntryReader(self._folder)
        self._key_at = lru_cache(1024)(self._read_key)

    def at(self, seq: int) -> Adjustment | None:
        """Return the adjustment whose entry is ``seq``; ``None`` where that is another entry. Reads it and its note."""
        entry = JOURNAL_ENTRY.unpack(self._entry(seq))
        if not is_adjustment(entry):
            return None
        pieces = [JOURNAL_NOTE.unpack(self._entry(seq + leg)) for leg in range(1, entry["leg_count"])]
        try:
            note = Note.unpack(b"".join(piece["text"] + piece["more_text"] for piece in pieces))
        except ValueError as error:
            raise JournalDamaged(f"the note of an adjustment cannot be read: {error}", seq=seq) from error
        names = ("ledger_time_ms", "value_date", "debit_slot", "credit_slot", "amount_fen")
        disputed = self._key_at(entry["reference_seq"]) if entry["reference_seq"] else None
        return Adjustment(seq, key_of(entry), **{name: entry[name] for name in names}, disputed=disputed, note=note)

    def of_account(self, history: History, account: str) -> Iterator[Adjustment]:
        """Yield the adjustments of an account, newest first. Reads the account's entries and no others, but for notes.

        Raises ``NotFound`` where the account never opened.
        """
        page = history.statement(account, limit=_PAGE_LINES, wanted=Filter(code=EntryCode.adjust))
        while True:
            yield from (found for line in page.lines if (found := self.at(line.seq)))
            if page.cursor is None:
                return
            page = history.statement(account, limit=_PAGE_LINES, cursor=page.cursor, wanted=Filter(code=EntryCode.adjust))

    def since(self, seq: int, progress: Callable[[int], object] | None = None) -> Iterator[Adjustment]:
        """Yield the adjustments from an entry on, oldest first. Reads the journal from there, at the speed of a search for bytes.

        ``progress`` is called with the seq behind the last entry that was looked at.
        """
        reader = JournalReader(self._folder, follow=True)
        reader.seek_seq(seq)
        for frame in reader:
            entries = bytes(frame.entries)
            at = entries.find(_KIND)
            while at >= 0:
                index, place = divmod(at, JOURNAL_ENTRY.size)
                if place == _KIND_PLACE and frame.first_seq + index >= seq and (found := self.at(frame.first_seq + index)):
                    yield found
                at = entries.find(_KIND, at + 1)
            if progress is not None:
                progress(frame.first_seq + len(entries) // JOURNAL_ENTRY.size)

    def _read_key(self, seq: int) -> EventKey:
        return key_of(JOURNAL_ENTRY.unpack(self._entry(seq)))

    def _entry(self, seq: int) -> bytes:
        entry = self._reader.read_entry(seq)
        if entry is None:
            raise JournalDamaged("the journal lacks an entry of an adjustment", seq=seq)
        return entry


def is_adjustment(entry: dict[str, Any]) -> bool:
    """Say whether an entry is the one of an adjustment that moves the amount."""
    return bool(entry["event_type"] == EventType.adjust and entry["kind"] == EntryKind.transfer)


def key_of(entry: dict[str, Any]) -> EventKey:
    """Return the key of the event that made its first entry: an opening has the account's id where others have the serial."""
    serial = entry["serial"]
    if entry["kind"] == EntryKind.open_account:
        serial = entry["debit_previous_seq"].to_bytes(8, "little") + entry["credit_previous_seq"].to_bytes(8, "little")
    return EventKey(entry["channel"], entry["business_date"], serial)
