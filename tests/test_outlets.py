"""The registry of outlets: what its file may say, what faults are told, and how it is replaced."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import FileInvalid
from ledger.event_fields import format_date
from ledger.outlets import (
    REGISTRY_FILE,
    Outlet,
    OutletKind,
    OutletRegistry,
    check_registry,
    format_registry,
    read_registry,
)

HEADER = "number,agency,county,kind,name,longitude,latitude,open_since,closed_since"
ROW = "57600117,5761001,331083,newsstand,广陵路报刊亭,121.22703,28.13214,2026-06-15,2026-08-20"
STAND = Outlet(
    57600117,
    "5761001",
    "331083",
    OutletKind.newsstand,
    "广陵路报刊亭",
    121.22703,
    28.13214,
    date(2026, 6, 15),
    date(2026, 8, 20),
)


def file_of(directory: Path, *rows: str, header: str = HEADER, encoding: str = "utf-8") -> Path:
    path = directory / "file.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding=encoding)
    return path


def fault_of(path: Path) -> FileInvalid:
    with pytest.raises(FileInvalid) as raised:
        read_registry(path)
    return raised.value


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_row_becomes_an_outlet(tmp_path, encoding):
    assert list(read_registry(file_of(tmp_path, ROW, "", encoding=encoding))) == [STAND]


def test_leading_zeros_of_a_number_do_not_count(tmp_path):
    assert read_registry(file_of(tmp_path, "000" + ROW)).get(57600117) == STAND


def test_an_outlet_is_open_from_its_first_day_to_the_one_before_it_closed():
    days = [date(2026, 6, 14), date(2026, 6, 15), date(2026, 8, 19), date(2026, 8, 20)]
    assert [STAND.is_open_on(day) for day in days] == [False, True, True, False]


@pytest.mark.parametrize(
    ("column", "good", "wrong", "told"),
    [
        ("number", "57600117", "0", "1 to 18 digits"),
        ("number", "57600117", "1" * 19, "1 to 18 digits"),
        ("agency", "5761001", "post", "an agency's number"),
        ("county", "331083", "33108", "six digits"),
        ("kind", "newsstand", "kiosk", "one of bank, atm"),
        ("name", "广陵路报刊亭", "", "a name"),
        ("longitude", "121.22703", "181", "degrees from -180 to 180"),
        ("latitude", "28.13214", "nan", "degrees from -90 to 90"),
        ("open_since", "2026-06-15", "2026-06-31", "a date"),
        ("closed_since", "2026-08-20", "soon", "a date"),
        ("closed_since", "2026-08-20", "2026-06-14", "before it opened"),
    ],
)
def test_a_wrong_field_is_told_with_line_and_column(tmp_path, column, good, wrong, told):
    fault = fault_of(file_of(tmp_path, "1" + ROW, ROW.replace(good, wrong)))
    assert (fault.numbers["line"], fault.numbers["column"]) == (3, column)
    assert told in str(fault) and str(tmp_path / "file.csv") in str(fault)


def test_a_number_that_comes_twice_is_told_with_both_lines(tmp_path):
    fault = fault_of(file_of(tmp_path, ROW, "2" + ROW, "0" + ROW))
    assert "line 2 already" in str(fault) and fault.numbers["line"] == 4


def test_checking_finds_all_faults_and_the_outlets_that_have_none(tmp_path):
    path = file_of(tmp_path, ROW, ROW.replace("331083", "x").replace("28.13214", "y"), ROW.replace("newsstand", "z"))
    outlets, faults = check_registry(path)
    assert outlets == [STAND]
    assert [(fault.numbers["line"], fault.numbers["column"]) for fault in faults] == [(3, "county"), (3, "latitude"), (4, "kind")]


def test_a_file_without_the_header_is_refused(tmp_path):
    assert "number,agency" in str(fault_of(file_of(tmp_path, ROW, header="id,name")))


def test_a_row_with_too_few_fields_is_told_with_its_line(tmp_path):
    assert fault_of(file_of(tmp_path, ROW, "1,2,3")).numbers["line"] == 3


def test_a_file_in_another_encoding_is_told_with_the_line(tmp_path):
    fault = fault_of(file_of(tmp_path, ROW.replace("广陵路报刊亭", "stand"), ROW, encoding="gb18030"))
    assert fault.numbers["line"] == 3 and "not UTF-8" in str(fault)


def test_a_quote_that_does_not_end_is_told(tmp_path):
    assert "CSV" in str(fault_of(file_of(tmp_path, '"' + ROW)))


def test_a_file_that_is_not_there_is_told(tmp_path):
    assert "No such file" in str(fault_of(tmp_path / "none.csv"))


def test_a_registry_that_was_never_loaded_is_empty(tmp_path):
    assert list(OutletRegistry.load(tmp_path)) == []


def test_saving_leaves_nothing_but_the_registry(tmp_path):
    OutletRegistry([STAND]).save(tmp_path / "data")
    assert [path.name for path in (tmp_path / "data").iterdir()] == [REGISTRY_FILE]
    assert OutletRegistry.load(tmp_path / "data").county_of(57600117) == "331083"


DAYS = st.integers(1, 0xFFFF).map(format_date)
OUTLETS = st.builds(
    Outlet,
    number=st.integers(1, 10**18 - 1),
    agency=st.text("0123456789", max_size=33),
    county=st.text("0123456789", min_size=6, max_size=6),
    kind=st.sampled_from(OutletKind),
    name=st.text(min_size=1, max_size=100).filter(lambda name: name.isprintable() and name.strip() == name),
    longitude=st.floats(-180, 180),
    latitude=st.floats(-90, 90),
    open_since=DAYS,
    closed_since=st.none(),
)


@given(st.lists(OUTLETS, unique_by=lambda outlet: outlet.number))
def test_what_is_written_is_read_back(tmp_path_factory, outlets):
    path = tmp_path_factory.mktemp("registry") / "file.csv"
    path.write_text(format_registry(OutletRegistry(outlets)), encoding="utf-8")
    assert read_registry(path) == OutletRegistry(outlets)


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_raise(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("registry") / "file.csv"
    path.write_bytes(HEADER.encode() + b"\n" + data)
    try:
        check_registry(path)
    except FileInvalid as error:
        assert str(path) in str(error)
