"""``peakledger bench``: the suites, the figures that sum them up, and the comparison of two runs."""

import logging
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from bench import against
from bench import figures as all_figures
from bench.brokers import broker
from bench.compare import compare as compare_results
from bench.compare import conditions_that_differ
from bench.results import RESULTS, Results, load_results
from bench.suites import (
    bare_lmdb,
    core,
    expiry,
    growth,
    kafka,
    latency,
    live,
    memory,
    mixed,
    postgresql,
    projection,
    read,
    scale,
    season,
    start,
    statement,
)
from bench.workload import Workload

app = typer.Typer(no_args_is_help=True)
progress = Console(stderr=True, highlight=False)
output = Console(highlight=False, soft_wrap=True)


class ProgressLines(logging.Handler):
    """Prints what was measured as it comes: a suite takes minutes. What is measured by the thousand is told once a second."""

    INTERVAL_S = 1.0

    def __init__(self) -> None:
        super().__init__()
        self._told_s: dict[object, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        measurement, now = record.args[:2] if isinstance(record.args, tuple) else record.msg, time.monotonic()
        if now - self._told_s.get(measurement, -self.INTERVAL_S) >= self.INTERVAL_S:
            progress.print(record.getMessage())
            self._told_s[measurement] = now


def example(arguments: str) -> str:
    """Return the end of a command's help that shows a call of it to copy."""
    return f"[bold]Example[/bold]\n\npeakledger bench {arguments}"


measured = logging.getLogger("bench")
measured.setLevel(logging.INFO)
measured.addHandler(ProgressLines())

Events = Annotated[int, typer.Option(min=1, help="Events of one repetition")]
Households = Annotated[int, typer.Option(min=1, help="Accounts, all open before the clock runs")]
Repetitions = Annotated[int, typer.Option(min=1, help="How often each thing is measured, in turn with what it is compared with")]
Seconds = Annotated[float, typer.Option(min=0.1, help="How long each rate is held")]
Place = Annotated[
    Path,
    typer.Option(
        "--directory",
        exists=True,
        file_okay=False,
        writable=True,
        help="Where ledgers are made, and removed again: a disk, not a tmpfs",
    ),
]
Out = Annotated[Path, typer.Option("--results", file_okay=False, writable=True, help="Where the JSON files go")]
Servers = Annotated[str | None, typer.Option("--bootstrap-servers", help="A broker; without one, one is brought up for the run")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table")]
JsonEvents = Annotated[bool, typer.Option("--json-events", help="JSON events instead of packed ones")]

PARTITIONS = [1, 2, 4]
LIVE_RATES = [100_000.0, 1_000_000.0, float("inf")]
HERE = Path(tempfile.gettempdir())


@app.command("core", epilog=example("core --events 5000000"))
def core_command(
    events: Events = 5_000_000,
    households: Households = 1_000_000,
    repetitions: Repetitions = 5,
    zipf: Annotated[float, typer.Option(min=0, max=10, help="Skew of the households: 0 uniform, 0.99 strong")] = 0.0,
    directory: Place = HERE,
    results: Out = RESULTS,
    as_json: Json = False,
) -> None:
    """Durable apply from memory, beside the C limit."""
    found = core.run(directory, events=events, households=households, repetitions=repetitions, zipf_theta=zipf)
    _show(found, results, as_json)


@app.command("kafka", epilog=example("kafka --live --rate 1000000 --rate inf"))
def kafka_command(
    events: Events = 5_000_000,
    households: Households = 1_000_000,
    repetitions: Repetitions = 3,
    json_events: JsonEvents = False,
    go_on: Annotated[bool, typer.Option("--live", help="Publish on beside the engine, behind so many events")] = False,
    rate: Annotated[
        list[float], typer.Option(min=1, help="With --live: events a second; inf is as fast as it goes")
    ] = LIVE_RATES,
    seconds: Seconds = 10.0,
    servers: Servers = None,
    directory: Place = HERE,
    results: Out = RESULTS,
    as_json: Json = False,
) -> None:
    """Catch-up of a filled topic, beside confluent-kafka and aiokafka merely reading it; or live, behind a backlog."""
    workload = Workload(events=events, households=households, json=json_events)
    with broker(servers) as place:
        if go_on:
            _show(live.run(place, directory, workload=workload, rates=rate, seconds=seconds), results, as_json)
            return
        found = kafka.run(place, directory, workload=workload, repetitions=repetitions, readers=("confluent", "aiokafka"))
    _show(found, results, as_json)


@app.command("latency", epilog=example("latency --rate 10000"))
def latency_command(
    rate: Annotated[list[int], typer.Option(min=1, help="Events a second; may be given more than once")] = [10_000],  # noqa: B006
    seconds: Seconds = 10.0,
    households: Households = 1_000_000,
    servers: Servers = None,
    directory: Place = HERE,
    results: Out = RESULTS,
    as_json: Json = False,
) -> None:
    """From a publish to what is durable, to the outcome that arrives, and to the balance that any process can read."""
    with broker(servers) as place:
        found = latency.run(place, directory, households=households, rates=rate, seconds=seconds)
    _show(found, results, as_json)


@app.command("projection", epilog=example("projection --households 10000000"))
def projection_command(
    rate: Annotated[list[float], typer.Option(min=1, help="Events a second; inf is full catch-up")] = [1e5, 1e6, float("inf")],  # noqa: B006
    seconds: Seconds = 10.0,
    households: Households = 10_000_000,
    directory: Place = HERE,
    results: Out = RESULTS,
    as_json: Json = False,
) -> None:
    """How far the balances in LMDB are behind, by rate."""
    _show(projection.run(directory, households=households, rates=rate, seconds=seconds), results, as_json)


@app.command("read", epilog=example("read"))
def read_command(
    rate: Annotated[float, typer.Option(min=1, help="Events a second that the engine applies meanwhile")] = 100_000,
    seconds: Seconds = 5.0,
    households: Households = 1_000_000,
    repetitions: Repetitions = 3,
    directory: Place = HERE,
    results: Out = RESULTS,
    as_json: Json = False,
) -> None:
    """Balance reads in another process, on a core of its own and on the engine's."""
    found = read.run(directory, households=households, rate=rate, seconds=seconds, repetitions=repetitions)
    _show(found, results, as_json)


@app.command("start", epilog=example("start --households 10000000"))
def start_command(
    events: Events = 5_000_000,
    households: Households = 10_000_000,
    repetitions: Repetitions = 3,
    directory: Place = HERE,
    results: Out = RESULTS,
    as_json: Json = False,
) -> None:
    """Start after a clean stop and after a kill, and the rebuild of all projections."""
    _show(start.run(directory, households=households, events=events, repetitions=repetitions), results, as_json)


@app.command("growth", epilog=example("growth --events 100000000"))
def growth_command(
    events: Events = 100_000_000,
    households: Households = 1_000_000,
    days: Annotated[float, typer.Option(min=1, help="Business dates that the events spread over")] = 30.0,
    directory: Place = HERE,
    results: Out = RESULTS,
    as_json: Json = False,
) -> None:
    """The rate as journal, accounts and key tables grow."""
    _show(growth.run(directory, events=events, households=households, days=days), results, as_json)


@app.command("scale", epilog=example("scale --kafka"))
def scale_command(
    partitions: Annotated[list[int], typer.Option(min=1, help="Partitions, each with an engine of its own")] = PARTITIONS,
    events: Annotated[int, typer.Option(min=1, help="Events of one partition")] = 3_000_000,
    households: Annotated[int, typer.Option(min=1, help="Accounts of one partition, all open before the clock runs")] = 1_000_000,
    repetitions: Repetitions = 3,
    from_kafka: Annotated[bool, typer.Option("--kafka", help="Catch up from a broker instead of the embedded stream")] = False,
    servers: Servers = None,
    directory: Place = HERE,
    results: Out = RESULTS,
    as_json: Json = False,
) -> None:
    """Several partitions and engines beside one another, from the embedded stream or from Kafka."""
    with broker(servers) if servers or from_kafka else nullcontext() as place:
        found = scale.run(directory, place, partitions=partitions, events=events, households=households, repetitions=repetitions)
    _show(found, results, as_json)


@app.command("mixed", epilog=example("mixed --json-events"))
def mixed_command(
    events: Events = 2_000_000,
    households: Households = 1_000_000,
    repetitions: Repetitions = 5,
    json_events: JsonEvents = False,
    directory: Place = HERE,
    results: Out = RESULTS,
    as_json: Json = False,
) -> None:
    """A mixed load of ledger events, beside plain payments."""
    found = mixed.run(directory, events=events, households=households, repetitions=repetitions, json=json_events)
    _show(found, results, as_json)


@app.command("season", epilog=example("season --scale 60 --repetitions 3"))
def season_command(
    scale: Annotated[int, typer.Option(min=1, help="Hundreds of households in each of the 19 provinces")] = 100,
    days: Annotated[int, typer.Option(min=1, max=366, help="Days from 1 July 2026 on; the last month of them is measured")] = 62,
    repetitions: Repetitions = 5,
    directory: Place = HERE,
    results: Out = RESULTS,
    as_json: Json = False,
) -> None:
    """The last month of a season, beside plain payments."""
    _show(season.run(directory, scale=scale, days=days, repetitions=repetitions), results, as_json)


@app.command("expiry", epilog=example("expiry --holds 1000000"))
def expiry_command(
    holds: Annotated[int, typer.Option(min=1, help="Holds that expire at one instant")] = 1_000_000,
    households: Households = 1_000_000,
    repetitions: Repetitions = 3,
    directory: Place = HERE,
    results: Out = RESULTS,
    as_json: Json = False,
) -> None:
    """How long an event waits behind holds that all expire at its instant."""
    _show(expiry.run(directory, holds=holds, households=households, repetitions=repetitions), results, as_json)


@app.command("statement", epilog=example("statement --entries 10000000"))
def statement_command(
    entries: Annotated[
        int, typer.Option(min=1, help="Entries of the journal; a page is 100 of them, anywhere in it")
    ] = 10_000_000,
    pages: Annotated[int, typer.Option(min=1, help="Pages of random accounts, each read cold and warm")] = 300,
    directory: Place = HERE,
    results: Out = RESULTS,
    as_json: Json = False,
) -> None:
    """A page of an account's statement, with the journal in the page cache and without."""
    _show(statement.run(directory, entries=entries, pages=pages), results, as_json)


@app.command("lmdb", epilog=example("lmdb"))
def lmdb_command(
    events: Events = 500_000,
    households: Households = 1_000_000,
    repetitions: Repetitions = 5,
    directory: Place = HERE,
    results: Out = RESULTS,
    as_json: Json = False,
) -> None:
    """From events to balances in LMDB, beside a bare loop that merely puts the accounts they change."""
    _show(bare_lmdb.run(directory, events=events, households=households, repetitions=repetitions), results, as_json)


@app.command("postgresql", epilog=example("postgresql --clients 4"))
def postgresql_command(
    events: Events = 500_000,
    households: Households = 1_000_000,
    repetitions: Repetitions = 3,
    clients: Annotated[int, typer.Option(min=1, help="Connections that book batches at once")] = 4,
    directory: Place = HERE,
    results: Out = RESULTS,
    as_json: Json = False,
) -> None:
    """Durable apply from memory, beside PostgreSQL keeping the same books."""
    found = postgresql.run(directory, events=events, households=households, repetitions=repetitions, clients=clients)
    _show(found, results, as_json)


@app.command("memory", epilog=example("memory"))
def memory_command(
    households: Households = 1_000_000,
    keys_per_household: Annotated[int, typer.Option(min=1, help="Open keys, for each account")] = 5,
    directory: Place = HERE,
    results: Out = RESULTS,
    as_json: Json = False,
) -> None:
    """What an account and an open idempotency key take of memory."""
    _show(memory.run(directory, households=households, keys_per_household=keys_per_household), results, as_json)


@app.command(epilog=example("figures --large --report report.html"))
def figures(
    large: Annotated[bool, typer.Option("--large", help="The sizes that count, instead of ten minutes' worth")] = False,
    page: Annotated[Path | None, typer.Option("--report", help="Write the report of this run as well, to this HTML file")] = None,
    servers: Servers = None,
    directory: Place = HERE,
    results: Out = RESULTS,
    as_json: Json = False,
) -> None:
    """Run the suites that give the figures by which a season is sized, and print these."""

    saved: list[Path] = []

    def said(found: Results) -> None:
        saved.append(found.save(results))
        progress.print(f"{found.suite}: {saved[-1]}")

    sizes = all_figures.LARGE if large else all_figures.SMALL
    found = all_figures.measure(sizes, directory, servers, said)
    said(all_figures.as_results(found, sizes))
    if page:
        _write_report(saved, page, None)
    if as_json:
        output.print_json(data=found)
        return
    table = Table("figure", "measured", box=None)
    for name, value in found.items():
        table.add_row(name, f"{value:,.4g}")
    output.print(table)


@app.command("against", epilog=example("against HEAD~1"))
def against_command(
    revision: Annotated[str, typer.Argument(help="A commit of this repository, as git names it")],
    events: Events = 3_000_000,
    households: Households = 1_000_000,
    turns: Annotated[int, typer.Option(min=1, help="How often each of the two is measured")] = 5,
    directory: Place = HERE,
    results: Out = RESULTS,
    as_json: Json = False,
) -> None:
    """The core suite of another commit, built for it, beside that of this tree."""
    with against.checked_out(revision) as tree:
        progress.print(f"Building {revision}: a minute or so")
        against.build(tree)
        found = against.run(directory, tree, revision=revision, events=events, households=households, turns=turns)
    _show(found, results, as_json)


@app.command(epilog=example("compare bench/results/BEFORE.json bench/results/AFTER.json"))
def compare(
    before: Annotated[Path, typer.Argument(help="A result file")],
    after: Annotated[Path, typer.Argument(help="A later one of the same suite")],
    as_json: Json = False,
) -> None:
    """Compare two result files of one suite, and tell what else than the code differs between the runs."""
    earlier, later = load_results(before), load_results(after)
    found = compare_results(earlier, later)
    for name, (was, is_) in conditions_that_differ(earlier, later).items():
        progress.print(f"Not alike: {name} was {was}, and is {is_}", markup=False)
    if as_json:
        output.print_json(data=msgspec.to_builtins(found))
        return
    table = Table("measurement", "unit", "before", "after", "ratio", "beyond noise", box=None)
    for each in found:
        noise = "yes" if each.beyond_noise else "no"
        table.add_row(each.name, each.unit, f"{each.before:,.4g}", f"{each.after:,.4g}", f"{each.ratio:.3f}", noise)
    output.print(table)


@app.command(epilog=example("report bench/results --out report.html"))
def report(
    places: Annotated[
        list[Path] | None, typer.Argument(help="Result files and directories of them [default: bench/results]")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="The page to write")] = Path("report.html"),
    png: Annotated[Path | None, typer.Option("--png", help="A directory for the pictures as files of their own")] = None,
) -> None:
    """Draw result files and write one HTML page that needs nothing else."""
    _write_report(places or [RESULTS], out, png)


def _write_report(places: list[Path], out: Path, png: Path | None) -> None:
    from bench.report.page import Pictures, write_report  # only this needs matplotlib
    from bench.report.reading import read_sections

    write_report(read_sections(places), out, Pictures(png))
    progress.print(f"Report: {out}")


def _show(found: Results, directory: Path, as_json: bool) -> None:
    progress.print(f"All repetitions: {found.save(directory)}")
    if as_json:
        output.print_json(data=msgspec.to_builtins(found))
        return
    table = Table("measurement", "unit", "median", "spread", "repetitions", box=None)
    for each in found.measurements:
        table.add_row(each.name, each.unit, f"{each.median:,.4g}", f"{each.spread:.0%}", str(len(each.values)))
    output.print(table)
