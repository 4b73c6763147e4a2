"""Builds and runs the C limit program, ``limit.c`` beside this file."""

import atexit
import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from bench.results import ROOT
from ledger.errors import ConfigurationError


class Limit(msgspec.Struct):
    """What the limit program reports of one run."""

    events: int
    applied: int
    households: int
    events_per_s: float
    apply_events_per_s: float
    journal_bytes: int
    syncs: int
    balanced: bool


@cache
def _program() -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        raise ConfigurationError("the limit program needs a C compiler named cc")
    place = TemporaryDirectory(prefix="peakledger-limit-")
    atexit.register(place.cleanup)
    program = Path(place.name) / "limit"
    source = ROOT / "bench" / "limit.c"
    subprocess.run([compiler, "-O3", "-march=native", "-w", f"-I{ROOT}", "-o", program, source, "-lpthread"], check=True)
    return program


def run_limit(events: int, households: int, directory: Path, seed: int) -> Limit:
    """Run it once, with its journal in ``directory``; all that it needs is made before its clock runs."""
    command = [str(_program()), str(events), str(households), str(directory / "limit.journal"), str(seed)]
    done = subprocess.run(command, check=True, capture_output=True)
    return msgspec.json.decode(done.stdout, type=Limit)
