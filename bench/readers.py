"""Reads a topic from its beginning with a stock client and drops what it read: what the engine's catch-up is compared with.

``python -m bench.readers confluent|aiokafka SERVERS TOPIC RECORDS`` prints one line of JSON. A process of its own for each,
tuned as well as we know how. The clock runs from the first records that arrive to the last.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable

import msgspec

from bench import children

MEBIBYTE = 1024 * 1024
RECORDS_A_CALL = 10_000
TIMEOUT_S = 120.0

CONFLUENT_SETTINGS = {
    "enable.auto.commit": False,
    "auto.offset.reset": "earliest",
    "isolation.level": "read_committed",
    "check.crcs": False,
    "fetch.max.bytes": 64 * MEBIBYTE,
    "max.partition.fetch.bytes": 16 * MEBIBYTE,
    "receive.message.max.bytes": 128 * MEBIBYTE,
    "queued.min.messages": 1_000_000,
    "queued.max.messages.kbytes": 1024 * 1024,
    "fetch.queue.backoff.ms": 0,
}
AIOKAFKA_SETTINGS = {
    "enable_auto_commit": False,
    "auto_offset_reset": "earliest",
    "isolation_level": "read_committed",
    "check_crcs": False,
    "fetch_max_bytes": 64 * MEBIBYTE,
    "max_partition_fetch_bytes": 16 * MEBIBYTE,
}


class Reading(msgspec.Struct):
    """How many records were read in how many seconds."""

    records: int
    seconds: float

    @property
    def records_per_s(self) -> float:
        return self.records / self.seconds


def read_with(client: str, servers: str, topic: str, records: int) -> Reading:
    """Read the topic in a process of its own."""
    return children.answer(children.start("bench.readers", client, servers, topic, records), Reading, TIMEOUT_S + 60)


class _Clock:
    """Counts what arrives after the first arrival."""

    def __init__(self, records: int) -> None:
        self.wanted = records
        self.seen = self.first = 0
        self.start = self.end = 0.0

    def count(self, arrived: int) -> bool:
        """Count an arrival; False when nothing more is to come."""
        self.end = time.perf_counter()
        if arrived and not self.seen:
            self.first, self.start = arrived, self.end
        self.seen += arrived
        return self.seen < self.wanted

    def reading(self) -> Reading:
        return Reading(self.seen - self.first, self.end - self.start)


def read_confluent(servers: str, topic: str, records: int) -> Reading:
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": servers, "group.id": "bench-readers", **CONFLUENT_SETTINGS})
    consumer.assign([TopicPartition(topic, 0, 0)])
    clock = _Clock(records)
    while clock.count(len(consumer.consume(RECORDS_A_CALL, timeout=1.0))):
        pass
    consumer.close()
    return clock.reading()


def read_aiokafka(servers: str, topic: str, records: int) -> Reading:
    import uvloop

    return uvloop.run(_read_aiokafka(servers, topic, records))


async def _read_aiokafka(servers: str, topic: str, records: int) -> Reading:
    from aiokafka import AIOKafkaConsumer, TopicPartition

    consumer = AIOKafkaConsumer(bootstrap_servers=servers, **AIOKAFKA_SETTINGS)
    await consumer.start()
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    await consumer.seek_to_beginning(partition)
    clock = _Clock(records)
    async with asyncio.timeout(TIMEOUT_S):
        while clock.count(sum(map(len, (await consumer.getmany(timeout_ms=1000, max_records=RECORDS_A_CALL)).values()))):
            pass
    await consumer.stop()
    return clock.reading()


CLIENTS: dict[str, Callable[[str, str, int], Reading]] = {"confluent": read_confluent, "aiokafka": read_aiokafka}

if __name__ == "__main__":
    client, servers, topic, records = sys.argv[1:]
    print(json.dumps(msgspec.to_builtins(CLIENTS[client](servers, topic, int(records)))))
