"""Events that a command books itself: published to the partitions of their shards, and waited for until they can be read.

Every event has a serial that follows from what it is about, so that a command that is run twice, or again after it was ended in
the middle, books nothing twice.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from ledger.channels import Channel
from ledger.errors import NotSettled
from ledger.event_search import FoundOutcome, look_up_outcomes
from ledger.event_structs import Event
from ledger.events import encode_json
from ledger.key_lookup import EventKey
from ledger.outcomes import OutcomeCode
from ledger.projections.balances import BalanceReader
from peakledger.config import Settings
from peakledger.kafka_errors import kafka_errors
from peakledger.publishing import ordered_publisher_of
from peakledger.shards import check_all_shards, is_running

_FIRST_LOOK_S, _LAST_LOOK_S = 0.05, 1.0


def pauses(wait_s: float) -> Iterator[float]:
    """Yield how many seconds to pause before each further look at what an engine does, for ``wait_s`` in all."""
    deadline_s, pause_s = time.monotonic() + wait_s, _FIRST_LOOK_S
    while time.monotonic() <= deadline_s:
        yield pause_s
        pause_s = min(2 * pause_s, _LAST_LOOK_S)


@dataclass(frozen=True, slots=True)
class Booking:
    """An event for one shard. ``make`` returns it, under another serial for each attempt from 0 on.

    ``before`` are published before it, and not waited for: they open what it needs.
    """

    directory: Path
    partition: int
    make: Callable[[int], Event]
    before: Sequence[Event] = ()


class Booker:
    """Books events of one channel on the shards of one topic."""

    def __init__(self, settings: Settings, topic: str, channel: Channel, partition_count: int, wait_s: float) -> None:
        """``partition_count`` is how many partitions the topic is to have, ``wait_s`` how long to wait for an event."""
        self._settings = replace(settings, topic=topic)
        self._channel = channel
        self._partition_count = partition_count
        self._wait_s = wait_s

    def book(self, bookings: Sequence[Booking]) -> list[FoundOutcome]:
        """Publish what was not applied before, and return what became of each, once balances have it.

        Raises NotSettled where no engine has applied them in time, and what publishing raises.
        """
        waiting = [_Waiting(booking, self._channel) for booking in bookings]
        with kafka_errors(self._settings):
            asyncio.run(self._publish([one for one in waiting if one.outcome is None]))
        self._wait(waiting)
        return [one.outcome for one in waiting if one.outcome]

    async def _publish(self, events: "list[_Waiting]") -> None:
        if not events:
            return
        async with ordered_publisher_of(self._settings, [self._channel]) as publisher:
            check_all_shards(self._partition_count, publisher.partition_count)
            for one in events:
                for event in (*one.booking.before, one.event):
                    await publisher.publish_record(None, encode_json(event), partition=one.booking.partition)

    def _wait(self, waiting: "list[_Waiting]") -> None:
        looks = pauses(self._wait_s)
        for one in waiting:
            while not one.look():
                if self._settings.stream and not is_running(one.booking.directory):
                    raise NotSettled(
                        f"The events are published, but no engine runs on {one.booking.directory.name}",
                        hint="Start one: peakledger run. Then give the command again: it books nothing twice",
                    )
                pause_s = next(looks, None)
                if pause_s is None:
                    raise NotSettled(
                        f"The events are published, but {one.booking.directory.name} has not applied them in {self._wait_s:g} s",
                        hint="See peakledger status. Then give the command again: it books nothing twice",
                    )
                time.sleep(pause_s)


class _Waiting:
    """An event on its way. One whose key is burnt goes under the serial of another attempt."""

    def __init__(self, booking: Booking, channel: Channel) -> None:
        self.booking = booking
        self._channel = channel
        self.outcome: FoundOutcome | None = None
        attempt = 0
        while True:
            self.event = booking.make(attempt)
            self._known = self._look_up()
            self.outcome = next((one for one in self._known if one.code is OutcomeCode.applied), None)
            if self.outcome or not any(one.code.is_transient for one in self._known):
                return
            attempt += 1

    def look(self) -> bool:
        """Whether it is known what became of the event, and balances have it."""
        if self.outcome is None:
            found = self._look_up()
            applied = [one for one in found if one.code is OutcomeCode.applied]
            self.outcome = next(iter(applied or [one for one in found if one not in self._known]), None)
        return self.outcome is not None and self._is_readable(self.outcome)

    def _is_readable(self, outcome: FoundOutcome) -> bool:
        if outcome.code is not OutcomeCode.applied:
            return True
        # All entries of an event are in one frame, and balances hold whole frames.
        return BalanceReader(self.booking.directory).watermark.seq >= outcome.seq

    def _look_up(self) -> list[FoundOutcome]:
        key = EventKey.of(self._channel, self.event.business_date, self.event.serial)
        found = look_up_outcomes(self.booking.directory, key)
        if found is None:
            raise NotSettled(f"{self.event.business_date} is closed for all channels: it lies too far back")
        return found
