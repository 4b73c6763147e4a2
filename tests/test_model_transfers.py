"""The oracle on ledger events, on sequences short enough to check by hand. Refusals have a table of their own."""

from datetime import date

import pytest
from msgspec.structs import replace

from ledger.account_ids import clearing_account, household_account
from ledger.channels import SerialForm
from ledger.event_fields import parse_serial
from ledger.events import encode_packed
from ledger.layouts import JOURNAL_ENTRY, JOURNAL_NOTE, NO_SLOT, OUTCOME_RECORD, EntryCode, EntryKind
from ledger.model import Model
from ledger.model_events import (
    LEG_BALANCING_CREDIT,
    LEG_BALANCING_DEBIT,
    LEG_CLOSING_CREDIT,
    LEG_CLOSING_DEBIT,
    LEG_PENDING,
    LEG_POST_PENDING,
)
from ledger.model_state import ACCOUNT_CLOSED, ACCOUNT_DEBITS_MUST_NOT_EXCEED_CREDITS, ACCOUNT_LIMITED
from ledger.outcomes import OutcomeCode
from ledger.schema import EXAMPLE_PAYMENT
from tests import ledger_events as make
from tests.ledger_events import IN_FULL, NOON_MS, Named, leg

C = OutcomeCode


class Ledger:
    """A model with the plain accounts A, B, C in book 1, and helpers to read what it made."""

    def __init__(self, *names: str) -> None:
        self.model = Model()
        for name in names or ("A", "B", "C"):
            self.expect(C.applied, make.open_account(f"open {name}", name))

    def apply(self, value: bytes, after_ms: int = 0) -> OutcomeCode | None:
        return self.model.apply_record(value, self.model.next_offset, NOON_MS + after_ms, b"body")

    def expect(self, code: OutcomeCode, value: bytes, after_ms: int = 0) -> None:
        assert self.apply(value, after_ms) is code

    def entries(self, since: int = 0) -> list[dict[str, object]]:
        return [JOURNAL_ENTRY.unpack(entry) for entry in self.model.entries[since:]]

    def kinds(self, since: int) -> list[tuple[EntryKind, int]]:
        return [(entry["kind"], entry["amount_fen"]) for entry in self.entries(since)]

    def balance(self, name: str) -> tuple[int, int, int, int]:
        """Return debits pending and posted, credits pending and posted."""
        account = self.model.accounts[make.account(name)]
        return account.debits_pending, account.debits_posted, account.credits_pending, account.credits_posted

    def closed(self, name: str) -> bool:
        return self.model.accounts[make.account(name)].closed

    def outcome(self) -> dict[str, object]:
        return OUTCOME_RECORD.unpack(self.model.outcomes[-1].record)


@pytest.fixture
def ledger():
    return Ledger()


def hold(serial: str, amount_fen: int, *, timeout_s: int = 0, flags: int = 0) -> bytes:
    return make.transfer(serial, leg("A", "B", amount_fen, flags=LEG_PENDING | flags, timeout_s=timeout_s, user_data=5))


def test_an_account_opens_with_flags_line_and_parent_and_the_serial_of_its_event():
    ledger = Ledger("A")
    flags = ACCOUNT_DEBITS_MUST_NOT_EXCEED_CREDITS
    ledger.expect(C.applied, make.open_account("0123456789abcdef", "B", flags=flags, book=1, line_fen=500, parent="A"))
    opening = ledger.entries()[1]
    assert opening["serial"] == make.account("B").to_bytes(16, "little")
    links = (opening["debit_previous_seq"].to_bytes(8, "little"), opening["credit_previous_seq"].to_bytes(8, "little"))
    assert b"".join(links) == b"0123456789abcdef"
    assert (opening["detail"], opening["amount_fen"], opening["reference_seq"]) == (1 | flags << 16, 500, 1)
    assert (opening["debit_slot"], opening["credit_slot"], opening["leg_count"]) == (1, NO_SLOT, 1)
    assert ledger.model.accounts[make.account("B")].flags == flags | ACCOUNT_LIMITED
    assert ledger.model.accounts[make.account("A")].flags == ACCOUNT_LIMITED


def test_the_legs_of_a_transfer_are_applied_in_order(ledger):
    ledger.expect(C.applied, make.transfer("1", leg("A", "B", 10, user_data=9), leg("B", "C", 4), value_date=make.TODAY - 1))
    first, second = ledger.entries(3)
    assert (first["leg"], first["leg_count"], first["detail"], first["code"]) == (0, 2, 9, 7)
    assert (second["leg"], second["debit_previous_seq"], second["credit_previous_seq"]) == (1, 4, 3)
    assert {entry["value_date"] for entry in (first, second)} == {make.TODAY - 1}
    assert [ledger.balance(name) for name in "ABC"] == [(0, 10, 0, 0), (0, 4, 0, 10), (0, 0, 0, 4)]


def test_a_leg_at_fault_takes_back_all_before_it(ledger):
    before = ledger.model.last_seq
    values = leg("A", "B", 10, flags=LEG_PENDING), leg("B", "C", 4), leg("C", "Z", 1)
    ledger.expect(C.credit_account_not_found, make.transfer("1", *values))
    assert ledger.model.last_seq == before
    assert [ledger.balance(name) for name in "ABC"] == [(0, 0, 0, 0)] * 3
    assert ledger.outcome()["leg"] == 2
    ledger.expect(C.pending_transfer_not_found, make.post("2", Named("1")))


def test_a_burnt_key_answers_with_its_first_code_whatever_comes_under_it(ledger):
    ledger.expect(C.debit_account_not_found, make.transfer("1", leg("Z", "B", 10)))
    ledger.expect(C.id_already_failed, make.clock("1"))
    assert (ledger.outcome()["first_code"], ledger.outcome()["seq"]) == (C.debit_account_not_found, 3)


def test_a_refusal_that_stays_leaves_the_key_free(ledger):
    ledger.expect(C.code_must_not_be_zero, make.transfer("1", leg("A", "B", 10, code=0)))
    ledger.expect(C.applied, make.transfer("1", leg("A", "B", 10)))


@pytest.mark.parametrize(
    ("amount_fen", "written"),
    [
        (IN_FULL, [(EntryKind.post, 100)]),
        (100, [(EntryKind.post, 100)]),
        (30, [(EntryKind.post, 30), (EntryKind.release, 70)]),
        (0, [(EntryKind.post, 0), (EntryKind.release, 100)]),
    ],
)
def test_a_post_moves_what_it_says_and_releases_the_rest(ledger, amount_fen, written):
    ledger.expect(C.applied, hold("1", 100))
    assert ledger.balance("A") == (100, 0, 0, 0)
    ledger.expect(C.applied, make.post("2", Named("1"), amount_fen))
    assert ledger.kinds(4) == written
    posted = written[0][1]
    assert (ledger.balance("A"), ledger.balance("B")) == ((0, posted, 0, 0), (0, 0, 0, posted))
    assert {(entry["reference_seq"], entry["detail"], entry["code"], entry["flags"]) for entry in ledger.entries(4)} == {
        (4, 5, 7, LEG_POST_PENDING)
    }


def test_a_void_gives_all_back(ledger):
    ledger.expect(C.applied, hold("1", 100))
    ledger.expect(C.applied, make.void("2", Named("1"), user_data=6))
    (void,) = ledger.entries(4)
    assert (void["kind"], void["amount_fen"], void["detail"], void["reference_seq"]) == (EntryKind.void, 100, 6, 4)
    assert ledger.balance("A") == ledger.balance("B") == (0, 0, 0, 0)


def test_a_hold_can_be_settled_by_a_later_leg_of_its_own_event(ledger):
    settling = make.settling(Named("1", leg=0), 40, LEG_POST_PENDING)
    ledger.expect(C.applied, make.transfer("1", leg("A", "B", 100, flags=LEG_PENDING, timeout_s=1), settling))
    assert [kind for kind, _ in ledger.kinds(3)] == [EntryKind.pending, EntryKind.post, EntryKind.release]
    ledger.expect(C.applied, make.clock("2"), after_ms=5000)
    assert [kind for kind, _ in ledger.kinds(6)] == [EntryKind.clock]


def test_holds_expire_at_their_instant_in_due_order_before_anything_else(ledger):
    ledger.expect(C.applied, hold("late", 1, timeout_s=3))
    ledger.expect(C.applied, hold("soon", 2, timeout_s=2))
    ledger.expect(C.applied, hold("also soon", 3, timeout_s=1), after_ms=1000)
    ledger.expect(C.applied, hold("never", 4), after_ms=1000)
    ledger.expect(C.pending_transfer_expired, make.post("post", Named("late")), after_ms=3000)
    expired = ledger.entries(7)
    assert [(entry["amount_fen"], entry["ledger_time_ms"] - NOON_MS) for entry in expired] == [(2, 2000), (3, 2000), (1, 3000)]
    assert {(entry["kind"], entry["leg_count"], entry["source_offset"]) for entry in expired} == {(EntryKind.expire, 0, 7)}
    assert expired[0]["serial"] == make.serial_bytes("soon")
    assert ledger.balance("A") == (4, 0, 0, 0)


def test_a_hold_can_be_posted_until_the_millisecond_before_it_is_due(ledger):
    ledger.expect(C.applied, hold("1", 100, timeout_s=2))
    ledger.expect(C.applied, make.post("2", Named("1")), after_ms=1999)
    ledger.expect(C.applied, make.clock("3"), after_ms=2000)
    assert [kind for kind, _ in ledger.kinds(4)] == [EntryKind.post, EntryKind.clock]


def test_a_record_that_is_no_event_lets_holds_expire_too(ledger):
    ledger.expect(C.applied, hold("1", 100, timeout_s=1))
    ledger.expect(C.json_malformed, b"{", after_ms=1000)
    assert ledger.kinds(4) == [(EntryKind.expire, 100)]


@pytest.mark.parametrize(("flags", "closed"), [(LEG_CLOSING_DEBIT, "A"), (LEG_CLOSING_CREDIT, "B")])
@pytest.mark.parametrize("way", ["void", "expiry"])
def test_a_closing_hold_closes_its_account_until_it_is_voided_or_expires(ledger, flags, closed, way):
    ledger.expect(C.applied, hold("1", 0, timeout_s=1, flags=flags))
    assert [ledger.closed(name) for name in "AB"] == [name == closed for name in "AB"]
    if way == "void":
        ledger.expect(C.applied, make.void("2", Named("1")))
    else:
        ledger.expect(C.applied, make.clock("2"), after_ms=1000)
    assert ledger.entries(4)[0]["flags"] & (LEG_CLOSING_DEBIT | LEG_CLOSING_CREDIT) == flags
    assert not ledger.closed("A")
    assert not ledger.closed("B")


def test_a_closing_hold_cannot_be_posted(ledger):
    ledger.expect(C.applied, hold("1", 5, flags=LEG_CLOSING_DEBIT))
    ledger.expect(C.debit_account_already_closed, make.post("2", Named("1")))
    ledger.expect(C.applied, make.void("3", Named("1")))


def test_a_balancing_leg_moves_as_much_as_there_is_and_asking_for_more_again_is_the_same(ledger):
    ledger.expect(C.applied, make.transfer("1", leg("B", "A", 70)))
    balancing = {"flags": LEG_BALANCING_DEBIT}
    ledger.expect(C.applied, make.transfer("2", leg("A", "C", 100, **balancing)))
    assert ledger.entries(4)[0]["amount_fen"] == 70
    ledger.expect(C.exists, make.transfer("2", leg("A", "C", 70, **balancing)))
    ledger.expect(C.exists, make.transfer("2", leg("A", "C", IN_FULL, **balancing)))
    ledger.expect(C.exists_with_different_amount, make.transfer("2", leg("A", "C", 69, **balancing)))
    ledger.expect(C.applied, make.transfer("3", leg("A", "C", 100, **balancing)))
    assert ledger.kinds(5) == [(EntryKind.transfer, 0)]


def test_a_leg_that_balances_both_moves_the_smaller_amount(ledger):
    ledger.expect(C.applied, make.transfer("1", leg("B", "A", 70), leg("C", "B", 30)))
    ledger.expect(C.applied, make.transfer("2", leg("A", "C", 100, flags=LEG_BALANCING_DEBIT | LEG_BALANCING_CREDIT)))
    assert ledger.kinds(5) == [(EntryKind.transfer, 30)]


def test_a_reversal_unwinds_the_legs_from_the_last_and_again_finds_nothing_left(ledger):
    ledger.expect(C.applied, make.transfer("1", leg("A", "B", 10, user_data=3), leg("B", "C", 0), leg("B", "C", 4, code=8)))
    ledger.expect(C.applied, make.reverse("2", Named("1")))
    last, first = ledger.entries(6)
    assert (last["amount_fen"], last["debit_slot"], last["credit_slot"], last["reference_seq"]) == (4, 2, 1, 6)
    assert (first["amount_fen"], first["debit_slot"], first["credit_slot"], first["reference_seq"]) == (10, 1, 0, 4)
    assert [(entry["leg"], entry["leg_count"], entry["code"], entry["detail"]) for entry in (last, first)] == [
        (0, 2, 8, 0),
        (1, 2, 7, 3),
    ]
    ledger.expect(C.already_reversed, make.reverse("3", Named("1")))
    ledger.expect(C.exists, make.reverse("2", Named("1")))


def test_a_reversal_in_part_leaves_the_rest_to_another(ledger):
    ledger.expect(C.applied, make.transfer("1", leg("A", "B", 10)))
    ledger.expect(C.applied, make.reverse("2", Named("1"), 4))
    ledger.expect(C.exceeds_reversible_amount, make.reverse("3", Named("1"), 7))
    ledger.expect(C.applied, make.reverse("3", Named("1")))
    assert [amount_fen for _, amount_fen in ledger.kinds(3)] == [10, 4, 6]
    ledger.expect(C.already_reversed, make.reverse("4", Named("1"), 1))


def test_a_reversal_of_a_post_takes_back_what_was_posted(ledger):
    ledger.expect(C.applied, hold("1", 100))
    ledger.expect(C.applied, make.post("2", Named("1"), 30))
    ledger.expect(C.applied, make.reverse("3", Named("2")))
    assert (ledger.balance("A"), ledger.balance("B")) == ((0, 30, 0, 30), (0, 30, 0, 30))


def test_a_credit_line_lets_an_account_go_below_zero_that_far():
    ledger = Ledger("B")
    ledger.expect(C.applied, make.open_account("a", "A", flags=ACCOUNT_DEBITS_MUST_NOT_EXCEED_CREDITS, line_fen=50))
    ledger.expect(C.applied, make.transfer("1", leg("A", "B", 30, flags=LEG_PENDING)))
    ledger.expect(C.credit_line_exceeded, make.transfer("2", leg("A", "B", 21)))
    ledger.expect(C.applied, make.transfer("3", leg("A", "B", 20)))


def test_limits_above_an_account_hold_for_all_below_them_together():
    ledger = Ledger("X")
    for name, parent, line_fen in (("O", "", 100), ("P", "O", 0), ("A", "P", 0), ("B", "O", 60)):
        ledger.expect(C.applied, make.open_account(name, name, parent=parent, line_fen=line_fen))
    ledger.expect(C.applied, make.transfer("1", leg("A", "X", 70)))
    ledger.expect(C.limit_exceeded, make.transfer("2", leg("A", "X", 31)))
    assert (ledger.outcome()["level"], ledger.outcome()["leg"]) == (2, 0)
    ledger.expect(C.limit_exceeded, make.transfer("3", leg("B", "X", 31)))
    assert ledger.outcome()["level"] == 1
    ledger.expect(C.applied, make.transfer("4", leg("X", "B", 5)))
    ledger.expect(C.applied, make.transfer("5", leg("B", "X", 35, flags=LEG_PENDING, timeout_s=1)))
    ledger.expect(C.limit_exceeded, make.transfer("6", leg("A", "X", 1)))
    ledger.expect(C.applied, make.transfer("7", leg("A", "X", 35)), after_ms=1000)
    operator = ledger.model.accounts[make.account("O")]
    assert (operator.group_debits, operator.group_credits) == (105, 5)


def test_no_more_than_eight_limits_stand_above_an_account():
    ledger = Ledger("A")
    for above, name in zip("ABCDEFGH", "BCDEFGHI", strict=True):
        ledger.expect(C.applied, make.open_account(name, name, parent=above))
    ledger.expect(C.limit_chain_too_long, make.open_account("J", "J", parent="I"))


def test_freezing_stops_all_but_voids_and_expiries(ledger):
    ledger.expect(C.applied, hold("1", 1))
    ledger.expect(C.applied, hold("2", 2, timeout_s=1))
    ledger.expect(C.applied, make.freeze("3", "B"))
    ledger.expect(C.applied, make.freeze("4", "B"))
    ledger.expect(C.account_frozen, make.transfer("5", leg("A", "B", 1)))
    ledger.expect(C.account_frozen, make.post("6", Named("1")))
    ledger.expect(C.applied, make.void("7", Named("1")))
    ledger.expect(C.applied, make.clock("8"), after_ms=1000)
    ledger.expect(C.applied, make.unfreeze("9", "B"), after_ms=1000)
    ledger.expect(C.applied, make.transfer("10", leg("A", "B", 1)), after_ms=1000)
    frozen = ledger.entries(5)[0]
    assert (frozen["kind"], frozen["debit_slot"], frozen["debit_previous_seq"], frozen["leg_count"]) == (
        EntryKind.freeze,
        1,
        5,
        1,
    )
    assert frozen["credit_slot"] == NO_SLOT


def test_a_closed_account_takes_no_more(ledger):
    ledger.expect(C.applied, make.close("1", "A"))
    ledger.expect(C.debit_account_already_closed, make.close("2", "A"))
    ledger.expect(C.debit_account_already_closed, make.transfer("3", leg("A", "B", 1)))
    ledger.expect(C.credit_account_already_closed, make.transfer("4", leg("B", "A", 1)))


def test_a_clock_event_only_moves_the_clock(ledger):
    ledger.expect(C.applied, make.clock("1"), after_ms=77)
    (entry,) = ledger.entries(3)
    assert (entry["kind"], entry["ledger_time_ms"], entry["amount_fen"]) == (EntryKind.clock, NOON_MS + 77, 0)
    assert (entry["debit_slot"], entry["credit_slot"], entry["leg_count"]) == (NO_SLOT, NO_SLOT, 1)


def payment(serial: str, amount_fen: int = 100) -> bytes:
    return encode_packed(replace(EXAMPLE_PAYMENT, serial=serial, amount_fen=amount_fen, business_date=DAY))


HOUSEHOLD = household_account(EXAMPLE_PAYMENT.household)
DAY = date(2026, 7, 23)
CLEARING = clearing_account(13, DAY)


def test_payments_meet_frozen_and_closed_accounts_and_burn_their_keys(ledger):
    ledger.expect(C.applied, payment("1"))
    ledger.expect(C.applied, make.freeze("2", HOUSEHOLD))
    ledger.expect(C.account_frozen, payment("3"))
    ledger.expect(C.applied, make.unfreeze("4", HOUSEHOLD))
    ledger.expect(C.id_already_failed, payment("3"))
    ledger.expect(C.applied, make.transfer("5", leg(CLEARING, "A", flags=LEG_PENDING | LEG_CLOSING_DEBIT)))
    ledger.expect(C.debit_account_already_closed, payment("6"))
    ledger.expect(C.applied, make.close("7", HOUSEHOLD))
    assert [entry["leg_count"] for entry in ledger.entries(3)] == [0, 0, 1, 1, 1, 1, 1]


def test_a_date_is_closed_at_zero_only_for_its_channel_only_and_for_good(ledger):
    ledger.expect(C.applied, payment("1"))
    ledger.expect(C.balance_not_zero, make.close("2", CLEARING))
    ledger.expect(C.applied, make.transfer("3", leg("A", CLEARING, 100)))
    ledger.expect(C.applied, make.transfer("4", leg("A", CLEARING, flags=LEG_PENDING | LEG_CLOSING_CREDIT)))
    ledger.expect(C.debit_account_already_closed, payment("5"))
    ledger.expect(C.applied, make.void("6", Named("4")))
    ledger.expect(C.applied, make.close("7", CLEARING))
    for again in (payment("1"), payment("5"), payment("8")):
        ledger.expect(C.business_date_closed, again)
    ledger.expect(C.applied, encode_packed(replace(EXAMPLE_PAYMENT, channel="one_stop", serial="1", business_date=DAY)))
    ledger.expect(C.exists_with_different_flags, make.open_account("9", CLEARING))
    ledger.expect(C.business_date_closed, payment("10"))


def test_a_date_without_payments_is_closed_by_opening_its_account_closed(ledger):
    ledger.expect(C.applied, make.open_account("1", CLEARING, flags=ACCOUNT_CLOSED))
    ledger.expect(C.business_date_closed, payment("2"))


def test_payments_are_held_against_the_limits_of_their_accounts(ledger):
    ledger.expect(C.applied, make.open_account("1", CLEARING, flags=ACCOUNT_DEBITS_MUST_NOT_EXCEED_CREDITS, line_fen=150))
    ledger.expect(C.applied, payment("2"))
    ledger.expect(C.credit_line_exceeded, payment("3"))
    ledger.expect(C.applied, payment("4", 50))


def test_a_payment_stays_in_its_book_and_opens_nothing_where_it_is_refused(ledger):
    ledger.expect(C.applied, make.open_account("1", HOUSEHOLD, book=2))
    ledger.expect(C.accounts_must_have_the_same_ledger, payment("2"))
    assert CLEARING not in ledger.model.accounts
    ledger.expect(C.applied, make.open_account("3", CLEARING, book=2))
    ledger.expect(C.transfer_must_have_the_same_ledger_as_accounts, payment("2"))


def test_a_payment_can_be_reversed_and_keeps_its_outlet(ledger):
    ledger.expect(C.applied, payment("1"))
    ledger.expect(C.applied, make.reverse("2", Named(parse_serial("1", SerialForm.digits), channel=13)))
    paid, reversing = ledger.entries(5)
    assert (reversing["debit_slot"], reversing["credit_slot"]) == (paid["credit_slot"], paid["debit_slot"])
    assert (reversing["code"], reversing["detail"], reversing["reference_seq"]) == (paid["code"], paid["detail"], 6)
    assert ledger.model.trial_balance() == 0


def test_an_adjustment_moves_its_amount_names_the_event_in_dispute_and_is_followed_by_its_note():
    ledger = Ledger()
    ledger.expect(C.applied, make.transfer("pay", leg("A", "B", 100)))
    ledger.expect(C.applied, make.adjust("back", "B", "A", 30, disputed=Named("pay"), allowed_by=("Li", "王"), reason="r" * 30))
    moved, *notes = ledger.entries(since=4)
    assert (moved["kind"], moved["amount_fen"], moved["reference_seq"], moved["code"]) == (
        EntryKind.transfer,
        30,
        4,
        EntryCode.adjust,
    )
    assert [(entry["kind"], entry["leg"], entry["amount_fen"], entry["debit_slot"]) for entry in notes] == [
        (EntryKind.note, 1, 0, NO_SLOT),
        (EntryKind.note, 2, 0, NO_SLOT),
    ]
    assert {entry["leg_count"] for entry in (moved, *notes)} == {3}
    texts = [JOURNAL_NOTE.unpack(entry) for entry in ledger.model.entries[5:]]
    text = b"".join(note["text"] + note["more_text"] for note in texts)
    assert text == b"\2\2Li\3" + "王".encode() + b"\x1e" + (b"r" * 30).ljust(64 - 9, b"\0")
    assert ledger.balance("B") == (0, 30, 0, 100)
    ledger.expect(C.not_reversible, make.reverse("undo", Named("back")))
