"""The files of batch withholding: a bank's instructions and its answers. docs/withholding.md describes them.

All are CSV with one header for all rows: a heading that names the try, numbered lines, and trailers with control totals. Every
fault raises FileRefused with line and column; whether the totals are right is known at the end only, so what was made of the
lines before must not count until then.
"""

import csv
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import NamedTuple, Protocol

from ledger.csv_files import FileEncoding, find_encoding, read_rows
from ledger.errors import FileInvalid, FileRefused
from ledger.event_fields import NO_DATE, NO_HOUSEHOLD, format_date, parse_date, parse_household, parse_period, period_exists
from ledger.withholding import Try

RUN_COLUMNS = ("line", "household", "amount_fen", "period", "account", "holder")
ANSWER_COLUMNS = ("line", "household", "amount_fen", "result", "reason")
RUN = "run"
TOTAL = "total"
ANSWER = "answer"
PAID = "paid"
REFUSED = "refused"
GREATEST_FEN = 2**63 - 1

_HINT = "Ask the bank for a right file; nothing of this one was published"
_LONGEST_HOLDER = 64
_NUMBER_OF_A_RUN = re.compile(r"[0-9]{9,20}")
_NUMBER_OF_A_TRY = re.compile(r"[1-9][0-9]{0,2}")
_NUMBER_OF_A_LINE = re.compile(r"[1-9][0-9]{0,8}")
_AMOUNT = re.compile(r"[0-9]{1,19}")
_ACCOUNT = re.compile(r"[0-9]{1,32}")
_REASON = re.compile(r"0?[1-9]|[1-9][0-9]")


class CsvWriter(Protocol):
    """What ``csv.writer`` returns."""

    def writerow(self, row: Iterable[object], /) -> object: ...


class Heading(NamedTuple):
    """The try that a file is about, and the business date of the file."""

    of: Try
    business_date: date


class RunLine(NamedTuple):
    """One instruction: withhold ``amount_fen`` from the holder's account for a household's bill of ``period``."""

    number: int
    household: str
    amount_fen: int
    period: str
    account: str
    holder: str


class Totals:
    """Lines counted and added up, to be held against a trailer."""

    def __init__(self) -> None:
        self.count = self.sum_fen = 0

    def add(self, amount_fen: int) -> None:
        self.count += 1
        self.sum_fen += amount_fen


class _Rows:
    """The rows of one file behind its header, and what is common to them."""

    def __init__(self, path: Path, columns: Sequence[str], encoding: FileEncoding) -> None:
        self._path, self._columns = path, columns
        self._rows = read_rows(path, columns, encoding)
        self.line = 1
        self.last_number = 0

    def __iter__(self) -> Iterator[list[str]]:
        try:
            for line, row in self._rows:
                self.line = line
                yield row
        except FileInvalid as error:
            raise FileRefused(str(error.args[0]), hint=error.hint or _HINT, **error.numbers) from error

    def fault(self, problem: str, column: str = "", *, hint: str = _HINT) -> FileRefused:
        """Return the error about the present row."""
        numbers = {"line": self.line} | ({"column": column} if column else {})
        return FileRefused(f"{self._path}: {problem}", hint=hint, **numbers)

    def heading(self, word: str) -> Heading:
        """Read the heading, the first row."""
        row = next(iter(self), [])
        if not row or row[0] != word or any(row[5:]):
            raise self.fault(f"the first row behind the header must be {word},RUN,BUSINESS_DATE,BANK,TRY", self._columns[0])
        _, run, day, bank, number = row[:5]
        if not _NUMBER_OF_A_RUN.fullmatch(run):
            raise self.fault(f"{run!r} is no number of a run, of 9 to 20 digits", self._columns[1])
        days = parse_date(day)
        if days == NO_DATE:
            raise self.fault(f"{day!r} is not a date, YYYY-MM-DD", self._columns[2])
        if not _NUMBER_OF_A_TRY.fullmatch(number):
            raise self.fault(f"{number!r} is not the number of a try, from 1", self._columns[4])
        return Heading(Try(bank, run, int(number)), format_date(days))

    def number(self, text: str, *, without_gaps: bool = False) -> int:
        """Read the number of a line, which must grow from line to line, and by one where there are to be no gaps."""
        if not _NUMBER_OF_A_LINE.fullmatch(text):
            raise self.fault(f"{text!r} is neither the number of a line, 1 to 999999999, nor a trailer", "line")
        number = int(text)
        if number <= self.last_number:
            raise self.fault(f"line {number} comes behind line {self.last_number}: each number once, in their order", "line")
        if without_gaps and number != self.last_number + 1:
            raise self.fault(f"line {number} comes behind line {self.last_number}: there must be no gap", "line")
        self.last_number = number
        return number

    def household(self, text: str) -> str:
        if parse_household(text) == NO_HOUSEHOLD:
            raise self.fault(f"{text!r} is not a household's number of 13 digits", "household")
        return text

    def amount_fen(self, text: str) -> int:
        amount_fen = int(text) if _AMOUNT.fullmatch(text) else 0
        if not 0 < amount_fen <= GREATEST_FEN:
            raise self.fault(f"{text!r} is no amount in fen above zero", "amount_fen")
        return amount_fen

    def check_trailer(self, row: Sequence[str], found: Totals) -> None:
        """Hold a trailer against what was found."""
        columns = self._columns[1:3]
        totals = (("count of lines", found.count), ("sum in fen", found.sum_fen))
        for column, text, (name, is_) in zip(columns, row[1:3], totals, strict=True):
            if text != str(is_):
                raise self.fault(f"the {name} of {row[0]} is {is_}, the trailer says {text!r}", column)
        if any(row[3:]):
            raise self.fault("a trailer has nothing behind its totals", self._columns[3])

    def check_end(self) -> None:
        """Refuse what stands behind the last trailer."""
        for _ in self:
            raise self.fault("there is more behind the trailer", self._columns[0])


@contextmanager
def writing(path: Path, encoding: FileEncoding) -> Iterator[CsvWriter]:
    """Give what writes the rows of a file, which is there when all of it is written."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        with unfinished.open("w", encoding=encoding, newline="") as file:
            yield csv.writer(file, lineterminator="\n")
        unfinished.replace(path)
    except OSError as error:
        raise FileInvalid(f"{path}: {error.strerror}", hint="Name a file that can be written") from error
    finally:
        unfinished.unlink(missing_ok=True)


class _TryFile:
    """A file about one try. ``heading`` is read when it is opened, the rest each time it is asked for."""

    columns: tuple[str, ...]
    word: str  # that the heading begins with

    def __init__(self, path: Path, encoding: FileEncoding | None = None) -> None:
        """Where no ``encoding`` is told it is found out. Raises FileRefused."""
        self.path = path
        self.encoding: FileEncoding = encoding or find_encoding(path)
        self.heading = self._rows().heading(self.word)

    def _rows(self) -> _Rows:
        return _Rows(self.path, self.columns, self.encoding)

    def _rows_behind_heading(self) -> _Rows:
        rows = self._rows()
        if rows.heading(self.word) != self.heading:
            raise rows.fault("the file was changed while it was read", hint="Nothing of it was published; give the command again")
        return rows


class RunFile(_TryFile):
    """A file of instructions. What ``lines`` yields is checked line by line, the totals at the end."""

    columns = RUN_COLUMNS
    word = RUN

    def lines(self) -> Iterator[RunLine]:
        """Yield the lines as they are read, each time from the beginning."""
        rows, totals, households = self._rows_behind_heading(), Totals(), set[int]()
        for row in rows:
            if row[0] == TOTAL:
                rows.check_trailer(row, totals)
                rows.check_end()
                if not totals.count:
                    raise rows.fault("there are no lines")
                return
            line = _run_line(rows, row, without_gaps=self.heading.of.number == 1)
            households.add(int(line.household))
            totals.add(line.amount_fen)
            if len(households) < totals.count:
                raise rows.fault(f"household {line.household} stands in an earlier line already", "household")
            yield line
        raise rows.fault("there is no trailer", hint=f"The last row must be {TOTAL},COUNT,SUM_FEN,,,")


def _run_line(rows: _Rows, row: list[str], *, without_gaps: bool) -> RunLine:
    number, household, amount, period, account, holder = row
    line = RunLine(
        rows.number(number, without_gaps=without_gaps),
        rows.household(household),
        rows.amount_fen(amount),
        period,
        account,
        holder,
    )
    if not period_exists(parse_period(period)):
        raise rows.fault(f"{period!r} is not a month, YYYY-MM", "period")
    if not _ACCOUNT.fullmatch(account):
        raise rows.fault(f"{account!r} is no number of an account, of 1 to 32 digits", "account")
    if not holder.strip() or len(holder) > _LONGEST_HOLDER or min(holder) < " ":
        raise rows.fault(f"{holder!r} is no name, of 1 to {_LONGEST_HOLDER} characters", "holder")
    return line


class Instruction(NamedTuple):
    """What is booked of a line."""

    number: int
    household: str
    amount_fen: int


class Instructions:
    """The lines of a run that was read to its end, in 20 bytes a line."""

    def __init__(self, file: RunFile) -> None:
        """Reads all of the file. Raises FileRefused."""
        self.heading = file.heading
        self._numbers, self._households, self._amounts_fen = array("I"), array("Q"), array("q")
        for line in file.lines():
            self._numbers.append(line.number)
            self._households.append(int(line.household))
            self._amounts_fen.append(line.amount_fen)

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[Instruction]:
        for number, household, amount_fen in zip(self._numbers, self._households, self._amounts_fen, strict=True):
            yield Instruction(number, f"{household:013d}", amount_fen)

    @property
    def last(self) -> Instruction:
        return Instruction(self._numbers[-1], f"{self._households[-1]:013d}", self._amounts_fen[-1])

    @property
    def sum_fen(self) -> int:
        return sum(self._amounts_fen)


class AnswerLine(NamedTuple):
    """The bank's answer to one instruction: paid, or refused for a ``reason`` above zero."""

    number: int
    household: str
    amount_fen: int
    reason: int

    @property
    def is_paid(self) -> bool:
        return not self.reason


class AnswerFile(_TryFile):
    """A file of answers to a try. What ``lines`` yields is checked line by line, the totals at the end."""

    columns = ANSWER_COLUMNS
    word = ANSWER

    def lines(self) -> Iterator[AnswerLine]:
        """Yield the lines as they are read, each time from the beginning."""
        rows = self._rows_behind_heading()
        paid, refused = Totals(), Totals()
        for row in rows:
            if row[0] == PAID:
                rows.check_trailer(row, paid)
                last = next(iter(rows), [""])
                if last[0] != REFUSED:
                    raise rows.fault("behind the trailer of what is paid must come that of what is refused", "line")
                rows.check_trailer(last, refused)
                rows.check_end()
                return
            line = _answer_line(rows, row)
            (paid if line.is_paid else refused).add(line.amount_fen)
            yield line
        raise rows.fault(
            "there are no trailers", hint=f"The last rows must be {PAID},COUNT,SUM_FEN,, and {REFUSED},COUNT,SUM_FEN,,"
        )


def _answer_line(rows: _Rows, row: list[str]) -> AnswerLine:
    number, household, amount, result, reason = row
    if result not in (PAID, REFUSED):
        raise rows.fault(f"{result!r} is neither {PAID} nor {REFUSED}", "result")
    if result == PAID and reason:
        raise rows.fault("what is paid has no reason", "reason")
    if result == REFUSED and not _REASON.fullmatch(reason):
        raise rows.fault(f"{reason!r} is no reason, 1 to 99", "reason")
    return AnswerLine(rows.number(number), rows.household(household), rows.amount_fen(amount), int(reason or 0))


class Answers:
    """The lines of a file of answers that was read to its end, in 21 bytes a line."""

    def __init__(self, file: AnswerFile) -> None:
        """Reads all of the file. Raises FileRefused."""
        self.heading = file.heading
        self._numbers, self._households, self._amounts_fen, self._reasons = array("I"), array("Q"), array("q"), array("B")
        for line in file.lines():
            self._numbers.append(line.number)
            self._households.append(int(line.household))
            self._amounts_fen.append(line.amount_fen)
            self._reasons.append(line.reason)

    def __iter__(self) -> Iterator[AnswerLine]:
        lines = zip(self._numbers, self._households, self._amounts_fen, self._reasons, strict=True)
        for number, household, amount_fen, reason in lines:
            yield AnswerLine(number, f"{household:013d}", amount_fen, reason)
