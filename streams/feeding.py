"""Puts blocks into an engine, and decides what happens to those that must not simply be applied."""

import logging
import struct
import time
from dataclasses import dataclass
from typing import Protocol

from ledger._core import BatchOverview, batches_overview
from ledger.errors import CorruptBatch, TimestampAhead
from streams.blocks import Block
from streams.compression import Data, inflate

log = logging.getLogger(__name__)

# length and max_timestamp of a record batch v2
_HEADER = struct.Struct(">8xi23xq")
_BASE_OFFSET = struct.Struct(">q")
_OVERHEAD_BYTES = 12
_SMALLEST_BATCH_BYTES = 61


class Applies(Protocol):
    """The part of an Engine that is fed."""

    @property
    def next_offset(self) -> int: ...

    def apply(self, batches: Data, next_offset: int) -> None: ...

    def quarantine_batch(self, raw: bytes, next_offset: int) -> None: ...


@dataclass(frozen=True, slots=True)
class FeedRules:
    """What an operator allows.

    ``max_ahead_s``: a record dated further ahead of the wall clock stops its partition, for ledger time never goes back; None
    allows any. ``quarantine_corrupt_batches``: keep damaged batches in quarantine and go on, instead of stopping there.
    """

    max_ahead_s: float | None = 86_400
    quarantine_corrupt_batches: bool = False


def feed(engine: Applies, block: Block, rules: FeedRules) -> None:
    """Apply a block. Raises CorruptBatch or TimestampAhead, with all that comes before applied, and what Engine.apply raises."""
    data = memoryview(inflate(block.data))
    while True:
        ahead = _first_ahead(data, rules)
        try:
            if ahead is None:
                engine.apply(data, block.next_offset)
                return
            engine.apply(data[: ahead.byte_offset], max(ahead.base_offset, engine.next_offset))
            raise _too_far_ahead(ahead, block)
        except CorruptBatch as error:
            damaged = _located(error, block)
            if not rules.quarantine_corrupt_batches:
                raise damaged from error
            log.error("%s", damaged)
            raw, data, next_offset = _cut(data, int(str(error.numbers["byte_offset"])), engine.next_offset, block.next_offset)
            engine.quarantine_batch(raw, next_offset)


def _first_ahead(data: memoryview, rules: FeedRules) -> BatchOverview | None:
    """The first sound batch with a record that is dated too far ahead."""
    if rules.max_ahead_s is None:
        return None
    limit_ms = (time.time() + rules.max_ahead_s) * 1000
    start = 0
    while start + _SMALLEST_BATCH_BYTES <= len(data):
        length, max_timestamp_ms = _HEADER.unpack_from(data, start)
        if length < _SMALLEST_BATCH_BYTES - _OVERHEAD_BYTES:
            return None
        end = start + _OVERHEAD_BYTES + length
        if max_timestamp_ms > limit_ms:
            (overview,) = batches_overview(data[start:end])
            if overview.crc_ok:
                return overview._replace(byte_offset=start)
        start = end
    return None


def _too_far_ahead(batch: BatchOverview, block: Block) -> TimestampAhead:
    return TimestampAhead(
        f"A record of {block.topic}/{block.partition} is dated too far ahead of the clock, and ledger time never goes back",
        hint="Correct its producer's clock; allow the time if it is right",
        offset=batch.base_offset,
        timestamp_ms=batch.max_timestamp_ms,
        now_ms=int(time.time() * 1000),
    )


def _located(error: CorruptBatch, block: Block) -> CorruptBatch:
    return CorruptBatch(
        f"A record batch of {block.topic}/{block.partition} is damaged",
        hint="Restore it, or go on with --quarantine-corrupt-batches, which keeps its bytes",
        **error.numbers,
    )


def _cut(data: memoryview, start: int, position: int, next_offset: int) -> tuple[bytes, memoryview, int]:
    """Cut the damaged batch at ``start`` out: its bytes, what follows it, and the offset that this begins with."""
    length = _HEADER.unpack_from(data, start)[0] if start + _SMALLEST_BATCH_BYTES <= len(data) else 0
    end = start + _OVERHEAD_BYTES + length
    if length < _SMALLEST_BATCH_BYTES - _OVERHEAD_BYTES or end + _OVERHEAD_BYTES > len(data):
        return data[start:].tobytes(), data[len(data) :], next_offset
    # What the damaged header says of its last offset cannot be believed; what follows can.
    after = _BASE_OFFSET.unpack_from(data, end)[0]
    return data[start:end].tobytes(), data[end:], min(max(after, position), next_offset)
