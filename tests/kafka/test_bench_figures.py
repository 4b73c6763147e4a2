"""Every suite runs, in small, and yields the figures that it is asked for. No test says how fast anything is."""

import math

from bench.figures import FIGURES, Sizes, measure

TINY = Sizes(events=20_000, repetitions=1, households=2_000, many_households=3_000, seconds=0.3, growth_events=20_000)


def test_all_suites_together_yield_every_figure_by_its_name(kafka_broker, tmp_path):
    suites = []
    figures = measure(TINY, tmp_path, kafka_broker.bootstrap_servers, lambda results: suites.append(results.suite))
    assert tuple(figures) == FIGURES
    assert all(math.isfinite(value) and value > 0 for name, value in figures.items() if not name.startswith("staleness"))
    assert suites == [
        *["core"] * 2,
        "kafka-packed",
        "kafka-json",
        "latency",
        *["projection"] * 2,
        "read",
        "start",
        "growth",
    ]
    assert list(tmp_path.iterdir()) == []
