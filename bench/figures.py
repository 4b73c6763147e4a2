"""The figures by which an engineer sizes a season: the suites that give them once, small or large, and the numbers that count."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from bench.brokers import broker
from bench.results import Results, new_results
from bench.suites import core, growth, kafka, latency, memory, projection, read, start
from bench.workload import Workload

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much a run of these suites does."""

    events: int
    repetitions: int
    households: int
    many_households: int
    seconds: float
    growth_events: int


SMALL = Sizes(
    events=3 * MILLION, repetitions=3, households=MILLION, many_households=10 * MILLION, seconds=5, growth_events=20 * MILLION
)
LARGE = Sizes(
    events=10 * MILLION, repetitions=7, households=MILLION, many_households=10 * MILLION, seconds=30, growth_events=100 * MILLION
)

Figures = dict[str, float]
Said = Callable[[Results], None]


def measure(sizes: Sizes, directory: Path, servers: str | None, said: Said) -> Figures:
    """Run the suites; ``said`` is told of each one's results. Takes minutes."""
    figures: Figures = {}
    for part in (_core, _kafka, _projection, _read, _start, _growth, _memory):
        figures |= part(sizes, directory, servers, said)
    return {name: figures[name] for name in FIGURES}


def _core(sizes: Sizes, directory: Path, _: str | None, said: Said) -> Figures:
    figures: Figures = {}
    for label, households in (("1m", sizes.households), ("10m", sizes.many_households)):
        results = core.run(directory, events=sizes.events, households=households, repetitions=sizes.repetitions)
        said(results)
        figures[f"core_share_of_c_limit_{label}"] = results.ratio("engine_events_per_s", "limit_events_per_s")
        figures[f"core_events_per_s_{label}"] = results.median("engine_events_per_s")
        figures["bytes_per_entry"] = results.median("journal_bytes_per_entry")
    return figures


def _kafka(sizes: Sizes, directory: Path, servers: str | None, said: Said) -> Figures:
    figures: Figures = {}
    with broker(servers) as place:
        for label, json, readers in (("packed", False, ("confluent", "aiokafka")), ("json", True, ("confluent",))):
            workload = Workload(events=sizes.events, households=sizes.households, json=json)
            results = kafka.run(place, directory, workload=workload, repetitions=sizes.repetitions, readers=readers)
            said(results)
            figures[f"kafka_{label}_events_per_s"] = results.median("engine_events_per_s")
            for reader in readers:
                ratio = results.ratio("engine_events_per_s", f"{reader}_records_per_s")
                figures[f"kafka_{label}_vs_{reader}_read"] = ratio
        results = latency.run(place, directory, households=sizes.households, rates=[10_000], seconds=sizes.seconds)
        said(results)
        figures["latency_visible_p99_ms_at_10k"] = results.median("acknowledged_to_visible_p99_ms_at_10000")
    return figures


def _projection(sizes: Sizes, directory: Path, _: str | None, said: Said) -> Figures:
    few = projection.run(directory, households=sizes.households, rates=[1e6], seconds=sizes.seconds)
    said(few)
    many = projection.run(
        directory, households=sizes.many_households, rates=[1e5, 1e6, projection.CATCH_UP], seconds=sizes.seconds
    )
    said(many)
    return {
        "staleness_p99_ms_1m_1m": few.median("staleness_p99_ms_at_1000000"),
        "staleness_p99_ms_100k_10m": many.median("staleness_p99_ms_at_100000"),
        "staleness_p99_ms_1m_10m": many.median("staleness_p99_ms_at_1000000"),
        "staleness_p99_ms_catchup_10m": many.median("staleness_p99_ms_at_catchup"),
        "bytes_per_account_after_rewrites": many.median("lmdb_bytes_per_account"),
    }


def _read(sizes: Sizes, directory: Path, _: str | None, said: Said) -> Figures:
    results = read.run(directory, households=sizes.households, rate=100_000, seconds=sizes.seconds, repetitions=sizes.repetitions)
    said(results)
    return {
        "read_p50_us": results.median("own_core_p50_us"),
        "read_p99_us_own_core": results.median("own_core_p99_us"),
        "read_p99_us_under_load": results.median("under_load_p99_us"),
    }


def _start(sizes: Sizes, directory: Path, _: str | None, said: Said) -> Figures:
    results = start.run(directory, households=sizes.many_households, events=sizes.events, repetitions=min(3, sizes.repetitions))
    said(results)
    return {
        "start_s_10m_accounts": results.median("clean_start_s"),
        "rebuild_entries_per_s": results.median("rebuild_entries_per_s"),
    }


def _growth(sizes: Sizes, directory: Path, _: str | None, said: Said) -> Figures:
    results = growth.run(directory, events=sizes.growth_events, households=sizes.households, days=30)
    said(results)
    rates = results.values("events_per_s")
    return {"growth_ratio": rates[-1] / rates[0]}


def _memory(sizes: Sizes, directory: Path, _: str | None, said: Said) -> Figures:
    said(memory.run(directory, households=sizes.households, keys_per_household=5))
    return {}  # stated in the report, but no figure has it


class Figure(NamedTuple):
    """A figure's unit, and what it is to reach: ``aim`` is at least or at most ``target``, where there is one."""

    unit: str
    aim: str = ""
    target: float | None = None


AT_LEAST, AT_MOST = "at least", "at most"

FIGURES: Mapping[str, Figure] = {
    "core_share_of_c_limit_1m": Figure("times the limit", AT_LEAST, 0.5),
    "core_share_of_c_limit_10m": Figure("times the limit", AT_LEAST, 0.5),
    "core_events_per_s_10m": Figure("events/s"),
    "kafka_packed_events_per_s": Figure("events/s", AT_LEAST, 5 * MILLION),
    "kafka_packed_vs_confluent_read": Figure("times its reading", AT_LEAST, 5),
    "kafka_packed_vs_aiokafka_read": Figure("times its reading", AT_LEAST, 15),
    "kafka_json_events_per_s": Figure("events/s", AT_LEAST, 2.5 * MILLION),
    "kafka_json_vs_confluent_read": Figure("times its reading", AT_LEAST, 2.5),
    "latency_visible_p99_ms_at_10k": Figure("ms", AT_MOST, 20),
    "staleness_p99_ms_100k_10m": Figure("ms", AT_MOST, 100),
    "staleness_p99_ms_1m_1m": Figure("ms", AT_MOST, 150),
    "staleness_p99_ms_1m_10m": Figure("ms", AT_MOST, 1000),
    "staleness_p99_ms_catchup_10m": Figure("ms", AT_MOST, 1000),
    "read_p50_us": Figure("us", AT_MOST, 3),
    "read_p99_us_own_core": Figure("us", AT_MOST, 10),
    "read_p99_us_under_load": Figure("us", AT_MOST, 100),
    "bytes_per_entry": Figure("bytes", AT_MOST, 128),
    "bytes_per_account_after_rewrites": Figure("bytes", AT_MOST, 200),
    "start_s_10m_accounts": Figure("s", AT_MOST, 3),
    "rebuild_entries_per_s": Figure("entries/s", AT_LEAST, 5 * MILLION),
    "growth_ratio": Figure("times the first tenth", AT_LEAST, 0.9),
}


def as_results(figures: Figures, sizes: Sizes) -> Results:
    """Return the figures in the form of a suite, with what they are to reach, to be kept and compared like any other."""
    results = new_results("figures", **asdict(sizes))
    for name, value in figures.items():
        figure = FIGURES[name]
        goal: dict[str, float | str] = {} if figure.target is None else {"aim": figure.aim, "target": figure.target}
        results.add(name, figure.unit, value, **goal)
    return results
