"""The command for tests: how a run of it ended, in a process of its own. The fixture ``command`` runs it in this one."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple


class Ended(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What was printed, one JSON document."""
        return json.loads(self.out)

    @property
    def items(self) -> Any:
        return self.document["items"]


def in_a_process(*arguments: str, cwd: Path, **environ: str) -> Ended:
    command = [sys.executable, "-m", "peakledger", *arguments]
    done = subprocess.run(command, cwd=cwd, env=os.environ | environ, capture_output=True, text=True, check=False)
    return Ended(done.returncode, done.stdout, done.stderr)


def write_settings(directory: Path, bootstrap_servers: str, topic: str) -> None:
    """Write the settings of a ledger of a topic, for which the fixed dates of tests neither come true nor grow old."""
    settings = {
        "bootstrap_servers": bootstrap_servers,
        "topic": topic,
        "data": "ledger",
        "outcomes": "none",
        "close_after_days": 36500,
        "future_days": 366,
    }
    (directory / "peakledger.toml").write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items()))
