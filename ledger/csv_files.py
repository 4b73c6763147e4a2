"""CSV files that others hand in: a header, then rows. Every fault is told with its file, line and column."""

import codecs
import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from ledger.errors import FileInvalid

FileEncoding = Literal["UTF-8", "GB18030"]

_CHUNK_BYTES = 1 << 20


def read_rows(path: Path, columns: Sequence[str], encoding: FileEncoding = "UTF-8") -> Iterator[tuple[int, list[str]]]:
    """Yield line number and fields of each row behind the header, which must name ``columns`` in their order.

    UTF-8 may begin with a byte order mark; empty lines are passed over. The file is read as it is consumed, so its size
    does not matter. Raises FileInvalid where the file cannot be read or a row has another count of fields.
    """
    count = len(columns)
    try:
        with path.open(encoding="utf-8-sig" if encoding == "UTF-8" else encoding, newline="") as file:
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
        line = _line_not_in(path, encoding)
        is_neither = encoding == "GB18030" and find_encoding(path) == "GB18030"
        what = "neither UTF-8 nor GB18030" if is_neither else f"not {encoding}"
        raise FileInvalid(f"{path} is {what}", hint="Convert it to UTF-8", line=line) from error
    except csv.Error as error:
        raise FileInvalid(f"{path}: {error}", hint="Write it as CSV with commas", line=reader.line_num) from error


def find_encoding(path: Path) -> FileEncoding:
    """Return UTF-8 where all of a file is UTF-8, else GB18030. Raises FileInvalid where it cannot be read."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except OSError as error:
        raise FileInvalid(f"{path}: {error.strerror}", hint="Name a file that can be read") from error
    except UnicodeDecodeError:
        return "GB18030"
    return "UTF-8"


def _line_not_in(path: Path, encoding: FileEncoding) -> int:
    """Return the first line that is not in an encoding: in both, no part of a character is a line feed."""
    with path.open("rb") as file:
        return next(number for number, line in enumerate(file, 1) if not _is_in(line, encoding))


def _is_in(line: bytes, encoding: FileEncoding) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
