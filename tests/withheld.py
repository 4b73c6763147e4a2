"""Files of withholding for tests, written by plain means, and the command on a ledger of its own."""

import asyncio
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from ledger.events import Clock
from peakledger.withholding.files import ANSWER_COLUMNS, RUN_COLUMNS, AnswerLine, RunLine
from streams.publisher import EmbeddedPublisher
from tests.commands import Ended

RUN = "20260723001"
DAY = "2026-07-23"


def run_line(number: int, amount_fen: int = 100, holder: str = "张德福") -> RunLine:
    return RunLine(number, f"33012345{number:05d}", amount_fen, "2026-06", f"62179912345678{number:05d}", holder)


def run_rows(lines: list[RunLine], *, run: str = RUN, day: str = DAY, try_number: int = 1) -> list[list[str]]:
    heading = ["run", run, day, "psbc", str(try_number), ""]
    trailer = ["total", str(len(lines)), str(sum(line.amount_fen for line in lines)), "", "", ""]
    return [list(RUN_COLUMNS), heading, *([str(value) for value in line] for line in lines), trailer]


def answer_line(number: int, amount_fen: int = 100, reason: int = 0) -> AnswerLine:
    return AnswerLine(number, run_line(number).household, amount_fen, reason)


def answer_rows(lines: list[AnswerLine], *, run: str = RUN, day: str = "2026-07-24", try_number: int = 1) -> list[list[str]]:
    said = [[*map(str, line[:3]), *(["refused", f"{line.reason:02d}"] if line.reason else ["paid", ""])] for line in lines]
    totals = {word: [int(row[2]) for row in said if row[3] == word] for word in ("paid", "refused")}
    trailers = [[word, str(len(amounts)), str(sum(amounts)), "", ""] for word, amounts in totals.items()]
    return [list(ANSWER_COLUMNS), ["answer", run, day, "psbc", str(try_number)], *said, *trailers]


def write_rows(path: Path, rows: list[list[str]], encoding: str = "utf-8") -> Path:
    path.write_bytes("".join(",".join(row) + "\n" for row in rows).encode(encoding))
    return path


def write_run(path: Path, lines: list[RunLine], encoding: str = "utf-8", **heading: object) -> Path:
    return write_rows(path, run_rows(lines, **heading), encoding)


SETTINGS = {
    "PEAKLEDGER_STREAM": "stream",
    "PEAKLEDGER_DATA": "ledger",
    "PEAKLEDGER_CLOSE_AFTER_DAYS": "36500",
    "PEAKLEDGER_FUTURE_DAYS": "366",
    "PEAKLEDGER_MAX_AHEAD_S": "1e9",
}


class Station:
    """``peakledger`` in a directory with an embedded stream and a ledger, in this process; the engine runs when it is told to."""

    def __init__(self, directory: Path, monkeypatch, command: Callable[..., Ended]) -> None:
        """``command`` is the fixture."""
        self.directory, self.command = directory, command
        for key, value in SETTINGS.items():
            monkeypatch.setenv(key, value)
        monkeypatch.chdir(directory)

    def make_ledger(self) -> None:
        """Make an embedded stream and an empty ledger."""
        assert self.command("topics", "create").status == 0
        self.engine()

    def withholding(self, *arguments: object) -> Ended:
        return self.command("withholding", *map(str, arguments))

    def engine(self) -> dict[str, int]:
        """Apply what was published so far; return the engine's counts."""
        (item,) = self.command("run", "--stop-at-end", "--json").items
        return item

    def let_days_pass(self, days: int) -> None:
        """Move the clock of the ledger on, with the engine's next run."""
        event = Clock(channel="ledger", business_date=date(2026, 7, 23), serial=f"K{days}")

        async def publish() -> None:
            async with EmbeddedPublisher("payments.events", directory=self.directory / "stream") as publisher:
                await publisher.publish(event, timestamp_ms=int(time.time() + 86_400 * days) * 1000)

        asyncio.run(publish())

    def published_bytes(self) -> int:
        return sum(path.stat().st_size for path in (self.directory / "stream").rglob("*") if path.is_file())
