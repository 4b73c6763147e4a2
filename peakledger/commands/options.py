"""Flags that several commands share, and the settings that they lead to."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from ledger.account_ids import parse_account
from ledger.channels import Channel, load_channels
from ledger.errors import PeakledgerError
from ledger.event_fields import NO_HOUSEHOLD, parse_household
from peakledger import config


def _flag(key: str, *, metavar: str = "") -> Any:
    metavar = metavar or "|".join(config.choices(key)) or "TEXT"
    return typer.Option("--" + key.replace("_", "-"), help=config.describe(key), metavar=metavar, show_default=False)


def _switch(key: str) -> Any:
    name = key.replace("_", "-")
    return typer.Option(f"--{name}/--no-{name}", help=config.describe(key), show_default=False)


Config = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="TOML file of settings (PEAKLEDGER_CONFIG, default peakledger.toml where there is one)"
    ),
]
Json = Annotated[bool, typer.Option("--json", help='Print one JSON document, {"kind": ..., "items": [...]}')]
Data = Annotated[str | None, _flag("data", metavar="DIR")]
Stream = Annotated[str | None, _flag("stream", metavar="DIR")]
BootstrapServers = Annotated[str | None, _flag("bootstrap_servers", metavar="HOST:PORT")]
Topic = Annotated[str | None, _flag("topic")]
OutcomesTopic = Annotated[str | None, _flag("outcomes_topic")]
Outcomes = Annotated[str | None, _flag("outcomes")]
EntriesTopic = Annotated[str | None, _flag("entries_topic")]
BalancesTopic = Annotated[str | None, _flag("balances_topic")]
Priority = Annotated[bool | None, _switch("priority")]
ReleaseAhead = Annotated[int | None, _flag("release_ahead", metavar="RECORDS")]
ReleaseWindow = Annotated[int | None, _flag("release_window", metavar="RECORDS")]
Group = Annotated[str | None, _flag("group")]
Encoding = Annotated[str | None, _flag("encoding")]
ChannelProfiles = Annotated[str | None, _flag("channel_profiles", metavar="DIR")]
LateChargePermille = Annotated[int | None, _flag("late_charge_permille", metavar="PERMILLE")]
LateChargePaidFirst = Annotated[bool | None, _switch("late_charge_paid_first")]
UtcOffsetMinutes = Annotated[int | None, _flag("utc_offset_minutes", metavar="MINUTES")]
CloseAfterDays = Annotated[int | None, _flag("close_after_days", metavar="DAYS")]
FutureDays = Annotated[int | None, _flag("future_days", metavar="DAYS")]
QuarantineCorruptBatches = Annotated[bool | None, _switch("quarantine_corrupt_batches")]
AcceptLostRecords = Annotated[bool | None, _switch("accept_lost_records")]
MaxAheadS = Annotated[float | None, _flag("max_ahead_s", metavar="SECONDS")]
TakeoverAfterS = Annotated[float | None, _flag("takeover_after_s", metavar="SECONDS")]
KeyMemoryMb = Annotated[int | None, _flag("key_memory_mb", metavar="MIB")]
SegmentMb = Annotated[int | None, _flag("segment_mb", metavar="MIB")]
StatusIntervalS = Annotated[float | None, _flag("status_interval_s", metavar="SECONDS")]


def check_account(account: str) -> str:
    """Return an account of the command line; a name that cannot be is an error of usage."""
    try:
        parse_account(account)
    except PeakledgerError as error:
        raise typer.BadParameter(str(error)) from error
    return account


def check_optional_account(account: str | None) -> str | None:
    """``check_account`` of what may be left out."""
    return None if account is None else check_account(account)


def check_household(number: str) -> str:
    """Return a household's number of the command line; what cannot be one is an error of usage."""
    if parse_household(number) == NO_HOUSEHOLD:
        raise typer.BadParameter(f"{number!r} is no household number; it has 13 digits")
    return number


def check_optional_household(number: str | None) -> str | None:
    """``check_household`` of what may be left out."""
    return None if number is None else check_household(number)


def check_accounts(accounts: list[str]) -> list[str]:
    """``check_account`` of each."""
    return [check_account(account) for account in accounts]


def channels_by_code(settings: config.Settings) -> dict[int, Channel]:
    """Return the channels that the settings know, by the code that entries and outcomes name them by."""
    return {channel.code: channel for channel in load_channels(settings.channel_profiles)}


def find_channel(text: str, channels: Iterable[Channel]) -> Channel:
    """Return the channel of a name or a code; a text that is neither is an error of usage."""
    for channel in channels:
        if text in {channel.name, str(channel.code)}:
            return channel
    raise typer.BadParameter(f"{text!r} is no channel; peakledger channels list shows them", param_hint="CHANNEL")


def find_payment_channel(text: str, channels: Iterable[Channel], to: str) -> Channel:
    """``find_channel`` of one that takes payments; ``to`` is what cannot be done to another."""
    channel = find_channel(text, channels)
    if "payment" not in channel.publishes:
        raise typer.BadParameter(f"{channel.name} takes no payments: there is nothing to {to}", param_hint="CHANNEL")
    return channel


def examples(*lines: str) -> str:
    """Return the end of a command's help that shows ``lines`` to copy."""
    return "\n\n".join(["[bold]Examples[/bold]", *lines])
