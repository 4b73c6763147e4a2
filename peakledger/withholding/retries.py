"""The retry calendar: which lines of a run are tried again on a date, as a run file of their own."""

from collections.abc import Iterator, Sequence
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from ledger.csv_files import FileEncoding
from ledger.errors import ConfigurationError, FileRefused
from ledger.withholding import FAILED, MISSING, Result, Standing, WithheldLines, Withholder
from peakledger.withholding.files import RUN, RUN_COLUMNS, TOTAL, RunFile, RunLine, Totals, writing
from peakledger.withholding.running import check_same


class Fate(StrEnum):
    """What becomes of a line on a day of the calendar."""

    tried_again = "tried_again"
    pending = "pending"
    done = "done"
    paid_in_vain = "paid_in_vain"
    given_up = "given_up"
    missing = "missing"


class Due(NamedTuple):
    """A line of a run, and what becomes of it."""

    line: RunLine
    fate: Fate


class Retries:
    """What is tried again of a run on a date of its calendar."""

    def __init__(self, file: RunFile, on: date, withholder: Withholder, withheld: WithheldLines) -> None:
        """``file`` is that of the first try. Raises ConfigurationError where the date is not in the calendar, FileRefused."""
        of = file.heading.of
        withholder.check(of, file.heading.business_date)
        if of.number != 1:
            raise ConfigurationError(f"{file.path} is try {of.number} of run {of.run}", hint="Name the file of its first try")
        dates = withholder.dates(of.run)
        if on not in dates[1:]:
            days = ", ".join(map(str, dates[1:])) or "no day"
            raise ConfigurationError(f"run {of.run} is not tried again on {on}", hint=f"Its calendar has {days}")
        self.of = of._replace(number=dates.index(on) + 1)
        if withheld.standings(self.of):
            hint = "Run the file that was made then again, which changes nothing"
            raise FileRefused(f"try {self.of.number} of run {of.run} was run already", hint=hint)
        self._file, self._on, self._withholder = file, on, withholder
        self._tries = [withheld.standings(of._replace(number=number)) for number in range(1, self.of.number)]

    def __iter__(self) -> Iterator[Due]:
        """Yield the lines of the run, in their order. Raises FileRefused."""
        for line in self._file.lines():
            standings = [known.get(line.number, MISSING) for known in self._tries]
            for standing in standings:
                if standing.result not in (Result.missing, Result.refused):
                    check_same(self.of, line.number, line.household, line.amount_fen, standing)
            yield Due(line, fate_of(standings, self._withholder))

    def totals(self) -> dict[Fate, Totals]:
        """Return count and sum of all lines by what becomes of them."""
        totals = {fate: Totals() for fate in Fate}
        for line, fate in self:
            totals[fate].add(line.amount_fen)
        return {fate: total for fate, total in totals.items() if total.count}

    def write(self, path: Path, encoding: FileEncoding) -> None:
        """Write the run file of the lines that are tried again."""
        again = Totals()
        with writing(path, encoding) as rows:
            rows.writerow(RUN_COLUMNS)
            rows.writerow([RUN, self.of.run, self._on, self.of.bank, self.of.number, ""])
            for line in (line for line, fate in self if fate is Fate.tried_again):
                again.add(line.amount_fen)
                rows.writerow(line)
            rows.writerow([TOTAL, again.count, again.sum_fen, "", "", ""])


def fate_of(standings: Sequence[Standing], withholder: Withholder) -> Fate:
    """Return what becomes of a line that stands so in the tries before: tried again only where none is open or paid."""
    results = {standing.result for standing in standings} - {Result.missing}
    if not results:
        return Fate.missing
    if results & {Result.posted, Result.reversed}:
        return Fate.done
    if any(standing.paid_in_vain for standing in standings):
        return Fate.paid_in_vain
    if Result.pending in results:
        return Fate.pending
    last = next(standing for standing in reversed(standings) if standing.result in FAILED)
    return Fate.tried_again if withholder.may_pass(last) else Fate.given_up
