"""One partition of the embedded stream: a directory of append-only segment files of record batches, named by base offset."""

import bisect
import fcntl
import logging
import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from ledger._core import batches_overview, find_sound_batch, scan_batches, sound_bytes
from ledger.errors import CorruptBatch, PeakledgerError, PositionLost

log = logging.getLogger(__name__)

SUFFIX = ".batches"
SCAN_BYTES = 1 << 20


class Segment:
    """One open segment file, with a sparse index of it that grows as it is read."""

    def __init__(self, directory: Path, base_offset: int, flags: int = os.O_RDONLY) -> None:
        self.path = directory / f"{base_offset:020d}{SUFFIX}"
        self.base_offset = base_offset
        self.file = os.open(self.path, flags | os.O_CLOEXEC, 0o644)
        self.scanned_bytes = 0
        self.next_offset = base_offset
        self._offsets = [base_offset]
        self._positions = [0]

    def close(self) -> None:
        os.close(self.file)

    def size(self) -> int:
        return os.fstat(self.file).st_size

    def take(self, position: int, max_bytes: int) -> bytes:
        """Return the whole batches from ``position`` on: at most ``max_bytes``, or the first alone; empty where none is whole.

        Bytes that cannot be the beginning of a batch are returned as they are, for the walker to report.
        """
        data = os.pread(self.file, max_bytes, position)
        whole_bytes, next_offset, wanted_bytes = scan_batches(data)
        if whole_bytes == 0 and wanted_bytes > len(data):
            data = os.pread(self.file, wanted_bytes, position)
            whole_bytes, next_offset, _ = scan_batches(data)
        if whole_bytes == 0:
            return data if wanted_bytes < 0 else b""
        if position == self.scanned_bytes:
            self.grow(whole_bytes, next_offset)
        return data[:whole_bytes] if whole_bytes < len(data) else data

    def grow(self, whole_bytes: int, next_offset: int) -> None:
        """Take note of whole batches behind those scanned so far."""
        self.scanned_bytes += whole_bytes
        self.next_offset = next_offset
        self._offsets.append(next_offset)
        self._positions.append(self.scanned_bytes)

    def scan(self, up_to_offset: int | None = None) -> None:
        """Read on until ``up_to_offset``, or to the end of the whole batches."""
        while up_to_offset is None or self.next_offset <= up_to_offset:
            before = self.scanned_bytes
            self.take(before, SCAN_BYTES)
            if self.scanned_bytes == before:
                return

    def position_of(self, offset: int) -> int:
        """Return where to begin reading to meet ``offset``."""
        self.scan(offset)
        return self._positions[bisect.bisect_right(self._offsets, offset) - 1]


class Partition:
    """Reads and appends to one partition. Not for two threads at once; any number of processes may read and append."""

    def __init__(self, directory: Path, segment_bytes: int) -> None:
        self.directory = directory
        self._segment_bytes = segment_bytes
        self._segments: dict[int, Segment] = {}
        self._read_on: tuple[int, Segment, int] | None = None
        self._known_end = 0
        self._tail: Segment | None = None
        self._unflushed: set[Segment] = set()

    def close(self) -> None:
        self.flush()
        for segment in self._segments.values():
            segment.close()
        self._segments.clear()
        self._read_on = None
        if self._tail:
            self._tail.close()
            self._tail = None

    # --- Reading --------------------------------------------------------------------------------------------------------

    def base_offsets(self) -> list[int]:
        return sorted(int(path.stem) for path in self.directory.glob(f"*{SUFFIX}"))

    def first_offset(self) -> int:
        return next(iter(self.base_offsets()), 0)

    def end_offset(self) -> int:
        bases = self.base_offsets()
        if bases:
            last = self._open(bases[-1])
            last.scan()
            self._known_end = last.next_offset
        return self._known_end

    def read(self, offset: int, max_bytes: int) -> tuple[bytes, int, int] | None:
        """Return whole batches, of which the last holds ``offset`` or a later record, the offset behind, and the known end."""
        place = self._read_on if self._read_on and self._read_on[0] == offset else self._seek(offset)
        while place:
            _, segment, position = place
            data = segment.take(position, max_bytes)
            if not data:
                place = self._following(segment, position)
                continue
            next_offset = scan_batches(data)[1]
            if next_offset < 0:
                return data, offset, self._known_end
            place = (next_offset, segment, position + len(data))
            if next_offset > offset:
                self._read_on = place
                self._known_end = max(self._known_end, next_offset)
                return data, next_offset, self._known_end
        return None

    def _open(self, base_offset: int) -> Segment:
        if base_offset not in self._segments:
            self._segments[base_offset] = Segment(self.directory, base_offset)
        return self._segments[base_offset]

    def _seek(self, offset: int) -> tuple[int, Segment, int] | None:
        bases = self.base_offsets()
        first, end = next(iter(bases), 0), self.end_offset()
        if not first <= offset <= end:
            raise PositionLost(
                f"{self.directory} holds the offsets from {first} to {end}, not the next one",
                hint="Restore the stream or begin a new ledger; events that are gone cannot be applied",
                next_offset=offset,
                first_offset=first,
                end_offset=end,
            )
        if not bases:
            return None
        segment = self._open(bases[bisect.bisect_right(bases, offset) - 1])
        return offset, segment, segment.position_of(offset)

    def _following(self, segment: Segment, position: int) -> tuple[int, Segment, int] | None:
        """Return the begin of the segment behind one without a whole batch from ``position`` on, None where it is the last."""
        bases = self.base_offsets()
        later = bases[bisect.bisect_right(bases, segment.base_offset) :]
        if not later:
            return None
        if segment.size() > position:
            # It may have grown just before the roll; now it is final.
            if segment.take(position, SCAN_BYTES):
                return segment.base_offset, segment, position
            raise CorruptBatch(
                f"{segment.path} does not end with a whole record batch",
                hint="Restore the file from a copy",
                base_offset=segment.next_offset,
                byte_offset=position,
                expected=0,
                found=segment.size() - position,
            )
        if self._segments.pop(segment.base_offset, None):
            segment.close()
        return later[0], self._open(later[0]), 0

    # --- Appending ------------------------------------------------------------------------------------------------------

    def append(self, batches: bytes | bytearray | memoryview) -> int:
        """Append whole batches under the next offsets; return the offset of the first record. Durable after ``flush``."""
        overviews = batches_overview(batches)
        if not overviews or sum(each.batch_bytes for each in overviews) != len(batches) or not all(o.crc_ok for o in overviews):
            raise PeakledgerError(f"{len(batches)} bytes are not whole record batches with the right CRC-32C")
        with self._locked():
            tail = self._writable_tail(len(batches))
            data = bytearray(batches)
            next_offset = first_offset = tail.next_offset
            for each in overviews:
                struct.pack_into(">q", data, each.byte_offset, next_offset)
                next_offset += each.last_offset - each.base_offset + 1
            self._unflushed.add(tail)
            _write_all(tail.file, data)
            tail.grow(len(data), next_offset)
        return first_offset

    def flush(self) -> None:
        """Make everything appended durable."""
        for segment in self._unflushed:
            os.fsync(segment.file)
        for segment in self._unflushed - {self._tail}:
            segment.close()
        self._unflushed.clear()

    def delete_before(self, offset: int) -> None:
        """Delete the segments that hold only records below ``offset``; the last one stays."""
        with self._locked():
            bases = self.base_offsets()
            for base, following in pairwise(bases):
                if following <= offset:
                    (self.directory / f"{base:020d}{SUFFIX}").unlink()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = os.open(self.directory / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _writable_tail(self, more_bytes: int) -> Segment:
        """Return the segment to append to, scanned to its end; a new one where the last would grow too large."""
        last = next(reversed(self.base_offsets()), None)
        if last is None:
            return self._begin_segment(0)
        tail = self._tail
        if tail is None or tail.base_offset != last:
            tail = self._replace_tail(Segment(self.directory, last, os.O_RDWR | os.O_APPEND))
        if tail.size() != tail.scanned_bytes:
            self._cut_torn_end(tail)
            tail.scan()
        if tail.scanned_bytes and tail.scanned_bytes + more_bytes > self._segment_bytes:
            return self._begin_segment(tail.next_offset)
        return tail

    def _begin_segment(self, base_offset: int) -> Segment:
        segment = self._replace_tail(Segment(self.directory, base_offset, os.O_RDWR | os.O_APPEND | os.O_CREAT))
        directory = os.open(self.directory, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return segment

    def _replace_tail(self, segment: Segment) -> Segment:
        if self._tail and self._tail not in self._unflushed:
            self._tail.close()
        self._tail = segment
        return segment

    def _cut_torn_end(self, tail: Segment) -> None:
        """Cut what a writer that died left behind the last whole batch. Only who holds the lock may."""
        with mmap.mmap(tail.file, 0, prot=mmap.PROT_READ) as mapped, memoryview(mapped) as data:
            sound = tail.scanned_bytes + sound_bytes(data[tail.scanned_bytes :])
            found = len(data) - sound
            if found == 0:
                return
            if find_sound_batch(data[sound:]) >= 0:
                raise CorruptBatch(
                    f"{tail.path} is damaged: whole record batches follow what is none",
                    hint="Restore the file from a copy; nothing was appended",
                    base_offset=int.from_bytes(data[sound : sound + 8], "big"),
                    byte_offset=sound,
                    expected=0,
                    found=found,
                )
        log.warning("%s: cut %d bytes from byte %d on, of an append that was not finished", tail.path, found, sound)
        os.ftruncate(tail.file, sound)


def _write_all(file: int, data: bytearray) -> None:
    with memoryview(data) as left:
        written = 0
        while written < len(data):
            written += os.write(file, left[written:])
