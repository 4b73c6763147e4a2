"""A statement is the account's own entries and nothing else, in either order, a page at a time, with right sums at every line."""

from datetime import date, timedelta
from itertools import pairwise

import pytest

from ledger._core import EntryReader
from ledger.errors import ConfigurationError, JournalDamaged
from ledger.layouts import JOURNAL_ENTRY, EntryKind
from ledger.statements import EVERYTHING, Cursor, Filter, Page, Position, StatementLine, Sums, newest_page, oldest_page
from tests.journals import ACCOUNTS, ledger_entries, make_journal, segments

ENTRIES = ledger_entries(3000)
FIELDS = list(JOURNAL_ENTRY.unpack_all(ENTRIES))
ALL = 3000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_journal(tmp_path_factory.mktemp("statements"), ENTRIES, [100] * 10)


@pytest.fixture
def reader(folder):
    return EntryReader(folder)


def own_entries(slot: int) -> list[tuple[int, dict]]:
    return [(seq, entry) for seq, entry in enumerate(FIELDS, start=1) if slot in (entry["debit_slot"], entry["credit_slot"])]


def head_of(slot: int, last_seq: int = ALL) -> Position:
    own = [(seq, entry) for seq, entry in own_entries(slot) if seq <= last_seq]
    debits, credits = (
        sum(entry["amount_fen"] for _, entry in own if entry[side] == slot) for side in ("debit_slot", "credit_slot")
    )
    return Position(own[-1][0], Sums(debits_posted=debits, credits_posted=credits))


def newest_pages(reader: EntryReader, slot: int, limit: int, wanted: Filter = EVERYTHING) -> list[Page]:
    pages = [newest_page(reader, slot, head_of(slot), limit, wanted)]
    while pages[-1].cursor:
        pages.append(newest_page(reader, slot, pages[-1].cursor.position, limit, wanted))
    return pages


def oldest_pages(reader: EntryReader, slot: int, limit: int, wanted: Filter = EVERYTHING) -> list[Page]:
    pages = [oldest_page(reader, slot, head_of(slot), None, limit, wanted)]
    while pages[-1].has_more:
        pages.append(oldest_page(reader, slot, head_of(slot), pages[-1].cursor, limit, wanted))
    return pages


def lines_of(pages: list[Page]) -> list[StatementLine]:
    return [line for page in pages for line in page.lines]


@pytest.mark.parametrize("slot", range(ACCOUNTS))
def test_a_statement_has_the_accounts_entries_newest_first(reader, slot):
    lines = newest_page(reader, slot, head_of(slot), ALL).lines
    own = own_entries(slot)[::-1]
    assert [line.seq for line in lines] == [seq for seq, _ in own]
    for line, (_, entry) in zip(lines, own, strict=True):
        assert line.debit_fen + line.credit_fen == entry["amount_fen"]
        assert (line.debit_fen > 0) == (entry["debit_slot"] == slot and entry["amount_fen"] > 0)
        assert line.value_date == date(1970, 1, 1) + timedelta(days=entry["value_date"])
        assert (line.ledger_time_ms, line.channel, line.serial) == (entry["ledger_time_ms"], entry["channel"], entry["serial"])
    assert (lines[-1].kind, lines[-1].counter_slot, lines[-1].sums) == (EntryKind.open_account, None, Sums())


@pytest.mark.parametrize("slot", [0, 7])
@pytest.mark.parametrize("limit", [1, 7, 50, ALL])
def test_both_orders_have_the_same_lines_whatever_the_length_of_a_page(reader, slot, limit):
    whole = newest_page(reader, slot, head_of(slot), ALL).lines
    assert lines_of(newest_pages(reader, slot, limit)) == whole
    assert lines_of(oldest_pages(reader, slot, limit)) == whole[::-1]


def test_the_running_sums_go_from_now_to_zero(reader):
    lines = newest_page(reader, 4, head_of(4), ALL).lines
    assert lines[0].sums == head_of(4).sums
    for newer, older in pairwise(lines):
        assert newer.sums.debits_posted - newer.debit_fen == older.sums.debits_posted
        assert newer.sums.balance_fen - newer.debit_fen + newer.credit_fen == older.sums.balance_fen


FILTERS = {
    "code": (Filter(code=3), lambda seq, entry: entry["code"] == 3),
    "channel": (Filter(channel=5), lambda seq, entry: entry["channel"] == 5),
    "counter account": (Filter(counter_slot=2), lambda seq, entry: 2 in (entry["debit_slot"], entry["credit_slot"])),
    "no openings": (Filter(openings=False), lambda seq, entry: entry["kind"] != EntryKind.open_account),
    "seqs": (Filter(seqs=(900, 1300)), lambda seq, entry: 900 <= seq <= 1300),
    "ledger times": (Filter(ledger_times_ms=(9000, 13000)), lambda seq, entry: 9000 <= entry["ledger_time_ms"] <= 13000),
    "value dates": (
        Filter(value_dates=(date(1970, 1, 1) + timedelta(days=20_002), date.max)),
        lambda seq, entry: entry["value_date"] >= 20_002,
    ),
    "two of them": (Filter(channel=5, seqs=(0, 2000)), lambda seq, entry: entry["channel"] == 5 and seq <= 2000),
    "nothing": (Filter(code=9), lambda seq, entry: False),
}


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_leaves_out_lines_and_changes_none(reader, name):
    wanted, passes = FILTERS[name]
    slot = 7
    all_lines = newest_page(reader, slot, head_of(slot), ALL).lines
    expected = [line for line in all_lines if passes(line.seq, FIELDS[line.seq - 1])]
    assert lines_of(newest_pages(reader, slot, 4, wanted)) == expected
    assert lines_of(oldest_pages(reader, slot, 4, wanted)) == expected[::-1]


@pytest.mark.parametrize("wanted", [Filter(seqs=(900, 1300)), Filter(ledger_times_ms=(9000, 13000))])
def test_a_range_ends_the_walk_where_it_begins(reader, wanted):
    newest_page(reader, 7, head_of(7), ALL, wanted)
    above = [seq for seq, _ in own_entries(7) if seq >= 900]
    assert reader.reads <= len(above) + 1


def test_a_cursor_means_the_same_after_the_account_has_grown(reader):
    for before in (head_of(7, 1000), head_of(7, 1500)):
        newest = newest_page(reader, 7, before, 10)
        rest = newest_page(reader, 7, newest.cursor.position, ALL).lines
        assert [line.seq for line in newest.lines + rest] == [seq for seq, _ in own_entries(7) if seq <= before.seq][::-1]
        oldest = oldest_page(reader, 7, before, None, 10)
        rest = oldest_page(reader, 7, head_of(7), oldest.cursor, ALL).lines
        assert [line.seq for line in oldest.lines + rest] == [seq for seq, _ in own_entries(7)]


def test_oldest_first_goes_on_when_there_is_more_than_there_was(reader):
    page = oldest_page(reader, 7, head_of(7, 1500), None, ALL)
    assert not page.has_more
    assert oldest_page(reader, 7, head_of(7, 1500), page.cursor, ALL).lines == []
    rest = oldest_page(reader, 7, head_of(7), page.cursor, ALL).lines
    assert [line.seq for line in rest] == [seq for seq, _ in own_entries(7) if seq > 1500]


def test_a_cursor_of_one_filter_can_go_on_with_another(reader):
    page = oldest_page(reader, 7, head_of(7), None, 10)
    later = oldest_page(reader, 7, head_of(7), page.cursor, ALL, Filter(seqs=(2000, 2500))).lines
    whole = newest_page(reader, 7, head_of(7), ALL).lines
    assert later == [line for line in whole[::-1] if 2000 <= line.seq <= 2500]


def test_a_page_newest_first_reads_one_entry_a_line(reader):
    assert len(newest_page(reader, 0, head_of(0), 100).lines) == 100
    assert reader.reads == 100


def test_all_pages_oldest_first_together_read_each_entry_a_few_times(reader):
    pages = oldest_pages(reader, 0, 5)
    own = len(own_entries(0))
    assert len(pages) > 50
    assert reader.reads <= 3 * own
    assert max(len(page.cursor.mark_seqs) for page in pages) <= 2 * 16


def test_a_page_has_at_least_one_line_and_no_more_than_memory_is_meant_for(reader):
    for limit in (0, 2**40):
        with pytest.raises(ConfigurationError, match="page of a statement"):
            newest_page(reader, 0, head_of(0), limit)


@pytest.mark.parametrize("slot, seq", [(3, 3001), (ACCOUNTS + 5, 2000), (3, 2**63)])
def test_a_head_that_does_not_fit_the_journal_is_damage(reader, slot, seq):
    with pytest.raises(JournalDamaged):
        newest_page(reader, slot, Position(seq, Sums()), 1)
    with pytest.raises(JournalDamaged):
        oldest_page(reader, slot, Position(seq, Sums()), Cursor(True, Position(5, Sums())), 1)


@pytest.mark.parametrize(
    "wrong, says",
    [
        ({"debit_previous_seq": 3000, "credit_previous_seq": 3000}, "does not name the entry before it"),
        ({"kind": 99}, "no known kind"),
        ({"debit_slot": 500, "credit_slot": 501}, "an entry of other accounts"),
    ],
)
def test_an_entry_that_cannot_be_the_accounts_is_damage_and_its_place_is_told(tmp_path, wrong, says):
    last = JOURNAL_ENTRY.pack(**FIELDS[2999] | wrong)
    reader = EntryReader(make_journal(tmp_path, ENTRIES[:-96] + last, [100] * 10))
    slot = FIELDS[2999]["debit_slot"]
    with pytest.raises(JournalDamaged, match=says) as raised:
        newest_page(reader, slot, head_of(slot), 2)
    numbers = raised.value.numbers
    segment = segments(tmp_path / "journal")[numbers["segment"] - 1]
    assert numbers["seq"] == 3000
    assert segment.read_bytes()[numbers["byte_offset"] :][:96] == last
