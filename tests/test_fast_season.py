"""The fast generator makes the records of the plain one, byte for byte, and tells the same outcomes."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.season.fast import FastSeason
from bench.season.generator import events_of
from bench.season.plan import Season, Troubles
from bench.season.tally import Tally
from ledger.event_fields import NO_HOUSEHOLD
from ledger.events import encode_json
from streams.publisher import encoder_of

shares = st.sampled_from([0.0, 0.01, 0.2, 1.0])
seasons = st.builds(
    Season,
    scale=st.just(1),
    days=st.integers(1, 12),
    seed=st.integers(0, 2**64),
    troubles=st.builds(Troubles, *[shares] * 9),
)


def plain_records(season, *, json):
    """Return what is to be published, and the tally of it."""
    encode, tally, records = encoder_of("json" if json else "packed"), Tally(), []
    for each in events_of(season):
        tally.add(each)
        value = encode_json(each.event) if each.wrong else encode(each.event)
        records.append((value, int(each.key or NO_HOUSEHOLD), each.time_ms))
    return records, tally


def fast_records(season, *, json, most=1000):
    made, records = FastSeason(season, json=json), []
    for chunk in made.records(most):
        assert 0 < len(chunk.timestamps_ms) <= most
        begins = [0, *chunk.value_ends[:-1]]
        values = (bytes(chunk.values[begin:end]) for begin, end in zip(begins, chunk.value_ends, strict=True))
        records += zip(values, chunk.households, chunk.timestamps_ms, strict=True)
    return records, made.tally


def check(season, *, json):
    (plain, plain_tally), (fast, fast_tally) = plain_records(season, json=json), fast_records(season, json=json)
    for one, other in zip(plain, fast, strict=False):
        assert other == one
    assert len(fast) == len(plain)
    assert fast_tally.items() == plain_tally.items()


@settings(max_examples=8)
@given(seasons, st.booleans())
def test_short_seasons_are_the_same(season, json):
    check(season, json=json)


@pytest.mark.parametrize("json", [False, True])
def test_a_season_of_more_than_a_month_with_many_troubles_is_the_same(json):
    many = Troubles(0.1, 0.3, 0.2, 0.1, 0.2, 0.3, 0.2, 0.1, 0.3)
    check(Season(scale=1, days=34, seed=3, troubles=many), json=json)


def test_several_places_in_a_province_are_the_same():
    check(Season(scale=21, days=2, seed=5), json=True)


def test_it_does_not_matter_how_many_records_are_made_at_once():
    season = Season(days=9)
    assert fast_records(season, json=False, most=1) == fast_records(season, json=False, most=100_000)


def test_another_seed_makes_another_season():
    assert fast_records(Season(days=4), json=True) != fast_records(replace(Season(days=4), seed=2), json=True)
