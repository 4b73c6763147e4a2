"""The sessions of the pages: every command is run, and prints what the page says."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+")


class Step(NamedTuple):
    command: str
    output: str


def steps(block: str) -> list[Step]:
    """Return the commands of a console block, each with what it prints."""
    return [Step(*(part + "\n").split("\n", 1)) for part in block.removeprefix("$ ").rstrip("\n").split("\n$ ")]


def plain(output: str) -> list[str]:
    """Return the lines of an output without what differs from run to run, the time of day, and without padding."""
    return [" ".join(TIME.sub("TIME", line).split()) for line in output.splitlines() if line.strip()]


def run_session(block: str, directory: Path, *, check: bool = True) -> list[Step]:
    """Run a session in a directory that has the example events; return the commands with what they really print."""
    shutil.copytree(ROOT / "docs", directory / "docs")
    # The example has fixed dates, which are not to come true or grow old.
    environ = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PEAKLEDGER_CLOSE_AFTER_DAYS": "36500",
        "PEAKLEDGER_FUTURE_DAYS": "366",
    }
    found = []
    for step in steps(block):
        if step.command.startswith("export "):
            name, _, value = step.command.removeprefix("export ").partition("=")
            environ[name] = value
            found.append(Step(step.command, ""))
            continue
        done = subprocess.run(step.command.split(), cwd=directory, env=environ, capture_output=True, text=True, check=check)
        found.append(Step(step.command, done.stdout))
    return found


@pytest.mark.parametrize("page", ["README.md", "docs/the-past.md"])
def test_the_embedded_session_prints_what_the_page_says(tmp_path, page):
    block = BLOCK.findall((ROOT / page).read_text())[0]
    found = run_session(block, tmp_path)
    assert [(step.command, plain(step.output)) for step in found] == [(step.command, plain(step.output)) for step in steps(block)]
