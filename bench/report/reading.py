"""The result files of a report: found, held to one machine, and put in order by suite."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.results import Results, load_results
from ledger.errors import ConfigurationError

GIBIBYTE_IN_MIB = 1024


@dataclass(frozen=True, slots=True)
class Section:
    """What is known of one suite: its runs in order of time, each with other parameters than the others."""

    suite: str
    runs: list[Results]
    replaced: int
    """Runs left out because a later one has the same parameters."""


def read_sections(places: list[Path]) -> list[Section]:
    """Return the suites found in files and directories, in order of their first run.

    Raises ConfigurationError where a file is no result file, where there are none, and where they come from several machines.
    """
    runs = sorted((load_results(path) for path in _files(places)), key=lambda run: run.started_at)
    if not runs:
        raise ConfigurationError("no result files", hint="Run a suite first: peakledger bench core", places=_joined(places))
    _check_one_machine(runs)
    by_suite: dict[str, list[Results]] = {}
    for run in runs:
        by_suite.setdefault(run.suite, []).append(run)
    return [_section(suite, of_suite) for suite, of_suite in by_suite.items()]


def machine_of(run: Results) -> str:
    """Return what tells machines apart. Memory in whole GiB: kernels of one machine do not report the same number of MiB."""
    machine = run.machine
    gibibytes = round(int(machine.get("memory_mib", 0)) / GIBIBYTE_IN_MIB)
    return f"{machine.get('cpu', 'unknown CPU')}, {machine.get('cores', '?')} cores, {gibibytes} GiB"


def _files(places: list[Path]) -> list[Path]:
    found = [path for place in places for path in (sorted(place.glob("*.json")) if place.is_dir() else [place])]
    return list(dict.fromkeys(found))


def _check_one_machine(runs: list[Results]) -> None:
    machines: dict[str, int] = {}
    for run in runs:
        machines[machine_of(run)] = machines.get(machine_of(run), 0) + 1
    if len(machines) > 1:
        raise ConfigurationError(
            "results of several machines: " + "; ".join(f"{machine} ({count} files)" for machine, count in machines.items()),
            hint="Rates of different machines do not belong on one page; make a report of each",
        )


def _section(suite: str, runs: list[Results]) -> Section:
    latest = {msgspec.json.encode(run.parameters, order="sorted"): run for run in runs}
    kept = sorted(latest.values(), key=lambda run: run.started_at)
    return Section(suite, kept, len(runs) - len(kept))


def _joined(places: list[Path]) -> str:
    return ", ".join(map(str, places))
