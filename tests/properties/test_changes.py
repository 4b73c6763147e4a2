"""What is told of entries and balances, whenever the publishers run and whatever they forget, is what plain Python makes of the
entries."""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.plain_changes import balance_value, balances_at, entry_records, last_balances, without_repeats
from tests.random_ledger import RandomLedger
from tests.told_engine import ToldEngine

steps = st.one_of(
    st.tuples(st.just("apply"), st.lists(st.integers(1, 12), min_size=1, max_size=4)),
    st.tuples(st.sampled_from(["publish", "publish", "restart", "crash", "rebuild", "note", "forget"]), st.none()),
)


def check(told: ToldEngine) -> None:
    entries = told.model.entries
    records = told.told("entries")
    assert without_repeats(records) == entry_records(entries)
    balances = told.told("balances")
    for key, value in balances:
        assert key == value["account"].encode()
        assert value == balance_value(entries, value["account"], value["seq"])
    expected = balances_at(entries, len(entries))
    places = {name: balance_value(entries, name, value["seq"]) for name, value in expected.items()}
    assert last_balances(balances) == places


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(chance=st.randoms(use_true_random=False), script=st.lists(steps, min_size=3, max_size=14))
def test_a_reader_that_drops_repeats_ends_with_the_entries_and_the_balances_of_the_ledger(chance, script):
    with tempfile.TemporaryDirectory() as directory:
        told = ToldEngine(Path(directory))
        try:
            ledger = RandomLedger(chance, told.model)
            for name, batches in script:
                if batches is None:
                    getattr(told, name)()
                else:
                    told.apply([list(ledger.records(size)) for size in batches])
            assert told.engine.wait_projected()
            told.publish()
            check(told)
        finally:
            told.close()
