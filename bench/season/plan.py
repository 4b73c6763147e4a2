"""Who owes what, and pays it when and how: the plan of a season, deterministic from its seed.

The facts are those of a hot summer in the service area of a national utility: 19 provinces, bills 12.3 % over last year's,
fourteen channels. Which provinces, how the channels share the payments, and who pays late are our own assumptions.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import accumulate
from random import Random
from typing import NamedTuple

from bench.workload import LEDGER_ZONE, SEASON_WEIGHTS

# The first two digits of a household's number: the administrative codes of the provinces.
PROVINCES = (11, 12, 13, 14, 21, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 50, 51, 61, 64)
HOUSEHOLDS_PER_PROVINCE = 100  # at scale 1
LIFT = 0.123  # of a summer's bills over last year's

# Rough shares of the payments, by channel name: those of the workload, and of the channels whose payers need funds or an answer.
CHANNEL_WEIGHTS: Mapping[str, float] = {
    **SEASON_WEIGHTS,
    "bank_card_debit": 18,
    "agency_outlet": 9,
    "business_hall": 8,
    "postal_station": 7,
    "recharge_card": 5,
    "self_service_kiosk": 4,
}
_LAST_BILL_DAY = 8
_DUE_DAY = 25
_PAYDAYS = (10, 15)
_BATCH_WEEKDAY = 2  # Wednesday


@dataclass(frozen=True)
class Troubles:
    """How much goes wrong, as shares of the payments.

    But ``late`` is of what wireless terminals and village stations take, ``refused_by_bank`` and ``silent`` of instructions, and
    ``early_reversals`` of reversals, which then arrive before what they reverse. ``wrong``: an event that must be refused comes
    beside the payment.
    """

    retries: float = 0.01
    late: float = 0.05
    wrong: float = 0.002
    paid_twice: float = 0.002
    reversals: float = 0.005
    early_reversals: float = 0.1
    refused_by_bank: float = 0.02
    silent: float = 0.005
    cards_with_too_little: float = 0.05


class Dues(NamedTuple):
    """One household's bill of a month, in fen, and what it pays of it, where and when."""

    household: str
    channel: str
    period: str
    bill_date: date
    due_date: date
    last_year_fen: int
    amount_fen: int
    pay_date: date
    paid_fen: int

    @property
    def number(self) -> int:
        """The number of the household in its province."""
        return int(self.household[2:])

    @property
    def is_withheld(self) -> bool:
        """Whether the post withholds the payment in a weekly batch."""
        return self.channel == "postal_station" and self.number % 2 == 0


@dataclass(frozen=True)
class Season:
    """``scale`` hundred households in each of 19 provinces, for ``days`` from ``first_day`` on, the first of a month."""

    scale: int = 1
    days: int = 31
    seed: int = 1
    first_day: date = date(2026, 7, 1)
    troubles: Troubles = Troubles()

    @property
    def households(self) -> int:
        return len(PROVINCES) * self.scale * HOUSEHOLDS_PER_PROVINCE

    @property
    def end_day(self) -> date:
        """The day behind the last."""
        return self.first_day + timedelta(self.days)

    @property
    def all_days(self) -> list[date]:
        return [self.first_day + timedelta(day) for day in range(self.days)]

    @cached_property
    def outage_day(self) -> date:
        """The day on which the banks cannot be reached for some hours: a due day, where the season has one."""
        due = [day for day in self.all_days if day.day == _DUE_DAY]
        return due[0] if due else self.all_days[self.days // 2]

    @cached_property
    def short_kiosk_day(self) -> date:
        """The day on whose evening a cash machine holds less than the books say."""
        return self.all_days[self.days // 3]

    @cached_property
    def months(self) -> list[date]:
        """The first days of the months that the season touches."""
        return sorted({day.replace(day=1) for day in self.all_days})

    @staticmethod
    def start_ms_of(day: date) -> int:
        """Return when a day begins, in milliseconds since 1970."""
        return int(datetime.combine(day, datetime.min.time(), LEDGER_ZONE).timestamp() * 1000)

    def dues_of(self, month: date) -> Iterator[Dues]:
        """Yield the bills that are issued in a month, household by household."""
        random = Random(f"{self.seed} dues {month}")
        names, reached = list(CHANNEL_WEIGHTS), list(accumulate(CHANNEL_WEIGHTS.values()))
        lifts = _lifts(random)
        pay_days = {day: _pay_days(day) for day in range(1, _LAST_BILL_DAY + 1)}
        period, due_date = f"{month - timedelta(1):%Y-%m}", month.replace(day=_DUE_DAY)
        for province in PROVINCES:
            for number in range(1, self.scale * HOUSEHOLDS_PER_PROVINCE + 1):
                bill_date = month.replace(day=random.randint(1, _LAST_BILL_DAY))
                last_year_fen = int(random.lognormvariate(9.6, 0.5))  # some 150 yuan
                amount_fen = round(last_year_fen * lifts[province])
                days, reached_days = pay_days[bill_date.day]
                dues = Dues(
                    f"{province}{number:011d}",
                    random.choices(names, cum_weights=reached)[0],
                    period,
                    bill_date,
                    due_date,
                    last_year_fen,
                    amount_fen,
                    month + timedelta(random.choices(days, cum_weights=reached_days)[0] - 1),
                    _paid(random, amount_fen),
                )
                yield dues._replace(pay_date=_batch_day(bill_date), paid_fen=amount_fen) if dues.is_withheld else dues

    def dues_by_day(self, month: date) -> tuple[dict[date, list[Dues]], dict[date, list[Dues]]]:
        """Return the bills of a month by the day on which they are issued, and by the day on which they are paid."""
        issued, paid = defaultdict[date, list[Dues]](list), defaultdict[date, list[Dues]](list)
        for dues in self.dues_of(month):
            issued[dues.bill_date].append(dues)
            paid[dues.pay_date].append(dues)
        return issued, paid


def _lifts(random: Random) -> dict[int, float]:
    """Return what multiplies last year's bills in each province: hot days do, and over all provinces they come to LIFT."""
    hot_days = {province: random.randint(12, 28) for province in PROVINCES}
    mean = sum(hot_days.values()) / len(PROVINCES)
    return {province: 1 + LIFT * days / mean for province, days in hot_days.items()}


def _pay_days(bill_day: int) -> tuple[list[int], list[float]]:
    """Return the days of a month on which such a bill may be paid, and their weights added up."""
    weights = {day: 1.0 if day <= _DUE_DAY else 0.3 for day in range(bill_day + 1, 31)}
    weights |= {_DUE_DAY: 6.0, _DUE_DAY - 1: 3.0} | dict.fromkeys(_PAYDAYS, 3.0)
    days = sorted(day for day in weights if day > bill_day)
    return days, list(accumulate(weights[day] for day in days))


def _paid(random: Random, amount_fen: int) -> int:
    """Return what is paid of a bill: mostly all, sometimes half of it, sometimes a round sum above."""
    drawn = random.random()
    if drawn < 0.03:
        return (amount_fen + 1) // 2
    return -(-amount_fen // 1000) * 1000 if drawn < 0.08 else amount_fen


def _batch_day(bill_date: date) -> date:
    """Return the first day of batches behind a date."""
    return bill_date + timedelta((_BATCH_WEEKDAY - bill_date.weekday() - 1) % 7 + 1)
