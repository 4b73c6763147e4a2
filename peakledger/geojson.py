"""A payment circle as GeoJSON (RFC 7946): outlets as points, counties without a place, and households as points if asked for."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from ledger.outlets import Outlet
from ledger.projections.outlet_totals import OutletSum
from peakledger.payment_circle import PaymentCircle

Feature = dict[str, Any]


def write_geojson(path: Path, circle: PaymentCircle, totals: Mapping[int, OutletSum], *, with_households: bool) -> int:
    """Write one FeatureCollection, a feature a line; return how many. ``totals`` are those of outlets by number.

    Property ``feature`` tells the kinds apart: outlet, county, household. Distances are metres, amounts fen.
    """
    count = 0
    with path.open("wb") as file:
        file.write(b'{"type":"FeatureCollection","features":[\n')
        for feature in features(circle, totals, with_households=with_households):
            file.write((b",\n" if count else b"") + msgspec.json.encode(feature))
            count += 1
        file.write(b"\n]}\n")
    return count


def features(circle: PaymentCircle, totals: Mapping[int, OutletSum], *, with_households: bool) -> Iterator[Feature]:
    """Yield the features in the order of the file."""
    for outlet, households in zip(circle.outlets, circle.households_nearest().tolist(), strict=True):
        yield _outlet(outlet, totals.get(outlet.number, OutletSum()), households)
    for coverage in circle.coverage():
        properties = {"households": coverage.households, "covered": coverage.covered, "share": round(coverage.share, 6)}
        yield _feature(None, {"feature": "county", "county": coverage.county, "metres": circle.metres} | properties)
    if with_households:
        yield from _households(circle)


def _households(circle: PaymentCircle) -> Iterator[Feature]:
    places = circle.households
    rows = zip(
        places.numbers,
        places.longitudes,
        places.latitudes,
        circle.nearest.tolist(),
        circle.distance_m.round(1).tolist(),
        circle.is_covered.tolist(),
        strict=True,
    )
    for number, longitude, latitude, nearest, distance_m, is_covered in rows:
        outlet = str(circle.outlets[nearest].number)
        properties = {"household": number, "covered": is_covered, "nearest_outlet": outlet, "distance_m": distance_m}
        yield _feature((longitude, latitude), {"feature": "household"} | properties)


def _outlet(outlet: Outlet, total: OutletSum, households: int) -> Feature:
    properties = {
        "feature": "outlet",
        "outlet": str(outlet.number),
        "name": outlet.name,
        "kind": outlet.kind.value,
        "county": outlet.county,
        "agency": outlet.agency or None,
        "households_nearest": households,
        "payments": total.payments,
        "payments_fen": total.payments_fen,
        "reversals": total.reversals,
        "reversals_fen": total.reversals_fen,
    }
    return _feature((outlet.longitude, outlet.latitude), properties)


def _feature(place: tuple[float, float] | None, properties: dict[str, Any]) -> Feature:
    geometry = None if place is None else {"type": "Point", "coordinates": place}
    return {"type": "Feature", "geometry": geometry, "properties": properties}
