"""Topics are made once, and keep records of any age."""

import asyncio
import time

import confluent_kafka as ck
import pytest
from aiokafka import TopicPartition
from aiokafka.errors import InvalidPartitionsError

from streams.topics import create_topics
from tests.kafka.reading import end_offset, read_records
from tests.waiting import PATIENCE_S


def test_a_topic_is_made_once_and_then_found(kafka_broker):
    address = kafka_broker.bootstrap_servers
    made = asyncio.run(create_topics(address, {"made-once": 2, "made-too": 1}))
    assert made == {"made-once": (2, True), "made-too": (1, True)}
    assert asyncio.run(create_topics(address, {"made-once": 3, "made-later": 1})) == {
        "made-once": (2, False),
        "made-later": (1, True),
    }


def test_a_count_of_partitions_that_cannot_be_is_an_error(kafka_broker):
    with pytest.raises(InvalidPartitionsError, match="made-never"):
        asyncio.run(create_topics(kafka_broker.bootstrap_servers, {"made-never": 0}))


def test_records_dated_years_ago_stay(kafka_broker):
    asyncio.run(create_topics(kafka_broker.bootstrap_servers, {"dated-years-ago": 1}))
    producer = ck.Producer({"bootstrap.servers": kafka_broker.bootstrap_servers})
    producer.produce("dated-years-ago", b"old", timestamp=1_000_000_000_000)
    assert producer.flush(PATIENCE_S) == 0
    time.sleep(0.5)
    partition = TopicPartition("dated-years-ago", 0)
    assert asyncio.run(end_offset(kafka_broker, partition)) == 1
    assert asyncio.run(read_records(kafka_broker, partition, 1)) == [(0, b"old")]
