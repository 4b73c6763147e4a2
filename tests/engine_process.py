"""An engine on a Kafka topic in a process of its own, for tests that stop, kill and freeze it.

``python -m tests.engine_process SETTINGS``, a JSON object, runs it and prints a line of JSON about its shards now and then.
"""

import asyncio
import atexit
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ledger.errors import PeakledgerError
from streams.feeding import FeedRules
from streams.release import ReleaseRules
from streams.shard import ShardSettings
from streams.shards import KafkaShards
from tests.waiting import wait_until

ROOT = Path(__file__).parent.parent
STATUS_INTERVAL_S = 0.03
EXIT_FAILED = 3
Status = dict[int, dict[str, Any]]


class EngineProcess:
    """Starts an engine process and follows what it says. ``settings``: topic, bootstrap_servers, data, group, and more."""

    def __init__(self, **settings: Any) -> None:
        command = [sys.executable, "-m", "tests.engine_process", json.dumps(settings, default=str)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        # A test that fails must not leave its engines running.
        atexit.register(self.process.kill)
        self.status: Status = {}
        self._readers = [threading.Thread(target=target, daemon=True) for target in (self._follow, self._keep_errors)]
        self.errors = ""
        for reader in self._readers:
            reader.start()

    def wait_until(self, holds: Callable[[Status], bool]) -> None:
        """Wait until the status is as wanted. Fails with what the process said last."""

        def so() -> bool:
            assert self.process.poll() is None, f"the engine ended with {self.process.returncode}: {self.errors}"
            return holds(self.status)

        wait_until(so, lambda: f"{self.status}: {self.errors}")

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait_frozen(self) -> None:
        """Wait until the process has stopped itself, as ``freeze_at`` makes it do."""
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end. Returns the exit status."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for the end. Returns the exit status."""
        wait_until(lambda: self.process.poll() is not None, lambda: f"{self.status}: {self.errors}")
        for reader in self._readers:
            reader.join()
        return int(self.process.returncode)

    def _follow(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.status = {shard["partition"]: shard for shard in json.loads(line)}

    def _keep_errors(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.errors += line


def is_running(partition: int) -> Callable[[Status], bool]:
    return lambda status: status.get(partition, {}).get("state") == "running"


def has_consumed(records: int, partition: int = 0) -> Callable[[Status], bool]:
    return lambda status: status.get(partition, {}).get("next_offset", -1) >= records


async def run(
    topic: str,
    data: str,
    takeover_after_s: float | None = None,
    release: dict[str, int] | None = None,
    freeze_at: int | None = None,
    **consumer_settings: Any,
) -> None:
    """``freeze_at``: stop as by SIGSTOP, once, when a partition is at this offset, however late whoever waits for it notices."""
    # Workloads are dated on a fixed day, whatever the clock says.
    settings = ShardSettings(
        Path(data),
        rules=FeedRules(max_ahead_s=None),
        takeover_after_s=takeover_after_s,
        commit_interval_s=0.2,
        engine_options={"segment_bytes": 4 << 20},
    )
    rules = ReleaseRules(**release) if release else None
    runner = KafkaShards(topic, settings, release=rules, **consumer_settings)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, runner.stop)
    telling = asyncio.ensure_future(tell(runner, freeze_at))
    try:
        await runner.run()
    finally:
        telling.cancel()
        print_status(runner)


async def tell(runner: KafkaShards, freeze_at: int | None) -> None:
    while True:
        print_status(runner)
        if freeze_at is not None and any(status.engine and status.engine.next_offset >= freeze_at for status in runner.status()):
            freeze_at = None
            os.kill(os.getpid(), signal.SIGSTOP)
        await asyncio.sleep(STATUS_INTERVAL_S)


def print_status(runner: KafkaShards) -> None:
    shards = [
        {
            "partition": status.partition,
            "state": status.state,
            "lag": status.lag,
            "error": type(status.error).__name__,
            "next_offset": status.engine.next_offset if status.engine else -1,
            "durable_seq": status.engine.durable_seq if status.engine else 0,
        }
        for status in runner.status()
    ]
    print(json.dumps(shards), flush=True)


def main() -> None:
    logging.basicConfig(level=logging.WARNING)
    try:
        asyncio.run(run(**json.loads(sys.argv[1])))
    except PeakledgerError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(EXIT_FAILED)


if __name__ == "__main__":
    main()
