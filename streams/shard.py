"""One shard: the engine of one partition, fed from its source until it is told to stop or must."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ledger.channels import BUILT_IN_CHANNELS, Channel
from ledger.engine import Engine, EngineStatus
from ledger.errors import PeakledgerError, PositionLost
from ledger.parameters import LedgerParameters
from streams.blocks import Block
from streams.feeding import FeedRules, feed
from streams.sources import Source

log = logging.getLogger(__name__)

State = Literal["opening", "running", "closing", "closed", "failed"]
Follower = Callable[["Shard"], Awaitable[None]]

FOLLOWERS_END_S = 10.0


@dataclass(frozen=True, slots=True)
class ShardSettings:
    """How shards are run. ``followers`` run beside each engine while it is open, until ``Shard.closing`` is set.

    ``takeover_after_s``: how long to wait for another writer of a shard before taking it over; None never does.
    ``accept_lost_records``: go on where the source begins if it no longer has the records that come next.
    ``stop_at_end``: stop when everything that was there at the start is applied.
    """

    data: Path
    parameters: LedgerParameters = field(default_factory=LedgerParameters)
    channels: tuple[Channel, ...] = BUILT_IN_CHANNELS
    rules: FeedRules = field(default_factory=FeedRules)
    takeover_after_s: float | None = None
    accept_lost_records: bool = False
    stop_at_end: bool = False
    commit_interval_s: float = 5.0
    followers: Sequence[Follower] = ()
    engine_options: dict[str, Any] = field(default_factory=dict)

    def directory_of(self, topic: str, partition: int) -> Path:
        """Return where the ledger of a partition is."""
        return self.data / f"{topic}-{partition}"


@dataclass(frozen=True, slots=True)
class ShardStatus:
    """Where a shard stands. ``records_per_s`` counts since the status before; ``lag`` is in records not yet applied."""

    topic: str
    partition: int
    state: State
    engine: EngineStatus | None
    lag: int
    records_per_s: float
    error: Exception | None


class Shard:
    """One partition's ledger at work. ``run`` opens, feeds and closes it; everything slow runs on the shard's own thread."""

    def __init__(self, source: Source, settings: ShardSettings) -> None:
        self.topic, self.partition = source.topic, source.partition
        self.directory = settings.directory_of(source.topic, source.partition)
        self.state: State = "opening"
        self.error: Exception | None = None
        self.engine: Engine | None = None
        self.closing = asyncio.Event()
        self._source, self._settings = source, settings
        self._thread = ThreadPoolExecutor(1, f"shard-{source.topic}-{source.partition}")
        self._high_watermark = 0
        self._engine_status: EngineStatus | None = None
        self._counted = (time.monotonic(), 0)

    @property
    def name(self) -> str:
        return f"{self.topic}/{self.partition}"

    async def run(self) -> None:
        """Work until cancelled, until the end with ``stop_at_end``, or until something is wrong, which is then ``error``."""
        followers: list[asyncio.Task[None]] = []
        try:
            await self._open()
            followers = [asyncio.ensure_future(follower(self)) for follower in self._settings.followers]
            await self._feed(followers)
        except Exception as error:
            self._fail(error)
        finally:
            await self._uninterrupted(self._close(followers))

    def status(self) -> ShardStatus:
        """Return where the shard stands; the last state of the engine if it is closed."""
        if self.engine:
            self._engine_status = self.engine.status()
        engine = self._engine_status
        now, consumed = time.monotonic(), engine.records_consumed if engine else 0
        (before, consumed_before), self._counted = self._counted, (now, consumed)
        rate = max(0, consumed - consumed_before) / (now - before) if consumed_before else 0.0
        lag = self._source.waiting + (max(0, self._high_watermark - engine.next_offset) if engine else 0)
        return ShardStatus(self.topic, self.partition, self.state, engine, lag, rate, self.error)

    async def _open(self) -> None:
        await self._on_thread(self._open_engine)
        assert self.engine
        await self._source.seek(self.engine.next_offset)
        self.state = "running"
        log.info("%s is open: next_offset %d, applied_seq %d", self.name, self.engine.next_offset, self.engine.applied_seq)

    def _open_engine(self) -> None:
        # Set here and not by the caller, so that an engine that opens while the shard is cancelled is closed like any other.
        self.engine = Engine.open(
            self.directory,
            source=self.name,
            parameters=self._settings.parameters,
            channels=self._settings.channels,
            takeover_after_s=self._settings.takeover_after_s,
            **self._settings.engine_options,
        )
        if self.engine.torn_tail:
            log.warning("%s: the journal ended in a torn frame, which was cut: %s", self.name, self.engine.torn_tail)

    async def _feed(self, followers: Sequence[asyncio.Task[None]]) -> None:
        engine = self.engine
        assert engine
        end_offset = await self._source.end_offset() if self._settings.stop_at_end else None
        committed, commit_at = engine.next_offset, time.monotonic() + self._settings.commit_interval_s
        while end_offset is None or not await self._source.reached(end_offset):
            for block in await self._read(engine):
                self._high_watermark = block.high_watermark
                await self._on_thread(feed, engine, block, self._settings.rules)
            for follower in followers:
                if follower.done():
                    follower.result()
            if time.monotonic() >= commit_at and engine.next_offset > committed:
                committed, commit_at = engine.next_offset, time.monotonic() + self._settings.commit_interval_s
                await self._on_thread(engine.wait_durable)
                await self._source.commit(committed)

    async def _read(self, engine: Engine) -> list[Block]:
        try:
            return await self._source.read()
        except PositionLost as error:
            first_offset = int(str(error.numbers["first_offset"]))
            if not self._settings.accept_lost_records or first_offset <= engine.next_offset:
                raise
            log.warning("%s: records from %d to %d are lost", self.name, engine.next_offset, first_offset - 1)
            # The engine moves too: the broker's first batch may still hold records that count as deleted.
            await self._on_thread(engine.apply, b"", first_offset)
            await self._source.seek(first_offset)
            return []

    async def _on_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run something slow on the shard's thread. It is waited for, and fails, even when the shard is cancelled meanwhile."""
        work = asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait([work])
            work.result()
            raise

    @staticmethod
    async def _uninterrupted(ending: Coroutine[Any, Any, None]) -> None:
        """Carry on to the end however often the shard is cancelled meanwhile: an engine half closed would keep its ledger."""
        task = asyncio.ensure_future(ending)
        while not task.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        task.result()

    def _fail(self, error: Exception) -> None:
        # The first failure is the cause; what follows from it while closing is not news.
        if self.error is None:
            self.error = error
            is_told_whole = isinstance(error, PeakledgerError) or (isinstance(error, OSError) and error.filename is not None)
            unexpected = None if is_told_whole else error
            log.error("%s stopped: %s", self.name, error, exc_info=unexpected)

    async def _close(self, followers: Sequence[asyncio.Task[None]]) -> None:
        self.state = "closing"
        self.closing.set()
        if followers:
            _, late = await asyncio.wait(followers, timeout=FOLLOWERS_END_S)
            for follower in late:
                follower.cancel()
            await asyncio.gather(*followers, return_exceptions=True)
        engine = self.engine
        if engine:
            try:
                await self._on_thread(engine.close)
                await self._source.commit(engine.next_offset)
            except Exception as error:
                self._fail(error)
                await self._on_thread(engine.abandon)
            self._engine_status = engine.status()
            self.engine = None
        await self._source.close()
        self._thread.shutdown(wait=False)
        self.state = "failed" if self.error else "closed"
