"""For a command that decides by the balances what to publish: it begins when they have all that was published before."""

import asyncio
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ledger.errors import BalancesBehind
from ledger.journal import read_parameters
from ledger.projections.balances import BalanceReader
from peakledger.booking import pauses
from peakledger.config import Settings
from peakledger.display import step_progress
from peakledger.kafka_errors import kafka_errors
from peakledger.kafka_security import security_of
from peakledger.publishing import publisher_of, uses_inlets
from peakledger.shards import check_all_shards, is_running, shard_directories
from streams.ends import EmbeddedEnds, Ends, KafkaEnds

_NOTHING_DONE = "Nothing was published"


@contextmanager
def caught_up(settings: Settings, wait_s: float, partition: int | None = None) -> Iterator[None]:
    """Keep other commands that begin so off the data directory, and wait until its balances have what is published by now.

    That is up to the ends of all partitions of the topic of the settings, or of one, and of its inlets where they say that it
    has some. Raises BalancesBehind where that is not so within ``wait_s``, ConfigurationError where shards are missing,
    LedgerNotFound, and what asking Kafka raises.
    """
    shards = _shards_of(settings)
    with _alone(settings.data):
        with kafka_errors(settings):
            asyncio.run(_catch_up(settings, shards, wait_s, partition))
        yield


def _shards_of(settings: Settings) -> dict[int, Path]:
    sources = {directory: read_parameters(directory).source.rpartition("/") for directory in shard_directories(settings.data)}
    return {int(partition): directory for directory, (topic, _, partition) in sources.items() if topic == settings.topic}


@contextmanager
def _alone(data: str) -> Iterator[None]:
    """Lock the data directory: of two commands that began together, neither would find what the other publishes."""
    directory = os.open(data, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            hint = f"{_NOTHING_DONE}; give the command again when that one has ended"
            raise BalancesBehind("Another command is publishing a try of a run", hint=hint) from error
        yield
    finally:
        os.close(directory)


async def _catch_up(settings: Settings, shards: dict[int, Path], wait_s: float, partition: int | None) -> None:
    async with publisher_of(settings) as publisher:
        partition_count = publisher.partition_count
    if partition is None:
        check_all_shards(len(shards), partition_count)
    else:
        shards = {partition: shards[partition]}
    ends = _ends_of(settings)
    try:
        await ends.start(partition_count)
        await _wait(settings, shards, ends, wait_s)
    finally:
        await ends.close()


def _ends_of(settings: Settings) -> Ends:
    has_inlets = uses_inlets(settings)
    if settings.stream:
        return EmbeddedEnds(settings.topic, settings.stream)
    servers, security = settings.bootstrap_servers, security_of(settings)
    return KafkaEnds(settings.topic, has_inlets=has_inlets, bootstrap_servers=servers, **security)


async def _wait(settings: Settings, shards: dict[int, Path], ends: Ends, wait_s: float) -> None:
    readers = {partition: BalanceReader(directory) for partition, directory in shards.items()}
    looks, most = pauses(wait_s), 0
    with step_progress() as bar:
        task = bar.add_task("waiting for the engine", total=None)
        while behind := await _behind(readers, ends):
            records, late = sum(behind.values()), shards[min(behind)]
            most = max(most, records)
            bar.update(task, total=most, completed=most - records)
            if settings.stream and not is_running(late):
                hint = f"{_NOTHING_DONE}. Start one: peakledger run. Then give the command again"
                raise BalancesBehind(
                    f"{late.name} has not applied what is published, and no engine runs", hint=hint, records=records
                )
            pause_s = next(looks, None)
            if pause_s is None:
                hint = f"{_NOTHING_DONE}. See peakledger status; then give the command again, or more time with --wait-s"
                raise BalancesBehind(f"{late.name} has not applied what is published in {wait_s:g} s", hint=hint, records=records)
            await asyncio.sleep(pause_s)


async def _behind(readers: dict[int, BalanceReader], ends: Ends) -> dict[int, int]:
    """Return how many records the balances of each partition lack, of those that lack any."""
    found = {partition: await ends.behind(partition, reader.watermark.next_offset) for partition, reader in readers.items()}
    return {partition: count for partition, count in found.items() if count}
