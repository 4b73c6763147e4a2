"""Answers about the past of one shard: what was when, how much of the journal that takes to read, and what is refused."""

import shutil
from datetime import date, timedelta

import pytest

from ledger._core import build_batch
from ledger.engine import Engine
from ledger.errors import JournalDamaged, LedgerNotFound, NotFound
from ledger.history import History, Moment, PastBalance, shard_histories
from ledger.layouts import JOURNAL_ENTRY
from ledger.statements import Sums
from tests import ledger_events as make
from tests.journals import segments
from tests.ledger_events import NOON_MS, TODAY, Named, leg

SHARD = "payments.events-0"
A = "ledger:065"


def day(days: int) -> date:
    return date(1970, 1, 1) + timedelta(days=days)


EVENTS = [
    (0, make.open_account("a", "A")),
    (0, make.open_account("b", "B")),
    (10, make.transfer("1", leg("A", "B", 5), value_date=TODAY - 2)),
    (20, make.transfer("2", leg("A", "B", 100, flags=1))),
    (30, make.post("3", Named("2"), 40)),  # and a release of 60
    (40, make.transfer("4", leg("B", "A", 7), value_date=TODAY - 1)),
    (50, make.open_account("c", "C", book=2)),
]
LAST_SEQ = 8


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data directory with one shard that had EVENTS."""
    directory = tmp_path_factory.mktemp("data")
    batch = build_batch([(None, value, NOON_MS + after_ms) for after_ms, value in EVENTS], 0)
    with Engine.open(directory / SHARD, source="payments.events/0", segment_bytes=4 << 20) as engine:
        engine.apply(bytes(batch), len(EVENTS))
        assert engine.wait_projected()
    return directory


@pytest.fixture
def history(data):
    return History(data / SHARD)


@pytest.mark.parametrize(
    "seq, sums, last_seq",
    [
        (1, Sums(), 1),
        (3, Sums(debits_posted=5), 3),
        (4, Sums(debits_pending=100, debits_posted=5), 4),
        (5, Sums(debits_pending=60, debits_posted=45), 5),
        (6, Sums(debits_posted=45), 6),
        (8, Sums(debits_posted=45, credits_posted=7), 7),
    ],
)
def test_a_balance_as_of_an_entry_counts_all_entries_up_to_it(history, seq, sums, last_seq):
    assert history.balance(A, Moment(seq)) == PastBalance(A, sums, last_seq)


@pytest.mark.parametrize("after_ms, seq", [(-1, 0), (0, 2), (9, 2), (10, 3), (30, 6), (49, 7), (10**9, 8)])
def test_a_ledger_time_is_the_last_entry_made_by_then(history, after_ms, seq):
    assert history.moment(ledger_time_ms=NOON_MS + after_ms) == Moment(seq)


@pytest.mark.parametrize(
    "days, seq, debits, credits", [(-2, 8, 5, 0), (-1, 6, 5, 0), (-1, 8, 5, 7), (0, 4, 5, 0), (0, 5, 45, 0), (0, 8, 45, 7)]
)
def test_a_value_date_counts_what_was_posted_with_it_or_before_as_known_then(history, days, seq, debits, credits):
    moment = history.moment(seq=seq, value_date=day(TODAY + days))
    found = history.balance(A, moment)
    assert found is not None
    assert found.sums == Sums(debits_posted=debits, credits_posted=credits)


def test_a_moment_that_is_not_named_is_now(history):
    assert history.moment() == Moment(LAST_SEQ)
    assert history.moment(value_date=day(TODAY)) == Moment(LAST_SEQ, day(TODAY))


@pytest.mark.parametrize("seq", [-1, LAST_SEQ + 1])
def test_an_entry_that_is_not_there_yet_is_refused(history, seq):
    with pytest.raises(NotFound, match="no entry"):
        history.moment(seq=seq)


def test_an_account_that_was_not_open_then_has_no_balance(history):
    assert history.balance("ledger:067", Moment(7)) is None
    assert history.balance("ledger:067", Moment(7, day(TODAY))) is None
    assert history.balance("household:3301234567890", Moment(LAST_SEQ)) is None
    with pytest.raises(NotFound, match="No such account"):
        history.statement("household:3301234567890", limit=1)


@pytest.mark.parametrize("moment, reads", [(Moment(8), 0), (Moment(6), 1), (Moment(3), 4), (Moment(3, day(TODAY)), 6)])
def test_a_balance_reads_the_accounts_entries_back_to_the_moment_and_for_a_value_date_all(history, moment, reads):
    history.balance(A, moment)
    assert history.entries_read == reads
    assert history.bytes_read - 96 * reads <= 3 * 4096  # the header of the segment, and a look at its frames


def test_a_ledger_time_is_found_by_halving(history):
    history.seq_at(NOON_MS + 25)
    assert history.entries_read <= LAST_SEQ.bit_length()


@pytest.mark.parametrize("moment", [Moment(seq) for seq in range(LAST_SEQ + 1)] + [Moment(8, day(TODAY - 1)), Moment(5, day(0))])
def test_a_trial_balance_adds_up_the_accounts_of_a_moment_and_is_balanced(history, moment):
    found = history.trial_balance(moment)
    balances = [history.balance(name, moment) for name in ("ledger:065", "ledger:066")]
    sums = Sums(*(sum(amounts) for amounts in zip(*(balance.sums for balance in balances if balance), strict=True)))
    books = {total.book: total for total in found.books}
    assert found.is_balanced
    assert (books[1].sums if 1 in books else Sums()) == (sums if moment.seq else Sums())
    assert sum(total.accounts for total in found.books) == sum(opened <= moment.seq for opened in (1, 2, 8))
    assert (2 in books) == (moment.seq == LAST_SEQ)


def test_a_journal_that_lacks_entries_of_the_balances_is_damage(data, tmp_path):
    shutil.copytree(data / SHARD, tmp_path / SHARD)
    (segment,) = segments(tmp_path / SHARD / "journal")
    with segment.open("r+b") as file:
        file.seek(4096)
        file.write(bytes(1 << 16))
    history = History(tmp_path / SHARD)
    for answer in (
        lambda: history.seq_at(NOON_MS),
        lambda: history.balance(A, Moment(1)),
        lambda: history.statement(A, limit=1),
        lambda: history.trial_balance(Moment(LAST_SEQ)),
    ):
        with pytest.raises(JournalDamaged):
            answer()


def test_all_shards_of_a_data_directory_have_a_history(data, tmp_path):
    assert list(shard_histories(data)) == [SHARD]
    with pytest.raises(LedgerNotFound):
        shard_histories(tmp_path)


def test_the_entries_of_an_account_come_newest_first_as_they_are_stored(history):
    (entries,) = history.entries(A)
    assert [seq for seq, _ in entries] == [7, 6, 5, 4, 3, 1]
    assert [JOURNAL_ENTRY.unpack(entry)["amount_fen"] for _, entry in entries] == [7, 60, 40, 100, 5, 0]
    assert list(history.entries("ledger:999")) == []
