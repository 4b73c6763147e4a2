"""The fields of an event as text and as the numbers of ``packed_event``, both ways.

Text that is no such field becomes the number that the field cannot have (named ``NO_*``), so that one list of checks, in
``ledger.events``, serves all encodings.
"""

import re
from datetime import date, timedelta
from uuid import UUID

from ledger.account_ids import AccountKind, account_id, format_account
from ledger.channels import SerialForm

NO_DATE = 0
NO_PERIOD = 0
NO_SERIAL = bytes(16)
NO_HOUSEHOLD = 10**13
NO_OUTLET = 0
HOUSEHOLD_LIMIT = 10**13
OUTLET_LIMIT = 10**18
LATEST_DATE = 0xFFFF
NO_ACCOUNT = 0
GREATEST_ACCOUNT = 2**128 - 1  # has no text; ledgers refuse it by name
WRONG_ACCOUNT = 1

_EPOCH = date(1970, 1, 1)
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_PERIOD = re.compile(r"([0-9]{4})-([0-9]{2})")
_HOUSEHOLD = re.compile(r"[0-9]{13}")
_ACCOUNT = re.compile(rf"({'|'.join(AccountKind.__members__)}):([0-9]{{1,33}})")
_OUTLET = re.compile(r"[0-9]{1,18}")
_SERIALS = {
    SerialForm.digits: re.compile(r"[0-9]{1,32}"),
    SerialForm.uuid: re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
    SerialForm.ascii: re.compile(r"[\x21-\x7e]{1,16}"),
}


def parse_date(text: str) -> int:
    """Return the days since 1970-01-01 of ``YYYY-MM-DD``; ``NO_DATE`` outside 1970-01-02 to 2149-06-06."""
    match = _DATE.fullmatch(text)
    if match is None:
        return NO_DATE
    try:
        days = (date(*map(int, match.groups())) - _EPOCH).days
    except ValueError:
        return NO_DATE
    return days if 0 < days <= LATEST_DATE else NO_DATE


def format_date(days: int) -> date:
    """Return the date that lies ``days`` after 1970-01-01."""
    return _EPOCH + timedelta(days=days)


def parse_period(text: str) -> int:
    """Return ``YYYY-MM`` as the number ``yyyymm``; ``NO_PERIOD`` where it has another form."""
    match = _PERIOD.fullmatch(text)
    return int(match[1]) * 100 + int(match[2]) if match else NO_PERIOD


def period_exists(period: int) -> bool:
    """Say whether ``yyyymm`` is a month from 1970-01 to 2149-12."""
    return 197001 <= period <= 214912 and 1 <= period % 100 <= 12


def format_period(period: int) -> str:
    """Return ``yyyymm`` as ``YYYY-MM``."""
    return f"{period // 100:04d}-{period % 100:02d}"


def parse_household(text: str) -> int:
    """Return the number of 13 decimal digits; ``NO_HOUSEHOLD`` for other text."""
    return int(text) if _HOUSEHOLD.fullmatch(text) else NO_HOUSEHOLD


def parse_account(text: str) -> int:
    """Return the id of ``kind:number``; ``NO_ACCOUNT`` for no text, ``WRONG_ACCOUNT``, which none has, for other text."""
    match = _ACCOUNT.fullmatch(text)
    if match:
        return account_id(AccountKind[match[1]], match[2])
    return WRONG_ACCOUNT if text else NO_ACCOUNT


def account_is_right(id_: int) -> bool:
    """Say whether the id is that of some ``kind:number``, or none, or the greatest."""
    kind, digits, number = id_ >> 120, id_ >> 112 & 0xFF, id_ & (1 << 112) - 1
    named = 1 <= kind <= max(AccountKind) and 1 <= digits <= 33 and number < 10**digits
    return named or id_ in (NO_ACCOUNT, GREATEST_ACCOUNT)


def format_account_or_none(id_: int) -> str:
    """Return the text of an id that is right: empty for none, and "greatest", which is no account's text, for the greatest."""
    return "greatest" if id_ == GREATEST_ACCOUNT else format_account(id_) if id_ else ""


def parse_outlet(text: str) -> int:
    """Return the number of 1 to 18 decimal digits that is not zero; ``OUTLET_LIMIT``, which no outlet has, for other text."""
    return (int(text) or OUTLET_LIMIT) if _OUTLET.fullmatch(text) else OUTLET_LIMIT


def parse_number_or_none(text: str | None) -> int:
    """Return the number of an outlet, payer or payee as ``parse_outlet`` does; 0 where there is no text."""
    return NO_OUTLET if text is None else parse_outlet(text)


def parse_serial(text: str, form: SerialForm) -> bytes:
    """Return the 16 bytes of a serial; ``NO_SERIAL`` where the text has another form, or is all zeros."""
    if not _SERIALS[form].fullmatch(text):
        return NO_SERIAL
    if form is SerialForm.digits:
        return bytes.fromhex(text.ljust(32, "f"))
    if form is SerialForm.uuid:
        return UUID(text).bytes
    return text.encode().ljust(16, b"\0")


def serial_is_right(serial: bytes, form: SerialForm) -> bool:
    """Say whether 16 bytes are what ``parse_serial`` makes of some text."""
    return serial != NO_SERIAL and parse_serial(format_serial(serial, form), form) == serial


def format_serial(serial: bytes, form: SerialForm) -> str:
    """Return the text of 16 bytes that are a serial of the form."""
    if form is SerialForm.digits:
        return serial.hex().rstrip("f")
    if form is SerialForm.uuid:
        return str(UUID(bytes=serial))
    return serial.rstrip(b"\0").decode("latin-1")
