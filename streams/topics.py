"""Creates the topics that a ledger reads from and writes to."""

import asyncio
import time
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

# Retention goes by the records' own timestamps: without this, events that are dated in the past are deleted within minutes.
KEEP_EVERYTHING = {"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete"}
KEEP_THE_LAST_OF_A_KEY = {"cleanup.policy": "compact"}
TOPIC_WAIT_S = 10.0  # that a topic was made may take a moment to get around among the brokers
TOPIC_ASK_S = 0.1


class FoundTopic(NamedTuple):
    """A topic as it is, and whether it was made now."""

    partitions: int
    is_new: bool


async def create_topics(
    bootstrap_servers: str,
    partitions_by_topic: Mapping[str, int],
    *,
    compacted: Collection[str] = (),
    replication_factor: int = -1,
    security: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, FoundTopic]:
    """Create topics that keep all records, or, those named in ``compacted``, the last one of each key; wait until they show.

    Returns what is there of each now.

    ``replication_factor`` -1 is the broker's default; ``security`` are aiokafka's settings of TLS and SASL. A topic that exists
    stays as it is. Raises aiokafka's KafkaError.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, **security)
    await admin.start()
    try:
        # aiokafka takes the broker's default replication only together with a list of replicas, be it empty.
        replicas: dict[int, list[int]] | None = {} if replication_factor == -1 else None
        topics = [
            NewTopic(
                name,
                partitions,
                replication_factor,
                replicas,
                dict(KEEP_THE_LAST_OF_A_KEY if name in compacted else KEEP_EVERYTHING),
            )
            for name, partitions in partitions_by_topic.items()
        ]
        answer = await admin.create_topics(topics)
        made = {name: _was_made(name, code, detail) for name, code, *detail in answer.topic_errors}
        shown = await _wait_until_shown(admin, list(made))
    finally:
        await admin.close()
    return {name: FoundTopic(shown.get(name, partitions_by_topic[name]), is_new) for name, is_new in made.items()}


async def _wait_until_shown(admin: AIOKafkaAdminClient, topics: list[str]) -> dict[str, int]:
    """Return how many partitions each topic has.

    The broker has the time to show what its controller made; a cluster that takes longer is not waited for.
    """
    give_up = time.monotonic() + TOPIC_WAIT_S
    while True:
        described = await admin.describe_topics(topics)
        if not any(topic["error_code"] for topic in described) or time.monotonic() >= give_up:
            return {topic["topic"]: len(topic["partitions"]) for topic in described if not topic["error_code"]}
        await asyncio.sleep(TOPIC_ASK_S)


def _was_made(name: str, error_code: int, detail: list[str | None]) -> bool:
    error = for_code(error_code)
    if error is TopicAlreadyExistsError:
        return False
    if error_code:
        raise error(f"{name}: {' '.join(filter(None, detail))}")
    return True
