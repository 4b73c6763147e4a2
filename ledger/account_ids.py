"""Account ids: 128 bits that pack the kind, the count of digits and the owner's own number of up to 33 digits.

From the top: 8 bits kind, 2 bits zero, 6 bits count of digits, 112 bits number. ``household:3301234567890`` and its id are the
same thing both ways, without a lookup table.
"""

from datetime import date
from enum import IntEnum

from ledger.errors import NameInvalid

_KIND_SHIFT = 120
_NUMBER_BITS = 112
_MAX_DIGITS = 33


class AccountKind(IntEnum):
    """What an account is kept for. The numbers are those of ``record_layout.h``."""

    household = 1
    clearing = 2
    revenue = 3
    ledger = 4
    card = 5
    outlet = 6
    agency = 7
    operator = 8
    till = 9
    suspense = 10
    over_short = 11


# Made beforehand, since services ask for accounts by the thousand: arithmetic with an Enum takes longer than a read of LMDB.
_KINDS = {kind.name: kind << _KIND_SHIFT for kind in AccountKind}
_HOUSEHOLDS = _KINDS["household"] | 13 << _NUMBER_BITS


def account_id(kind: AccountKind, number: str) -> int:
    """Return the 128-bit id of the account ``kind:number``; ``number`` is 1 to 33 decimal digits, leading zeros count."""
    return kind << _KIND_SHIFT | _digits_and_number(number)


def _digits_and_number(number: str) -> int:
    if not (0 < len(number) <= _MAX_DIGITS and number.isascii() and number.isdigit()):
        raise NameInvalid(f"{number!r} is not a number of 1 to {_MAX_DIGITS} digits")
    return len(number) << _NUMBER_BITS | int(number)


def household_account(household: str) -> int:
    """Return the account id of a household, named by its 13 digits."""
    if len(household) != 13 or not (household.isascii() and household.isdigit()):
        raise NameInvalid(f"{household!r} is not a household number of 13 digits")
    return _HOUSEHOLDS | int(household)


def household_of_account(account: int) -> str | None:
    """Return the 13 digits of a household's account; None of any other id, be it of an account or not."""
    number = account - _HOUSEHOLDS
    return f"{number:013d}" if 0 <= number < 10**13 else None


def clearing_account(channel: int, business_date: date) -> int:
    """Return the account id that collects what a channel owes for one business date."""
    return account_id(AccountKind.clearing, f"{channel:03d}{business_date:%Y%m%d}")


_CLEARING = account_id(AccountKind.clearing, "0" * 11)


def is_clearing_account(account: int) -> bool:
    """Return whether an id is that of a channel's clearing account of a business date."""
    return account >> 64 == _CLEARING >> 64


def clearing_channel_and_date(account: int) -> tuple[int, date] | None:
    """Return whose clearing account it is, and of what date; None where it is none, or its number has no date in it."""
    channel, number = divmod(account - _CLEARING, 10**8)
    try:
        return (channel, date(number // 10_000, number // 100 % 100, number % 100)) if is_clearing_account(account) else None
    except ValueError:
        return None


def suspense_account(channel: int, business_date: date) -> int:
    """Return the account id that takes the differences between a channel's file of a business date and the journal."""
    return account_id(AccountKind.suspense, f"{channel:03d}{business_date:%Y%m%d}")


def over_short_account(channel: int, business_date: date) -> int:
    """Return the account id that takes what a channel's cash counts had too much or too little on one business date."""
    return account_id(AccountKind.over_short, f"{channel:03d}{business_date:%Y%m%d}")


def revenue_account(book: int) -> int:
    """Return the account id that the bills of a book are credited to."""
    return account_id(AccountKind.revenue, f"{book:05d}")


def parse_account(text: str) -> int:
    """Return the id of ``kind:number``, as ``format_account`` writes it. A bare number of 13 digits is a household."""
    kind, colon, number = text.rpartition(":")
    if not colon:
        return household_account(number)
    kind_bits = _KINDS.get(kind)
    if kind_bits is None:
        raise NameInvalid(f"{kind!r} is no kind of account", hint=f"Use one of {', '.join(_KINDS)}")
    return kind_bits | _digits_and_number(number)


_KIND_NAMES = {kind.value: kind.name for kind in AccountKind}  # made beforehand: a reconciliation names accounts by the million


def format_account(id_: int) -> str:
    """Return ``kind:number`` of an account id. Raises ValueError where its kind is none."""
    digits = id_ >> _NUMBER_BITS & 0x3F
    kind = _KIND_NAMES.get(id_ >> _KIND_SHIFT) or AccountKind(id_ >> _KIND_SHIFT).name
    return f"{kind}:{id_ & (1 << _NUMBER_BITS) - 1:0{digits}d}"
