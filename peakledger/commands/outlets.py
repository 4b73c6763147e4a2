"""``peakledger outlets``: the registry of outlets, and what was paid at them."""

from collections.abc import Collection, Mapping
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ledger.channels import Channel
from ledger.errors import NotFound
from ledger.event_fields import OUTLET_LIMIT, parse_outlet
from ledger.outlets import Outlet, OutletKind, OutletRegistry, check_registry, read_registry
from ledger.projections.outlet_totals import GroupBy, OutletSum, outlet_sums
from peakledger import config
from peakledger.commands.options import Config, Data, Json, channels_by_code, examples
from peakledger.commands.payment_circle import circle
from peakledger.commands.ranges import parse_day, parse_range
from peakledger.display import print_csv, show, show_one

app = typer.Typer(no_args_is_help=True, help="Keep the registry of outlets, and add up what was paid at them.")

RegistryFile = Annotated[Path, typer.Argument(metavar="FILE", help="CSV file of outlets, as docs/outlets.md describes it")]
Number = Annotated[str, typer.Argument(metavar="NUMBER", help="Number of the outlet, as payments name it")]


@app.command("load", epilog=examples("peakledger outlets load outlets.csv", "peakledger outlets load outlets.csv --json"))
def load(file: RegistryFile, data: Data = None, config_file: Config = None, as_json: Json = False) -> None:
    """Replace the registry by the outlets of a file. Where one line is wrong, nothing is replaced."""
    settings = config.load({"data": data}, config=config_file)
    before, after = OutletRegistry.load(settings.data), read_registry(file)
    after.save(settings.data)
    added = [outlet for outlet in after if before.get(outlet.number) is None]
    removed = [outlet for outlet in before if after.get(outlet.number) is None]
    same = [outlet for outlet in after if before.get(outlet.number) == outlet]
    item = {
        "outlets": len(after),
        "added": len(added),
        "changed": len(after) - len(added) - len(same),
        "removed": len(removed),
    }
    show("loaded", [item], as_json=as_json)


@app.command("check", epilog=examples("peakledger outlets check outlets.csv"))
def check(file: RegistryFile, as_json: Json = False) -> None:
    """Look for what is wrong in a file of outlets, without loading it. Ends with status 2 where anything is."""
    outlets, faults = check_registry(file)
    items = [fault.numbers | {"fault": str(fault.args[0])} for fault in faults]
    show("faults", items, as_json=as_json, empty=f"{len(outlets)} outlets, and nothing is wrong.")
    if faults:
        raise faults[0]


@app.command(
    "list", epilog=examples("peakledger outlets list --county 331083", "peakledger outlets list --kind newsstand --json")
)
def list_outlets(
    *,
    county: Annotated[str | None, typer.Option("--county", help="Only outlets of this county")] = None,
    kind: Annotated[OutletKind | None, typer.Option("--kind", help="Only outlets of this kind")] = None,
    agency: Annotated[str | None, typer.Option("--agency", help="Only outlets of this agency")] = None,
    open_on: Annotated[str | None, typer.Option("--open-on", metavar="DATE", help="Only outlets open on this day")] = None,
    data: Data = None,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """List outlets by number."""
    settings = config.load({"data": data}, config=config_file)
    day = parse_day(open_on) if open_on else None
    found = [
        outlet
        for outlet in OutletRegistry.load(settings.data)
        if county in {None, outlet.county}
        and kind in {None, outlet.kind}
        and agency in {None, outlet.agency}
        and (day is None or outlet.is_open_on(day))
    ]
    show("outlets", [_item(outlet) for outlet in found], as_json=as_json, empty="There are no such outlets.")


@app.command("show", epilog=examples("peakledger outlets show 57600123"))
def show_outlet(number: Number, data: Data = None, config_file: Config = None, as_json: Json = False) -> None:
    """Show one outlet. Ends with status 6 where the registry does not have it."""
    settings = config.load({"data": data}, config=config_file)
    wanted = parse_outlet(number)
    if wanted == OUTLET_LIMIT:
        raise typer.BadParameter(f"{number!r} is not an outlet's number of 1 to 18 digits")
    outlet = OutletRegistry.load(settings.data).get(wanted)
    if outlet is None:
        raise NotFound(f"No such outlet: {number}", hint="Load a registry that has it: peakledger outlets load FILE")
    item = _item(outlet)
    if as_json:
        show("outlet", [item], as_json=True)
        return
    show_one(item)


class Format(StrEnum):
    """What totals are printed as."""

    table = "table"
    json = "json"
    csv = "csv"


@app.command(
    "totals",
    epilog=examples(
        "peakledger outlets totals --business-date 2026-07-23",
        "peakledger outlets totals --by county --by channel --business-date 2026-07-01..2026-07-31 --format csv",
    ),
)
def show_totals(
    *,
    by: Annotated[list[GroupBy] | None, typer.Option("--by", help="What to add up by; may be repeated (default: outlet)")] = None,
    business_date: Annotated[str | None, typer.Option(metavar="FROM..TO", help="Only these business dates")] = None,
    output: Annotated[Format, typer.Option("--format", help="How to print them")] = Format.table,
    data: Data = None,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """Add up what was paid and reversed at outlets. Works while an engine runs and while none does.

    A reversal counts on its own business date, for the outlet and the channel of the payment that it takes back.
    """
    settings = config.load({"data": data}, config=config_file)
    first, last = parse_range(business_date, parse_day, (date.min, date.max))
    groups = by or [GroupBy.outlet]
    channels = channels_by_code(settings)
    items = [_sum_item(found, groups, channels) for found in outlet_sums(settings.data, groups, first=first, last=last)]
    if output is Format.csv:
        print_csv(items)
    else:
        show("outlet_totals", items, as_json=as_json or output is Format.json, empty="Nothing was paid on these days.")


def _sum_item(found: OutletSum, groups: Collection[GroupBy], channels: Mapping[int, Channel]) -> dict[str, Any]:
    channel = channels.get(found.channel or 0)
    keys: dict[GroupBy, Any] = {
        GroupBy.day: found.day,
        GroupBy.county: found.county,
        GroupBy.outlet: str(found.outlet) if found.outlet else None,
        GroupBy.channel: channel.name if channel else found.channel,
    }
    return {group.value: value for group, value in keys.items() if group in groups} | {
        "payments": found.payments,
        "payments_fen": found.payments_fen,
        "reversals": found.reversals,
        "reversals_fen": found.reversals_fen,
        "net_fen": found.payments_fen - found.reversals_fen,
    }


def _item(outlet: Outlet) -> dict[str, Any]:
    return {
        "outlet": str(outlet.number),
        "agency": outlet.agency or None,
        "county": outlet.county,
        "kind": outlet.kind.value,
        "name": outlet.name,
        "longitude": outlet.longitude,
        "latitude": outlet.latitude,
        "open_since": outlet.open_since,
        "closed_since": outlet.closed_since,
    }


app.command(
    "circle",
    epilog=examples(
        "peakledger outlets circle households.csv",
        "peakledger outlets circle households.csv --kind newsstand --kind village_post --metres 500 --geojson map.geojson",
    ),
)(circle)
