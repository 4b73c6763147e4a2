"""Makes the events of a season, day by day, in the order of their arrival. Memory: one month's bills, one day's events.

This is the plain definition. ``bench.season.fast`` makes the same events, byte for byte, without a Python object for each.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from uuid import UUID

import msgspec

from bench.season.arrivals import Arrival, Arrivals, funds_of
from bench.season.draws import TABLE_PLACES, Purpose, happens, lower, table_of, upper
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
HOURS = table_of(dict(zip(range(6, 23), (1, 2, 5, 9, 10, 8, 5, 4, 6, 6, 5, 5, 6, 8, 9, 6, 2), strict=True)))
DEFERRED_CHANNELS = table_of(SEASON_WEIGHTS)
OUTAGE_FROM_MS, OUTAGE_MS = 9 * HOUR_MS, 4 * HOUR_MS
_BURST_MS = 10 * MINUTE_MS
AT_THE_BANK = {"bank_card_debit", "online_banking", "phone_banking", "atm", "unionpay_pos"}
_SHORT_AGENCY, _SHORT_MACHINE = f"{PROVINCES[-1]}{1:06d}", f"{PROVINCES[-1]}{1:08d}"
_TILL_OPENS_FEN = 50_000
_SHORT_FEN = 3_000
_STATIONS = ("newsstand", "village_post", "convenience_point")
_OFFLINE = {"wireless", "village_post"}
_FORMS = {channel.name: channel.serial_form for channel in BUILT_IN_CHANNELS}
REVERSING = {channel.name for channel in BUILT_IN_CHANNELS if "reverse" in channel.publishes}
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
        self._draw = season.draws.draw
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
        outage_ms = self._season.start_ms_of(self._season.outage_day) + OUTAGE_FROM_MS
        since_ms = time_ms - outage_ms
        if event.channel in AT_THE_BANK and 0 <= since_ms < OUTAGE_MS:
            time_ms = outage_ms + OUTAGE_MS + since_ms * _BURST_MS // OUTAGE_MS
        arrival = Arrival(time_ms, key, event, repeats, names, wrong)
        self._arrivals.plan(arrival)
        return arrival

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
        after_ms = upper(self._draw(Purpose.issue_time, dues.number), 6 * HOUR_MS)
        self._plan(self._start_ms + after_ms, dues.household, bill)

    def _pay(self, dues: Dues) -> None:
        """Plan a payment, and all that goes with it."""
        payment, time_ms = self._payment(dues), self._time_of(dues)
        funds = funds_of(payment.channel, payment.terminal)
        if payment.channel == "recharge_card":
            self._top_up(dues, time_ms)
        late = self._draw(Purpose.late, dues.number)
        if payment.terminal in _OFFLINE and happens(late, self._troubles.late):
            time_ms += (1 + lower(late, 3)) * DAY_MS
        arrival = self._plan(time_ms, dues.household, payment)
        time_ms = arrival.time_ms  # what follows must not arrive before a payment that an outage kept back
        if funds == "two_phase":
            self._answer(dues, arrival)
        retry = self._draw(Purpose.retry, dues.number)
        if happens(retry, self._troubles.retries):
            self._plan(time_ms + 100 + lower(retry, DAY_MS - 100), arrival.key, payment, repeats=arrival)
        reversal = self._draw(Purpose.reversal, dues.number)
        if funds == "deferred" and payment.channel in REVERSING and happens(reversal, self._troubles.reversals):
            self._reverse(dues, arrival, lower(reversal, 30 * MINUTE_MS))
        twice = self._draw(Purpose.twice, dues.number)
        if happens(twice, self._troubles.paid_twice):
            again = self._payment(dues._replace(channel=DEFERRED_CHANNELS[twice % TABLE_PLACES]))
            self._plan(time_ms + upper(self._draw(Purpose.twice_time, dues.number), HOUR_MS), dues.household, again)
        wrong = self._draw(Purpose.wrong, dues.number)
        if happens(wrong, self._troubles.wrong):
            self._go_wrong(dues, payment, arrival, wrong)

    def _time_of(self, dues: Dues) -> int:
        drawn = self._draw(Purpose.time, dues.number)
        if dues.is_withheld:
            return self._start_ms + 2 * HOUR_MS + upper(drawn, MINUTE_MS)
        return self._start_ms + HOURS[drawn % TABLE_PLACES] * HOUR_MS + upper(drawn, HOUR_MS)

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
        province, place = dues.household[:2], dues.place
        match dues.channel:
            case "recharge_card":
                return dues.household, None
            case "agency_outlet" | "business_hall":
                return f"{province}{place:06d}", None
            case "postal_station":
                return (None, "withholding") if dues.is_withheld else (f"{province}{500_000 + place:06d}", _station(dues))
            case "self_service_kiosk":
                return (f"{province}{place:08d}", "cash") if dues.is_even else (None, "card")
            case "unionpay_pos":
                return None, "wireless" if dues.is_even else "fixed"
        return None, None

    def _top_up(self, dues: Dues, before_ms: int) -> None:
        """Plan that a household buys or fills its card at a cash machine or a counter, mostly with enough."""
        drawn = self._draw(Purpose.top_up, dues.number)
        amount_fen = -(-dues.paid_fen // 5000) * 5000
        if happens(drawn, self._troubles.cards_with_too_little):
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
        self._plan(before_ms - 1 - lower(drawn, 30 * MINUTE_MS), dues.household, event)

    def _answer(self, dues: Dues, arrival: Arrival) -> None:
        """Plan what the bank answers to an instruction early the next day; sometimes nothing."""
        if happens(self._draw(Purpose.silent, dues.number), self._troubles.silent):
            return
        payment = arrival.event
        drawn = self._draw(Purpose.answer, dues.number)
        kind = Void if happens(drawn, self._troubles.refused_by_bank) else Post
        channel, _, serial = self._named(payment.channel)
        hold = HoldName(payment.channel, payment.business_date, payment.serial)
        answer = kind(channel, self._day + timedelta(1), serial, pending=hold)
        time_ms = self._start_ms + DAY_MS + 2 * HOUR_MS + lower(drawn, 3 * HOUR_MS)
        self._plan(time_ms, arrival.key, answer, names=arrival)

    def _reverse(self, dues: Dues, arrival: Arrival, after_ms: int) -> None:
        """Plan a reversal so long after the payment, or shortly before it."""
        payment = arrival.event
        original = EventName(payment.channel, payment.business_date, payment.serial)
        early = self._draw(Purpose.early, dues.number)
        if happens(early, self._troubles.early_reversals):
            after_ms = -lower(early, MINUTE_MS)
        reverse = Reverse(*self._named(payment.channel), original=original)
        self._plan(arrival.time_ms + after_ms, arrival.key, reverse, names=arrival)

    def _go_wrong(self, dues: Dues, payment: Payment, arrival: Arrival, drawn: int) -> None:
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
        event, code = choices[lower(drawn, len(choices))]
        time_ms = arrival.time_ms + upper(self._draw(Purpose.wrong_time, dues.number), HOUR_MS)
        self._plan(time_ms, arrival.key, event, wrong=code)

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
                for place in range(1, self._season.places + 1):
                    yield channel, terminal, f"{province}{place:0{digits}d}"


def _station(dues: Dues) -> str:
    return _STATIONS[int(dues.household) // 2 % len(_STATIONS)]
