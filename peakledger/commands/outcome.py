"""``peakledger outcome``: what became of an event."""

from datetime import datetime
from typing import Annotated, Any

import typer

from ledger.errors import NotFound
from ledger.event_search import FoundOutcome, find_outcomes
from peakledger import config
from peakledger.commands.options import Config, Data, Json, find_channel
from peakledger.commands.shards import shard_directories
from peakledger.display import show


def outcome(
    *,
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="Name or code of the channel")],
    business_date: Annotated[datetime, typer.Argument(metavar="DATE", help="Business date of the event", formats=["%Y-%m-%d"])],
    serial: Annotated[str, typer.Argument(metavar="SERIAL", help="The channel's serial of the event")],
    data: Data = None,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """Show what became of the event with a key, and of every repetition of it, in the order of arrival.

    Searches the whole journal. Ends with status 6 where no such event came.
    """
    settings = config.load({"data": data}, config=config_file)
    known = find_channel(channel)
    day = business_date.date()
    items = [
        _item(path.name, found) for path in shard_directories(settings.data) for found in find_outcomes(path, known, day, serial)
    ]
    if not items:
        raise NotFound(
            f"No event of {known.name}, {day}, {serial}", hint="It was never consumed, or its key could not be decoded"
        )
    show("outcomes", items, as_json=as_json)


def _item(shard: str, found: FoundOutcome) -> dict[str, Any]:
    return {
        "shard": shard,
        "offset": found.offset,
        "outcome": found.code.name,
        "seq": found.seq,
        "event_time_ms": found.time_ms,
        "meaning": found.code.sentence,
    }
