"""A few seconds of each fuzzer, and all of its seeds."""

import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests.decoders import core_agrees_with_plain_python
from tests.fuzz import decoders, journal, walker


@pytest.mark.parametrize("seed", decoders.SEEDS + decoders.WORDS)
def test_the_seeds_break_nothing_in_the_decoders(seed):
    core_agrees_with_plain_python(seed)


@pytest.mark.parametrize("seed", walker.SEEDS + walker.WORDS)
def test_the_seeds_break_nothing_in_the_walker(seed):
    walker.check(seed)


@pytest.mark.parametrize("seed", journal.SEEDS + journal.WORDS)
def test_the_seeds_break_nothing_in_the_reader_of_the_journal(seed):
    journal.check(seed)


@pytest.mark.parametrize("subject", ["decoders", "journal", "walker"])
def test_a_short_run_finds_nothing(subject, tmp_path):
    if find_spec("atheris") is None:
        pytest.skip("atheris is not installed")
    command = [sys.executable, "-m", f"tests.fuzz.{subject}", "--seconds", "5", "--findings", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert list(tmp_path.iterdir()) == []
