"""``peakledger quarantine``: refused events, and what operators decide about them."""

import asyncio
import getpass
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import typer

from ledger.channels import Channel, load_channels
from ledger.errors import ConfigurationError, EventRefused
from ledger.event_fields import format_date
from ledger.journal import read_parameters
from ledger.later_tries import LaterTries, LaterTry
from ledger.layouts import EventType, PayloadKind
from ledger.outcomes import OutcomeCode
from ledger.projections.quarantine import Quarantine, Quarantined, State
from ledger.replays import Record, Replays
from peakledger import config
from peakledger.catching_up import caught_up
from peakledger.commands.options import (
    BootstrapServers,
    ChannelProfiles,
    Config,
    Data,
    Json,
    Priority,
    Stream,
    channels_by_code,
    examples,
)
from peakledger.display import show, show_one
from peakledger.event_names import event_name
from peakledger.kafka_errors import kafka_errors
from peakledger.publishing import ordered_publisher_of
from peakledger.shards import shard_directories

app = typer.Typer(no_args_is_help=True, help="Look at refused events, publish them again, or drop them.")

ORIGINAL_CAME = "the original has come"

_GREATEST_OFFSET = 2**63 - 1

Offsets = Annotated[
    list[int], typer.Argument(metavar="OFFSET...", max=_GREATEST_OFFSET, help="Offsets of the events, as list shows them")
]
Shard = Annotated[str | None, typer.Option("--shard", help="Name of the shard; not needed where there is only one")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept with the decision")]
Operator = Annotated[str, typer.Option("--operator", help="Who decides", default_factory=getpass.getuser, show_default="you")]


@app.command(
    "list", epilog=examples("peakledger quarantine list", "peakledger quarantine list --reason business_date_closed --json")
)
def list_events(
    *,
    reason: Annotated[
        list[str] | None, typer.Option("--reason", help="Only events refused with this code; may be repeated")
    ] = None,
    state: Annotated[State | None, typer.Option("--state", help="Only events in this state")] = State.waiting,
    everything: Annotated[bool, typer.Option("--all", help="Events in any state")] = False,
    after_offset: Annotated[
        int, typer.Option("--after-offset", max=_GREATEST_OFFSET, help="Begin behind this offset, to page on")
    ] = -1,
    limit: Annotated[int, typer.Option(min=1, help="Events to show of each shard")] = 50,
    shard: Shard = None,
    data: Data = None,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """List the events in quarantine, oldest first; unless told otherwise those that wait for a decision."""
    settings = config.load({"data": data}, config=config_file)
    states = () if everything or state is None else (state,)
    channels = channels_by_code(settings)
    items = []
    for path in shard_directories(settings.data, shard):
        quarantine = _up_to_date(path)
        found = quarantine.items(reasons=_codes(reason or []), states=states, after_offset=after_offset, limit=limit)
        items += [_item(path.name, event, channels) for event in found]
    show("quarantine", items, as_json=as_json, hide=["seq", "frame"], empty="Nothing is in quarantine.")


@app.command("show", epilog=examples("peakledger quarantine show 4711", "peakledger quarantine show 4711 --json"))
def show_event(
    *,
    offset: Annotated[int, typer.Argument(metavar="OFFSET", max=_GREATEST_OFFSET, help="Offset of the event")],
    shard: Shard = None,
    data: Data = None,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """Show one event whole: why it was refused, its bytes, and what was decided."""
    settings = config.load({"data": data}, config=config_file)
    path = _only_shard(settings.data, shard)
    event = _up_to_date(path).get(offset)
    item = (
        _item(path.name, event, channels_by_code(settings))
        | {"meaning": event.code.sentence}
        | _payload(event)
        | _decision(event)
    )
    if as_json:
        show("quarantined_event", [item], as_json=True)
        return
    show_one(item)


@app.command(
    epilog=examples("peakledger quarantine replay", "peakledger quarantine replay 4711 4712 --reason 'the day was opened again'")
)
def replay(
    *,
    offsets: Annotated[
        list[int] | None,
        typer.Argument(
            metavar="[OFFSET]...",
            max=_GREATEST_OFFSET,
            help="Offsets of the events; without any, reversals and adjustments whose event came later",
        ),
    ] = None,
    operator: Operator,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept with the decision")] = ORIGINAL_CAME,
    wait_s: Annotated[
        float,
        typer.Option("--wait-s", min=0, help="Seconds to wait, for a line of withholding, until the balances have its tries"),
    ] = 60,
    shard: Shard = None,
    data: Data = None,
    priority: Priority = None,
    stream: Stream = None,
    bootstrap_servers: BootstrapServers = None,
    channel_profiles: ChannelProfiles = None,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """Publish events again to the topic and partition that they came from, originals before reversals; then note the decision.

    The ledger judges them anew. An event whose key is burnt goes under another serial, which follows from its own. Who cannot
    wait for that publishes a corrected event instead, and drops the wrong one. Where one is a line of withholding that was tried
    again since, nothing is published, and the status is 13: both would be held.
    """
    flags = {key: value for key, value in locals().items() if key in config.Settings.__struct_fields__}
    settings = config.load(flags, config=config_file)
    if offsets and reason == ORIGINAL_CAME:
        raise ConfigurationError("Events that are named are replayed for a reason", hint="Say it: --reason")
    items: list[dict[str, Any]] = []
    for path in [_only_shard(settings.data, shard)] if offsets else shard_directories(settings.data, shard):
        items += _replay(path, settings, _Decided(offsets or [], operator, reason), wait_s)
    show("decisions", items, as_json=as_json, empty="No reversal waits whose original has come.")


class _Decided(NamedTuple):
    """What an operator decided about events; of none, the reversals that are ready are meant."""

    offsets: list[int]
    operator: str
    reason: str


def _replay(path: Path, settings: config.Settings, decided: _Decided, wait_s: float) -> list[dict[str, Any]]:
    """Replay events of one shard, or its reversals that are ready; return the decisions."""
    quarantine = _up_to_date(path)
    channels = load_channels(settings.channel_profiles)
    replays = Replays(path, quarantine, channels)
    events = [quarantine.get(offset) for offset in decided.offsets] if decided.offsets else replays.ready_reversals()
    batches = [str(event.offset) for event in events if event.payload_kind is not PayloadKind.record]
    if batches:
        raise ConfigurationError(f"No record to publish at {', '.join(batches)}: a damaged batch", hint="Drop it")
    if not events:
        return []
    topic, _, partition = read_parameters(path).source.rpartition("/")
    own = msgspec.structs.replace(settings, topic=topic)
    with ExitStack() as stack:
        tries = LaterTries(path, quarantine, channels)
        if lines := tries.lines(events):
            stack.enter_context(caught_up(own, wait_s, int(partition)))
            quarantine.catch_up()
            _refuse_tried_again(tries.find(lines))
        with kafka_errors(own):
            asyncio.run(_publish(own, channels, int(partition), replays.records(events)))
    return _decide(quarantine, path.name, [event.offset for event in events], State.replayed, decided.operator, decided.reason)


def _refuse_tried_again(tries: list[LaterTry]) -> None:
    if tries:
        line, on, run = tries[0]
        named = f"run {run}" if run else f"a run of {line.terminal.bank} of {line.day}"
        drop = f"peakledger quarantine drop {' '.join(str(each.line.offset) for each in tries)} --reason 'tried again'"
        raise EventRefused(
            f"line {line.number} of {named} was tried again on {on}, and replayed, both would be held",
            hint=f"Nothing was published. Leave the line to its later try: {drop}",
            offset=line.offset,
        )


@app.command(epilog=examples("peakledger quarantine drop 4711 --reason 'a test of the channel'"))
def drop(
    *,
    offsets: Offsets,
    reason: Reason,
    operator: Operator,
    shard: Shard = None,
    data: Data = None,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """Decide that events need nothing more. They stay in the journal, and in the list of all."""
    settings = config.load({"data": data}, config=config_file)
    path = _only_shard(settings.data, shard)
    items = _decide(_up_to_date(path), path.name, offsets, State.dropped, operator, reason)
    show("decisions", items, as_json=as_json)


def _decide(
    quarantine: Quarantine, shard: str, offsets: list[int], state: State, operator: str, reason: str
) -> list[dict[str, Any]]:
    for offset in offsets:
        quarantine.get(offset)
    decisions = [quarantine.decide(offset, state, operator=operator, reason=reason) for offset in offsets]
    return [{"shard": shard, "offset": one.offset, "state": one.state.value, "operator": operator} for one in decisions]


async def _publish(settings: config.Settings, channels: tuple[Channel, ...], partition: int, records: list[Record]) -> None:
    async with ordered_publisher_of(settings, channels) as publisher:
        for key, value in records:
            await publisher.publish_record(key, value, partition=partition)


def _up_to_date(shard_directory: Path) -> Quarantine:
    quarantine = Quarantine(shard_directory)
    quarantine.catch_up()
    return quarantine


def _only_shard(data: str, shard: str | None) -> Path:
    found = shard_directories(data, shard)
    if len(found) > 1:
        raise ConfigurationError("There are several shards", hint=f"Say --shard {found[0].name}, or another")
    return found[0]


def _codes(names: list[str]) -> list[OutcomeCode]:
    unknown = [name for name in names if name not in OutcomeCode.__members__]
    if unknown:
        raise typer.BadParameter(f"{unknown[0]!r} is no outcome code", param_hint="--reason")
    return [OutcomeCode[name] for name in names]


def _item(shard: str, event: Quarantined, channels: Mapping[int, Channel]) -> dict[str, Any]:
    name = event_name(event.channel, event.serial, channels.get(event.channel))
    return {
        "shard": shard,
        "offset": event.offset,
        "code": event.code.name,
        "state": event.state.value,
        "event": EventType(event.event_type).name if event.event_type else None,
        "channel": name.channel,
        "business_date": format_date(event.business_date) if event.business_date else None,
        "serial": name.serial,
        "record_time_ms": event.record_timestamp_ms,
        "seq": event.seq,
        "frame": event.frame_number,
    }


def _payload(event: Quarantined) -> dict[str, Any]:
    """Return the event's key and value: as text where it is text, else in hexadecimal; of a damaged batch its bytes."""
    if event.payload_kind is PayloadKind.batch:
        return {"batch_hex": event.payload.hex()}
    key, value, _ = event.record()
    return {"key": _text(key), "value": _text(value)}


def _text(data: bytes | None) -> str | None:
    if data is None:
        return None
    text = data.decode("utf-8", "replace")
    return text if text.isprintable() else data.hex()


def _decision(event: Quarantined) -> dict[str, Any]:
    if event.decision is None:
        return {}
    return {
        "operator": event.decision.operator,
        "reason": event.decision.reason,
        "decided_time_ms": event.decision.time_ms,
    }
