"""Creates the topics that a ledger reads from and writes to."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

# Retention goes by the records' own timestamps: without this, events that are dated in the past are deleted within minutes.
KEEP_EVERYTHING = {"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete"}
KEEP_THE_LAST_OF_A_KEY = {"cleanup.policy": "compact"}


async def create_topics(
    bootstrap_servers: str,
    partitions_by_topic: Mapping[str, int],
    *,
    compacted: Collection[str] = (),
    replication_factor: int = -1,
    security: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, bool]:
    """Create topics that keep all records, or, those named in ``compacted``, the last one of each key.

    Returns for each whether it was made now (True) or existed (False).

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
    finally:
        await admin.close()
    return {name: _was_made(name, code, detail) for name, code, *detail in answer.topic_errors}


def _was_made(name: str, error_code: int, detail: list[str | None]) -> bool:
    error = for_code(error_code)
    if error is TopicAlreadyExistsError:
        return False
    if error_code:
        raise error(f"{name}: {' '.join(filter(None, detail))}")
    return True
