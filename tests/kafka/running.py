"""Engines in this process that run to the end of a topic and stop there."""

import asyncio
from pathlib import Path

from streams.feeding import FeedRules
from streams.shard import ShardSettings
from streams.shards import KafkaShards
from tests.kafka.broker import Broker


def settings(directory: Path) -> ShardSettings:
    options = {"segment_bytes": 4 << 20}
    return ShardSettings(directory, rules=FeedRules(max_ahead_s=None), stop_at_end=True, engine_options=options)


def run_to_the_end(broker: Broker, topic: str, shard_settings: ShardSettings) -> KafkaShards:
    async def run() -> KafkaShards:
        runner = KafkaShards(topic, shard_settings, group=f"group of {topic}", bootstrap_servers=broker.bootstrap_servers)
        await runner.run()
        return runner

    return asyncio.run(run())
