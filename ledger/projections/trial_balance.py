"""The trial balance of one shard: all accounts added up by kind."""

from dataclasses import dataclass

from ledger.projections.balances import Balance, BalanceReader


@dataclass(slots=True)
class Totals:
    """Sums over accounts, in fen."""

    accounts: int = 0
    debits_posted: int = 0
    credits_posted: int = 0
    debits_pending: int = 0
    credits_pending: int = 0

    def add(self, balance: Balance) -> None:
        self.accounts += 1
        self.debits_posted += balance.debits_posted
        self.credits_posted += balance.credits_posted
        self.debits_pending += balance.debits_pending
        self.credits_pending += balance.credits_pending

    @property
    def is_balanced(self) -> bool:
        return self.debits_posted == self.credits_posted and self.debits_pending == self.credits_pending


def trial_balance(reader: BalanceReader) -> dict[str, Totals]:
    """Return the sums of one snapshot by kind of account, and of ``all``."""
    totals: dict[str, Totals] = {}
    for balance in reader.items():
        totals.setdefault(balance.account.partition(":")[0], Totals()).add(balance)
    everything = Totals()
    for field in Totals.__slots__:
        setattr(everything, field, sum(getattr(row, field) for row in totals.values()))
    return totals | {"all": everything}
