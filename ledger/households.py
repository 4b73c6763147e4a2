"""Households' bills (电费查询): what one owes now, from the balances; all of its bills at any moment, from its entries."""

from datetime import date
from pathlib import Path
from typing import NamedTuple

from ledger.account_ids import household_account
from ledger.bills import Bills, LateChargeRule, bills_of, posting_of
from ledger.errors import NotFound
from ledger.history import History, Moment
from ledger.projections.balances import ShardedBalances
from ledger.statements import days_of


class Owed(NamedTuple):
    """What a household owes and has paid ahead, of which one is 0, and what of payments is instructed and not confirmed yet."""

    owed_fen: int
    prepaid_fen: int
    pending_fen: int


class HouseholdBills(NamedTuple):
    """A household's bills as they were known at ``seq``, with late charges up to the end of ``day``."""

    seq: int
    day: date
    bills: Bills


class HouseholdReader:
    """Says what households owe now, while an engine runs or none does. One may be used by many threads."""

    def __init__(self, data_directory: Path | str) -> None:
        """Raises what ``ShardedBalances`` raises."""
        self._shards = list(ShardedBalances(data_directory).shards.values())

    def owed(self, household: str) -> Owed | None:
        """Return what the household of 13 digits owes; ``None`` where it has never been billed and has never paid.

        Late charges count once they are booked. Raises PeakledgerError where it is no such number.
        """
        account = household_account(household)
        for shard in self._shards:
            if balance := shard.view.get(account):
                owed_fen = balance[0] - balance[1]
                return Owed(owed_fen, 0, balance[3]) if owed_fen > 0 else Owed(0, -owed_fen, balance[3])
        return None


def household_bills(history: History, household: str, rule: LateChargeRule, *, moment: Moment | None = None) -> HouseholdBills:
    """Return a household's bills, now or as of a moment of its shard; reads this account's entries and no others.

    With a value date they are as of the end of that day: nothing of a later one counts, and late charges run up to it.
    Without one everything that was known counts, and late charges run up to the ledger date.
    Raises ``NotFound`` where the household had no account then, ``JournalDamaged``.
    """
    moment = moment or history.moment()
    account = household_account(household)
    slot = history.balances.slot_of(account)
    own = [(seq, entry) for entries in history.entries(account) for seq, entry in entries if seq <= moment.seq]
    if slot is None or not own:
        raise NotFound(f"No household {household} by then", hint="It begins with its first bill or payment")
    postings = [posting for seq, entry in own if (posting := posting_of(seq, entry, slot))]
    if moment.value_date is not None:
        day = days_of(moment.value_date)
        return HouseholdBills(moment.seq, moment.value_date, bills_of(postings, rule, day, last_value_date=day))
    ledger_date = history.ledger_date(moment.seq)
    return HouseholdBills(moment.seq, ledger_date, bills_of(postings, rule, days_of(ledger_date)))
