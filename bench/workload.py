"""A made-up stream of payments and bills, the same for every suite, test and demonstration that needs one.

A workload is a description; what it describes is made when asked for, deterministic from the seed:

>>> workload = Workload(seed=7, households=1_000, events=10_000)
>>> for batch, next_offset in workload.batches(): ...    # whole Kafka record batches, offsets from 0
>>> workload.fates()                                     # how many are fresh, duplicates, bound to be refused
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from functools import cached_property
from typing import NamedTuple

from bench._workload import Generator
from ledger.channels import BUILT_IN_CHANNELS, SerialForm
from ledger.events import OpenAccount

LEDGER_ZONE = timezone(timedelta(hours=8))
CHANNEL_DRAWS = 4096
DAY_MS = 86_400_000

# Rough shares of the payments of a summer month, by channel name: of the channels whose clearing account pays at once. Other
# payments need cards that were topped up, agencies with deposits, or a bank's answer.
SEASON_WEIGHTS: Mapping[str, float] = {
    "alipay": 24,
    "online_banking": 9,
    "unionpay_pos": 4,
    "one_stop": 3,
    "citizen_card": 3,
    "atm": 3,
    "phone_banking": 2,
    "digital_tv": 1,
}


class Fates(NamedTuple):
    """How many events of a workload are what. Fresh ones are applied, duplicates answered ``exists``, the rest refused."""

    fresh: int
    duplicates: int
    refused: int


class Kinds(NamedTuple):
    """How many fresh events of a workload do what."""

    household: int
    holds: int
    settlements: int
    transfers: int
    reversals: int
    multi_leg: int
    refused: int


@dataclass(frozen=True)
class LedgerLoad:
    """Which shares of a workload's fresh events are ledger events.

    ``two_phase``: holds and what settles them, ``settle_distance`` events later; ``expiring`` of the holds are settled by nobody
    and expire after ``timeout_s``. ``multi_leg``: transfers of 2 to 4 legs. ``reversals``, each of a transfer of one leg, which
    as many other events are. ``refused``: for one of five reasons that only the ledger can know, three of which burn the key.
    All debit one of ``agencies`` accounts, which must be open; ``opening`` opens them.
    """

    two_phase: float = 0.3
    expiring: float = 0.1
    multi_leg: float = 0.1
    reversals: float = 0.02
    refused: float = 0.05
    settle_distance: int = 10_000
    agencies: int = 100
    timeout_s: int = 60

    def numbers(self) -> dict[str, object]:
        """Return what the generator wants to know."""
        holds = 2 * self.two_phase / (2 - self.expiring)
        transfers = 2 * self.reversals
        # In a second block the settlements and reversals take their places before the others are drawn.
        left = 1 - holds * (1 - self.expiring) - transfers
        return {
            "settle_distance": self.settle_distance,
            "expiring_below": round(self.expiring * 2**32),
            "agencies": self.agencies,
            "timeout_s": self.timeout_s,
            "first_kinds": [holds, transfers, self.multi_leg, self.refused],
            "second_kinds": [0.0, 0.0, self.multi_leg / left, self.refused / left] if left > 0 else [0.0] * 4,
        }

    def opening(self, business_date: date) -> Iterator[OpenAccount]:
        """Yield the events that open the accounts which such events debit."""
        for number in range(self.agencies):
            yield OpenAccount("ledger", business_date, f"AGENCY-{number}", account=f"agency:{number:07d}")
        yield OpenAccount("ledger", business_date, "CARD", account="card:0000001", flags=("debits_must_not_exceed_credits",))


NO_LEDGER_EVENTS = LedgerLoad(two_phase=0.0, multi_leg=0.0, reversals=0.0, refused=0.0, settle_distance=0)


@dataclass(frozen=True)
class Workload:
    """``events`` events over ``households`` households, with timestamps spread evenly over ``days`` from ``first_day`` on.

    ``zipf_theta`` 0 draws households uniformly, 0.99 (below 1) as skewed as benchmarks usually do; ``households_in_turn`` takes
    one after the other, so that as many events as there are households open every account. The shares are of all events:
    ``duplicates`` repeat one of the ``duplicate_distance`` events before them, ``refused`` must be refused, each for one of eight
    reasons. ``bills`` and ``late`` (a business date one to three days before the event's day) are shares of the fresh ones.
    """

    seed: int = 1
    events: int = 1_000_000
    households: int = 1_000_000
    json: bool = False
    zipf_theta: float = 0.0
    households_in_turn: bool = False
    duplicates: float = 0.008
    duplicate_distance: int = 100_000
    refused: float = 0.002
    bills: float = 0.1
    late: float = 0.01
    first_day: date = date(2026, 7, 1)
    days: float = 1.0
    records_per_batch: int = 4096
    channel_weights: Mapping[str, float] = field(default_factory=lambda: SEASON_WEIGHTS)
    ledger: LedgerLoad = NO_LEDGER_EVENTS

    def batches(
        self, first_event: int = 0, end_event: int | None = None, *, first_offset: int | None = None
    ) -> Iterator[tuple[bytes, int]]:
        """Yield (record batch, next offset) of the events from ``first_event`` to before ``end_event``.

        The offset of the first is its number, or ``first_offset``.
        """
        end = self.events if end_event is None else end_event
        shift = 0 if first_offset is None else first_offset - first_event
        for first in range(first_event, end, self.records_per_batch):
            count = min(self.records_per_batch, end - first)
            yield self._generator.batch(first, count, first + shift), first + count + shift

    def values(self, first_event: int = 0) -> Iterator[bytes | None]:
        """Yield the values alone, for publishers; None is a tombstone."""
        return (self._generator.value(index) for index in range(first_event, self.events))

    def timestamp_ms(self, event: int) -> int:
        """Return the record timestamp of an event."""
        return self._generator.timestamp_ms(event)

    def household(self, event: int) -> str:
        """Return the household of an event, were it fresh."""
        return str(self._generator.household(event))

    def fates(self, first_event: int = 0, events: int | None = None) -> Fates:
        """Return how many of these events are what; of all, unless told otherwise."""
        return Fates(*self._generator.fates(first_event, self.events - first_event if events is None else events))

    def kinds(self, first_event: int = 0, events: int | None = None) -> Kinds:
        """Return how many of the fresh ones among these events are of which kind."""
        return Kinds(*self._generator.kinds(first_event, self.events - first_event if events is None else events))

    @cached_property
    def _generator(self) -> Generator:
        codes = {channel.name: channel.code for channel in BUILT_IN_CHANNELS}
        start = datetime.combine(self.first_day, datetime.min.time(), LEDGER_ZONE)
        zeta = zipf_zeta(self.households, self.zipf_theta) if self.zipf_theta else 1.0
        numbers = {
            "households": self.households,
            "duplicate_distance": self.duplicate_distance,
            "duplicate_below": round(self.duplicates * 2**32),
            "refused_below": round(self.refused * 2**32),
            "bill_below": round(self.bills * 2**32),
            "late_below": round(self.late * 2**32),
            "start_ms": int(start.timestamp() * 1000),
            "ms_per_event": self.days * DAY_MS / self.events,
            "zipf_theta": self.zipf_theta,
            "zipf_zeta": zeta,
            "zipf_eta": zipf_eta(self.households, self.zipf_theta, zeta),
            "json": self.json,
            "households_in_turn": self.households_in_turn,
            **self.ledger.numbers(),
        }
        return Generator(
            self.seed,
            _channel_table({codes[name]: weight for name, weight in self.channel_weights.items()}),
            {channel.code: channel.serial_form for channel in BUILT_IN_CHANNELS} | {0: SerialForm.digits},
            {channel.code: channel.name.encode() for channel in BUILT_IN_CHANNELS} | {0: b"carrier_pigeon"},
            next(channel.code for channel in BUILT_IN_CHANNELS if channel.issues_bills),
            next(channel.code for channel in BUILT_IN_CHANNELS if "transfer" in channel.publishes),
            numbers,
        )


def zipf_zeta(items: int, theta: float) -> float:
    """Return the sum of ``i ** -theta`` for i from 1 to ``items``: exact for the first thousand, an integral for the rest."""
    head: float = sum(rank**-theta for rank in range(1, min(items, 1000) + 1))
    tail: float = ((items + 0.5) ** (1 - theta) - 1000.5 ** (1 - theta)) / (1 - theta)
    return head if items <= 1000 else head + tail


def zipf_eta(items: int, theta: float, zeta: float) -> float:
    """Return the constant eta of drawing zipf ranks as in Gray, Quickly Generating Billion-Record Synthetic Databases, 1994."""
    share_of_two: float = (2 / items) ** (1 - theta)
    return (1 - share_of_two) / (1 - zipf_zeta(2, theta) / zeta)


def _channel_table(weights: Mapping[int, float]) -> list[int]:
    """Return codes in proportion to their weights, one for each of the equally likely draws."""
    total, reached, table = sum(weights.values()), 0.0, list[int]()
    for code, weight in weights.items():
        reached += weight
        table += [code] * (round(reached / total * CHANNEL_DRAWS) - len(table))
    return table
