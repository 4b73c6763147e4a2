"""What became of each line of a run, from the journal alone: as totals, and as the file that goes back to the bank."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

from ledger.csv_files import FileEncoding
from ledger.outcomes import OutcomeCode
from ledger.withholding import FAILED, MISSING, Result, Standing, WithheldLines, Withholder
from peakledger.withholding.files import RUN_COLUMNS, TOTAL, RunFile, RunLine, Totals, writing
from peakledger.withholding.running import check_same

RETURN_COLUMNS = (*RUN_COLUMNS, "result", "paid_fen", "seq", "reason", "code", "retry_on")
RETURN = "return"
NEVER = "never"


class Returned(NamedTuple):
    """A line and what became of it. ``retry_on`` is the date of the next try.

    A line that failed without one is given up, but for one that was paid in vain, about which a person must decide.
    """

    line: RunLine
    standing: Standing
    retry_on: date | None

    @property
    def is_given_up(self) -> bool:
        return self.standing.result in FAILED and self.retry_on is None and not self.standing.paid_in_vain


class ReturnTotals:
    """Returned lines counted and added up, by result, and those of them that are tried again or given up."""

    def __init__(self) -> None:
        self.by_result = {result: Totals() for result in Result}
        self.retried = dict.fromkeys(Result, 0)
        self.given_up = dict.fromkeys(Result, 0)
        self.all = Totals()

    def add(self, returned: Returned) -> None:
        result = returned.standing.result
        for totals in (self.by_result[result], self.all):
            totals.add(returned.line.amount_fen)
        self.retried[result] += returned.retry_on is not None
        self.given_up[result] += returned.is_given_up

    def results(self) -> list[Result]:
        """Return the results that occur."""
        return [result for result in Result if self.by_result[result].count]


def returned_lines(file: RunFile, withholder: Withholder, withheld: WithheldLines) -> Iterator[Returned]:
    """Yield the lines of a run with what became of them.

    Raises FileRefused where the file is not the one that was run, or has a fault, which may lie behind lines that were yielded.
    """
    of = file.heading.of
    withholder.check(of, file.heading.business_date)
    standings = withheld.standings(of)
    for line in file.lines():
        standing = standings.get(line.number, MISSING)
        if standing.result not in (Result.missing, Result.refused):
            check_same(of, line.number, line.household, line.amount_fen, standing)
        retry_on = withholder.next_try(of, standing) if standing.result in FAILED else None
        yield Returned(line, standing, retry_on)


def write_return(file: RunFile, lines: Iterator[Returned], path: Path, encoding: FileEncoding) -> ReturnTotals:
    """Write the file that goes back to the bank. It is there when it is whole."""
    of, day = file.heading
    totals = ReturnTotals()
    with writing(path, encoding) as rows:
        rows.writerow(RETURN_COLUMNS)
        rows.writerow(_padded([RETURN, of.run, day, of.bank, of.number]))
        for returned in lines:
            totals.add(returned)
            rows.writerow([*returned.line, *_told(returned)])
        for result in totals.results():
            rows.writerow(_padded([result, totals.by_result[result].count, totals.by_result[result].sum_fen]))
        rows.writerow(_padded([TOTAL, totals.all.count, totals.all.sum_fen]))
    return totals


def _told(returned: Returned) -> list[object]:
    standing = returned.standing
    reason = f"{standing.reason:02d}" if standing.reason else ""
    code = "" if standing.code is OutcomeCode.applied else standing.code.name
    retry_on = returned.retry_on or (NEVER if returned.is_given_up else "")
    return [standing.result, standing.paid_fen, standing.seq or "", reason, code, retry_on]


def _padded(values: list[object]) -> list[object]:
    return values + [""] * (len(RETURN_COLUMNS) - len(values))
