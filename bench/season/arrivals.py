"""Events as they arrive, and what must become of them: of retries, of payments from an empty deposit, of answers to nothing."""

import heapq
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from ledger.channels import BUILT_IN_CHANNELS
from ledger.events import BankFloat, CountFloat, Event, OpenFloat, Payment, Reverse, TopUp
from ledger.outcomes import TRANSIENT, OutcomeCode

_RULES = {(channel.name, rule.terminal): rule.funds for channel in BUILT_IN_CHANNELS for rule in channel.rules}
_FUNDS = {channel.name: channel.rules[0].funds for channel in BUILT_IN_CHANNELS}
_SHORT_OF = {"stored_value", "prefunded"}


@dataclass(slots=True)
class Arrival:
    """One record: an event at a time, under a record key.

    ``repeats`` is what a retry repeats, ``names`` what an answer or a reversal names. ``wrong`` is what it is bound to be refused
    with. ``outcome`` is what must become of it, known once it has arrived.
    """

    time_ms: int
    key: str | None
    event: Event
    repeats: "Arrival | None" = None
    names: "Arrival | None" = None
    wrong: OutcomeCode | None = None
    outcome: OutcomeCode | None = None


class Purses:
    """What cards, deposits, tills and machines hold, in fen, by funds model and number, as far as events have arrived."""

    def __init__(self) -> None:
        self._held = defaultdict[tuple[str, str], int](int)

    def held(self, funds: str, number: str) -> int:
        return self._held[funds, number]

    def take(self, arrival: Arrival) -> OutcomeCode:
        """Return what must become of an arrival, and do to the purses what it does."""
        event, named = arrival.event, arrival.names
        if arrival.wrong:
            return arrival.wrong
        if arrival.repeats:
            return _repeated(arrival.repeats.outcome)
        if named and named.outcome is not OutcomeCode.applied:
            return OutcomeCode.reversal_not_found if isinstance(event, Reverse) else OutcomeCode.pending_transfer_not_found
        if isinstance(event, Payment | TopUp | OpenFloat | CountFloat | BankFloat):
            return self._move(event)
        return OutcomeCode.applied

    def _move(self, event: Payment | TopUp | OpenFloat | CountFloat | BankFloat) -> OutcomeCode:
        funds = funds_of(event.channel, event.terminal)
        purse = (funds, event.payer or "")
        if isinstance(event, TopUp):
            kind = "prefunded" if funds == "prefunded" else "stored_value"
            self._held[kind, event.payee] += event.amount_fen
        if isinstance(event, CountFloat):
            self._held[purse] = event.amount_fen
        elif isinstance(event, BankFloat) or (isinstance(event, Payment) and funds in _SHORT_OF):
            if self._held[purse] < event.amount_fen:
                return OutcomeCode.exceeds_debits if isinstance(event, BankFloat) else OutcomeCode.exceeds_credits
            self._held[purse] -= event.amount_fen
        elif funds == "float":
            self._held[purse] += event.amount_fen
        return OutcomeCode.applied


def funds_of(channel: str, terminal: str | None) -> str:
    """Return the funds model of a kind of terminal of a channel, of the first where none is named."""
    return _RULES[channel, terminal] if terminal else _FUNDS[channel]


def _repeated(first: OutcomeCode | None) -> OutcomeCode:
    assert first is not None, "a retry never arrives before what it repeats"
    if first is OutcomeCode.applied:
        return OutcomeCode.exists
    return OutcomeCode.id_already_failed if first in TRANSIENT else first


class Arrivals:
    """What is under way. It is given out in the order of its times, and of its planning where times are the same."""

    def __init__(self) -> None:
        self.purses = Purses()
        self._under_way: list[tuple[int, int, Arrival]] = []
        self._planned = 0

    def plan(self, arrival: Arrival) -> None:
        self._planned += 1
        heapq.heappush(self._under_way, (arrival.time_ms, self._planned, arrival))

    def until(self, end_ms: int) -> Iterator[Arrival]:
        """Yield what arrives before a time, with its outcome."""
        while self._under_way and self._under_way[0][0] < end_ms:
            arrival = heapq.heappop(self._under_way)[2]
            arrival.outcome = self.purses.take(arrival)
            yield arrival
