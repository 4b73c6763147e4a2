"""``peakledger run``: keeps the ledger of a topic, from Kafka or from an embedded stream."""

import asyncio
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from ledger.channels import Channel, load_channels
from ledger.errors import PeakledgerError
from ledger.parameters import LedgerParameters
from peakledger import config
from peakledger.commands import options
from peakledger.display import show
from peakledger.exit_codes import exit_code_of
from peakledger.kafka_errors import kafka_errors
from peakledger.kafka_security import security_of
from peakledger.publishing import uses_inlets
from peakledger.status_line import Tell, log_to_standard_error, shard_item, status_line
from streams.changes import BalancePublisher, EntryPublisher
from streams.feeding import FeedRules
from streams.followers import PublishingFollower
from streams.journal_publisher import JournalPublisher
from streams.outcomes import OutcomeLevel, OutcomePublisher
from streams.outlet_totals import follow_outlet_totals
from streams.release import ReleaseRules
from streams.shard import Follower, ShardSettings
from streams.shards import EmbeddedShards, KafkaShards, ShardRunner
from streams.sinks import BatchSink, EmbeddedSink, KafkaSink


def run(
    *,
    stop_at_end: Annotated[
        bool, typer.Option("--stop-at-end", help="Stop when everything that was in the topic at the start is applied")
    ] = False,
    data: options.Data = None,
    stream: options.Stream = None,
    bootstrap_servers: options.BootstrapServers = None,
    topic: options.Topic = None,
    priority: options.Priority = None,
    release_ahead: options.ReleaseAhead = None,
    release_window: options.ReleaseWindow = None,
    group: options.Group = None,
    outcomes_topic: options.OutcomesTopic = None,
    outcomes: options.Outcomes = None,
    channel_profiles: options.ChannelProfiles = None,
    entries_topic: options.EntriesTopic = None,
    balances_topic: options.BalancesTopic = None,
    utc_offset_minutes: options.UtcOffsetMinutes = None,
    close_after_days: options.CloseAfterDays = None,
    future_days: options.FutureDays = None,
    quarantine_corrupt_batches: options.QuarantineCorruptBatches = None,
    accept_lost_records: options.AcceptLostRecords = None,
    max_ahead_s: options.MaxAheadS = None,
    takeover_after_s: options.TakeoverAfterS = None,
    key_memory_mb: options.KeyMemoryMb = None,
    segment_mb: options.SegmentMb = None,
    status_interval_s: options.StatusIntervalS = None,
    config_file: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Apply the events of a topic to the ledger, each exactly once, until SIGTERM or SIGINT.

    With Kafka, start it on as many machines as there are partitions to share; each partition is a shard with a ledger of its own.
    After any kind of end, the next start goes on from what is durable. What stops a shard is told, and decides the exit status.
    """
    flags = {key: value for key, value in locals().items() if key in config.Settings.__struct_fields__}
    settings = config.load(flags, config=config_file)
    log_to_standard_error()
    with kafka_errors(settings), asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        runner = loop.run(_run(settings, stop_at_end))
    shards = runner.status()
    show("shards", [shard_item(shard) for shard in shards], as_json=as_json)
    for shard in shards:
        if isinstance(shard.error, PeakledgerError):
            raise typer.Exit(exit_code_of(shard.error))  # the shard has told its error already
        if shard.error:
            raise shard.error


async def _run(settings: config.Settings, stop_at_end: bool) -> ShardRunner:
    """Run the shards until they end or a signal comes; return what they ended as. Raises what kept them from starting."""
    runner = _runner(settings, stop_at_end)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, runner.stop)
    with status_line() as tell:
        telling = asyncio.create_task(_tell_often(tell, runner, settings.status_interval_s))
        try:
            await runner.run()
        except Exception as error:
            if error not in [shard.error for shard in runner.status()]:
                raise
        finally:
            telling.cancel()
    return runner


async def _tell_often(tell: Tell, runner: ShardRunner, interval_s: float) -> None:
    while True:
        await asyncio.sleep(interval_s)
        tell(runner.status())


def _runner(settings: config.Settings, stop_at_end: bool) -> ShardRunner:
    shards = _shard_settings(settings, stop_at_end)
    release = ReleaseRules(settings.release_ahead, settings.release_window) if uses_inlets(settings) else None
    if settings.stream:
        return EmbeddedShards(Path(settings.stream), settings.topic, shards)
    servers, security = settings.bootstrap_servers, security_of(settings)
    return KafkaShards(settings.topic, shards, group=settings.group, release=release, bootstrap_servers=servers, **security)


def _sink(settings: config.Settings, topic: str, topic_flag: str) -> BatchSink:
    if settings.stream:
        return EmbeddedSink(topic, settings.stream)
    return KafkaSink(topic, settings.bootstrap_servers, topic_flag=topic_flag, **security_of(settings))


def _followers(settings: config.Settings, channels: tuple[Channel, ...]) -> list[Follower]:
    """Return the totals of outlets, and the publishers of what the settings name a topic for."""
    level = OutcomeLevel(settings.outcomes)
    outcomes_topic = settings.outcomes_topic if level is not OutcomeLevel.none else ""
    wanted: list[tuple[str, str, Callable[..., JournalPublisher]]] = [
        (outcomes_topic, "--outcomes-topic", partial(OutcomePublisher, channels=channels, level=level)),
        (settings.entries_topic, "--entries-topic", partial(EntryPublisher, channels=channels)),
        (settings.balances_topic, "--balances-topic", BalancePublisher),
    ]
    publishers = [
        PublishingFollower(partial(_sink, settings, topic, flag), publisher) for topic, flag, publisher in wanted if topic
    ]
    return [follow_outlet_totals, *publishers]


def _shard_settings(settings: config.Settings, stop_at_end: bool) -> ShardSettings:
    channels = load_channels(settings.channel_profiles)
    return ShardSettings(
        Path(settings.data),
        parameters=LedgerParameters(settings.utc_offset_minutes, settings.close_after_days, settings.future_days),
        channels=channels,
        rules=FeedRules(settings.max_ahead_s or None, settings.quarantine_corrupt_batches),
        takeover_after_s=settings.takeover_after_s if settings.takeover_after_s and not settings.stream else None,
        accept_lost_records=settings.accept_lost_records,
        stop_at_end=stop_at_end,
        followers=_followers(settings, channels),
        engine_options={"key_memory_bytes": settings.key_memory_mb << 20, "segment_bytes": settings.segment_mb << 20},
    )
