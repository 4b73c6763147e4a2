"""Who may write: epochs, locks and take-over, within one process. Real processes are in tests/faults."""

import os

import pytest

from ledger.errors import Fenced, FormatVersionMismatch, JournalDamaged, LedgerLocked
from ledger.journal import find_end
from ledger.layouts import OWNER_RECORD
from ledger.ownership import Ownership, read_owner
from tests.journals import append, ledger_entries, make_journal, open_small, segments, write_frames
from tests.waiting import PATIENCE_S

ENTRIES = ledger_entries(600)


def test_every_writer_has_an_epoch_of_its_own(tmp_path):
    assert read_owner(tmp_path) is None
    for epoch in (1, 2, 3):
        with Ownership.take(tmp_path) as ownership:
            assert (ownership.epoch, ownership.is_alone) == (epoch, True)
            owner = read_owner(tmp_path)
            assert owner is not None
            assert (owner.epoch, owner.pid) == (epoch, os.getpid())
    assert [path.name for path in tmp_path.glob("lock.*")] == ["lock.3"]


def test_a_second_writer_is_refused_at_once_and_told_who_holds_the_ledger(tmp_path):
    with Ownership.take(tmp_path), pytest.raises(LedgerLocked) as caught:
        Ownership.take(tmp_path)
    assert caught.value.numbers["pid"] == os.getpid()
    assert caught.value.numbers["epoch"] == 1
    assert caught.value.numbers["host"]


def test_a_take_over_finds_a_released_ledger_without_waiting(tmp_path):
    Ownership.take(tmp_path).release()
    with Ownership.take(tmp_path, takeover_after_s=60) as ownership:
        assert ownership.is_alone


def test_a_take_over_leaves_the_earlier_writer_fenced_and_its_segment_as_it_is(tmp_path):
    earlier = open_small(tmp_path)
    write_frames(earlier, ENTRIES[: 96 * 300], [100])
    later = open_small(tmp_path, takeover_after_s=0.05)
    assert later.last_frame is not None
    assert later.last_frame.last_seq == 300
    with pytest.raises(Fenced) as caught:
        earlier.writer.wait_durable(append(earlier, ENTRIES[96 * 300 : 96 * 310], 301), PATIENCE_S)
    assert caught.value.numbers == {"epoch": 1, "found": 2}
    assert earlier.writer.durable_seq == 300
    write_frames(later, ENTRIES[96 * 300 :], [], first_seq=301)
    later.close()
    with pytest.raises(Fenced):
        earlier.close()
    assert len(segments(tmp_path / "journal")) == 2
    end = find_end(tmp_path / "journal")
    assert end is not None
    assert end.block_entries == ENTRIES


def test_a_writer_that_has_nothing_to_write_learns_that_it_was_taken_over(tmp_path):
    earlier = open_small(tmp_path)
    earlier.writer.check()
    later = open_small(tmp_path, takeover_after_s=0)
    with pytest.raises(Fenced):
        earlier.writer.check()
    earlier.close()
    later.close()


def test_while_an_earlier_writer_lives_every_writer_begins_a_segment_of_its_own(tmp_path):
    earlier = open_small(tmp_path)
    for count in (1, 2, 3):
        open_small(tmp_path, takeover_after_s=0).close()
        assert len(segments(tmp_path / "journal")) == 1 + count
    with pytest.raises(Fenced):
        append(earlier, ENTRIES)
        earlier.writer.wait_durable(1, PATIENCE_S)
    with pytest.raises(Fenced):
        earlier.close()
    open_small(tmp_path).close()
    assert len(segments(tmp_path / "journal")) == 4
    journal = open_small(tmp_path)
    write_frames(journal, ENTRIES, [])
    journal.close()
    assert open_small(tmp_path).last_frame is not None


def test_bytes_that_a_fenced_writer_left_behind_the_end_do_not_count(tmp_path):
    earlier = open_small(tmp_path)
    write_frames(earlier, ENTRIES[: 96 * 300], [])
    content = segments(tmp_path / "journal")[0].read_bytes()
    later = open_small(tmp_path, takeover_after_s=0)
    end = 4096 + 128 + 300 * 96 + 32
    # What a write that was under way when its writer was stopped looks like: the frame that would have come next.
    zombie = make_journal(tmp_path / "zombie", ENTRIES[: 96 * 300])
    zombie_journal = open_small(tmp_path / "zombie")
    write_frames(zombie_journal, ENTRIES[96 * 300 : 96 * 350], [], first_seq=301)
    zombie_journal.close()
    late = segments(zombie)[0].read_bytes()[end:]
    segments(tmp_path / "journal")[0].write_bytes(content[:end] + late)
    write_frames(later, ENTRIES[96 * 300 :], [50], first_seq=301)
    later.close()
    found = find_end(tmp_path / "journal")
    assert found is not None
    assert found.block_entries == ENTRIES
    with pytest.raises(Fenced):
        append(earlier, ENTRIES[96 * 300 :], 301)
        earlier.close()


def test_a_lost_owner_file_is_made_anew_above_the_epochs_of_the_journal(tmp_path):
    for _ in range(3):
        open_small(tmp_path).close()
    journal = open_small(tmp_path)
    write_frames(journal, ENTRIES, [])
    journal.close()
    (tmp_path / "owner").unlink()
    journal = open_small(tmp_path)
    assert journal.ownership.epoch == 5
    journal.close()


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", JournalDamaged),
        (bytes(OWNER_RECORD.size), JournalDamaged),
        (OWNER_RECORD.pack(magic=0x4E574F50, format_version=9), FormatVersionMismatch),
    ],
)
def test_an_owner_file_that_cannot_be_is_refused(tmp_path, content, error):
    (tmp_path / "owner").write_bytes(content)
    with pytest.raises(error):
        Ownership.take(tmp_path)


def test_a_second_release_closes_nothing_that_is_opened_meanwhile(tmp_path):
    ownership = Ownership.take(tmp_path)
    ownership.release()
    with (tmp_path / "other").open("wb") as other:
        ownership.release()
        other.write(b"still open")
