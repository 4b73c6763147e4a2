"""Publishes a season at a speed, and counts what it publishes and what must become of it."""

import asyncio
import time
from collections.abc import Callable, Iterable

from bench.season.arrivals import Arrival
from bench.season.fast import FastSeason
from bench.season.plan import Season
from bench.season.tally import Tally
from ledger.events import encode_json
from streams.publisher import SinkPublisher

Progress = Callable[[int, int], None]

_NO_WAIT_S = 0.002
_EVENTS_AT_ONCE = 1000


def _no_progress(time_ms: int, published: int) -> None:
    """Tell nobody."""


async def publish_season(
    arrivals: Iterable[Arrival],
    publisher: SinkPublisher,
    *,
    speed: float | None,
    progress: Progress = _no_progress,
) -> Tally:
    """Publish each arrival with its time, ``speed`` times as fast as it happened, or as fast as it goes.

    ``progress`` is called with the time in the season that is reached, in milliseconds since 1970, and how many events were
    published before. Raises PublishFailed.
    """
    tally, pace = Tally(), _Pace(speed)
    for number, arrival in enumerate(arrivals):
        if number % _EVENTS_AT_ONCE == 0 or speed:
            await pace.wait_for(arrival.time_ms)
            progress(arrival.time_ms, number)
        key = arrival.key.encode() if arrival.key else None
        if arrival.wrong:
            await publisher.publish_record(key, encode_json(arrival.event), arrival.time_ms)
        else:
            await publisher.publish(arrival.event, arrival.time_ms, key)
        tally.add(arrival)
    return tally


async def publish_at_once(season: Season, publisher: SinkPublisher, *, json: bool, progress: Progress = _no_progress) -> Tally:
    """Publish a whole season, packed or as JSON, as fast as it goes: the next records are made while others are sent."""
    made = FastSeason(season, json=json)
    records = made.records()
    published = 0
    ready = await asyncio.to_thread(next, records, None)
    while ready:
        progress(ready.timestamps_ms[-1], published)
        published += len(ready.timestamps_ms)
        ready, _ = await asyncio.gather(asyncio.to_thread(next, records, None), publisher.publish_values(*ready))
    return made.tally


class _Pace:
    """Lets the time of a season pass ``speed`` times as fast as that of the clock."""

    def __init__(self, speed: float | None) -> None:
        self._speed = speed
        self._first_ms: int | None = None
        self._began_s = time.monotonic()

    async def wait_for(self, time_ms: int) -> None:
        if self._first_ms is None:
            self._first_ms = time_ms
        if self._speed:
            wait_s = (time_ms - self._first_ms) / 1000 / self._speed - (time.monotonic() - self._began_s)
            if wait_s > _NO_WAIT_S:
                await asyncio.sleep(wait_s)
        else:
            await asyncio.sleep(0)
