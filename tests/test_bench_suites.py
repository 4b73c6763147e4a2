"""The suites that need no broker run, in small, and measure what they say. No test says how fast anything is."""

import json
import math
import tempfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.postgresql import programs
from bench.results import load_results
from bench.suites import bare_lmdb, expiry, growth, memory, mixed, postgresql, read, scale, season, statement

HERE = Path(tempfile.gettempdir())  # not pytest's directory, which no other user may enter


SMALL = ["--households", "300", "--repetitions", "1"]
COMMANDS = {
    "mixed": ["--events", "500", *SMALL],
    "mixed-json": ["--json-events", "--events", "200", *SMALL],
    "season": ["--scale", "1", "--days", "33", "--repetitions", "1"],
    "expiry": ["--holds", "200", *SMALL],
    "lmdb": ["--events", "500", *SMALL],
    "statement": ["--entries", "1000", "--pages", "2"],
    "scale": ["--partitions", "1", "--events", "60000", *SMALL],
    "read": ["--rate", "50000", "--seconds", "0.2", *SMALL],
    "memory": ["--households", "1000", "--keys-per-household", "1"],
}


@pytest.mark.parametrize("suite", COMMANDS)
def test_a_suite_runs_by_its_command_in_any_directory_and_leaves_its_repetitions(suite, foreign_directory):
    places = ["--directory", ".", "--results", "results", "--json"]
    done = CliRunner().invoke(app, [suite.removesuffix("-json"), *COMMANDS[suite], *places], catch_exceptions=False)
    (path,) = Path("results").iterdir()
    results = load_results(path)
    assert results.suite == suite
    assert [each["name"] for each in json.loads(done.stdout)["measurements"]] == [each.name for each in results.measurements]


def test_a_page_of_a_statement_is_read_cold_and_warm(tmp_path):
    results = statement.run(tmp_path, entries=3_000, pages=4)
    assert len(results.values("cold_page_ms")) == len(results.values("warm_page_ms")) == 4
    assert results.median("entries") >= 3_000
    assert results.median("reads_per_page") > 50
    for name in ("warm", "bills"):
        assert 0 < results.median(f"{name}_p50_ms") <= results.median(f"{name}_p99_ms") <= results.median(f"{name}_max_ms")


@pytest.mark.parametrize("json", [False, True], ids=["packed", "json"])
def test_a_mixed_load_takes_turns_with_plain_payments(tmp_path, json):
    results = mixed.run(tmp_path, events=2_000, households=300, repetitions=2, json=json)
    assert results.ratio("mixed_events_per_s", "plain_events_per_s") > 0
    assert results.median("mixed_refused") == pytest.approx(0.05, abs=0.02)
    assert results.median("mixed_entries_per_event") > 1.1 > results.median("plain_entries_per_event")


def test_a_month_of_a_season_takes_turns_with_plain_payments(tmp_path):
    results = season.run(tmp_path, scale=1, days=33, repetitions=2)
    for encoding in ("packed", "json"):
        assert len(results.values(f"share_of_plain_{encoding}")) == 2
        assert results.median(f"season_{encoding}_entries_per_event") > 1 > results.median(f"season_{encoding}_refused")
    assert list(tmp_path.iterdir()) == []


def test_all_holds_expire_before_the_event_that_finds_them_due(tmp_path):
    results = expiry.run(tmp_path, holds=700, households=300, repetitions=2)
    assert [len(results.values(name)) for name in ("expiry_delay_ms", "entries_ms", "bare_write_ms")] == [2, 2, 2]
    assert list(tmp_path.iterdir()) == []


def test_a_bare_lmdb_loop_puts_the_accounts_that_the_events_change(tmp_path):
    results = bare_lmdb.run(tmp_path, events=800, households=300, repetitions=2)
    assert 200 < results.median("accounts_changed") <= 300
    for name in ("bare_records", "bare_blocks", "engine"):
        assert len(results.values(f"{name}_events_per_s")) == 2


def test_balances_are_read_in_turn_with_a_bare_get(tmp_path):
    results = read.run(tmp_path, households=300, rate=50_000, seconds=0.2, repetitions=1)
    for where in ("own_core", "under_load"):
        assert 0 < results.median(f"{where}_bare_p50_us") <= results.median(f"{where}_bare_p99_us")
        assert 0 < results.median(f"{where}_p50_us") <= results.median(f"{where}_p99_us")
        assert 0 < results.median(f"{where}_owed_p50_us") <= results.median(f"{where}_owed_p99_us")
    assert list(tmp_path.iterdir()) == []


def test_rate_and_latencies_are_measured_tenth_by_tenth_as_the_ledger_grows(tmp_path):
    results = growth.run(tmp_path, events=20_000, households=300, days=3)
    assert [len(results.values(name)) for name in ("events_per_s", "durable_p50_ms", "durable_p99_ms", "readable_p50_ms")] == [
        10
    ] * 4
    assert 0 < results.median("durable_p50_ms") <= results.median("durable_p99_ms")


def test_what_accounts_and_keys_take_of_memory_is_told_apart(tmp_path):
    results = memory.run(tmp_path, households=50_000, keys_per_household=3)
    assert len(results.values("memory_bytes_per_open_key")) == 3
    # How much is kept ready beside the keys does not depend on their number, so few keys may seem to take any amount. It is taken
    # off what accounts and their first keys took together.
    assert max(results.values("memory_bytes_per_open_key")) > 0
    assert results.median("memory_bytes_per_account") + results.values("memory_bytes_per_open_key")[0] > 64


def test_engines_side_by_side_each_apply_their_own_partition(tmp_path):
    results = scale.run(tmp_path, None, partitions=[1, 2], events=60_000, households=500, repetitions=1)
    assert len(results.values("events_per_s_each_of_2")) == 2
    assert results.median("events_per_s_of_2") > 0
    assert results.machine["cores"] > 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(programs() is None, reason="PostgreSQL is not installed")
def test_postgresql_books_the_very_events_that_the_engine_books():
    results = postgresql.run(HERE, events=2_000, households=300, repetitions=1, clients=2, batch_events=150)
    assert math.isfinite(results.ratio("engine_events_per_s", "postgresql_events_per_s"))


@pytest.mark.parametrize(("flag", "place"), [("--directory", "nowhere"), ("--directory", "a-file"), ("--results", "a-file")])
def test_a_place_that_cannot_be_used_is_an_error_of_usage_before_anything_is_measured(tmp_path, monkeypatch, flag, place):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a-file").touch()
    ended = CliRunner().invoke(app, ["core", flag, place])
    assert ended.exit_code == 2
    assert f"Invalid value for '{flag}'" in ended.output and place in ended.output
    assert [path.name for path in tmp_path.iterdir()] == ["a-file"]
