"""The past as the oracle tells it: every answer is worked out from the whole list of entries, without an index or a shortcut."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ledger.layouts import JOURNAL_ENTRY, NO_SLOT, EntryKind
from ledger.model_state import Account, account_of_opening, mark_account, move_amount

Entry = dict[str, Any]  # the fields of a journal_entry


@dataclass(frozen=True, slots=True)
class Balance:
    """The four sums of an account, or of many, in fen."""

    debits_pending: int = 0
    debits_posted: int = 0
    credits_pending: int = 0
    credits_posted: int = 0


def accounts_at(entries: list[bytes], seq: int) -> dict[int, Account]:
    """Return the accounts as they were when the entry of ``seq`` was the last, by id, in the order of opening."""
    accounts: list[Account] = []
    for at, packed in enumerate(entries[:seq], 1):
        entry = JOURNAL_ENTRY.unpack(packed)
        if entry["kind"] == EntryKind.open_account:
            parent = accounts[entry["reference_seq"] - 1] if entry["reference_seq"] else None
            accounts.append(account_of_opening(entry, at, parent))
        elif entry["credit_slot"] != NO_SLOT:
            move_amount(entry, accounts[entry["debit_slot"]], accounts[entry["credit_slot"]])
        elif entry["debit_slot"] != NO_SLOT:
            mark_account(entry["kind"], accounts[entry["debit_slot"]])
        for slot in slots_of(entry):
            accounts[slot].last_seq = at
    return {account.id: account for account in accounts}


def balances_at(entries: list[bytes], seq: int) -> dict[int, Balance]:
    """Return the balance of each account as of an entry, by account id."""
    return {id_: balance_of(account) for id_, account in accounts_at(entries, seq).items()}


def seq_at(entries: list[bytes], ledger_time_ms: int) -> int:
    """Return the last entry that was made by a ledger time; 0 where there is none. Its balances are those of that time."""
    return bisect_right(entries, ledger_time_ms, key=lambda packed: JOURNAL_ENTRY.unpack(packed)["ledger_time_ms"])


def balances_of_value_date(entries: list[bytes], value_date: int, seq: int) -> dict[int, Balance]:
    """Return what was posted with a value date up to ``value_date``, as it was known at ``seq``, by account id.

    A hold has no value date until it is posted, so nothing is pending here.
    """
    balances = dict.fromkeys(accounts_at(entries, seq), Balance())
    ids = list(balances)
    for packed in entries[:seq]:
        entry = JOURNAL_ENTRY.unpack(packed)
        if entry["value_date"] <= value_date and entry["kind"] in (EntryKind.transfer, EntryKind.post, EntryKind.reverse):
            debit, credit = ids[entry["debit_slot"]], ids[entry["credit_slot"]]
            balances[debit] = total([balances[debit], Balance(debits_posted=entry["amount_fen"])])
            balances[credit] = total([balances[credit], Balance(credits_posted=entry["amount_fen"])])
    return balances


def trial_balance(entries: list[bytes], balances: dict[int, Balance]) -> dict[int, Balance]:
    """Return the sums of each book over balances that a function above returned. Debits equal credits, posted and pending."""
    books = {id_: account.book for id_, account in accounts_at(entries, len(entries)).items()}
    by_book: dict[int, list[Balance]] = {}
    for id_, balance in balances.items():
        by_book.setdefault(books[id_], []).append(balance)
    return {book: total(several) for book, several in by_book.items()}


def statement(entries: list[bytes], account_id: int, seq: int) -> list[tuple[int, Entry]]:
    """Return the entries that touch an account, up to ``seq``, oldest first, each with its seq."""
    account = accounts_at(entries, seq).get(account_id)
    numbered = enumerate(map(JOURNAL_ENTRY.unpack, entries[:seq]), 1)
    return [(at, entry) for at, entry in numbered if account and account.slot in slots_of(entry)]


def slots_of(entry: Entry) -> list[int]:
    return [slot for slot in (entry["debit_slot"], entry["credit_slot"]) if slot != NO_SLOT]


def balance_of(account: Account) -> Balance:
    return Balance(account.debits_pending, account.debits_posted, account.credits_pending, account.credits_posted)


def total(balances: Iterable[Balance]) -> Balance:
    several = list(balances)
    return Balance(
        sum(balance.debits_pending for balance in several),
        sum(balance.debits_posted for balance in several),
        sum(balance.credits_pending for balance in several),
        sum(balance.credits_posted for balance in several),
    )
