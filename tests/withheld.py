"""Files of withholding for tests, written by plain means, and the command on a ledger of its own."""

import sys
from pathlib import Path

import pytest

from peakledger import cli
from peakledger.withholding.files import RUN_COLUMNS, RunLine
from tests.commands import Ended, in_a_process

RUN = "20260723001"
DAY = "2026-07-23"


def run_line(number: int, amount_fen: int = 100, holder: str = "张德福") -> RunLine:
    return RunLine(number, f"33012345{number:05d}", amount_fen, "2026-06", f"62179912345678{number:05d}", holder)


def run_rows(lines: list[RunLine], *, run: str = RUN, day: str = DAY, try_number: int = 1) -> list[list[str]]:
    heading = ["run", run, day, "psbc", str(try_number), ""]
    trailer = ["total", str(len(lines)), str(sum(line.amount_fen for line in lines)), "", "", ""]
    return [list(RUN_COLUMNS), heading, *([str(value) for value in line] for line in lines), trailer]


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
}


def make_ledger(directory: Path) -> None:
    """Make an embedded stream and an empty ledger in a directory."""
    for command in (["topics", "create"], ["run", "--stop-at-end"]):
        assert in_a_process(*command, cwd=directory, **SETTINGS).status == 0


class Station:
    """``peakledger`` in a directory with an embedded stream and a ledger, in this process; the engine runs when it is told to."""

    def __init__(self, directory: Path, monkeypatch, capsys) -> None:
        self.directory, self._monkeypatch, self._capsys = directory, monkeypatch, capsys
        for key, value in SETTINGS.items():
            monkeypatch.setenv(key, value)
        monkeypatch.chdir(directory)

    def command(self, *arguments: object) -> Ended:
        self._monkeypatch.setattr(sys, "argv", ["peakledger", *map(str, arguments)])
        with pytest.raises(SystemExit) as raised:
            cli.main()
        captured = self._capsys.readouterr()
        return Ended(int(raised.value.code or 0), captured.out, captured.err)

    def withholding(self, *arguments: object) -> Ended:
        return self.command("withholding", *arguments)

    def engine(self) -> dict[str, int]:
        """Apply what was published so far; return the engine's counts."""
        (item,) = self.command("run", "--stop-at-end", "--json").items
        return item

    def published_bytes(self) -> int:
        return sum(path.stat().st_size for path in (self.directory / "stream").rglob("*") if path.is_file())
