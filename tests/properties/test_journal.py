"""The journal under random framing, damage and truncation: what it gives back is what was written, or it says that it is not."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger._core import EntryReader, JournalReader, checksum_crc32c, checksum_sha256, checksum_sha256_portable
from ledger.errors import FormatVersionMismatch, JournalDamaged
from ledger.journal import find_end
from ledger.layouts import DIGEST_RECORD, FRAME_HEADER, JOURNAL_ENTRY, OUTCOME_RECORD, SEGMENT_HEADER_BYTES
from tests.fuzz import journal as fuzz_journal
from tests.journals import append, ledger_entries, make_journal, open_small, plain_digests, segments, write_frames

FEW = settings(deadline=None, max_examples=15)
SOME = settings(deadline=None, max_examples=100)
ENTRIES = ledger_entries(9000)
DIGESTS = plain_digests(ENTRIES)
SHORT = ledger_entries(1500)
SHORT_SEGMENT_BYTES = 1 << 16


@contextmanager
def scratch() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="journal-"))
    try:
        yield path
    finally:
        shutil.rmtree(path)


@pytest.fixture(scope="module")
def short_journal(tmp_path_factory):
    """Three segments of small frames, and what each frame holds."""
    directory = tmp_path_factory.mktemp("short")
    journal = open_small(directory, segment_bytes=SHORT_SEGMENT_BYTES)
    outcome = OUTCOME_RECORD.pack(code=12, payload_bytes=200)
    for start in range(0, 1500, 75):
        append(journal, SHORT[start * 96 : (start + 75) * 96], start + 1, outcomes=outcome, payload=bytes(range(200)), refused=1)
    journal.close()
    return directory / "journal"


def copy_of(folder: Path, directory: Path) -> Path:
    return Path(shutil.copytree(folder, directory / "journal"))


@FEW
@given(sizes=st.lists(st.integers(0, 1000), max_size=25), restart_at=st.integers(0, 9000))
def test_framing_and_restarts_change_neither_entries_nor_digests(sizes, restart_at):
    with scratch() as directory:
        make_journal(directory, ENTRIES[: restart_at * 96], sizes)
        journal = open_small(directory)
        if restart_at < 9000:
            write_frames(journal, ENTRIES[restart_at * 96 :], sizes[::-1], first_seq=restart_at + 1)
        journal.close()
        frames = list(JournalReader(directory / "journal"))
        assert b"".join(bytes(frame.entries) for frame in frames) == ENTRIES
        assert [record["digest"] for frame in frames for record in DIGEST_RECORD.unpack_all(frame.digests)] == DIGESTS
        reader = EntryReader(directory / "journal")
        assert all(reader.read_entry(seq) == ENTRIES[(seq - 1) * 96 : seq * 96] for seq in range(1, 9001, 997))


@SOME
@given(data=st.data())
def test_a_flipped_bit_is_found_or_cuts_the_last_frame(short_journal, data):
    with scratch() as directory:
        folder = copy_of(short_journal, directory)
        frames = list(JournalReader(folder))
        paths = segments(folder)
        number = data.draw(st.integers(1, len(paths)), "segment")
        end = max(frame.byte_offset + len(frame.data) for frame in frames if frame.segment_number == number)
        position = data.draw(st.integers(0, end - 1), "byte_offset")
        content = bytearray(paths[number - 1].read_bytes())
        content[position] ^= 1 << data.draw(st.integers(0, 7), "bit")
        paths[number - 1].write_bytes(content)
        try:
            found = list(JournalReader(folder))
        except (JournalDamaged, FormatVersionMismatch) as error:
            assert error.numbers["expected"] != error.numbers["found"]
            return
        assert [frame.data for frame in found] == [frame.data for frame in frames[:-1]]
        end_found = find_end(folder)
        assert end_found.torn_tail.byte_offset == frames[-1].byte_offset


@SOME
@given(data=st.data())
def test_a_tail_cut_anywhere_is_torn_back_to_the_last_whole_frame(short_journal, data):
    with scratch() as directory:
        folder = copy_of(short_journal, directory)
        frames = list(JournalReader(folder))
        last = segments(folder)[-1]
        in_last = [frame for frame in frames if frame.segment_number == len(segments(folder))]
        end = in_last[-1].byte_offset + len(in_last[-1].data)
        cut = data.draw(st.integers(SEGMENT_HEADER_BYTES, end), "cut")
        content = last.read_bytes()
        last.write_bytes(content[:cut] + bytes(len(content) - cut))
        whole = [
            frame.data for frame in frames if frame not in in_last or frame.byte_offset + len(frame.data.rstrip(b"\0")) <= cut
        ]
        assert [frame.data for frame in JournalReader(folder)] == whole
        journal = open_small(directory, segment_bytes=SHORT_SEGMENT_BYTES)
        next_seq = journal.writer.durable_seq + 1
        write_frames(journal, SHORT[(next_seq - 1) * 96 :] or ledger_entries(1), [], first_seq=next_seq)
        journal.close()
        entries = b"".join(bytes(frame.entries) for frame in JournalReader(folder))
        assert entries[: len(SHORT)] == SHORT


@SOME
@given(length=st.integers(0, SHORT_SEGMENT_BYTES - 1), which=st.integers(0, 2))
def test_a_segment_file_that_is_too_short_is_damage(short_journal, length, which):
    with scratch() as directory:
        folder = copy_of(short_journal, directory)
        path = segments(folder)[which]
        path.write_bytes(path.read_bytes()[:length])
        with pytest.raises(JournalDamaged):
            list(JournalReader(folder))


@SOME
@given(patches=st.lists(st.tuples(st.integers(0, 127), st.integers(0, 255)), min_size=1, max_size=8), which=st.integers(0, 19))
def test_a_frame_with_a_right_checksum_over_wrong_fields_does_not_lead_the_reader_astray(short_journal, patches, which):
    with scratch() as directory:
        folder = copy_of(short_journal, directory)
        frames = list(JournalReader(folder))
        frame = frames[which]
        path = segments(folder)[frame.segment_number - 1]
        patched = bytearray(frame.data)
        for position, value in patches:
            patched[position] = value
        length = min(max(FRAME_HEADER.unpack(patched)["frame_bytes"], 8), len(patched))
        patched[4:8] = checksum_crc32c(bytes(patched[8:length])).to_bytes(4, "little")
        with path.open("r+b") as file:
            file.seek(frame.byte_offset)
            file.write(patched)
        try:
            for found in JournalReader(folder):
                assert [len(found.payload(index)) for index in range(found.outcome_count)] == [200] * found.outcome_count
                assert len(found.entries) == found.entry_count * JOURNAL_ENTRY.size
        except JournalDamaged:
            pass


@SOME
@given(content=st.binary(max_size=3000), header=st.booleans())
def test_random_bytes_are_no_journal_and_no_crash(short_journal, content, header):
    with scratch() as directory:
        folder = directory / "journal"
        folder.mkdir()
        start = segments(short_journal)[0].read_bytes()[:SEGMENT_HEADER_BYTES] if header else b""
        (folder / "0000000001.segment").write_bytes((start + content).ljust(SHORT_SEGMENT_BYTES, b"\0"))
        try:
            assert list(JournalReader(folder)) == []
        except JournalDamaged as error:
            assert error.numbers["segment"] == 1


@SOME
@given(data=st.binary(max_size=400))
def test_the_two_implementations_of_sha_256_agree(data):
    assert checksum_sha256(data) == checksum_sha256_portable(data)


@SOME
@given(data=st.binary(max_size=60))
def test_the_core_reads_what_plain_python_reads(data):
    fuzz_journal.check(data)


@SOME
@given(patches=st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 255)), max_size=6), put_right=st.booleans())
def test_the_core_reads_a_patched_journal_as_plain_python_does(patches, put_right):
    places = b"".join((SEGMENT_HEADER_BYTES + place).to_bytes(2, "little") + bytes([value]) for place, value in patches)
    fuzz_journal.check(bytes([put_right]) + places)
