"""What runs beside a shard's engine while it is open: the publisher of its outcomes."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

from ledger.channels import BUILT_IN_CHANNELS, Channel
from streams.outcomes import OutcomeLevel, OutcomePublisher
from streams.shard import Shard
from streams.sinks import BatchSink

_PAUSE_S = 0.02
_CLOSE_TIMEOUT_S = 5.0


class OutcomeFollower:
    """Publishes each shard's outcomes as they become durable. ``make_sink`` gives every shard a sink of its own."""

    def __init__(
        self, make_sink: Callable[[], BatchSink], level: OutcomeLevel, channels: Iterable[Channel] = BUILT_IN_CHANNELS
    ) -> None:
        self._make_sink = make_sink
        self._level = level
        self._channels = tuple(channels)

    async def __call__(self, shard: Shard) -> None:
        """Follow a shard until it closes, then publish what it made durable last. Raises PublishFailed."""
        engine = shard.engine
        assert engine
        sink = self._make_sink()
        await sink.start()
        try:
            publisher = OutcomePublisher(shard.directory, sink, shard.partition, channels=self._channels, level=self._level)
            while not shard.closing.is_set():
                await publisher.publish_up_to(engine.durable_frame)
                with suppress(TimeoutError):
                    await asyncio.wait_for(shard.closing.wait(), _PAUSE_S)
            await asyncio.to_thread(engine.wait_durable)
            await publisher.publish_up_to(engine.durable_frame)
        finally:
            await sink.close(_CLOSE_TIMEOUT_S)
