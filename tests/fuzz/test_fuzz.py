"""A few seconds of each fuzzer, and all of its seeds."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.decoders import core_agrees_with_plain_python
from tests.fuzz import decoders, journal, walker

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("seed", decoders.SEEDS + decoders.WORDS)
def test_the_seeds_break_nothing_in_the_decoders(seed):
    core_agrees_with_plain_python(seed)


@pytest.mark.parametrize("seed", walker.SEEDS + walker.WORDS)
def test_the_seeds_break_nothing_in_the_walker(seed):
    walker.check(seed)


@pytest.mark.parametrize("seed", journal.SEEDS + journal.WORDS)
def test_the_seeds_break_nothing_in_the_reader_of_the_journal(seed):
    journal.check(seed)


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="atheris is not made for this Python")
@pytest.mark.parametrize("subject", ["decoders", "journal", "walker"])
def test_a_short_run_finds_nothing(subject, tmp_path):
    command = [sys.executable, "-m", f"tests.fuzz.{subject}", "--seconds", "5", "--findings", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert list(tmp_path.iterdir()) == []
