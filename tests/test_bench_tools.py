"""Percentiles, delays, results and their comparison."""

import json
import logging
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench import against
from bench.cli import ProgressLines, app
from bench.compare import compare
from bench.figures import FIGURES
from bench.limit import run_limit
from bench.percentiles import delays_s, percentile
from bench.results import ROOT, load_results, new_results
from bench.suites.live import lag_over_time_ms, rate_of
from ledger.errors import ConfigurationError, PeakledgerError


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.001, 1)])
def test_a_percentile_is_the_smallest_value_that_enough_values_do_not_exceed(share, expected):
    assert percentile(list(range(100, 0, -1)), share) == expected


def test_no_values_have_no_percentile():
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_a_delay_ends_when_a_position_at_least_as_great_is_seen():
    seen = [(1.0, 10), (2.0, 30), (5.0, 40)]
    assert delays_s([(0.5, 10), (0.75, 11), (2.5, 30), (3.0, 31)], seen) == [0.5, 1.25, 0.0, 2.0]


def test_results_keep_every_repetition_and_come_back_from_their_file(tmp_path):
    results = new_results("core", events=10)
    for ours, theirs in ((4.0, 8.0), (6.0, 8.0), (8.0, 10.0)):
        results.add("ours", "events/s", ours)
        results.add("theirs", "events/s", theirs)
    loaded = load_results(results.save(tmp_path))
    assert loaded == results
    assert (loaded.median("ours"), loaded.ratio("ours", "theirs")) == (6.0, 0.75)
    assert {"cpu", "cores", "kernel", "memory_mib"} <= loaded.machine.keys()


def test_lag_is_told_by_the_tenth_of_a_second_and_stays_where_nothing_was_acknowledged():
    acknowledged = [(0.0, 10), (0.05, 20), (0.31, 30)]
    durable = [(0.1, 10), (0.2, 20), (0.32, 30)]
    assert lag_over_time_ms(acknowledged, durable) == pytest.approx([150.0, 150.0, 150.0, 10.0])
    assert rate_of(acknowledged) == pytest.approx(20 / 0.31)
    assert rate_of(acknowledged[:1]) == 0.0


def results_with(*values: float, suite: str = "core", **parameters: int):
    results = new_results(suite, **parameters)
    for value in values:
        results.add("rate", "events/s", value)
    return results


@pytest.mark.parametrize(
    ("before", "after", "beyond_noise"),
    [((1, 2, 3), (4, 5, 6), True), ((1, 2, 4), (3, 5, 6), False), ((1,), (2,), False), ((4, 5), (1, 2), True)],
)
def test_a_difference_counts_when_the_repetitions_do_not_overlap(before, after, beyond_noise):
    (comparison,) = compare(results_with(*before), results_with(*after))
    assert comparison.beyond_noise is beyond_noise
    assert comparison.ratio == comparison.after / comparison.before


def test_two_result_files_are_compared_on_the_command_line(tmp_path):
    before, after = results_with(2, 2).save(tmp_path / "before"), results_with(3, 3).save(tmp_path / "after")
    printed = CliRunner().invoke(app, ["compare", str(before), str(after), "--json"])
    assert printed.exit_code == 0
    assert json.loads(printed.stdout)[0]["ratio"] == 1.5


def test_results_of_different_suites_are_not_compared(tmp_path):
    before, after = results_with(2, 2).save(tmp_path), results_with(3, 3, suite="read").save(tmp_path)
    with pytest.raises(ConfigurationError, match=r"different suites \(before core, after read\)"):
        CliRunner().invoke(app, ["compare", str(before), str(after)], catch_exceptions=False)


def test_what_differs_between_two_runs_besides_the_code_is_told(tmp_path):
    before, after = (results_with(2, 2, events=events, households=7).save(tmp_path) for events in (5, 6))
    told = CliRunner().invoke(app, ["compare", str(before), str(after)]).stderr
    assert told == "Not alike: events was 5, and is 6\n"


def test_what_is_no_result_file_is_not_compared(tmp_path):
    right, wrong = results_with(2, 2).save(tmp_path), tmp_path / "wrong.json"
    wrong.write_text("{}")
    with pytest.raises(ConfigurationError, match=r"not a result file.*suite.*wrong\.json"):
        CliRunner().invoke(app, ["compare", str(right), str(wrong)], catch_exceptions=False)


@pytest.mark.parametrize("flag", ["--events", "--households", "--repetitions"])
def test_nothing_is_not_measured(flag):
    assert CliRunner().invoke(app, ["core", flag, "0"]).exit_code == 2


def test_what_is_measured_is_told_as_it_comes_but_not_by_the_thousand(capsys):
    lines, log = ProgressLines(), logging.getLogger("bench")
    log.addHandler(lines)
    results = new_results("some suite")
    for number in range(1000):
        results.add("rate", "events/s", number)
    log.removeHandler(lines)
    told = capsys.readouterr().err
    assert "some suite: rate 0 events/s" in told
    assert 1 <= told.count("events/s") < 100


def test_figures_have_names_of_their_own():
    assert len(set(FIGURES)) == len(FIGURES) == 21


def test_a_tree_is_measured_in_turns_with_another(tmp_path):
    results = against.run(tmp_path, ROOT, revision="this", events=5_000, households=500, turns=1)
    assert results.median("ratio") == results.median("now_events_per_s") / results.median("before_events_per_s")


def test_a_tree_that_cannot_be_built_says_so(tmp_path):
    with pytest.raises(PeakledgerError, match=r"not built: .*setup\.py"):
        against.build(tmp_path)


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no repository")
def test_another_commit_is_brought_into_a_directory_of_its_own():
    with against.checked_out("HEAD") as tree:
        assert (tree / "setup.py").exists()
    assert not tree.exists()
    with pytest.raises(ConfigurationError, match="no-such-revision"), against.checked_out("no-such-revision"):
        pass


def test_the_limit_program_balances_and_leaves_nothing_behind(tmp_path):
    try:
        limit = run_limit(200_000, 5_000, tmp_path, seed=3)
    except subprocess.CalledProcessError as error:
        if b"O_DIRECT" not in (error.stderr or b""):
            raise
        pytest.skip(f"no direct I/O in {tmp_path}: {error.stderr.decode()}")
    assert limit.balanced
    assert 0.98 < limit.applied / limit.events < 1
    assert list(Path(tmp_path).iterdir()) == []
