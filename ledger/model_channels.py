"""The posting rules: the leg of a bill, a payment, a top-up, or of what happens to a float; docs/channels.md has the table."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from ledger.account_ids import AccountKind, account_id, clearing_account, over_short_account, revenue_account
from ledger.channel_profile import Numbered, PostingRule
from ledger.layouts import EntryCode, EventType
from ledger.model_events import BOOK, LEG_PENDING, Event, Leg, require
from ledger.model_state import (
    ACCOUNT_CREDITS_MUST_NOT_EXCEED_DEBITS,
    ACCOUNT_DEBITS_MUST_NOT_EXCEED_CREDITS,
    GREATEST_BALANCE,
    Account,
)
from ledger.outcomes import OutcomeCode

EPOCH = date(1970, 1, 1)
Side = tuple[int, int]  # an account, and the flags that it opens with


def posting_leg(event: Event, account_of: Callable[[int], Account | None]) -> Leg:
    """Return the leg that an event without legs of its own stands for. Raises Refused where a count would not fit 64 bits."""
    assert event.rule
    head, rule = event.head, event.rule
    match event.type:
        case EventType.bill:
            return _leg(household(head), (revenue_account(BOOK), 0), head, EntryCode.bill, head["detail"])
        case EventType.payment:
            leg = _leg(payer(head, rule), household(head), head, EntryCode.payment, head["detail"])
            return replace(leg, flags=LEG_PENDING, timeout_s=rule.timeout_s) if rule.funds == "two_phase" else leg
        case EventType.top_up:
            source = payer(head, rule) if rule.funds == "float" else clearing(head)
            return _leg(source, payee(head, rule), head, EntryCode.top_up, head["household"])
        case EventType.open_float:
            return _leg(payer(head, rule), clearing(head), head, EntryCode.open_float)
        case EventType.bank_float:
            return _leg(clearing(head), payer(head, rule), head, EntryCode.bank_float)
        case _:
            return count_leg(head, rule, account_of)


def _leg(debit: Side, credit: Side, head: dict[str, Any], code: EntryCode, user_data: int = 0) -> Leg:
    return Leg(
        debit[0],
        credit[0],
        head["amount_fen"],
        user_data,
        book=BOOK,
        code=code,
        debit_opens_with=debit[1],
        credit_opens_with=credit[1],
    )


def household(head: dict[str, Any]) -> Side:
    return account_id(AccountKind.household, f"{head['household']:013d}"), 0


def clearing(head: dict[str, Any]) -> Side:
    """What the channel owes for the business date."""
    return clearing_account(head["channel"], business_date(head)), 0


def business_date(head: dict[str, Any]) -> date:
    return EPOCH + timedelta(days=head["business_date"])


def payer(head: dict[str, Any], rule: PostingRule) -> Side:
    """Whose money it is. A float must not pay out more than it took; a card or deposit must not pay more than it got."""
    if rule.payer is None:
        return clearing(head)
    is_float = rule.funds == "float"
    flags = ACCOUNT_CREDITS_MUST_NOT_EXCEED_DEBITS if is_float else ACCOUNT_DEBITS_MUST_NOT_EXCEED_CREDITS
    return numbered(rule.payer, head["payer"]), flags


def payee(head: dict[str, Any], rule: PostingRule) -> Side:
    assert rule.payee
    return numbered(rule.payee, head["detail"]), ACCOUNT_DEBITS_MUST_NOT_EXCEED_CREDITS


def numbered(accounts: Numbered, number: int) -> int:
    return account_id(accounts.kind, f"{number:0{accounts.digits}d}")


def count_leg(head: dict[str, Any], rule: PostingRule, account_of: Callable[[int], Account | None]) -> Leg:
    """Return the leg that makes the float what was counted: over is credited to the channel's account for it, short debited."""
    till = payer(head, rule)
    known = account_of(till[0]) or Account(till[0], slot=-1)
    over_fen = head["amount_fen"] + known.credits_posted - known.debits_posted
    require(over_fen <= GREATEST_BALANCE, OutcomeCode.overflows_debits_posted)
    over_short = over_short_account(head["channel"], business_date(head)), 0
    debit, credit = (till, over_short) if over_fen >= 0 else (over_short, till)
    leg = _leg(debit, credit, head, EntryCode.count_float, head["amount_fen"])
    return replace(leg, amount_fen=abs(over_fen))
