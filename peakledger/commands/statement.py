"""``peakledger statement``: what moved an account, line by line."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from ledger.account_ids import format_account, parse_account
from ledger.adjustments import Adjustments
from ledger.channels import Channel, load_channels
from ledger.errors import ConfigurationError, NotFound
from ledger.history import History, shard_histories
from ledger.layouts import NO_SLOT, EntryCode, EntryKind
from ledger.statement_cursors import decode_cursor, encode_cursor
from ledger.statements import EVERYTHING, Cursor, Filter, StatementLine
from peakledger import config
from peakledger.commands.moments import Explain, Shard, choose_shard, cost_sentence, reading_cost
from peakledger.commands.options import Config, Data, Json, check_account, check_optional_account, find_channel
from peakledger.commands.ranges import parse_day, parse_range, parse_seq, parse_time_ms
from peakledger.display import console, format_yuan, show
from peakledger.event_names import event_name

_NAMES = {code.value: code.name for code in EntryCode if code not in {EntryCode.open_account, EntryCode.adjust}}
_NAMED_WHOEVER_MADE_THEM = {EntryCode.bill.name, EntryCode.payment.name}
_HIDDEN = ["offset", "code", "ledger_time_ms", "value_date"]
_HIDDEN_WHERE_EMPTY = ["pending_fen", "reason"]


def show_statement(
    *,
    account: Annotated[
        str, typer.Argument(metavar="ACCOUNT", help="Number of a household, or KIND:NUMBER", callback=check_account)
    ],
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Lines to show of each shard")] = 20,
    oldest_first: Annotated[bool, typer.Option("--oldest-first", help="Show the oldest lines, from the first on")] = False,
    cursor: Annotated[str | None, typer.Option(metavar="CURSOR", help="Go on behind the page that gave this cursor")] = None,
    code: Annotated[str | None, typer.Option(metavar="CODE", help="Only lines of this code: bill, payment, or a number")] = None,
    channel: Annotated[str | None, typer.Option(metavar="CHANNEL", help="Only lines of this channel, by name or code")] = None,
    value_date: Annotated[str | None, typer.Option(metavar="FROM..TO", help="Only lines of these value dates")] = None,
    counter_account: Annotated[
        str | None,
        typer.Option(metavar="ACCOUNT", help="Only lines with this account on the other side", callback=check_optional_account),
    ] = None,
    seq: Annotated[str | None, typer.Option(metavar="FROM..TO", help="Only entries of these seqs")] = None,
    ledger_time: Annotated[str | None, typer.Option(metavar="FROM..TO", help="Only entries made at these ledger times")] = None,
    shard: Shard = None,
    explain: Explain = False,
    data: Data = None,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """Show an account's entries, newest first, and its balance after each: debits less credits.

    Reads this account's entries in the journal and no others. Works while an engine runs and while none does.
    """
    settings = config.load({"data": data}, config=config_file)
    channels = load_channels(settings.channel_profiles)
    wanted = Filter(
        code=None if code is None else _code(code),
        channel=None if channel is None else find_channel(channel, channels).code,
        value_dates=parse_range(value_date, parse_day, EVERYTHING.value_dates),
        seqs=parse_range(seq, parse_seq, EVERYTHING.seqs),
        ledger_times_ms=parse_range(ledger_time, parse_time_ms, EVERYTHING.ledger_times_ms),
        openings=False,
    )
    asked = choose_shard(shard_histories(settings.data), shard)
    histories = {name: history for name, history in asked.items() if history.balances.get(account)}
    if not histories:
        raise NotFound(f"No such account: {account}", hint="An account opens with the first event that names it")
    positions = _positions(cursor, histories, account, oldest_first=oldest_first)
    items: list[dict[str, Any]] = []
    cursors = []
    for name, position in positions.items():
        history = histories[name]
        filter_ = wanted if counter_account is None else _with_counter_account(wanted, history, counter_account)
        page = history.statement(account, limit=limit, oldest_first=oldest_first, cursor=position, wanted=filter_)
        items += _items(name, history, page.lines, channels, Adjustments(Path(settings.data) / name))
        if page.has_more and page.cursor:
            cursors.append(f"{name}:{encode_cursor(page.cursor, history.ledger_id, parse_account(account))}")
    next_cursor = ",".join(cursors) or None
    cost = reading_cost(histories.values())
    empty = [key for key in _HIDDEN_WHERE_EMPTY if not any(item[key] for item in items)]
    hide = [*_HIDDEN, *empty, *(["shard"] if len(histories) == 1 else [])]
    more = {"next_cursor": next_cursor, **cost}
    show("statement", items, as_json=as_json, hide=hide, empty="No lines, or none that were asked for.", more=more)
    if as_json:
        return
    balances = [history.balances.get(account) for history in histories.values()]
    total_fen = sum(balance.balance_fen for balance in balances if balance)
    console.print(f"Balance of {format_account(parse_account(account))}: {format_yuan(total_fen)} yuan (debits less credits)")
    if next_cursor:
        console.print(f"There is more: --cursor {next_cursor}", soft_wrap=True)
    if explain:
        console.print(cost_sentence(cost))


def _positions(text: str | None, histories: dict[str, History], account: str, *, oldest_first: bool) -> dict[str, Cursor | None]:
    """Return where to begin in each shard: SHARD:CURSOR,... of a page that was shown, or everywhere at the end."""
    if text is None:
        return dict.fromkeys(histories)
    found: dict[str, Cursor | None] = {}
    for part in text.split(","):
        shard, _, cursor = part.rpartition(":")
        if shard not in histories:
            raise ConfigurationError(
                f"{part!r} is a cursor of no shard that is asked for and has {account}", hint="Use one that a page has shown"
            )
        ledger_id = histories[shard].ledger_id
        found[shard] = decode_cursor(cursor, ledger_id, parse_account(account), oldest_first=oldest_first)
    return found


def _code(text: str) -> int:
    for code in EntryCode:
        if text in {code.name, str(code.value)}:
            return code.value
    if not (text.isascii() and text.isdigit() and int(text) <= 0xFFFF):
        raise typer.BadParameter(f"{text!r} is no code of entries; they are bill, payment, and numbers up to 65535")
    return int(text)


def _with_counter_account(wanted: Filter, history: History, counter_account: str) -> Filter:
    """Return the filter for a shard; where the shard does not have the account, no line passes it."""
    slot = history.balances.slot_of(counter_account)
    return replace(wanted, counter_slot=NO_SLOT + 1 if slot is None else slot)


def _items(
    shard: str, history: History, lines: list[StatementLine], channels: Iterable[Channel], adjustments: Adjustments
) -> list[dict[str, Any]]:
    by_code = {channel.code: channel for channel in channels}
    slots = {line.counter_slot for line in lines if line.counter_slot is not None}
    accounts: dict[int | None, str | None] = dict(zip(slots, history.balances.accounts_in(slots), strict=True))
    items = [_item(shard, line, accounts.get(line.counter_slot), by_code.get(line.channel)) for line in lines]
    return [item | _adjusted(line, adjustments) for item, line in zip(items, lines, strict=True)]


def _adjusted(line: StatementLine, adjustments: Adjustments) -> dict[str, Any]:
    """Return what the line of an adjustment has otherwise, and its reason; any leg may have its code."""
    found = adjustments.at(line.seq) if line.code == EntryCode.adjust and line.kind is EntryKind.transfer else None
    return {"event": "adjust", "reason": found.note.reason} if found else {"reason": None}


def _event(line: StatementLine, channel: Channel | None) -> str:
    """Return what a line is. A leg of a transfer may have the code of a top-up or a float, which its channel does not publish."""
    name = _NAMES.get(line.code) if line.kind is EntryKind.transfer else None
    is_so = name in _NAMED_WHOEVER_MADE_THEM or (channel is not None and name in channel.publishes)
    return name if name and is_so else line.kind.name


def _item(shard: str, line: StatementLine, counter_account: str | None, channel: Channel | None) -> dict[str, Any]:
    name = event_name(line.channel, line.serial, channel)
    return {
        "shard": shard,
        "seq": line.seq,
        "event": _event(line, channel),
        "code": line.code,
        "channel": name.channel,
        "business_date": line.business_date,
        "serial": name.serial,
        "ledger_time_ms": line.ledger_time_ms,
        "value_date": line.value_date,
        "offset": line.source_offset,
        "counter_account": counter_account,
        "debit_fen": line.debit_fen,
        "credit_fen": line.credit_fen,
        "pending_fen": line.pending_fen,
        "balance_fen": line.sums.balance_fen,
    }
