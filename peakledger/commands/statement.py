"""``peakledger statement``: what moved an account, line by line."""

from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from ledger.errors import NotFound
from ledger.projections.balances import ShardedBalances
from ledger.statement import Statement, StatementLine
from peakledger import config
from peakledger.commands.options import Config, Data, Json, check_account
from peakledger.display import console, format_yuan, show


def statement(
    *,
    account: Annotated[
        str, typer.Argument(metavar="ACCOUNT", help="Number of a household, or KIND:NUMBER", callback=check_account)
    ],
    limit: Annotated[int, typer.Option(min=1, help="Lines to show of each shard")] = 20,
    oldest_first: Annotated[bool, typer.Option("--oldest-first", help="Begin with the oldest line, not with the newest")] = False,
    data: Data = None,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """Show an account's entries, and its balance after each: debits less credits.

    Reads this account's entries in the journal and no others. Works while an engine runs and while none does.
    """
    settings = config.load({"data": data}, config=config_file)
    shards = ShardedBalances(Path(settings.data)).get(account)
    if not shards:
        raise NotFound(f"No such account: {account}", hint="An account opens with the first event that names it")
    items: list[dict[str, Any]] = []
    for shard in shards:
        found = Statement(Path(settings.data) / shard, account)
        lines = found.oldest_first() if oldest_first else found.newest_first()
        items += [_item(shard, line) for line in islice(lines, limit)]
    hide = ["offset", "ledger_time_ms", "value_date", *(["shard"] if len(shards) == 1 else [])]
    show("statement", items, as_json=as_json, hide=hide, empty="The account is open and has no entries yet.")
    if not as_json:
        total_fen = sum(balance.balance_fen for balance in shards.values())
        console.print(f"Balance of {next(iter(shards.values())).account}: {format_yuan(total_fen)} yuan (debits less credits)")


def _item(shard: str, line: StatementLine) -> dict[str, Any]:
    return {"shard": shard} | msgspec.structs.asdict(line)
