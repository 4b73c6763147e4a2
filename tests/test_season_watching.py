"""How far an engine is behind a season: until durable, and until readable."""

import asyncio
import json
import subprocess
import sys
from itertools import count

import pytest

from bench.season.fast import FastSeason
from bench.season.plan import Season
from bench.season.records import blocks_of
from ledger.engine import Engine
from peakledger.season.watching import Watch
from peakledger.shards import is_running as is_written
from tests.commands import in_a_process
from tests.waiting import PATIENCE_S, wait_until

BLOCKS = list(blocks_of(FastSeason(Season(days=3), json=False).records(500)))


def test_lag_is_the_age_of_the_first_record_that_is_not_durable(tmp_path):
    clock = count()
    watch = Watch(tmp_path, clock=lambda: float(next(clock)))
    watch.published(BLOCKS[0].next_offset)  # at 0
    watch.published(BLOCKS[1].next_offset)  # at 1
    nothing = watch.look()  # at 2
    assert (nothing.published, nothing.durable, nothing.lag_s, nothing.staleness_s) == (BLOCKS[1].next_offset, 0, 2.0, 2.0)
    with Engine.open(tmp_path / "events-0", source="events/0", segment_bytes=4 << 20) as engine:
        engine.apply(BLOCKS[0].data, BLOCKS[0].next_offset)
        engine.wait_durable()
        engine.wait_projected()
        first = watch.look()  # at 3
        assert (first.durable, first.readable) == (BLOCKS[0].next_offset,) * 2
        assert (first.lag_s, first.staleness_s) == (2.0, 2.0)
        engine.apply(BLOCKS[1].data, BLOCKS[1].next_offset)
        engine.wait_durable()
        engine.wait_projected()
        assert (watch.look().lag_s, watch.samples[-1].staleness_s) == (0.0, 0.0)
    behind = watch.behind()
    assert (behind.lag_p50_s, behind.lag_max_s, behind.lag_max_records) == (2.0, 2.0, BLOCKS[1].next_offset)
    assert behind.samples == tuple(watch.samples)


@pytest.mark.parametrize("is_running", [False, True])
def test_looking_ends_when_all_is_readable_or_nothing_moves(tmp_path, monkeypatch, is_running):
    monkeypatch.setattr("peakledger.season.watching._STANDS_STILL_S", PATIENCE_S if is_running else 0.2)

    async def run():
        watch, published = Watch(tmp_path), asyncio.Event()
        looking = asyncio.create_task(watch.look_until(published))
        watch.published(BLOCKS[0].next_offset)
        published.set()
        if is_running:
            with Engine.open(tmp_path / "events-0", source="events/0", segment_bytes=4 << 20) as engine:
                await asyncio.to_thread(engine.apply, BLOCKS[0].data, BLOCKS[0].next_offset)
                await asyncio.wait_for(looking, PATIENCE_S)
        else:
            await asyncio.wait_for(looking, PATIENCE_S)
        return watch

    assert asyncio.run(run()).samples[-1].readable == (BLOCKS[0].next_offset if is_running else 0)


def test_a_season_that_is_watched_tells_how_far_the_engine_was_behind(tmp_path):
    (tmp_path / "peakledger.toml").write_text('stream = "stream"\ndata = "ledger"\nmax_ahead_s = 0.0\n')
    assert in_a_process("topics", "create", cwd=tmp_path).status == 0
    with subprocess.Popen([sys.executable, "-m", "peakledger", "run"], cwd=tmp_path, stderr=subprocess.DEVNULL) as engine:
        wait_until(lambda: engine.poll() is None and any(map(is_written, (tmp_path / "ledger").glob("*"))))
        told = in_a_process("season", "--days", "3", "--watch", "--told", "season.json", cwd=tmp_path)
        engine.terminate()
    assert told.status == 0, told.err
    assert "until readable" in told.err
    report = in_a_process("season-report", "season.json", "--html", "season.html", "--json", cwd=tmp_path)
    behind = json.loads(report.out)["behind"]
    last = behind["samples"][-1]
    assert 0 < last["published"] == last["durable"] == last["readable"]
    assert 0 <= behind["lag_p50_s"] <= behind["lag_p99_s"] <= behind["lag_max_s"] <= behind["staleness_max_s"]
    assert "<polyline" in (tmp_path / "season.html").read_text()
