"""Finds what became of an event, by reading the journal: the key tables of open days are in the engine's memory only."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from ledger._core import Frame, JournalReader
from ledger.channels import Channel
from ledger.errors import PeakledgerError
from ledger.event_fields import NO_SERIAL, parse_date, parse_serial
from ledger.layouts import JOURNAL_ENTRY, OUTCOME_RECORD, EntryKind, Layout
from ledger.outcomes import OutcomeCode


class FoundOutcome(NamedTuple):
    """What became of one event. ``seq`` as in ``outcome_record``, or of the event's first entry where it was applied."""

    offset: int
    code: OutcomeCode
    seq: int
    time_ms: int
    channel: int
    business_date: int


def find_outcomes(shard_directory: Path, channel: Channel, business_date: date, serial: str) -> Iterator[FoundOutcome]:
    """Yield every outcome of the events with a key, in the order of the journal.

    Reads all of the journal, at the speed of a search for 16 bytes. Raises PeakledgerError where the serial is not in the form
    of the channel, and what reading the journal raises.
    """
    key = parse_serial(serial, channel.serial_form)
    if key == NO_SERIAL:
        raise PeakledgerError(f"{serial!r} is no serial of {channel.name}", hint=f"Its form is {channel.serial_form.name}")
    named = (channel.code, parse_date(business_date.isoformat()))
    for frame in JournalReader(shard_directory / "journal", follow=True):
        found = [*_applied(frame, key), *_not_applied(frame, key)]
        yield from sorted(one for one in found if (one.channel, one.business_date) == named)


def _applied(frame: Frame, serial: bytes) -> Iterator[FoundOutcome]:
    entries = bytes(frame.entries)
    openings = [(index, entry) for index, entry in _search(JOURNAL_ENTRY, entries, serial, 24) if _is_opening(entry)]
    others = [(index, entry) for index, entry in _search(JOURNAL_ENTRY, entries, serial) if not _is_opening(entry)]
    for index, entry in openings + others:
        if entry["leg_count"] and entry["leg"] == 0 and entry["kind"] != EntryKind.release:
            seq, time_ms = frame.first_seq + index, entry["ledger_time_ms"]
            yield FoundOutcome(
                entry["source_offset"], OutcomeCode.applied, seq, time_ms, entry["channel"], entry["business_date"]
            )


def _not_applied(frame: Frame, serial: bytes) -> Iterator[FoundOutcome]:
    for _, outcome in _search(OUTCOME_RECORD, bytes(frame.outcomes), serial):
        code, time_ms = OutcomeCode(outcome["code"]), outcome["record_timestamp_ms"]
        yield FoundOutcome(outcome["source_offset"], code, outcome["seq"], time_ms, outcome["channel"], outcome["business_date"])


def _is_opening(entry: dict[str, Any]) -> bool:
    """Whether an entry opens an account: its account id stands where others have the serial of their event."""
    return bool(entry["kind"] == EntryKind.open_account)


def _search(layout: Layout, data: bytes, serial: bytes, place: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield index and fields of the records that have a serial at byte ``place``."""
    at = data.find(serial)
    while at >= 0:
        if at % layout.size == place:
            yield at // layout.size, layout.unpack(data, at)
        at = data.find(serial, at + 1)
