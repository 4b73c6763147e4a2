"""The engine makes of ledger events what the oracle makes, whatever the batching, the restarts and the rebuilds."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.layouts import OUTCOME_RECORD
from ledger.model import Model
from ledger.model_events import LEG_PENDING
from ledger.outcomes import OutcomeCode
from tests.ledger_events import NOON_MS, Named, account, clock, leg, open_account, post, transfer
from tests.random_ledger import PARAMETERS, RandomLedger
from tests.shadow import ShadowedEngine

EVENTS = 20_000
EVENTS_A_BLOCK = 500
NEVER_FOUND = {OutcomeCode.reserved_flag, OutcomeCode.overflows_timeout}  # by the decoder; by no clock

sizes = st.lists(st.integers(1, 12), min_size=1, max_size=4)
steps = st.one_of(
    st.tuples(st.sampled_from(["apply", "apply", "damaged"]), sizes),
    st.tuples(st.sampled_from(["restart", "crash", "rebuild", "compare"]), st.none()),
)


def run_steps(pair: ShadowedEngine, ledger: RandomLedger, script: list[tuple[str, list[int] | None]]) -> None:
    for name, batches in script:
        if batches is None:
            getattr(pair, name)()
        else:
            pair.apply([list(ledger.records(size)) for size in batches], damaged=name == "damaged")
    pair.compare()


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(chance=st.randoms(use_true_random=False), script=st.lists(steps, min_size=1, max_size=12))
def test_engine_and_oracle_agree_on_any_ledger_events(chance, script):
    with tempfile.TemporaryDirectory() as directory:
        pair = ShadowedEngine(Path(directory), PARAMETERS)
        try:
            run_steps(pair, RandomLedger(chance, pair.model), script)
        finally:
            pair.close()


def test_holds_settled_in_any_order_leave_the_others_to_expire_in_theirs(tmp_path):
    chance = Random(3)
    pair = ShadowedEngine(tmp_path, PARAMETERS)
    opened = [open_account("open A", "A"), open_account("open B", "B")]
    holds = [
        transfer(f"hold {at}", leg(amount_fen=1, flags=LEG_PENDING, timeout_s=chance.randrange(1, 300))) for at in range(500)
    ]
    settled = [post(f"post {at}", Named(f"hold {at}")) for at in chance.sample(range(500), 300)]
    try:
        pair.apply([[(NOON_MS, value) for value in (*opened, *holds, *settled)]], damaged=False)
        for elapsed_ms in (90_000, 90_001, 300_000):
            pair.apply([[(NOON_MS + elapsed_ms, clock(f"at {elapsed_ms}"))]], damaged=False)
        pair.compare()
        assert pair.model.accounts[account("A")].debits_pending == 0
    finally:
        pair.close()


@pytest.mark.parametrize("seed", [1])
def test_engine_and_oracle_agree_on_twenty_thousand_ledger_events_across_restarts(tmp_path, seed):
    chance = Random(seed)
    pair = ShadowedEngine(tmp_path, PARAMETERS)
    between: list[Callable[[], None]] = [pair.restart, pair.crash, pair.rebuild, *[lambda: None] * 3]
    ledger = RandomLedger(chance, pair.model)
    try:
        for _ in range(0, EVENTS, EVENTS_A_BLOCK):
            first = chance.randrange(1, EVENTS_A_BLOCK)
            run_steps(pair, ledger, [("apply", [first, EVENTS_A_BLOCK - first])])
            chance.choice(between)()
        pair.compare()
    finally:
        pair.close()


def test_the_random_events_reach_every_refusal():
    """Otherwise the comparison above would say nothing about it."""
    model = Model(parameters=PARAMETERS)
    for offset, (timestamp_ms, value) in enumerate(RandomLedger(Random(2), model).records(EVENTS)):
        model.apply_record(value, offset, timestamp_ms)
    found = {OUTCOME_RECORD.unpack(outcome.record)["code"] for outcome in model.outcomes}
    assert {code for code in OutcomeCode if code > 100} - NEVER_FOUND == {code for code in found if code > 100}
    assert model.trial_balance() == 0
    assert model.events_applied > EVENTS // 5
