"""Record batches in plain Python: what the core's walker and builder are held against. Reads like the format's specification."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

HEADER = struct.Struct(">qiibIhiqqqhii")
CRC_AT = 17
ATTRIBUTES_AT = 21

Record = tuple[int, int, bytes | None, bytes | None]
Headers = Sequence[tuple[bytes, bytes | None]]


class Malformed(Exception):
    """The bytes are no record."""


def crc_of_byte(state: int) -> int:
    for _ in range(8):
        state = state >> 1 ^ 0x82F63B78 if state & 1 else state >> 1
    return state


CRC_TABLE = [crc_of_byte(byte) for byte in range(256)]


def crc32c(data: bytes) -> int:
    state = 0xFFFFFFFF
    for byte in data:
        state = CRC_TABLE[(state ^ byte) & 0xFF] ^ state >> 8
    return state ^ 0xFFFFFFFF


def varint(number: int) -> bytes:
    bits = number << 1 if number >= 0 else (-number << 1) - 1
    encoded = bytearray()
    while bits >= 0x80:
        encoded.append(bits & 0x7F | 0x80)
        bits >>= 7
    encoded.append(bits)
    return bytes(encoded)


def sized(data: bytes | None) -> bytes:
    return varint(-1) if data is None else varint(len(data)) + data


def encode_record(delta: int, timestamp_delta: int, key: bytes | None, value: bytes | None, headers: Headers = ()) -> bytes:
    body = b"\0" + varint(timestamp_delta) + varint(delta) + sized(key) + sized(value) + varint(len(headers))
    body += b"".join(sized(name) + sized(content) for name, content in headers)
    return varint(len(body)) + body


def with_right_crc(batch: bytes) -> bytes:
    return batch[:CRC_AT] + struct.pack(">I", crc32c(batch[ATTRIBUTES_AT:])) + batch[ATTRIBUTES_AT:]


def encode_batch(
    records: Sequence[Record],
    *,
    attributes: int = 0,
    base_offset: int | None = None,
    last_offset: int | None = None,
    max_timestamp_ms: int | None = None,
    headers: Headers = (),
    producer: tuple[int, int, int] = (-1, -1, -1),
) -> bytes:
    """Return one batch of ``(offset, timestamp_ms, key, value)``; offsets may have gaps, as compaction leaves them."""
    base = records[0][0] if base_offset is None else base_offset
    last = records[-1][0] if last_offset is None else last_offset
    first_ms = records[0][1] if records else 0
    max_ms = max((record[1] for record in records), default=0) if max_timestamp_ms is None else max_timestamp_ms
    body = b"".join(encode_record(offset - base, ms - first_ms, key, value, headers) for offset, ms, key, value in records)
    header = HEADER.pack(
        base, HEADER.size - 12 + len(body), -1, 2, 0, attributes, last - base, first_ms, max_ms, *producer, len(records)
    )
    return with_right_crc(header + body)


class Reader:
    """Takes a record apart; raises Malformed where it does not fit."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise Malformed
        self.at += count
        return self.data[self.at - count : self.at]

    def varint(self) -> int:
        bits = 0
        for shift in range(0, 70, 7):
            byte = self.take(1)[0]
            bits |= (byte & 0x7F) << shift
            if byte < 0x80:
                bits &= 2**64 - 1
                return bits >> 1 if bits % 2 == 0 else -(bits >> 1) - 1
        raise Malformed

    def sized(self) -> bytes | None:
        size = self.varint()
        return None if size == -1 else self.take(size)

    def record(self) -> tuple[int, int, bytes | None, bytes | None]:
        body = Reader(self.take(self.varint()))
        body.take(1)
        timestamp_delta, delta, key, value = body.varint(), body.varint(), body.sized(), body.sized()
        count = body.varint()
        if count < 0:
            raise Malformed
        for _ in range(count):
            if body.sized() is None:
                raise Malformed
            body.sized()
        if body.at != len(body.data):
            raise Malformed
        return delta, timestamp_delta, key, value


@dataclass(frozen=True)
class Stop:
    """Where a walk stops before the end of the data, and a word of why."""

    reason: str
    base_offset: int
    byte_offset: int


class Batch:
    """The batch at the head of some bytes; ``problem`` says what is wrong with it as a whole."""

    def __init__(self, data: bytes) -> None:
        self.base_offset = int.from_bytes(data[:8], "big", signed=True) if len(data) >= 8 else -1
        self.problem = ""
        if len(data) > 16 and data[16] != 2:
            self.problem = "another version"
        elif len(data) < HEADER.size:
            self.problem = "ends before"
        else:
            self.read_header(data)

    def read_header(self, data: bytes) -> None:
        _, length, _, _, crc, attributes, self.last_delta, base_ms, max_ms, *_, self.count = HEADER.unpack_from(data)
        self.data = data[: length + 12]
        self.control = bool(attributes & 0x20)
        self.append_time = bool(attributes & 0x08)
        self.timestamp_ms = max_ms if self.append_time else base_ms
        if length + 12 < HEADER.size:
            self.problem = "malformed"
        elif length + 12 > len(data):
            self.problem = "ends before"
        elif crc32c(self.data[ATTRIBUTES_AT:]) != crc:
            self.problem = "CRC-32C"
        elif min(self.count, self.last_delta, self.base_offset) < 0 or self.base_offset + self.last_delta >= 2**63 - 1:
            self.problem = "malformed"
        elif attributes & 0x07 and not self.control:
            self.problem = "compressed"

    def records(self) -> Iterator[Record | None]:
        """Yield the records, and None at the end where the next is none or bytes are left."""
        reader = Reader(self.data)
        reader.at = HEADER.size
        previous = -1
        for _ in range(self.count):
            try:
                delta, timestamp_delta, key, value = reader.record()
            except Malformed:
                delta = -1
            if not previous < delta <= self.last_delta:
                yield None
                return
            previous = delta
            timestamp_ms = self.timestamp_ms + (0 if self.append_time else timestamp_delta)
            yield self.base_offset + delta, (timestamp_ms + 2**63) % 2**64 - 2**63, key, value
        if reader.at != len(self.data):
            yield None


def walk(data: bytes, first_offset: int = 0) -> Iterator[Record | Stop]:
    """Yield ``(offset, timestamp_ms, key, value)`` of each record, and a ``Stop`` at the end where the data is not sound."""
    at = 0
    while at < len(data):
        batch = Batch(data[at:])
        if batch.problem:
            yield Stop(batch.problem, batch.base_offset, at)
            return
        for record in () if batch.control else batch.records():
            if record is None:
                yield Stop("malformed", batch.base_offset, at)
                return
            if record[0] >= first_offset:
                yield record
        at += len(batch.data)
