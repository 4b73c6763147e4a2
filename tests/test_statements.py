"""A statement is the account's own entries and nothing else, newest first, with a balance that ends at zero."""

from datetime import date, timedelta
from itertools import islice, pairwise

import pytest

from ledger._core import EntryReader
from ledger.errors import JournalDamaged
from ledger.layouts import JOURNAL_ENTRY, EntryKind
from ledger.statements import StatementHead, statement
from tests.journals import ACCOUNTS, ledger_entries, make_journal

ENTRIES = ledger_entries(3000)
FIELDS = list(JOURNAL_ENTRY.unpack_all(ENTRIES))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_journal(tmp_path_factory.mktemp("statements"), ENTRIES, [100] * 10)


def own_entries(slot: int) -> list[tuple[int, dict]]:
    return [(seq, entry) for seq, entry in enumerate(FIELDS, start=1) if slot in (entry["debit_slot"], entry["credit_slot"])]


def head_of(slot: int) -> StatementHead:
    own = own_entries(slot)
    return StatementHead(
        slot,
        own[-1][0],
        sum(entry["amount_fen"] for _, entry in own if entry["debit_slot"] == slot),
        sum(entry["amount_fen"] for _, entry in own if entry["credit_slot"] == slot),
    )


@pytest.mark.parametrize("slot", range(ACCOUNTS))
def test_a_statement_has_the_accounts_entries_newest_first(folder, slot):
    lines = list(statement(EntryReader(folder), head_of(slot)))
    own = own_entries(slot)[::-1]
    assert [line.seq for line in lines] == [seq for seq, _ in own]
    for line, (_, entry) in zip(lines, own, strict=True):
        assert line.debit_fen + line.credit_fen == entry["amount_fen"]
        assert (line.debit_fen > 0) == (entry["debit_slot"] == slot and entry["amount_fen"] > 0)
        assert line.value_date == date(1970, 1, 1) + timedelta(days=entry["value_date"])
        assert (line.ledger_time_ms, line.channel, line.serial) == (entry["ledger_time_ms"], entry["channel"], entry["serial"])
    assert (lines[-1].kind, lines[-1].counter_slot, lines[-1].balance_fen) == (EntryKind.open_account, None, 0)


def test_the_running_balance_goes_from_now_to_zero(folder):
    head = head_of(4)
    lines = list(statement(EntryReader(folder), head))
    assert lines[0].balance_fen == head.credits_posted - head.debits_posted
    for newer, older in pairwise(lines):
        assert newer.balance_fen - newer.credit_fen + newer.debit_fen == older.balance_fen
    assert lines[-1].before == StatementHead(4, 0, 0, 0)


def test_a_page_goes_on_where_the_page_before_ended(folder):
    reader = EntryReader(folder)
    whole = list(statement(reader, head_of(7)))
    pages, head = [], head_of(7)
    while head.last_seq:
        page = list(islice(statement(reader, head), 50))
        pages += page
        head = page[-1].before
    assert pages == whole


def test_a_statement_reads_one_entry_a_line(folder):
    list(statement(EntryReader(folder), head_of(0)))
    reader = EntryReader(folder)
    lines = list(statement(reader, head_of(0)))
    assert reader.reads == len(lines)


@pytest.mark.parametrize("head", [StatementHead(3, 3001, 0, 0), StatementHead(ACCOUNTS + 5, 2000, 0, 0)])
def test_a_head_that_does_not_fit_the_journal_is_damage(folder, head):
    with pytest.raises(JournalDamaged):
        next(statement(EntryReader(folder), head))
