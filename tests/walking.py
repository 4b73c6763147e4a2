"""The core's walker held against the plain Python of ``tests/plain_batches.py``."""

from ledger._core import count_records, walk_batches
from ledger.errors import CorruptBatch
from tests.plain_batches import Stop, walk


def core_walks_as_plain_python(data: bytes, first_offset: int = 0) -> None:
    """Hold the records that the core gives out, or where and why it stops, against plain Python."""
    items = list(walk(data, first_offset))
    stop = next((item for item in items if isinstance(item, Stop)), None)
    try:
        assert walk_batches(data, first_offset) == items
        assert count_records(data, first_offset) == len(items)
    except CorruptBatch as error:
        assert stop
        assert stop.reason in str(error)
        assert error.numbers["base_offset"] == stop.base_offset
        assert error.numbers["byte_offset"] == stop.byte_offset
