"""``peakledger reconcile``: a channel's own file of a business date, held against the journal."""

import csv
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from ledger.channels import Channel, load_channels
from ledger.event_fields import format_serial
from ledger.history import shard_histories
from ledger.payment_scan import read_bookings
from ledger.reconciliation import Finding, Verdict, add_up, reconcile
from peakledger import config
from peakledger.channel_file import read_channel_file
from peakledger.commands.options import ChannelProfiles, Config, Data, Json, find_payment_channel
from peakledger.commands.ranges import parse_day
from peakledger.display import console, show
from peakledger.exit_codes import ExitCode

COLUMNS = (
    "verdict",
    "serial",
    "household_there",
    "household_here",
    "amount_there_fen",
    "amount_here_fen",
    "line",
    "shard",
    "seq",
    "booked_date",
)


def reconcile_file(
    *,
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="Name or code of the channel")],
    business_date: Annotated[str, typer.Argument(metavar="DATE", help="Business date of the file")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV file of the channel, as docs/reconciliation.md describes it")],
    differences: Annotated[
        Path | None, typer.Option("--differences", metavar="FILE", help="Write each difference to a CSV file")
    ] = None,
    days_around: Annotated[
        int, typer.Option("--days-around", min=0, max=366, help="Look so many days before and behind for what is not booked")
    ] = 3,
    clearing_only: Annotated[
        bool,
        typer.Option("--clearing-only", help="Only payments that the clearing account pays, by which settle goes"),
    ] = False,
    channel_profiles: ChannelProfiles = None,
    data: Data = None,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """Hold a channel's file of a business date against the journal, line by line.

    A file whose totals are wrong is refused as a whole. Ends with status 10 where anything differs.
    """
    settings = config.load({"data": data, "channel_profiles": channel_profiles}, config=config_file)
    source = find_payment_channel(channel, load_channels(settings.channel_profiles), "reconcile")
    day = parse_day(business_date)
    histories = shard_histories(settings.data).values()
    bookings = partial(read_bookings, histories, source, clearing_only=clearing_only)
    lines = read_channel_file(file, source.serial_form)
    sums, found = add_up(reconcile(lines, day, bookings, days_around=days_around))
    if differences:
        write_differences(differences, source, found)
    show("reconciliation", verdict_items(sums), as_json=as_json)
    if found:
        raise typer.Exit(ExitCode.differs)
    if not as_json:
        console.print("Both sides agree.")


def verdict_items(sums: Mapping[Verdict, tuple[int, int, int]]) -> list[dict[str, Any]]:
    """Return what is shown of each verdict."""
    return [
        {"verdict": verdict.value, "payments": payments, "amount_there_fen": there_fen, "amount_here_fen": here_fen}
        for verdict, (payments, there_fen, here_fen) in sums.items()
    ]


def write_differences(path: Path, channel: Channel, differences: Iterable[Finding]) -> None:
    """Write each difference as a line of a CSV file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(difference(channel, found) for found in differences)


def difference(channel: Channel, found: Finding) -> dict[str, Any]:
    """Return what is told of a difference, by ``COLUMNS``."""
    there, here = found.there, found.here
    values = (
        found.verdict.value,
        format_serial(found.serial, channel.serial_form),
        there.household if there else None,
        here.household if here else None,
        there.amount_fen if there else None,
        here.amount_fen if here else None,
        there.line if there else None,
        here.shard if here else None,
        here.seq if here else None,
        found.booked_date.isoformat() if found.booked_date else None,
    )
    return dict(zip(COLUMNS, values, strict=True))
