"""The embedded stream: a local directory of the very record batches that a broker stores, for one machine without a broker.

``<directory>/<topic>/<partition>/<base offset>.batches``, append-only. Any number of processes may append and read.
"""

import time
from pathlib import Path
from types import TracebackType
from typing import Self

from ledger.errors import ConfigurationError, PeakledgerError
from streams.blocks import Block
from streams.segments import Partition

SEGMENT_BYTES = 256 << 20
READ_BYTES = 4 << 20
_MIN_READ_BYTES = 4096
_POLL_S = 0.005


class EmbeddedStream:
    """Topics under ``directory``. Not for two threads at once; give each thread, and each process, one of its own."""

    def __init__(self, directory: Path | str, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.directory = Path(directory)
        self._segment_bytes = segment_bytes
        self._partitions: dict[tuple[str, int], Partition] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Make everything appended durable and close all files."""
        for partition in self._partitions.values():
            partition.close()
        self._partitions.clear()

    def create_topic(self, topic: str, partition_count: int = 1) -> None:
        """Create a topic; one that is there with the same count of partitions stays as it is."""
        if self.topics().get(topic, partition_count) != partition_count or partition_count < 1:
            raise PeakledgerError(f"Topic {topic} cannot have {partition_count} partitions", found=self.topics().get(topic, 0))
        for partition in range(partition_count):
            (self.directory / topic / str(partition)).mkdir(parents=True, exist_ok=True)

    def topics(self) -> dict[str, int]:
        """Return the count of partitions of each topic, by name."""
        if not self.directory.is_dir():
            return {}
        found = (path for path in sorted(self.directory.iterdir()) if path.is_dir())
        return {path.name: sum(inner.name.isdigit() for inner in path.iterdir()) for path in found}

    def partition_count(self, topic: str) -> int:
        """Return the count of partitions of a topic that is there. Raises ConfigurationError."""
        count = self.topics().get(topic)
        if not count:
            raise ConfigurationError(
                f"There is no topic {topic} in {self.directory}", hint=f"Create it: peakledger topics create --topic {topic}"
            )
        return count

    def append(self, topic: str, partition: int, batches: bytes | bytearray | memoryview) -> int:
        """Append whole record batches; return the offset that the first record got. Durable after ``flush``.

        Raises PeakledgerError where they are not whole batches with the right CRC-32C, CorruptBatch where the stream is damaged.
        """
        return self._partition(topic, partition).append(batches)

    def flush(self) -> None:
        """Return when everything appended is durable."""
        for partition in self._partitions.values():
            partition.flush()

    def read(self, topic: str, partition: int, offset: int, max_bytes: int = READ_BYTES) -> Block | None:
        """Return the whole batches from ``offset`` on, None where there is no record yet.

        A batch larger than ``max_bytes`` comes alone. Raises PositionLost where the stream does not reach to ``offset``.
        """
        found = self._partition(topic, partition).read(offset, max(max_bytes, _MIN_READ_BYTES))
        if found is None:
            return None
        data, next_offset, end_offset = found
        return Block(topic, partition, data, offset, next_offset, end_offset)

    def wait(self, topic: str, partition: int, offset: int, timeout_s: float) -> Block | None:
        """Return what ``read`` returns as soon as it is something; None after ``timeout_s``."""
        deadline = time.monotonic() + timeout_s
        while True:
            block = self.read(topic, partition, offset)
            if block or time.monotonic() >= deadline:
                return block
            time.sleep(_POLL_S)

    def first_offset(self, topic: str, partition: int) -> int:
        """Return the offset of the first record that is still there."""
        return self._partition(topic, partition).first_offset()

    def end_offset(self, topic: str, partition: int) -> int:
        """Return the offset that the next record will get."""
        return self._partition(topic, partition).end_offset()

    def delete_before(self, topic: str, partition: int, offset: int) -> None:
        """Delete the segments that hold only records below ``offset``; the last segment stays."""
        self._partition(topic, partition).delete_before(offset)

    def _partition(self, topic: str, partition: int) -> Partition:
        key = (topic, partition)
        if key not in self._partitions:
            if partition >= self.partition_count(topic):
                raise PeakledgerError(f"Topic {topic} has no partition {partition}", partition_count=self.partition_count(topic))
            self._partitions[key] = Partition(self.directory / topic / str(partition), self._segment_bytes)
        return self._partitions[key]
