"""``peakledger outcome``: what became of an event."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from ledger.adjustments import Adjustments
from ledger.channels import load_channels
from ledger.errors import NotFound
from ledger.event_search import FoundOutcome, look_up_outcomes, read_outcomes
from ledger.key_lookup import EventKey
from ledger.outcomes import OutcomeCode
from peakledger import config
from peakledger.commands.options import Config, Data, Json, find_channel
from peakledger.display import error_console, show
from peakledger.shards import shard_directories


def outcome(
    *,
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="Name or code of the channel")],
    business_date: Annotated[datetime, typer.Argument(metavar="DATE", help="Business date of the event", formats=["%Y-%m-%d"])],
    serial: Annotated[str, typer.Argument(metavar="SERIAL", help="The channel's serial of the event")],
    repetitions: Annotated[
        bool, typer.Option("--repetitions", help="Also show each repetition that changed nothing: reads the whole journal")
    ] = False,
    data: Data = None,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """Show what became of the event with a key, and each refusal under that key, in the order of arrival.

    Looks the key up. Where its business date has closed, keys are forgotten, and the whole journal is read as with --repetitions.
    Ends with status 6 where no such event came.
    """
    settings = config.load({"data": data}, config=config_file)
    known = find_channel(channel, load_channels(settings.channel_profiles))
    day = business_date.date()
    key = EventKey.of(known, day, serial)
    items = [
        _item(path, found) for path in shard_directories(settings.data) for found in _outcomes(path, key, repetitions=repetitions)
    ]
    if not items:
        raise NotFound(
            f"No event of {known.name}, {day}, {serial}", hint="It was never consumed, or its key could not be decoded"
        )
    has_reason = any(item["reason"] for item in items)
    show("outcomes", items, as_json=as_json, hide=() if has_reason else ("reason",))


def _outcomes(shard_directory: Path, key: EventKey, *, repetitions: bool) -> Iterable[FoundOutcome]:
    found = None if repetitions else look_up_outcomes(shard_directory, key)
    if found is not None:
        return found
    if not repetitions:
        error_console.print(f"{shard_directory.name}: the business date has closed; reading the whole journal")
    return read_outcomes(shard_directory, key)


def _item(shard_directory: Path, found: FoundOutcome) -> dict[str, Any]:
    adjusted = Adjustments(shard_directory).at(found.seq) if found.code is OutcomeCode.applied else None
    return {
        "shard": shard_directory.name,
        "offset": found.offset,
        "outcome": found.code.name,
        "seq": found.seq,
        "event_time_ms": found.time_ms,
        "meaning": found.code.sentence,
        "reason": adjusted.note.reason if adjusted else None,
    }
