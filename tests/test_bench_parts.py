"""The benchmarks of single parts: two runs are kept and compared as docs/benchmarks.md says."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from bench.results import load_results

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "benchmarks.md").read_text()
COMMANDS = re.search(r"### Single parts\n.*?```\n(.*?)```", PAGE, re.DOTALL)[1].splitlines()


def run(command: str, storage: Path, *more: str) -> str:
    """Run a command of the page with another place for what is kept."""
    words = shlex.split(command.replace("bench/results/parts", str(storage)))
    words[0] = str(Path(sys.executable).parent / words[0])
    # A worker's variables in its environment would have pytest-benchmark leave the saving to another process.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    done = subprocess.run([*words, *more], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_two_runs_of_the_parts_are_kept_and_compared(tmp_path):
    measure, compare = COMMANDS
    for _ in range(2):
        run(measure, tmp_path / "parts", "-k", "crc32c")
    compared = run(compare, tmp_path / "parts")
    assert len(re.findall(r"test_crc32c\[this_cpu\] \(000[12]", compared)) == 2
    results = [load_results(path) for path in tmp_path.glob("parts-*.json")]
    assert len(results) == 2
    assert [measurement.name for measurement in results[0].measurements] == [
        "crc32c_this_cpu_bytes_per_s",
        "crc32c_portable_bytes_per_s",
    ]
    assert "tests/parts" in results[0].command
