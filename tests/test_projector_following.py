"""The projector behind a journal's writer: from the ring, from the files, until it is closed."""

import pytest

from ledger._core import JournalReader, Projector
from ledger.errors import Fenced
from ledger.journal import RingShape, open_journal
from ledger.projections.balances import BalanceReader
from tests.entries import openings, transfer
from tests.waiting import PATIENCE_S, wait_until

RING = RingShape(frames=2, entries=1000)
HOUSEHOLDS = 100
MANY_ACCOUNTS = 100_000


@pytest.fixture
def journal(tmp_path):
    journal = open_journal(tmp_path, source="topic/0", segment_bytes=1 << 20, ring=RING)
    yield journal
    journal.close()


def make(journal, epoch=None):
    projector = Projector(journal.directory, journal.segment.ledger_id, epoch or journal.ownership.epoch, 10_000)
    projector.load()
    return projector


def fill(journal, frames):
    """Append frames of transfers, the first time after the openings. Return the last seq."""
    if journal.writer.durable_seq == 0:
        journal.writer.append_frame(openings(HOUSEHOLDS + 1))
    for number in range(frames):
        last = journal.writer.append_frame(transfer(number % HOUSEHOLDS + 1, 0, 1) * 10, next_offset=number, applied=10)
    assert journal.writer.wait_durable(last, PATIENCE_S)
    return journal.writer.durable_seq


def test_what_becomes_durable_becomes_readable(journal, tmp_path):
    projector = make(journal)
    projector.start(journal.writer)
    reader = BalanceReader(tmp_path)
    seq = fill(journal, 20)
    assert projector.wait_projected(seq, PATIENCE_S) and reader.wait_for(seq, PATIENCE_S)
    assert reader.get("revenue:00001").credits_posted == 200
    assert reader.watermark.events_applied == 200
    projector.close()


def test_frames_that_left_the_ring_are_read_from_the_files(journal):
    seq = fill(journal, 50)
    projector = make(journal)
    projector.start(journal.writer)
    assert projector.wait_projected(seq, PATIENCE_S)
    assert fill(journal, 50) == seq + 500
    assert projector.wait_projected(seq + 500, PATIENCE_S)
    projector.close()


@pytest.mark.parametrize("housekeeping_ns", [10**18, 10**6])
def test_what_becomes_durable_in_long_flushes_is_applied_in_order(tmp_path, housekeeping_ns):
    """With so many accounts a flush copies frames meanwhile, and with a ring of two most of them would be gone behind it. The
    memory of the copies may be given back at any time, and is when nothing comes any more.
    """
    journal = open_journal(tmp_path, source="topic/0", segment_bytes=1 << 20, ring=RING)
    projector = Projector(journal.directory, journal.segment.ledger_id, journal.ownership.epoch, MANY_ACCOUNTS)
    projector.load()
    projector.housekeeping_ns = housekeeping_ns
    projector.start(journal.writer)
    for first in range(0, MANY_ACCOUNTS, 1000):
        journal.writer.append_frame(openings(1000, first=first))
    for number in range(1000):
        # Accounts far apart, so that each frame changes blocks all over.
        slots = range(1 + number % 1000, MANY_ACCOUNTS, 1000)
        journal.writer.append_frame(b"".join(transfer(slot, 0, number + 1) for slot in slots))
    journal.writer.wait_durable(MANY_ACCOUNTS // 1000 + 1000, PATIENCE_S)
    assert projector.wait_projected(journal.writer.durable_seq, PATIENCE_S)
    assert projector.status()["given_back_bytes"] == 0 or housekeeping_ns == 10**6
    projector.housekeeping_ns = 10**6
    wait_until(lambda: projector.status()["given_back_bytes"] > 0)
    projector.close()
    live = projector.copy_records()
    journal.close()
    replay = Projector(tmp_path / "replay", journal.segment.ledger_id, 1, MANY_ACCOUNTS)
    reader = JournalReader(tmp_path / "journal")
    while replay.replay(reader):
        pass
    assert replay.copy_records() == live
    assert BalanceReader(tmp_path).records() == (replay.applied_seq, live)


def test_closing_applies_what_is_durable_and_a_start_goes_on_behind_it(journal, tmp_path):
    projector = make(journal)
    projector.start(journal.writer)
    seq = fill(journal, 30)
    projector.close()
    assert BalanceReader(tmp_path).watermark.seq == seq
    again = make(journal)
    assert again.projected_seq == seq
    again.start(journal.writer)
    assert again.wait_projected(fill(journal, 1), PATIENCE_S)
    again.close()


def test_a_projector_that_lost_its_generation_stops_and_says_so(journal, tmp_path):
    zombie = make(journal)
    zombie.start(journal.writer)
    seq = fill(journal, 1)
    assert zombie.wait_projected(seq, PATIENCE_S)
    owner = make(journal, epoch=journal.ownership.epoch + 1)
    with pytest.raises(Fenced):
        zombie.wait_projected(fill(journal, 1), PATIENCE_S)
    zombie.close()
    assert owner.projected_seq == seq == BalanceReader(tmp_path).watermark.seq
