"""Each refusal by what the ledger holds, in its precedence, by the oracle and by the engine."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from ledger._core import build_batch
from ledger.engine import Engine
from ledger.layouts import OUTCOME_RECORD
from ledger.model import Model
from ledger.outcomes import OutcomeCode
from tests import ledger_events as make
from tests.ledger_events import NOON_MS
from tests.refusals import WORLD, lists
from tests.shadow import frame_outcomes, journal_frames

LISTS = lists()
ROWS = [(name, at) for name, rows in LISTS.items() for at in range(len(rows))]
VALUES = [*WORLD, make.clock("later"), *(row.value for rows in LISTS.values() for row in rows)]
TIMES_MS = [NOON_MS] * len(WORLD) + [NOON_MS + 1000] * (len(VALUES) - len(WORLD))
IN_PRECEDENCE = ("only leg", "second leg", "settling leg", "reversal", "adjustment")
NEVER_FOUND = {OutcomeCode.overflows_timeout}


def model_outcomes(_: Path) -> list[bytes]:
    model = Model()
    for offset, (value, timestamp_ms) in enumerate(zip(VALUES, TIMES_MS, strict=True)):
        model.apply_record(value, offset, timestamp_ms)
    return [outcome.record for outcome in model.outcomes]


def engine_outcomes(directory: Path) -> list[bytes]:
    records = [(None, value, timestamp_ms) for value, timestamp_ms in zip(VALUES, TIMES_MS, strict=True)]
    with Engine.open(directory, segment_bytes=1 << 20) as engine:
        engine.apply(build_batch(records, 0), len(records))
    return [outcome.record for frame in journal_frames(directory) for outcome in frame_outcomes(frame)]


BACKENDS = {"model": model_outcomes, "engine": engine_outcomes}


@pytest.fixture(scope="module", params=BACKENDS)
def outcomes(request, tmp_path_factory) -> dict[int, dict[str, object]]:
    """Return what became of every event that was not applied, by its offset."""
    records = BACKENDS[request.param](tmp_path_factory.mktemp("shard"))
    return {fields["source_offset"]: fields for fields in map(OUTCOME_RECORD.unpack, records)}


def test_the_world_is_made_without_a_refusal(outcomes):
    assert min(outcomes) > len(WORLD)


@pytest.mark.parametrize(("name", "at"), ROWS)
def test_a_refusal_is_found_before_all_that_rank_after_it(outcomes, name, at):
    row = LISTS[name][at]
    offset = len(WORLD) + 1 + ROWS.index((name, at))
    found = outcomes[offset]
    assert (OutcomeCode(found["code"]), found["leg"], found["level"]) == (row.code, row.leg, row.level)


def ranks(codes: Sequence[OutcomeCode]) -> list[int]:
    order = list(OutcomeCode)
    return [order.index(code) for code in codes]


@pytest.mark.parametrize("name", IN_PRECEDENCE)
def test_the_rows_stand_in_the_order_of_the_outcome_codes(name):
    codes = [row.code for row in LISTS[name]]
    assert ranks(codes) == sorted(ranks(codes))


def test_every_code_that_the_ledger_gives_for_ledger_events_has_a_row():
    by_ledger = {code for code in OutcomeCode if code > 100} - NEVER_FOUND - {OutcomeCode.reserved_flag}
    only_of_bills_and_payments = {
        OutcomeCode.exists_with_different_outlet,
        OutcomeCode.exists_with_different_period,
        OutcomeCode.exists_with_different_due_date,
        OutcomeCode.exists_with_different_terminal,
    }
    assert {row.code for rows in LISTS.values() for row in rows} - {OutcomeCode.exists} == by_ledger - only_of_bills_and_payments
