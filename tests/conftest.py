"""What tests share: one real Apache Kafka for the whole run, a new topic for each test, a working directory to be wary of."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from peakledger import cli
from tests.commands import Ended

if TYPE_CHECKING:
    from tests.kafka.broker import Broker

# No test says anything about time: a busy machine is no failure. What a run finds every other run of the same tests finds too;
# --hypothesis-profile=random looks for what none has found yet, as tests.soak and the fuzzers do.
settings.register_profile("random", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("the same for all", settings.get_profile("random"), derandomize=True)
settings.load_profile("the same for all")

# Some hundred ledgers are made; zero-filling 256 MiB for each would be most of what the tests do to a disk.
os.environ["PEAKLEDGER_SEGMENT_MB"] = "4"

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def kafka_broker() -> Iterator[Broker]:
    """A running broker; a test that kills it must start it again."""
    # Only here, so that tests without a broker need nothing that brings one.
    from tests.kafka.broker import Broker

    broker = Broker().start()
    yield broker
    broker.close()


@pytest.fixture
def new_topic(kafka_broker: Broker) -> Callable[..., str]:
    """Creates a topic with a name of its own: ``new_topic(partitions=1, settings=None)`` returns the name."""

    def create(partitions: int = 1, settings: dict[str, str] | None = None) -> str:
        return kafka_broker.create_topic(f"events-{next(_numbers)}", partitions, settings)

    return create


@pytest.fixture
def foreign_directory(tmp_path, monkeypatch):
    """A working directory with packages named like ours, which must not hide them."""
    for name in ("bench", "ledger"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def command(monkeypatch, capsys):
    """Runs ``peakledger`` in this process: ``command(*arguments)`` returns how it ended."""

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["peakledger", *arguments])
        with pytest.raises(SystemExit) as raised:
            cli.main()
        captured = capsys.readouterr()
        return Ended(int(raised.value.code or 0), captured.out, captured.err)

    return run
