"""Verifying a whole journal finds what the checksums of frames cannot: a frame that is whole and says something wrong."""

from pathlib import Path

import pytest

from ledger._core import JournalReader, checksum_crc32c
from ledger.errors import JournalDamaged, LedgerNotFound
from ledger.layouts import DIGEST_RECORD, FRAME_HEADER, JOURNAL_ENTRY, OUTCOME_RECORD, Layout
from ledger.verify import verify_journal
from tests.journals import ACCOUNTS, append, ledger_entries, make_journal, open_small, plain_digests, segments, transfers_in

ENTRIES = ledger_entries(9000)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    make_journal(tmp_path, ENTRIES, [500, 1, 0, 700])
    return tmp_path


def rewrite(directory: Path, frame_number: int, layout: Layout, offset: int, **changes: int) -> None:
    """Change a record inside a frame and give the frame the checksum that goes with it."""
    frame = next(frame for frame in JournalReader(directory / "journal") if frame.frame_number == frame_number)
    data = bytearray(frame.data)
    data[offset : offset + layout.size] = layout.pack(**layout.unpack(data, offset) | changes)
    data[4:8] = checksum_crc32c(bytes(data[8:])).to_bytes(4, "little")
    with segments(directory / "journal")[frame.segment_number - 1].open("r+b") as file:
        file.seek(frame.byte_offset)
        file.write(data)


def found_by_verify(directory: Path) -> JournalDamaged:
    with pytest.raises(JournalDamaged) as caught:
        verify_journal(directory)
    return caught.value


def test_a_sound_journal_is_counted_and_balanced(directory):
    steps: list[tuple[int, int]] = []
    report = verify_journal(directory, lambda done, total: steps.append((done, total)))
    amount = sum(entry["amount_fen"] for entry in JOURNAL_ENTRY.unpack_all(ENTRIES))
    assert (report.entries, report.accounts, report.outcomes, report.segments) == (
        9000,
        ACCOUNTS,
        0,
        len(segments(directory / "journal")),
    )
    assert report.events_applied == report.records_consumed == transfers_in(ENTRIES)
    assert report.debits_fen == report.credits_fen == amount
    assert report.last_digest == plain_digests(ENTRIES)[-1]
    assert report.torn_tail is None
    assert steps[-1] == (report.journal_bytes, report.journal_bytes)


def test_an_empty_journal_is_sound(tmp_path):
    open_small(tmp_path).close()
    report = verify_journal(tmp_path)
    assert (report.frames, report.entries, report.accounts, report.debits_fen) == (0, 0, 0, 0)


def test_no_ledger_is_not_found(tmp_path):
    with pytest.raises(LedgerNotFound):
        verify_journal(tmp_path)


def test_a_journal_that_is_being_written_can_be_verified(tmp_path):
    journal = open_small(tmp_path)
    for start in range(0, 9000, 450):
        append(journal, ENTRIES[start * 96 : (start + 450) * 96], start + 1)
        durable_seq = journal.writer.durable_seq
        assert verify_journal(tmp_path).entries >= durable_seq
    journal.close()


def test_outcomes_are_counted_by_what_became_of_their_events(tmp_path):
    journal = open_small(tmp_path)
    outcomes = OUTCOME_RECORD.pack(code=1) * 2 + OUTCOME_RECORD.pack(code=36)
    append(journal, ENTRIES[: 96 * 50], outcomes=outcomes, existing=2, refused=1)
    journal.close()
    report = verify_journal(tmp_path)
    assert (report.outcomes, report.events_existing, report.events_refused) == (3, 2, 1)


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("records_consumed", "records consumed"),
        ("ledger_time_ms", "ledger time"),
        ("next_offset", "position in the source"),
    ],
)
def test_a_header_that_goes_back_or_does_not_add_up_is_found(directory, field, message):
    rewrite(directory, 4, FRAME_HEADER, 0, **{field: 1})
    error = found_by_verify(directory)
    assert message in str(error)
    assert error.numbers["seq"] == 502


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"applied": 1}, "applied"),
        ({"existing": 1}, "existing"),
        ({"refused": 1}, "refused"),
    ],
)
def test_a_count_without_its_event_is_found(tmp_path, counts, message):
    journal = open_small(tmp_path)
    append(journal, ENTRIES[: 96 * 50])
    journal.writer.append_frame(b"", **counts)
    journal.close()
    assert message in str(found_by_verify(tmp_path))


def test_a_changed_entry_is_found_by_the_digest_of_its_block(directory):
    rewrite(directory, 4, JOURNAL_ENTRY, FRAME_HEADER.size + 96 * 10, amount_fen=1)
    error = found_by_verify(directory)
    assert "digest of a block" in str(error)
    assert error.numbers["seq"] == 4096


def test_a_changed_digest_is_found(directory):
    frame = next(frame for frame in JournalReader(directory / "journal") if len(frame.digests))
    rewrite(directory, frame.frame_number, DIGEST_RECORD, FRAME_HEADER.size + len(frame.entries), block=7)
    error = found_by_verify(directory)
    assert (error.numbers["expected"], error.numbers["found"]) == (0, 7)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"debit_previous_seq": 3}, "entry before it"),
        ({"credit_previous_seq": 3}, "entry before it"),
        ({"debit_slot": ACCOUNTS}, "cannot name"),
        ({"credit_slot": 2**32 - 1}, "cannot name"),
        ({"debit_slot": 5, "credit_slot": 5}, "cannot name"),
        ({"kind": 99}, "no known kind"),
        ({"amount_fen": 2**64 - 1}, "more than an account can hold"),
    ],
)
def test_an_entry_that_cannot_follow_is_found_at_its_seq(directory, changes, message):
    rewrite(directory, 1, JOURNAL_ENTRY, FRAME_HEADER.size + 96 * 400, **changes)
    error = found_by_verify(directory)
    assert message in str(error)
    assert error.numbers["seq"] == 401
    assert error.numbers["byte_offset"] == 4096


def test_an_account_opened_out_of_turn_is_found(directory):
    rewrite(directory, 1, JOURNAL_ENTRY, FRAME_HEADER.size + 96 * 3, debit_slot=7)
    error = found_by_verify(directory)
    assert error.numbers | {"segment": 1} == {"segment": 1, "seq": 4, "byte_offset": 4096, "expected": 3, "found": 7}
