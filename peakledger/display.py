"""What commands print: a table for people, or one JSON document for programs.

The document is ``{"kind": KIND, "items": [{...}, ...]}`` for every command; some tell more of the whole beside. Amounts are
integers in fen, times are milliseconds since 1970 in UTC, dates are YYYY-MM-DD. A table shows amounts in yuan and times as text
instead.
"""

import csv
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from rich.cells import cell_len
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table
from rich.text import Text

Item = Mapping[str, Any]

_WIDTH_OF_A_FILE = 100_000  # nothing is broken that is not for a terminal
_BETWEEN_COLUMNS = 2
_LEAST_TEXT = 8

# Serials, reasons and names of files are printed as they are: [/b] in them is no markup, and :wave: no emoji.
console = Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else _WIDTH_OF_A_FILE)
error_console = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def show(
    kind: str, items: Sequence[Item], *, as_json: bool, hide: Collection[str] = (), empty: str = "", more: Item | None = None
) -> None:
    """Print ``items`` as a table of their keys, or as the one JSON document.

    The table leaves the keys in ``hide`` out. ``empty`` is said for people when there are no items. ``more`` is what the document
    tells of the items as a whole, beside them.
    """
    if as_json:
        sys.stdout.write(msgspec.json.encode({"kind": kind, "items": items} | dict(more or {})).decode() + "\n")
    elif items:
        _print_table([{key: value for key, value in item.items() if key not in hide} for item in items])
    elif empty:
        console.print(empty)


def show_one(item: Item) -> None:
    """Print the keys of one item and their values below one another, for people; a value is never broken."""
    width = max(len(_header(key)) for key in item)
    for key, value in item.items():
        header = Text(_header(key).ljust(width), "bold")
        console.print(Text.assemble(header, "  ", format_value(key, value)), soft_wrap=True)


def print_csv(items: Sequence[Item]) -> None:
    """Print ``items`` as CSV with the keys as header: the values of the JSON document, and nothing for null."""
    if items:
        writer = csv.DictWriter(sys.stdout, items[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(items)


def _print_table(items: Sequence[Item]) -> None:
    """Print items as a table; where a terminal is too narrow for it without cutting numbers, below one another."""
    columns = [_Column(key, items) for key in items[0]]
    widths = _fitted([column.natural for column in columns], [column.least for column in columns], console.width)
    if widths is None:
        for number, item in enumerate(items):
            if number:
                console.print()
            show_one(item)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column, width in zip(columns, widths, strict=True):
        table.add_column(column.header, justify="right" if column.is_numeric else "left", overflow="fold", width=width)
    for row in zip(*(column.values for column in columns), strict=True):
        table.add_row(*row)
    console.print(table)


class _Column:
    """One column of a table: its texts, and how wide it is without a break, and with as many as it stands."""

    def __init__(self, key: str, items: Sequence[Item]) -> None:
        self.header = _header(key)
        self.is_numeric = not key.endswith("_time_ms") and _are_numbers(item[key] for item in items)
        self.values = [format_value(key, item[key]) for item in items]
        longest, words = max(map(cell_len, self.values)), max(map(cell_len, self.header.split()), default=0)
        self.natural = max(longest, cell_len(self.header))
        self.least = max(words, longest if self.is_numeric else min(longest, _LEAST_TEXT))


def _fitted(natural: Sequence[int], least: Sequence[int], width: int) -> list[int] | None:
    """Return how wide columns are in so much room: wider ones give up more, none gets below its least. None where they cannot."""
    room = width - _BETWEEN_COLUMNS * (len(natural) - 1)
    if sum(least) > room:
        return None
    at_most = max(natural)
    while sum(widths := [max(low, min(high, at_most)) for high, low in zip(natural, least, strict=True)]) > room:
        at_most -= 1
    return widths


def _are_numbers(values: Iterable[object]) -> bool:
    given = [value for value in values if value is not None]
    return bool(given) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in given)


def _header(key: str) -> str:
    if key.endswith("_fen"):
        return key.removesuffix("_fen").replace("_", " ") + " ¥"
    return key.removesuffix("_time_ms").replace("_", " ") + (" time" if key.endswith("_time_ms") else "")


def format_value(key: str, value: object) -> str:
    """Return a value as a table shows it; the end of ``key`` names the unit."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return format_number(key, value)
    return str(value)


def format_number(key: str, value: int) -> str:
    if key.endswith("_fen"):
        return format_yuan(value)
    if key.endswith("_time_ms"):
        return datetime.fromtimestamp(value / 1000, UTC).isoformat(" ", "milliseconds").removesuffix("+00:00")
    if key.endswith("_bytes"):
        return format_bytes(value)
    return f"{value:,}" if not key.endswith(("code", "channel")) else str(value)


def format_yuan(amount_fen: int) -> str:
    """Return an amount in yuan, ``1,234.56``."""
    sign = "-" if amount_fen < 0 else ""
    return f"{sign}{abs(amount_fen) // 100:,}.{abs(amount_fen) % 100:02d}"


def format_bytes(count: int) -> str:
    """Return a size with three digits and a unit, ``1.23 GB``."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def byte_progress() -> Progress:
    """Return a progress bar over bytes on standard error, shown only on a terminal."""
    return _progress(DownloadColumn(), TransferSpeedColumn())


def step_progress() -> Progress:
    """Return a progress bar over steps of any kind on standard error, shown only on a terminal."""
    return _progress(TaskProgressColumn())


def _progress(*columns: ProgressColumn) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        *columns,
        TimeRemainingColumn(),
        console=error_console,
        transient=True,
        disable=not error_console.is_terminal,
    )
