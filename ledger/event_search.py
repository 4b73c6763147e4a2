"""Finds what became of an event: quickly by its key, or, with every repetition of it, by reading the whole journal."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ledger._core import EntryReader, Frame, JournalReader
from ledger.errors import JournalDamaged
from ledger.key_lookup import EventKey, KeyLookup, is_first_of_event
from ledger.layouts import JOURNAL_ENTRY, OUTCOME_RECORD, EntryKind, Layout
from ledger.outcomes import OutcomeCode
from ledger.projections.quarantine import Quarantine


class FoundOutcome(NamedTuple):
    """What became of one event. ``seq`` as in ``outcome_record``, or of the event's first entry where it was applied."""

    offset: int
    code: OutcomeCode
    seq: int
    time_ms: int


def look_up_outcomes(shard_directory: Path, key: EventKey) -> list[FoundOutcome] | None:
    """Return what became of the events with a key, but for those that were answered with ``exists``, in the order of arrival.

    Reads the key table of the business date, one entry, what the journal got since the table was written, and the quarantine.
    None where the business date has closed, so that the keys are forgotten. Raises KeyTableDamaged, JournalDamaged.
    """
    lookup = KeyLookup(shard_directory)
    if not lookup.knows(key.business_date):
        return None
    known = lookup.find([key]).get(key)
    applied = [_applied_at(shard_directory, known.seq)] if known and known.code is OutcomeCode.applied else []
    quarantine = Quarantine(shard_directory)
    quarantine.catch_up()
    refused = [FoundOutcome(event.offset, event.code, event.seq, event.record_timestamp_ms) for event in quarantine.of_key(*key)]
    return sorted(applied + refused)


def read_outcomes(shard_directory: Path, key: EventKey, *, first_frame: int = 1) -> Iterator[FoundOutcome]:
    """Yield every outcome of the events with a key, in the order of the journal, from a frame on.

    Reads all of the journal from there, at the speed of a search for 16 bytes. Raises what reading the journal raises.
    """
    reader = JournalReader(shard_directory / "journal", follow=True)
    reader.seek_frame(first_frame)
    for frame in reader:
        yield from sorted([*_applied(frame, key), *_not_applied(frame, key)])


def _applied_at(shard_directory: Path, seq: int) -> FoundOutcome:
    entry = EntryReader(shard_directory / "journal").read_entry(seq)
    if entry is None:
        raise JournalDamaged("an entry that a key table names is missing", seq=seq)
    return _of_entry(JOURNAL_ENTRY.unpack(entry), seq)


def _applied(frame: Frame, key: EventKey) -> Iterator[FoundOutcome]:
    entries = bytes(frame.entries)
    openings = [(index, entry) for index, entry in _search(JOURNAL_ENTRY, entries, key, 24) if _is_opening(entry)]
    others = [(index, entry) for index, entry in _search(JOURNAL_ENTRY, entries, key) if not _is_opening(entry)]
    for index, entry in openings + others:
        if is_first_of_event(entry):
            yield _of_entry(entry, frame.first_seq + index)


def _of_entry(entry: dict[str, Any], seq: int) -> FoundOutcome:
    return FoundOutcome(entry["source_offset"], OutcomeCode.applied, seq, entry["ledger_time_ms"])


def _not_applied(frame: Frame, key: EventKey) -> Iterator[FoundOutcome]:
    for _, outcome in _search(OUTCOME_RECORD, bytes(frame.outcomes), key):
        code, time_ms = OutcomeCode(outcome["code"]), outcome["record_timestamp_ms"]
        yield FoundOutcome(outcome["source_offset"], code, outcome["seq"], time_ms)


def _is_opening(entry: dict[str, Any]) -> bool:
    """Whether an entry opens an account: its account id stands where others have the serial of their event."""
    return bool(entry["kind"] == EntryKind.open_account)


def _search(layout: Layout, data: bytes, key: EventKey, place: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield index and fields of the records of a key that have its serial at byte ``place``."""
    at = data.find(key.serial)
    while at >= 0:
        if at % layout.size == place:
            record = layout.unpack(data, at - place)
            if (record["channel"], record["business_date"]) == (key.channel, key.business_date):
                yield at // layout.size, record
        at = data.find(key.serial, at + 1)
