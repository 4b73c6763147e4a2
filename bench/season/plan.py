"""Who owes what, and pays it when and how: the plan of a season, deterministic from its seed.

The facts are those of a hot summer in the service area of a national utility: 19 provinces, bills 12.3 % over last year's,
fourteen channels. Which provinces, how the channels share the payments, and who pays late are our own assumptions.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from math import exp
from statistics import NormalDist
from typing import NamedTuple

from bench.season.draws import TABLE_PLACES, Draws, Purpose, table_of, upper
from bench.workload import LEDGER_ZONE, SEASON_WEIGHTS

# The first two digits of a household's number: the administrative codes of the provinces.
PROVINCES = (11, 12, 13, 14, 21, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 50, 51, 61, 64)
HOUSEHOLDS_PER_PROVINCE = 100  # at scale 1
LIFT_PPM = 123_000  # of a summer's bills over last year's

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
LAST_BILL_DAY = 8
DUE_DAY = 25
_LAST_PAY_DAY = 28
_PAYDAYS = (10, 15)
_BATCH_WEEKDAY = 2  # Wednesday
_FEWEST_HOT_DAYS, _MOST_HOT_DAYS = 12, 28
# What households had to pay last year, in fen, each of a table equally likely: some 150 yuan.
LAST_YEAR_FEN = tuple(int(exp(NormalDist(9.6, 0.5).inv_cdf((place + 0.5) / TABLE_PLACES))) for place in range(TABLE_PLACES))
CHANNELS = table_of(CHANNEL_WEIGHTS)
# What is paid of a bill: mostly all, sometimes half of it, sometimes a round sum above.
PAID = table_of({"all": 0.92, "half": 0.03, "above": 0.05})


def _pay_days(bill_day: int) -> tuple[int, ...]:
    """Return the table of the days of a month on which such a bill is paid."""
    weights = {day: 1.0 if day <= DUE_DAY else 0.3 for day in range(bill_day + 1, _LAST_PAY_DAY + 1)}
    return table_of(weights | {DUE_DAY: 6.0, DUE_DAY - 1: 3.0} | dict.fromkeys(_PAYDAYS, 3.0))


PAY_DAYS = {bill_day: _pay_days(bill_day) for bill_day in range(1, LAST_BILL_DAY + 1)}


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
    """One household's bill of a month, in fen, and what it pays of it, where and when. All about it is drawn by ``number``.

    ``place`` is that of what serves the household in its province: its agency, its hall, its machine, its station of the post.
    """

    number: int
    household: str
    place: int
    channel: str
    period: str
    bill_date: date
    due_date: date
    last_year_fen: int
    amount_fen: int
    pay_date: date
    paid_fen: int

    @property
    def is_withheld(self) -> bool:
        """Whether the post withholds the payment in a weekly batch."""
        return self.channel == "postal_station" and self.is_even

    @property
    def is_even(self) -> bool:
        return int(self.household) % 2 == 0


@dataclass(frozen=True)
class Season:
    """``scale`` hundred households in each of 19 provinces, for ``days`` from ``first_day`` on, the first of a month."""

    scale: int = 1
    days: int = 31
    seed: int = 1
    first_day: date = date(2026, 7, 1)
    troubles: Troubles = Troubles()

    @property
    def households_of_province(self) -> int:
        return self.scale * HOUSEHOLDS_PER_PROVINCE

    @property
    def households(self) -> int:
        return len(PROVINCES) * self.households_of_province

    @property
    def places(self) -> int:
        """How many agencies, halls, cash machines and stations of the post a province has of each: one for 1,000 households."""
        return max(1, self.scale // 10)

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
        due = [day for day in self.all_days if day.day == DUE_DAY]
        return due[0] if due else self.all_days[self.days // 2]

    @cached_property
    def short_kiosk_day(self) -> date:
        """The day on whose evening a cash machine holds less than the books say."""
        return self.all_days[self.days // 3]

    @cached_property
    def months(self) -> list[date]:
        """The first days of the months that the season touches."""
        return sorted({day.replace(day=1) for day in self.all_days})

    @cached_property
    def draws(self) -> Draws:
        return Draws(self.seed)

    @staticmethod
    def start_ms_of(day: date) -> int:
        """Return when a day begins, in milliseconds since 1970."""
        return int(datetime.combine(day, datetime.min.time(), LEDGER_ZONE).timestamp() * 1000)

    def lifts_ppm(self, month: date) -> tuple[int, ...]:
        """Return what multiplies last year's bills in each province: hot days do, to LIFT_PPM over all provinces."""
        count = _MOST_HOT_DAYS - _FEWEST_HOT_DAYS + 1
        draws = [self.draws.draw(Purpose.hot_days, first_number(month) + at) for at in range(len(PROVINCES))]
        hot_days = [_FEWEST_HOT_DAYS + upper(draw, count) for draw in draws]
        return tuple(1_000_000 + LIFT_PPM * days * len(PROVINCES) // sum(hot_days) for days in hot_days)

    def dues_of(self, month: date) -> Iterator[Dues]:
        """Yield the bills that are issued in a month, household by household."""
        number = first_number(month)
        for province, lift_ppm in zip(PROVINCES, self.lifts_ppm(month), strict=True):
            for household in range(1, self.households_of_province + 1):
                yield self._dues(month, number, f"{province}{household:011d}", 1 + household % self.places, lift_ppm)
                number += 1

    def _dues(self, month: date, number: int, household: str, place: int, lift_ppm: int) -> Dues:
        drawn = self.draws.draw(Purpose.bill, number)
        bill_day = 1 + upper(drawn, LAST_BILL_DAY)
        last_year_fen = LAST_YEAR_FEN[drawn % TABLE_PLACES]
        amount_fen = last_year_fen * lift_ppm // 1_000_000
        pay_day = PAY_DAYS[bill_day][self.draws.draw(Purpose.pay_day, number) % TABLE_PLACES]
        dues = Dues(
            number,
            household,
            place,
            CHANNELS[self.draws.draw(Purpose.channel, number) % TABLE_PLACES],
            f"{month - timedelta(1):%Y-%m}",
            month.replace(day=bill_day),
            month.replace(day=DUE_DAY),
            last_year_fen,
            amount_fen,
            month.replace(day=pay_day),
            _paid(PAID[self.draws.draw(Purpose.paid, number) % TABLE_PLACES], amount_fen),
        )
        return dues._replace(pay_date=_batch_day(dues.bill_date), paid_fen=amount_fen) if dues.is_withheld else dues

    def dues_by_day(self, month: date) -> tuple[dict[date, list[Dues]], dict[date, list[Dues]]]:
        """Return the bills of a month by the day on which they are issued, and by the day on which they are paid."""
        issued, paid = defaultdict[date, list[Dues]](list), defaultdict[date, list[Dues]](list)
        for dues in self.dues_of(month):
            issued[dues.bill_date].append(dues)
            paid[dues.pay_date].append(dues)
        return issued, paid


def first_number(month: date) -> int:
    """Return the number by which is drawn what concerns the first household in a month; the others' follow."""
    return (month.year * 12 + month.month) << 40


def _paid(how: str, amount_fen: int) -> int:
    if how == "half":
        return (amount_fen + 1) // 2
    return -(-amount_fen // 1000) * 1000 if how == "above" else amount_fen


def _batch_day(bill_date: date) -> date:
    """Return the first day of batches behind a date."""
    return bill_date + timedelta((_BATCH_WEEKDAY - bill_date.weekday() - 1) % 7 + 1)
