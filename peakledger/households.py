"""Where households live: a CSV file of number, longitude and latitude, as docs/outlets.md describes it."""

from array import array
from dataclasses import dataclass
from pathlib import Path

from ledger.csv_files import read_rows
from ledger.errors import FileInvalid
from ledger.event_fields import NO_HOUSEHOLD, parse_household
from ledger.outlets import parse_degrees

COLUMNS = ("number", "longitude", "latitude")


@dataclass(frozen=True, slots=True)
class Households:
    """Households in the order of their file. Places are degrees in WGS 84."""

    numbers: list[str]
    longitudes: "array[float]"
    latitudes: "array[float]"

    def __len__(self) -> int:
        return len(self.numbers)


def read_households(path: Path) -> Households:
    """Read a file of households. Raises FileInvalid with line and column of the first fault."""
    longitudes, latitudes = array("d"), array("d")
    numbers: dict[str, None] = {}  # a set that keeps their order
    for line, (number, longitude, latitude) in read_rows(path, COLUMNS):
        column = "number"
        try:
            if parse_household(number) == NO_HOUSEHOLD:
                raise ValueError("a household's number of 13 digits")
            if number in numbers:
                raise ValueError("new: it stands in an earlier line already")
            numbers[number] = None
            column = "longitude"
            longitudes.append(parse_degrees(longitude, 180))
            column = "latitude"
            latitudes.append(parse_degrees(latitude, 90))
        except ValueError as error:
            text = dict(zip(COLUMNS, (number, longitude, latitude), strict=True))[column]
            raise FileInvalid(f"{path}: {text!r} is not {error}", line=line, column=column) from None
    return Households(list(numbers), longitudes, latitudes)
