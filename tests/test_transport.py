"""Frames are cut from the stream wherever the network cuts it, and memory in use is never received into."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from streams.transport import SMALL_FRAME_BYTES, BufferPool, FrameProtocol, FrameReader


class Frames:
    """Keeps the frames that a protocol hands over, as a connection would."""

    def __init__(self) -> None:
        self.kept: list[memoryview] = []

    def handle_frame(self, frame: memoryview) -> None:
        self.kept.append(frame)


def feed(protocol: FrameProtocol, stream: bytes, chunk_bytes: list[int]) -> None:
    sizes = iter(chunk_bytes)
    while stream:
        target = protocol.get_buffer(-1)
        count = min(next(sizes, len(stream)), len(target), len(stream))
        target[:count] = stream[:count]
        protocol.buffer_updated(count)
        stream = stream[count:]


@given(
    st.lists(st.integers(4, 300) | st.integers(SMALL_FRAME_BYTES - 2, SMALL_FRAME_BYTES * 3), min_size=1, max_size=12),
    st.lists(st.integers(1, SMALL_FRAME_BYTES), max_size=40),
)
def test_frames_kept_to_the_end_hold_what_was_sent_however_the_stream_was_cut(sizes, chunk_bytes):
    bodies = [bytes([number]) * size for number, size in enumerate(sizes)]
    frames = Frames()
    feed(FrameProtocol(frames, None, BufferPool()), b"".join(struct.pack(">i", len(body)) + body for body in bodies), chunk_bytes)
    assert [frame.tobytes() for frame in frames.kept] == bodies


def test_memory_is_used_again_once_the_last_view_of_it_is_gone():
    pool = BufferPool()
    first = pool.take(SMALL_FRAME_BYTES + 1)
    part = first[10:20]
    assert pool.take(SMALL_FRAME_BYTES + 1).obj is not first.obj
    memory = id(first.obj)
    del first
    assert id(pool.take(SMALL_FRAME_BYTES + 1).obj) != memory, "a part of the memory is still in use"
    del part
    assert id(pool.take(SMALL_FRAME_BYTES + 1).obj) == memory


def test_long_reads_are_views_and_short_ones_are_bytes():
    frame = memoryview(bytes(range(256)) * 8)
    reader = FrameReader(frame)
    assert reader.read(4) == bytes(range(4))
    long = reader.read(1024)
    assert isinstance(long, memoryview) and long.obj is frame.obj and long == frame[4:1028]
    assert len(reader.read(4096)) == len(frame) - 1028
