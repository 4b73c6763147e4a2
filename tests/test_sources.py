"""An embedded stream's partition as a shard sees it."""

import asyncio

import pytest

from ledger.errors import PositionLost
from streams.embedded import EmbeddedStream
from streams.sources import EmbeddedSource
from tests.plain_batches import encode_batch

BATCHES = [encode_batch([(0, 1000, None, b"value %d" % number)]) for number in range(3)]


@pytest.fixture
def stream(tmp_path):
    with EmbeddedStream(tmp_path) as stream:
        stream.create_topic("events")
        for batch in BATCHES[:2]:
            stream.append("events", 0, batch)
        yield stream


def test_blocks_follow_one_another_and_what_is_appended_later_comes_too(stream):
    async def read() -> list[tuple[int, int]]:
        source = EmbeddedSource(stream.directory, "events", 0)
        await source.seek(0)
        blocks = await source.read()
        assert await source.end_offset() == await source.position() == 2
        assert await source.read() == []
        stream.append("events", 0, BATCHES[2])
        while len(blocks) < 2:
            blocks += await source.read()
        await source.close()
        return [(block.first_offset, block.next_offset) for block in blocks]

    assert asyncio.run(read()) == [(0, 2), (2, 3)]


def test_a_seek_counts_although_the_next_block_was_read_ahead(stream):
    async def read() -> int:
        source = EmbeddedSource(stream.directory, "events", 0)
        await source.seek(0)
        await source.read()
        await source.seek(1)
        (block,) = await source.read()
        await source.close()
        return block.first_offset

    assert asyncio.run(read()) == 1


def test_a_position_that_the_stream_does_not_reach_is_lost(stream):
    async def read() -> None:
        source = EmbeddedSource(stream.directory, "events", 0)
        await source.seek(7)
        try:
            await source.read()
        finally:
            await source.close()

    with pytest.raises(PositionLost):
        asyncio.run(read())
