"""Creates the topics that a ledger reads from and writes to."""

from collections.abc import Mapping

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

# Retention goes by the records' own timestamps: without this, events that are dated in the past are deleted within minutes.
KEEP_EVERYTHING = {"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete"}


async def create_topics(
    bootstrap_servers: str,
    partitions_by_topic: Mapping[str, int],
    *,
    replication_factor: int = -1,
    settings: Mapping[str, str] = KEEP_EVERYTHING,
) -> dict[str, bool]:
    """Create topics that keep all records. Returns for each whether it was made now (True) or existed (False).

    ``replication_factor`` -1 is the broker's default. A topic that exists stays as it is. Raises aiokafka's KafkaError.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        # aiokafka takes the broker's default replication only together with a list of replicas, be it empty.
        replicas: dict[int, list[int]] | None = {} if replication_factor == -1 else None
        topics = [
            NewTopic(name, partitions, replication_factor, replicas, dict(settings))
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
