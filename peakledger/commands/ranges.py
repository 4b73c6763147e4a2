"""Ranges on the command line, FROM..TO, and the values at their ends."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import TypeVar

import typer

from ledger.event_fields import NO_DATE, format_date, parse_date

Value = TypeVar("Value", int, date)


def parse_range(text: str | None, parse: Callable[[str], Value], ends: tuple[Value, Value]) -> tuple[Value, Value]:
    """Return both ends of ``FROM..TO``. An end left out is that of ``ends``, one value alone is both; ``None`` is ``ends``."""
    if text is None:
        return ends
    first, dots, last = text.partition("..")
    if not dots:
        last = first
    low, high = (parse(end.strip()) if end.strip() else default for end, default in zip((first, last), ends, strict=True))
    if low > high:
        raise typer.BadParameter(f"{text!r} ends before it begins")
    return low, high


def parse_day(text: str) -> date:
    """Return the date of ``YYYY-MM-DD``, one of those that a ledger can have."""
    days = parse_date(text)
    if days == NO_DATE:
        raise typer.BadParameter(f"{text!r} is no date from 1970-01-02 to 2149-06-06; write it as 2026-07-23")
    return format_date(days)


def parse_seq(text: str) -> int:
    """Return a seq."""
    if not (text.isascii() and text.isdigit()) or int(text) >= 2**64:
        raise typer.BadParameter(f"{text!r} is no seq")
    return int(text)


def parse_time_ms(text: str) -> int:
    """Return the milliseconds since 1970 of a number of them, or of a time of ISO 8601, in UTC where it names no offset."""
    if text.isascii() and text.isdigit() and len(text) > 8:
        return int(text)
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no time; write it as 2026-07-23T12:30:00, or as milliseconds") from error
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)
