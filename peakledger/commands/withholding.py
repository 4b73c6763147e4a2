"""``peakledger withholding``: a bank's files of batch withholding, from the instructions to the answers."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from ledger.channels import Channel, load_channels
from ledger.csv_files import FileEncoding
from ledger.events import Event
from ledger.withholding import WithheldLines, Withholder
from peakledger import config
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
    kafka_errors,
)
from peakledger.commands.publish import publisher_of
from peakledger.display import console, show, step_progress
from peakledger.withholding.files import Instructions, RunFile
from peakledger.withholding.running import check_run, payments

app = typer.Typer(
    no_args_is_help=True, help="Withhold in batches what a bank's files instruct (批量代扣), and tell what became of it."
)

_File = typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="The bank's file, CSV; docs/withholding.md describes it")
RunArgument = Annotated[Path, _File]


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
    file: RunArgument,
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
    """Instruct what a bank's file says: one held payment for each line.

    All of the file is checked before anything is published: what is wrong is told, and it is refused as a whole, with status 11.
    A file that was run before is a duplicate as a whole; one that was run in part is finished.
    """
    flags = {key: value for key, value in locals().items() if key in config.Settings.__struct_fields__}
    settings = config.load(flags, config=config_file)
    channels = load_channels(settings.channel_profiles)
    read = Instructions(RunFile(file, _file_encoding(file_encoding)))
    of = read.heading.of
    withholder = Withholder.of_bank(of.bank, channels)
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


def _publish(settings: config.Settings, channels: tuple[Channel, ...], publication: _Publication) -> None:
    if publication.total:
        with kafka_errors(settings):
            asyncio.run(_send(settings, channels, publication))


async def _send(settings: config.Settings, channels: tuple[Channel, ...], publication: _Publication) -> None:
    async with publisher_of(settings, channels) as publisher:
        with step_progress() as bar:
            task = bar.add_task("publishing", total=publication.total)
            for done, (household, event) in enumerate(publication.events, 1):
                await publisher.publish(event, key=household.encode())
                if done == publication.first:
                    await publisher.flush()
                if done % 1000 == 0:
                    bar.update(task, completed=done)
