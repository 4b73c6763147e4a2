"""A channel's file of what it took on a business date: lines, and a trailer with totals. docs/reconciliation.md describes it."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

from ledger.channels import Channel, SerialForm
from ledger.csv_files import read_rows
from ledger.errors import FileInvalid, FileRefused
from ledger.event_fields import NO_DATE, NO_HOUSEHOLD, NO_SERIAL, format_date, parse_date, parse_household, parse_serial
from ledger.reconciliation import ChannelLine, Finding, Verdict

COLUMNS = ("serial", "household", "amount_fen", "business_date")
TRAILER = "total"
GREATEST_FEN = 2**63 - 1

_AMOUNT = re.compile(r"[0-9]{1,19}")


def read_channel_file(path: Path, form: SerialForm) -> Iterator[ChannelLine]:
    """Yield the lines as they are read. Raises FileInvalid with line and column of the first fault.

    Whether the totals are right is known at the end only: what was made of the lines before must not count until then.
    """
    dates: dict[str, date] = {}
    sum_fen = 0
    rows = read_rows(path, COLUMNS)
    for count, (line, row) in enumerate(rows):
        serial_text, household, amount_text, date_text = row
        if serial_text == TRAILER:
            _check_totals(path, line, row, count, sum_fen)
            for after, _ in rows:
                raise FileInvalid(f"{path}: there is more behind the trailer", line=after)
            return
        serial = parse_serial(serial_text, form)
        amount_fen = int(amount_text) if _AMOUNT.fullmatch(amount_text) else 0
        day = dates.get(date_text) or _date(path, line, date_text, dates)
        if serial == NO_SERIAL:
            raise FileInvalid(f"{path}: {serial_text!r} is no serial of {form.name}", line=line, column="serial")
        if parse_household(household) == NO_HOUSEHOLD:
            raise FileInvalid(f"{path}: {household!r} is not a household's number of 13 digits", line=line, column="household")
        if not 0 < amount_fen <= GREATEST_FEN:
            raise FileInvalid(f"{path}: {amount_text!r} is no amount in fen above zero", line=line, column="amount_fen")
        sum_fen += amount_fen
        yield ChannelLine(serial, household, amount_fen, day, line)
    raise FileInvalid(f"{path} has no trailer", hint=f"Its last line must be {TRAILER},COUNT,SUM_FEN,")


def _date(path: Path, line: int, text: str, known: dict[str, date]) -> date:
    days = parse_date(text)
    if days == NO_DATE:
        raise FileInvalid(f"{path}: {text!r} is not a date, YYYY-MM-DD", line=line, column="business_date")
    return known.setdefault(text, format_date(days))


def _check_totals(path: Path, line: int, row: list[str], count: int, sum_fen: int) -> None:
    for column, text, found in (("household", row[1], count), ("amount_fen", row[2], sum_fen)):
        if text != str(found):
            total = "count of lines" if column == "household" else "sum"
            raise FileInvalid(f"{path}: the {total} is {found}, the trailer says {text!r}", line=line, column=column)


def check_likeness(
    path: Path, channel: Channel, day: date, sums: Mapping[Verdict, tuple[int, int, int]], differences: Sequence[Finding]
) -> None:
    """Raise FileRefused where a file does not look like that of a channel and business date, by what reconciling it found.

    It does where at least half of its lines are payments of the date, with their households, and at least half of these are told.
    Serials alone say little: with many channels they begin anew every day.
    """
    counts = Counter({verdict: count for verdict, (count, _, _) in sums.items()})
    alike = counts[Verdict.matched] + counts[Verdict.amount_differs]
    lines = alike + sum(found.there is not None for found in differences if found.verdict is not Verdict.amount_differs)
    others = (Verdict.missing_there, Verdict.household_differs, Verdict.other_day)
    payments = alike + sum(found.booked_date == day for found in differences if found.verdict in others)
    if 2 * alike >= max(lines, payments):
        return
    told = [f"{alike} of its {lines} lines are payments of the date with the same household, of {payments} that are booked"]
    carried = Counter(found.there.business_date for found in differences if found.there and found.there.business_date != day)
    booked = Counter(found.booked_date for found in differences if found.booked_date not in (None, day))
    told += [f"lines with the date {other}: {count}" for other, count in carried.most_common(1)]
    told += [f"booked on {other}: {count}" for other, count in booked.most_common(1)]
    raise FileRefused(
        f"{path} does not look like the file of {channel.name} of {day}: {'; '.join(told)}. Nothing was booked",
        hint="See what peakledger reconcile says of it, and whether the engine lags. --accept-file settles by it as it is",
    )
