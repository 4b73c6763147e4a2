"""How much was reversed of an entry is forgotten when no reversal can name it any more, and not before."""

import pytest

from ledger import engine
from ledger.outcomes import OutcomeCode
from tests import ledger_events as make
from tests.ledger_events import NOON_MS, TODAY, Named, leg
from tests.random_ledger import DAY_MS, PARAMETERS
from tests.shadow import ShadowedEngine

DAYS = 14
A_DAY = 150
OPEN_DAYS = PARAMETERS.close_after_days + 1 + PARAMETERS.future_days


@pytest.fixture
def pair(tmp_path):
    pair = ShadowedEngine(tmp_path, PARAMETERS)
    pair.apply([[(NOON_MS, make.open_account(f"open {name}", name)) for name in "AB"]])
    yield pair
    pair.compare()
    pair.close()


def original(number, day):
    """Return the name of one of a day's transfers, of which every other is of the business date after it."""
    return Named(f"p{number}", business_date=TODAY + day + number % 2)


def of_day(day):
    """Return the events of a day: transfers, parts of them reversed, and what may be left reversed of all days before."""
    numbers = range(day * A_DAY, (day + 1) * A_DAY)
    pays = [make.transfer(f"p{n}", leg("A", "B", 100), business_date=original(n, day).business_date) for n in numbers]
    date = {"business_date": TODAY + day}
    parts = [make.reverse(f"r{n}", original(n, day), 40, **date) for n in numbers]
    before = [(n, past) for past in range(day) for n in range(past * A_DAY, past * A_DAY + 8)]
    more = [make.reverse(f"m{day}.{n}", original(n, past), 30 if n % 4 == 0 else 70, **date) for n, past in before]
    return [(NOON_MS + day * DAY_MS, value) for value in (*pays, *parts, *more)]


@pytest.mark.parametrize("checkpoint_entries", [10**9, 100], ids=["at a start", "at a checkpoint"])
def test_what_was_reversed_is_forgotten_with_the_dates_that_close_and_every_outcome_is_as_before(
    pair, monkeypatch, checkpoint_entries
):
    monkeypatch.setattr(engine, "_CHECKPOINT_ENTRIES", checkpoint_entries)
    for day in range(DAYS):
        for start in range(0, len(events := of_day(day)), 100):
            pair.apply([events[start : start + 100]])
        assert pair.engine.wait_durable()
        if checkpoint_entries > 1000:
            pair.restart()
        else:
            pair.engine._keys.complete(pair.engine.durable_frame)
            pair.skip(0)  # with which the next checkpoint begins
        kept = pair.engine._posting.reversal_count
        assert min(day + 1, OPEN_DAYS - 1) * A_DAY <= kept <= min(day + 1, OPEN_DAYS) * A_DAY
    codes = {OutcomeCode(int.from_bytes(outcome.record[48:50], "little")).name for outcome in pair.model.outcomes}
    assert codes == {"exceeds_reversible_amount", "already_reversed", "reversal_not_found"}
    pair.crash()
    pair.apply([[(NOON_MS + DAYS * DAY_MS, make.reverse("last", original(DAYS * A_DAY - 1, DAYS - 1), 61))]])
