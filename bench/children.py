"""Processes of the suites' own. Each runs a module of this very tree, whatever the working directory is and holds."""

import subprocess
import sys
from pathlib import Path
from typing import TypeVar

import msgspec

from bench.results import ROOT

Answer = TypeVar("Answer")


def start(module: str, *arguments: object) -> "subprocess.Popen[bytes]":
    """Run ``python -m MODULE ARGUMENTS`` with pipes to it and from it. Paths are made absolute, for it works in the tree."""
    words = [str(each.absolute() if isinstance(each, Path) else each) for each in arguments]
    command = [sys.executable, "-m", module, *words]
    # Python looks for modules in the working directory first, and ours may have a directory named bench or ledger.
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def answer(process: "subprocess.Popen[bytes]", kind: type[Answer], timeout_s: float | None = None) -> Answer:
    """Wait for its end and return what it has printed, in JSON. Raises subprocess.SubprocessError."""
    with process:
        try:
            output, _ = process.communicate(timeout=timeout_s)
        finally:
            process.kill()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return msgspec.json.decode(output, type=kind)
