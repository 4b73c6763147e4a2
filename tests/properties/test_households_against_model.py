"""The bills of any ledger's households, read from the journal, are those of the oracle's entries, and fit its balances."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import model_history
from ledger.account_ids import AccountKind
from ledger.bills import LATE_CHARGE, LateChargeRule, bills_of, posting_of
from ledger.event_fields import format_date
from ledger.events import Bill, Event, EventName, Leg, Payment, Reverse, Transfer, encode_packed
from ledger.history import History
from ledger.households import HouseholdReader, Owed, household_bills
from ledger.model import Model
from tests.ledger_events import NOON_MS, TODAY
from tests.random_ledger import PARAMETERS, RandomLedger
from tests.shadow import ShadowedEngine

NUMBER = (1 << 112) - 1
RULE = LateChargeRule(permille=3)


def check_household(history: History, model: Model, id_: int, seq: int, day: int) -> None:
    number, slot = f"{id_ & NUMBER:013d}", model.accounts[id_].slot
    known = [posting_of(at, model.entries[at - 1], slot) for at, _ in model_history.statement(model.entries, id_, seq)]
    postings = [one for one in known if one]
    of_day = household_bills(history, number, RULE, moment=history.moment(seq=seq, value_date=format_date(day)))
    assert (of_day.seq, of_day.day) == (seq, format_date(day))
    assert of_day.bills == bills_of(postings, RULE, day, last_value_date=day)
    then = household_bills(history, number, RULE, moment=history.moment(seq=seq)).bills
    balance = model_history.balances_at(model.entries, seq)[id_]
    assert then.owed_fen - then.prepaid_fen == balance.debits_posted - balance.credits_posted


def check_owed(data: Path, model: Model, id_: int) -> None:
    balance = model_history.balances_at(model.entries, model.last_seq)[id_]
    owed_fen = balance.debits_posted - balance.credits_posted
    expected = Owed(max(0, owed_fen), max(0, -owed_fen), balance.credits_pending)
    assert HouseholdReader(data).owed(f"{id_ & NUMBER:013d}") == expected


def check_all(pair: ShadowedEngine, chance: Random) -> None:
    if not pair.model.entries:
        return
    assert pair.engine.wait_projected()
    history = History(pair.shard)
    for id_ in [id_ for id_ in pair.model.accounts if id_ >> 120 == AccountKind.household]:
        opened = model_history.statement(pair.model.entries, id_, pair.model.last_seq)[0][0]
        seq = chance.randint(opened, pair.model.last_seq)
        check_household(history, pair.model, id_, seq, chance.randint(TODAY - 7, TODAY + 12))
        check_owed(pair.directory, pair.model, id_)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(chance=st.randoms(use_true_random=False), sizes=st.lists(st.integers(1, 60), min_size=1, max_size=4))
def test_households_of_any_ledger_fit_the_oracle(chance, sizes):
    with tempfile.TemporaryDirectory() as directory:
        pair = ShadowedEngine(Path(directory), PARAMETERS)
        try:
            ledger = RandomLedger(chance, pair.model)
            pair.apply([list(ledger.records(size)) for size in sizes])
            check_all(pair, chance)
        finally:
            pair.close()


def household_events(chance: Random, count: int) -> Iterator[Event]:
    """Yield bills, payments and booked charges of two households, and reversals of any of them, with any value date."""
    named: list[EventName] = []
    for number in range(1, count + 1):
        value_date = format_date(TODAY + chance.randint(-6, 6))
        common = {"business_date": format_date(TODAY), "serial": f"{number}", "value_date": value_date}
        household, amount_fen = f"330000000000{chance.randrange(2)}", chance.randint(1, 3000)
        due = TODAY + chance.randint(-6, 3)
        kind = chance.choice(["bill", "payment", "payment", "charge", "reverse"])
        if kind == "reverse" and named:
            yield Reverse(channel="ledger", **common, original=chance.choice(named), amount_fen=chance.choice([0, 1]))
            continue
        channel = {"bill": "billing", "charge": "ledger"}.get(kind, "alipay")
        named.append(EventName(channel=channel, business_date=common["business_date"], serial=f"{number}"))
        if kind == "bill":
            fields = {"household": household, "amount_fen": amount_fen, "period": "2026-06", "due_date": format_date(due)}
            yield Bill(channel=channel, **common, **fields)
        elif kind == "charge":
            accounts = {"debit": f"household:{household}", "credit": "revenue:00001"}
            leg = Leg(**accounts, amount_fen=amount_fen % 9, code=LATE_CHARGE, user_data=due << 32 | 202606)
            yield Transfer(channel=channel, **common, legs=[leg])
        else:
            yield Payment(channel=channel, **common, household=household, amount_fen=amount_fen)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(chance=st.randoms(use_true_random=False), count=st.integers(1, 60))
def test_households_that_are_charged_and_reversed_fit_the_oracle(chance, count):
    with tempfile.TemporaryDirectory() as directory:
        pair = ShadowedEngine(Path(directory), PARAMETERS)
        try:
            pair.apply([[(NOON_MS, encode_packed(event)) for event in household_events(chance, count)]])
            check_all(pair, chance)
        finally:
            pair.close()
