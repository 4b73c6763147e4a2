"""The suites that need no broker run, in small, and measure what they say. No test says how fast anything is."""

import math
import tempfile
from pathlib import Path

import pytest

from bench.postgresql import programs
from bench.suites import postgresql, statement

HERE = Path(tempfile.gettempdir())  # not pytest's directory, which no other user may enter


def test_a_page_of_a_statement_is_read_cold_and_warm(tmp_path):
    results = statement.run(tmp_path, entries=3_000, pages=4)
    assert len(results.values("cold_page_ms")) == len(results.values("warm_page_ms")) == 4
    assert results.median("entries") >= 3_000
    assert results.median("reads_per_page") > 50
    assert 0 < results.median("warm_p50_ms") <= results.median("warm_p99_ms") <= results.median("warm_max_ms")


@pytest.mark.skipif(programs() is None, reason="PostgreSQL is not installed")
def test_postgresql_books_the_very_events_that_the_engine_books():
    results = postgresql.run(HERE, events=2_000, households=300, repetitions=1, clients=2, batch_events=150)
    assert math.isfinite(results.ratio("engine_events_per_s", "postgresql_events_per_s"))
