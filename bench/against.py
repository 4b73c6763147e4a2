"""The core suite of another commit, built in a temporary directory, beside that of this tree: is it as fast as it was?

The two take turns, each turn in a process of its own, so that whatever else the machine does meets both. Each tree brings its own
workload and its own suite; what has to agree is what the options and the measurements are called.
"""

import io
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from bench.results import ROOT, Results, new_results
from ledger.errors import ConfigurationError, PeakledgerError

MEASUREMENT = "engine_events_per_s"


@contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """The files of a commit of this repository in a temporary directory. Raises ConfigurationError."""
    archive = subprocess.run(["git", "archive", "--format=tar", revision], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        reason = archive.stderr.decode().strip()
        raise ConfigurationError(f"{revision} is no commit of the repository in {ROOT}: {reason}", hint="Run this in a clone")
    with TemporaryDirectory(prefix="bench-against-") as place:
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extractall(place, filter="data")
        yield Path(place)


def build(tree: Path) -> None:
    """Build the extension modules of a tree in place, which takes a minute or so. Raises PeakledgerError."""
    command = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"]
    built = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    if built.returncode:
        raise PeakledgerError(f"the other commit was not built: {built.stderr[-2000:]}", status=built.returncode)


def run(directory: Path, before: Path, *, revision: str, events: int, households: int, turns: int) -> Results:
    """Measure ``before_events_per_s`` in the tree ``before`` and ``now_events_per_s`` in this one, one after the other.

    ``ratio`` is now over before, turn by turn; one of at least 1 is what one hopes for.
    """
    results = new_results("against", revision=revision, events=events, households=households, turns=turns)
    for _ in range(turns):
        rates = [core_events_per_s(tree, directory, events, households) for tree in (before, ROOT)]
        results.add("before_events_per_s", "events/s", rates[0])
        results.add("now_events_per_s", "events/s", rates[1])
        results.add("ratio", "", rates[1] / rates[0])
    return results


def core_events_per_s(tree: Path, directory: Path, events: int, households: int) -> float:
    """Return what the core suite of a tree measures: once, after a repetition that does not count."""
    sizes = ["--events", str(events), "--households", str(households), "--repetitions", "1"]
    with TemporaryDirectory() as results:
        places = ["--directory", str(directory.resolve()), "--results", results]
        command = [sys.executable, "-m", "peakledger", "bench", "core", *sizes, *places, "--json"]
        # Python looks for modules in the working directory first, so each tree runs its own.
        done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PeakledgerError(f"the core suite failed in {tree}: {done.stderr[-2000:]}", status=done.returncode)
    measurements: list[dict[str, Any]] = msgspec.json.decode(done.stdout)["measurements"]
    return float(next(each["values"][0] for each in measurements if each["name"] == MEASUREMENT))
