"""Cards whose time is over: which they are, and the events that take what is left of them and close them."""

import hashlib
from base64 import b32encode
from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

from ledger.channel_profile import Channel
from ledger.event_structs import Close, Event, Leg, OpenAccount, Transfer
from ledger.history import History

EXPIRY_CODE = 102  # of the entries that take what is left
_PAGE_LINES = 16


class ExpiredCard(NamedTuple):
    """A card that is open, and was last topped up so long ago that it is no longer valid. ``left_fen`` is still on it."""

    account: str
    last_top_up: date
    top_up_seq: int
    left_fen: int


def expired_cards(history: History, channel: Channel, on: date) -> Iterator[ExpiredCard]:
    """Yield the cards of ``channel`` in a shard that are no longer valid ``on`` a day; one of which something is held waits.

    Reads the entries of each open card back to its last top-up.
    """
    patterns = {rule.payer for rule in channel.rules if rule.funds == "stored_value" and rule.payer}
    for kind in sorted({pattern.kind for pattern in patterns}):
        digits = {pattern.digits for pattern in patterns if pattern.kind == kind}
        for balance in history.balances.items_of(kind):
            if balance.is_closed or balance.pending_fen or len(balance.account.partition(":")[2]) not in digits:
                continue
            found = _last_top_up(history, balance.account)
            if found and found[0] + timedelta(channel.valid_days) < on:
                yield ExpiredCard(balance.account, *found, -balance.balance_fen)


def _last_top_up(history: History, account: str) -> tuple[date, int] | None:
    """Return value date and seq of the newest entry that credited a card."""
    page = history.statement(account, limit=_PAGE_LINES)
    while True:
        for line in page.lines:
            if line.credit_fen > 0:
                return line.value_date, line.seq
        if not page.has_more:
            return None
        page = history.statement(account, limit=_PAGE_LINES, cursor=page.cursor)


def expiry_events(card: ExpiredCard, channel: Channel, day: date) -> list[Event]:
    """Return what expires a card, in order. The serials follow from the card and its last top-up, so nothing moves twice.

    What is left is moved by a balancing leg, so it is as much as there is when it is applied.
    """
    named = _digest(f"{card.account} {card.top_up_seq}")
    account = channel.expired_account
    opening = OpenAccount("ledger", day, f"O{_digest(account)}", account=account)
    leg = Leg(debit=card.account, credit=account, code=EXPIRY_CODE, flags=("balancing_debit",))
    taking: list[Event] = [opening, Transfer("ledger", day, f"E{named}", legs=(leg,))] if card.left_fen else []
    return [*taking, Close("ledger", day, f"C{named}", account=card.account)]


def _digest(text: str) -> str:
    return b32encode(hashlib.sha256(text.encode()).digest())[:15].decode()
