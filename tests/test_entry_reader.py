"""Single entries by seq, and the index that makes them quick to find."""

import pytest

from ledger._core import EntryReader, index_segment
from ledger.layouts import FRAME_PLACE, INDEX_HEADER
from tests.journals import ledger_entries, make_journal, open_small, segments, write_frames

ENTRIES = ledger_entries(9000)


def entry(seq: int) -> bytes:
    return ENTRIES[(seq - 1) * 96 : seq * 96]


@pytest.fixture
def folder(tmp_path):
    return make_journal(tmp_path, ENTRIES, [1, 0, 0, 700, 3])


def test_every_entry_is_found_by_its_seq(folder):
    reader = EntryReader(folder)
    assert all(reader.read_entry(seq) == entry(seq) for seq in [*range(1, 9001, 13), 9000, 1, 2, 701, 702])
    assert [reader.read_entry(seq) for seq in (0, 9001, 2**63)] == [None] * 3


def test_a_read_takes_little_more_than_the_entry(folder):
    for path in segments(folder)[:-1]:
        index_segment(folder, int(path.stem))
    reader = EntryReader(folder)
    reader.read_entry(4000)
    bytes_to_open = reader.bytes_read
    for seq in range(1, 7000, 10):
        reader.read_entry(seq)
    assert reader.reads == 701
    assert (reader.bytes_read - bytes_to_open) / 700 < 500


def test_the_entries_of_a_live_journal_are_found_as_they_become_durable(tmp_path):
    journal = open_small(tmp_path)
    reader = EntryReader(tmp_path / "journal")
    for start in range(0, 6000, 600):
        assert reader.read_entry(start + 1) is None
        write_frames(journal, ENTRIES[start * 96 : (start + 600) * 96], [], first_seq=start + 1)
        assert reader.read_entry(start + 1) == entry(start + 1)
        assert reader.read_entry(start + 600) == entry(start + 600)
    journal.close()


def test_an_index_tells_the_place_of_every_frame(folder):
    index_segment(folder, 1)
    data = (folder / "0000000001.index").read_bytes()
    header = INDEX_HEADER.unpack(data)
    places = list(FRAME_PLACE.unpack_all(data[INDEX_HEADER.size :]))
    assert header["frame_count"] == len(places)
    assert [place["first_seq"] for place in places[:5]] == [1, 2, 2, 2, 702]
    assert places[0]["byte_offset"] == 4096


def test_the_last_segment_has_an_index_of_the_frames_up_to_what_was_asked_for(tmp_path):
    journal = open_small(tmp_path, segment_bytes=1 << 20)
    write_frames(journal, ENTRIES[: 3000 * 96], [10] * 300)
    folder = tmp_path / "journal"
    first = EntryReader(folder)
    assert first.read_entry(2005) == entry(2005)
    header = INDEX_HEADER.unpack((folder / "0000000001.index").read_bytes())
    assert (header["frame_count"], header["segment_end"]) == (201, 0)
    second = EntryReader(folder)
    assert [second.read_entry(seq) for seq in (2005, 5, 2500, 3000)] == [entry(seq) for seq in (2005, 5, 2500, 3000)]
    assert second.bytes_read < first.bytes_read
    assert INDEX_HEADER.unpack((folder / "0000000001.index").read_bytes())["frame_count"] == 300
    journal.close()


def test_the_index_of_a_segment_that_was_the_last_is_made_anew_when_it_is_complete(tmp_path):
    journal = open_small(tmp_path)
    write_frames(journal, ENTRIES[: 1000 * 96], [10] * 100)
    assert EntryReader(tmp_path / "journal").read_entry(900) == entry(900)
    write_frames(journal, ENTRIES[1000 * 96 : 6000 * 96], [], first_seq=1001)
    journal.close()
    assert all(EntryReader(tmp_path / "journal").read_entry(seq) == entry(seq) for seq in (1, 999, 1500, 2500))
    assert INDEX_HEADER.unpack((tmp_path / "journal" / "0000000001.index").read_bytes())["segment_end"] > 0


def test_asking_for_what_is_not_there_yet_writes_no_index(tmp_path):
    journal = open_small(tmp_path, segment_bytes=1 << 20)
    write_frames(journal, ENTRIES[: 1000 * 96], [10] * 100)
    assert EntryReader(tmp_path / "journal").read_entry(1001) is None
    assert not list((tmp_path / "journal").glob("*.index"))
    journal.close()


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "gone"])
def test_an_index_that_does_not_fit_is_made_anew(folder, damage):
    index_segment(folder, 1)
    path = folder / "0000000001.index"
    whole = path.read_bytes()
    wrong = {"flipped": whole[:70] + bytes([whole[70] ^ 1]) + whole[71:], "cut": whole[:-16], "empty": b""}
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(wrong[damage])
    assert EntryReader(folder).read_entry(300) == entry(300)
    assert path.read_bytes() == whole
