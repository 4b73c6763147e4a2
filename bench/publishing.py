"""Publishes workloads: a topic filled at once, or at a fixed rate, with the time at which each batch was due and acknowledged.

At a fixed rate batches leave when their time has come, whether earlier ones are acknowledged or not. So a stall delays what comes
after it in the figures as well (no coordinated omission), if they count from the time at which a batch was due.
"""

import asyncio
import time
from dataclasses import dataclass, field, replace

from aiokafka import AIOKafkaProducer

from bench.workload import Workload
from streams.sinks import BuiltBatch, KafkaSink

AS_FAST_AS_IT_GOES = float("inf")
MOST_EVENTS_PER_S = 2_000_000  # made for each second of a run without a rate
BATCHES_PER_S = 200
MOST_RECORDS_PER_BATCH = 4096
WINDOW_BATCHES = 64  # under way at once, where no rate limits them
FLUSH_TIMEOUT_S = 120.0

Times = list[tuple[float, int]]


@dataclass
class Published:
    """When each batch was due and when it was acknowledged, in seconds of ``time.perf_counter``, with the offset behind it."""

    due: Times = field(default_factory=list)
    acknowledged: Times = field(default_factory=list)


def at_rate(workload: Workload, rate: float, seconds: float) -> Workload:
    """Return ``workload`` with as many events as the rate makes in so many seconds, in batches that can leave evenly."""
    rate = min(rate, MOST_EVENTS_PER_S)
    batch = min(MOST_RECORDS_PER_BATCH, max(1, int(rate) // BATCHES_PER_S))
    return replace(workload, events=max(1, int(rate * seconds) // batch) * batch, records_per_batch=batch)


async def publish_at_rate(servers: str, topic: str, workload: Workload, first_offset: int, rate: float) -> Published:
    """Publish the workload to partition 0; an infinite rate keeps a window of batches under way."""
    published = Published()
    patience_ms = int(FLUSH_TIMEOUT_S * 1000)
    producer = AIOKafkaProducer(
        bootstrap_servers=servers, enable_idempotence=True, acks="all", linger_ms=0, request_timeout_ms=patience_ms
    )
    await producer.start()
    window = asyncio.Semaphore(WINDOW_BATCHES)
    start = time.perf_counter() + 0.1
    under_way = []
    before = first_offset
    for batch, next_offset in workload.batches(first_offset=first_offset):
        due = start + (next_offset - first_offset) / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        if rate == AS_FAST_AS_IT_GOES:
            await window.acquire()
            due = time.perf_counter()
        future = await producer.send_batch(BuiltBatch(for_broker(batch), next_offset - before), topic, partition=0)

        def note(_: object, after: int = next_offset) -> None:
            published.acknowledged.append((time.perf_counter(), after))
            window.release()

        future.add_done_callback(note)
        published.due.append((due, next_offset))
        under_way.append(future)
        before = next_offset
    await asyncio.gather(*under_way)
    await asyncio.sleep(0)  # the last callback
    await producer.stop()
    return published


async def fill(servers: str, topic: str, *parts: Workload, partition: int = 0) -> float:
    """Publish workloads one after the other, as whole batches to one partition; return records a second."""
    sink = KafkaSink(topic, servers)
    await sink.start()
    start = time.perf_counter()
    for part in parts:
        first = 0
        for batch, next_offset in part.batches():
            await sink.send(partition, for_broker(batch), next_offset - first)
            first = next_offset
    await sink.flush(FLUSH_TIMEOUT_S)
    seconds = time.perf_counter() - start
    await sink.close(FLUSH_TIMEOUT_S)
    return sum(part.events for part in parts) / seconds


def for_broker(batch: bytes) -> bytearray:
    """Return the batch with base offset 0, as a broker wants it from a publisher; the CRC does not cover the base offset."""
    published = bytearray(batch)
    published[:8] = bytes(8)
    return published
