"""What becomes of blocks that must not simply be applied: damaged batches, and records from the future."""

import time
from typing import Any

import pytest

from ledger._core import walk_batches
from ledger.errors import CorruptBatch, TimestampAhead
from streams.blocks import Block
from streams.feeding import FeedRules, feed
from tests.plain_batches import encode_batch

NOW_MS = int(time.time() * 1000)
DAY_MS = 86_400_000


class Collector:
    """Applies records by keeping them, as an engine would: whole batches up to the first damaged one."""

    def __init__(self) -> None:
        self.next_offset = 0
        self.offsets: list[int] = []
        self.quarantined: list[bytes] = []

    def apply(self, batches: Any, next_offset: int) -> None:
        try:
            records = walk_batches(batches, self.next_offset)
        except CorruptBatch as error:
            sound = walk_batches(batches[: error.numbers["byte_offset"]], self.next_offset)
            self._keep(sound, sound[-1][0] + 1 if sound else self.next_offset)
            raise
        self._keep(records, next_offset)

    def quarantine_batch(self, raw: bytes, next_offset: int) -> None:
        self.quarantined.append(raw)
        self.next_offset = next_offset

    def _keep(self, records: list[Any], next_offset: int) -> None:
        self.offsets += [record[0] for record in records]
        self.next_offset = next_offset


def batch(*offsets: int, timestamp_ms: int = NOW_MS) -> bytes:
    return encode_batch([(offset, timestamp_ms, None, b"value") for offset in offsets])


def damaged(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def block(data: bytes, next_offset: int) -> Block:
    return Block("events", 3, data, 0, next_offset, next_offset)


def test_a_damaged_batch_stops_its_partition_with_everything_before_it_applied():
    engine = Collector()
    with pytest.raises(CorruptBatch, match=r"events/3 is damaged .*base_offset 2, byte_offset \d+.*--quarantine") as error:
        feed(engine, block(batch(0, 1) + damaged(batch(2, 3)) + batch(4), 5), FeedRules())
    assert error.value.numbers["byte_offset"] == len(batch(0, 1))
    assert (engine.offsets, engine.next_offset) == ([0, 1], 2)


def test_damaged_batches_are_quarantined_whole_where_that_is_allowed():
    engine = Collector()
    first, second = damaged(batch(2, 3)), damaged(batch(7))
    data = batch(0, 1) + first + batch(4, 6) + second + batch(8)
    feed(engine, block(data, 9), FeedRules(quarantine_corrupt_batches=True))
    assert (engine.offsets, engine.quarantined, engine.next_offset) == ([0, 1, 4, 6, 8], [first, second], 9)


def test_bytes_that_are_no_batch_are_quarantined_to_the_end():
    engine = Collector()
    rest = b"\xff" * 100
    feed(engine, block(batch(0, 1) + rest, 2), FeedRules(quarantine_corrupt_batches=True))
    assert (engine.offsets, engine.quarantined, engine.next_offset) == ([0, 1], [rest], 2)


def test_a_record_too_far_ahead_stops_its_partition_before_it_moves_ledger_time():
    engine = Collector()
    later = NOW_MS + 2 * DAY_MS
    with pytest.raises(TimestampAhead, match=rf"events/3 .*offset 1, timestamp_ms {later}"):
        feed(engine, block(batch(0) + batch(1, timestamp_ms=later) + batch(2), 3), FeedRules())
    assert (engine.offsets, engine.next_offset) == ([0], 1)


@pytest.mark.parametrize("rules", [FeedRules(max_ahead_s=None), FeedRules(max_ahead_s=3 * 86_400)])
def test_a_time_that_is_allowed_is_applied(rules):
    engine = Collector()
    feed(engine, block(batch(0) + batch(1, timestamp_ms=NOW_MS + 2 * DAY_MS), 2), rules)
    assert engine.offsets == [0, 1]


def test_damage_is_reported_as_damage_even_where_it_looks_like_a_time_ahead():
    engine = Collector()
    with pytest.raises(CorruptBatch):
        feed(engine, block(damaged(batch(0, timestamp_ms=NOW_MS + 2 * DAY_MS)), 1), FeedRules())
