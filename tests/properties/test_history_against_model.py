"""The past, read from the journal by the links of an account, is what the oracle works out from all entries."""

import tempfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import model_history
from ledger.history import History, PastBalance
from ledger.layouts import EntryKind
from ledger.model import Model
from ledger.model_history import Balance
from ledger.projections.trial_balance import trial_balance
from ledger.statements import Cursor, Filter, StatementLine
from tests.ledger_events import TODAY
from tests.random_ledger import PARAMETERS, RandomLedger
from tests.shadow import ShadowedEngine

EPOCH = date(1970, 1, 1)
ACCOUNTS_LOOKED_AT = 4

sizes = st.lists(st.integers(1, 12), min_size=1, max_size=4)
steps = st.lists(st.tuples(sizes, st.sampled_from(["compare", "restart", "crash", "rebuild"])), min_size=1, max_size=5)


def plain(balance: PastBalance | None) -> Balance | None:
    return None if balance is None else Balance(*balance.sums)


def day(days: int) -> date:
    return EPOCH + timedelta(days=days)


def check_balances(history: History, model: Model, chance: Random) -> None:
    seq, value_date = chance.randint(0, model.last_seq), chance.randint(TODAY - 7, TODAY + 12)
    known = model_history.balances_at(model.entries, seq)
    of_date = model_history.balances_of_value_date(model.entries, value_date, seq)
    now, then = history.moment(seq=seq), history.moment(seq=seq, value_date=day(value_date))
    for id_ in model.accounts:
        assert plain(history.balance(id_, now)) == known.get(id_)
        assert plain(history.balance(id_, then)) == of_date.get(id_)


def check_trial_balance(history: History, model: Model, chance: Random) -> None:
    seq, value_date = chance.randint(0, model.last_seq), chance.randint(TODAY - 7, TODAY + 12)
    known = model_history.balances_at(model.entries, seq)
    of_date = model_history.balances_of_value_date(model.entries, value_date, seq)
    for moment, balances in ((history.moment(seq=seq), known), (history.moment(seq=seq, value_date=day(value_date)), of_date)):
        found = history.trial_balance(moment)
        assert found.is_balanced
        assert {one.book: Balance(*one.sums) for one in found.books} == model_history.trial_balance(model.entries, balances)
        assert sum(one.accounts for one in found.kinds) == len(balances)
    now = trial_balance(history.balances)
    assert now == history.trial_balance(history.moment())


def check_times(history: History, model: Model, chance: Random) -> None:
    times = [model.state.entry(chance.randint(1, model.last_seq))["ledger_time_ms"] for _ in range(5)]
    for time_ms in (0, 2**62, *times, *(time - 1 for time in times)):
        assert history.moment(ledger_time_ms=time_ms).seq == model_history.seq_at(model.entries, time_ms)


def random_filter(model: Model, chance: Random) -> Filter:
    """Return a filter that looks for what some entry has, most often in one field only."""
    like = model.state.entry(chance.randint(1, model.last_seq))
    days, seqs = (
        sorted(chance.choices(range(TODAY - 3, TODAY + 4), k=2)),
        sorted(chance.choices(range(1, model.last_seq + 1), k=2)),
    )
    times = sorted(model.state.entry(seq)["ledger_time_ms"] for seq in seqs)
    fields: dict[str, Any] = {
        "code": like["code"],
        "channel": like["channel"],
        "counter_slot": like["credit_slot"] % (1 << 16),
        "value_dates": (day(days[0]), day(days[1])),
        "seqs": tuple(seqs),
        "ledger_times_ms": tuple(times),
        "openings": False,
    }
    return Filter(**{name: value for name, value in fields.items() if chance.randrange(4) == 0})


def passes(wanted: Filter, seq: int, entry: dict[str, Any], slot: int) -> bool:
    counter_slot = entry["credit_slot" if entry["debit_slot"] == slot else "debit_slot"]
    return (
        wanted.code in (None, entry["code"])
        and wanted.channel in (None, entry["channel"])
        and wanted.counter_slot in (None, counter_slot)
        and wanted.value_dates[0] <= day(entry["value_date"]) <= wanted.value_dates[1]
        and wanted.seqs[0] <= seq <= wanted.seqs[1]
        and wanted.ledger_times_ms[0] <= entry["ledger_time_ms"] <= wanted.ledger_times_ms[1]
        and (wanted.openings or entry["kind"] != EntryKind.open_account)
    )


def lines_of(history: History, account: int, wanted: Filter, limit: int, *, oldest_first: bool) -> Iterator[StatementLine]:
    cursor: Cursor | None = None
    has_more = True
    while has_more:
        page = history.statement(account, limit=limit, oldest_first=oldest_first, cursor=cursor, wanted=wanted)
        yield from page.lines
        cursor, has_more = page.cursor, page.has_more


def check_statements(history: History, model: Model, chance: Random) -> None:
    for id_ in chance.sample(list(model.accounts), min(ACCOUNTS_LOOKED_AT, len(model.accounts))):
        wanted, limit = random_filter(model, chance), chance.choice([1, 2, 5, 50])
        slot = model.accounts[id_].slot
        lines = model_history.statement(model.entries, id_, model.last_seq)
        expected = [(seq, entry) for seq, entry in lines if passes(wanted, seq, entry, slot)]
        for oldest_first in (False, True):
            found = list(lines_of(history, id_, wanted, limit, oldest_first=oldest_first))
            in_order = expected if oldest_first else expected[::-1]
            assert [(line.seq, line.kind, line.serial) for line in found] == [
                (seq, entry["kind"], entry["serial"]) for seq, entry in in_order
            ]
            for line in found:
                assert Balance(*line.sums) == model_history.balances_at(model.entries, line.seq)[id_]


def check_past(pair: ShadowedEngine, chance: Random) -> None:
    """Compare what a reader of the files answers with the oracle."""
    if not pair.model.entries:
        return
    assert pair.engine.wait_durable()
    assert pair.engine.wait_projected()
    history = History(pair.shard)
    check_balances(history, pair.model, chance)
    check_trial_balance(history, pair.model, chance)
    check_times(history, pair.model, chance)
    check_statements(history, pair.model, chance)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(chance=st.randoms(use_true_random=False), script=steps)
def test_history_and_oracle_agree_on_any_ledger(chance, script):
    with tempfile.TemporaryDirectory() as directory:
        pair = ShadowedEngine(Path(directory), PARAMETERS)
        ledger = RandomLedger(chance, pair.model)
        try:
            for batches, between in script:
                pair.apply([list(ledger.records(size)) for size in batches])
                check_past(pair, chance)
                getattr(pair, between)()
            check_past(pair, chance)
        finally:
            pair.close()


@pytest.mark.parametrize("seed", [1])
def test_history_and_oracle_agree_on_a_longer_ledger_across_restarts(tmp_path, seed):
    chance = Random(seed)
    pair = ShadowedEngine(tmp_path, PARAMETERS)
    ledger = RandomLedger(chance, pair.model)
    try:
        for between in (pair.restart, pair.crash, pair.rebuild):
            pair.apply([list(ledger.records(500))])
            check_past(pair, chance)
            between()
    finally:
        pair.close()
