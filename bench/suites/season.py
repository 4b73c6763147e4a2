"""The last month of a season in turn with plain payments on the same engine, in both encodings.

The engine is new for each turn and encoding. It opens the accounts of the payments, and applies the months of the season before
the last without a clock, which opens those of its households. The last month is cut into parts, and as many plain payments with
times of the same days follow each.
"""

from bisect import bisect_left
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple

from bench.feeding import KEY_MEMORY_BYTES, PreparedBlock, apply_timed, blocks, prefilled_engine
from bench.results import Results, new_results
from bench.season.fast import FastSeason, Records
from bench.season.plan import Season
from bench.season.records import blocks_of
from bench.workload import LEDGER_ZONE, Workload
from ledger.engine import Engine

ENCODINGS = ("packed", "json")
PARTS = 4
RECORDS_PER_BLOCK = 16_384  # as blocks of a workload have
KEY_BYTES = 256  # a new engine clears its memory for keys first: no more of it than so many events may need
PLAIN_SEED = 1_000


class Part(NamedTuple):
    """A part of a season: its records, how many they are, on which day they begin, and how many days later they end."""

    records: list[Records]
    events: int
    first_day: date
    days: int


@dataclass
class Applied:
    """What was applied of a load, and how many seconds that took."""

    seconds: float = 0.0
    events: int = 0
    entries: int = 0
    refused: int = 0


def run(directory: Path, *, scale: int, days: int, repetitions: int, seed: int = 1) -> Results:
    """Measure ``season_packed_events_per_s`` in turn with ``plain_packed_events_per_s``, and the same of JSON.

    The first turn does not count. ``share_of_plain_packed`` is the ratio of the two, turn by turn;
    ``season_packed_entries_per_event`` and ``season_packed_refused``, a share, say what a season has besides payments.
    """
    season = Season(scale, days, seed)
    made = {encoding: _parts(season, json=encoding == "json") for encoding in ENCODINGS}
    before, parts = made["packed"]
    sizes = {"events": sum(part.events for part in parts), "households": season.households, "events_before": before.events}
    results = new_results("season", scale=scale, days=days, seed=seed, **sizes)
    key_memory_bytes = min(KEY_MEMORY_BYTES, KEY_BYTES * (2 * sizes["events"] + before.events + season.households))
    for turn in range(repetitions + 1):
        for encoding, (before, parts) in made.items():
            plain = Workload(
                seed=seed, households=season.households, first_day=season.first_day, days=0.0, json=encoding == "json"
            )
            with prefilled_engine(directory, plain, key_memory_bytes=key_memory_bytes) as engine:
                apply_timed(engine, blocks_of(before.records, engine.next_offset))
                measured = _measure(engine, parts, plain)
            if turn:
                _add(results, encoding, measured)
    return results


def _parts(season: Season, *, json: bool) -> tuple[Part, list[Part]]:
    """Return the season before its last month, and its last month in parts."""
    records = list(FastSeason(season, json=json).records(RECORDS_PER_BLOCK))
    month = bisect_left(records, season.start_ms_of(season.months[-1]), key=lambda each: each.timestamps_ms[0])
    size = -(-(len(records) - month) // PARTS)
    return _part(records[:month]), [_part(records[first : first + size]) for first in range(month, len(records), size)]


def _part(records: list[Records]) -> Part:
    times_ms = (records[0].timestamps_ms[0], records[-1].timestamps_ms[-1]) if records else (0, 0)
    first, last = (datetime.fromtimestamp(time_ms / 1000, LEDGER_ZONE).date() for time_ms in times_ms)
    return Part(records, sum(len(each.timestamps_ms) for each in records), first, (last - first).days)


def _measure(engine: Engine, parts: list[Part], plain: Workload) -> dict[str, Applied]:
    """Apply each part, and as many payments behind it; return of both the sums of what they took and came to."""
    measured = {"season": Applied(), "plain": Applied()}
    for number, part in enumerate(parts):
        _apply(engine, list(blocks_of(part.records, engine.next_offset)), measured["season"])
        payments = Workload(
            seed=plain.seed + PLAIN_SEED + number,
            events=part.events,
            households=plain.households,
            first_day=part.first_day,
            days=part.days,
            json=plain.json,
        )
        _apply(engine, list(blocks(payments, first_offset=engine.next_offset)), measured["plain"])
    return measured


def _apply(engine: Engine, prepared: list[PreparedBlock], sums: Applied) -> None:
    """Apply the blocks to an engine that has nothing else to do."""
    engine.wait_projected()
    before = engine.status()
    sums.seconds += apply_timed(engine, prepared)
    after = engine.status()
    sums.events += after.next_offset - before.next_offset
    sums.entries += after.applied_seq - before.applied_seq
    sums.refused += after.events_refused - before.events_refused


def _add(results: Results, encoding: str, measured: dict[str, Applied]) -> None:
    for load, sums in measured.items():
        results.add(f"{load}_{encoding}_events_per_s", "events/s", sums.events / sums.seconds)
        results.add(f"{load}_{encoding}_entries_per_event", "entries", sums.entries / sums.events)
        results.add(f"{load}_{encoding}_refused", "share", sums.refused / sums.events)
    rates = (results.latest(f"{load}_{encoding}_events_per_s") for load in measured)
    results.add(f"share_of_plain_{encoding}", "share", next(rates) / next(rates))
