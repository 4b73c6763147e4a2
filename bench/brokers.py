"""The Kafka broker that a suite measures on: one that runs already, or one brought up for the run."""

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ledger.errors import ConfigurationError
from streams.topics import create_topics


class BrokerForBench:
    """Where the broker is, and topics on it that no run used before."""

    def __init__(self, servers: str) -> None:
        self.servers = servers
        self._topics = 0

    def new_topic(self, partitions: int = 1) -> str:
        """Create a topic that keeps records of any age; return its name."""
        self._topics += 1
        name = f"bench-{os.getpid()}-{int(time.time())}-{self._topics}"
        asyncio.run(create_topics(self.servers, {name: partitions}))
        return name


@contextmanager
def broker(servers: str | None) -> Iterator[BrokerForBench]:
    """The broker at ``servers``; without one, the broker of the tests, started for the run. Raises ConfigurationError."""
    if servers:
        yield BrokerForBench(servers)
        return
    sys.path.append(str(Path(__file__).parents[1]))  # an installed command does not look for modules in the source tree
    try:
        from tests.kafka.broker import Broker
    except ImportError as error:
        raise ConfigurationError(
            "no Kafka broker is given, and the one of the tests is not here",
            hint="Name one with --bootstrap-servers, or run from the source tree after make develop",
        ) from error
    own = Broker().start()
    try:
        yield BrokerForBench(own.bootstrap_servers)
    finally:
        own.close()
