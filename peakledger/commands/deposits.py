"""``peakledger deposits``: what is left of agencies' deposits, and who should be told."""

from typing import Annotated, Any

import typer

from ledger.channels import load_channels
from ledger.errors import DepositLow
from ledger.history import shard_histories
from peakledger import config
from peakledger.commands.options import ChannelProfiles, Config, Data, Json, find_channel
from peakledger.deposits import Deposit, find_deposits, prefunded
from peakledger.display import show


def show_deposits(
    *,
    channel: Annotated[str | None, typer.Argument(metavar="[CHANNEL]", help="Name or code of a channel; all without it")] = None,
    low: Annotated[bool, typer.Option("--low", help="Only those that are low")] = False,
    channel_profiles: ChannelProfiles = None,
    data: Data = None,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """Show what is left of the deposits that prefunded channels are paid from, over all shards.

    Ends with status 15 where one is low: below the alarm level of its channel's profile, or used up in a shard. Credit lines are
    left out. Works while an engine runs and while none does.
    """
    settings = config.load({"data": data, "channel_profiles": channel_profiles}, config=config_file)
    channels = load_channels(settings.channel_profiles)
    wanted = find_channel(channel, channels) if channel else None
    if wanted and not prefunded([wanted]):
        raise typer.BadParameter(f"{wanted.name} is not paid from deposits: its funds are not prefunded", param_hint="CHANNEL")
    found = [
        each for each in find_deposits(shard_histories(settings.data), channels) if not wanted or wanted.name in each.channels
    ]
    lows = [each for each in found if each.is_low]
    items = [_item(each) for each in (lows if low else found)]
    hide = ("shards", "least_fen") if all(each.shards == 1 for each in found) else ()
    show("deposits", items, as_json=as_json, hide=hide, empty="No deposit is low." if low else "There are no deposits.")
    if lows:
        raise DepositLow("Deposits are low", deposits=len(lows), hint="Have them topped up: their channels refuse what they lack")


def _item(deposit: Deposit) -> dict[str, Any]:
    return {
        "account": deposit.account,
        "channel": ", ".join(deposit.channels),
        "shards": deposit.shards,
        "left_fen": deposit.left_fen,
        "least_fen": deposit.least_fen,
        "alarm_level_fen": deposit.alarm_level_fen,
        "low": deposit.is_low,
    }
