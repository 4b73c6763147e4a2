"""The sessions of the documentation's pages, run: every command, and what it prints."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

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


def environment() -> dict[str, str]:
    """Return one in which the command is found, and the fixed dates of the examples neither come true nor grow old."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return os.environ | {"PATH": path, "PEAKLEDGER_CLOSE_AFTER_DAYS": "36500", "PEAKLEDGER_FUTURE_DAYS": "366"}


def run_session(block: str, directory: Path, *, check: bool = True) -> list[Step]:
    """Run a session in a directory that has the example events; return the commands with what they really print."""
    shutil.copytree(ROOT / "docs", directory / "docs")
    environ, found = environment(), []
    for step in steps(block):
        if step.command.startswith("export "):
            name, _, value = step.command.removeprefix("export ").partition("=")
            environ[name] = value
            found.append(Step(step.command, ""))
            continue
        done = subprocess.run(shlex.split(step.command), cwd=directory, env=environ, capture_output=True, text=True, check=check)
        found.append(Step(step.command, done.stdout))
    return found


def compared(session: list[Step]) -> list[tuple[str, list[str]]]:
    """Return the commands, and what of their outputs a page can foretell."""
    return [(step.command, plain(step.output)) for step in session]
