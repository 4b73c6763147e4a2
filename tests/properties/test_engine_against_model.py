"""The engine makes what the oracle makes, whatever the events, the batching and the restarts."""

import tempfile
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.workload import Workload
from ledger._core import walk_batches
from ledger.events import Bill, Event, Payment, encode_json, encode_msgpack, encode_packed
from ledger.parameters import LedgerParameters
from tests.shadow import Record, ShadowedEngine

TODAY = date(2026, 7, 23)
NOON_MS = 1_784_779_200_000
DAY_MS = 86_400_000
PARAMETERS = LedgerParameters(close_after_days=5)

SERIALS = {
    "alipay": ["1", "2", "01", "9" * 32],
    "postal_station": ["97e1bf24-d1b1-9710-8002-2323fb95bb97", "97e1bf24-d1b1-9710-8002-2323fb95bb98"],
    "business_hall": ["A", "AB", "~" * 16],
    "billing": ["1", "2", "3"],
}
WITH_PAYER = ("postal_station", "business_hall")
ENCODINGS = (encode_json, encode_msgpack, lambda event: encode_msgpack(event, as_array=True), encode_packed)

# Few of each, so that keys meet again, with the same content and with other content.
dates = st.integers(-8, 3).map(lambda days: TODAY + timedelta(days=days))
amounts = st.sampled_from([1, 2, 20_000, 2**63 - 1])
households = st.sampled_from(["3301234567890", "0000000000001", "9999999999999"])


@st.composite
def events(draw: st.DrawFn) -> Event:
    channel = draw(st.sampled_from(sorted(SERIALS)))
    common = {
        "channel": channel,
        "business_date": draw(dates),
        "serial": draw(st.sampled_from(SERIALS[channel])),
        "household": draw(households),
        "amount_fen": draw(amounts),
        "value_date": draw(st.none() | dates),
    }
    if channel == "billing":
        return Bill(**common, period=draw(st.sampled_from(["2026-06", "2026-07"])), due_date=draw(dates))
    payer = draw(st.sampled_from(["1", "2"])) if channel in WITH_PAYER else None
    return Payment(**common, outlet=draw(st.sampled_from([None, "5", "330000001"])), payer=payer)


@st.composite
def values(draw: st.DrawFn) -> bytes | None:
    """A good event in one of the encodings most often; else one with a wrong byte, any bytes, or none."""
    kind = draw(st.sampled_from(["good"] * 8 + ["wrong byte", "bytes", "none"]))
    if kind == "none":
        return None
    if kind == "bytes":
        return draw(st.binary(max_size=80))
    value = draw(st.sampled_from(ENCODINGS))(draw(events()))
    if kind == "wrong byte":
        at = draw(st.integers(0, len(value) - 1))
        value = value[:at] + bytes([draw(st.integers(0, 255))]) + value[at + 1 :]
    return value


timestamps = st.sampled_from([NOON_MS] * 4 + [NOON_MS + DAY_MS, NOON_MS + 4 * DAY_MS, 0, -1])
batches = st.lists(st.tuples(timestamps, values()), min_size=1, max_size=8)
steps = st.one_of(
    st.tuples(st.just("apply"), st.lists(batches, min_size=1, max_size=4)),
    st.tuples(st.just("damaged"), st.lists(batches, min_size=1, max_size=2)),
    st.tuples(st.just("redeliver"), batches),
    st.tuples(st.just("skip"), st.integers(1, 5)),
    st.tuples(st.sampled_from(["restart", "crash", "compare"]), st.none()),
)


def run_steps(directory: Path, script: list[tuple[str, object]], parameters: LedgerParameters) -> None:
    pair = ShadowedEngine(directory, parameters)
    try:
        for name, argument in script:
            if name == "damaged":
                pair.apply(argument, damaged=True)
            elif argument is None:
                getattr(pair, name)()
            else:
                getattr(pair, name)(argument)
        pair.compare()
    finally:
        pair.close()


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(script=st.lists(steps, min_size=1, max_size=10))
def test_engine_and_oracle_agree_on_any_sequence(script):
    with tempfile.TemporaryDirectory() as directory:
        run_steps(Path(directory), script, PARAMETERS)


def workload_records(workload: Workload) -> list[Record]:
    return [(record[1], record[3]) for batch, _ in workload.batches() for record in walk_batches(batch)]


@pytest.mark.parametrize("json", [False, True], ids=["packed", "json"])
def test_engine_and_oracle_agree_on_twenty_thousand_events_with_duplicates_across_restarts(tmp_path, json):
    workload = Workload(
        seed=11, events=10_000, households=700, json=json, duplicates=0.1, duplicate_distance=9_000, refused=0.05, days=3
    )
    records = workload_records(workload)
    script: list[tuple[str, object]] = []
    for first in range(0, len(records), 1_300):
        part = records[first : first + 1_300]
        script += [("apply", [part[:1], part[1:500], part[500:]]), (("restart", "crash")[first // 1_300 % 2], None)]
    run_steps(tmp_path, script, LedgerParameters())
