"""Holds what must have become of a season against what the journal says of it: each channel and outcome, each fen."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec

from bench.season.tally import UNKNOWN_CHANNEL, Tally
from bench.workload import LEDGER_ZONE
from ledger._core import JournalReader
from ledger.channels import BUILT_IN_CHANNELS
from ledger.errors import FileInvalid
from ledger.key_lookup import is_first_of_event
from ledger.layouts import JOURNAL_ENTRY, OUTCOME_RECORD, EventType
from ledger.outcomes import OutcomeCode
from ledger.projections.balances import ShardedBalances
from ledger.projections.trial_balance import Totals, trial_balance
from ledger.statements import Sums
from peakledger.season.settlement import Difference, SettlementLine, compare_files
from peakledger.season.watching import Behind

_NAMES = {channel.code: channel.name for channel in BUILT_IN_CHANNELS}
_HOUSEHOLD_EVENTS = {EventType.bill, EventType.payment}


class ToldLine(msgspec.Struct, frozen=True):
    """How many events of a channel must have an outcome, and the fen of the bills and payments among those applied."""

    channel: str
    outcome: str
    events: int
    amount_fen: int


class Told(msgspec.Struct, frozen=True):
    """What ``peakledger season --told`` kept; with ``--watch``, how far engines were behind it."""

    items: tuple[ToldLine, ...]
    published: int
    scale: int
    days: int
    seed: int
    behind: Behind | None = None
    differences: tuple[Difference, ...] = ()


@dataclass
class Found:
    """What the journals say. ``by_day`` counts events by ledger date and what became of them: applied, exists or refused."""

    tally: Tally = field(default_factory=Tally)
    by_day: Counter[tuple[date, str]] = field(default_factory=Counter)

    def add(self, channel: int, outcome: OutcomeCode, time_ms: int, amount_fen: int = 0) -> None:
        name = _NAMES.get(channel, UNKNOWN_CHANNEL)
        self.tally.events[name, outcome.name] += 1
        if amount_fen:
            self.tally.amounts_fen[name] += amount_fen
        became = outcome.name if outcome in {OutcomeCode.applied, OutcomeCode.exists} else "refused"
        self.by_day[datetime.fromtimestamp(time_ms / 1000, LEDGER_ZONE).date(), became] += 1


@dataclass(frozen=True)
class Line:
    """A channel and an outcome: what was told of it, and what the journals say."""

    channel: str
    outcome: str
    told_events: int
    events: int
    told_fen: int
    amount_fen: int

    @property
    def agrees(self) -> bool:
        return (self.told_events, self.told_fen) == (self.events, self.amount_fen)


@dataclass(frozen=True)
class Report:
    """What became of a season. ``kinds`` are the sums of the accounts of all shards by kind."""

    told: Told
    lines: list[Line]
    by_day: Counter[tuple[date, str]]
    kinds: dict[str, Sums]
    applied: int
    exists: int
    refused: int
    is_balanced: bool
    settlement: list[SettlementLine] | None = None

    @property
    def checks(self) -> dict[str, bool]:
        """What must hold, in words, and whether it does."""
        settled = (
            {}
            if self.settlement is None
            else {"every settlement difference found and explained": all(line.agrees for line in self.settlement)}
        )
        return settled | {
            "published = applied + exists + refused": self.told.published == self.applied + self.exists + self.refused,
            "every channel and outcome as told": all(line.agrees for line in self.lines),
            "debits equal credits, posted and pending": self.is_balanced,
        }

    @property
    def is_sound(self) -> bool:
        return all(self.checks.values())


def read_told(path: Path) -> Told:
    """Read what ``peakledger season --told`` kept. Raises FileInvalid."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Told)
    except OSError as error:
        raise FileInvalid(f"{path}: {error.strerror}", hint="Name the file that peakledger season --told kept") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FileInvalid(f"{path}: {error}", hint="Name the file that peakledger season --told kept") from error


def make_report(told: Told, data_directory: Path, files: Path | None = None) -> Report:
    """Hold a season against all shards of a data directory, as far as their balances are; and the channels' files, where given.

    Reads all of their journals, in plain Python. Raises LedgerNotFound, and what reading the journal raises.
    """
    readers = ShardedBalances(data_directory).shards
    found, balances = Found(), [trial_balance(reader) for reader in readers.values()]
    for shard, reader in readers.items():
        _read_journal(JournalReader(data_directory / shard / "journal", up_to_frame=reader.watermark.frame), found)
    marks = [reader.watermark for reader in readers.values()]
    return Report(
        told,
        _lines(told.items, found.tally),
        found.by_day,
        _by_kind(kind for balance in balances for kind in balance.kinds),
        sum(mark.events_applied for mark in marks),
        sum(mark.events_existing for mark in marks),
        sum(mark.events_refused for mark in marks),
        all(balance.is_balanced for balance in balances),
        compare_files(files, told.differences, data_directory) if files else None,
    )


def _read_journal(reader: JournalReader, found: Found) -> None:
    for frame in reader:
        for entry in JOURNAL_ENTRY.unpack_all(frame.entries):
            if is_first_of_event(entry):
                amount_fen = entry["amount_fen"] if entry["event_type"] in _HOUSEHOLD_EVENTS else 0
                found.add(entry["channel"], OutcomeCode.applied, entry["ledger_time_ms"], amount_fen)
        for outcome in OUTCOME_RECORD.unpack_all(frame.outcomes):
            found.add(outcome["channel"], OutcomeCode(outcome["code"]), outcome["record_timestamp_ms"])


def _lines(told: Iterable[ToldLine], tally: Tally) -> list[Line]:
    """Put both sides beside each other, also where one of them has nothing."""
    both: dict[tuple[str, str], dict[str, Any]] = {(line.channel, line.outcome): {"told": line} for line in told}
    for item in tally.items():
        line = msgspec.convert(item, ToldLine)
        both.setdefault((line.channel, line.outcome), {})["found"] = line
    nothing = ToldLine("", "", 0, 0)
    sides = [(key, side.get("told", nothing), side.get("found", nothing)) for key, side in sorted(both.items())]
    return [Line(*key, there.events, here.events, there.amount_fen, here.amount_fen) for key, there, here in sides]


def _by_kind(kinds: Iterable[Totals]) -> dict[str, Sums]:
    sums: dict[str, Sums] = {}
    for one in kinds:
        before = sums.get(one.kind, Sums())
        sums[one.kind] = Sums(*map(sum, zip(before, one.sums, strict=True)))
    return sums
