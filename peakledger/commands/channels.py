"""``peakledger channels``: who may publish events, and what their profiles say."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from ledger.channels import Channel, load_channels, located, read_profile, rules_digest
from ledger.errors import NotFound
from peakledger.commands.options import ChannelProfiles, Config, Json, examples
from peakledger.config import load
from peakledger.display import console, show

_TABLES = ("fee", "limits", "adjust")

app = typer.Typer(no_args_is_help=True, help="Show the channels that may publish events, and check profiles of new ones.")


@app.command("list", epilog=examples("peakledger channels list", "peakledger channels list --json"))
def list_channels(config: Config = None, channel_profiles: ChannelProfiles = None, as_json: Json = False) -> None:
    """List the channels: code, names, form of their serials, whose money pays, when it settles, what they publish.

    The rules digest is over all that their profiles say about decoding and posting. `peakledger status --json` tells that of each
    shard, as of its last frame: where the two are the same, an engine with these profiles goes on by the same rules.
    """
    channels = _channels(config, channel_profiles)
    digest = f"{rules_digest(channels):016x}"
    items = [_summary(channel) for channel in channels]
    show("channels", items, as_json=as_json, hide=("priority",), more={"rules_digest": digest})
    if not as_json:
        console.print(f"Rules digest: {digest}")


@app.command("show", epilog=examples("peakledger channels show unionpay_pos", "peakledger channels show 14 --json"))
def show_channel(
    channel: Annotated[str, typer.Argument(metavar="CODE|NAME", help="The channel's code, or either of its names")],
    config: Config = None,
    channel_profiles: ChannelProfiles = None,
    as_json: Json = False,
) -> None:
    """Show all that the profile of a channel says, and the posting rule of each kind of terminal."""
    names = {
        name: each for each in _channels(config, channel_profiles) for name in (str(each.code), each.name, each.chinese_name)
    }
    if channel not in names:
        raise NotFound(f"there is no channel {channel!r}", hint="peakledger channels list shows all")
    _show_profile(names[channel], as_json=as_json)


@app.command("check", epilog=examples("peakledger channels check village_tablet.toml"))
def check_profile(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A profile, TOML")],
    config: Config = None,
    channel_profiles: ChannelProfiles = None,
    as_json: Json = False,
) -> None:
    """Check a profile as a start would, and show it; an error names the line and the key."""
    channel = read_profile(file)
    others = [each for each in _channels(config, channel_profiles) if each != channel]
    for key in ("code", "name"):
        if any(getattr(channel, key) == getattr(each, key) for each in others):
            raise located(str(file), file.read_text(), f"{getattr(channel, key)!r} is that of another channel", key)
    _show_profile(channel, as_json=as_json)


def _channels(config: Path | None, channel_profiles: str | None) -> tuple[Channel, ...]:
    return load_channels(load({"channel_profiles": channel_profiles}, config=config).channel_profiles)


def _summary(channel: Channel) -> dict[str, Any]:
    return {
        "code": channel.code,
        "name": channel.name,
        "chinese_name": channel.chinese_name,
        "serial_form": channel.serial_form.name,
        "funds": _distinct(rule.funds for rule in channel.rules),
        "settlement": _distinct(rule.settlement for rule in channel.rules),
        "priority": channel.priority,
        "publishes": ", ".join(channel.publishes),
    }


def _distinct(words: Iterator[str]) -> str:
    return ", ".join(dict.fromkeys(words))


def _show_profile(channel: Channel, *, as_json: bool) -> None:
    profile = msgspec.to_builtins(channel) | {"serial_form": channel.serial_form.name}
    rules = [
        {
            "terminal": rule.terminal or "-",
            "funds": rule.funds,
            "pays": f"{rule.payer.kind.name}, {rule.payer.digits} digits"
            if rule.payer
            else "clearing account of the business date",
            "timeout_s": rule.timeout_s,
            "settlement": rule.settlement,
        }
        for rule in channel.rules
    ]
    if as_json:
        show("channel", [profile | {"rules": rules}], as_json=True)
        return
    plain = {key: value for key, value in profile.items() if key not in ("terminals", "publishes", *_TABLES)}
    plain |= {f"{table}.{key}": value for table in _TABLES for key, value in (profile[table] or {}).items()}
    plain["publishes"] = ", ".join(channel.publishes)
    for key, value in plain.items():
        console.print(f"{key:22}  {value}")
    show("rules", rules, as_json=False)
