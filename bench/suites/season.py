"""The last month of a season beside plain payments, in both encodings.

One engine applies the months before it without a clock, which opens the accounts of all households; another has as many open, and
gets as many plain payments with times of the same month. Both are new for each turn and encoding.
"""

from bisect import bisect_left
from dataclasses import replace
from pathlib import Path

from bench.feeding import KEY_MEMORY_BYTES, PreparedBlock, apply_timed, blocks, new_engine, prefilled_engine
from bench.results import Results, new_results
from bench.season.fast import FastSeason
from bench.season.plan import Season
from bench.season.records import blocks_of
from bench.workload import Workload
from ledger.engine import Engine

ENCODINGS = ("packed", "json")
RECORDS_PER_BLOCK = 16_384  # as blocks of a workload have
KEY_BYTES = 256  # a new engine clears its memory for keys first: no more of it than so many events may need


def run(directory: Path, *, scale: int, days: int, repetitions: int, seed: int = 1) -> Results:
    """Measure ``season_packed_events_per_s`` in turn with ``plain_packed_events_per_s``, and the same of JSON.

    The first turn does not count. ``share_of_plain_packed`` is the ratio of the two, turn by turn;
    ``season_packed_entries_per_event`` and ``season_packed_refused``, a share, say what a season has besides payments.
    """
    season = Season(scale, days, seed)
    made = {encoding: _blocks(season, json=encoding == "json") for encoding in ENCODINGS}
    before, month = made["packed"]
    begins = before[-1].next_offset if before else 0
    plain = Workload(
        seed=seed,
        events=month[-1].next_offset - begins,
        households=season.households,
        first_day=season.months[-1],
        days=(season.end_day - season.months[-1]).days,
    )
    sizes = {"events": plain.events, "households": plain.households, "events_before": begins}
    results = new_results("season", scale=scale, days=days, seed=seed, **sizes)
    key_memory_bytes = min(KEY_MEMORY_BYTES, KEY_BYTES * month[-1].next_offset)
    for turn in range(repetitions + 1):
        for encoding, (before, month) in made.items():
            payments = replace(plain, json=encoding == "json")
            counting = results if turn else None
            with new_engine(directory, key_memory_bytes=key_memory_bytes) as engine:
                apply_timed(engine, before)
                _measure(counting, f"season_{encoding}", engine, month)
            with prefilled_engine(directory, payments, key_memory_bytes=key_memory_bytes) as engine:
                _measure(counting, f"plain_{encoding}", engine, list(blocks(payments, first_offset=engine.next_offset)))
            if turn:
                rates = (results.latest(f"{name}_{encoding}_events_per_s") for name in ("season", "plain"))
                results.add(f"share_of_plain_{encoding}", "share", next(rates) / next(rates))
    return results


def _blocks(season: Season, *, json: bool) -> tuple[list[PreparedBlock], list[PreparedBlock]]:
    """Return the season in blocks: those before its last month, and those of it."""
    last_month_ms = season.start_ms_of(season.months[-1])
    records = list(FastSeason(season, json=json).records(RECORDS_PER_BLOCK))
    month = bisect_left(records, last_month_ms, key=lambda each: each.timestamps_ms[0])
    blocks_ = list(blocks_of(records))
    return blocks_[:month], blocks_[month:]


def _measure(results: Results | None, name: str, engine: Engine, prepared: list[PreparedBlock]) -> None:
    """Apply the blocks to an engine that has nothing else to do, and add what that took to the results, where they count."""
    engine.wait_projected()
    before = engine.status()
    seconds = apply_timed(engine, prepared)
    after = engine.status()
    if results:
        events = after.next_offset - before.next_offset
        results.add(f"{name}_events_per_s", "events/s", events / seconds)
        results.add(f"{name}_entries_per_event", "entries", (after.applied_seq - before.applied_seq) / events)
        results.add(f"{name}_refused", "share", (after.events_refused - before.events_refused) / events)
