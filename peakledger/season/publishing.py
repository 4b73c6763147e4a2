"""Publishes a season at a speed, and counts what it publishes and what must become of it."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from bench.season.arrivals import Arrival
from ledger.channels import BUILT_IN_CHANNELS
from ledger.events import Bill, Payment, encode_json
from ledger.outcomes import OutcomeCode
from streams.publisher import SinkPublisher

UNKNOWN_CHANNEL = "unknown"

_CHANNELS = {channel.name for channel in BUILT_IN_CHANNELS}
_NO_WAIT_S = 0.002
_EVENTS_AT_ONCE = 1000


@dataclass
class Tally:
    """Events by channel and outcome, and the fen of the bills and payments of each channel that are applied."""

    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    amounts_fen: Counter[str] = field(default_factory=Counter)

    def add(self, arrival: Arrival) -> None:
        event, outcome = arrival.event, arrival.outcome
        assert outcome is not None
        channel = event.channel if event.channel in _CHANNELS else UNKNOWN_CHANNEL
        self.events[channel, outcome.name] += 1
        if outcome is OutcomeCode.applied and isinstance(event, Bill | Payment):
            self.amounts_fen[event.channel] += event.amount_fen

    @property
    def published(self) -> int:
        return self.events.total()

    def items(self) -> list[dict[str, object]]:
        """Return a line for each channel and outcome."""
        return [
            {"channel": channel, "outcome": outcome, "events": events}
            | {"amount_fen": self.amounts_fen[channel] if outcome == OutcomeCode.applied.name else 0}
            for (channel, outcome), events in sorted(self.events.items())
        ]


async def publish_season(
    arrivals: Iterable[Arrival],
    publisher: SinkPublisher,
    *,
    speed: float | None,
    progress: Callable[[int], None] = lambda time_ms: None,
) -> Tally:
    """Publish each arrival with its time, ``speed`` times as fast as it happened, or as fast as it goes.

    ``progress`` is called with the time in the season that is reached, in milliseconds since 1970. Raises PublishFailed.
    """
    tally, pace = Tally(), _Pace(speed)
    for number, arrival in enumerate(arrivals):
        if number % _EVENTS_AT_ONCE == 0 or speed:
            await pace.wait_for(arrival.time_ms)
            progress(arrival.time_ms)
        key = arrival.key.encode() if arrival.key else None
        if arrival.wrong:
            await publisher.publish_record(key, encode_json(arrival.event), arrival.time_ms)
        else:
            await publisher.publish(arrival.event, arrival.time_ms, key)
        tally.add(arrival)
    return tally


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
