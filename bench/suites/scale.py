"""Several partitions, each with an engine in a process of its own: what they apply together, and what each of them does.

The topic has as many partitions as the greatest count, all alike but for their seed; each engine catches up with one of them.
They start together, when all have opened their accounts. More engines than cores share the cores, and so does a broker.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop

from bench.brokers import BrokerForBench
from bench.feeding import opening_of
from bench.gated_engine import GatedEngine, GatedReading
from bench.publishing import fill
from bench.results import Results, new_results
from bench.workload import Workload
from streams.embedded import EmbeddedStream

TOPIC = "scale"


@dataclass(frozen=True, slots=True)
class Filled:
    """A topic with events in it: of an embedded stream in a directory, or of a broker."""

    kind: str
    place: str
    topic: str


def run(
    directory: Path, broker: BrokerForBench | None, *, partitions: list[int], events: int, households: int, repetitions: int
) -> Results:
    """Measure ``events_per_s_of_<count>``, all together, and ``events_per_s_each_of_<count>``, for each count in turn.

    ``events`` and ``households`` are those of one partition. The embedded stream is read where there is no broker.
    """
    results = new_results("scale", events=events, households=households, source="kafka" if broker else "embedded")
    most = max(partitions)
    workloads = [Workload(seed=seed, events=events, households=households) for seed in range(1, most + 1)]
    with TemporaryDirectory(dir=directory, prefix="bench-stream-") as stream:
        filled = fill_broker(broker, workloads) if broker else fill_stream(Path(stream), workloads)
        for _ in range(repetitions):
            for count in partitions:
                with TemporaryDirectory(dir=directory, prefix="bench-") as data:
                    readings = catch_up(filled, count, Path(data), households)
                seconds = max(reading.end for reading in readings) - min(reading.start for reading in readings)
                total = sum(reading.events for reading in readings)
                results.add(f"events_per_s_of_{count}", "events/s", total / seconds)
                for reading in readings:
                    results.add(f"events_per_s_each_of_{count}", "events/s", reading.events_per_s)
    return results


def catch_up(filled: Filled, count: int, data: Path, opened_offset: int) -> list[GatedReading]:
    """Run so many engines to the ends of their partitions, and return what each of them says."""
    with ExitStack() as ending:
        engines = []
        for partition in range(count):
            engine = GatedEngine(filled.kind, filled.place, filled.topic, partition, data, opened_offset)
            ending.callback(engine.end)
            engines.append(engine)
        for engine in engines:
            engine.wait_ready()
        for engine in engines:
            engine.go_on()
        return [engine.reading() for engine in engines]


def fill_stream(directory: Path, workloads: list[Workload]) -> Filled:
    with EmbeddedStream(directory) as stream:
        stream.create_topic(TOPIC, len(workloads))
        for partition, workload in enumerate(workloads):
            for part in (opening_of(workload), workload):
                for batch, _ in part.batches():
                    stream.append(TOPIC, partition, batch)
    return Filled("embedded", str(directory.absolute()), TOPIC)


def fill_broker(broker: BrokerForBench, workloads: list[Workload]) -> Filled:
    topic = broker.new_topic(len(workloads))
    for partition, workload in enumerate(workloads):
        uvloop.run(fill(broker.servers, topic, opening_of(workload), workload, partition=partition))
    return Filled("kafka", broker.servers, topic)
