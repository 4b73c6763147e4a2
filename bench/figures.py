"""The figures by which an engineer sizes a season: every suite once, small or large, and the numbers that count."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.brokers import broker
from bench.results import Results
from bench.suites import core, growth, kafka, latency, projection, read, start
from bench.workload import Workload

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much a run of all suites does."""

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
    for part in (_core, _kafka, _projection, _read, _start, _growth):
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


FIGURES = (
    "core_share_of_c_limit_1m",
    "core_share_of_c_limit_10m",
    "core_events_per_s_10m",
    "kafka_packed_events_per_s",
    "kafka_packed_vs_confluent_read",
    "kafka_packed_vs_aiokafka_read",
    "kafka_json_events_per_s",
    "kafka_json_vs_confluent_read",
    "latency_visible_p99_ms_at_10k",
    "staleness_p99_ms_100k_10m",
    "staleness_p99_ms_1m_1m",
    "staleness_p99_ms_1m_10m",
    "staleness_p99_ms_catchup_10m",
    "read_p50_us",
    "read_p99_us_own_core",
    "read_p99_us_under_load",
    "bytes_per_entry",
    "bytes_per_account_after_rewrites",
    "start_s_10m_accounts",
    "rebuild_entries_per_s",
    "growth_ratio",
)
