"""What a benchmark run leaves behind: one JSON file with every repetition, and what it takes to judge and repeat it."""

import importlib.metadata
import logging
import os
import platform
import shutil
import statistics
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ledger.errors import ConfigurationError
from ledger.version import __version__

ROOT = Path(__file__).parent.parent
RESULTS = Path("bench") / "results"
log = logging.getLogger("bench")
PACKAGES = ("aiokafka", "confluent-kafka", "cython", "lmdb", "msgspec", "uvloop")


class Measurement(msgspec.Struct):
    """One thing measured, in all its repetitions, in the order in which they ran."""

    name: str
    unit: str
    values: list[float]
    about: dict[str, float | int | str] = {}

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def spread(self) -> float:
        """Greatest less smallest repetition, as a share of the median."""
        return (max(self.values) - min(self.values)) / self.median if self.median else 0.0


class Results(msgspec.Struct):
    """One run of one suite."""

    suite: str
    command: str
    commit: str
    started_at: str
    machine: dict[str, str | int]
    versions: dict[str, str]
    parameters: dict[str, float | int | str]
    measurements: list[Measurement]

    def add(self, name: str, unit: str, value: float, **about: float | int | str) -> None:
        """Add one repetition of the measurement ``name``; the log ``bench`` is told, as a sign of progress."""
        log.info("%s: %s %s %s", self.suite, name, f"{value:,.4g}", unit)
        for measurement in self.measurements:
            if measurement.name == name:
                measurement.values.append(value)
                return
        self.measurements.append(Measurement(name, unit, [value], about))

    def values(self, name: str) -> list[float]:
        return next(measurement.values for measurement in self.measurements if measurement.name == name)

    def median(self, name: str) -> float:
        return statistics.median(self.values(name))

    def latest(self, name: str) -> float:
        return self.values(name)[-1]

    def ratio(self, name: str, to: str) -> float:
        """Return the median of ``name`` over ``to``, each repetition by the one beside which it ran."""
        return statistics.median(ours / theirs for ours, theirs in zip(self.values(name), self.values(to), strict=True))

    def save(self, directory: Path = RESULTS) -> Path:
        """Write a new JSON file and return its path."""
        directory.mkdir(parents=True, exist_ok=True)
        name = f"{self.suite}-{self.started_at.replace(':', '')}"
        candidates = (directory / f"{name}{ending}.json" for ending in ("", *(f"-{number}" for number in range(2, 1000))))
        path = next(path for path in candidates if not path.exists())  # small runs may begin in the same second
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1))
        return path


def new_results(suite: str, **parameters: float | int | str) -> Results:
    """Return the results of a run that begins now on this machine."""
    started_at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Results(suite, _command(), _commit(), started_at, _machine(), _versions(), parameters, [])


def load_results(path: Path) -> Results:
    """Read one result file. Raises ConfigurationError, with the place in the file that is wrong."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Results)
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigurationError(
            f"not a result file of peakledger bench: {error}", hint="Name result files, or a directory of them", path=path
        ) from error


def _command() -> str:
    program = Path(sys.argv[0])
    name = f"python -m {program.parent.name}" if program.name == "__main__.py" else program.name
    return " ".join([name, *sys.argv[1:]])


def _commit() -> str:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        return "unknown"
    described = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False)
    return described.stdout.strip() or "unknown"


def _machine() -> dict[str, str | int]:
    cpu = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), platform.processor()
    )
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return {
        "cpu": cpu,
        "cores": os.cpu_count() or 0,
        "memory_mib": memory // 1024,
        "kernel": platform.release(),
        "load_before": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }


def _versions() -> dict[str, str]:
    versions = {"peakledger": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
