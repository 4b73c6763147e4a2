"""What talks to Kafka stops within its bound, whatever it was at when the broker went away, and nobody waits for it any more."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from aiokafka.producer.transaction_manager import TransactionState

from ledger._core import build_batch
from ledger.errors import PublishFailed
from streams.inlets import Inlet, KafkaInlets, priority_topics
from streams.kafka_txns import KafkaTxns
from streams.merging import Record, Released
from streams.sinks import KafkaSink

CLOSE_S = 0.1
NEVER_S = 300  # far more than anything here may take: what has not ended by then waits for ever
RECORDS: list[Record] = [(offset, 1, b"3301234567890", bytes(300_000)) for offset in range(10)]  # of several batches

Begin = Callable[[KafkaTxns], Awaitable["asyncio.Task[Any]"]]


async def ends(work: "Coroutine[Any, Any, None] | asyncio.Task[Any]") -> BaseException | None:
    """Wait for what must end, and return what it failed with. Not by asyncio.timeout: a cancellation may free what hangs."""
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait([task], timeout=NEVER_S)
    assert done, f"{task} has not ended"
    return None if task.cancelled() else task.exception()


async def until(holds: Callable[[], object]) -> None:
    while not holds():
        await asyncio.sleep(0)


async def starting(txns: KafkaTxns) -> "asyncio.Task[Any]":
    start = asyncio.create_task(txns.start())
    await until(lambda: txns._producer.client._conns)
    start.cancel()
    return start


async def between_two(txns: KafkaTxns) -> "asyncio.Task[Any]":
    await txns.start()
    writing = asyncio.create_task(txns.write(RECORDS, Released(1)))
    await writing
    return writing


async def in_one(txns: KafkaTxns) -> "asyncio.Task[Any]":
    await txns.start()
    writing = asyncio.create_task(txns.write(RECORDS, Released(1)))
    await until(lambda: txns._producer._txn_manager.txn_partitions)
    return writing


async def committing(txns: KafkaTxns) -> "asyncio.Task[Any]":
    writing = await in_one(txns)
    await until(lambda: txns._producer._txn_manager.state is TransactionState.COMMITTING_TRANSACTION)
    return writing


async def aborting(txns: KafkaTxns) -> "asyncio.Task[Any]":
    writing = await in_one(txns)
    writing.cancel()
    await until(lambda: txns._producer._txn_manager.state is TransactionState.ABORTING_TRANSACTION)
    return writing


@pytest.fixture
def topic(kafka_broker, new_topic) -> str:
    events = new_topic(5)
    for name in priority_topics(events):
        kafka_broker.create_topic(name, 5)
    return events


@pytest.mark.parametrize("begin", [in_one, committing, aborting])
def test_what_a_writer_of_kafka_txns_has_begun_fails_when_it_closes_while_the_broker_is_frozen(kafka_broker, topic, begin):
    async def run() -> BaseException | None:
        writer = KafkaTxns(topic, 0, bootstrap_servers=kafka_broker.bootstrap_servers)
        writing = await begin(writer)
        kafka_broker.freeze()
        assert await ends(writer.close(CLOSE_S)) is None
        return await ends(writing)

    try:
        assert isinstance(asyncio.run(run()), PublishFailed)
    finally:
        kafka_broker.thaw()


def test_all_that_talks_to_a_broker_closes_when_it_is_killed(kafka_broker, topic):
    async def run() -> None:
        servers = kafka_broker.bootstrap_servers
        writers = [KafkaTxns(topic, partition, bootstrap_servers=servers) for partition in range(5)]
        sink, inlets = KafkaSink(topic, servers), KafkaInlets(topic, 0, bootstrap_servers=servers)
        await asyncio.gather(sink.start(), inlets.start())
        beginnings: list[Begin] = [between_two, starting, in_one, committing, aborting]
        begun = await asyncio.gather(*(begin(writer) for begin, writer in zip(beginnings, writers, strict=True)))
        kafka_broker.kill()
        await sink.send(0, build_batch([(None, b"value", 1)]), 1)
        flushing, reading = asyncio.create_task(sink.flush(NEVER_S)), asyncio.create_task(inlets.read(Inlet.batch, NEVER_S))
        for client in (KafkaTxns(topic, 0, bootstrap_servers=servers), *writers, sink):
            assert await ends(client.close(CLOSE_S)) is None
        reading.cancel()
        assert await ends(inlets.close(CLOSE_S)) is None
        assert isinstance(await ends(flushing), PublishFailed)
        for one in (reading, *begun):
            await ends(one)

    try:
        asyncio.run(run())
    finally:
        kafka_broker.restart()
