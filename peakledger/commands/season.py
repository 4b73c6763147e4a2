"""``peakledger season``: publishes a made-up summer, at any speed."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from bench.season.generator import events_of
from bench.season.plan import Season
from bench.season.tally import Tally
from bench.workload import DAY_MS, LEDGER_ZONE
from ledger.errors import ConfigurationError
from peakledger import config
from peakledger.commands.options import BootstrapServers, Config, Data, Encoding, Json, Stream, Topic
from peakledger.display import error_console, show, step_progress
from peakledger.kafka_errors import kafka_errors
from peakledger.publishing import publisher_of
from peakledger.season.publishing import Progress, publish_at_once, publish_season
from peakledger.season.settlement import write_files
from peakledger.season.watching import Watch, describe


def season(
    *,
    scale: Annotated[int, typer.Option(min=1, help="Hundreds of households in each of the 19 provinces")] = 1,
    days: Annotated[int, typer.Option(min=1, max=366, help="Days from 1 July 2026 on")] = 31,
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same season")] = 1,
    out: Annotated[str | None, typer.Option(metavar="kafka|embedded", help="Where to; embedded where --stream is set")] = None,
    speed: Annotated[str, typer.Option(metavar="NUMBER|max", help="How many times as fast as it happens")] = "max",
    told: Annotated[Path | None, typer.Option("--told", metavar="FILE", help="Keep what is told, for season-report")] = None,
    files: Annotated[
        Path | None,
        typer.Option("--files", metavar="DIRECTORY", help="Write channels' own files there, with a few differences"),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look how far the engines of --data are behind meanwhile, until all is readable")
    ] = False,
    data: Data = None,
    encoding: Encoding = None,
    topic: Topic = None,
    stream: Stream = None,
    bootstrap_servers: BootstrapServers = None,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """Publish the events of a summer through all fourteen channels, and tell what must become of them.

    Retries, late, wrong and unanswered events are among them; docs/season.md describes it all. What is told holds for a topic of
    one partition that has no other events.
    """
    flags = {key: value for key, value in locals().items() if key in config.Settings.__struct_fields__}
    settings = config.load(flags, config=config_file)
    settings = _to(out, settings)
    plan, times = Season(scale, days, seed), check_speed(speed)
    watching = Watch(Path(settings.data)) if watch else None
    with kafka_errors(settings), _progress(plan) as progress:
        tally, taken_s = asyncio.run(_publish_watched(plan, settings, times, progress, watching))
    about: dict[str, object] = {"scale": scale, "days": days, "seed": seed, "published": tally.published}
    if watching:
        about["behind"] = msgspec.to_builtins(watching.behind())
    if files:
        about["differences"] = msgspec.to_builtins(write_files(plan, events_of(plan), files))
    if told:
        told.write_bytes(msgspec.json.encode({"items": tally.items(), **about}) + b"\n")
    show("season", tally.items(), as_json=as_json, more=about)
    if not as_json:
        error_console.print(f"{tally.published:,} events published in {taken_s:.1f} s")
        if watching:
            error_console.print(describe(watching.behind()))


def check_speed(text: str) -> float | None:
    """Return the speed of the command line, None for max; a text that is none is an error of usage."""
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0
    if not 0 < speed < float("inf"):
        raise typer.BadParameter(f"{text!r} is no speed; say max, or a number above 0", param_hint="--speed")
    return speed


def _to(out: str | None, settings: config.Settings) -> config.Settings:
    """Return the settings for where the season goes."""
    if out not in {None, "kafka", "embedded"}:
        raise typer.BadParameter(f"{out!r} is neither kafka nor embedded", param_hint="--out")
    if out == "embedded" and not settings.stream:
        raise ConfigurationError("There is no stream to publish to", hint="Name its directory with --stream")
    return msgspec.structs.replace(settings, stream="") if out == "kafka" else settings


async def _publish_watched(
    plan: Season, settings: config.Settings, speed: float | None, progress: Progress, watch: Watch | None
) -> tuple[Tally, float]:
    """Publish a season, and look at the engines meanwhile where that is asked for; return how long publishing took as well."""
    published = asyncio.Event()
    looking = asyncio.create_task(watch.look_until(published)) if watch else None

    def note(time_ms: int, count: int) -> None:
        progress(time_ms, count)
        if watch and count:
            watch.published(count)

    began_s = time.monotonic()
    tally = await _publish(plan, settings, speed, note)
    taken_s = time.monotonic() - began_s
    if watch and looking:
        watch.published(tally.published)
        published.set()
        await looking
    return tally, taken_s


async def _publish(plan: Season, settings: config.Settings, speed: float | None, progress: Progress) -> Tally:
    async with publisher_of(settings) as publisher:
        if speed is None and settings.encoding != "msgpack":
            return await publish_at_once(plan, publisher, json=settings.encoding == "json", progress=progress)
        return await publish_season(events_of(plan), publisher, speed=speed, progress=progress)


@contextmanager
def _progress(plan: Season) -> Iterator[Progress]:
    """Show the time in the season that is reached."""
    start = datetime.combine(plan.first_day, datetime.min.time(), LEDGER_ZONE)
    start_ms = int(start.timestamp() * 1000)
    with step_progress() as bar:
        task = bar.add_task("season", total=plan.days * DAY_MS)

        def reached(time_ms: int, published: int) -> None:
            now = start + timedelta(milliseconds=time_ms - start_ms)
            bar.update(task, completed=time_ms - start_ms, description=f"{now:%Y-%m-%d %H:%M}")

        yield reached
