"""From a publish at a fixed rate to what comes of it: durable, an outcome that arrived, a balance that any process can read.

Counted from the time at which a batch should have left (``intended``), without coordinated omission, and from the broker's
acknowledgement. Engine, publisher and each watch are processes of their own.
"""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop

from bench.brokers import BrokerForBench
from bench.engine_process import (
    durable_positions,
    open_when_there,
    running_engine,
    seen_by,
    start_outcome_watch,
    start_watch,
)
from bench.feeding import opening_of
from bench.percentiles import delays_s, percentile
from bench.publishing import Published, Times, at_rate, fill, publish_at_rate
from bench.results import Results, new_results
from bench.workload import Workload

SHARES = {"p50": 0.5, "p99": 0.99, "p999": 0.999, "max": 1.0}


def run(broker: BrokerForBench, directory: Path, *, households: int, rates: list[int], seconds: float) -> Results:
    """Measure ``<since>_to_<seen>_<share>_ms_at_<rate>``, on accounts that are all open.

    ``since`` is intended or acknowledged; ``seen`` is durable, outcome or visible; ``share`` is p50, p99, p999 (p99.9) or max.
    """
    results = new_results("latency", households=households, seconds=seconds)
    for rate in rates:
        workload = at_rate(Workload(households=households), rate, seconds)
        published, seen = measure(broker, directory, workload, rate)
        for since, times in (("intended", published.due), ("acknowledged", published.acknowledged)):
            for name, positions in seen.items():
                delays_ms = [delay * 1000 for delay in delays_s(times, positions)]
                for label, share in SHARES.items():
                    results.add(f"{since}_to_{name}_{label}_ms_at_{rate}", "ms", percentile(delays_ms, share))
    return results


def measure(broker: BrokerForBench, directory: Path, workload: Workload, rate: float) -> tuple[Published, dict[str, Times]]:
    """Publish at the rate; return what the publisher noted and when which position was durable, answered and readable."""
    servers, topic, outcomes_topic = broker.servers, broker.new_topic(), broker.new_topic()
    first_offset, end_offset = workload.households, workload.households + workload.events
    uvloop.run(fill(servers, topic, opening_of(workload)))
    with TemporaryDirectory(dir=directory, prefix="bench-") as place:
        shard = Path(place) / f"{topic}-0"
        with running_engine(servers, topic, Path(place), outcomes_topic):
            wait_until_readable(shard, first_offset)
            watches = {
                "outcome": start_outcome_watch(servers, outcomes_topic, first_offset, end_offset),
                "visible": start_watch(shard, end_offset),
            }
            published = uvloop.run(publish_at_rate(servers, topic, workload, first_offset, rate))
            seen = {name: seen_by(watch) for name, watch in watches.items()}
        return published, {"durable": durable_positions(shard), **seen}


def wait_until_readable(shard: Path, next_offset: int, timeout_s: float = 120.0) -> None:
    reader = open_when_there(shard)
    deadline = time.monotonic() + timeout_s
    while reader.watermark.next_offset < next_offset:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the engine has not reached offset {next_offset}")
        time.sleep(0.05)
