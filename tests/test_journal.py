"""The journal: what is written is read back, where it ends, what is damaged, who is told."""

import ctypes
import errno
import hashlib
import os
import platform
from pathlib import Path

import pytest

from ledger._core import JournalReader, chain_digests, checksum_crc32c, checksum_sha256, checksum_sha256_portable
from ledger.errors import (
    ConfigurationError,
    FormatVersionMismatch,
    JournalDamaged,
    LedgerNotFound,
    SourceMismatch,
)
from ledger.journal import FrameHeader, RingShape, find_end, open_journal, read_parameters
from ledger.layouts import (
    DIGEST_RECORD,
    FRAME_HEADER,
    JOURNAL_ENTRY,
    OUTCOME_RECORD,
    SEGMENT_HEADER_BYTES,
)
from ledger.parameters import LedgerParameters
from tests.journals import SOURCE, append, ledger_entries, make_journal, open_small, plain_digests, segments, write_frames
from tests.waiting import PATIENCE_S

ENTRIES = ledger_entries(9000)
IO_CALLS = {"x86_64": (206, 207), "aarch64": (0, 1)}  # the numbers of io_setup(2) and io_destroy(2)

GOLDEN_SEGMENT_HEADER = (
    "505345470000000001000000900100000000000000000000000000000000000001000000000000000100000000000000"
    "0100000000000000010000000000000000000400000000000000000000000000e0010000010000000000000000000000"
    "00000000000000000000000000000000000000000000000000000000000000007061796d656e74732e6576656e74732f"
    "30"
)
GOLDEN_FRAME = (
    "4b50464d7e34870f40010000010000000100000000000000040000000000000001000000000000000100000000000000"
    "01000000000000000100000000000000007a4a9a9f010000030000000000000002000000000000000100000000000000"
    "000000000000000001000000000000000000000000000000000000000000000000000000000000000000000000000d01"
    "0000000000000000000000000000000000000000000000000a0000000000000001000000000000000000000000000000"
    "010000000000000000000000ffffffff204e214e02000100010000000000000073737373737373737373737373737373"
    "02000000000000000100000000000000000000000000000000000000040000000d000000000000000000000000000000"
    "676f6c64"
)
GOLDEN_DIGESTS_OF_ZEROS = [
    "13d5db43575ab9609f8da4303caf17b957cd127d08dbde01d3d366e216d90c78",
    "6d3f11b68ae7749306fc9b677f607a525ce288f204fb6eddae883fe5c7b4ccf3",
]


def entries_of(folder: Path) -> bytes:
    return b"".join(bytes(frame.entries) for frame in JournalReader(folder))


def flip(path: Path, byte_offset: int, bit: int = 0) -> None:
    with path.open("r+b") as file:
        file.seek(byte_offset)
        byte = file.read(1)[0]
        file.seek(byte_offset)
        file.write(bytes([byte ^ 1 << bit]))


def test_what_is_written_is_read_back_over_several_segments(tmp_path):
    folder = make_journal(tmp_path, ENTRIES, [1, 0, 999, 1000, 3])
    assert entries_of(folder) == ENTRIES
    assert len(segments(folder)) > 3


@pytest.fixture
def no_asynchronous_writes():
    """The system has no context of io_setup(2) left, as where other programs took them, or a container forbids them."""
    libc, contexts, events = ctypes.CDLL(None, use_errno=True), [], 1 << 15
    setup, destroy = IO_CALLS[platform.machine()]
    while events:
        context = ctypes.c_ulong(0)
        if libc.syscall(setup, events, ctypes.byref(context)) == 0:
            contexts.append(context)
        else:
            assert ctypes.get_errno() == errno.EAGAIN
            events //= 2
    yield
    for context in contexts:
        libc.syscall(destroy, context)


@pytest.mark.usefixtures("no_asynchronous_writes")
def test_without_asynchronous_writes_the_journal_is_the_same(tmp_path):
    folder = make_journal(tmp_path, ENTRIES, [1, 0, 999, 1000, 3])
    assert entries_of(folder) == ENTRIES


def test_a_frame_carries_positions_and_running_counts(tmp_path):
    journal = open_small(tmp_path)
    journal.writer.append_frame(ENTRIES[:960], ledger_time_ms=7, next_offset=11, applied=10)
    journal.writer.append_frame(b"", outcomes=OUTCOME_RECORD.pack(code=1), next_offset=12, existing=1)
    journal.close()
    first, second = JournalReader(tmp_path / "journal")
    assert (first.first_seq, first.entry_count, first.events_applied, first.next_offset) == (1, 10, 10, 11)
    assert (second.first_seq, second.entry_count, second.frame_number) == (11, 0, 2)
    assert (second.ledger_time_ms, second.records_consumed, second.events_existing) == (7, 11, 1)


def test_the_payload_of_a_refused_record_stays_whole(tmp_path):
    journal = open_small(tmp_path)
    outcomes = OUTCOME_RECORD.pack(code=12, payload_bytes=3) + OUTCOME_RECORD.pack(code=15, payload_offset=3, payload_bytes=5)
    journal.writer.append_frame(b"", outcomes=outcomes, payload=b"abcdefgh", refused=2)
    journal.close()
    (frame,) = JournalReader(tmp_path / "journal")
    assert [frame.payload(0), frame.payload(1)] == [b"abc", b"defgh"]
    assert bytes(frame.outcomes) == outcomes
    with pytest.raises(IndexError):
        frame.payload(2)


def test_a_payload_greater_than_a_segment_gets_a_segment_of_its_size(tmp_path):
    payload = os.urandom(1 << 19)
    journal = open_small(tmp_path)
    journal.writer.append_frame(ENTRIES[:960], applied=10)
    journal.writer.append_frame(
        b"", outcomes=OUTCOME_RECORD.pack(code=12, payload_bytes=len(payload)), payload=payload, refused=1
    )
    journal.writer.append_frame(ENTRIES[960:9600], applied=90)
    journal.close()
    frames = list(JournalReader(tmp_path / "journal"))
    assert frames[1].payload(0) == payload
    assert [frame.segment_number for frame in frames] == [1, 2, 3]


def test_a_journal_goes_on_where_it_ended(tmp_path):
    half = 4500 * JOURNAL_ENTRY.size
    make_journal(tmp_path, ENTRIES[:half], [700])
    journal = open_small(tmp_path)
    assert journal.last_frame is not None
    assert (journal.last_frame.last_seq, journal.writer.durable_seq, journal.torn_tail) == (4500, 4500, None)
    write_frames(journal, ENTRIES[half:], [17], first_seq=4501)
    journal.close()
    assert entries_of(tmp_path / "journal") == ENTRIES


def test_digests_are_those_of_plain_sha_256_and_do_not_depend_on_frames_or_restarts(tmp_path):
    half = 4500 * JOURNAL_ENTRY.size
    make_journal(tmp_path / "a", ENTRIES)
    make_journal(tmp_path / "b", ENTRIES[:half], [1, 2, 3])
    journal = open_small(tmp_path / "b")
    write_frames(journal, ENTRIES[half:], [])
    journal.close()
    expected = plain_digests(ENTRIES)
    assert len(expected) == 2
    assert chain_digests(ENTRIES) == expected
    for name in "ab":
        records = [
            record for frame in JournalReader(tmp_path / name / "journal") for record in DIGEST_RECORD.unpack_all(frame.digests)
        ]
        assert [record["digest"] for record in records] == expected
        assert [record["block"] for record in records] == [0, 1]


def test_whoever_waits_for_a_frame_is_told_whether_it_became_durable_in_time(tmp_path):
    journal = open_small(tmp_path)
    frame = append(journal, ENTRIES[:960])
    assert journal.writer.wait_durable(frame, PATIENCE_S)
    assert not journal.writer.wait_durable(frame + 1, 0.01)
    journal.close()


def test_a_follower_sees_frames_as_they_come(tmp_path):
    journal = open_small(tmp_path)
    reader = journal.reader()
    assert reader.next_frame() is None
    for start in range(0, 6000, 600):
        write_frames(journal, ENTRIES[start * 96 : (start + 600) * 96], [], first_seq=start + 1)
        frame = reader.next_frame()
        assert frame is not None
        assert frame.first_seq == start + 1
        assert reader.next_frame() is None
    journal.close()


def test_a_durable_frame_is_in_the_ring_as_in_the_file_until_the_ring_goes_round(tmp_path):
    journal = open_small(tmp_path)
    write_frames(journal, ENTRIES[: 96 * 500], [100] * 5)
    copies = [journal.writer.ring_frame(number) for number in range(1, 6)]
    assert copies[0] is None
    in_file = list(journal.reader())
    for copy, frame in zip(copies[1:], in_file[1:], strict=True):
        assert copy is not None
        assert (copy.data, copy.byte_offset) == (frame.data, frame.byte_offset)
    assert journal.writer.ring_frame(6, 0.01) is None
    journal.close()


def test_up_to_frame_ends_the_reading(tmp_path):
    folder = make_journal(tmp_path, ENTRIES, [10] * 20)
    assert [frame.frame_number for frame in JournalReader(folder, up_to_frame=3)] == [1, 2, 3]


@pytest.mark.parametrize("seq", [1, 2, 700, 701, 702, 4097, 8999, 9000])
def test_seek_seq_goes_to_the_frame_that_holds_it(tmp_path, seq):
    folder = make_journal(tmp_path, ENTRIES, [700, 1, 300])
    reader = JournalReader(folder)
    reader.seek_seq(seq)
    frame = reader.next_frame()
    assert frame.first_seq <= seq < frame.first_seq + frame.entry_count
    reader.seek_frame(frame.frame_number)
    assert reader.next_frame().data == frame.data


def test_seek_behind_the_end_finds_the_end(tmp_path):
    folder = make_journal(tmp_path, ENTRIES[: 96 * 500])
    reader = JournalReader(folder)
    reader.seek_seq(501)
    assert reader.next_frame() is None
    assert reader.position[3] == 501


def test_seek_behind_tells_whether_the_journal_has_a_frame_and_goes_behind_it(tmp_path):
    folder = make_journal(tmp_path, ENTRIES, [700, 1, 300])
    assert len(segments(folder)) > 1
    frames = list(JournalReader(folder))
    crcs = [FRAME_HEADER.unpack(frame.data[: FRAME_HEADER.size])["crc32c"] for frame in frames]
    for number, crc32c in enumerate(crcs, start=1):
        reader = JournalReader(folder)
        for known in (crc32c, 0):
            assert reader.seek_behind(number, known)
            assert reader.last_crc32c == crc32c
            behind = reader.next_frame()
            assert behind.data == frames[number].data if number < len(frames) else behind is None
        assert not reader.seek_behind(number, crc32c ^ 1)
    assert reader.seek_behind(0, 0)
    assert reader.next_frame().data == frames[0].data
    assert not reader.seek_behind(len(frames) + 1, 0)


def test_parameters_are_those_of_the_creation(tmp_path):
    ours = LedgerParameters(utc_offset_minutes=-60, close_after_days=30, future_days=2)
    open_small(tmp_path, parameters=ours).close()
    journal = open_small(tmp_path, parameters=LedgerParameters())
    assert journal.segment.parameters == ours
    journal.close()
    header = read_parameters(tmp_path)
    assert (header.parameters, header.source, header.hash_seed) == (ours, SOURCE, journal.segment.hash_seed)


def test_another_source_is_refused(tmp_path):
    open_small(tmp_path).close()
    with pytest.raises(SourceMismatch) as caught:
        open_small(tmp_path, source="payments.events/1")
    assert caught.value.numbers == {"expected": SOURCE, "found": "payments.events/1"}
    open_small(tmp_path).close()


def test_where_no_ledger_is_there_is_nothing_to_read(tmp_path):
    with pytest.raises(LedgerNotFound):
        read_parameters(tmp_path)
    assert find_end(tmp_path) is None
    assert list(JournalReader(tmp_path)) == []


@pytest.mark.parametrize("segment_bytes", [0, 4096, 100_000])
def test_a_segment_size_that_cannot_be_is_refused(tmp_path, segment_bytes):
    with pytest.raises(ConfigurationError):
        open_small(tmp_path, segment_bytes=segment_bytes)


def test_a_frame_that_is_too_full_is_refused_and_the_writer_goes_on(tmp_path):
    journal = open_small(tmp_path)
    with pytest.raises(ConfigurationError):
        journal.writer.append_frame(ENTRIES[: 96 * 1001])
    write_frames(journal, ENTRIES[: 96 * 1000], [])
    journal.close()
    assert entries_of(tmp_path / "journal") == ENTRIES[: 96 * 1000]


def test_a_torn_tail_is_cut_and_reported(tmp_path):
    folder = make_journal(tmp_path, ENTRIES[: 96 * 700], [300, 300, 100])
    last = list(JournalReader(folder))[-1]
    flip(segments(folder)[0], last.byte_offset + 500)
    journal = open_small(tmp_path)
    torn = journal.torn_tail
    assert torn is not None
    assert (torn.segment, torn.seq, torn.byte_offset) == (1, 601, last.byte_offset)
    assert len(last.data) - 64 < torn.byte_count <= len(last.data)
    write_frames(journal, ENTRIES[96 * 600 : 96 * 700], [], first_seq=601)
    journal.close()
    assert entries_of(folder) == ENTRIES[: 96 * 700]


def test_damage_before_the_last_frame_is_reported_with_its_place(tmp_path):
    folder = make_journal(tmp_path, ENTRIES[: 96 * 700], [300, 300, 100])
    middle = list(JournalReader(folder))[1]
    flip(segments(folder)[0], middle.byte_offset + 500)
    with pytest.raises(JournalDamaged) as caught:
        open_small(tmp_path)
    assert caught.value.numbers["segment"] == 1
    assert caught.value.numbers["seq"] == 301
    assert caught.value.numbers["byte_offset"] == middle.byte_offset
    header = FRAME_HEADER.unpack(middle.data)
    assert caught.value.numbers["expected"] == header["crc32c"] != caught.value.numbers["found"]


def test_damage_at_the_end_of_a_segment_that_is_not_the_last_is_no_torn_tail(tmp_path):
    folder = make_journal(tmp_path, ENTRIES)
    last_of_first = [frame for frame in JournalReader(folder) if frame.segment_number == 1][-1]
    flip(segments(folder)[0], last_of_first.byte_offset + 3)
    with pytest.raises(JournalDamaged) as caught:
        entries_of(folder)
    assert caught.value.numbers["byte_offset"] == last_of_first.byte_offset


def test_a_missing_segment_is_damage(tmp_path):
    folder = make_journal(tmp_path, ENTRIES)
    segments(folder)[1].unlink()
    with pytest.raises(JournalDamaged) as caught:
        open_small(tmp_path)
    assert caught.value.numbers["segment"] == 2


def test_a_segment_that_lost_its_end_is_damage(tmp_path):
    folder = make_journal(tmp_path, ENTRIES)
    os.truncate(segments(folder)[-1], 100_000)
    with pytest.raises(JournalDamaged) as caught:
        open_small(tmp_path)
    assert (caught.value.numbers["expected"], caught.value.numbers["found"]) == (1 << 18, 100_000)


def test_another_format_version_is_refused(tmp_path):
    folder = make_journal(tmp_path, ENTRIES[:96])
    (path,) = segments(folder)
    header = bytearray(path.read_bytes()[:SEGMENT_HEADER_BYTES])
    header[8:12] = (99).to_bytes(4, "little")
    header[4:8] = checksum_crc32c(bytes(header[8:])).to_bytes(4, "little")
    with path.open("r+b") as file:
        file.write(header)
    with pytest.raises(FormatVersionMismatch) as caught:
        open_small(tmp_path)
    assert (caught.value.numbers["expected"], caught.value.numbers["found"]) == (1, 99)


def test_a_gap_in_the_ring_does_not_stop_a_writer_of_many_frames(tmp_path):
    journal = open_small(tmp_path, ring=RingShape(frames=2, entries=10, outcomes=10, payload_bytes=100))
    write_frames(journal, ENTRIES[: 96 * 3000], [10] * 300)
    journal.close()
    assert entries_of(tmp_path / "journal") == ENTRIES[: 96 * 3000]


def test_a_standard_frame_is_about_a_mebibyte(tmp_path):
    shape = RingShape()
    assert 0.95 < (shape.entries * JOURNAL_ENTRY.size + FRAME_HEADER.size) / (1 << 20) < 1
    journal = open_journal(tmp_path, source=SOURCE, segment_bytes=4 << 20)
    journal.writer.append_frame(ledger_entries(20) + bytes(JOURNAL_ENTRY.size) * (shape.entries - 20))
    journal.close()


def test_the_bytes_of_a_segment_are_golden(tmp_path):
    journal = open_small(tmp_path)
    outcome = OUTCOME_RECORD.pack(code=13, payload_bytes=4, source_offset=2, seq=1, serial=b"s" * 16)
    journal.writer.append_frame(
        ENTRIES[:96], outcomes=outcome, payload=b"gold", ledger_time_ms=1_785_000_000_000, next_offset=3, applied=1, refused=1
    )
    journal.close()
    data = segments(tmp_path / "journal")[0].read_bytes()
    # The id and the seed differ from ledger to ledger, and with them the checksum over the header.
    header = data[:4] + bytes(4) + data[8:16] + bytes(16) + data[32:120] + bytes(8) + data[128:256]
    assert header.rstrip(b"\0").hex() == GOLDEN_SEGMENT_HEADER
    assert data[4:8] == checksum_crc32c(data[8:SEGMENT_HEADER_BYTES]).to_bytes(4, "little")
    assert data[SEGMENT_HEADER_BYTES:].rstrip(b"\0").hex() == GOLDEN_FRAME


@pytest.mark.parametrize("length", [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 3073])
def test_sha_256_is_that_of_hashlib(length):
    data = ENTRIES[:length]
    assert checksum_sha256(data) == checksum_sha256_portable(data) == hashlib.sha256(data).digest()


def test_the_digests_are_golden():
    assert [digest.hex() for digest in chain_digests(bytes(2 * 4096 * 96))] == GOLDEN_DIGESTS_OF_ZEROS


def test_the_last_frame_is_found_behind_segments_without_frames(tmp_path):
    folder = make_journal(tmp_path, ENTRIES[: 96 * 700], [300, 300, 100])
    end = find_end(folder)
    assert end is not None
    assert end.last_frame is not None
    assert FrameHeader.unpack(end.last_frame).last_seq == 700
    assert end.block_entries == ENTRIES[: 96 * 700]
