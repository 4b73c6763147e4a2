"""CSV files that others hand in: a header, then rows. Every fault is told with its file, line and column."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from ledger.errors import FileInvalid


def read_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and fields of each row behind the header, which must name ``columns`` in their order.

    The file is UTF-8, with a byte order mark or without; empty lines are passed over. It is read as it is consumed, so its size
    does not matter. Raises FileInvalid where the file cannot be read or a row has another count of fields.
    """
    count = len(columns)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            if next(reader, None) != list(columns):
                hint = f"Its first line must be {','.join(columns)}"
                raise FileInvalid(f"{path} does not begin with the header", hint=hint, line=1)
            for row in reader:
                if len(row) == count:
                    yield reader.line_num, row
                elif row:
                    raise FileInvalid(f"{path}: a row has {len(row)} fields instead of {count}", line=reader.line_num)
    except OSError as error:
        raise FileInvalid(f"{path}: {error.strerror}", hint="Name a file that can be read") from error
    except UnicodeDecodeError as error:
        raise FileInvalid(f"{path} is not UTF-8", hint="Convert it to UTF-8", line=_line_that_is_not_utf8(path)) from error
    except csv.Error as error:
        raise FileInvalid(f"{path}: {error}", hint="Write it as CSV with commas", line=reader.line_num) from error


def _line_that_is_not_utf8(path: Path) -> int:
    with path.open("rb") as file:
        return next(number for number, line in enumerate(file, 1) if not _is_utf8(line))


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
