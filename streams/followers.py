"""What runs beside a shard's engine while it is open: the publishers of what its journal tells."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from streams.journal_publisher import JournalPublisher
from streams.shard import Shard
from streams.sinks import BatchSink

_PAUSE_S = 0.02
_CLOSE_TIMEOUT_S = 5.0


class PublishingFollower:
    """Publishes what each shard's journal tells, as it becomes durable. Every shard gets a sink and a publisher of its own.

    ``make_publisher`` is called with the shard's directory, the started sink and the number of the partition.
    """

    def __init__(
        self, make_sink: Callable[[], BatchSink], make_publisher: Callable[[Path, BatchSink, int], JournalPublisher]
    ) -> None:
        self._make_sink = make_sink
        self._make_publisher = make_publisher

    async def __call__(self, shard: Shard) -> None:
        """Follow a shard until it closes, then publish what it made durable last. Raises PublishFailed."""
        engine = shard.engine
        assert engine
        sink = self._make_sink()
        await sink.start()
        try:
            publisher = self._make_publisher(shard.directory, sink, shard.partition)
            while not shard.closing.is_set():
                await publisher.publish_up_to(engine.durable_frame)
                with suppress(TimeoutError):
                    await asyncio.wait_for(shard.closing.wait(), _PAUSE_S)
            await asyncio.to_thread(engine.wait_durable)
            await asyncio.to_thread(engine.wait_projected_at_end)  # some tell of balances, and only of those that can be read
            await publisher.publish_up_to(engine.durable_frame)
        finally:
            await sink.close(_CLOSE_TIMEOUT_S)
