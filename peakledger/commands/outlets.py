"""``peakledger outlets``: the registry of outlets, and what was paid at them."""

from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from ledger.errors import NotFound
from ledger.event_fields import NO_DATE, OUTLET_LIMIT, format_date, parse_date, parse_outlet
from ledger.outlets import Outlet, OutletKind, OutletRegistry, check_registry, read_registry
from peakledger import config
from peakledger.commands.options import Config, Data, Json, examples
from peakledger.display import console, show

app = typer.Typer(no_args_is_help=True, help="Keep the registry of outlets, and add up what was paid at them.")

RegistryFile = Annotated[Path, typer.Argument(metavar="FILE", help="CSV file of outlets, as docs/outlets.md describes it")]
Number = Annotated[str, typer.Argument(metavar="NUMBER", help="Number of the outlet, as payments name it")]


def day_of(text: str | None) -> date | None:
    """Return the day that a flag names; other text is an error of usage."""
    if text is None:
        return None
    days = parse_date(text)
    if days == NO_DATE:
        raise typer.BadParameter(f"{text!r} is not a date, YYYY-MM-DD")
    return format_date(days)


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
    open_on: Annotated[
        str | None, typer.Option("--open-on", metavar="DATE", help="Only outlets that are open on this day", callback=day_of)
    ] = None,
    data: Data = None,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """List outlets by number."""
    settings = config.load({"data": data}, config=config_file)
    day: Any = open_on  # the callback made a date of it
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
    for key, value in item.items():
        console.print(f"[bold]{key.replace('_', ' ')}[/bold]", end="  ")
        console.print("-" if value is None else str(value), markup=False)


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
