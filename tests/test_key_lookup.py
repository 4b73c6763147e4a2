"""Keys are found as the engine has them, wherever they stand: in a table, behind it in the journal, or burnt."""

from random import Random

import pytest

from ledger.errors import KeyTableDamaged
from ledger.event_search import look_up_outcomes, read_outcomes
from ledger.key_checkpoint import complete_directory
from ledger.key_lookup import EventKey, KeyLookup, KnownKey
from ledger.outcomes import OutcomeCode
from tests.random_ledger import PARAMETERS, RandomLedger
from tests.shadow import ShadowedEngine

NEVER_SEEN = EventKey(101, 20_657, b"never seen......")


@pytest.fixture
def pair(tmp_path):
    pair = ShadowedEngine(tmp_path, PARAMETERS)
    yield pair
    pair.close()


def apply(pair, ledger, count):
    pair.apply([list(ledger.records(count))])
    assert pair.engine.wait_durable()


def stored(key):
    return EventKey(key.channel, key.business_date, key.serial)


def known_keys(pair):
    """Return what the oracle knows of every key it met."""
    found = {stored(key): KnownKey(OutcomeCode.applied, owner.first_seq) for key, owner in pair.model.state.keys.items()}
    return found | {stored(key): KnownKey(code, 0) for key, code in pair.model.state.burnt_keys.items()}


def check(pair):
    lookup = KeyLookup(pair.shard)
    expected = {key: known for key, known in known_keys(pair).items() if lookup.knows(key.business_date)}
    assert lookup.find([*expected, NEVER_SEEN]) == expected
    return len(expected)


def test_keys_are_found_before_any_table_is_written_behind_one_and_in_it(pair):
    ledger = RandomLedger(Random(7), pair.model)
    apply(pair, ledger, 300)
    assert complete_directory(pair.shard / "keys") is None
    assert check(pair)
    pair.restart()
    assert check(pair)
    apply(pair, ledger, 300)
    assert check(pair)
    pair.engine.close()
    assert check(pair)


def test_an_event_is_looked_up_as_reading_the_whole_journal_finds_it_but_for_repetitions(pair):
    ledger = RandomLedger(Random(8), pair.model)
    apply(pair, ledger, 400)
    pair.restart()
    apply(pair, ledger, 400)
    lookup = KeyLookup(pair.shard)
    found = set()
    for key in [*known_keys(pair), NEVER_SEEN]:
        outcomes = look_up_outcomes(pair.shard, key)
        if not lookup.knows(key.business_date):
            assert outcomes is None
            continue
        read = sorted(read_outcomes(pair.shard, key))
        assert outcomes == [outcome for outcome in read if outcome.code is not OutcomeCode.exists]
        found |= {outcome.code for outcome in outcomes}
    assert {OutcomeCode.applied, OutcomeCode.id_already_failed} < found


def test_a_damaged_table_is_named(pair):
    apply(pair, RandomLedger(Random(9), pair.model), 300)
    pair.engine.close()
    for path in complete_directory(pair.shard / "keys").glob("*.keys"):
        content = bytearray(path.read_bytes())
        content[4096:] = bytes(byte ^ 1 for byte in content[4096:])
        path.write_bytes(content)
    with pytest.raises(KeyTableDamaged, match=r"key table.*\.keys"):
        KeyLookup(pair.shard).find(list(known_keys(pair)))
