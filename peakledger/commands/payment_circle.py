"""``peakledger outlets circle``: which share of households has an open outlet within a walk."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from ledger.errors import LedgerNotFound
from ledger.outlets import OutletKind, OutletRegistry
from ledger.projections.outlet_totals import GroupBy, OutletSum, outlet_sums
from peakledger import config
from peakledger.commands.options import Config, Data, Json
from peakledger.commands.ranges import parse_day, parse_range
from peakledger.display import console, show
from peakledger.geojson import write_geojson
from peakledger.households import read_households
from peakledger.payment_circle import WALK_METRES_A_MINUTE, CountyCoverage, payment_circle


def circle(
    *,
    households: Annotated[Path, typer.Argument(metavar="FILE", help="CSV file of households: number,longitude,latitude")],
    minutes: Annotated[float, typer.Option(min=0, help="How long a walk may take")] = 10,
    metres_a_minute: Annotated[float, typer.Option(min=0, help="How fast people walk")] = WALK_METRES_A_MINUTE,
    metres: Annotated[float | None, typer.Option(min=0, help="How long a walk may be, in place of the two above")] = None,
    on: Annotated[str | None, typer.Option("--on", metavar="DATE", help="Count outlets open on this day; today")] = None,
    kind: Annotated[list[OutletKind] | None, typer.Option("--kind", help="Count this kind only; may be repeated")] = None,
    geojson: Annotated[Path | None, typer.Option("--geojson", metavar="FILE", help="Write a map as GeoJSON too")] = None,
    with_households: Annotated[bool, typer.Option("--households", help="With each household as a point of the map")] = False,
    business_date: Annotated[
        str | None, typer.Option(metavar="FROM..TO", help="Business dates of the totals at the outlets of the map")
    ] = None,
    data: Data = None,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """Tell how many households have an open outlet within ten minutes' walk, by county and in all.

    Distances are as the crow flies. A road is longer: take metres a minute for what people get ahead on it. A household counts
    to the county of its nearest outlet.
    """
    settings = config.load({"data": data}, config=config_file)
    day = parse_day(on) if on else _today(settings.utc_offset_minutes)
    outlets = [o for o in OutletRegistry.load(settings.data) if o.is_open_on(day) and (not kind or o.kind in kind)]
    reach_m = minutes * metres_a_minute if metres is None else metres
    found = payment_circle(outlets, read_households(households), reach_m)
    if geojson:
        totals = _totals(settings.data, business_date)
        count = write_geojson(geojson, found, totals, with_households=with_households)
    items = [_item(coverage, reach_m) for coverage in found.coverage()]
    show("payment_circle", items, as_json=as_json)
    if geojson and not as_json:
        console.print(f"Wrote {count:,} features to {geojson}.")


def _today(utc_offset_minutes: int) -> date:
    return (datetime.now(UTC) + timedelta(minutes=utc_offset_minutes)).date()


def _totals(data: str, business_date: str | None) -> dict[int, OutletSum]:
    """Return the totals of outlets by number; none where there is no ledger yet."""
    first, last = parse_range(business_date, parse_day, (date.min, date.max))
    try:
        sums = outlet_sums(data, [GroupBy.outlet], first=first, last=last)
    except LedgerNotFound:
        return {}
    return {found.outlet: found for found in sums if found.outlet}


def _item(coverage: CountyCoverage, metres: float) -> dict[str, Any]:
    return {
        "county": coverage.county or "all",
        "households": coverage.households,
        "covered": coverage.covered,
        "share_percent": round(100 * coverage.share, 2),
        "metres": metres,
    }
