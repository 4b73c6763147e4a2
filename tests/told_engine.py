"""An engine whose entries and balances are published to an embedded stream, for tests."""

import asyncio
import json
import shutil
from pathlib import Path

from ledger._core import walk_batches
from streams.changes import BalancePublisher, EntryPublisher
from streams.embedded import EmbeddedStream
from streams.positions import BALANCES_FILE, ENTRIES_FILE
from streams.sinks import EmbeddedSink
from tests.plain_changes import Record
from tests.random_ledger import PARAMETERS
from tests.shadow import ShadowedEngine

PUBLISHERS = {"entries": EntryPublisher, "balances": BalancePublisher}
POSITIONS = (ENTRIES_FILE, BALANCES_FILE)


class ToldEngine(ShadowedEngine):
    """``told`` gives what was published so far."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, PARAMETERS)
        self.stream = directory / "stream"
        with EmbeddedStream(self.stream) as stream:
            for topic in PUBLISHERS:
                stream.create_topic(topic)

    def publish(self) -> None:
        """Publish as far as the balances happen to be."""
        assert self.engine.wait_durable()
        publish_changes(self.shard, self.stream, self.engine.durable_frame)

    def note(self) -> None:
        """Keep the positions as they are now, for ``forget``."""
        for name in POSITIONS:
            if (self.shard / name).exists():
                shutil.copy(self.shard / name, self.directory / name)

    def forget(self) -> None:
        """Go back to the positions noted, as a kill between acknowledgement and position would."""
        for name in POSITIONS:
            if (self.directory / name).exists():
                shutil.copy(self.directory / name, self.shard / name)

    def told(self, topic: str) -> list[Record]:
        records, offset = [], 0
        with EmbeddedStream(self.stream) as stream:
            while block := stream.read(topic, 0, offset):
                for _, timestamp_ms, key, value in walk_batches(block.data, offset):
                    records.append((key, json.loads(value)))
                    assert timestamp_ms == records[-1][1]["ledger_time_ms"]
                offset = block.next_offset
        return records


def publish_changes(shard: Path, stream: Path, durable_frame: int) -> None:
    """Publish a shard's entries and balances to a stream that has the topics."""

    async def run() -> None:
        for topic, publisher in PUBLISHERS.items():
            sink = EmbeddedSink(topic, stream)
            await sink.start()
            await publisher(shard, sink, 0).publish_up_to(durable_frame)
            await sink.close(1)

    asyncio.run(run())
