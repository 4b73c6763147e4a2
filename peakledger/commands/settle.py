"""``peakledger settle`` and ``peakledger settlements``: a channel's business date comes to its end, and which have."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from ledger.account_ids import clearing_account, suspense_account
from ledger.channels import Channel, load_channels
from ledger.clearing import Side
from ledger.event_fields import format_date
from ledger.journal import read_parameters
from ledger.projections.balances import Balance, BalanceReader
from ledger.reconciliation import Finding, add_up
from ledger.settlement import LEDGER_CHANNEL
from peakledger import config
from peakledger.booking import Booker
from peakledger.channel_file import check_likeness, read_channel_file
from peakledger.commands.options import (
    BootstrapServers,
    ChannelProfiles,
    Config,
    Data,
    Json,
    Priority,
    Stream,
    find_channel,
    find_payment_channel,
)
from peakledger.commands.ranges import parse_day, parse_range
from peakledger.commands.reconcile import difference, verdict_items, write_differences
from peakledger.display import console, show
from peakledger.exit_codes import ExitCode
from peakledger.settling import SettlingDate, ShardOfDate
from peakledger.shards import shard_directories

_SHOWN_DAYS = 31
_FIRST_DATE, _LAST_DATE = format_date(1), format_date(2**16 - 1)  # that a business date can be


def settle(
    *,
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="Name or code of the channel")],
    business_date: Annotated[str, typer.Argument(metavar="DATE", help="Business date to settle")],
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="CSV file of the channel; none where cards, deposits or floats pay"),
    ] = None,
    close: Annotated[bool, typer.Option("--close", help="Then close the business date for the channel, for good")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be booked, and book nothing")] = False,
    move_clock: Annotated[
        bool,
        typer.Option("--move-clock", help="Bring the ledger's clock to the present where no event came since"),
    ] = False,
    accept_file: Annotated[
        bool,
        typer.Option("--accept-file", help="Settle by the file even if it does not look like that of the channel and date"),
    ] = False,
    differences: Annotated[
        Path | None, typer.Option("--differences", metavar="FILE", help="Write each difference to a CSV file")
    ] = None,
    days_around: Annotated[
        int, typer.Option("--days-around", min=0, max=366, help="Look so many days before and behind for what is not booked")
    ] = 3,
    wait_s: Annotated[float, typer.Option("--wait-s", min=0, help="Seconds to wait for the engine to book it")] = 60,
    channel_profiles: ChannelProfiles = None,
    data: Data = None,
    priority: Priority = None,
    stream: Stream = None,
    bootstrap_servers: BootstrapServers = None,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """Settle a channel's business date: bring its clearing account to zero, differences to its suspense account.

    Reconciles the channel's file, books one transfer in each shard, and shows the clearing account then. May be run again: it
    books what is still due, and nothing twice. Ends with status 12 where the date cannot be settled yet, or the clearing account
    is not at zero; with status 11, before anything is booked, where the file does not look like that of the channel and date.
    """
    flags = {key: value for key, value in locals().items() if key in config.Settings.__struct_fields__}
    settings = config.load(flags, config=config_file)
    channels = load_channels(settings.channel_profiles)
    source, day = find_payment_channel(channel, channels, "settle"), parse_day(business_date)
    _check_file(source, file)
    settling = SettlingDate(settings.data, source, day)
    booker = Booker(settings, settling.topic, find_channel(LEDGER_CHANNEL, channels), len(settling.shards), wait_s)
    was_closed = settling.is_closed
    if not close or dry_run:
        settling.check_open()
    if move_clock and not (dry_run or was_closed):
        settling.move_clocks(booker)
    settling.check_cut_off()
    lines = read_channel_file(file, source.serial_form) if file else ()
    sums, found = add_up(settling.reconcile(lines, days_around))
    if differences:
        write_differences(differences, source, found)
    if file and not accept_file:
        check_likeness(file, source, day, sums, found)
    if not was_closed:
        settling.plan()
    if dry_run:
        _show_plan(settling, as_json=as_json)
        return
    settling.settle(booker)
    if close and all(shard.is_at_zero for shard in settling.shards):
        settling.close(booker)
    verdicts = verdict_items(sums) if file else []
    _show_proof(settling, verdicts, found, as_json=as_json)


def _check_file(channel: Channel, file: Path | None) -> None:
    if file is None and channel.pays_by_clearing:
        raise typer.BadParameter(f"{channel.name} is settled by its file of the date", param_hint="FILE")
    if file is not None and not channel.pays_by_clearing:
        raise typer.BadParameter(
            f"{channel.name} is paid by cards, deposits or floats: it has no file to settle by; leave it out", param_hint="FILE"
        )


def _show_plan(settling: SettlingDate, *, as_json: bool) -> None:
    items = [
        {"shard": shard.directory.name, "debit": leg.debit, "credit": leg.credit, "amount_fen": leg.amount_fen}
        for shard in settling.shards
        for leg in shard.legs
    ]
    show("settlement_plan", items, as_json=as_json, empty="Nothing is due.")


def _show_proof(settling: SettlingDate, verdicts: list[dict[str, Any]], found: list[Finding], *, as_json: bool) -> None:
    """Show the clearing accounts as they are now, and what keeps them from zero. Ends with status 12 where something does."""
    items = [_proof(shard) for shard in settling.shards]
    remains = [line for shard in settling.shards for line in shard.remains()]
    if not as_json and verdicts:
        show("reconciliation", verdicts, as_json=False)
        console.print()
    told = [difference(settling.channel, one) for one in found] if as_json else []
    show("settlement", items, as_json=as_json, more={"reconciliation": verdicts, "differences": told, "remains": remains})
    if not as_json and remains:
        console.print("\nWhat no settlement moves:")
        show("remains", remains, as_json=False)
    if not all(shard.is_at_zero for shard in settling.shards):
        raise typer.Exit(ExitCode.not_settled)
    if not as_json:
        closed = ", and the date is closed" if settling.is_closed else ""
        console.print(f"The clearing account is at zero{closed}. Differences found: {len(found)}.")


def _proof(shard: ShardOfDate) -> dict[str, Any]:
    balance, suspense = shard.balance, shard.history.balances.get(shard.suspense)
    settled = shard.clearing.settled
    return {
        "shard": shard.directory.name,
        "clearing": shard.account,
        "debits_fen": balance.debits_posted if balance else 0,
        "credits_fen": balance.credits_posted if balance else 0,
        "balance_fen": balance.balance_fen if balance else 0,
        "pending_fen": balance.pending_fen if balance else 0,
        "bank_fen": settled.get(Side.bank, 0),
        "fee_fen": settled.get(Side.fee, 0),
        "suspense_fen": suspense.balance_fen if suspense else 0,
        "seq": balance.last_seq if balance else 0,
        "closed": shard.is_closed,
    }


def settlements(
    *,
    channel: Annotated[str | None, typer.Argument(metavar="[CHANNEL]", help="Name or code of a channel; all without it")] = None,
    dates: Annotated[
        str | None, typer.Option("--dates", metavar="FROM..TO", help="Business dates; without it the last 31, by ledger time")
    ] = None,
    data: Data = None,
    channel_profiles: ChannelProfiles = None,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """List the business dates of channels: their clearing and suspense accounts in all shards, and whether they are closed."""
    settings = config.load({"data": data, "channel_profiles": channel_profiles}, config=config_file)
    channels = load_channels(settings.channel_profiles)
    wanted = [find_channel(channel, channels)] if channel else [each for each in channels if "payment" in each.publishes]
    directories = shard_directories(settings.data)
    readers = [BalanceReader(directory) for directory in directories]
    time_ms = max(reader.watermark.ledger_time_ms for reader in readers)
    today = format_date(read_parameters(directories[0]).parameters.ledger_date(time_ms))
    first, last = parse_range(dates, parse_day, (today - timedelta(_SHOWN_DAYS - 1), today))
    first, last = max(first, _FIRST_DATE), min(last, _LAST_DATE)
    items = [item for each in wanted for item in _dates_of(each, first, last, readers)]
    who = wanted[0].name if channel else "No channel"
    nothing = f"{who} has {'no ' if channel else ''}payments or settlements of {first} to {last}."
    hint = "" if dates else " Other dates: --dates FROM..TO"
    show("settlements", items, as_json=as_json, empty=nothing + hint)


def _dates_of(channel: Channel, first: date, last: date, readers: list[BalanceReader]) -> Iterator[dict[str, Any]]:
    """Yield the dates on which the channel has a clearing or suspense account in some shard."""
    days = [first + timedelta(number) for number in range((last - first).days + 1)]
    clearing = [reader.get_many([clearing_account(channel.code, day) for day in days]) for reader in readers]
    suspense = [reader.get_many([suspense_account(channel.code, day) for day in days]) for reader in readers]
    for number, day in enumerate(days):
        accounts = [balances[number] for balances in clearing]
        present = [account for account in accounts if account]
        waiting = [balance for balances in suspense if (balance := balances[number])]
        if present or waiting:
            yield {
                "channel": channel.name,
                "business_date": day.isoformat(),
                "debits_fen": sum(account.debits_posted for account in present),
                "credits_fen": sum(account.credits_posted for account in present),
                "balance_fen": sum(account.balance_fen for account in present),
                "pending_fen": sum(account.pending_fen for account in present),
                "suspense_fen": sum(balance.balance_fen for balance in waiting),
                "state": _state(accounts),
            }


def _state(accounts: list[Balance | None]) -> str:
    """Return closed, at_zero or open: what all shards have reached."""
    if all(account and account.is_closed for account in accounts):
        return "closed"
    return "at_zero" if all(not account or account.balance_fen == account.pending_fen == 0 for account in accounts) else "open"
