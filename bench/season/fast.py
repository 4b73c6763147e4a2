"""The events of a season without a Python object for each: what ``bench.season.generator`` yields, byte for byte."""

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, timedelta
from typing import NamedTuple

from bench._workload import SeasonMaker
from bench.season.arrivals import funds_of
from bench.season.draws import bound
from bench.season.generator import AT_THE_BANK, DEFERRED_CHANNELS, HOURS, REVERSING
from bench.season.plan import CHANNELS, LAST_YEAR_FEN, PAID, PAY_DAYS, PROVINCES, Season, first_number
from bench.season.tally import UNKNOWN_CHANNEL, Tally
from bench.workload import SEASON_WEIGHTS
from ledger.channels import BUILT_IN_CHANNELS, Channel
from ledger.event_structs import EVENT_NUMBERS
from ledger.outcomes import OutcomeCode

RECORDS_AT_ONCE = 65_536
_CODES = {channel.name: channel.code for channel in BUILT_IN_CHANNELS}
_NAMES = {channel.code: channel.name for channel in BUILT_IN_CHANNELS} | {0: UNKNOWN_CHANNEL}
_FUNDS = ("deferred", "two_phase", "stored_value", "prefunded", "float")
_PAID = ("all", "half", "above")
_EVENT_TYPES = ("bill", "payment", "post", "void", "reverse", "top_up", "open_float", "count_float", "bank_float")
_NAMED_CHANNELS = (
    "billing",
    "recharge_card",
    "agency_outlet",
    "business_hall",
    "unionpay_pos",
    "self_service_kiosk",
    "postal_station",
)
_NAMED_OUTCOMES = (
    OutcomeCode.exists,
    OutcomeCode.exceeds_credits,
    OutcomeCode.exceeds_debits,
    OutcomeCode.reversal_not_found,
    OutcomeCode.pending_transfer_not_found,
    OutcomeCode.id_already_failed,
    OutcomeCode.household_not_13_digits,
    OutcomeCode.channel_unknown,
    OutcomeCode.amount_not_positive,
    OutcomeCode.business_date_in_future,
    OutcomeCode.exists_with_different_amount,
)
_EPOCH = date(1970, 1, 1)


class Records(NamedTuple):
    """Records in the order of their arrival: values one after the other, where each ends in them, whose each is, and their times.

    A household of more than 13 digits is none, and the record has no key.
    """

    values: bytearray
    value_ends: "array[int]"
    households: "array[int]"
    timestamps_ms: "array[int]"


class FastSeason:
    """Makes the records of a season once. ``tally`` counts those that were made so far."""

    def __init__(self, season: Season, *, json: bool) -> None:
        self._json = json
        self._maker = SeasonMaker(_numbers(season), season.draws.seeds, _months(season), _channels(), _tables())

    def records(self, most: int = RECORDS_AT_ONCE) -> Iterator[Records]:
        """Yield all records, at most so many at once, never of two months."""
        while True:
            values, *numbers = self._maker.records(most, self._json)
            if not values:
                return
            yield Records(values, *(array(code, bytes(each)) for code, each in zip("qQq", numbers, strict=True)))

    @property
    def tally(self) -> Tally:
        events, amounts_fen = self._maker.tally()
        return Tally(
            Counter({(_NAMES[channel], OutcomeCode(outcome).name): count for channel, outcome, count in events}),
            Counter({_NAMES[channel]: amount_fen for channel, amount_fen in enumerate(amounts_fen) if amount_fen}),
        )


def _numbers(season: Season) -> dict[str, object]:
    return {
        "uuid_high": season.seed & 2**63 - 1 | 2**63,
        "households_of_province": season.households_of_province,
        "places": season.places,
        "days": season.days,
        "outage_day": (season.outage_day - season.first_day).days,
        "short_kiosk_day": (season.short_kiosk_day - season.first_day).days,
        "first_date": (season.first_day - _EPOCH).days,
        "start_ms": season.start_ms_of(season.first_day),
        "troubles": {name: bound(share) for name, share in asdict(season.troubles).items()},
        "codes": {name: _CODES[name] for name in _NAMED_CHANNELS},
        "outcomes": {code.name: int(code) for code in _NAMED_OUTCOMES},
        "provinces": PROVINCES,
        "event_types": {EVENT_NUMBERS[name]: name.encode() for name in _EVENT_TYPES},
    }


def _months(season: Season) -> list[tuple[int, int, int, tuple[int, ...]]]:
    """Return of each month its first day of the season, the number of its first household, the period, and the lifts."""
    before = [month - timedelta(1) for month in season.months]
    return [
        ((month - season.first_day).days, first_number(month), period.year * 100 + period.month, season.lifts_ppm(month))
        for month, period in zip(season.months, before, strict=True)
    ]


def _channels() -> dict[int, tuple[object, ...]]:
    return {channel.code: _channel(channel) for channel in BUILT_IN_CHANNELS} | {
        0: (b"carrier_pigeon", (), (), 0, False, False, False)
    }


def _channel(channel: Channel) -> tuple[object, ...]:
    terminals = [rule.terminal for rule in channel.rules]
    return (
        channel.name.encode(),
        [terminal.encode() for terminal in terminals],
        [_FUNDS.index(funds_of(channel.name, terminal)) for terminal in terminals],
        channel.serial_form,
        channel.name in AT_THE_BANK,
        channel.name in REVERSING,
        channel.name in SEASON_WEIGHTS,
    )


def _tables() -> dict[str, object]:
    return {
        "last_year_fen": LAST_YEAR_FEN,
        "paying_channels": [_CODES[name] for name in CHANNELS],
        "deferred_channels": [_CODES[name] for name in DEFERRED_CHANNELS],
        "hours": HOURS,
        "paid": [_PAID.index(how) for how in PAID],
        "pay_days": PAY_DAYS,
    }
