"""``peakledger balance`` and ``peakledger trial-balance``: what accounts hold, now from LMDB, or then from the journal."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from ledger.errors import NotFound, ProjectionDamaged
from ledger.history import History, Moment, shard_histories
from ledger.projections.balances import BalanceReader, ShardedBalances
from ledger.projections.trial_balance import Totals, TrialBalance, trial_balance
from ledger.statements import Sums
from peakledger import config
from peakledger.commands.moments import (
    AskedMoment,
    AsOfSeq,
    AsOfTime,
    Explain,
    Shard,
    ValueDate,
    choose_shard,
    cost_sentence,
    reading_cost,
)
from peakledger.commands.options import Config, Data, Json, check_accounts
from peakledger.display import console, show, step_progress

Item = dict[str, Any]


def balance(
    *,
    accounts: Annotated[
        list[str], typer.Argument(metavar="ACCOUNT...", help="Number of a household, or KIND:NUMBER", callback=check_accounts)
    ],
    as_of_seq: AsOfSeq = None,
    as_of_time: AsOfTime = None,
    value_date: ValueDate = None,
    shard: Shard = None,
    explain: Explain = False,
    data: Data = None,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """Show what accounts hold: posted and pending debits and credits, and debits less credits; now, or at a moment of the past.

    A household that owes has a balance above zero, one that paid ahead below. The past is read from the accounts' own entries,
    from the newest back to the moment; for a value date from all of them. Works while an engine runs and while none does.
    """
    settings = config.load({"data": data}, config=config_file)
    asked = AskedMoment.parse(as_of_seq, as_of_time, value_date)
    more: dict[str, int] = {}
    if asked.is_now:
        readers = choose_shard(ShardedBalances(settings.data).shards, shard)
        found = {account: _balances_now(readers, account) for account in accounts}
    else:
        histories = shard_histories(settings.data)
        found = {account: _balances_then(histories, account, asked, shard) for account in accounts}
        more = reading_cost(histories.values())
    items = [item for several in found.values() for item in several]
    show("balances", items, as_json=as_json, hide=_zero_pending(items), more=more)
    missing = [account for account, several in found.items() if not several]
    if missing:
        then = "" if asked.is_now else " at that moment"
        raise NotFound(f"No such account{then}: {', '.join(missing)}", hint="An account opens with the first event that names it")
    if explain and more and not as_json:
        console.print(cost_sentence(more))


def _balances_now(readers: Mapping[str, BalanceReader], account: str) -> list[Item]:
    return [
        _item(
            row.account, shard, Sums(row.debits_pending, row.debits_posted, row.credits_pending, row.credits_posted), row.last_seq
        )
        for shard, reader in readers.items()
        if (row := reader.get(account))
    ]


def _balances_then(histories: Mapping[str, History], account: str, asked: AskedMoment, shard: str | None) -> list[Item]:
    having = {name: history for name, history in histories.items() if history.balances.slot_of(account) is not None}
    items = []
    for name, history in choose_shard(having if shard is None else histories, shard, counts_seq=asked.seq is not None).items():
        moment = asked.of(history)
        past = history.balance(account, moment)
        if past is not None:
            items.append(_item(past.account, name, past.sums, past.last_seq) | _moment_fields(moment))
    return items


def _item(account: str, shard: str, sums: Sums, last_seq: int) -> Item:
    return {"account": account, "shard": shard, **_sums_fields(sums), "last_seq": last_seq}


def _moment_fields(moment: Moment) -> Item:
    return {"as_of_seq": moment.seq, **({} if moment.value_date is None else {"value_date": moment.value_date})}


def _sums_fields(sums: Sums) -> dict[str, int]:
    return {
        "debits_posted_fen": sums.debits_posted,
        "credits_posted_fen": sums.credits_posted,
        "debits_pending_fen": sums.debits_pending,
        "credits_pending_fen": sums.credits_pending,
        "balance_fen": sums.balance_fen,
    }


def show_trial_balance(
    *,
    as_of_seq: AsOfSeq = None,
    as_of_time: AsOfTime = None,
    value_date: ValueDate = None,
    shard: Shard = None,
    explain: Explain = False,
    data: Data = None,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """Add up all accounts by kind and book; debits must equal credits in each book of each shard. Else ends with status 3.

    Now from the balances; as of a moment of the past by a pass over the journal up to there.
    """
    settings = config.load({"data": data}, config=config_file)
    asked = AskedMoment.parse(as_of_seq, as_of_time, value_date)
    histories = choose_shard(shard_histories(settings.data), shard, counts_seq=asked.seq is not None)
    found = {name: _trial_balance(name, history, asked) for name, history in histories.items()}
    items = [item for name, (balance_, then) in found.items() for item in _totals_items(name, balance_, then)]
    more = {} if asked.is_now else reading_cost(histories.values())
    hide = _zero_pending(items) + ([] if len({item["book"] for item in items}) > 1 else ["book"])
    show("trial_balance", items, as_json=as_json, hide=hide, more=more)
    for name, (balance_, _) in found.items():
        if not balance_.is_balanced:
            raise ProjectionDamaged(f"Debits and credits of {name} differ", hint="Check it: peakledger verify", path=name)
    if not as_json:
        console.print("Debits equal credits, posted and pending: the trial balance is zero.")
        if explain and more:
            console.print(cost_sentence(more))


def _trial_balance(name: str, history: History, asked: AskedMoment) -> tuple[TrialBalance, Item]:
    if asked.is_now:
        return trial_balance(history.balances), {}
    moment = asked.of(history)
    with step_progress() as bar:
        task = bar.add_task(name, total=moment.seq)
        return history.trial_balance(moment, lambda seq: bar.update(task, completed=seq)), _moment_fields(moment)


def _totals_items(shard: str, balance_: TrialBalance, then: Item) -> list[Item]:
    return [_totals_item(shard, row) | then for row in (*balance_.kinds, *balance_.books)]


def _totals_item(shard: str, row: Totals) -> Item:
    return {"shard": shard, "kind": row.kind, "book": row.book, "accounts": row.accounts, **_sums_fields(row.sums)}


def _zero_pending(items: list[Item]) -> list[str]:
    """Return the columns of pending amounts where there are none."""
    return [key for key in ("debits_pending_fen", "credits_pending_fen") if not any(item[key] for item in items)]
