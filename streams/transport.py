"""Receives Kafka's responses into large buffers that are used again, so that record batches reach the core uncopied.

aiokafka reads through a StreamReader, which copies every byte three times. Here each response is received where it stays, and the
record batches in it are handed on as memoryviews.
"""

import asyncio
import struct
import time
from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.protocol.fetch import FetchRequest

SIZE_FIELD = struct.Struct(">i")
SHORT_READ_BYTES = 512
SMALL_FRAME_BYTES = 64 * 1024
BUFFERS_KEPT = 8


class BufferPool:
    """Hands the same memory out again as soon as nothing refers to what was received there.

    Nobody gives anything back: a bytearray refuses to change its size while a view of it lives, and that is asked before each
    reuse. A response may hold the records of several partitions, so only the views themselves know when the last one is done.
    """

    def __init__(self) -> None:
        self._buffers: list[bytearray] = []

    def take(self, size: int) -> memoryview:
        if size <= SMALL_FRAME_BYTES:
            return memoryview(bytearray(size))
        for buffer in self._buffers:
            if len(buffer) >= size and _is_unused(buffer):
                return memoryview(buffer)[:size]
        buffer = bytearray(1 << (size - 1).bit_length())
        self._buffers = [*self._buffers[1 - BUFFERS_KEPT :], buffer]
        return memoryview(buffer)[:size]


def _is_unused(buffer: bytearray) -> bool:
    try:
        last = buffer.pop()
    except BufferError:
        return False
    buffer.append(last)
    return True


class FrameReader:
    """The part of ``io.BytesIO`` that aiokafka's protocol types use; long reads are views, not copies."""

    def __init__(self, frame: memoryview) -> None:
        self._frame = frame
        self._position = 0

    def read(self, size: int) -> bytes | memoryview:
        part = self._frame[self._position : self._position + size]
        self._position += len(part)
        return part if size > SHORT_READ_BYTES else part.tobytes()


class FrameProtocol(asyncio.BufferedProtocol):
    """Cuts the stream of a connection into frames, each received in memory of its own."""

    def __init__(self, connection: "BlockConnection", replaced: Any, buffers: BufferPool) -> None:
        self._connection, self._replaced, self._buffers = connection, replaced, buffers
        self._size_field = memoryview(bytearray(SIZE_FIELD.size))
        self._target, self._filled = self._size_field, 0

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._target[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        self._filled += nbytes
        if self._filled < len(self._target):
            return
        self._filled = 0
        if self._target is self._size_field:
            (size,) = SIZE_FIELD.unpack(self._size_field)
            if size < SIZE_FIELD.size:
                raise ConnectionError(f"Kafka sent a frame of {size} bytes")
            self._target = self._buffers.take(size)
        else:
            frame, self._target = self._target, self._size_field
            self._connection.handle_frame(frame)

    def connection_lost(self, exc: Exception | None) -> None:
        # What aiokafka put here first still tells it whether the connection lives, and ends its writes.
        self._replaced.connection_lost(exc)
        self._connection.close(CloseReason.CONNECTION_BROKEN, exc)

    def pause_writing(self) -> None:
        self._replaced.pause_writing()

    def resume_writing(self) -> None:
        self._replaced.resume_writing()


class BlockConnection(AIOKafkaConnection):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka's connection, from its handshake on with a transport of ours."""

    async def connect(self) -> Any:
        """Connect as aiokafka does, then take the reading over: between two requests, when nothing is under way."""
        streams = await super().connect()
        self._read_task.cancel()
        self._writer.transport.set_protocol(FrameProtocol(self, self._protocol, BufferPool()))
        return streams

    def handle_frame(self, frame: memoryview) -> None:
        """Resolve the request that a response belongs to. Only fetch responses are large; the rest goes aiokafka's way."""
        correlation_id, request, future = self._requests[0]
        if correlation_id is None or request.API_KEY != FetchRequest.API_KEY or future.done():
            self._handle_frame(frame.tobytes())
            return
        reader = FrameReader(frame)
        if request.parse_response_header(reader).correlation_id != correlation_id:
            self._handle_frame(frame.tobytes())
            return
        future.set_result(request.RESPONSE_TYPE.decode(reader))
        self._requests.popleft()
        self._last_action = time.monotonic()


async def connect(host: str, port: int, **settings: Any) -> BlockConnection:
    """What ``aiokafka.conn.create_conn`` does, with our connection."""
    connection = BlockConnection(host, port, **settings)
    await connection.connect()
    return connection
