"""A season: the same from the same seed, with all that a summer has, and the outcomes that it tells are those of the engine."""

import asyncio
from collections import Counter
from datetime import date
from itertools import pairwise

import pytest

from ledger.channels import BUILT_IN_CHANNELS
from ledger.engine import Engine
from ledger.events import Bill, Payment, Post, TopUp, Void, encode_json
from ledger.outcomes import OutcomeCode
from ledger.projections.balances import BalanceReader
from ledger.projections.trial_balance import trial_balance
from peakledger.season.generator import events_of
from peakledger.season.plan import CHANNEL_WEIGHTS, PROVINCES, Season, Troubles
from peakledger.season.publishing import publish_season
from streams.embedded import EmbeddedStream
from streams.publisher import EmbeddedPublisher

SEASON = Season(days=31, seed=7, troubles=Troubles(late=0.3, wrong=0.05, reversals=0.1, retries=0.1, silent=0.1))
ARRIVALS = list(events_of(SEASON))


def lines(arrivals):
    return [(each.time_ms, each.key, encode_json(each.event), each.outcome) for each in arrivals]


def channels_of(arrivals):
    return {each.event.channel for each in arrivals}


def test_the_same_seed_makes_the_same_season_and_another_another():
    assert lines(events_of(SEASON)) == lines(ARRIVALS)
    assert lines(events_of(Season(days=31, seed=8, troubles=SEASON.troubles))) != lines(ARRIVALS)


def test_events_come_in_the_order_of_their_times():
    assert all(earlier.time_ms <= later.time_ms for earlier, later in pairwise(ARRIVALS))


def test_all_fourteen_channels_and_all_provinces_take_part():
    assert len(CHANNEL_WEIGHTS) == 14
    paying = {channel.name for channel in BUILT_IN_CHANNELS if "payment" in channel.publishes}
    assert paying == set(CHANNEL_WEIGHTS) == channels_of(each for each in ARRIVALS if not each.wrong) - {"billing"}
    assert {int(each.event.household[:2]) for each in ARRIVALS if isinstance(each.event, Bill)} == set(PROVINCES)
    assert len(PROVINCES) == 19


def test_bills_are_lifted_over_last_year():
    dues = list(Season(scale=5).dues_of(date(2026, 7, 1)))
    lifted = sum(each.amount_fen for each in dues) / sum(each.last_year_fen for each in dues)
    assert lifted == pytest.approx(1.123, abs=0.005)


def test_due_days_and_paydays_are_peaks():
    by_day = Counter(each.event.business_date.day for each in ARRIVALS if isinstance(each.event, Payment) and not each.repeats)
    usual = sorted(by_day.values())[len(by_day) // 2]
    assert by_day[25] > 3 * usual
    assert by_day[10] > 1.5 * usual < by_day[15]


def test_a_burst_follows_the_outage_of_the_banks():
    day = SEASON.outage_day
    assert day == date(2026, 7, 25)
    hours = Counter()
    for each in ARRIVALS:
        if each.event.channel == "online_banking" and each.event.business_date == day and not each.repeats:
            hours[(each.time_ms // 3_600_000 + 8) % 24] += 1
    assert not hours.keys() & {9, 10, 11, 12}
    assert hours[13] > hours[14] + hours[15]


def test_batches_are_withheld_each_week():
    batches = {
        each.event.business_date
        for each in ARRIVALS
        if isinstance(each.event, Payment) and each.event.terminal == "withholding" and not each.repeats
    }
    assert {day.weekday() for day in batches} == {2}


def test_every_trouble_is_there():
    assert {
        OutcomeCode.exists,
        OutcomeCode.exceeds_credits,
        OutcomeCode.exceeds_debits,
        OutcomeCode.reversal_not_found,
        OutcomeCode.exists_with_different_amount,
        OutcomeCode.channel_unknown,
    } <= {each.outcome for each in ARRIVALS}
    assert any(isinstance(each.event, Void) for each in ARRIVALS)
    assert any(isinstance(each.event, Post) for each in ARRIVALS)
    assert any(isinstance(each.event, TopUp) for each in ARRIVALS)
    day_ms = 86_400_000
    assert any(
        isinstance(each.event, Payment)
        and not each.wrong
        and not each.repeats
        and each.event.business_date.toordinal() < date(1970, 1, 1).toordinal() + (each.time_ms + 8 * 3_600_000) // day_ms
        for each in ARRIVALS
    )


@pytest.mark.parametrize("encoding", ["packed", "json"])
def test_what_is_told_is_what_the_engine_says(tmp_path, encoding):
    with EmbeddedStream(tmp_path / "stream") as stream:
        stream.create_topic("events")

    async def publish():
        async with EmbeddedPublisher("events", directory=tmp_path / "stream", encoding=encoding) as publisher:
            return await publish_season(ARRIVALS, publisher, speed=None)

    tally = asyncio.run(publish())
    with EmbeddedStream(tmp_path / "stream") as stream, Engine.open(tmp_path / "shard", source="events/0") as engine:
        while block := stream.read("events", 0, engine.next_offset):
            engine.apply(block.data, block.next_offset)
        status = engine.status()
    told = Counter()
    for (_, outcome), events in tally.events.items():
        told[outcome] += events
    assert status.records_consumed == tally.published == len(ARRIVALS)
    assert (status.events_applied, status.events_existing) == (told["applied"], told["exists"])
    assert status.events_refused == tally.published - told["applied"] - told["exists"]
    assert trial_balance(BalanceReader(tmp_path / "shard")).is_balanced
