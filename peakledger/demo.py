"""``peakledger demo``: a small season on an embedded stream, an engine that is killed midway, and nothing lost."""

import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from bench.workload import Workload
from ledger.errors import ConfigurationError, LedgerNotFound, PeakledgerError
from ledger.projections.balances import BalanceReader, Watermark
from peakledger.display import console
from peakledger.shards import is_running
from streams.embedded import EmbeddedStream

TOPIC = "payments.events"
OUTCOMES_TOPIC = "payments.outcomes"
_MARK = ".peakledger-demo"
_PUBLISH_S = 3.0
_KILL_AT_SHARE = 0.4
_NOTHING = Watermark(0, 0, 0, 0, 0, 0, 0, 0, 0, "")
_LOOK_EVERY_S = 0.002
_TIMEOUT_S = 120.0


def demo(
    *,
    directory: Annotated[Path, typer.Option("--directory", help="Where the demo keeps its stream and ledger; made anew")] = Path(
        "demo-data"
    ),
    events: Annotated[int, typer.Option("--events", min=1000, help="Events of the season")] = 300_000,
) -> None:
    """Show it all: a season with duplicates and bad events, a SIGKILL in the midst of it, and books that balance.

    Ends with status 1 where anything does not add up. Afterwards the ledger is there to look around in.
    """
    _make_empty(directory)
    workload = Workload(
        seed=7, events=events, households=max(events // 6, 10), days=3, bills=0.3, records_per_batch=min(4096, events // 20)
    )
    Demo(directory, workload).run()


def _make_empty(directory: Path) -> None:
    """Begin with an empty directory. One that no demo made is not touched."""
    if directory.exists():
        if not (directory / _MARK).exists():
            raise ConfigurationError(f"{directory} exists and is not of a demo", hint="Name another with --directory")
        shutil.rmtree(directory)
    directory.mkdir(parents=True)
    (directory / _MARK).touch()


class Demo:
    """One demonstration in one directory."""

    def __init__(self, directory: Path, workload: Workload) -> None:
        self.stream, self.data = directory / "stream", directory / "ledger"
        self.shard = self.data / f"{TOPIC}-0"
        self.log = directory / "engine.log"
        self.workload = workload

    def run(self) -> None:
        """Show everything, and raise PeakledgerError where it does not add up."""
        fates = self.workload.fates()
        console.print(
            f"[bold]1. A season[/bold]: {self.workload.events:,} events of {self.workload.households:,} households. "
            f"{fates.fresh:,} are new, {fates.duplicates:,} are duplicates, {fates.refused:,} are wrong.",
            markup=True,
        )
        with EmbeddedStream(self.stream) as stream:
            stream.create_topic(TOPIC)
            stream.create_topic(OUTCOMES_TOPIC)
        self._kill_midway()
        self._catch_up()
        self._check_counts()
        for title, command in (
            ("4. Debits equal credits", ("trial-balance",)),
            ("5. One household", ("statement", self._household())),
            ("6. Refused events wait in quarantine, whole", ("quarantine", "list", "--limit", "5")),
            ("7. Every byte of the journal is as it was written", ("verify",)),
        ):
            console.print(f"\n[bold]{title}[/bold]", markup=True)
            self._show(*command)
        console.print(f"\nLook around: peakledger status --data {self.data}")

    def _kill_midway(self) -> None:
        console.print("\n[bold]2. An engine applies them while they come, and is killed[/bold]", markup=True)
        kill_at = int(self.workload.events * _KILL_AT_SHARE)
        with self._engine() as engine:
            _wait(lambda: self._watermark() != _NOTHING, engine)  # or a slow start would find all of the season at once
            with self._publishing():
                _wait(lambda: self._watermark().records_consumed >= kill_at, engine)
                engine.send_signal(signal.SIGKILL)
                engine.wait()
        seen = self._watermark()
        console.print(f"SIGKILL. Readable by then: {seen.records_consumed:,} events, watermark seq {seen.seq:,}.")

    def _catch_up(self) -> None:
        console.print("\n[bold]3. It starts again, and goes on from what is durable[/bold]", markup=True)
        before, started_s = self._watermark(), time.monotonic()
        with self._engine() as engine:
            # On a slow machine all may have been readable before the kill: then it has started when it holds the ledger again.
            missing = self.workload.events - before.records_consumed
            _wait(
                lambda: self._watermark().records_consumed > before.records_consumed if missing else is_running(self.shard),
                engine,
            )
            first, first_s = self._watermark(), time.monotonic()
            _wait(lambda: self._watermark().next_offset == self.workload.events, engine)
            last_s = time.monotonic()
            engine.send_signal(signal.SIGTERM)
            if engine.wait() != 0:
                raise PeakledgerError(f"The engine ended with {engine.returncode}", hint=f"See {self.log}")
        rest = self.workload.events - first.records_consumed
        rate = f", {rest / (last_s - first_s):,.0f} events/s once it ran" if rest else ""
        console.print(f"{missing:,} events durable and readable {last_s - started_s:.2f} s after the start{rate}.")

    def _check_counts(self) -> None:
        found, fates = self._watermark(), self.workload.fates()
        console.print(
            f"{found.events_applied:,} applied + {found.events_existing:,} exists + {found.events_refused:,} refused"
            f" = {found.records_consumed:,} consumed"
        )
        counts = (found.events_applied, found.events_existing, found.events_refused)
        if counts != tuple(fates) or sum(counts) != found.records_consumed:
            raise PeakledgerError("The outcomes are not those of the season", expected=tuple(fates), found=counts)

    def _household(self) -> str:
        """Return a household with a bill and not too many payments."""
        households = [self.workload.household(event) for event in range(1000)]
        known = zip(households, BalanceReader(self.shard).get_many(households), strict=True)
        return next(
            (household for household, balance in known if balance and balance.debits_posted and balance.credits_posted),
            households[0],
        )

    def _watermark(self) -> Watermark:
        try:
            return BalanceReader(self.shard).watermark
        except LedgerNotFound:
            return _NOTHING

    @contextmanager
    def _publishing(self) -> Iterator[None]:
        """Publish the season meanwhile, at a rate that takes some seconds; on leaving, all of it is there."""
        thread = threading.Thread(target=self._publish)
        thread.start()
        try:
            yield
        finally:
            thread.join()

    def _publish(self) -> None:
        began_s = time.monotonic()
        with EmbeddedStream(self.stream) as stream:
            for batch, next_offset in self.workload.batches():
                stream.append(TOPIC, 0, batch)
                due_s = began_s + _PUBLISH_S * next_offset / self.workload.events
                time.sleep(max(0, due_s - time.monotonic()))

    @contextmanager
    def _engine(self) -> Iterator["subprocess.Popen[bytes]"]:
        settings = ["--max-ahead-s", "0", "--segment-mb", "32"]
        command = _command("run", "--stream", str(self.stream), "--data", str(self.data), *settings)
        with self.log.open("ab") as log, subprocess.Popen(command, stdout=log, stderr=log) as engine:
            try:
                yield engine
            finally:
                engine.kill()

    def _show(self, *arguments: str) -> None:
        console.print(f"$ peakledger {' '.join(arguments)} --data {self.data}")
        sys.stdout.flush()
        if subprocess.run(_command(*arguments, "--data", str(self.data)), check=False).returncode:
            raise PeakledgerError(f"peakledger {arguments[0]} found something wrong")


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "peakledger", *arguments]


def _wait(condition: Callable[[], bool], engine: "subprocess.Popen[bytes]") -> None:
    """Wait until ``condition()``. Raises PeakledgerError where the engine ends before, or time runs out."""
    deadline_s = time.monotonic() + _TIMEOUT_S
    while not condition():
        if engine.poll() is not None or time.monotonic() > deadline_s:
            raise PeakledgerError("The engine did not get that far", status=engine.returncode)
        time.sleep(_LOOK_EVERY_S)
