"""The balance projector: what it writes, what it trusts, whom it obeys."""

import pytest

from ledger._core import BalanceView, Projector
from ledger.errors import Fenced, FormatVersionMismatch, JournalDamaged, ProjectionDamaged
from ledger.layouts import ACCOUNT_RECORD, ACCOUNTS_PER_BLOCK, BALANCE_META
from ledger.projections import generations
from tests.balances import change_meta
from tests.entries import LEDGER_ID, account, openings, transfer


def records(directory):
    """Return watermark and accounts as LMDB has them."""
    seq, data = BalanceView(generations.newest(directory / "balances")).records()
    return seq, list(ACCOUNT_RECORD.unpack_all(data))


def make(directory, epoch=1, capacity=10_000):
    projector = Projector(directory, LEDGER_ID, epoch, capacity)
    projector.load()
    return projector


def test_an_empty_ledger_gets_an_empty_generation(tmp_path):
    assert make(tmp_path).load() == (0, 0)
    assert records(tmp_path) == (0, [])


def test_a_flush_makes_what_was_applied_readable_and_nothing_before(tmp_path):
    projector = make(tmp_path)
    projector.apply_entries(1, openings(3) + transfer(1, 0, 500) + transfer(2, 0, 70))
    assert records(tmp_path) == (0, [])
    projector.flush()
    seq, (revenue, first, second) = records(tmp_path)
    assert (seq, projector.projected_seq, projector.projected_frame) == (5, 5, 1)
    assert (revenue["credits_posted"], first["debits_posted"], second["debits_posted"]) == (570, 500, 70)
    assert [record["last_seq"] for record in (revenue, first, second)] == [5, 4, 5]
    assert first["id_high"] << 64 | first["id_low"] == account(1)


def test_all_accounts_come_back_after_a_restart(tmp_path):
    count = 5 * ACCOUNTS_PER_BLOCK + 7
    projector = make(tmp_path)
    projector.apply_entries(1, openings(count), next_offset=77)
    projector.apply_entries(count + 1, b"".join(transfer(slot, 0, slot) for slot in range(1, count)), next_offset=78)
    projector.close()
    before = records(tmp_path)
    again = Projector(tmp_path, LEDGER_ID, 2, 10_000)
    assert again.load() == (2 * count - 1, 2)
    assert again.account_count == count
    again.apply_entries(2 * count, transfer(count - 1, 0, 1))
    again.flush()
    after = records(tmp_path)
    assert before[1][:-1][1:] == after[1][:-1][1:]
    assert after[1][-1]["debits_posted"] == before[1][-1]["debits_posted"] + 1


@pytest.mark.parametrize(
    ("first_seq", "entries", "message"),
    [
        (3, transfer(0, 1, 5), "Entries are missing"),
        (4, transfer(0, 2, 5), "cannot be"),
        (4, openings(1, first=3), "cannot be"),
        (4, bytes(96), "unknown kind"),
    ],
)
def test_entries_that_cannot_be_stop_the_projector_for_good(tmp_path, first_seq, entries, message):
    projector = make(tmp_path)
    projector.apply_entries(1, openings(2) + transfer(0, 1, 5))
    projector.flush()
    with pytest.raises(JournalDamaged, match=message):
        projector.apply_entries(first_seq, entries)
    with pytest.raises(JournalDamaged):
        projector.flush()
    assert records(tmp_path)[0] == 3


def test_a_projector_whose_generation_was_claimed_by_another_epoch_writes_nothing_more(tmp_path):
    zombie = make(tmp_path)
    zombie.apply_entries(1, openings(2))
    zombie.flush()
    owner = make(tmp_path, epoch=2)
    zombie.apply_entries(3, transfer(0, 1, 5))
    with pytest.raises(Fenced, match="epoch 1, found 2"):
        zombie.flush()
    assert records(tmp_path)[0] == 2
    owner.close()


def test_a_zombie_that_builds_a_generation_does_not_take_the_readers_away(tmp_path):
    zombie = make(tmp_path)
    zombie.apply_entries(1, openings(2))
    zombie.flush()
    owner = Projector(tmp_path, LEDGER_ID, 2, 10_000)
    owner.load(fresh_generation=True)
    zombie.apply_entries(3, transfer(0, 1, 5))
    zombie.flush()
    with pytest.raises(Fenced, match="epoch 1, found 2"):
        zombie.start_generation()
    assert records(tmp_path)[0] == 2


def test_a_projector_that_is_not_open_says_so(tmp_path):
    projector = Projector(tmp_path, LEDGER_ID, 1, 1000)
    with pytest.raises(ProjectionDamaged, match="not open"):
        projector.flush()
    projector.load()
    projector.close()
    projector.close()
    with pytest.raises(ProjectionDamaged, match="not open"):
        projector.flush()
    assert projector.status()["used_bytes"] > 0


def made_and_closed(directory, *, clean):
    projector = make(directory)
    projector.apply_entries(1, openings(100))
    projector.flush()
    projector.close(clean=clean)
    del projector


def test_balances_of_an_earlier_run_of_the_system_are_trusted_only_if_they_were_closed_cleanly(tmp_path):
    made_and_closed(tmp_path / "clean", clean=True)
    made_and_closed(tmp_path / "unclean", clean=False)
    for name in ("clean", "unclean"):
        change_meta(tmp_path / name, boot_id=b"an earlier run")
    assert make(tmp_path / "clean").account_count == 100
    with pytest.raises(ProjectionDamaged, match="system stopped"):
        make(tmp_path / "unclean")


def test_a_clean_mark_is_gone_once_the_balances_are_opened(tmp_path):
    made_and_closed(tmp_path, clean=True)
    projector = make(tmp_path)
    assert BALANCE_META.unpack(BalanceView(generations.newest(tmp_path / "balances")).meta())["clean"] == 0
    projector.close(clean=False)


def test_balances_of_another_version_or_ledger_are_refused(tmp_path):
    made_and_closed(tmp_path, clean=True)
    change_meta(tmp_path, ledger_id=b"another")
    with pytest.raises(ProjectionDamaged, match="another ledger"):
        make(tmp_path)
    change_meta(tmp_path, format_version=3)
    with pytest.raises(FormatVersionMismatch, match="expected 2, found 3"):
        make(tmp_path)
