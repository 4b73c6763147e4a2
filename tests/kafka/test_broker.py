"""The harness itself: a broker that the other tests can trust."""

import confluent_kafka as ck

from tests.kafka.broker import Broker
from tests.waiting import PATIENCE_S


def read_all(broker: Broker, topic: str, count: int) -> list[bytes]:
    consumer = ck.Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": topic, "auto.offset.reset": "earliest"})
    consumer.assign([ck.TopicPartition(topic, 0, ck.OFFSET_BEGINNING)])
    values: list[bytes] = []
    while len(values) < count:
        message = consumer.poll(PATIENCE_S)
        assert message is not None, f"{count - len(values)} records of {topic} did not come"
        assert message.error() is None, message.error()
        values.append(message.value())
    consumer.close()
    return values


def test_records_outlive_a_killed_broker_that_starts_again_on_its_port(kafka_broker, new_topic):
    topic, address = new_topic(), kafka_broker.bootstrap_servers
    producer = ck.Producer({"bootstrap.servers": address})
    producer.produce(topic, b"before")
    assert producer.flush(PATIENCE_S) == 0
    kafka_broker.kill()
    kafka_broker.restart()
    assert kafka_broker.bootstrap_servers == address
    assert read_all(kafka_broker, topic, 1) == [b"before"]


def test_records_of_the_stock_java_producer_arrive_as_they_were_given(kafka_broker, new_topic):
    topic = new_topic()
    kafka_broker.produce_with_java(topic, [b"one", b"two"], "compression.type=gzip")
    assert read_all(kafka_broker, topic, 2) == [b"one", b"two"]


def test_deleted_records_are_gone_and_later_ones_stay(kafka_broker, new_topic):
    topic = new_topic()
    kafka_broker.produce_with_java(topic, [b"one", b"two", b"three"])
    kafka_broker.delete_records(topic, 0, before_offset=2)
    assert read_all(kafka_broker, topic, 1) == [b"three"]
