"""Catch-up and live in one: an engine starts behind a backlog while a publisher goes on beside it, at a rate or without one.

Lag is how long an event waits from its acknowledgement until it is durable. It is told over time, by the tenth of a second in
which the event was acknowledged, so that one sees it fall while the backlog lasts, and whether it stays down.
"""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop

from bench.brokers import BrokerForBench
from bench.engine_process import durable_positions, running_engine, seen_by, start_watch
from bench.feeding import opening_of
from bench.percentiles import delays_s, percentile
from bench.publishing import AS_FAST_AS_IT_GOES, Times, at_rate, fill, publish_at_rate
from bench.results import Results, new_results
from bench.suites.latency import wait_until_readable
from bench.workload import Workload

INTERVAL_S = 0.1
CAUGHT_UP_MS = 100.0


def run(broker: BrokerForBench, directory: Path, *, workload: Workload, rates: list[float], seconds: float) -> Results:
    """Measure for each rate, behind a backlog of the workload's events, what ``lag`` returns, and the rates of both sides."""
    results = new_results(
        "kafka-live", backlog=workload.events, households=workload.households, seconds=seconds, json=str(workload.json)
    )
    for rate in rates:
        name = "full_rate" if rate == AS_FAST_AS_IT_GOES else f"{rate:.0f}"
        acknowledged, durable = measure(broker, directory, workload, rate, seconds)
        start, end = acknowledged[0][0], acknowledged[-1][0]
        behind = [(at, position) for at, position in durable if start <= at <= end]
        results.add(f"published_events_per_s_at_{name}", "events/s", rate_of(acknowledged))
        results.add(f"durable_events_per_s_at_{name}", "events/s", rate_of(behind))
        lags_ms = lag_over_time_ms(acknowledged, durable)
        for lag_ms in lags_ms:
            results.add(f"lag_ms_at_{name}", "ms", lag_ms, interval_s=INTERVAL_S)
        caught_up = next((place for place, lag_ms in enumerate(lags_ms) if lag_ms <= CAUGHT_UP_MS), len(lags_ms))
        results.add(f"caught_up_after_s_at_{name}", "s", caught_up * INTERVAL_S)
        live_ms = lags_ms[caught_up:] or lags_ms[-1:]
        results.add(f"live_lag_p99_ms_at_{name}", "ms", percentile(live_ms, 0.99))
        results.add(f"last_lag_ms_at_{name}", "ms", lags_ms[-1])
    return results


def measure(broker: BrokerForBench, directory: Path, backlog: Workload, rate: float, seconds: float) -> tuple[Times, Times]:
    """Return when which offset was acknowledged and when it was durable."""
    servers, topic = broker.servers, broker.new_topic()
    opened, first_offset = backlog.households, backlog.households + backlog.events
    live = at_rate(replace(backlog, seed=backlog.seed + 1), rate, seconds)
    uvloop.run(fill(servers, topic, opening_of(backlog), backlog))
    with TemporaryDirectory(dir=directory, prefix="bench-") as place:
        shard = Path(place) / f"{topic}-0"
        with running_engine(servers, topic, Path(place)):
            wait_until_readable(shard, opened)
            watch = start_watch(shard, first_offset + live.events)
            published = uvloop.run(publish_at_rate(servers, topic, live, first_offset, rate))
            seen_by(watch)
        return published.acknowledged, durable_positions(shard)


def rate_of(positions: Times) -> float:
    """Return events a second between the first and the last of them; 0 where there are no two."""
    if len(positions) < 2:
        return 0.0
    (start, first), (end, last) = positions[0], positions[-1]
    return (last - first) / (end - start)


def lag_over_time_ms(acknowledged: Times, durable: Times) -> list[float]:
    """Return the longest wait of an event acknowledged in each interval; the one before where none was."""
    start, longest_s = acknowledged[0][0], dict[int, float]()
    for (at, _), delay_s in zip(acknowledged, delays_s(acknowledged, durable), strict=True):
        place = int((at - start) / INTERVAL_S)
        longest_s[place] = max(longest_s.get(place, 0.0), delay_s)
    lags_ms: list[float] = []
    for place in range(max(longest_s) + 1):
        lags_ms.append(longest_s[place] * 1000 if place in longest_s else lags_ms[-1])
    return lags_ms
