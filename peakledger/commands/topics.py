"""``peakledger topics``: makes the topics that a ledger reads from and writes to."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from peakledger import config
from peakledger.commands.options import (
    BalancesTopic,
    BootstrapServers,
    Config,
    EntriesTopic,
    Json,
    OutcomesTopic,
    Priority,
    Stream,
    Topic,
    examples,
)
from peakledger.display import show
from peakledger.kafka_errors import kafka_errors
from peakledger.kafka_security import security_of
from peakledger.publishing import uses_inlets
from streams.inlets import priority_topics, released_topic

if TYPE_CHECKING:
    from streams.topics import FoundTopic

app = typer.Typer(no_args_is_help=True, help="Make topics, in Kafka or in an embedded stream.")


@app.command(
    epilog=examples(
        "peakledger topics create --partitions 4",
        "peakledger topics create --partitions 4 --priority",
        "peakledger topics create --stream season --topic payments.events",
    )
)
def create(
    *,
    partitions: Annotated[int, typer.Option(min=1, help="Partitions of the topic of events: one shard each")] = 1,
    replication_factor: Annotated[int, typer.Option(min=-1, help="Copies of each partition; -1: the broker's default")] = -1,
    topic: Topic = None,
    outcomes_topic: OutcomesTopic = None,
    entries_topic: EntriesTopic = None,
    balances_topic: BalancesTopic = None,
    priority: Priority = None,
    stream: Stream = None,
    bootstrap_servers: BootstrapServers = None,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """Create the topics of events and of outcomes, of entries and balances where they are published, and the inlets of priority.

    Records of any age are kept; of balances the last of each account. Topics that exist stay as they are.
    """
    flags = {key: value for key, value in locals().items() if key in config.Settings.__struct_fields__}
    settings = config.load(flags, config=config_file)
    names = [settings.topic, settings.outcomes_topic, settings.entries_topic, settings.balances_topic]
    if uses_inlets(settings):
        names += priority_topics(settings.topic)
    wanted = {name: partitions for name in names if name}
    if settings.stream:
        made = _create_embedded(Path(settings.stream), wanted)
    else:
        made = _create_in_kafka(settings, wanted, replication_factor)
    items = [{"topic": name, "partitions": found.partitions, "created": found.is_new} for name, found in made.items()]
    show("topics", items, as_json=as_json)


def _create_embedded(directory: Path, wanted: dict[str, int]) -> dict[str, "FoundTopic"]:
    from streams.embedded import EmbeddedStream
    from streams.topics import FoundTopic

    with EmbeddedStream(directory) as stream:
        before = stream.topics()
        for name in wanted.keys() - before.keys():
            stream.create_topic(name, wanted[name])
    return {name: FoundTopic(before.get(name, partitions), name not in before) for name, partitions in wanted.items()}


def _create_in_kafka(settings: config.Settings, wanted: dict[str, int], replication_factor: int) -> dict[str, "FoundTopic"]:
    from streams.topics import create_topics

    compacted = {settings.balances_topic, released_topic(settings.topic)} & wanted.keys()
    with kafka_errors(settings):
        return asyncio.run(
            create_topics(
                settings.bootstrap_servers,
                wanted,
                compacted=compacted,
                replication_factor=replication_factor,
                security=security_of(settings),
            )
        )
