"""From a publish that Kafka acknowledged to a balance that any process can read, at a fixed rate.

Batches leave when their time has come, whether earlier ones are acknowledged or not, so a stall delays what comes after it in the
figures as well (no coordinated omission): ``intended_to_visible`` counts from the time a batch should have left.
"""

import asyncio
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop
from aiokafka import AIOKafkaProducer

from bench.brokers import BrokerForBench
from bench.engine_process import finish_watch, open_when_there, running_engine, start_watch
from bench.feeding import opening_of
from bench.percentiles import delays_s, percentile
from bench.results import Results, new_results
from bench.suites.kafka import fill, for_broker
from bench.workload import Workload
from streams.sinks import BuiltBatch

BATCHES_PER_S = 200

Times = list[tuple[float, int]]


async def publish_at_rate(servers: str, topic: str, workload: Workload, first_offset: int, rate: float) -> tuple[Times, Times]:
    """Publish the workload; return when each batch should have left and when it was acknowledged, with the offset after it."""
    intended: Times = []
    acknowledged: Times = []
    producer = AIOKafkaProducer(bootstrap_servers=servers, enable_idempotence=True, acks="all", linger_ms=0)
    await producer.start()
    start = time.perf_counter() + 0.1
    under_way = []
    for batch, next_offset in workload.batches(first_offset=first_offset):
        due = start + (next_offset - first_offset) / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        count = workload.records_per_batch
        future = await producer.send_batch(BuiltBatch(for_broker(batch), count), topic, partition=0)
        future.add_done_callback(lambda _, after=next_offset: acknowledged.append((time.perf_counter(), after)))
        intended.append((due, next_offset))
        under_way.append(future)
    await asyncio.gather(*under_way)
    await asyncio.sleep(0)  # the last callback
    await producer.stop()
    return intended, acknowledged


def run(broker: BrokerForBench, directory: Path, *, households: int, rates: list[int], seconds: float) -> Results:
    """Measure ``acknowledged_to_visible_p99_ms_at_<rate>`` and the like, on accounts that are all open."""
    results = new_results("latency", households=households, seconds=seconds)
    for rate in rates:
        batch = max(1, rate // BATCHES_PER_S)
        events = int(rate * seconds) // batch * batch
        workload = Workload(events=events, households=households, records_per_batch=batch)
        servers, topic = broker.servers, broker.new_topic()
        uvloop.run(fill(servers, topic, opening_of(workload)))
        with TemporaryDirectory(dir=directory, prefix="bench-") as place, running_engine(servers, topic, Path(place)):
            shard = Path(place) / f"{topic}-0"
            wait_until_readable(shard, households)
            watch = start_watch(shard, households + events)
            intended, acknowledged = uvloop.run(publish_at_rate(servers, topic, workload, households, rate))
            seen = finish_watch(watch)
        for name, since in (("acknowledged", acknowledged), ("intended", intended)):
            delays_ms = [delay * 1000 for delay in delays_s(since, seen)]
            for share, label in ((0.5, "p50"), (0.99, "p99"), (1.0, "max")):
                results.add(f"{name}_to_visible_{label}_ms_at_{rate}", "ms", percentile(delays_ms, share))
    return results


def wait_until_readable(shard: Path, next_offset: int, timeout_s: float = 120.0) -> None:
    reader = open_when_there(shard)
    deadline = time.monotonic() + timeout_s
    while reader.watermark.next_offset < next_offset:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the engine has not reached offset {next_offset}")
        time.sleep(0.05)
