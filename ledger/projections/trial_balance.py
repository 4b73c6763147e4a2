"""The trial balance of one shard: all accounts added up by kind and book. Debits equal credits in each book."""

from collections.abc import Iterable
from typing import NamedTuple

from ledger._core import total_accounts
from ledger.account_ids import AccountKind
from ledger.projections.balances import BalanceReader
from ledger.statements import Sums


class Totals(NamedTuple):
    """The sums of some accounts of one book, in fen. ``kind`` is that of the accounts, or ``all``."""

    kind: str
    book: int
    accounts: int
    sums: Sums

    @property
    def is_balanced(self) -> bool:
        """Whether debits equal credits, posted and pending: so it is over all accounts of a book."""
        debits_pending, debits_posted, credits_pending, credits_posted = self.sums
        return (debits_pending, debits_posted) == (credits_pending, credits_posted)


class TrialBalance(NamedTuple):
    """The totals by kind and book, and those of each whole book."""

    kinds: list[Totals]
    books: list[Totals]

    @property
    def is_balanced(self) -> bool:
        """Whether every book is."""
        return all(book.is_balanced for book in self.books)


def trial_balance(reader: BalanceReader) -> TrialBalance:
    """Return the totals of one snapshot of a shard's balances. Takes 64 bytes of memory an account meanwhile."""
    return of_totals(total_accounts(reader.records()[1]))


def of_totals(totals: Iterable[tuple[int, ...]]) -> TrialBalance:
    """Return the trial balance of what ``total_accounts`` found."""
    kinds = [Totals(AccountKind(kind).name, book, accounts, Sums(*sums)) for kind, book, accounts, *sums in sorted(totals)]
    books = [_total([one for one in kinds if one.book == book], book) for book in sorted({one.book for one in kinds})]
    return TrialBalance(kinds, books)


def _total(several: list[Totals], book: int) -> Totals:
    sums = Sums(*(sum(amounts) for amounts in zip(*(one.sums for one in several), strict=True)))
    return Totals("all", book, sum(one.accounts for one in several), sums)
