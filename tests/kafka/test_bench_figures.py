"""The suites behind the figures run, in small, and yield every one of them. No test says how fast anything is."""

import json
import math

from typer.testing import CliRunner

from bench import figures
from bench.cli import app
from bench.results import load_results

TINY = figures.Sizes(events=20_000, repetitions=1, households=2_000, many_households=3_000, seconds=0.3, growth_events=20_000)


def test_all_suites_together_yield_every_figure_by_its_name_and_a_report(kafka_broker, tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "SMALL", TINY)
    work, results, page = tmp_path / "work", tmp_path / "results", tmp_path / "report.html"
    work.mkdir()
    places = ["--directory", str(work), "--results", str(results), "--report", str(page)]
    command = ["figures", "--json", "--bootstrap-servers", kafka_broker.bootstrap_servers, *places]
    printed = CliRunner().invoke(app, command, catch_exceptions=False)
    found = json.loads(printed.stdout)
    assert tuple(found) == tuple(figures.FIGURES)
    assert all(math.isfinite(value) and value > 0 for name, value in found.items() if not name.startswith("staleness"))
    runs = sorted((load_results(path) for path in results.iterdir()), key=lambda run: run.suite)
    suites = [
        "core",
        "core",
        "figures",
        "growth",
        "kafka-json",
        "kafka-packed",
        "latency",
        "memory",
        "projection",
        "projection",
        "read",
        "start",
    ]
    assert [run.suite for run in runs] == suites
    assert all(f'<section id="{suite}">' in page.read_text() for suite in suites if suite != "figures")
    assert "<td>at least 5e+06</td>" in page.read_text()
    assert list(work.iterdir()) == []
