"""Adjustments read back from the journal: of an account, about an event, or all; with their notes."""

import pytest

from ledger.adjustments import Adjustments
from ledger.errors import JournalDamaged, NotFound
from ledger.history import History
from ledger.key_lookup import EventKey
from tests import ledger_events as make
from tests.ledger_events import LEDGER_CHANNEL, TODAY, Named, leg, serial_bytes
from tests.test_cli_past import feed

LONG = tuple(letter * 32 for letter in "abcd")
EVENTS = [
    *(make.open_account(f"open {name}", name) for name in "ABC"),
    *(make.transfer(f"{n}", leg("A", "B", n, code=8)) for n in range(1, 1200)),
    make.adjust("first", "B", "A", 5, disputed=Named("5")),
    make.adjust("second", "B", "C", 7, disputed=Named("open A"), allowed_by=LONG, reason="r" * 200),
    make.adjust("third", "C", "A", 7, reason="never came"),
]


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    directory = tmp_path_factory.mktemp("data")
    feed(directory, "payments.events-0", EVENTS)
    return directory / "payments.events-0"


def key(serial: str) -> EventKey:
    return EventKey(LEDGER_CHANNEL, TODAY, serial_bytes(serial))


def test_all_are_found_with_what_they_are_about_and_their_notes(shard):
    first, second, third = Adjustments(shard).since(1)
    assert [found.key for found in (first, second, third)] == [key("first"), key("second"), key("third")]
    assert [found.disputed for found in (first, second, third)] == [key("5"), key("open A"), None]
    assert (first.note, first.amount_fen, first.seq) == ((("Wang Min", "李华"), "read twice"), 5, 1203)
    assert (second.note, third.note.reason) == ((LONG, "r" * 200), "never came")


def test_from_an_entry_on_only_what_is_there(shard):
    seqs = []
    assert [found.key for found in Adjustments(shard).since(1204, seqs.append)] == [key("second"), key("third")]
    assert seqs[-1] >= 1203 + len(EVENTS) - 1200


@pytest.mark.parametrize(
    ("account", "serials"), [("A", ["third", "first"]), ("B", ["second", "first"]), ("C", ["third", "second"])]
)
def test_of_an_account_newest_first_passing_over_other_entries_of_the_same_code(shard, account, serials):
    found = Adjustments(shard).of_account(History(shard), f"ledger:{ord(account):03d}")
    assert [one.key for one in found] == [key(serial) for serial in serials]


def test_an_account_that_never_opened_has_none(shard):
    with pytest.raises(NotFound):
        list(Adjustments(shard).of_account(History(shard), "ledger:999"))


def test_other_entries_are_no_adjustments_and_what_is_not_there_is_damage(shard):
    assert Adjustments(shard).at(5) is None
    with pytest.raises(JournalDamaged, match="lacks an entry"):
        Adjustments(shard).at(10_000)
