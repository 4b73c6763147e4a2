"""``peakledger expire``: closes the cards whose time is over."""

import asyncio
from datetime import date
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import typer

from ledger.channels import Channel, load_channels
from ledger.errors import ConfigurationError
from ledger.events import encode_json
from ledger.history import History
from ledger.journal import read_parameters
from peakledger import config
from peakledger.commands.options import BootstrapServers, ChannelProfiles, Config, Data, Json, Priority, Stream, find_channel
from peakledger.commands.ranges import parse_day
from peakledger.display import console, show
from peakledger.expiry import ExpiredCard, expired_cards, expiry_events
from peakledger.kafka_errors import kafka_errors
from peakledger.publishing import ordered_publisher_of
from peakledger.shards import check_all_shards, shard_directories


def expire(
    *,
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="Name or code of a channel that cards pay")],
    on: Annotated[
        str | None,
        typer.Option("--on", metavar="DATE", help="The day that the cards are no longer valid on; today by ledger time"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the cards, and publish nothing")] = False,
    channel_profiles: ChannelProfiles = None,
    data: Data = None,
    priority: Priority = None,
    stream: Stream = None,
    bootstrap_servers: BootstrapServers = None,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """Close the cards that were last topped up more than valid_days of the channel's profile ago.

    What is left on them goes to the profile's expired_account first. The events are published, each to the partition of its card,
    and not waited for: the same command later shows the cards that are still open. A card of which something is held waits.
    """
    flags = {key: value for key, value in locals().items() if key in config.Settings.__struct_fields__}
    settings = config.load(flags, config=config_file)
    channels = load_channels(settings.channel_profiles)
    source = find_channel(channel, channels)
    if not source.valid_days:
        raise typer.BadParameter(f"{source.name} has no cards that expire: its profile has no valid_days", param_hint="CHANNEL")
    shards = [_expired(path, source, on, dry_run=dry_run) for path in shard_directories(settings.data)]
    if not dry_run and any(shard.cards for shard in shards):
        asyncio.run(_publish(settings, channels, source, shards))
    items = [_item(shard.path.name, card, source) for shard in shards for card in shard.cards]
    show("expired_cards", items, as_json=as_json, empty="No card has expired.")
    if items and not dry_run and not as_json:
        console.print(f"Published what closes {len(items):,} cards. peakledger quarantine list tells what is refused.")


class _Shard(NamedTuple):
    """The expired cards of one shard, and its ledger date."""

    path: Path
    ledger_date: date
    cards: list[ExpiredCard]


def _expired(path: Path, channel: Channel, on: str | None, *, dry_run: bool) -> _Shard:
    history = History(path)
    today = history.ledger_date(history.balances.watermark.seq)
    day = parse_day(on) if on else today
    cards = list(expired_cards(history, channel, day))
    if cards and day > today and not dry_run:
        raise ConfigurationError(
            f"{day} lies ahead of {path.name}, whose ledger date is {today}", hint="--dry-run shows what will have expired"
        )
    return _Shard(path, today, cards)


async def _publish(settings: config.Settings, channels: tuple[Channel, ...], channel: Channel, shards: list[_Shard]) -> None:
    sources = [read_parameters(shard.path).source.rpartition("/") for shard in shards]
    with kafka_errors(settings):
        async with ordered_publisher_of(msgspec.structs.replace(settings, topic=sources[0][0]), channels) as publisher:
            check_all_shards(len(shards), publisher.partition_count)
            for shard, (_, _, partition) in zip(shards, sources, strict=True):
                for card in shard.cards:
                    for event in expiry_events(card, channel, shard.ledger_date):
                        await publisher.publish_record(None, encode_json(event), partition=int(partition))


def _item(shard: str, card: ExpiredCard, channel: Channel) -> dict[str, Any]:
    return {
        "shard": shard,
        "account": card.account,
        "last_top_up": card.last_top_up,
        "left_fen": card.left_fen,
        "goes_to": channel.expired_account if card.left_fen else None,
    }
