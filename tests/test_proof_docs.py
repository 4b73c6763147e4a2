"""The page on proofs: its commands are run and print what it says, and its verifier accepts what is right and nothing else."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sessions import BLOCK, environment, plain, steps

PAGE = (Path(__file__).parent.parent / "docs" / "proofs.md").read_text()
HASH = re.compile(r"\b[0-9a-f]{64}\b")


def run(command: str, directory: Path) -> str:
    """Run a command line as a shell does, with this program."""
    environ = environment() | {"PEAKLEDGER_STREAM": "season"}
    done = subprocess.run(command, shell=True, cwd=directory, env=environ, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """A directory with the ledger of the README."""
    path = tmp_path_factory.mktemp("proofs")
    events = Path(__file__).parent.parent / "docs" / "example-events.jsonl"
    run(f"peakledger topics create && peakledger publish {events} && peakledger run --stop-at-end", path)
    return path


def test_the_session_prints_what_the_page_says(directory):
    (block,) = BLOCK.findall(PAGE)
    for step in steps(block):
        assert plain(HASH.sub("HASH", run(step.command, directory))) == plain(step.output)


def test_the_verifier_of_the_page_accepts_the_proof_and_refuses_a_changed_one(directory):
    (directory / "verify.py").write_text(re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1])
    run("peakledger prove alipay 2026-07-23 20260723000012345678 > proof.json", directory)
    (digest,) = HASH.findall(run("peakledger digest --json", directory))
    assert run(f"{sys.executable} verify.py proof.json {digest}", directory) == "entries from 1 are proven\n"
    run("sed -i s/d2eae9a00003/d2eae9a00004/ proof.json", directory)
    assert run(f"{sys.executable} verify.py proof.json {digest}", directory) == "entries from 1 are NOT proven\n"
