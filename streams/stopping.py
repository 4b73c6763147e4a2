"""Ends what talks to Kafka within a bound: aiokafka waits for ever for a broker that is gone, and may swallow a cancellation."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError, ProducerClosed

_CANCELLATIONS = 20
_CANCELLATION_S = 0.1
_CONNECTIONS_END_S = 1.0


async def end_task(task: "asyncio.Task[Any]", timeout_s: float = 0) -> bool:
    """Wait so long for a task, then cancel it until it ends, for 2 s at most. Return whether it ended by itself."""
    try:
        await asyncio.wait([task], timeout=timeout_s)
        return task.done()
    finally:
        # Cancelled once, a task may begin to wait for something else, such as the end of a kafka_txn.
        for _ in range(_CANCELLATIONS):
            if task.done():
                break
            task.cancel()
            await asyncio.wait([task], timeout=_CANCELLATION_S)
        if task.done() and not task.cancelled():
            task.exception()  # looked at, as below


async def end_within(timeout_s: float, ending: Coroutine[Any, Any, None]) -> bool:
    """Wait so long for what ends a client of Kafka, then cancel it. Return whether it ended; what Kafka says to it is no news."""
    task = asyncio.ensure_future(ending)
    if not await end_task(task, timeout_s):
        return False
    error = None if task.cancelled() else task.exception()
    if error and not isinstance(error, KafkaError):
        raise error
    return True


async def stop_producer(producer: AIOKafkaProducer, timeout_s: float) -> None:
    """Stop a producer that has so long to send what it holds. What it holds then fails, for whoever waits for it."""
    try:
        await end_within(timeout_s, producer.stop())
    finally:
        # Its sender before its connections. Where it has stopped by itself nothing of this waits.
        if sender := producer._sender.sender_task:
            await end_task(sender)
        _fail_what_waits(producer)
        await end_within(_CONNECTIONS_END_S, producer.client.close())


def _fail_what_waits(producer: AIOKafkaProducer) -> None:
    accumulator, manager = producer._message_accumulator, producer._txn_manager
    accumulator.fail_all(ProducerClosed())
    failed = [batch._drain_waiter for batches in accumulator._batches.values() for batch in batches]
    if manager and manager._transaction_waiter:  # there was a kafka_txn: its end must not be waited for, nor begun
        manager.fatal_error(ProducerClosed())
        failed.append(manager._transaction_waiter)
    for future in failed:
        future.exception()  # asyncio complains of one that nobody looks at


async def stop_consumer(consumer: AIOKafkaConsumer, timeout_s: float) -> bool:
    """Stop a consumer that has so long to say so to Kafka. Return whether it had."""
    try:
        return await end_within(timeout_s, consumer.stop())
    finally:
        await end_within(_CONNECTIONS_END_S, consumer._client.close())
