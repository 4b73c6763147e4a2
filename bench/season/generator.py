"""Makes the events of a season, day by day, in the order of their arrival. Memory: one month's bills, one day's events."""

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from uuid import UUID

import msgspec

from bench.season.arrivals import Arrival, Arrivals, funds_of
from bench.season.plan import PROVINCES, Dues, Season
from bench.workload import DAY_MS, SEASON_WEIGHTS
from ledger.channels import BUILT_IN_CHANNELS, SerialForm
from ledger.events import (
    BankFloat,
    Bill,
    CountFloat,
    Event,
    EventName,
    HoldName,
    OpenFloat,
    Payment,
    Post,
    Reverse,
    TopUp,
    Void,
)
from ledger.outcomes import OutcomeCode

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
# How many payments come in each hour of a day: before noon and in the evening most, at night none.
_HOURS = range(6, 23)
_HOUR_WEIGHTS = (1, 2, 5, 9, 10, 8, 5, 4, 6, 6, 5, 5, 6, 8, 9, 6, 2)
_OUTAGE_MS = (9 * HOUR_MS, 13 * HOUR_MS)
_BURST_MS = 10 * MINUTE_MS
_AT_THE_BANK = {"bank_card_debit", "online_banking", "phone_banking", "atm", "unionpay_pos"}
_SHORT_AGENCY, _SHORT_MACHINE = f"{PROVINCES[-1]}{1:06d}", f"{PROVINCES[-1]}{1:08d}"
_TILL_OPENS_FEN = 50_000
_SHORT_FEN = 3_000
_STATIONS = ("newsstand", "village_post", "convenience_point")
_OFFLINE = {"wireless", "village_post"}
_FORMS = {channel.name: channel.serial_form for channel in BUILT_IN_CHANNELS}
_REVERSING = {channel.name for channel in BUILT_IN_CHANNELS if channel.funds == "deferred" and "reverse" in channel.publishes}
_TILLS = (("business_hall", None, 6), ("self_service_kiosk", "cash", 8))  # channel, terminal, digits behind the province's


def events_of(season: Season) -> Iterator[Arrival]:
    """Yield what arrives during a season, in order, each with the outcome that it must have on a topic of one partition.

    What would arrive behind the last day does not.
    """
    arrivals, serials = Arrivals(), Serials(season.seed)
    issued: dict[date, list[Dues]] = {}
    paid: dict[date, list[Dues]] = {}
    for day in season.all_days:
        if day.day == 1:
            for all_days, days in zip((issued, paid), season.dues_by_day(day), strict=True):
                for date_, dues in days.items():
                    all_days.setdefault(date_, []).extend(dues)
        yield from Day(season, day, arrivals, serials).arrivals(issued.pop(day, []), paid.pop(day, []))


class Serials:
    """Gives every event a serial that no other has, in the form of its channel."""

    def __init__(self, seed: int) -> None:
        self._seed, self._given = seed, 0

    def next(self, channel: str, day: date) -> str:
        self._given += 1
        if _FORMS[channel] is SerialForm.uuid:
            return str(UUID(int=(self._seed & 2**63 - 1 | 2**63) << 64 | self._given))
        return f"{day:%Y%m%d}{self._given:010d}" if _FORMS[channel] is SerialForm.digits else f"N{self._given}"


class Day:
    """One day of a season."""

    def __init__(self, season: Season, day: date, arrivals: Arrivals, serials: Serials) -> None:
        self._season, self._day, self._arrivals, self._serials = season, day, arrivals, serials
        self._troubles = season.troubles
        self._random = Random(f"{season.seed} day {day}")
        self._start_ms = season.start_ms_of(day)

    def arrivals(self, issued: list[Dues], paid: list[Dues]) -> Iterator[Arrival]:
        """Yield what arrives on the day, of which these bills are issued and those are paid."""
        for dues in issued:
            self._issue(dues)
        for dues in paid:
            self._pay(dues)
        yield from self._arrivals.until(self._start_ms + 6 * HOUR_MS)
        self._fill_deposits(paid)
        self._open_tills()
        yield from self._arrivals.until(self._start_ms + 23 * HOUR_MS + 30 * MINUTE_MS)
        self._close_tills()
        yield from self._arrivals.until(self._start_ms + DAY_MS)

    def _named(self, channel: str) -> tuple[str, date, str]:
        return channel, self._day, self._serials.next(channel, self._day)

    def _happens(self, share: float) -> bool:
        return self._random.random() < share

    def _plan(
        self,
        time_ms: int,
        key: str | None,
        event: Event,
        *,
        repeats: Arrival | None = None,
        names: Arrival | None = None,
        wrong: OutcomeCode | None = None,
    ) -> Arrival:
        """Plan an event; while the banks cannot be reached, theirs wait, and come in a burst afterwards."""
        since_ms = time_ms - self._outage_ms
        if event.channel in _AT_THE_BANK and 0 <= since_ms < _OUTAGE_MS[1] - _OUTAGE_MS[0]:
            share = since_ms / (_OUTAGE_MS[1] - _OUTAGE_MS[0])
            time_ms = self._outage_ms + _OUTAGE_MS[1] - _OUTAGE_MS[0] + int(share * _BURST_MS)
        arrival = Arrival(time_ms, key, event, repeats, names, wrong)
        self._arrivals.plan(arrival)
        return arrival

    @property
    def _outage_ms(self) -> int:
        return self._start_ms + (self._season.outage_day - self._day).days * DAY_MS + _OUTAGE_MS[0]

    def _issue(self, dues: Dues) -> None:
        channel, day, serial = self._named("billing")
        bill = Bill(
            channel=channel,
            business_date=day,
            serial=serial,
            household=dues.household,
            amount_fen=dues.amount_fen,
            period=dues.period,
            due_date=dues.due_date,
        )
        self._plan(self._start_ms + self._random.randrange(6 * HOUR_MS), dues.household, bill)

    def _pay(self, dues: Dues) -> None:
        """Plan a payment, and all that goes with it."""
        payment, time_ms = self._payment(dues), self._time_of_day()
        if dues.is_withheld:
            time_ms = self._start_ms + 2 * HOUR_MS + self._random.randrange(MINUTE_MS)
        if payment.channel == "recharge_card":
            self._top_up(dues, time_ms)
        if payment.terminal in _OFFLINE and self._happens(self._troubles.late):
            time_ms += self._random.randint(1, 3) * DAY_MS
        arrival = self._plan(time_ms, dues.household, payment)
        time_ms = arrival.time_ms  # what follows must not arrive before a payment that an outage kept back
        if funds_of(payment.channel, payment.terminal) == "two_phase":
            self._answer(arrival)
        if self._happens(self._troubles.retries):
            self._plan(time_ms + self._random.randrange(100, DAY_MS), arrival.key, payment, repeats=arrival)
        if payment.channel in _REVERSING and self._happens(self._troubles.reversals):
            self._reverse(arrival)
        if self._happens(self._troubles.paid_twice):
            again = self._payment(dues._replace(channel=self._random.choice(sorted(SEASON_WEIGHTS))))
            self._plan(time_ms + self._random.randrange(HOUR_MS), dues.household, again)
        if self._happens(self._troubles.wrong):
            self._go_wrong(payment, arrival)

    def _time_of_day(self) -> int:
        hour = self._random.choices(_HOURS, _HOUR_WEIGHTS)[0]
        return self._start_ms + hour * HOUR_MS + self._random.randrange(HOUR_MS)

    def _payment(self, dues: Dues) -> Payment:
        channel, day, serial = self._named(dues.channel)
        payer, terminal = self._payer_of(dues)
        outlet = payer if channel != "recharge_card" else None
        return Payment(
            channel=channel,
            business_date=day,
            serial=serial,
            household=dues.household,
            amount_fen=dues.paid_fen,
            payer=payer,
            terminal=terminal,
            outlet=outlet,
        )

    def _payer_of(self, dues: Dues) -> tuple[str | None, str | None]:
        """Return the number of what pays, where the channel has such, and the kind of terminal, where it has several."""
        province, place = dues.household[:2], 1 + dues.number % self._season.scale
        is_even = dues.number % 2 == 0
        match dues.channel:
            case "recharge_card":
                return dues.household, None
            case "agency_outlet" | "business_hall":
                return f"{province}{place:06d}", None
            case "postal_station":
                return (None, "withholding") if dues.is_withheld else (f"{province}{500_000 + place:06d}", _station(dues))
            case "self_service_kiosk":
                return (f"{province}{place:08d}", "cash") if is_even else (None, "card")
            case "unionpay_pos":
                return None, "wireless" if is_even else "fixed"
        return None, None

    def _top_up(self, dues: Dues, before_ms: int) -> None:
        """Plan that a household buys or fills its card at a cash machine or a counter, mostly with enough."""
        amount_fen = -(-dues.paid_fen // 5000) * 5000
        if self._happens(self._troubles.cards_with_too_little):
            amount_fen = (dues.paid_fen + 1) // 2
        machine = self._payer_of(dues._replace(channel="self_service_kiosk"))[0]
        event = TopUp(
            *self._named("self_service_kiosk" if machine else "recharge_card"),
            payee=dues.household,
            amount_fen=amount_fen,
            payer=machine,
            terminal="cash" if machine else None,
            household=dues.household,
        )
        self._plan(before_ms - self._random.randrange(1, 30 * MINUTE_MS), dues.household, event)

    def _answer(self, arrival: Arrival) -> None:
        """Plan what the bank answers to an instruction early the next day; sometimes nothing."""
        if self._happens(self._troubles.silent):
            return
        payment = arrival.event
        kind = Void if self._happens(self._troubles.refused_by_bank) else Post
        channel, _, serial = self._named(payment.channel)
        hold = HoldName(payment.channel, payment.business_date, payment.serial)
        answer = kind(channel, self._day + timedelta(1), serial, pending=hold)
        self._plan(
            self._start_ms + DAY_MS + 2 * HOUR_MS + self._random.randrange(3 * HOUR_MS), arrival.key, answer, names=arrival
        )

    def _reverse(self, arrival: Arrival) -> None:
        payment = arrival.event
        original = EventName(payment.channel, payment.business_date, payment.serial)
        is_early = self._happens(self._troubles.early_reversals)
        after_ms = -self._random.randrange(1, MINUTE_MS) if is_early else self._random.randrange(1, 30 * MINUTE_MS)
        reverse = Reverse(*self._named(payment.channel), original=original)
        self._plan(arrival.time_ms + after_ms, arrival.key, reverse, names=arrival)

    def _go_wrong(self, payment: Payment, arrival: Arrival) -> None:
        """Plan an event beside a payment that must be refused."""
        fresh = msgspec.structs.replace(payment, serial=self._serials.next(payment.channel, self._day))
        changed = msgspec.structs.replace(payment, amount_fen=payment.amount_fen + 1)
        choices: list[tuple[Payment, OutcomeCode]] = [
            (msgspec.structs.replace(fresh, household=payment.household[1:]), OutcomeCode.household_not_13_digits),
            (msgspec.structs.replace(fresh, channel="carrier_pigeon"), OutcomeCode.channel_unknown),
            (msgspec.structs.replace(fresh, amount_fen=0), OutcomeCode.amount_not_positive),
            (msgspec.structs.replace(fresh, business_date=self._day + timedelta(40)), OutcomeCode.business_date_in_future),
        ]
        if payment.channel in SEASON_WEIGHTS:
            choices.append((changed, OutcomeCode.exists_with_different_amount))
        event, code = self._random.choice(choices)
        self._plan(arrival.time_ms + self._random.randrange(HOUR_MS), arrival.key, event, wrong=code)

    def _fill_deposits(self, paid: list[Dues]) -> None:
        """Plan that agencies and the post fill their deposits in the morning; one agency never with enough for the day."""
        needs: dict[tuple[str, str], int] = {}
        for dues in paid:
            payer = self._payer_of(dues)[0]
            if payer and dues.channel in {"agency_outlet", "postal_station"}:
                needs[dues.channel, payer] = needs.get((dues.channel, payer), 0) + dues.paid_fen
        for number, ((channel, payer), need_fen) in enumerate(sorted(needs.items())):
            amount_fen = need_fen * 9 // 10 if payer == _SHORT_AGENCY else need_fen * 2
            event = TopUp(*self._named(channel), payee=payer, amount_fen=amount_fen)
            self._plan(self._start_ms + 6 * HOUR_MS + number, None, event)

    def _open_tills(self) -> None:
        for channel, terminal, payer in self._tills():
            event = OpenFloat(*self._named(channel), payer=payer, amount_fen=_TILL_OPENS_FEN, terminal=terminal)
            self._plan(self._start_ms + 6 * HOUR_MS, None, event)

    def _close_tills(self) -> None:
        """Plan that tills and machines are counted and their cash is banked.

        On one evening one machine holds less than the books say. What the books said is banked first, which is refused.
        """
        for channel, terminal, payer in self._tills():
            booked_fen = self._arrivals.purses.held("float", payer)
            is_short = payer == _SHORT_MACHINE and self._day == self._season.short_kiosk_day
            counted_fen = booked_fen - _SHORT_FEN if is_short else booked_fen
            amounts = dict.fromkeys([booked_fen, counted_fen])
            time_ms = self._start_ms + 23 * HOUR_MS + 30 * MINUTE_MS
            count = CountFloat(*self._named(channel), payer=payer, amount_fen=counted_fen, terminal=terminal)
            self._plan(time_ms, None, count)
            for amount_fen in amounts:
                bank = BankFloat(*self._named(channel), payer=payer, amount_fen=amount_fen, terminal=terminal)
                self._plan(time_ms, None, bank)

    def _tills(self) -> Iterator[tuple[str, str | None, str]]:
        for channel, terminal, digits in _TILLS:
            for province in PROVINCES:
                for place in range(1, self._season.scale + 1):
                    yield channel, terminal, f"{province}{place:0{digits}d}"


def _station(dues: Dues) -> str:
    return _STATIONS[dues.number // 2 % len(_STATIONS)]
