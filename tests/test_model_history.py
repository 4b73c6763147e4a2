"""The oracle's past: what it answers is what the model held then, and by hand for value dates."""

from random import Random

import pytest

from ledger.layouts import EntryKind
from ledger.model import Model
from ledger.model_history import (
    Balance,
    accounts_at,
    balance_of,
    balances_at,
    balances_of_value_date,
    seq_at,
    statement,
    trial_balance,
)
from tests import ledger_events as make
from tests.ledger_events import NOON_MS, TODAY, Named, leg
from tests.random_ledger import PARAMETERS, RandomLedger


@pytest.fixture(scope="module")
def history():
    """Return a model after random events, and what its accounts were after each of some of them, by seq."""
    model, snapshots = Model(parameters=PARAMETERS), {}
    for offset, (timestamp_ms, value) in enumerate(RandomLedger(Random(5), model).records(300)):
        model.apply_record(value, offset, timestamp_ms)
        snapshots[model.last_seq] = [account.record() for account in model.accounts.values()]
    return model, snapshots


def test_accounts_as_of_an_entry_are_those_that_the_ledger_had_then(history):
    model, snapshots = history
    for seq, records in snapshots.items():
        found = accounts_at(model.entries, seq)
        assert [account.record() for account in found.values()] == records


def test_debits_equal_credits_at_any_time(history):
    model, snapshots = history
    for seq in snapshots:
        for balances in (balances_at(model.entries, seq), balances_of_value_date(model.entries, TODAY, seq)):
            for book in trial_balance(model.entries, balances).values():
                assert (book.debits_pending, book.debits_posted) == (book.credits_pending, book.credits_posted)


def test_a_statement_has_each_entry_that_the_links_of_the_account_name(history):
    model, _ = history
    for id_, account in model.accounts.items():
        lines = statement(model.entries, id_, model.last_seq)
        seqs, seq = [], account.last_seq
        for at, entry in reversed(lines):
            assert at == seq
            seqs.append(seq)
            side = "debit" if entry["debit_slot"] == account.slot else "credit"
            seq = 0 if entry["kind"] == EntryKind.open_account else entry[f"{side}_previous_seq"]
        assert seq == 0


def test_balances_of_a_ledger_time_count_all_entries_made_by_then():
    model = Model()
    for offset, (value, after_ms) in enumerate(
        [
            (make.open_account("a", "A"), 0),
            (make.open_account("b", "B"), 0),
            (make.transfer("1", leg("A", "B", 5)), 10),
            (make.transfer("2", leg("A", "B", 6)), 20),
        ]
    ):
        model.apply_record(value, offset, NOON_MS + after_ms)
    found = [seq_at(model.entries, NOON_MS + after_ms) for after_ms in (-1, 0, 9, 10, 19, 20, 99)]
    assert found == [0, 2, 2, 3, 3, 4, 4]


def test_a_value_date_counts_what_was_known_of_it_at_an_entry():
    model = Model()
    for offset, value in enumerate(
        [
            make.open_account("a", "A"),
            make.open_account("b", "B"),
            make.transfer("1", leg("A", "B", 5), value_date=TODAY - 2),
            make.transfer("2", leg("A", "B", 100, flags=1)),
            make.post("3", Named("2"), 40),
            make.transfer("4", leg("A", "B", 7), value_date=TODAY - 1),
            make.reverse("5", Named("1"), value_date=TODAY + 1),
        ]
    ):
        model.apply_record(value, offset, NOON_MS)
    account = make.account("A")

    def posted(value_date: int, seq: int) -> tuple[int, int]:
        balance = balances_of_value_date(model.entries, value_date, seq)[account]
        return balance.debits_posted, balance.credits_posted

    assert [posted(TODAY - 2, seq) for seq in (2, 3, model.last_seq)] == [(0, 0), (5, 0), (5, 0)]
    assert [posted(TODAY - 1, seq) for seq in (3, 5, model.last_seq)] == [(5, 0), (5, 0), (12, 0)]
    assert [posted(TODAY, seq) for seq in (4, 5, model.last_seq)] == [(5, 0), (45, 0), (52, 0)]
    assert posted(TODAY + 1, model.last_seq) == (52, 5)
    assert balance_of(model.accounts[account]) == Balance(0, 52, 0, 5)
