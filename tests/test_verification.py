"""Checking a whole journal."""

import pytest

from ledger._core import JournalReader, checksum_crc32c
from ledger.errors import JournalDamaged, LedgerNotFound
from ledger.journal import open_journal
from ledger.layouts import FRAME_HEADER, JOURNAL_ENTRY
from ledger.verification import JournalSummary, verify_journal
from tests.entries import openings

ENTRIES = openings(10_000)


@pytest.fixture
def shard(tmp_path):
    """A shard with 10,000 entries in frames of 3,000."""
    journal = open_journal(tmp_path, source="topic/0", segment_bytes=1 << 22)
    for first in range(0, len(ENTRIES), 3000 * 96):
        journal.writer.append_frame(ENTRIES[first : first + 3000 * 96], next_offset=first + 1, applied=1)
    journal.close()
    return tmp_path


def test_a_sound_journal_is_summed_up_and_told_of_on_the_way(shard):
    told = []
    summary = verify_journal(shard, lambda done, total: told.append((done, total)))
    assert summary == JournalSummary(
        segments=1,
        frames=4,
        last_seq=10_000,
        records_consumed=4,
        events_applied=4,
        events_existing=0,
        events_refused=0,
        torn_bytes=0,
    )
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_flipped_bit_is_found_where_it_is(shard):
    segment = shard / "journal" / "0000000001.segment"
    with segment.open("r+b") as file:
        file.seek(4096 + 128 + 500)
        file.write(b"\xff")
    with pytest.raises(JournalDamaged) as raised:
        verify_journal(shard)
    assert (raised.value.numbers["segment"], raised.value.numbers["seq"], raised.value.numbers["byte_offset"]) == (1, 1, 4096)


def test_a_digest_that_is_not_of_the_entries_is_found_although_the_checksum_is_right(shard):
    frame = list(JournalReader(shard / "journal"))[1]
    data = bytearray(frame.data)
    data[FRAME_HEADER.size + frame.entry_count * JOURNAL_ENTRY.size + 8] ^= 1
    data[4:8] = checksum_crc32c(data[8:]).to_bytes(4, "little")
    with (shard / "journal" / "0000000001.segment").open("r+b") as file:
        file.seek(frame.byte_offset)
        file.write(data)
    with pytest.raises(JournalDamaged, match="digests") as raised:
        verify_journal(shard)
    assert raised.value.numbers["seq"] == 3001


def test_where_there_is_no_ledger_the_error_says_so(tmp_path):
    with pytest.raises(LedgerNotFound):
        verify_journal(tmp_path)
