"""The report: what is read, how it is sorted and drawn, and what the page says."""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.report.drawing import DARK, draw, spread_out
from bench.report.extrapolation import BILLION, extrapolate
from bench.report.names import FULL_RATE, Name, short_number, split_name
from bench.report.panels import DotPanel, GrowthPanel, LinePanel, panels_of, sizes_panel
from bench.report.reading import read_sections
from bench.results import Measurement, Results, new_results
from ledger.errors import ConfigurationError

PNG = b"\x89PNG\r\n\x1a\n"
EVENTS_A_SECOND = "events a second"


def run_of(suite: str, started_at: str = "2026-07-23T10:00:00Z", **parameters) -> Results:
    run = new_results(suite, **parameters)
    run.started_at = started_at
    return run


def core_run(households: int = 1_000_000, started_at: str = "2026-07-23T10:00:00Z") -> Results:
    run = run_of("core", started_at, events=10, households=households)
    for ours, limit in ((3e6, 6e6), (4e6, 8e6), (5e6, 20e6)):
        run.add("limit_events_per_s", "events/s", limit)
        run.add("engine_events_per_s", "events/s", ours)
    run.add("journal_bytes_per_entry", "bytes", 97.0)
    return run


def latency_run() -> Results:
    run = run_of("latency", households=5)
    for rate in ("1000", "100000", "catchup"):
        for statistic, value in (("p50", 1.5), ("p99", 20.0)):
            run.add(f"publish_to_durable_{statistic}_ms_at_{rate}", "ms", value)
        run.add(f"applied_events_per_s_at_{rate}", "events/s", 2e6)
    return run


def growth_run() -> Results:
    run = run_of("growth", events=100_000_000, households=1_000_000, days=30.0)
    for part in range(10):
        run.add("events_per_s", "events/s", 4e6 - 1e4 * part, along="events")
    return run


def unknown_run() -> Results:
    """A suite that no code of the report knows, with measurements of all kinds."""
    run = run_of("tides", depth="deep")
    run.add("moons", "moons", 1.0)
    run.add("high_water_s", "s", 0.0)
    run.add("engine_waves_per_s_at_2_partitions", "waves/s", 7.0)
    for level_ms in (1.0, 3.0, 2.0):
        run.add("rising_ms_at_catchup", "ms", level_ms, interval_s=0.5)
    return run


ALL_RUNS = (core_run, latency_run, growth_run, unknown_run)


def save_all(directory: Path, *runs: Results) -> Path:
    for run in runs:
        run.save(directory)
    return directory


@pytest.mark.parametrize(
    ("name", "unit", "expected"),
    [
        ("engine_events_per_s", "events/s", Name("engine", "", None, EVENTS_A_SECOND)),
        ("events_per_s", "events/s", Name("", "", None, EVENTS_A_SECOND)),
        ("staleness_p99_ms_at_10000", "ms", Name("staleness", "p99", 10_000, EVENTS_A_SECOND)),
        ("staleness_max_ms_at_catchup", "ms", Name("staleness", "max", FULL_RATE, EVENTS_A_SECOND)),
        ("visible_p99_ms_at_10k", "ms", Name("visible", "p99", 10_000, EVENTS_A_SECOND)),
        ("engine_events_per_s_at_4_partitions", "events/s", Name("engine", "", 4, "partitions")),
        ("own_core_p50_us", "us", Name("own_core", "p50", None, EVENTS_A_SECOND)),
        ("p99_us", "us", Name("", "p99", None, EVENTS_A_SECOND)),
        ("something_else", "sheep", Name("something_else", "", None, EVENTS_A_SECOND)),
    ],
)
def test_a_name_is_taken_apart(name, unit, expected):
    assert split_name(Measurement(name, unit, [])) == expected


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.0031, "0.0031"), (97.04, "97"), (2.214e6, "2.21M"), (1e9, "1bn"), (999.9, "1k")]
)
def test_numbers_are_short(value, text):
    assert short_number(value) == text


def test_of_runs_with_the_same_parameters_the_latest_is_shown(tmp_path):
    save_all(tmp_path, core_run(), core_run(started_at="2026-07-24T10:00:00Z"), core_run(households=5))
    (section,) = read_sections([tmp_path])
    assert [run.started_at[:10] for run in section.runs] == ["2026-07-23", "2026-07-24"]
    assert [run.parameters["households"] for run in section.runs] == [5, 1_000_000]
    assert section.replaced == 1


def test_results_of_two_machines_are_not_mixed(tmp_path):
    there = latency_run()
    there.machine["cpu"] = "Another CPU"
    save_all(tmp_path, core_run(), there)
    with pytest.raises(ConfigurationError, match=r"several machines.*Another CPU"):
        read_sections([tmp_path])


def test_a_file_that_is_no_result_is_named(tmp_path):
    (tmp_path / "other.json").write_text('{"suite": 5}')
    with pytest.raises(ConfigurationError, match=r"not a result file.*suite.*other\.json"):
        read_sections([tmp_path / "other.json"])


def test_nothing_to_report_is_said(tmp_path):
    with pytest.raises(ConfigurationError, match="no result files"):
        read_sections([tmp_path])


def test_ratios_are_of_neighbouring_repetitions(tmp_path):
    (section,) = read_sections([save_all(tmp_path, core_run())])
    (panel,) = panels_of(section)
    assert isinstance(panel, DotPanel)
    assert [(row.label, row.ratio) for row in panel.rows] == [("C limit", "Peakledger is 0.50×"), ("Peakledger", "")]


def test_runs_are_told_apart_by_what_differs(tmp_path):
    save_all(tmp_path, core_run(), core_run(households=10_000_000, started_at="2026-07-24T10:00:00Z"))
    (panel,) = panels_of(read_sections([tmp_path])[0])
    assert [row.label for row in panel.rows][1::2] == ["Peakledger (1M households)", "Peakledger (10M households)"]


def test_times_at_full_rate_stand_at_the_rate_that_was_reached(tmp_path):
    (panel,) = panels_of(read_sections([save_all(tmp_path, latency_run())])[0])
    assert isinstance(panel, LinePanel)
    (facet,) = panel.facets
    assert [line.label for line in facet.lines] == ["p50", "p99"]
    assert [point[:2] for point in facet.lines[1].points] == [(1_000, 20.0), (100_000, 20.0), (2e6, 20.0)]


@pytest.mark.filterwarnings("error")
def test_a_single_rate_and_a_time_of_nothing_are_drawn(tmp_path):
    run = run_of("latency")
    run.add("publish_to_durable_p50_ms_at_1000", "ms", 0.0)
    run.add("publish_to_durable_p99_ms_at_1000", "ms", 4.0)
    (panel,) = panels_of(read_sections([save_all(tmp_path, run)])[0])
    assert draw(panel, DARK, "latency", "here").startswith(PNG)


@pytest.mark.parametrize(
    ("values", "expected"), [([2, 3], [2, 4]), ([0, 50], [2, 50]), ([90, 95, 99], [12.5, 25, 50]), ([10, 80], [10, 50]), ([], [])]
)
def test_labels_are_moved_apart_and_kept_inside(values, expected):
    assert spread_out(values, 2, 1, 100) == expected


def test_sizes_of_all_suites_stand_together(tmp_path):
    panel = sizes_panel(read_sections([save_all(tmp_path, core_run(), latency_run())]))
    assert panel
    assert [row.label for row in panel.rows] == ["core: journal bytes per entry"]


def test_a_ledger_that_slows_down_with_each_tenfold_growth_is_extrapolated_exactly():
    events = [1e6 * 10**step for step in (0, 0.5, 1, 1.5, 2)]
    rates = [1 / (1e-7 + 1e-8 * step) for step in (0, 0.5, 1, 1.5, 2)]
    fit = extrapolate(events, rates, is_rate=True)
    assert fit.at(BILLION) == pytest.approx(1 / 1.3e-7)
    assert fit.at(BILLION, 2) == pytest.approx(fit.at(BILLION), rel=1e-6)
    assert not fit.slope_is_noise


def test_a_slope_within_noise_is_called_noise():
    fit = extrapolate([1e6, 2e6, 3e6, 4e6, 5e6], [4e6, 4.2e6, 3.9e6, 4.15e6, 4e6], is_rate=True)
    assert fit.slope_is_noise
    assert fit.at(BILLION) == pytest.approx(fit.at(1e6))
    assert fit.at(BILLION, 2) < fit.at(BILLION) < fit.at(BILLION, -2)


def test_growth_is_drawn_with_its_extrapolation(tmp_path):
    (panel,) = panels_of(read_sections([save_all(tmp_path, growth_run())])[0])
    assert isinstance(panel, GrowthPanel)
    assert (panel.events[0], panel.events[-1]) == (5e6, 95e6)
    assert draw(panel, DARK, "growth", "here").startswith(PNG)


def test_nothing_is_taken_to_become_cheaper_than_it_was(tmp_path):
    growth = growth_run()
    growth.measurements[0].values[:] = [1e6 * 1.6**part for part in range(10)]
    (panel,) = panels_of(read_sections([save_all(tmp_path, growth)])[0])
    assert panel.extrapolation.at(BILLION) == pytest.approx(1e6 * 1.6**9)
    assert draw(panel, DARK, "growth", "here").startswith(PNG)


class Page(HTMLParser):
    """Collects what a page loads and the alternative texts of its pictures."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.alternatives: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.loaded += [found[name] for name in ("src", "srcset", "href") if name in found]
        self.alternatives += [found["alt"]] if tag == "img" else []


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """A directory with a report of all kinds of runs, and its pictures."""
    directory = tmp_path_factory.mktemp("report")
    save_all(directory / "results", *(make() for make in ALL_RUNS))
    command = ["report", str(directory / "results"), "--out", str(directory / "page.html"), "--png", str(directory / "pictures")]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return directory


def test_the_page_needs_nothing_else(written):
    text = (written / "page.html").read_text()
    assert all(re.match(r"#|data:image/png;base64,", loaded) for loaded in Page(text).loaded)
    assert "@import" not in text and "<script" not in text and "url(" not in text


def test_every_picture_is_told_in_words_and_kept_as_a_file(written):
    page = Page((written / "page.html").read_text())
    files = sorted(path.name for path in (written / "pictures").iterdir())
    assert files == ["core-1.png", "growth-1.png", "latency-1.png", "sizes-1.png", "tides-1.png", "tides-2.png", "tides-3.png"]
    assert len(page.alternatives) == len(files)
    assert "tides: course, milliseconds. rising, full rate: 1, 3, 2" in page.alternatives
    assert "core: rates, events a second. C limit: 6M, 8M, 20M; Peakledger: 3M, 4M, 5M" in page.alternatives


def test_the_page_says_what_was_measured_where_and_how(written):
    text = (written / "page.html").read_text()
    for suite in ("core", "latency", "growth", "tides"):
        assert f'<section id="{suite}">' in text
    assert {"command", "commit", "kernel", "load before"} <= set(re.findall(r"<dt>([\w ]+)", text))
    assert "Durable apply from memory, beside the C limit." in text
    assert "Extrapolated to a billion events" in text
    assert "households 1,000,000, days 30.0" in text


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ConfigurationError, match=r"peakledger\[bench\]"):
        CliRunner().invoke(
            app, ["report", str(save_all(tmp_path, core_run())), "--out", str(tmp_path / "x")], catch_exceptions=False
        )
