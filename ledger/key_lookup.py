"""Finds what became of idempotency keys from a shard's files, whether an engine runs or not: the key table of the business date,
and what the journal got since that was written."""

import struct
from collections.abc import Collection, Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple, Self

from ledger._core import Frame, JournalReader, find_key
from ledger.channels import Channel
from ledger.errors import NameInvalid
from ledger.event_fields import NO_SERIAL, parse_date, parse_serial
from ledger.journal import FrameHeader, find_end, read_parameters
from ledger.key_checkpoint import complete_directory, table_path
from ledger.layouts import JOURNAL_ENTRY, KEY_CHECKPOINT, OUTCOME_RECORD, EntryKind
from ledger.outcomes import TRANSIENT, OutcomeCode

# An opening has its account's id where other entries have the serial of their event, and that serial behind it.
_SERIALS_OF_ENTRY = struct.Struct("<16s8x16s56x")
_SERIAL_OF_OUTCOME = struct.Struct("<16s48x")


class EventKey(NamedTuple):
    """An idempotency key as it is stored: channel's code, business date in days since 1970-01-01, serial of 16 bytes."""

    channel: int
    business_date: int
    serial: bytes

    @classmethod
    def of(cls, channel: Channel, business_date: date, serial: str) -> Self:
        """Raises NameInvalid where the serial is not in the form of the channel."""
        stored = parse_serial(serial, channel.serial_form)
        if stored == NO_SERIAL:
            raise NameInvalid(f"{serial!r} is no serial of {channel.name}", hint=f"Its form is {channel.serial_form.name}")
        return cls(channel.code, parse_date(business_date.isoformat()), stored)


class KnownKey(NamedTuple):
    """What became of a key: ``applied``, with the first entry of its event, or burnt by a refusal, with ``seq`` 0."""

    code: OutcomeCode
    seq: int


class KeyLookup:
    """Looks up keys of one shard."""

    def __init__(self, shard_directory: Path | str) -> None:
        """Raises LedgerNotFound."""
        self._directory = Path(shard_directory)
        self._header = read_parameters(self._directory)
        end = find_end(self._directory / "journal")
        last = FrameHeader.unpack(end.last_frame) if end and end.last_frame else None
        parameters = self._header.parameters
        self._first_open_date = parameters.ledger_date(last.ledger_time_ms) - parameters.close_after_days if last else 0

    def knows(self, business_date: int) -> bool:
        """Whether the business date is open: the keys of one that has closed are forgotten."""
        return business_date >= self._first_open_date

    def find(self, keys: Collection[EventKey]) -> dict[EventKey, KnownKey]:
        """Return what became of those keys that are known.

        Reads one part of a key table for each key, and once what the journal got since. Raises KeyTableDamaged, JournalDamaged.
        """
        while True:
            tables = complete_directory(self._directory / "keys")
            try:
                return self._find(tables, [key for key in keys if self.knows(key.business_date)])
            except FileNotFoundError:
                if complete_directory(self._directory / "keys") == tables:
                    raise  # otherwise a new owner of the ledger has moved the tables meanwhile

    def _find(self, tables: Path | None, keys: Collection[EventKey]) -> dict[EventKey, KnownKey]:
        reader = JournalReader(self._directory / "journal", follow=True)
        found: dict[EventKey, KnownKey] = {}
        if tables:
            # Before the tables: they may hold more than the checkpoint says, never less.
            reader.seek_frame(KEY_CHECKPOINT.unpack((tables / "checkpoint").read_bytes())["watermark_frame"] + 1)
            found = {key: known for key in keys if (known := self._in_table(tables, key))}
            if not (tables / "checkpoint").exists():
                raise FileNotFoundError(tables)
        missing = {key: key.serial for key in keys if key not in found}
        for frame in reader if missing else ():
            for key, known in _in_frame(frame, frozenset(missing.values())):
                if key in missing:
                    found.setdefault(key, known)
        return found

    def _in_table(self, tables: Path, key: EventKey) -> KnownKey | None:
        path = table_path(tables, key.business_date)
        if not path.exists():
            return None  # the date is open, and had no event when the tables were written
        known = find_key(str(path), self._header.hash_seed, self._header.ledger_id, key.serial, key.channel)
        return known and KnownKey(OutcomeCode(known[1]), known[0])


def _in_frame(frame: Frame, serials: frozenset[bytes]) -> Iterator[tuple[EventKey, KnownKey]]:
    """Yield the keys with one of ``serials`` that a frame's events own or burn, and some that only look so."""
    for index, (serial, behind) in enumerate(_SERIALS_OF_ENTRY.iter_unpack(frame.entries)):
        if serial in serials or behind in serials:
            entry = JOURNAL_ENTRY.unpack(frame.entries, index * JOURNAL_ENTRY.size)
            if is_first_of_event(entry):
                own = behind if entry["kind"] == EntryKind.open_account else serial
                key = EventKey(entry["channel"], entry["business_date"], own)
                yield key, KnownKey(OutcomeCode.applied, frame.first_seq + index)
    for index, (serial,) in enumerate(_SERIAL_OF_OUTCOME.iter_unpack(frame.outcomes)):
        if serial in serials:
            outcome = OUTCOME_RECORD.unpack(frame.outcomes, index * OUTCOME_RECORD.size)
            if outcome["code"] in TRANSIENT:
                key = EventKey(outcome["channel"], outcome["business_date"], serial)
                yield key, KnownKey(OutcomeCode(outcome["code"]), 0)


def is_first_of_event(entry: dict[str, int]) -> bool:
    """Whether an entry stands for its event: the first leg of what was asked, not what came about on the way."""
    return entry["leg_count"] > 0 and entry["leg"] == 0 and entry["kind"] != EntryKind.release
