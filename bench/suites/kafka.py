"""Catch-up of a filled topic from a real broker: the whole engine, beside stock clients that merely read the same topic.

The topic begins with one payment of each household, which opens its account; the clock runs for what follows, from the first
block applied to the last one durable. The engine is a member of a consumer group, reads committed records only, and verifies
each CRC.
"""

import asyncio
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop

from bench.brokers import BrokerForBench
from bench.feeding import KEY_MEMORY_BYTES, opening_of
from bench.publishing import fill
from bench.readers import Reading, read_with
from bench.results import Results, new_results
from bench.workload import Workload
from streams.feeding import FeedRules
from streams.shard import Shard, ShardSettings
from streams.shards import KafkaShards

POLL_S = 0.001


class CatchUp:
    """Follows a shard and notes when it passed the opening of accounts, and when all was durable."""

    def __init__(self, opened_offset: int, end_offset: int) -> None:
        self.opened_offset, self.end_offset = opened_offset, end_offset
        self.reading: Reading | None = None

    async def follow(self, shard: Shard) -> None:
        assert shard.engine
        engine = shard.engine
        while engine.next_offset < self.opened_offset:
            await asyncio.sleep(POLL_S)
        start, first = time.perf_counter(), engine.next_offset
        while engine.next_offset < self.end_offset:
            await asyncio.sleep(POLL_S)
        await asyncio.get_running_loop().run_in_executor(None, engine.wait_durable)
        self.reading = Reading(self.end_offset - first, time.perf_counter() - start)
        await shard.closing.wait()


async def catch_up(servers: str, topic: str, workload: Workload, directory: Path) -> Reading:
    """Run a new engine on the topic until its end."""
    catching_up = CatchUp(workload.households, workload.households + workload.events)
    settings = ShardSettings(
        directory,
        rules=FeedRules(max_ahead_s=None),
        followers=[catching_up.follow],
        stop_at_end=True,
        engine_options={"key_memory_bytes": KEY_MEMORY_BYTES},
    )
    await KafkaShards(topic, settings, group=f"bench-{directory.name}", bootstrap_servers=servers).run()
    assert catching_up.reading
    return catching_up.reading


def run(broker: BrokerForBench, directory: Path, *, workload: Workload, repetitions: int, readers: tuple[str, ...]) -> Results:
    """Measure ``engine_events_per_s`` and ``<reader>_records_per_s``, in turn, ``repetitions`` times."""
    results = new_results(
        "kafka-json" if workload.json else "kafka-packed", events=workload.events, households=workload.households
    )
    servers, topic = broker.servers, broker.new_topic()
    results.add("fill_records_per_s", "records/s", uvloop.run(fill(servers, topic, opening_of(workload), workload)))
    records = workload.households + workload.events
    for _ in range(repetitions):
        with TemporaryDirectory(dir=directory, prefix="bench-") as place:
            reading = uvloop.run(catch_up(servers, topic, workload, Path(place)))
        results.add("engine_events_per_s", "events/s", reading.records_per_s)
        for reader in readers:
            results.add(f"{reader}_records_per_s", "records/s", read_with(reader, servers, topic, records).records_per_s)
    return results
