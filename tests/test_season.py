"""A season: the same from the same seed, with all that a summer has, and the outcomes that it tells are those of the engine."""

import asyncio
import re
import time
from collections import Counter
from datetime import date
from itertools import pairwise

import msgspec
import pytest
import typer

from bench.season.arrivals import Arrival
from bench.season.generator import events_of
from bench.season.plan import CHANNEL_WEIGHTS, PROVINCES, Season, Troubles
from ledger.channels import BUILT_IN_CHANNELS
from ledger.engine import Engine
from ledger.errors import FileInvalid
from ledger.events import Bill, Payment, Post, TopUp, Void, encode_json
from ledger.outcomes import OutcomeCode
from peakledger.commands.season import check_speed
from peakledger.season.page import write_page
from peakledger.season.publishing import publish_season
from peakledger.season.report import Told, ToldLine, make_report, read_told
from peakledger.season.settlement import write_files
from streams.embedded import EmbeddedStream
from streams.publisher import EmbeddedPublisher
from tests.commands import in_a_process

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


def test_retries_come_after_what_an_outage_kept_back():
    season = Season(scale=8, days=25, troubles=Troubles(retries=1.0))
    retries = [each for each in events_of(season) if each.repeats]
    assert len(retries) > 1000
    assert all(each.repeats.time_ms <= each.time_ms for each in retries)


def test_batches_are_withheld_each_week():
    batches = {
        each.event.business_date
        for each in ARRIVALS
        if isinstance(each.event, Payment) and each.event.terminal == "withholding" and not (each.repeats or each.wrong)
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


def publish_and_apply(directory, encoding="packed"):
    """Publish the season, apply it, and return what was told."""
    with EmbeddedStream(directory / "stream") as stream:
        stream.create_topic("events")

    async def publish():
        async with EmbeddedPublisher("events", directory=directory / "stream", encoding=encoding) as publisher:
            return await publish_season(ARRIVALS, publisher, speed=None)

    tally = asyncio.run(publish())
    shard = directory / "data" / "events-0"
    with EmbeddedStream(directory / "stream") as stream, Engine.open(shard, source="events/0", segment_bytes=4 << 20) as engine:
        while block := stream.read("events", 0, engine.next_offset):
            engine.apply(block.data, block.next_offset)
    lines = msgspec.convert(tally.items(), tuple[ToldLine, ...])
    return Told(lines, tally.published, SEASON.scale, SEASON.days, SEASON.seed)


@pytest.mark.parametrize("encoding", ["packed", "json", "msgpack"])
def test_what_is_told_is_what_the_engine_says(tmp_path, encoding):
    told = publish_and_apply(tmp_path, encoding)
    report = make_report(told, tmp_path / "data")
    assert [line for line in report.lines if not line.agrees] == []
    assert report.applied + report.exists + report.refused == told.published == len(ARRIVALS)
    assert report.by_day.total() == len(ARRIVALS)
    assert report.is_sound


def test_a_report_finds_what_differs(tmp_path):
    told = publish_and_apply(tmp_path)
    first = msgspec.structs.replace(told.items[0], amount_fen=told.items[0].amount_fen + 1)
    report = make_report(msgspec.structs.replace(told, items=(first, *told.items[2:])), tmp_path / "data")
    assert [line.agrees for line in report.lines] == [False, False] + [True] * (len(report.lines) - 2)
    assert list(report.checks.values()) == [True, False, True]
    write_page(report, tmp_path / "season.html")
    assert "This does not add up." in (tmp_path / "season.html").read_text()


def test_every_difference_in_the_files_of_channels_is_found_and_told_why(tmp_path):
    planted = write_files(SEASON, ARRIVALS, tmp_path / "files")
    assert {each.verdict for each in planted} == {"missing_there", "missing_here", "amount_differs"}
    told = msgspec.structs.replace(publish_and_apply(tmp_path), differences=tuple(planted))
    report = make_report(told, tmp_path / "data", tmp_path / "files")
    assert {line.difference for line in report.settlement} == set(planted)
    assert report.checks["every settlement difference found and explained"]
    untold = make_report(msgspec.structs.replace(told, differences=told.differences[1:]), tmp_path / "data", tmp_path / "files")
    assert [line.why for line in untold.settlement if not line.agrees] == ["nobody told of it"]
    assert not untold.is_sound
    write_page(report, tmp_path / "season.html")
    assert (tmp_path / "season.html").read_text().count("never published") > 2


def test_the_page_has_every_channel_and_needs_nothing_else(tmp_path):
    write_page(make_report(publish_and_apply(tmp_path), tmp_path / "data"), tmp_path / "season.html")
    page = (tmp_path / "season.html").read_text()
    assert "Every fen adds up." in page
    assert all(f">{channel}<" in page for channel in CHANNEL_WEIGHTS)
    assert not re.search("src=|href=|url[(]|@import", page)


def test_a_file_that_is_no_season_is_told(tmp_path):
    (tmp_path / "season.json").write_text('{"items": 3}')
    with pytest.raises(FileInvalid, match=r"season\.json: .*items"):
        read_told(tmp_path / "season.json")
    with pytest.raises(FileInvalid, match="No such file"):
        read_told(tmp_path / "none.json")


def test_a_speed_lets_the_time_of_the_season_pass_so_much_faster(tmp_path):
    """Three arrivals ten minutes apart take 0.2 s at the speed of 6000; they may take longer."""
    with EmbeddedStream(tmp_path) as stream:
        stream.create_topic("events")
    spread = [Arrival(at_ms, None, ARRIVALS[0].event, outcome=OutcomeCode.applied) for at_ms in (0, 600_000, 1_200_000)]
    reached = []

    async def publish():
        async with EmbeddedPublisher("events", directory=tmp_path) as publisher:
            await publish_season(spread, publisher, speed=6000, progress=lambda *place: reached.append(place))

    began_s = time.monotonic()
    asyncio.run(publish())
    assert time.monotonic() - began_s >= 0.19
    assert reached == [(0, 0), (600_000, 1), (1_200_000, 2)]


@pytest.mark.parametrize("text", ["0", "-1", "fast", "inf", "nan"])
def test_a_speed_that_is_none_is_an_error_of_usage(text):
    with pytest.raises(typer.BadParameter, match="is no speed"):
        check_speed(text)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("--out", "pigeon"), "neither kafka nor embedded"), (("--out", "embedded"), "Name its directory with --stream")],
)
def test_where_a_season_cannot_go_is_an_error_of_usage(tmp_path, arguments, said):
    ended = in_a_process("season", *arguments, cwd=tmp_path)
    assert ended.status == 2
    assert said in " ".join(ended.err.split())
