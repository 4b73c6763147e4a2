"""``peakledger withholding`` on an embedded stream: runs, duplicates, files that are refused, a run that was killed, the bank's
answers, the return file, and the retry calendar."""

import csv
import signal
import subprocess
import sys
import threading
import time
from datetime import date, timedelta

import pytest

from peakledger import config
from peakledger.catching_up import caught_up
from peakledger.shards import is_running, shard_directories
from streams.embedded import EmbeddedStream
from tests.withheld import Station, answer_line, answer_rows, run_line, run_rows, write_rows, write_run

LINES = [run_line(number, 100 * number) for number in range(1, 6)]
FROZEN = LINES[4].household  # whose line the ledger refuses
# Line 1 is paid, line 2 refused for a reason that may pass, line 3 for one that may not; line 4 is not answered yet.
ANSWERS = [answer_line(1), answer_line(2, 200, 1), answer_line(3, 300, 4)]


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("withheld")


@pytest.fixture
def station(directory, monkeypatch, command):
    """A ledger that has a run of LINES, of which it refused the last, and ANSWERS to it; the first test that asks makes it."""
    station = Station(directory, monkeypatch, command)
    if not (directory / "run.csv").exists():
        station.make_ledger()
        tell(station, FROZEN, "open_account", "freeze")
        (item,) = station.withholding("run", write_run(directory / "run.csv", LINES), "--json").items
        assert (item["lines"], item["amount_fen"], item["published"], item["duplicate"]) == (5, 1500, 5, False)
        assert station.engine()["events_applied"] == 6
        assert station.withholding("results", write_rows(directory / "answer.csv", answer_rows(ANSWERS))).status == 0
        counts = station.engine()
        assert (counts["events_applied"], counts["events_refused"]) == (9, 1)
    return station


def tell(station, household, *types):
    """Publish ledger events about a household's account."""
    head = f'{{"channel":"ledger","business_date":"2026-07-23","account":"household:{household}"'
    events = [f'{head},"type":"{type_}","serial":"{type_}{household[-3:]}"}}' for type_ in types]
    (station.directory / "events.jsonl").write_text("\n".join(events))
    assert station.command("publish", "events.jsonl").status == 0


# --- The run ------------------------------------------------------------------------------------------------------------


def test_the_same_file_again_is_a_duplicate_as_a_whole(station):
    before = station.published_bytes()
    (item,) = station.withholding("run", "run.csv", "--json").items
    assert (item["published"], item["booked_before"], item["duplicate"]) == (0, 5, True)
    assert "a duplicate as a whole" in station.withholding("run", "run.csv").out
    assert station.published_bytes() == before


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([LINES[0], run_line(2, 201), *LINES[2:]], "line 2 has amount_fen 201, and was booked with 200"),
        ([LINES[0], LINES[1]._replace(household="3301234599999"), *LINES[2:]], "line 2 has household 3301234599999"),
        (LINES[:3], "line 4 was booked, and is not in this file"),
        ([*LINES, run_line(6)], "line 6 is the last in this file, and was not in the file that was run"),
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
        (-1, 2, "1501", "the sum in fen of total is 1500, the trailer says '1501' (line 8, column amount_fen)"),
        (-1, 1, "4", "the count of lines of total is 5, the trailer says '4' (line 8, column household)"),
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


# The command, and on another thread its end when so much is published: from another process it might come too late.
KILLED_MIDWAY = """
import os, signal, sys, threading, time
from pathlib import Path
from peakledger.cli import main

def kill_at(published_bytes):
    while sum(path.stat().st_size for path in Path("stream").rglob("*") if path.is_file()) < published_bytes:
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGKILL)

threading.Thread(target=kill_at, args=[int(sys.argv.pop(1))], daemon=True).start()
main()
"""


def test_a_run_that_was_killed_is_finished_by_running_it_again(tmp_path, monkeypatch, command):
    station = Station(tmp_path, monkeypatch, command)
    station.make_ledger()
    count = 6_000
    file = write_run(station.directory / "run.csv", [run_line(number) for number in range(1, count + 1)])
    before = station.published_bytes()
    command = [sys.executable, "-c", KILLED_MIDWAY, str(before + 30_000), "withholding", "run", str(file)]
    assert subprocess.run(command, cwd=station.directory, check=False).returncode == -signal.SIGKILL
    applied = station.engine()["events_applied"]
    assert applied > 0
    (item,) = station.withholding("run", file, "--json").items
    assert (item["published"], item["booked_before"]) == (count - applied, applied)
    counts = station.engine()
    assert (counts["events_applied"], counts["events_refused"]) == (count, 0)
    assert station.withholding("run", file, "--json").items[0]["duplicate"]


def test_the_same_try_published_twice_is_booked_once(tmp_path, monkeypatch, command):
    station = Station(tmp_path, monkeypatch, command)
    station.make_ledger()
    file = write_run(tmp_path / "run.csv", LINES)
    for _ in range(2):  # a first try, which needs to know nothing of what came before, does not wait
        assert station.withholding("run", file, "--json").items[0]["published"] == 5
    counts = station.engine()
    assert (counts["events_applied"], counts["events_existing"], counts["events_refused"]) == (5, 5, 0)


# --- Behind -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def voided(tmp_path, monkeypatch, command):
    """A station where lines 1 and 2 failed, and the files of the second and of the third try of line 2."""
    station = Station(tmp_path, monkeypatch, command)
    station.make_ledger()
    assert station.withholding("run", write_run(tmp_path / "run.csv", LINES[:2])).status == 0
    station.engine()
    assert answer(station, [answer_line(1, reason=1), answer_line(2, 200, 1)]).status == 0
    station.engine()
    write_run(tmp_path / "2.csv", LINES[1:2], day="2026-07-26", try_number=2)
    write_run(tmp_path / "3.csv", LINES[1:2], day="2026-07-30", try_number=3)
    return station


def next_offset():
    with EmbeddedStream("stream") as stream:
        return stream.end_offset("payments.events", 0)


def test_a_try_is_not_published_while_another_is_published_and_not_consumed(voided):
    assert voided.withholding("run", "2.csv").status == 0
    before = next_offset()
    for file in ("3.csv", "2.csv"):
        ended = voided.withholding("run", file)
        assert (ended.status, ended.out) == (14, "")
        assert (
            "payments.events-0 has not applied what is published, and no engine runs (records 1). Nothing was published."
            in ended.err
        )
    assert next_offset() == before
    voided.engine()
    ended = voided.withholding("run", "3.csv")
    assert ended.status == 11 and "line 2 is pending in try 2" in ended.err
    assert voided.withholding("run", "2.csv", "--json").items[0]["duplicate"]
    assert next_offset() == before


def test_a_try_waits_for_an_engine_that_is_behind(voided):
    (shard,) = shard_directories("ledger")
    command, quiet = [sys.executable, "-m", "peakledger", "run"], subprocess.DEVNULL
    with subprocess.Popen(command, cwd=voided.directory, stdout=quiet, stderr=quiet) as engine:
        try:
            while not is_running(shard):
                assert engine.poll() is None
                time.sleep(0.01)
            engine.send_signal(signal.SIGSTOP)
            assert voided.withholding("run", "2.csv").status == 0
            before = next_offset()
            ended = voided.withholding("run", "3.csv", "--wait-s", "0.2")
            assert ended.status == 14 and "has not applied what is published in 0.2 s" in ended.err
            going_on = threading.Timer(0.3, engine.send_signal, [signal.SIGCONT])
            going_on.start()
            ended = voided.withholding("run", "3.csv")
            going_on.join()
            assert ended.status == 11 and "line 2 is pending in try 2" in ended.err
            assert next_offset() == before
        finally:
            engine.send_signal(signal.SIGCONT)
            engine.terminate()


def test_of_two_tries_at_the_same_time_one_is_published(voided):
    before = next_offset()
    with caught_up(config.load({}), wait_s=0):
        ended = voided.withholding("run", "2.csv")
    assert ended.status == 14 and "Another command is publishing a try of a run" in ended.err
    assert next_offset() == before
    assert voided.withholding("run", "2.csv", "--json").items[0]["published"] == 1


def test_lines_that_came_before_their_date_wait_as_a_later_try_does(tmp_path, monkeypatch, command):
    station = Station(tmp_path, monkeypatch, command)
    station.make_ledger()
    day = date.today() + timedelta(400)
    file = write_run(tmp_path / "early.csv", LINES[:1], run=f"{day:%Y%m%d}001", day=str(day))
    assert station.withholding("run", file).status == 0
    assert station.engine()["events_refused"] == 1
    station.let_days_pass(60)
    assert station.withholding("run", file).status == 14
    station.engine()
    assert station.withholding("run", file, "--json").items[0]["published"] == 1
    assert station.engine()["events_applied"] == 2  # with that of the clock


# --- What became of it --------------------------------------------------------------------------------------------------


def answer(station, lines, **heading):
    file = write_rows(station.directory / "other.csv", answer_rows(lines, **heading))
    return station.withholding("results", file, "--json")


def returned(station, file):
    """Return what the return file says of each line: result, reason, code of the ledger, date of the next try."""
    assert station.withholding("return", file, "--out", "back.csv").status == 0
    rows = list(csv.reader((station.directory / "back.csv").open(encoding="utf-8")))
    return {int(row[0]): (row[6], row[9], row[10], row[11]) for row in rows if row[0].isdigit()}


def counts(ended, name):
    return {item[name]: item["lines"] for item in ended.items}


def test_the_return_file_tells_what_became_of_each_line_with_totals_by_result(station):
    assert returned(station, "run.csv") == {
        1: ("posted", "", "", ""),
        2: ("voided", "01", "", "2026-07-26"),
        3: ("voided", "04", "", "never"),
        4: ("pending", "", "", ""),
        5: ("refused", "", "account_frozen", "2026-07-26"),
    }
    text = (station.directory / "back.csv").read_text()
    assert text.endswith(
        "pending,1,400{0}\nposted,1,100{0}\nvoided,2,500{0}\nrefused,1,500{0}\ntotal,5,1500{0}\n".format("," * 9)
    )
    for encoding in ("utf-8", "gb18030"):
        write_run(station.directory / "same.csv", LINES, encoding)
        assert station.withholding("return", "same.csv", "--out", "back.csv").status == 0
        assert (station.directory / "back.csv").read_text(encoding) == text
    assert counts(station.withholding("status", "run.csv", "--json"), "result")["voided"] == 2


@pytest.mark.parametrize(("out", "told"), [("run.csv", "it is the file that is read"), ("no/where.csv", "No such file")])
def test_a_file_that_cannot_be_written_is_an_error_of_usage(station, out, told):
    before = (station.directory / "run.csv").read_text()
    ended = station.withholding("return", "run.csv", "--out", out)
    assert ended.status == 2 and told in ended.err
    assert (station.directory / "run.csv").read_text() == before


def test_answers_that_came_before_are_a_duplicate_as_a_whole(station):
    before = station.published_bytes()
    ended = station.withholding("results", "answer.csv")
    assert ended.status == 0 and "Nothing of this is new: nothing was published." in ended.out
    assert station.published_bytes() == before


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([answer_line(1), answer_line(6)], "line 6 is not in the journal"),
        ([answer_line(1), answer_line(2, 201)], "line 2 has amount_fen 201, and was booked with 200"),
        ([answer_line(1), answer_line(2, 200)._replace(household=FROZEN)], f"line 2 has household {FROZEN}"),
        ([answer_line(1), answer_line(3, 300)], "line 3 was voided before, and is answered otherwise now"),
    ],
)
def test_answers_are_refused_as_a_whole_where_one_of_them_cannot_be(station, lines, told):
    before = station.published_bytes()
    ended = answer(station, lines)
    assert (ended.status, ended.out) == (11, "") and told in ended.err
    assert station.published_bytes() == before


@pytest.mark.parametrize(
    ("file", "on", "told"),
    [
        ("run.csv", "2026-07-27", "Its calendar has 2026-07-26, 2026-07-30"),
        ("run.csv", "2026-07-23", "is not tried again on 2026-07-23"),
        ("tried.csv", "2026-07-26", "Name the file of its first try"),
    ],
)
def test_a_date_that_is_not_in_the_calendar_is_an_error_of_usage(station, file, on, told):
    write_run(station.directory / "tried.csv", LINES[1:2], day="2026-07-26", try_number=2)
    ended = station.withholding("retries", file, "--on", on, "--out", "nothing.csv")
    assert ended.status == 2 and told in ended.err
    assert not (station.directory / "nothing.csv").exists()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (LINES[0], "line 1 is posted in try 1"),
        (run_line(2, 201), "line 2 has amount_fen 201, and was booked with 200"),
        (run_line(7), "line 7 is missing in try 1"),
    ],
)
def test_a_later_try_is_refused_as_a_whole_where_a_line_of_it_is_open_paid_or_another(station, line, told):
    file = write_run(station.directory / "tried.csv", [line], day="2026-07-26", try_number=2)
    ended = station.withholding("run", file)
    assert ended.status == 11 and told in ended.err


def test_a_line_that_the_bank_has_paid_too_late_is_not_tried_again_until_a_person_drops_its_post(tmp_path, monkeypatch, command):
    station = Station(tmp_path, monkeypatch, command)
    station.make_ledger()
    file = write_run(tmp_path / "run.csv", LINES[:2])
    assert station.withholding("run", file).status == 0
    station.let_days_pass(6)
    station.engine()
    assert answer(station, ANSWERS[:1]).status == 10
    assert station.engine()["events_refused"] == 1
    assert returned(station, file) == {1: ("expired", "", "", ""), 2: ("expired", "", "", "2026-07-26")}
    (item,) = station.withholding("status", file, "--json").items
    assert (item["lines"], item["tried_again"], item["given_up"]) == (2, 1, 0)
    again = ("retries", file, "--on", "2026-07-30", "--out", "3.csv", "--json")
    assert counts(station.withholding(*again), "fate") == {"tried_again": 1, "paid_in_vain": 1}
    both = write_run(tmp_path / "both.csv", LINES[:2], day="2026-07-30", try_number=3)
    ended = station.withholding("run", both)
    assert ended.status == 11 and "line 1 was paid in try 1; its post waits in quarantine for a person" in ended.err
    (event,) = station.command("quarantine", "list", "--json").items
    assert station.command("quarantine", "drop", str(event["offset"]), "--reason", "the bank has it back").status == 0
    assert counts(station.withholding(*again), "fate") == {"tried_again": 2}
    assert station.withholding("run", both).status == 0


def test_an_answer_that_the_ledger_refused_is_told_until_it_is_replayed(tmp_path, monkeypatch, command):
    station = Station(tmp_path, monkeypatch, command)
    station.make_ledger()
    file = write_run(tmp_path / "run.csv", LINES[:2])
    assert station.withholding("run", file).status == 0
    station.engine()
    for line in LINES[:2]:
        tell(station, line.household, "freeze")
    paid = [answer_line(1), answer_line(2, 200)]
    assert answer(station, paid).status == 0
    assert station.engine()["events_refused"] == 2
    for line in LINES[:2]:
        tell(station, line.household, "unfreeze")
    station.engine()
    ended = answer(station, paid)
    assert (ended.status, counts(ended, "effect"), ended.document["published"]) == (10, {"refused": 2}, 0)
    first, _ = station.command("quarantine", "list", "--json").items
    assert station.command("quarantine", "replay", str(first["offset"]), "--reason", "it is unfrozen").status == 0
    station.let_days_pass(6)
    station.engine()
    assert counts(answer(station, paid), "effect") == {"answered_before": 1, "not_held": 1}
    ended = station.withholding("retries", file, "--on", "2026-07-26", "--out", "2.csv", "--json")
    assert counts(ended, "fate") == {"done": 1, "paid_in_vain": 1}


def test_lines_that_failed_are_tried_again_until_the_last_day(station):
    assert station.withholding("retries", "run.csv", "--on", "2026-07-26", "--out", "2.csv").status == 0
    assert station.withholding("run", "2.csv", "--json").items[0]["published"] == 2
    station.let_days_pass(6)  # all that is not answered expires, by the ledger's clock
    station.engine()
    assert {line: told[0] for line, told in returned(station, "2.csv").items()} == {2: "expired", 5: "refused"}
    assert "was run already" in station.withholding("retries", "run.csv", "--on", "2026-07-26", "--out", "2.csv").err
    ended = station.withholding("retries", "run.csv", "--on", "2026-07-30", "--out", "3.csv", "--json")
    assert counts(ended, "fate") == {"tried_again": 3, "done": 1, "given_up": 1}
    assert station.withholding("run", "3.csv").status == 0
    # The bank has paid line 4 of the first try when it was too late: a person must look at it.
    ended = answer(station, [answer_line(4, 400)])
    assert (ended.status, counts(ended, "effect")) == (10, {"not_held": 1})
    station.engine()
    assert "pending_transfer_expired" in station.command("quarantine", "list").out
    assert answer(station, [answer_line(4, 400)]).document["published"] == 0
    ended = answer(station, [answer_line(2, 200, 1), answer_line(4, 400, 1)], try_number=3, day="2026-07-31")
    assert counts(ended, "effect") == {"voided": 2}
    station.engine()
    assert returned(station, "3.csv") == {
        2: ("voided", "01", "", "never"),
        4: ("voided", "01", "", "never"),
        5: ("refused", "", "account_frozen", "never"),
    }
    (item,) = [item for item in station.withholding("status", "3.csv", "--json").items if item["result"] == "voided"]
    assert (item["lines"], item["tried_again"], item["given_up"]) == (2, 0, 2)
    assert station.command("verify").status == 0
