"""Benchmarks of single parts, with pytest-benchmark: small and untimed among the tests, large with ``--benchmark-enable``."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.results import new_results

ROUNDS = 15
SMALL, LARGE = 2_000, 200_000


@pytest.fixture(scope="session")
def size(pytestconfig) -> int:
    """How many events a round takes."""
    return LARGE if pytestconfig.getoption("benchmark_enable") else SMALL


@pytest.fixture
def measure(benchmark):
    """Runs ``function`` once a round, on what ``setup`` made before the clock; a round does ``count`` of ``things``."""

    def run(function: Callable, count: int, things: str, setup: Callable | None = None):
        benchmark.extra_info.update(count=count, things=things)
        arguments = {"setup": lambda: ((setup(),), {})} if setup else {}
        return benchmark.pedantic(function, rounds=ROUNDS, warmup_rounds=1, **arguments)

    return run


def pytest_benchmark_update_json(config, benchmarks, output_json):
    """Leave the rounds as a result file of ``peakledger bench`` as well, beside the folder of pytest-benchmark."""
    results = new_results("parts", events=LARGE)
    for each in benchmarks:
        things = each.extra_info["things"]
        name = re.sub(r"\W+", "_", each.name.removeprefix("test_")).strip("_")
        for seconds in each.stats.data:
            results.add(f"{name}_{things}_per_s", f"{things}/s", each.extra_info["count"] / seconds)
    results.save(Path(config.getoption("benchmark_storage").removeprefix("file://")).parent)
