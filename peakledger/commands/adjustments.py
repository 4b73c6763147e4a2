"""``peakledger adjust`` and ``peakledger adjustments``: amounts that people move to settle a dispute, and what they said."""

import asyncio
import hashlib
import time
from base64 import b32encode
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import typer

from ledger.account_ids import format_account, parse_account
from ledger.adjustments import Adjustment, Adjustments
from ledger.channels import Channel, load_channels
from ledger.errors import ConfigurationError, EventRefused, NotFound
from ledger.event_fields import format_date
from ledger.event_search import FoundOutcome, read_outcomes
from ledger.events import Adjust, EventName, check_event, encode_json
from ledger.history import History
from ledger.journal import FrameHeader, find_end, read_parameters
from ledger.key_lookup import EventKey, KeyLookup
from ledger.outcomes import OutcomeCode
from peakledger import config
from peakledger.commands.options import (
    BootstrapServers,
    ChannelProfiles,
    Config,
    Data,
    Json,
    Priority,
    Stream,
    check_account,
    find_channel,
)
from peakledger.commands.ranges import parse_day
from peakledger.display import console, show, step_progress
from peakledger.event_names import event_name
from peakledger.kafka_errors import kafka_errors
from peakledger.publishing import ordered_publisher_of
from peakledger.shards import is_running, shard_directories

CHANNEL = "ledger"
EVENT_FORM = "CHANNEL/DATE/SERIAL"

_POLL_S = 0.1
_HIDDEN = ("shard", "value_date", "ledger_time_ms")


class _Shard(NamedTuple):
    """Where an adjustment goes: the shard that has both accounts and the event in dispute."""

    directory: Path
    topic: str
    partition: int


def adjust(
    *,
    debit: Annotated[str, typer.Option("--debit", metavar="ACCOUNT", help="The account to debit", callback=check_account)],
    credit: Annotated[str, typer.Option("--credit", metavar="ACCOUNT", help="The account to credit", callback=check_account)],
    amount_fen: Annotated[int, typer.Option("--amount-fen", metavar="FEN", help="The amount in fen")],
    allowed_by: Annotated[
        list[str], typer.Option("--allowed-by", metavar="NAME", help="Who allowed it; again for a second person")
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why: 1 to 200 bytes")],
    disputed: Annotated[
        str | None, typer.Option("--disputed", metavar=EVENT_FORM, help="The event in dispute, where there is one")
    ] = None,
    business_date: Annotated[str | None, typer.Option(metavar="DATE", help="Business date; today where it is left out")] = None,
    serial: Annotated[
        str | None,
        typer.Option(metavar="SERIAL", help="Serial; follows from all the rest where it is left out", show_default=False),
    ] = None,
    shard: Annotated[str | None, typer.Option(help="The shard, where several have both accounts")] = None,
    wait_s: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="Wait so long for the outcome")] = 10.0,
    data: Data = None,
    priority: Priority = None,
    stream: Stream = None,
    bootstrap_servers: BootstrapServers = None,
    channel_profiles: ChannelProfiles = None,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """Publish an adjustment: move an amount, and say about which event, who allowed it, and why.

    What can be checked is checked before: the accounts, the event in dispute, the second person above the amount of the profile.
    The same command twice on one day is one adjustment: its serial follows from what it says. Ends with status 13 where it is
    refused.
    """
    flags = {key: value for key, value in locals().items() if key in config.Settings.__struct_fields__}
    settings = config.load(flags, config=config_file)
    channels = load_channels(settings.channel_profiles)
    event = Adjust(
        CHANNEL,
        parse_day(business_date) if business_date else _today(settings.utc_offset_minutes),
        serial or "?",
        debit=format_account(parse_account(debit)),
        credit=format_account(parse_account(credit)),
        amount_fen=amount_fen,
        allowed_by=tuple(allowed_by),
        reason=reason,
        disputed=parse_event(disputed, channels) if disputed else None,
    )
    event = event if serial else _with_own_serial(event)
    code = check_event(event, channels)
    if not code and event.debit == event.credit:
        code = OutcomeCode.accounts_must_be_different
    if code:
        raise EventRefused(f"{code.name}: {code.sentence}", hint="Nothing was published; docs/disputes.md says what is needed")
    place = _find_shard(settings.data, shard, event, channels)
    key = key_of_name(EventName(event.channel, event.business_date, event.serial), channels)
    first_frame = _next_frame(place.directory)
    with kafka_errors(settings):
        asyncio.run(_publish(settings, channels, place, event))
    if settings.stream and not is_running(place.directory):
        wait_s = 0.0  # nobody will apply it now
    _show_outcome(event, place, _wait(place.directory, key, first_frame, wait_s), as_json=as_json)


def adjustments(
    *,
    about: Annotated[
        str | None, typer.Argument(metavar=f"[{EVENT_FORM}|ACCOUNT]", help="Only those about this event, or of this account")
    ] = None,
    data: Data = None,
    channel_profiles: ChannelProfiles = None,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """List the adjustments that were booked: what moved, about which event, who allowed it, and why.

    Of an account, newest first, it reads that account's entries; about an event, the journal from that event on; else the whole
    journal. Works while an engine runs and while none does.
    """
    settings = config.load({"data": data, "channel_profiles": channel_profiles}, config=config_file)
    channels = load_channels(settings.channel_profiles)
    items = []
    for directory in shard_directories(settings.data):
        found = list(_adjustments(directory, about, channels))
        items += [_item(directory.name, History(directory), one, channels) for one in found]
    if not as_json:
        items = [item | {"allowed_by": ", ".join(item["allowed_by"])} for item in items]
    show("adjustments", items, as_json=as_json, hide=_HIDDEN, empty="There are no such adjustments.")


def parse_event(text: str, channels: Iterable[Channel]) -> EventName:
    """Return the event that CHANNEL/DATE/SERIAL names; other text is an error of usage."""
    parts = text.split("/", 2)
    if len(parts) != len(EventName.__struct_fields__):
        raise typer.BadParameter(f"{text!r} is no event; name it {EVENT_FORM}")
    return EventName(find_channel(parts[0], channels).name, parse_day(parts[1]), parts[2])


def key_of_name(name: EventName, channels: Iterable[Channel]) -> EventKey:
    """Return the key of an event. Raises PeakledgerError where the serial is not in the form of its channel."""
    return EventKey.of(find_channel(name.channel, channels), name.business_date, name.serial)


def _today(utc_offset_minutes: int) -> date:
    return (datetime.now(UTC) + timedelta(minutes=utc_offset_minutes)).date()


def _with_own_serial(event: Adjust) -> Adjust:
    """Return the event with a serial that follows from what it says, of 16 characters."""
    digest = hashlib.sha256(encode_json(event)).digest()
    return msgspec.structs.replace(event, serial=f"A{b32encode(digest)[:15].decode()}")


def _find_shard(data: str, name: str | None, event: Adjust, channels: tuple[Channel, ...]) -> _Shard:
    shards = shard_directories(data, name)
    for account in (event.debit, event.credit):
        shards = [one for one in shards if History(one).balances.get(account)]
        if not shards:
            raise NotFound(f"No account {account}, or not in one shard with the other", hint="Nothing was published")
    if event.disputed:
        disputed = key_of_name(event.disputed, channels)
        shards = [one for one in shards if _is_applied(KeyLookup(one), disputed)]
        if not shards:
            raise NotFound(
                f"No applied event {format_event(disputed, channels)}, or its business date has closed",
                hint="Nothing was published",
            )
    if len(shards) > 1:
        raise ConfigurationError("Several shards have both accounts", hint=f"Say --shard {shards[0].name}, or another")
    topic, _, partition = read_parameters(shards[0]).source.rpartition("/")
    return _Shard(shards[0], topic, int(partition))


def _is_applied(lookup: KeyLookup, key: EventKey) -> bool:
    known = lookup.find([key]).get(key)
    return known is not None and known.code is OutcomeCode.applied


def _next_frame(shard_directory: Path) -> int:
    end = find_end(shard_directory / "journal")
    return FrameHeader.unpack(end.last_frame).frame_number + 1 if end and end.last_frame else 1


async def _publish(settings: config.Settings, channels: tuple[Channel, ...], place: _Shard, event: Adjust) -> None:
    async with ordered_publisher_of(msgspec.structs.replace(settings, topic=place.topic), channels) as publisher:
        await publisher.publish_record(None, encode_json(event), partition=place.partition)


def _wait(shard_directory: Path, key: EventKey, first_frame: int, wait_s: float) -> FoundOutcome | None:
    """Return the outcome of the event that was just published; None where no engine has come to it in time."""
    give_up = time.monotonic() + wait_s
    while True:
        found = next(read_outcomes(shard_directory, key, first_frame=first_frame), None)
        if found or time.monotonic() >= give_up:
            return found
        time.sleep(_POLL_S)


def _show_outcome(event: Adjust, place: _Shard, found: FoundOutcome | None, *, as_json: bool) -> None:
    item = {
        "shard": place.directory.name,
        "channel": event.channel,
        "business_date": event.business_date.isoformat(),
        "serial": event.serial,
        "outcome": found.code.name if found else None,
        "seq": found.seq if found else None,
    }
    show("adjustment", [item], as_json=as_json)
    if found is None and not as_json:
        console.print("It is published. No engine has applied it yet: peakledger outcome tells what becomes of it.")
    if found and found.code.is_refusal:
        raise EventRefused(f"{found.code.name}: {found.code.sentence}", hint="Nothing was booked")


def _adjustments(directory: Path, about: str | None, channels: tuple[Channel, ...]) -> Iterator[Adjustment]:
    own = Adjustments(directory)
    if about and "/" not in about:
        history = History(directory)
        return own.of_account(history, about) if history.balances.get(check_account(about)) else iter(())
    key = key_of_name(parse_event(about, channels), channels) if about else None
    lookup = KeyLookup(directory)
    known = lookup.find([key]).get(key) if key and lookup.knows(key.business_date) else None
    since = _with_progress(own, max(known.seq, 1) if known else 1, History(directory).balances.watermark.seq)
    return (one for one in since if key in (None, one.key, one.disputed))


def _with_progress(own: Adjustments, first_seq: int, last_seq: int) -> Iterator[Adjustment]:
    with step_progress() as bar:
        task = bar.add_task("reading the journal", total=last_seq - first_seq + 1)
        yield from own.since(first_seq, lambda seq: bar.update(task, completed=seq - first_seq))


def _item(shard: str, history: History, found: Adjustment, channels: tuple[Channel, ...]) -> dict[str, Any]:
    debit, credit = history.balances.accounts_in([found.debit_slot, found.credit_slot])
    return {
        "shard": shard,
        "seq": found.seq,
        "event": format_event(found.key, channels),
        "ledger_time_ms": found.ledger_time_ms,
        "value_date": format_date(found.value_date),
        "debit_account": debit,
        "credit_account": credit,
        "amount_fen": found.amount_fen,
        "disputed": format_event(found.disputed, channels) if found.disputed else None,
        "allowed_by": list(found.note.allowed_by),
        "reason": found.note.reason,
    }


def format_event(key: EventKey, channels: Iterable[Channel]) -> str:
    """Return CHANNEL/DATE/SERIAL; of a channel that is not known, its code and the serial in hexadecimal."""
    name = event_name(key.channel, key.serial, next((each for each in channels if each.code == key.channel), None))
    return f"{name.channel}/{format_date(key.business_date)}/{name.serial}"
