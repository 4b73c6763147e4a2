"""``peakledger withholding`` on an embedded stream: runs, duplicates, files that are refused, and a run that was killed."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.commands import in_a_process
from tests.withheld import SETTINGS, Station, make_ledger, run_line, run_rows, write_rows, write_run

LINES = [run_line(1, 100), run_line(2, 250), run_line(3, 400)]


@pytest.fixture(scope="module")
def booked(tmp_path_factory):
    """A directory whose ledger has a run of LINES."""
    directory = tmp_path_factory.mktemp("booked")
    make_ledger(directory)
    file = write_run(directory / "run.csv", LINES)
    (item,) = in_a_process("withholding", "run", str(file), "--json", cwd=directory, **SETTINGS).items
    assert (item["lines"], item["amount_fen"], item["published"], item["duplicate"]) == (3, 750, 3, False)
    (item,) = in_a_process("run", "--stop-at-end", "--json", cwd=directory, **SETTINGS).items
    assert item["events_applied"] == 3
    return directory


@pytest.fixture
def station(booked, monkeypatch, capsys):
    return Station(booked, monkeypatch, capsys)


@pytest.fixture
def new_station(tmp_path, monkeypatch, capsys):
    make_ledger(tmp_path)
    return Station(tmp_path, monkeypatch, capsys)


def test_a_run_holds_every_line_and_the_same_file_is_a_duplicate_as_a_whole(station):
    (balance,) = station.command("balance", "clearing:01420260723", "--json").items
    assert (balance["debits_pending_fen"], balance["debits_posted_fen"]) == (750, 0)
    file = station.directory / "run.csv"
    (item,) = station.withholding("run", file, "--json").items
    assert (item["published"], item["booked_before"], item["duplicate"]) == (0, 3, True)
    assert "a duplicate as a whole" in station.withholding("run", file).out


def test_a_file_that_the_engine_has_not_consumed_yet_is_published_again_and_booked_once(new_station):
    file = write_run(new_station.directory / "run.csv", LINES)
    for _ in range(2):
        assert new_station.withholding("run", file, "--json").items[0]["published"] == 3
    counts = new_station.engine()
    assert (counts["events_applied"], counts["events_existing"]) == (3, 3)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([LINES[0], run_line(2, 251), LINES[2]], "line 2 has amount_fen 251, and was booked with 250"),
        ([LINES[0], LINES[1]._replace(household="3301234599999"), LINES[2]], "line 2 has household 3301234599999"),
        (LINES[:2], "line 3 was booked, and is not in this file"),
        ([*LINES, run_line(4)], "line 4 is the last in this file, and was not in the file that was run"),
    ],
)
def test_another_file_under_the_same_number_is_refused_as_a_whole(station, lines, told):
    before = station.published_bytes()
    ended = station.withholding("run", write_run(station.directory / "other.csv", lines))
    assert (ended.status, ended.out) == (11, "")
    assert told in ended.err
    assert station.published_bytes() == before


@pytest.mark.parametrize(
    ("row", "column", "value", "told"),
    [
        (-1, 2, "751", "the sum in fen of total is 750, the trailer says '751' (line 6, column amount_fen)"),
        (-1, 1, "4", "the count of lines of total is 3, the trailer says '4' (line 6, column household)"),
        (1, 3, "icbc", "no channel has the bank 'icbc'"),
        (1, 2, "2026-07-24", "try 1 of run 20260723001 is not of 2026-07-24. Its business date must be 2026-07-23"),
        (1, 1, "12345678901", "'12345678901' is no number of a run"),
        (1, 4, "4", "run 20260723001 has 3 tries, and no try 4"),
    ],
)
def test_a_file_with_a_fault_is_refused_and_nothing_is_published(station, row, column, value, told):
    rows = run_rows(LINES)
    rows[row][column] = value
    before = station.published_bytes()
    ended = station.withholding("run", write_rows(station.directory / "faulty.csv", rows))
    assert (ended.status, ended.out) == (11, "")
    assert told in ended.err and ended.err.count("\n") == 1
    assert station.published_bytes() == before


def test_a_file_that_is_not_there_and_an_encoding_that_is_not_known_are_errors_of_usage(station):
    assert station.withholding("run", "nowhere.csv").status == 2
    file = station.directory / "run.csv"
    assert station.withholding("run", file, "--file-encoding", "big5").status == 2


def test_a_run_that_was_killed_is_finished_by_running_it_again(new_station):
    count = 12_000
    file = write_run(new_station.directory / "run.csv", [run_line(number) for number in range(1, count + 1)])
    before = new_station.published_bytes()
    command = [sys.executable, "-m", "peakledger", "withholding", "run", str(file)]
    with subprocess.Popen(command, cwd=new_station.directory) as process:
        while new_station.published_bytes() < before + 50_000 and process.poll() is None:
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
    applied = new_station.engine()["events_applied"]
    assert applied > 0
    (item,) = new_station.withholding("run", file, "--json").items
    assert (item["published"], item["booked_before"]) == (count - applied, applied)
    counts = new_station.engine()
    assert (counts["events_applied"], counts["events_refused"]) == (count, 0)
    assert new_station.withholding("run", file, "--json").items[0]["duplicate"]
