"""What channels tell of a season in files of their own, with a few differences, and whether reconciling finds each of them.

Of channels whose clearing account pays at once. There is a file for each of them and business date, as docs/reconciliation.md
describes it.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from functools import partial
from pathlib import Path
from uuid import UUID

import msgspec

from bench.season.arrivals import Arrival
from bench.season.draws import Purpose, lower, upper
from bench.season.plan import Season
from bench.workload import SEASON_WEIGHTS
from ledger.channels import BUILT_IN_CHANNELS, Channel, SerialForm
from ledger.event_fields import format_serial
from ledger.events import Payment, Reverse
from ledger.history import shard_histories
from ledger.outcomes import OutcomeCode
from ledger.payment_scan import read_bookings
from ledger.reconciliation import Finding, Verdict, reconcile
from peakledger.channel_file import COLUMNS, TRAILER, read_channel_file

_CHANNELS = {channel.name: channel for channel in BUILT_IN_CHANNELS if channel.name in SEASON_WEIGHTS}
_PLANTED = (Verdict.matched, Verdict.missing_there, Verdict.missing_here, Verdict.amount_differs)
_FEWEST_LINES = 3  # of a file that gets a difference
_WHY = {
    Verdict.missing_there: "booked here, and left out of the channel's file",
    Verdict.missing_here: "told by the channel, and never published",
    Verdict.amount_differs: "the channel tells another amount than it published",
}

Lines = dict[str, tuple[str, int]]  # household and fen by serial


class Difference(msgspec.Struct, frozen=True):
    """One payment of which a channel's file says something else than the journal; an amount is None where a side has none."""

    channel: str
    business_date: date
    serial: str
    verdict: str
    there_fen: int | None
    here_fen: int | None


class SettlementLine(msgspec.Struct, frozen=True):
    """A difference, whether it was planted and whether it was found, and how it came to be."""

    difference: Difference
    is_told: bool
    is_found: bool

    @property
    def agrees(self) -> bool:
        return self.is_told and self.is_found

    @property
    def why(self) -> str:
        return _WHY[Verdict(self.difference.verdict)] if self.is_told else "nobody told of it"


def write_files(season: Season, arrivals: Iterable[Arrival], directory: Path) -> list[Difference]:
    """Write the channels' files of what arrives, and return the differences that were planted in them."""
    directory.mkdir(parents=True, exist_ok=True)
    differences = []
    for (channel, day), lines in sorted(_lines_of(arrivals).items()):
        planted = _plant(season, _CHANNELS[channel], day, lines)
        differences += [planted] if planted else []
        _write(_path(directory, channel, day), day, lines)
    return differences


def compare_files(directory: Path, told: Iterable[Difference], data_directory: Path) -> list[SettlementLine]:
    """Reconcile every file with the journals, and put the differences that are found beside those that were told.

    Raises FileInvalid, LedgerNotFound, JournalDamaged.
    """
    histories, found = list(shard_histories(data_directory).values()), set[Difference]()
    for path in sorted(directory.glob("*.csv")):
        name, _, day = path.stem.partition("-")
        channel, business_date = _CHANNELS[name], date.fromisoformat(day)
        lines = read_channel_file(path, channel.serial_form)
        bookings = partial(read_bookings, histories, channel)
        findings = reconcile(lines, business_date, bookings, days_around=0)
        found |= {_difference(channel, business_date, each) for each in findings if each.verdict is not Verdict.matched}
    told = set(told)
    both = sorted(told | found, key=lambda each: (each.channel, each.business_date, each.serial))
    return [SettlementLine(each, each in told, each in found) for each in both]


def _lines_of(arrivals: Iterable[Arrival]) -> dict[tuple[str, date], Lines]:
    """Return the payments that are booked and not reversed, by channel and business date."""
    files: dict[tuple[str, date], Lines] = defaultdict(dict)
    for each in arrivals:
        event = each.event
        if event.channel not in _CHANNELS or each.outcome is not OutcomeCode.applied:
            continue
        if isinstance(event, Payment):
            files[event.channel, event.business_date][event.serial] = (event.household, event.amount_fen)
        elif isinstance(event, Reverse):
            del files[event.channel, event.original.business_date][event.original.serial]
    return files


def _plant(season: Season, channel: Channel, day: date, lines: Lines) -> Difference | None:
    """Make a file differ in one line, or not: what, and which line, is drawn."""
    drawn = season.draws.draw(Purpose.settlement, day.toordinal() << 8 | channel.code)
    verdict = _PLANTED[upper(drawn, len(_PLANTED))]
    if verdict is Verdict.matched or len(lines) < _FEWEST_LINES:
        return None
    serial = list(lines)[lower(drawn, len(lines))]
    household, here_fen = lines[serial]
    if verdict is Verdict.missing_there:
        del lines[serial]
        return Difference(channel.name, day, serial, verdict, None, here_fen)
    if verdict is Verdict.amount_differs:
        lines[serial] = (household, here_fen + 1)
        return Difference(channel.name, day, serial, verdict, here_fen + 1, here_fen)
    serial = _serial_of_nothing(channel.serial_form, day)
    lines[serial] = (household, here_fen)
    return Difference(channel.name, day, serial, verdict, here_fen, None)


def _serial_of_nothing(form: SerialForm, day: date) -> str:
    """Return a serial that no event of a season has."""
    if form is SerialForm.uuid:
        return str(UUID(int=2**128 - 1))
    return f"{day:%Y%m%d}9999999999" if form is SerialForm.digits else "N9999999999"


def _path(directory: Path, channel: str, day: date) -> Path:
    return directory / f"{channel}-{day}.csv"


def _write(path: Path, day: date, lines: Lines) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows((serial, household, amount_fen, day) for serial, (household, amount_fen) in lines.items())
        writer.writerow((TRAILER, len(lines), sum(amount_fen for _, amount_fen in lines.values()), ""))


def _difference(channel: Channel, day: date, found: Finding) -> Difference:
    serial = format_serial(found.serial, channel.serial_form)
    there_fen, here_fen = (side.amount_fen if side else None for side in (found.there, found.here))
    return Difference(channel.name, day, serial, found.verdict.value, there_fen, here_fen)
