"""Publishing a workload through librdkafka, timestamps included."""

import confluent_kafka as ck

from bench.workload import Workload
from tests.kafka.broker import Broker
from tests.waiting import PATIENCE_S

# Workloads are dated on a fixed day, which may lie ahead of the broker's clock.
ANY_TIME = {"message.timestamp.after.max.ms": "9223372036854775807"}


def records(workload: Workload) -> list[tuple[bytes | None, int]]:
    """Return the value and the timestamp of each event."""
    return [(value, workload.timestamp_ms(event)) for event, value in enumerate(workload.values())]


class WorkloadProducer:
    """Publishes a workload's events to one partition, some at a time, each once and in order."""

    def __init__(self, broker: Broker, topic: str, workload: Workload, partition: int = 0) -> None:
        # Records wait for the flush, so that each call of publish makes one batch, however busy the machine is.
        settings = {"bootstrap.servers": broker.bootstrap_servers, "linger.ms": 100_000, "enable.idempotence": True}
        self._producer = ck.Producer(settings)
        self._topic, self._workload, self._partition = topic, workload, partition
        self._values = enumerate(workload.values())
        self.published = 0

    def publish(self, events: int) -> None:
        """Publish the next events and wait until the broker has them."""
        end = min(self.published + events, self._workload.events)
        while self.published < end:
            event, value = next(self._values)
            self._producer.produce(self._topic, value, partition=self._partition, timestamp=self._workload.timestamp_ms(event))
            self.published += 1
            self._producer.poll(0)
        assert self._producer.flush(PATIENCE_S) == 0
