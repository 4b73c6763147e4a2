"""``peakledger withholding``: a bank's files of batch withholding, from the instructions to the answers."""

import asyncio
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from ledger.channels import Channel, load_channels
from ledger.csv_files import FileEncoding
from ledger.events import Event
from ledger.withholding import WithheldLines, Withholder
from peakledger import config
from peakledger.catching_up import caught_up
from peakledger.commands.options import (
    BootstrapServers,
    ChannelProfiles,
    Config,
    Data,
    Encoding,
    Json,
    Stream,
    Topic,
    examples,
)
from peakledger.commands.ranges import parse_day
from peakledger.display import console, show, step_progress
from peakledger.exit_codes import ExitCode
from peakledger.kafka_errors import kafka_errors
from peakledger.publishing import publisher_of
from peakledger.withholding.answers import CheckedAnswers
from peakledger.withholding.files import AnswerFile, Answers, Instructions, RunFile
from peakledger.withholding.retries import Fate, Retries
from peakledger.withholding.returning import ReturnTotals, returned_lines, write_return
from peakledger.withholding.running import check_run, payments
from streams.inlets import Inlet

app = typer.Typer(
    no_args_is_help=True, help="Withhold in batches what a bank's files instruct (批量代扣), and tell what became of it."
)

_File = typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="The bank's file, CSV; docs/withholding.md describes it")
FileArgument = Annotated[Path, _File]
Out = Annotated[Path, typer.Option("--out", metavar="FILE", dir_okay=False, help="The file to write")]


def _check_out(out: Path, file: Path) -> None:
    if out.resolve() == file.resolve():
        raise typer.BadParameter("it is the file that is read", param_hint="--out")


def _file_encoding(text: str | None) -> FileEncoding | None:
    known: dict[str, FileEncoding] = {"utf-8": "UTF-8", "gb18030": "GB18030"}
    if text is None or text.lower() in known:
        return known.get((text or "").lower())
    raise typer.BadParameter(f"{text!r} is neither UTF-8 nor GB18030")


FileEncodingOption = Annotated[
    str | None,
    typer.Option(
        "--file-encoding",
        metavar="UTF-8|GB18030",
        help="How the file is encoded; found out where it is not told",
        show_default=False,
    ),
]


class _Publication(NamedTuple):
    """Events, each with the record key that leads to its household's partition. ``first`` are acknowledged before the rest."""

    events: Iterable[tuple[str, Event]]
    total: int
    first: int = 0


@app.command(epilog=examples("peakledger withholding run 20260723001.csv", "peakledger withholding run 20260723001.csv --json"))
def run(
    *,
    file: FileArgument,
    file_encoding: FileEncodingOption = None,
    wait_s: Annotated[
        float, typer.Option("--wait-s", min=0, help="Seconds to wait before a later try until the balances have what came before")
    ] = 60,
    encoding: Encoding = None,
    channel_profiles: ChannelProfiles = None,
    data: Data = None,
    topic: Topic = None,
    stream: Stream = None,
    bootstrap_servers: BootstrapServers = None,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """Instruct what a bank's file says: one held payment for each line.

    All of the file is checked before anything is published: what is wrong is told, and it is refused as a whole, with status 11.
    A file that was run before is a duplicate as a whole; one that was run in part is finished. What depends on other tries waits
    until the balances have all that was published; where they do not in time, nothing is published, and the status is 14.
    """
    flags = {key: value for key, value in locals().items() if key in config.Settings.__struct_fields__}
    settings = config.load(flags, config=config_file)
    channels = load_channels(settings.channel_profiles)
    read = Instructions(RunFile(file, _file_encoding(file_encoding)))
    of = read.heading.of
    withholder = Withholder.of_bank(of.bank, channels)
    withholder.check(of, read.heading.business_date)
    with ExitStack() as stack:
        if of.number > 1 or WithheldLines(settings.data, withholder).has_come_early(of):
            stack.enter_context(caught_up(settings, wait_s))
        known = check_run(read, withholder, WithheldLines(settings.data, withholder))
        events = ((payment.household, payment) for payment in payments(read, withholder, known))
        count = len(read) - len(known)
        _publish(settings, channels, _Publication(events, count, first=1))
    item = {
        "bank": of.bank,
        "run": of.run,
        "try": of.number,
        "business_date": read.heading.business_date.isoformat(),
        "lines": len(read),
        "amount_fen": read.sum_fen,
        "published": count,
        "booked_before": len(known),
        "duplicate": count == 0,
    }
    show("withholding_run", [item], as_json=as_json)
    if count == 0 and not as_json:
        console.print("This file was run before: it is a duplicate as a whole, and nothing was published.")


@app.command(epilog=examples("peakledger withholding results 20260723001-answer.csv"))
def results(
    *,
    file: FileArgument,
    file_encoding: FileEncodingOption = None,
    encoding: Encoding = None,
    channel_profiles: ChannelProfiles = None,
    data: Data = None,
    topic: Topic = None,
    stream: Stream = None,
    bootstrap_servers: BootstrapServers = None,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """Take in what the bank answers: lines that are paid are posted, lines that are refused are given back.

    All of the file is checked before anything is published, as in run. Ends with status 10 where the bank has paid a line that is
    not held any more, or that the ledger refused to post: its event waits in quarantine for a person.
    """
    flags = {key: value for key, value in locals().items() if key in config.Settings.__struct_fields__}
    settings = config.load(flags, config=config_file)
    channels = load_channels(settings.channel_profiles)
    read = Answers(AnswerFile(file, _file_encoding(file_encoding)))
    withholder = Withholder.of_bank(read.heading.of.bank, channels)
    answers = CheckedAnswers(read, withholder, WithheldLines(settings.data, withholder))
    _publish(settings, channels, _Publication(answers.events(), answers.new))
    items = [
        {"effect": effect, "lines": total.count, "amount_fen": total.sum_fen}
        for effect, total in answers.totals.items()
        if total.count
    ]
    show("withholding_results", items, as_json=as_json, more={"published": answers.new})
    if answers.new == 0 and not as_json:
        console.print("Nothing of this is new: nothing was published.")
    if answers.paid_in_vain:
        raise typer.Exit(ExitCode.differs)


@app.command(
    epilog=examples("peakledger withholding status 20260723001.csv", "peakledger withholding status 20260723001.csv --json")
)
def status(
    *,
    file: FileArgument,
    file_encoding: FileEncodingOption = None,
    channel_profiles: ChannelProfiles = None,
    data: Data = None,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """Show what became of the lines of a run, by result."""
    settings = config.load({"data": data, "channel_profiles": channel_profiles}, config=config_file)
    read = RunFile(file, _file_encoding(file_encoding))
    totals = ReturnTotals()
    for returned in returned_lines(read, *_withheld(settings, read)):
        totals.add(returned)
    _show_totals(totals, as_json=as_json)


@app.command("return", epilog=examples("peakledger withholding return 20260723001.csv --out 20260723001-return.csv"))
def return_file(
    *,
    file: FileArgument,
    out: Out,
    file_encoding: FileEncodingOption = None,
    channel_profiles: ChannelProfiles = None,
    data: Data = None,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """Write the file that tells the bank what became of each line, in the encoding of the run file."""
    settings = config.load({"data": data, "channel_profiles": channel_profiles}, config=config_file)
    read = RunFile(file, _file_encoding(file_encoding))
    _check_out(out, file)
    lines = returned_lines(read, *_withheld(settings, read))
    _show_totals(write_return(read, lines, out, read.encoding), as_json=as_json)


@app.command(epilog=examples("peakledger withholding retries 20260723001.csv --on 2026-07-26 --out 20260723001-2.csv"))
def retries(
    *,
    file: FileArgument,
    on: Annotated[str, typer.Option("--on", metavar="DATE", help="A date of the run's calendar, YYYY-MM-DD")],
    out: Out,
    file_encoding: FileEncodingOption = None,
    channel_profiles: ChannelProfiles = None,
    data: Data = None,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """Write the run file of the lines that are tried again on a date: those that expired, or failed for a reason that may pass.

    FILE is that of the first try. Where nothing is to be tried again, no file is written.
    """
    settings = config.load({"data": data, "channel_profiles": channel_profiles}, config=config_file)
    read = RunFile(file, _file_encoding(file_encoding))
    _check_out(out, file)
    due = Retries(read, parse_day(on), *_withheld(settings, read))
    totals = due.totals()
    if Fate.tried_again in totals:
        due.write(out, read.encoding)
    items = [{"fate": fate, "lines": total.count, "amount_fen": total.sum_fen} for fate, total in totals.items()]
    show("withholding_retries", items, as_json=as_json)
    if Fate.tried_again not in totals and not as_json:
        console.print("Nothing is to be tried again: no file was written.")


def _withheld(settings: config.Settings, file: RunFile) -> tuple[Withholder, WithheldLines]:
    withholder = Withholder.of_bank(file.heading.of.bank, load_channels(settings.channel_profiles))
    return withholder, WithheldLines(settings.data, withholder)


def _show_totals(totals: ReturnTotals, *, as_json: bool) -> None:
    items = [
        {
            "result": result,
            "lines": totals.by_result[result].count,
            "amount_fen": totals.by_result[result].sum_fen,
            "tried_again": totals.retried[result],
            "given_up": totals.given_up[result],
        }
        for result in totals.results()
    ]
    show("withholding_status", items, as_json=as_json)


def _publish(settings: config.Settings, channels: tuple[Channel, ...], publication: _Publication) -> None:
    if publication.total:
        with kafka_errors(settings):
            asyncio.run(_send(settings, channels, publication))


async def _send(settings: config.Settings, channels: tuple[Channel, ...], publication: _Publication) -> None:
    async with publisher_of(settings, channels, Inlet.batch) as publisher:
        with step_progress() as bar:
            task = bar.add_task("publishing", total=publication.total)
            for done, (household, event) in enumerate(publication.events, 1):
                await publisher.publish(event, key=household.encode())
                if done == publication.first:
                    await publisher.flush()
                if done % 1000 == 0:
                    bar.update(task, completed=done)
