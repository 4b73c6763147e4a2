import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger._core import build_batch, walk_batches
from ledger.errors import CorruptBatch, PeakledgerError, PositionLost
from streams.embedded import EmbeddedStream

TOPIC = "payments.events"


def batch(*values):
    return build_batch([(None, b"%d" % value, 1000 + value) for value in values])


def values_from(stream, offset, max_bytes=1 << 20):
    """Read to the end; return (offset, value) of each record."""
    found = []
    while block := stream.read(TOPIC, 0, offset, max_bytes):
        assert block.first_offset == offset < block.next_offset <= block.high_watermark
        found += [(record[0], int(record[3])) for record in walk_batches(block.data, offset)]
        offset = block.next_offset
    return found


@pytest.fixture
def stream(tmp_path):
    with EmbeddedStream(tmp_path) as stream:
        stream.create_topic(TOPIC)
        yield stream


def only_segment(stream):
    (segment,) = (stream.directory / TOPIC / "0").glob("*.batches")
    return segment


def test_offsets_are_assigned_in_order_of_appending(stream):
    assert stream.append(TOPIC, 0, batch(0, 1, 2)) == 0
    assert stream.append(TOPIC, 0, batch(3) + batch(4, 5)) == 3
    assert values_from(stream, 0) == [(number, number) for number in range(6)]
    assert (stream.first_offset(TOPIC, 0), stream.end_offset(TOPIC, 0)) == (0, 6)


def test_golden_bytes_of_a_segment_are_the_batches_with_their_offsets(stream):
    stream.append(TOPIC, 0, batch(0, 1) + batch(2))
    stream.flush()
    records = [(None, b"0", 1000), (None, b"1", 1001)]
    assert only_segment(stream).name == "00000000000000000000.batches"
    assert only_segment(stream).read_bytes() == build_batch(records) + build_batch([(None, b"2", 1002)], base_offset=2)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 30), max_size=20), st.integers(300, 2000), st.integers(1, 5000))
def test_reading_from_any_offset_gives_everything_from_there(tmp_path_factory, sizes, segment_bytes, max_bytes):
    with EmbeddedStream(tmp_path_factory.mktemp("stream"), segment_bytes) as stream:
        stream.create_topic(TOPIC)
        end = 0
        for size in sizes:
            stream.append(TOPIC, 0, batch(*range(end, end + size)))
            end += size
        for offset in range(0, end + 1, 7):
            with EmbeddedStream(stream.directory) as reader:
                assert values_from(reader, offset, max_bytes) == [(number, number) for number in range(offset, end)]


def test_a_reader_follows_over_the_roll_of_a_segment(tmp_path):
    with EmbeddedStream(tmp_path, segment_bytes=200) as writer, EmbeddedStream(tmp_path) as reader:
        writer.create_topic(TOPIC)
        assert reader.read(TOPIC, 0, 0) is None
        for number in range(10):
            writer.append(TOPIC, 0, batch(number))
            assert values_from(reader, number) == [(number, number)]
        writer.flush()
    assert len(list((tmp_path / TOPIC / "0").glob("*.batches"))) == 5


def test_two_writers_take_turns(tmp_path):
    with EmbeddedStream(tmp_path, segment_bytes=300) as one, EmbeddedStream(tmp_path, segment_bytes=300) as other:
        one.create_topic(TOPIC)
        for number in range(0, 20, 2):
            assert one.append(TOPIC, 0, batch(number)) == number
            assert other.append(TOPIC, 0, batch(number + 1)) == number + 1
        assert values_from(one, 0) == [(number, number) for number in range(20)]


def test_waiting_gives_up_after_its_time_and_returns_what_came(stream):
    assert stream.wait(TOPIC, 0, 0, timeout_s=0.01) is None
    stream.append(TOPIC, 0, batch(0))
    assert stream.wait(TOPIC, 0, 0, timeout_s=5).next_offset == 1


def test_an_offset_that_was_deleted_is_lost(tmp_path):
    with EmbeddedStream(tmp_path, segment_bytes=200) as stream:
        stream.create_topic(TOPIC)
        for number in range(10):
            stream.append(TOPIC, 0, batch(number))
        stream.delete_before(TOPIC, 0, 5)
        assert stream.first_offset(TOPIC, 0) == 4
        with pytest.raises(PositionLost) as error:
            stream.read(TOPIC, 0, 3)
        assert error.value.numbers == {"next_offset": 3, "first_offset": 4, "end_offset": 10}
        assert values_from(stream, 4) == [(number, number) for number in range(4, 10)]


def test_a_segment_that_ends_within_a_batch_before_another_segment_is_damaged(tmp_path):
    with EmbeddedStream(tmp_path, segment_bytes=200) as stream:
        stream.create_topic(TOPIC)
        for number in range(4):
            stream.append(TOPIC, 0, batch(number))
        stream.flush()
        first = min((tmp_path / TOPIC / "0").glob("*.batches"))
        first.write_bytes(first.read_bytes()[:-5])
        with pytest.raises(CorruptBatch, match="whole record batch") as error:
            values_from(stream, 0)
        assert error.value.numbers["base_offset"] == 1


def test_an_offset_behind_the_end_is_lost(stream):
    with pytest.raises(PositionLost):
        stream.read(TOPIC, 0, 1)


@pytest.mark.parametrize("kept", [1, 16, 60, 61, -1])
def test_an_append_that_was_torn_is_not_read_and_is_cut_by_the_next_writer(stream, kept, caplog):
    stream.append(TOPIC, 0, batch(0))
    stream.close()
    torn = batch(1)[:kept]
    with only_segment(stream).open("ab") as file:
        file.write(torn)
    assert values_from(stream, 0) == [(0, 0)]
    with EmbeddedStream(stream.directory) as writer:
        assert writer.append(TOPIC, 0, batch(7)) == 1
    assert f"cut {len(torn)} bytes" in caplog.text
    assert values_from(stream, 1) == [(1, 7)]


def test_zeros_that_a_power_cut_left_are_cut_by_the_next_writer(stream):
    stream.append(TOPIC, 0, batch(0))
    stream.close()
    with only_segment(stream).open("ab") as file:
        file.write(bytes(500))
    stream.append(TOPIC, 0, batch(1))
    assert values_from(stream, 0) == [(0, 0), (1, 1)]


def test_damage_before_whole_batches_is_never_cut(stream):
    for number in range(3):
        stream.append(TOPIC, 0, batch(number))
    stream.close()
    damaged = bytearray(only_segment(stream).read_bytes())
    second = len(damaged) // 3
    damaged[second + 65] ^= 1
    only_segment(stream).write_bytes(damaged)
    with pytest.raises(CorruptBatch, match="damaged") as error:
        stream.append(TOPIC, 0, batch(3))
    assert error.value.numbers["byte_offset"] == second
    assert only_segment(stream).read_bytes() == damaged
    with pytest.raises(CorruptBatch, match="CRC-32C"):
        values_from(stream, 0)


def test_a_header_that_is_none_is_handed_on_for_the_walker_to_report(stream):
    stream.append(TOPIC, 0, batch(0) + batch(1))
    stream.close()
    damaged = bytearray(only_segment(stream).read_bytes())
    damaged[len(damaged) // 2 + 16] = 7
    only_segment(stream).write_bytes(damaged)
    block = stream.read(TOPIC, 0, 0)
    assert block.next_offset == 1
    with pytest.raises(CorruptBatch, match="another version"):
        walk_batches(stream.read(TOPIC, 0, 1).data)


def test_only_whole_batches_with_a_right_crc_are_appended(stream):
    for bad in (b"", batch(0)[:-1], bytes(batch(0)[:-1]) + b"\xff"):
        with pytest.raises(PeakledgerError, match="not whole record batches"):
            stream.append(TOPIC, 0, bad)


def test_a_topic_or_partition_that_is_not_there_is_named(stream):
    with pytest.raises(PeakledgerError, match="peakledger topics create --topic nowhere"):
        stream.read("nowhere", 0, 0)
    with pytest.raises(PeakledgerError, match="no partition 3"):
        stream.read(TOPIC, 3, 0)
    with pytest.raises(PeakledgerError, match="cannot have 2"):
        stream.create_topic(TOPIC, 2)
    assert stream.topics() == {TOPIC: 1}


APPEND_FOR_EVER = """
import sys
from ledger._core import build_batch
from streams.embedded import EmbeddedStream
stream = EmbeddedStream(sys.argv[1], 100_000)
print("ready", flush=True)
number = 0
while True:
    stream.append("payments.events", 0, build_batch([(None, b"%d" % n, 0) for n in range(number, number + 50)]))
    number += 50
"""


def test_a_reader_of_a_process_that_is_killed_sees_whole_batches_only(tmp_path):
    with EmbeddedStream(tmp_path) as reader:
        reader.create_topic(TOPIC)
        writer = subprocess.Popen([sys.executable, "-c", APPEND_FOR_EVER, str(tmp_path)], stdout=subprocess.PIPE)
        assert writer.stdout.readline() == b"ready\n"
        found = []
        while len(found) < 5000:
            found += values_from(reader, len(found))
        writer.kill()
        writer.wait()
        writer.stdout.close()
        found += values_from(reader, len(found))
        assert found == [(number, number) for number in range(len(found))]
        assert reader.append(TOPIC, 0, batch(1)) == len(found)


def open_files():
    return {path.name: path.readlink() for path in Path("/proc/self/fd").iterdir() if path.is_symlink()}


def test_closing_leaves_no_file_open(stream):
    before = open_files()
    with EmbeddedStream(stream.directory, segment_bytes=100) as other:
        for number in range(5):
            other.append(TOPIC, 0, batch(number))
        values_from(other, 0)
    assert open_files() == before
