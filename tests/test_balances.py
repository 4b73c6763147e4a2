"""Reading balances."""

import pytest

from ledger._core import Projector
from ledger.account_ids import format_account
from ledger.errors import LedgerNotFound
from ledger.projections.balances import Balance, BalanceReader, ShardedBalances
from tests.entries import LEDGER_ID, account, openings, transfer
from tests.waiting import PATIENCE_S


@pytest.fixture
def projector(tmp_path):
    projector = Projector(tmp_path / "topic-0", LEDGER_ID, 1, 10_000)
    projector.load()
    projector.apply_entries(1, openings(70) + transfer(1, 0, 500) + transfer(0, 1, 20), next_offset=9, events_applied=2)
    projector.flush()
    return projector


@pytest.fixture
def reader(projector, tmp_path):
    return BalanceReader(tmp_path / "topic-0")


def test_an_account_is_found_by_each_of_its_names(reader):
    expected = Balance("household:0000000007919", 500, 20, 0, 0, 72, 0, 1)
    assert reader.get("household:0000000007919") == reader.get("0000000007919") == reader.get(account(1)) == expected
    assert expected.balance_fen == 480


def test_an_account_that_never_opened_is_none(reader):
    assert reader.get("household:9999999999999") is None
    assert reader.get_many(["9999999999999", account(2)])[0] is None


def test_many_are_answered_in_the_order_of_the_question(reader):
    slots = [69, 0, 33]
    assert [balance.account for balance in reader.get_many([account(slot) for slot in slots])] == [
        format_account(account(slot)) for slot in slots
    ]


def test_all_accounts_come_in_order_of_opening_and_debits_equal_credits(reader):
    balances = list(reader.items())
    assert [balance.account for balance in balances] == [format_account(account(slot)) for slot in range(70)]
    assert sum(balance.balance_fen for balance in balances) == 0


def test_the_watermark_tells_the_ledger_as_of_its_last_frame(reader):
    watermark = reader.watermark
    assert (watermark.seq, watermark.frame, watermark.next_offset, watermark.events_applied, watermark.account_count) == (
        72,
        1,
        9,
        2,
        70,
    )


def test_waiting_ends_when_the_seq_can_be_read_or_the_time_is_up(reader, projector):
    assert reader.wait_for(72, timeout_s=0)
    assert not reader.wait_for(73, timeout_s=0.01)
    projector.apply_entries(73, transfer(2, 0, 1))
    projector.flush()
    assert reader.wait_for(73, timeout_s=PATIENCE_S)


def test_a_reader_goes_over_to_a_new_generation(reader, projector):
    assert reader.get(account(1)).debits_posted == 500
    projector.start_generation()
    projector.apply_entries(73, transfer(1, 0, 1))
    projector.flush()
    assert reader.wait_for(73, timeout_s=PATIENCE_S)
    assert reader.get(account(1)).debits_posted == 501


def test_where_there_is_no_ledger_the_error_says_so(tmp_path):
    with pytest.raises(LedgerNotFound, match="does not exist"):
        BalanceReader(tmp_path / "nowhere")
    (tmp_path / "balances").mkdir()
    with pytest.raises(LedgerNotFound, match="holds no balances yet"):
        BalanceReader(tmp_path)
    with pytest.raises(LedgerNotFound, match="no shard"):
        ShardedBalances(tmp_path / "nowhere")


def test_an_account_is_found_in_whichever_shard_has_it(reader, tmp_path):
    other = Projector(tmp_path / "topic-1", LEDGER_ID, 1, 10_000)
    other.load()
    other.apply_entries(1, openings(71))
    other.flush()
    balances = ShardedBalances(tmp_path)
    assert list(balances.get(account(70))) == ["topic-1"]
    assert list(balances.get("revenue:00001")) == ["topic-0", "topic-1"]
    assert balances.get("9999999999999") == {}


def test_slots_lead_back_to_accounts(reader):
    assert reader.accounts_in([0, 69, 70, 10_000]) == [format_account(account(0)), format_account(account(69)), None, None]
