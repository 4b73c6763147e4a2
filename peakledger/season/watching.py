"""How far engines are behind a season that is being published: until events are durable, and until balances are readable."""

import asyncio
import time
from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path

import msgspec

from ledger._core import JournalReader
from ledger.errors import LedgerNotFound
from ledger.journal import FrameHeader
from ledger.layouts import FRAME_HEADER
from ledger.projections.balances import BalanceReader

LOOK_EVERY_S = 0.1
_STANDS_STILL_S = 5.0
_MOST_SAMPLES = 300
_AS_ONE_S = 0.001


class Sample(msgspec.Struct, frozen=True):
    """One look: records published, durable and readable so far; the ages of the first that is not durable, and not readable."""

    at_s: float
    published: int
    durable: int
    readable: int
    lag_s: float
    staleness_s: float


class Behind(msgspec.Struct, frozen=True):
    """What a season's looks come to, in seconds and records. Lag is until durable, staleness until readable."""

    lag_p50_s: float
    lag_p99_s: float
    lag_max_s: float
    lag_max_records: int
    staleness_p50_s: float
    staleness_p99_s: float
    staleness_max_s: float
    staleness_max_records: int
    samples: tuple[Sample, ...]


class Watch:
    """Looks at the shards of a data directory while records are published. Those that begin later are found."""

    def __init__(self, data_directory: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._directory, self._clock = data_directory, clock
        self._journals: dict[Path, JournalReader] = {}
        self._durable: dict[Path, int] = {}
        self._balances: dict[Path, BalanceReader] = {}
        self._times_s: list[float] = []
        self._counts: list[int] = []
        self.samples: list[Sample] = []

    def published(self, count: int) -> None:
        """Note that so many records are published by now; what comes within a millisecond is taken as one."""
        now_s = self._clock()
        if self._times_s and now_s - self._times_s[-1] < _AS_ONE_S:
            self._counts[-1] = count
        else:
            self._times_s.append(now_s)
            self._counts.append(count)

    def look(self) -> Sample:
        """Take a sample of what has become durable and readable by now."""
        durable, readable, now_s = self._read_journals(), self._read_balances(), self._clock()
        count = self._counts[-1] if self._counts else 0
        began_s = self._times_s[0] if self._times_s else now_s
        sample = Sample(
            round(now_s - began_s, 3), count, durable, readable, self._behind_s(durable, now_s), self._behind_s(readable, now_s)
        )
        self.samples.append(sample)
        return sample

    async def look_until(self, published: asyncio.Event) -> None:
        """Look from time to time until all is published and readable, or nothing has moved for some seconds."""
        moved_s = self._clock()
        while True:
            before = self.samples[-1] if self.samples else None
            now = await asyncio.to_thread(self.look)
            if before is None or not published.is_set() or (before.durable, before.readable) != (now.durable, now.readable):
                moved_s = self._clock()
            if published.is_set() and (now.readable >= now.published or self._clock() - moved_s > _STANDS_STILL_S):
                return
            await asyncio.sleep(LOOK_EVERY_S)

    def behind(self) -> Behind:
        """Return what the looks come to, with some of them, evenly chosen."""
        lags, stalenesses = ([getattr(each, name) for each in self.samples] for name in ("lag_s", "staleness_s"))
        step = -(-len(self.samples) // _MOST_SAMPLES) or 1
        return Behind(
            *_quantiles(lags),
            max((each.published - each.durable for each in self.samples), default=0),
            *_quantiles(stalenesses),
            max((each.published - each.readable for each in self.samples), default=0),
            tuple(self.samples[::step]),
        )

    def _behind_s(self, reached: int, now_s: float) -> float:
        """Return how long ago the first record behind ``reached`` was published; 0 where there is none."""
        place = bisect_right(self._counts, reached)
        return round(now_s - self._times_s[place], 3) if place < len(self._counts) else 0.0

    def _read_journals(self) -> int:
        for place in self._directory.glob("*/journal"):
            if place not in self._journals and any(place.glob("*.segment")):
                self._journals[place] = JournalReader(place, follow=True)
        for place, reader in self._journals.items():
            while frame := reader.next_frame():
                self._durable[place] = FrameHeader.unpack(frame.data[: FRAME_HEADER.size]).records_consumed
        return sum(self._durable.values())

    def _read_balances(self) -> int:
        for place in self._directory.glob("*/balances"):
            if place not in self._balances:
                try:
                    self._balances[place] = BalanceReader(place.parent)
                except LedgerNotFound:  # its first flush is to come
                    continue
        return sum(reader.watermark.records_consumed for reader in self._balances.values())


def describe(behind: Behind) -> str:
    """Return what the looks come to in a sentence."""
    lag = f"{behind.lag_p50_s:.2f}, {behind.lag_p99_s:.2f}, {behind.lag_max_s:.2f} s ({behind.lag_max_records:,} records)"
    staleness = f"{behind.staleness_p50_s:.2f}, {behind.staleness_p99_s:.2f}, {behind.staleness_max_s:.2f} s"
    return f"Behind by the median, p99, at most: until durable {lag}, until readable {staleness}"


def _quantiles(values: list[float]) -> tuple[float, float, float]:
    """Return the median, the 99th percentile and the greatest."""
    ordered = sorted(values) or [0.0]
    return ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100], ordered[-1]
