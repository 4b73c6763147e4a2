"""Every command that docs/benchmarks.md lists runs in any directory, with small numbers in place of its own."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

from bench.cli import app
from bench.postgresql import programs
from bench.results import new_results

PAGE = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text()
LINES = re.findall(r"^peakledger bench ([^#\n]*)", PAGE, re.MULTILINE)
# test_bench_figures runs figures; against builds another commit, which takes minutes.
COMMANDS = [line.strip() for line in LINES if not line.startswith(("figures", "against"))]
SMALL = {"seconds": 0.3, "repetitions": 1}
FEW = 120_000  # more would be slow; of fewer, a client may read all at once, in no time


def in_small(words: list[str], servers: str) -> list[str]:
    """Return a command with its sizes once more, small this time: the last one counts."""
    for option in typer.main.get_command(app).commands[words[0]].params:
        if option.name in SMALL:
            words += [option.opts[0], str(SMALL[option.name])]
        elif isinstance(option.default, int) and option.default > FEW:
            words += [option.opts[0], str(FEW // 12 if option.name == "households" else FEW)]
        elif option.name == "servers":
            words += [option.opts[0], servers]
    return words


def save_core_run(path: Path) -> None:
    run = new_results("core")
    run.add("engine_events_per_s", "events/s", 1.0)
    run.save(path.parent).rename(path)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_runs(command, kafka_broker, foreign_directory):
    if command.startswith("postgresql") and programs() is None:
        pytest.skip("PostgreSQL is not installed")
    for path in ("bench/results/core.json", "BEFORE.json", "AFTER.json"):
        save_core_run(foreign_directory / path)
    done = CliRunner().invoke(app, in_small(shlex.split(command), kafka_broker.bootstrap_servers), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert done.stdout or "report.html" in command
    assert command.startswith(("compare", "report")) or len(list(Path("bench/results").iterdir())) == 2
