"""Entries, bare of everything that balances do not depend on, and a plain model of what they do to accounts."""

from ledger.account_ids import household_account, revenue_account
from ledger.layouts import JOURNAL_ENTRY, NO_SLOT, EntryKind

LEDGER_ID = bytes(range(16))


def opening(slot: int, id_: int, book: int = 1, flags: int = 0) -> bytes:
    return JOURNAL_ENTRY.pack(
        kind=EntryKind.open_account,
        serial=id_.to_bytes(16, "little"),
        debit_slot=slot,
        credit_slot=NO_SLOT,
        detail=book | flags << 16,
    )


def transfer(debit_slot: int, credit_slot: int, amount_fen: int) -> bytes:
    return JOURNAL_ENTRY.pack(kind=EntryKind.transfer, debit_slot=debit_slot, credit_slot=credit_slot, amount_fen=amount_fen)


def account(slot: int) -> int:
    """Return the id of the account that the tests open as ``slot``: one revenue account, then households."""
    return household_account(f"{slot * 7919 % 10**13:013d}") if slot else revenue_account(1)


def openings(count: int, first: int = 0) -> bytes:
    return b"".join(opening(slot, account(slot)) for slot in range(first, first + count))
