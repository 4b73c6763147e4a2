"""The registry of outlets: where households can pay, who runs the place, and since when it is open.

Reference data: no event tells it, so nothing of it can be made from the journal. It is one CSV file of the data directory,
``outlets.csv``, for all shards, replaced as a whole. docs/outlets.md describes its columns.
"""

import csv
import io
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple, dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any

from ledger.csv_files import read_rows
from ledger.errors import FileInvalid
from ledger.event_fields import NO_DATE, OUTLET_LIMIT, format_date, parse_date, parse_outlet
from ledger.ownership import sync_directory

REGISTRY_FILE = "outlets.csv"
_NAME_CHARACTERS = 100


class OutletKind(StrEnum):
    """What an outlet is. The values are those of the registry file."""

    bank = "bank"
    atm = "atm"
    agency_outlet = "agency_outlet"
    business_hall = "business_hall"
    kiosk_cash = "kiosk_cash"
    kiosk_card = "kiosk_card"
    pos_fixed = "pos_fixed"
    pos_wireless = "pos_wireless"
    newsstand = "newsstand"
    village_post = "village_post"
    convenience_point = "convenience_point"


@dataclass(frozen=True, slots=True)
class Outlet:
    """One outlet. ``number`` is what payments name it by; ``longitude`` and ``latitude`` are degrees in WGS 84.

    ``agency`` is the number of the ``agency:`` account that answers for it, empty where the utility runs it; ``county`` the six
    digits of GB/T 2260.
    """

    number: int
    agency: str
    county: str
    kind: OutletKind
    name: str
    longitude: float
    latitude: float
    open_since: date
    closed_since: date | None = None

    def is_open_on(self, day: date) -> bool:
        """Say whether households can pay here on a day; on the day of ``closed_since`` they no longer can."""
        return self.open_since <= day and (self.closed_since is None or day < self.closed_since)


class OutletRegistry:
    """Outlets by number."""

    def __init__(self, outlets: Iterable[Outlet] = ()) -> None:
        self._outlets = {outlet.number: outlet for outlet in sorted(outlets, key=lambda outlet: outlet.number)}

    @classmethod
    def load(cls, data_directory: Path | str) -> "OutletRegistry":
        """Return the registry of a data directory, empty where none was loaded. Raises FileInvalid."""
        path = Path(data_directory) / REGISTRY_FILE
        return read_registry(path) if path.exists() else cls()

    def save(self, data_directory: Path | str) -> None:
        """Replace the registry of a data directory, so that a reader sees the old one or the new one whole."""
        directory = Path(data_directory)
        directory.mkdir(parents=True, exist_ok=True)
        draft = directory / f"{REGISTRY_FILE}.{os.getpid()}"
        with draft.open("w", encoding="utf-8", newline="") as file:
            file.write(format_registry(self))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(directory / REGISTRY_FILE)
        sync_directory(directory)

    def get(self, number: int) -> Outlet | None:
        return self._outlets.get(number)

    def county_of(self, number: int) -> str | None:
        """Return the county of an outlet, None where the registry does not know it."""
        outlet = self._outlets.get(number)
        return outlet.county if outlet else None

    def __iter__(self) -> Iterator[Outlet]:
        """Yield the outlets by number."""
        return iter(self._outlets.values())

    def __len__(self) -> int:
        return len(self._outlets)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OutletRegistry) and self._outlets == other._outlets

    __hash__ = None  # type: ignore[assignment]


def read_registry(path: Path) -> OutletRegistry:
    """Read a registry file. Raises FileInvalid, of the first fault that there is."""
    outlets, faults = check_registry(path)
    if faults:
        raise faults[0]
    return OutletRegistry(outlets)


def check_registry(path: Path) -> tuple[list[Outlet], list[FileInvalid]]:
    """Return the outlets of a file and the faults of its fields. Raises FileInvalid where it is no such file at all."""
    outlets: list[Outlet] = []
    faults: list[FileInvalid] = []
    lines: dict[int, int] = {}
    for line, row in read_rows(path, tuple(_COLUMNS)):
        values: dict[str, Any] = {}
        for (column, parse), text in zip(_COLUMNS.items(), row, strict=True):
            try:
                values[column] = parse(text)
            except ValueError as error:
                faults.append(_fault(path, line, column, f"{text!r} is not {error}"))
        if len(values) < len(_COLUMNS):
            continue
        outlet = Outlet(**values)
        if lines.setdefault(outlet.number, line) != line:
            faults.append(_fault(path, line, "number", f"outlet {outlet.number} stands in line {lines[outlet.number]} already"))
        elif outlet.closed_since and outlet.closed_since < outlet.open_since:
            faults.append(_fault(path, line, "closed_since", "it closed before it opened"))
        else:
            outlets.append(outlet)
    return outlets, faults


def format_registry(registry: OutletRegistry) -> str:
    """Return the registry as its file has it, by number."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(astuple(outlet) for outlet in registry)
    return text.getvalue()


def _fault(path: Path, line: int, column: str, message: str) -> FileInvalid:
    return FileInvalid(f"{path}: {message}", line=line, column=column)


def parse_degrees(text: str, limit: int) -> float:
    """Return degrees from -limit to limit. Raises ValueError that says so."""
    try:
        degrees = float(text)
    except ValueError:
        degrees = limit + 1
    if not -limit <= degrees <= limit:
        raise ValueError(f"a number of degrees from -{limit} to {limit}")
    return degrees


def _number(text: str) -> int:
    number = parse_outlet(text)
    if number == OUTLET_LIMIT:
        raise ValueError("an outlet's number: 1 to 18 digits, not all zero")
    return number


def _matching(pattern: str, meaning: str) -> Callable[[str], str]:
    form = re.compile(pattern)

    def parse(text: str) -> str:
        if not form.fullmatch(text):
            raise ValueError(meaning)
        return text

    return parse


def _kind(text: str) -> OutletKind:
    try:
        return OutletKind(text)
    except ValueError:
        raise ValueError(f"one of {', '.join(OutletKind)}") from None


def _name(text: str) -> str:
    if not (0 < len(text) <= _NAME_CHARACTERS and text.isprintable() and text.strip() == text):
        raise ValueError(f"a name of 1 to {_NAME_CHARACTERS} characters")
    return text


def _date(text: str) -> date:
    days = parse_date(text)
    if days == NO_DATE:
        raise ValueError("a date, YYYY-MM-DD")
    return format_date(days)


_COLUMNS: dict[str, Callable[[str], Any]] = {
    "number": _number,
    "agency": _matching("[0-9]{0,33}", "an agency's number of up to 33 digits, or empty"),
    "county": _matching("[0-9]{6}", "the six digits of a county"),
    "kind": _kind,
    "name": _name,
    "longitude": lambda text: parse_degrees(text, 180),
    "latitude": lambda text: parse_degrees(text, 90),
    "open_since": _date,
    "closed_since": lambda text: _date(text) if text else None,
}
