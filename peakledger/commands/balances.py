"""``peakledger balance`` and ``peakledger trial-balance``: what accounts hold, from LMDB."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ledger.errors import NotFound, ProjectionDamaged
from ledger.projections.balances import Balance, ShardedBalances
from ledger.projections.trial_balance import Totals, trial_balance
from peakledger import config
from peakledger.commands.options import Config, Data, Json, check_accounts
from peakledger.display import console, show


def balance(
    accounts: Annotated[
        list[str], typer.Argument(metavar="ACCOUNT...", help="Number of a household, or KIND:NUMBER", callback=check_accounts)
    ],
    data: Data = None,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """Show what accounts hold: posted and pending debits and credits, and debits less credits.

    A household that owes has a balance above zero, one that paid ahead below. Works while an engine runs and while none does.
    """
    settings = config.load({"data": data}, config=config_file)
    balances = ShardedBalances(Path(settings.data))
    found = {account: balances.get(account) for account in accounts}
    items = [_item(shard, row) for rows in found.values() for shard, row in rows.items()]
    show("balances", items, as_json=as_json, hide=_zero_pending(items))
    missing = [account for account, rows in found.items() if not rows]
    if missing:
        raise NotFound(f"No such account: {', '.join(missing)}", hint="An account opens with the first event that names it")


def _item(shard: str, row: Balance) -> dict[str, Any]:
    return {
        "account": row.account,
        "shard": shard,
        "debits_posted_fen": row.debits_posted,
        "credits_posted_fen": row.credits_posted,
        "debits_pending_fen": row.debits_pending,
        "credits_pending_fen": row.credits_pending,
        "balance_fen": row.balance_fen,
        "last_seq": row.last_seq,
    }


def show_trial_balance(data: Data = None, config_file: Config = None, as_json: Json = False) -> None:
    """Add up all accounts by kind; debits must equal credits in each shard. Ends with status 3 where they do not."""
    settings = config.load({"data": data}, config=config_file)
    totals = {shard: trial_balance(reader) for shard, reader in ShardedBalances(Path(settings.data)).shards.items()}
    items = [_totals_item(shard, kind, row) for shard, kinds in totals.items() for kind, row in kinds.items()]
    show("trial_balance", items, as_json=as_json, hide=_zero_pending(items))
    for shard, kinds in totals.items():
        if not kinds["all"].is_balanced:
            raise ProjectionDamaged(f"Debits and credits of {shard} differ", hint="Check it: peakledger verify", path=shard)
    if not as_json:
        console.print("Debits equal credits, posted and pending: the trial balance is zero.")


def _totals_item(shard: str, kind: str, row: Totals) -> dict[str, Any]:
    return {
        "shard": shard,
        "kind": kind,
        "accounts": row.accounts,
        "debits_posted_fen": row.debits_posted,
        "credits_posted_fen": row.credits_posted,
        "debits_pending_fen": row.debits_pending,
        "credits_pending_fen": row.credits_pending,
        "balance_fen": row.debits_posted - row.credits_posted,
    }


def _zero_pending(items: list[dict[str, Any]]) -> list[str]:
    """Return the columns of pending amounts where there are none."""
    return [key for key in ("debits_pending_fen", "credits_pending_fen") if not any(item[key] for item in items)]
