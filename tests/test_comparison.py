"""Balances held against the journal: by their state digest, and account by account."""

import pytest

from bench.workload import Workload
from ledger.engine import Engine
from ledger.errors import FormatVersionMismatch, LedgerNotFound, ProjectionDamaged
from ledger.journal import open_journal
from ledger.projections.balances import BalanceReader
from ledger.projections.comparison import Difference, compare_with_journal, stored_state
from ledger.verify import verify_journal
from tests.balances import change_account, change_meta, exchange_ids

WORKLOAD = Workload(seed=3, events=2000, households=150, duplicates=0.05, refused=0.02)


@pytest.fixture
def shard(tmp_path):
    with Engine.open(tmp_path, segment_bytes=1 << 20) as engine:
        for batch, next_offset in WORKLOAD.batches():
            engine.apply(batch, next_offset)
    return tmp_path


def test_sound_balances_have_the_state_digest_of_the_journal(shard):
    stored = stored_state(shard)
    assert stored.seq == verify_journal(shard).entries
    expected = verify_journal(shard, state_digest_at=stored.seq).state_digest
    assert stored.found_digest == stored.noted_digest == expected


def test_balances_that_equal_a_replay_agree(shard):
    comparison = compare_with_journal(shard)
    assert comparison.agrees and comparison.account_count == BalanceReader(shard).watermark.account_count


def test_accounts_and_fields_that_differ_are_named(shard):
    accounts = list(BalanceReader(shard).items())
    first, second = accounts[51], accounts[151]
    change_account(shard, 151, credits_posted=second.credits_posted + 3)
    change_account(shard, 51, debits_posted=first.debits_posted + 1, flags=first.flags ^ 8)
    stored = stored_state(shard)
    assert stored.noted_digest != stored.found_digest
    comparison = compare_with_journal(shard)
    assert comparison.accounts_differing == 2
    assert comparison.differences == (
        Difference(first.account, "debits_posted", first.debits_posted, first.debits_posted + 1),
        Difference(first.account, "flags", first.flags, first.flags ^ 8),
        Difference(second.account, "credits_posted", second.credits_posted, second.credits_posted + 3),
    )
    assert compare_with_journal(shard, most_differences=1).differences == comparison.differences[:1]


def test_an_amount_posted_to_the_wrong_account_is_found_although_the_sums_are_right(shard):
    accounts = list(BalanceReader(shard).items())
    change_account(shard, 1, debits_posted=accounts[1].debits_posted + 1)
    change_account(shard, 51, debits_posted=accounts[51].debits_posted - 1)
    stored = stored_state(shard)
    assert stored.noted_digest != stored.found_digest


def test_a_digest_that_is_not_of_these_accounts_is_found(shard):
    change_meta(shard, state_digest=bytes(16))
    stored = stored_state(shard)
    assert stored.noted_digest == 0
    assert stored.found_digest == verify_journal(shard, state_digest_at=stored.seq).state_digest


def test_a_changed_id_is_damage(shard):
    account = list(BalanceReader(shard).items())[5].account
    change_account(shard, 5, id_low=1)
    with pytest.raises(ProjectionDamaged, match="leads to another"):
        stored_state(shard)
    with pytest.raises(ProjectionDamaged):
        BalanceReader(shard).get(account)


def test_ids_that_lead_to_each_others_account_are_damage(shard):
    exchange_ids(shard)
    with pytest.raises(ProjectionDamaged, match="leads to another"):
        stored_state(shard)


def test_balances_of_another_version_are_not_compared(shard):
    change_meta(shard, format_version=1)
    with pytest.raises(FormatVersionMismatch, match="peakledger rebuild"):
        stored_state(shard)


def test_no_balances_are_not_found(tmp_path):
    open_journal(tmp_path, source="topic/0").close()
    with pytest.raises(LedgerNotFound, match="holds no balances"):
        compare_with_journal(tmp_path)


def test_balances_ahead_of_the_journal_are_damage(shard):
    (shard / "journal" / "0000000001.segment").unlink()
    open_journal(shard, source="topic/0", segment_bytes=1 << 20).close()
    assert verify_journal(shard, state_digest_at=stored_state(shard).seq).state_digest is None
    with pytest.raises(ProjectionDamaged, match="more than the journal"):
        compare_with_journal(shard)
