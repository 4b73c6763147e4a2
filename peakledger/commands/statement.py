"""``peakledger statement``: what moved an account, line by line."""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from ledger._core import EntryReader
from ledger.channels import BUILT_IN_CHANNELS
from ledger.errors import JournalDamaged, NotFound
from ledger.event_fields import format_serial
from ledger.layouts import JOURNAL_ENTRY, EntryCode, EntryKind
from ledger.projections.balances import Balance, BalanceReader, ShardedBalances
from ledger.statements import StatementHead, StatementLine, statement
from peakledger import config
from peakledger.commands.options import Config, Data, Json, check_account
from peakledger.display import console, format_yuan, show

_NAMES = {code.value: code.name for code in (EntryCode.bill, EntryCode.payment)}
_CHANNELS = {channel.code: channel for channel in BUILT_IN_CHANNELS}


def show_statement(
    *,
    account: Annotated[
        str, typer.Argument(metavar="ACCOUNT", help="Number of a household, or KIND:NUMBER", callback=check_account)
    ],
    limit: Annotated[int, typer.Option(min=1, help="Lines to show of each shard")] = 20,
    oldest_first: Annotated[bool, typer.Option("--oldest-first", help="Show the oldest lines, from the first on")] = False,
    data: Data = None,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """Show an account's entries, newest first, and its balance after each: debits less credits.

    Reads this account's entries in the journal and no others. Works while an engine runs and while none does.
    """
    settings = config.load({"data": data}, config=config_file)
    balances = ShardedBalances(Path(settings.data))
    found = balances.get(account)
    if not found:
        raise NotFound(f"No such account: {account}", hint="An account opens with the first event that names it")
    items: list[dict[str, Any]] = []
    for shard, balance in found.items():
        reader = balances.shards[shard]
        lines = _lines(Path(settings.data) / shard, reader, balance)
        wanted: Iterable[StatementLine] = reversed(deque(lines, limit)) if oldest_first else islice(lines, limit)
        items += [_item(shard, reader, line) for line in wanted]
    hide = ["offset", "code", "pending_fen", "ledger_time_ms", "value_date", *(["shard"] if len(found) == 1 else [])]
    show("statement", items, as_json=as_json, hide=hide, empty="The account is open and has no entries yet.")
    if not as_json:
        total_fen = sum(balance.balance_fen for balance in found.values())
        console.print(f"Balance of {next(iter(found.values())).account}: {format_yuan(total_fen)} yuan (debits less credits)")


def _lines(shard_directory: Path, reader: BalanceReader, balance: Balance) -> Iterator[StatementLine]:
    """Yield the account's lines, newest first, but for its opening."""
    entries = EntryReader(shard_directory / "journal")
    head = StatementHead(_own_slot(entries, reader, balance), balance.last_seq, balance.debits_posted, balance.credits_posted)
    return (line for line in statement(entries, head) if line.kind is not EntryKind.open_account)


def _own_slot(entries: EntryReader, reader: BalanceReader, balance: Balance) -> int:
    """Return the slot of an account: one of the two that its last entry names."""
    data = entries.read_entry(balance.last_seq)
    if data is not None:
        entry = JOURNAL_ENTRY.unpack(data)
        slots: list[int] = [entry["debit_slot"], entry["credit_slot"]]
        for slot, account in zip(slots, reader.accounts_in(slots), strict=True):
            if account == balance.account:
                return slot
    raise JournalDamaged("The journal lacks the last entry of an account", seq=balance.last_seq)


def _item(shard: str, reader: BalanceReader, line: StatementLine) -> dict[str, Any]:
    channel = _CHANNELS.get(line.channel)
    counter_slots = [] if line.counter_slot is None else [line.counter_slot]
    return {
        "shard": shard,
        "seq": line.seq,
        "event": _NAMES.get(line.code, line.kind.name) if line.kind is EntryKind.transfer else line.kind.name,
        "code": line.code,
        "channel": channel.name if channel else None,
        "business_date": line.business_date,
        "serial": format_serial(line.serial, channel.serial_form) if channel else None,
        "ledger_time_ms": line.ledger_time_ms,
        "value_date": line.value_date,
        "offset": line.source_offset,
        "counter_account": next(iter(reader.accounts_in(counter_slots)), None),
        "debit_fen": line.debit_fen,
        "credit_fen": line.credit_fen,
        "pending_fen": line.pending_fen,
        "balance_fen": -line.balance_fen,
    }
