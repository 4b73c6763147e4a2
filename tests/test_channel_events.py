"""What the posting rules of the fourteen channels do, in the words of docs/channels.md; run by the oracle."""

import re
from datetime import date
from pathlib import Path

import msgspec
import pytest

from ledger.account_ids import parse_account
from ledger.events import EventName, HoldName, OpenAccount, Post, Reverse, Void, encode_json
from ledger.model import Model
from ledger.outcomes import OutcomeCode

NOON_MS = 1_784_779_200_000
DAY_MS = 86_400_000
PAGE = (Path(__file__).parent.parent / "docs" / "channels.md").read_text()
EXAMPLES = re.findall(r"^```json\n(.*?)^```$", PAGE, re.M | re.S)


class Ledger:
    """A model that is told events as dictionaries."""

    def __init__(self):
        self.model = Model()
        self.now_ms = NOON_MS

    def apply(self, value):
        line = value if isinstance(value, bytes) else msgspec.json.encode(value)
        return self.model.apply_record(line, self.model.next_offset, self.now_ms)

    def balance(self, account):
        found = self.model.accounts[parse_account(account)]
        return found.debits_posted - found.credits_posted


def event(type_, channel, serial, amount_fen=100, day="2026-07-23", **fields):
    if type_ == "payment":
        fields = {"household": "3301234567890"} | fields
    return {"type": type_, "channel": channel, "business_date": day, "serial": serial, "amount_fen": amount_fen} | fields


def test_the_examples_of_the_page_do_what_the_page_says():
    till, card, bank = (Ledger() for _ in range(3))
    assert {till.apply(line.encode()) for line in EXAMPLES[0].splitlines()} == {OutcomeCode.applied}
    assert (till.balance("till:00000007"), till.balance("over_short:00520260723")) == (0, 50)
    outcomes = [card.apply(line.encode()) for line in EXAMPLES[1].splitlines()]
    assert outcomes == [OutcomeCode.applied, OutcomeCode.applied, OutcomeCode.exceeds_credits]
    instructed, confirmed = (line.encode() for line in EXAMPLES[2].splitlines())
    assert bank.apply(instructed) is OutcomeCode.applied
    assert bank.balance("household:3301234567890") == 0
    assert bank.apply(confirmed) is OutcomeCode.applied
    assert bank.balance("household:3301234567890") == -20000


def test_a_count_books_what_is_over_or_short_or_nothing():
    ledger = Ledger()
    ledger.apply(event("open_float", "business_hall", "1", 500, payer="7"))
    for serial, counted, over_short in (("2", 470, 30), ("3", 520, -20), ("4", 520, -20), ("5", 0, 500)):
        assert ledger.apply(event("count_float", "business_hall", serial, counted, payer="7")) is OutcomeCode.applied
        assert ledger.balance("till:00000007") == counted
        assert ledger.balance("over_short:00520260723") == over_short
    again = event("count_float", "business_hall", "2", 470, payer="7")
    assert ledger.apply(again) is OutcomeCode.exists
    assert ledger.apply(again | {"amount_fen": 471}) is OutcomeCode.exists_with_different_amount
    assert ledger.apply(again | {"payer": "8"}) is OutcomeCode.exists_with_different_debit_account_id


def test_a_float_pays_out_no_more_than_it_took():
    ledger = Ledger()
    payment = event("payment", "business_hall", "1", 500, payer="7")
    assert ledger.apply(payment) is OutcomeCode.applied
    assert ledger.apply(event("bank_float", "business_hall", "2", 501, payer="7")) is OutcomeCode.exceeds_debits
    assert ledger.apply(event("bank_float", "business_hall", "3", 500, payer="7")) is OutcomeCode.applied
    reversal = Reverse("business_hall", date(2026, 7, 23), "4", original=EventName("business_hall", date(2026, 7, 23), "1"))
    assert ledger.apply(encode_json(reversal)) is OutcomeCode.exceeds_debits


def test_a_deposit_pays_up_to_its_credit_line():
    ledger = Ledger()
    opened = OpenAccount(
        "ledger", date(2026, 7, 23), "1", account="agency:00000042", flags=("debits_must_not_exceed_credits",), credit_line_fen=50
    )
    assert ledger.apply(encode_json(opened)) is OutcomeCode.applied
    assert ledger.apply(event("top_up", "agency_outlet", "1", 100, payee="42")) is OutcomeCode.applied
    assert ledger.apply(event("payment", "agency_outlet", "2", 150, payer="42")) is OutcomeCode.applied
    assert ledger.apply(event("payment", "agency_outlet", "3", 1, payer="42")) is OutcomeCode.credit_line_exceeded
    assert ledger.apply(event("payment", "agency_outlet", "4", 1, payer="43")) is OutcomeCode.exceeds_credits


def test_an_instruction_is_refused_or_expires_and_pays_nothing():
    ledger = Ledger()
    day = date(2026, 7, 23)
    for serial in "123":
        assert ledger.apply(event("payment", "bank_card_debit", serial)) is OutcomeCode.applied
    hold = HoldName("bank_card_debit", day, "1")
    assert ledger.apply(encode_json(Void("bank_card_debit", day, "11", pending=hold))) is OutcomeCode.applied
    late = encode_json(Post("bank_card_debit", day, "12", pending=hold))
    assert ledger.apply(late) is OutcomeCode.pending_transfer_already_voided
    ledger.now_ms += 2 * DAY_MS
    expired = encode_json(Post("bank_card_debit", day, "13", pending=HoldName("bank_card_debit", day, "2")))
    assert ledger.apply(expired) is OutcomeCode.pending_transfer_expired
    assert ledger.balance("household:3301234567890") == 0


def test_a_kiosk_takes_cash_or_cards_and_tops_up():
    ledger = Ledger()
    cash = event("payment", "self_service_kiosk", "1", payer="17")
    assert ledger.apply(cash) is OutcomeCode.applied
    assert ledger.apply(event("payment", "self_service_kiosk", "2", terminal="card")) is OutcomeCode.applied
    assert ledger.apply(event("top_up", "self_service_kiosk", "3", payee="6222020001", payer="17")) is OutcomeCode.applied
    assert ledger.apply(event("top_up", "self_service_kiosk", "4", payee="6222020001", terminal="card")) is OutcomeCode.applied
    assert ledger.balance("till:0000000017") == 200
    assert ledger.balance("card:0000006222020001") == -200
    assert ledger.balance("clearing:01120260723") == 200
    assert ledger.apply(cash | {"terminal": "cash"}) is OutcomeCode.exists


WRONG = [
    (event("payment", "alipay", "1", payer="1"), "payer_malformed"),
    (event("payment", "recharge_card", "1"), "payer_malformed"),
    (event("payment", "agency_outlet", "1", payer="123456789"), "payer_malformed"),
    (event("payment", "agency_outlet", "1", payer="x"), "payer_malformed"),
    (event("payment", "unionpay_pos", "1", terminal="wired"), "terminal_unknown"),
    (event("payment", "unionpay_pos", "1", terminal=""), "terminal_unknown"),
    (event("payment", "alipay", "1", terminal="app"), "terminal_unknown"),
    (event("payment", "atm", "1", 2_000_001), "amount_outside_limits"),
    (event("top_up", "recharge_card", "1", payee="0"), "payee_malformed"),
    (event("top_up", "recharge_card", "1", payee="12345678901234567"), "payee_malformed"),
    (event("top_up", "recharge_card", "1", payee="1", payer="1"), "payer_malformed"),
    (event("top_up", "alipay", "1", payee="1"), "channel_unknown"),
    (event("open_float", "self_service_kiosk", "1", payer="1", terminal="card"), "terminal_unknown"),
    (event("count_float", "business_hall", "1", -1, payer="1"), "amount_not_positive"),
]


@pytest.mark.parametrize(("wrong", "code"), WRONG, ids=[f"{wrong['channel']} {code}" for wrong, code in WRONG])
def test_an_event_that_does_not_fit_its_profile_is_refused(wrong, code):
    assert Ledger().apply(wrong) is OutcomeCode[code]


def test_a_known_key_with_another_terminal_is_told():
    ledger = Ledger()
    payment = event("payment", "unionpay_pos", "1")
    assert ledger.apply(payment) is OutcomeCode.applied
    assert ledger.apply(payment | {"terminal": "fixed"}) is OutcomeCode.exists
    assert ledger.apply(payment | {"terminal": "wireless"}) is OutcomeCode.exists_with_different_terminal
