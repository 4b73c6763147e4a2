"""A refused line of a run, replayed from quarantine: not beside a later try of it, and held once however often it is replayed."""

import json

import pytest

from tests.test_withholding import counts, next_offset
from tests.withheld import Station, run_line, write_run

LINES = [run_line(1), run_line(2, 200)]
FROZEN = LINES[1].household
SECOND_DAY = "2026-07-26"


@pytest.fixture
def station(tmp_path, monkeypatch, command):
    return Station(tmp_path, monkeypatch, command)


def tell(station, type_):
    """Publish and apply a ledger event about the account of line 2."""
    event = {"channel": "ledger", "business_date": "2026-07-23", "account": f"household:{FROZEN}", "type": type_}
    (station.directory / "events.jsonl").write_text(json.dumps(event | {"serial": f"S{next_offset()}"}))
    assert station.command("publish", "events.jsonl").status == 0
    assert station.engine()["state"] == "closed"


def refuse_line_2(station, run="20260723001"):
    """Run a file of which the ledger refuses line 2; return it."""
    station.make_ledger()
    tell(station, "open_account")
    tell(station, "freeze")
    file = write_run(station.directory / "run.csv", LINES, run=run)
    assert station.withholding("run", file).status == 0
    assert station.engine()["events_refused"] == 1
    tell(station, "unfreeze")
    return file


def try_again(station, file):
    ended = station.withholding("retries", file, "--on", SECOND_DAY, "--out", "2.csv", "--json")
    assert counts(ended, "fate")["tried_again"] == 1
    assert station.withholding("run", "2.csv").status == 0


def waiting(station):
    return [str(item["offset"]) for item in station.command("quarantine", "list", "--json").items]


def replay(station, *arguments):
    return station.command("quarantine", "replay", *arguments, "--reason", "it is unfrozen")


def held_fen(station, household=FROZEN):
    return station.command("balance", household, "--json").items[0]["credits_pending_fen"]


@pytest.mark.parametrize(
    ("run", "named"),
    [("20260723001", "run 20260723001"), ("20260723123456789", "a run of psbc of 2026-07-23")],
)
def test_a_refused_line_is_not_replayed_beside_a_later_try(station, run, named):
    try_again(station, refuse_line_2(station, run))
    station.engine()
    before = next_offset()
    (offset,) = waiting(station)
    ended = replay(station, offset)
    assert (ended.status, ended.out) == (13, "")
    told = f"line 2 of {named} was tried again on {SECOND_DAY}, and replayed, both would be held (offset {offset}). Nothing was"
    assert told in ended.err and f"peakledger quarantine drop {offset}" in ended.err
    assert (next_offset(), waiting(station), held_fen(station)) == (before, [offset], 200)


def test_a_refused_line_is_not_replayed_while_a_later_try_is_published_and_not_consumed(station):
    try_again(station, refuse_line_2(station))
    before = next_offset()
    (offset,) = waiting(station)
    ended = replay(station, offset)
    assert ended.status == 14 and "has not applied what is published, and no engine runs (records 1)" in ended.err
    assert (next_offset(), waiting(station)) == (before, [offset])


def test_neither_is_one_whose_later_try_was_refused_too_while_that_one_itself_is(station):
    file = refuse_line_2(station)
    tell(station, "freeze")
    try_again(station, file)
    station.engine()
    first, second = waiting(station)
    assert replay(station, first, second).status == replay(station, first).status == 13
    assert "was tried again on 2026-07-26" in replay(station, first).err
    tell(station, "unfreeze")
    assert replay(station, second).status == 0
    station.engine()
    assert held_fen(station) == 200


def test_a_line_without_a_later_try_is_replayed_and_so_is_one_of_which_another_run_has_the_household_on_its_line(station):
    file = refuse_line_2(station)
    other = write_run(station.directory / "other.csv", LINES, run="20260726001", day=SECOND_DAY)
    assert station.withholding("run", other).status == 0
    station.engine()
    assert replay(station, *waiting(station)).status == 0
    station.engine()
    assert held_fen(station) == 400
    again = station.withholding("retries", file, "--on", SECOND_DAY, "--out", "2.csv", "--json")
    assert counts(again, "fate") == {"pending": 2}


def test_a_line_that_was_refused_again_when_it_was_replayed_is_known_for_what_it_is(station):
    file = refuse_line_2(station)
    tell(station, "freeze")
    (first,) = waiting(station)
    assert replay(station, first).status == 0
    station.engine()
    (second,) = waiting(station)
    tell(station, "unfreeze")
    try_again(station, file)
    station.engine()
    ended = replay(station, second)
    assert ended.status == 13 and "line 2 of run 20260723001 was tried again" in ended.err
    assert held_fen(station) == 200


def test_a_line_that_a_second_replay_held_is_not_tried_again(station):
    file = refuse_line_2(station)
    tell(station, "freeze")
    assert replay(station, *waiting(station)).status == 0
    station.engine()
    tell(station, "unfreeze")
    assert replay(station, *waiting(station)).status == 0
    station.engine()
    assert held_fen(station) == 200
    again = station.withholding("retries", file, "--on", SECOND_DAY, "--out", "2.csv", "--json")
    assert counts(again, "fate") == {"pending": 2}
    written = write_run(station.directory / "2.csv", LINES[1:], day=SECOND_DAY, try_number=2)
    ended = station.withholding("run", written)
    assert ended.status == 11 and "line 2 is pending in try 1" in ended.err
