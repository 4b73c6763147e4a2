"""Whole Kafka record batches of a season's records."""

from collections.abc import Iterable, Iterator

from bench.feeding import PreparedBlock
from bench.season.fast import Records
from ledger._core import build_value_batches


def blocks_of(season: Iterable[Records], first_offset: int = 0) -> Iterator[PreparedBlock]:
    """Yield the records in blocks, each of as many batches as it takes."""
    for records in season:
        block = bytearray()
        for _, batch, count in build_value_batches(*records):
            batch[:8] = first_offset.to_bytes(8)  # of its first record; no checksum covers it
            block += batch
            first_offset += count
        yield PreparedBlock(bytes(block), first_offset)
