"""The payment circle: against the haversine of plain Python, as a file of households, and as GeoJSON."""

import json
from array import array
from datetime import date
from itertools import pairwise
from math import asin, cos, radians, sin, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import FileInvalid, NotFound
from ledger.outlets import Outlet, OutletKind
from ledger.projections.outlet_totals import OutletSum
from peakledger.geojson import write_geojson
from peakledger.households import Households, read_households
from peakledger.payment_circle import EARTH_RADIUS_M, CountyCoverage, payment_circle

HALL = (121.23185, 28.13582)
EDGE_M = 0.01  # nobody is held to the millimetre


def outlet(place, number=1, county="331083"):
    return Outlet(number, "", county, OutletKind.business_hall, "大厅", *place, date(2020, 1, 1))


def households(*places):
    longitudes, latitudes = array("d", [place[0] for place in places]), array("d", [place[1] for place in places])
    return Households([f"{number:013d}" for number in range(len(places))], longitudes, latitudes)


def haversine_m(one, other):
    """Return the distance of two places (longitude, latitude) on the sphere, in metres."""
    (x1, y1), (x2, y2) = ((radians(x), radians(y)) for x, y in (one, other))
    h = sin((y2 - y1) / 2) ** 2 + cos(y1) * cos(y2) * sin((x2 - x1) / 2) ** 2
    return 2 * EARTH_RADIUS_M * asin(min(1, sqrt(h)))


ANYWHERE = st.tuples(st.floats(-180, 180), st.floats(-90, 90))
IN_TOWN = st.tuples(st.floats(121.2, 121.3), st.floats(28.1, 28.2))
AT_THE_DATE_LINE = st.tuples(st.sampled_from([-180.0, -179.999, 179.999, 180.0]), st.floats(-0.01, 0.01))
AT_A_POLE = st.tuples(st.floats(-180, 180), st.sampled_from([89.999, 90.0]))
PLACES = st.one_of(*(st.lists(kind, min_size=1, max_size=20) for kind in (IN_TOWN, ANYWHERE, AT_THE_DATE_LINE, AT_A_POLE)))


@given(PLACES, PLACES, st.sampled_from([0.0, 1.0, 800.0, 5000.0, 20_100_000.0]))
def test_the_nearest_outlet_and_who_is_covered_are_those_of_the_haversine(outlets, homes, metres):
    found = payment_circle([outlet(place) for place in outlets], households(*homes), metres)
    for home, nearest, distance_m, is_covered in zip(homes, found.nearest, found.distance_m, found.is_covered, strict=True):
        true_m = min(haversine_m(home, place) for place in outlets)
        assert distance_m == pytest.approx(true_m, rel=1e-6, abs=EDGE_M)
        assert haversine_m(home, outlets[nearest]) == pytest.approx(true_m, rel=1e-6, abs=EDGE_M)
        assert abs(true_m - metres) <= EDGE_M + 1e-6 * true_m or is_covered == (true_m <= metres)


def test_households_count_to_the_county_of_their_nearest_outlet():
    outlets = [outlet(HALL), outlet((121.5, 29.9), 2, "330206"), outlet((10.0, 50.0), 3, "110101")]
    homes = households(HALL, (121.2319, 28.1359), (121.24, 28.14), (121.6, 29.9))
    assert payment_circle(outlets, homes, 800).coverage() == [
        CountyCoverage("110101", 0, 0),
        CountyCoverage("330206", 1, 0),
        CountyCoverage("331083", 3, 2),
        CountyCoverage(None, 4, 2),
    ]


def test_a_longer_walk_never_covers_fewer():
    homes = households(*((121.2 + step / 100, 28.1) for step in range(20)))
    shares = [payment_circle([outlet(HALL)], homes, metres).coverage()[-1].share for metres in range(0, 20_000, 1000)]
    assert all(one <= next_one for one, next_one in pairwise(shares)) and shares[-1] == 1


def test_without_households_the_share_is_zero():
    assert payment_circle([outlet(HALL)], households(), 800).coverage()[-1] == CountyCoverage(None, 0, 0)
    assert CountyCoverage(None, 0, 0).share == 0


def test_without_an_open_outlet_there_is_no_circle():
    with pytest.raises(NotFound, match="No outlet is open"):
        payment_circle([], households(HALL), 800)


# --- The file of households ---------------------------------------------------------------------------------------------


def test_households_are_read_in_their_order(tmp_path):
    path = tmp_path / "households.csv"
    path.write_text("number,longitude,latitude\n3301234567890,121.5,28.5\n0000000000001,-180,90\n")
    found = read_households(path)
    assert (found.numbers, list(found.longitudes), list(found.latitudes)) == (
        ["3301234567890", "0000000000001"],
        [121.5, -180],
        [28.5, 90],
    )


@pytest.mark.parametrize(
    ("row", "column", "told"),
    [
        ("330123456789,121.5,28.5", "number", "13 digits"),
        ("3301234567891,121.5,28.5", "number", "earlier line"),
        ("3301234567890,181,28.5", "longitude", "degrees from -180 to 180"),
        ("3301234567890,121.5,north", "latitude", "degrees from -90 to 90"),
    ],
)
def test_a_wrong_household_is_told_with_line_and_column(tmp_path, row, column, told):
    path = tmp_path / "households.csv"
    path.write_text(f"number,longitude,latitude\n3301234567891,121.5,28.5\n{row}\n")
    with pytest.raises(FileInvalid, match=told) as raised:
        read_households(path)
    assert raised.value.numbers == {"line": 3, "column": column}


# --- GeoJSON ------------------------------------------------------------------------------------------------------------


def written(tmp_path, *, with_households):
    path = tmp_path / "map.geojson"
    circle = payment_circle([outlet(HALL, 57600001)], households(HALL, (121.3, 28.2)), 800)
    count = write_geojson(path, circle, {57600001: OutletSum(payments=2, payments_fen=300)}, with_households=with_households)
    collection = json.loads(path.read_bytes())
    assert collection["type"] == "FeatureCollection" and len(collection["features"]) == count
    return collection["features"]


def test_a_map_has_outlets_with_totals_and_counties_without_a_place(tmp_path):
    outlet_feature, county, everything = written(tmp_path, with_households=False)
    assert outlet_feature["geometry"] == {"type": "Point", "coordinates": list(HALL)}
    properties = {"feature": "outlet", "outlet": "57600001", "payments": 2, "payments_fen": 300, "households_nearest": 1}
    assert outlet_feature["properties"].items() >= properties.items()
    assert county == {
        "type": "Feature",
        "geometry": None,
        "properties": {"feature": "county", "county": "331083", "metres": 800, "households": 2, "covered": 1, "share": 0.5},
    }
    assert everything["properties"]["county"] is None


def test_a_map_has_households_as_points_if_asked_for(tmp_path):
    near, far = written(tmp_path, with_households=True)[3:]
    assert near["geometry"]["coordinates"] == list(HALL)
    assert near["properties"] == {
        "feature": "household",
        "household": "0000000000000",
        "covered": True,
        "nearest_outlet": "57600001",
        "distance_m": 0.0,
    }
    assert far["properties"]["covered"] is False and 9000 < far["properties"]["distance_m"] < 10_500
