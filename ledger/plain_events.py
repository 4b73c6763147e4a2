"""Events without legs: bills, payments, top-ups, and what happens to floats.

From fields to the numbers of ``packed_event`` and back, and the checks that need no ledger but the profile of the channel.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from ledger import event_fields as fields
from ledger.channel_profile import WITH_BALANCE, Channel, Numbered, PostingRule
from ledger.event_structs import EVENT_NUMBERS, BankFloat, Bill, CountFloat, Event, OpenFloat, Payment, TopUp
from ledger.outcomes import OutcomeCode

MAX_AMOUNT_FEN = 2**63 - 1
UNKNOWN_TERMINAL = 255

BILL, PAYMENT, TOP_UP = EVENT_NUMBERS["bill"], EVENT_NUMBERS["payment"], EVENT_NUMBERS["top_up"]
COUNT_FLOAT = EVENT_NUMBERS["count_float"]
_FLOATS: dict[int, type[OpenFloat | CountFloat | BankFloat]] = {
    EVENT_NUMBERS["open_float"]: OpenFloat,
    COUNT_FLOAT: CountFloat,
    EVENT_NUMBERS["bank_float"]: BankFloat,
}


class PackedEvent(NamedTuple):
    """The fields of ``packed_event`` in their order, without version and reserved bytes."""

    event_type: int
    channel: int
    business_date: int
    value_date: int
    serial: bytes
    household: int
    amount_fen: int
    detail: int
    payer: int = 0
    terminal: int = 0

    @property
    def has_legs(self) -> bool:
        """Whether the type is one whose events carry legs; ``detail`` then counts them."""
        return self.event_type > PAYMENT and self.event_type != TOP_UP and self.event_type not in _FLOATS

    @property
    def lacks_household(self) -> bool:
        """Whether the type has no use for a household, nor for ``detail``."""
        return self.event_type in _FLOATS


def numbers_of(event_type: int, named: dict[str, Any], text: dict[str, str], channel: Channel | None) -> dict[str, int]:
    """Return the fields that not all events have; ``text`` holds those fields of ``named`` that are strings."""
    amount_fen = named.get("amount_fen")
    numbers = {
        "household": fields.parse_household(text.get("household", "")),
        "amount_fen": amount_fen if isinstance(amount_fen, int) else 0,
        "detail": fields.parse_date(text.get("due_date", "")) << 32 | fields.parse_period(text.get("period", "")),
        "payer": fields.parse_number_or_none(text.get("payer")),
        "terminal": _terminal_number(text.get("terminal"), channel),
    }
    if event_type == PAYMENT:
        numbers["detail"] = fields.parse_number_or_none(text.get("outlet"))
    elif event_type == TOP_UP:
        numbers["detail"] = fields.parse_number_or_none(text.get("payee"))
        numbers["household"] = numbers["household"] if "household" in text else 0
    elif event_type in _FLOATS:
        numbers |= {"household": 0, "detail": 0}
    return numbers


def _terminal_number(name: str | None, channel: Channel | None) -> int:
    if name is None or channel is None:
        return 0
    names = [rule.terminal for rule in channel.rules]
    return names.index(name) if name and name in names else UNKNOWN_TERMINAL


def first_wrong_field(event: PackedEvent, channel: Channel) -> OutcomeCode:
    """Return the first refusal, in the order of ``OutcomeCode``, that a field deserves; else ``applied``."""
    return min(_faults(event, channel), default=OutcomeCode.applied)


def _faults(event: PackedEvent, channel: Channel) -> Iterator[OutcomeCode]:
    if event.household >= fields.HOUSEHOLD_LIMIT:
        yield OutcomeCode.household_not_13_digits
    if event.amount_fen < (0 if event.event_type == COUNT_FLOAT else 1):
        yield OutcomeCode.amount_not_positive
    if event.amount_fen > MAX_AMOUNT_FEN:
        yield OutcomeCode.amount_too_great
    if event.event_type == BILL:
        yield from _faults_of_bill(event)
    elif event.terminal >= len(channel.rules):
        yield OutcomeCode.terminal_unknown
    else:
        yield from _faults_by_rule(event, channel.rules[event.terminal])
    if event.event_type == PAYMENT:
        if event.detail >= fields.OUTLET_LIMIT:
            yield OutcomeCode.outlet_malformed
        if not channel.limits.least_fen <= event.amount_fen <= channel.limits.greatest_fen:
            yield OutcomeCode.amount_outside_limits


def _faults_of_bill(event: PackedEvent) -> Iterator[OutcomeCode]:
    if not fields.period_exists(event.detail & 0xFFFFFFFF):
        yield OutcomeCode.period_invalid
    if not fields.NO_DATE < event.detail >> 32 <= fields.LATEST_DATE:
        yield OutcomeCode.due_date_invalid
    if event.terminal:
        yield OutcomeCode.terminal_unknown
    if event.payer:
        yield OutcomeCode.payer_malformed


def _faults_by_rule(event: PackedEvent, rule: PostingRule) -> Iterator[OutcomeCode]:
    payers = None if event.event_type == TOP_UP and rule.funds in WITH_BALANCE else rule.payer
    if event.event_type in _FLOATS and rule.funds != "float":
        yield OutcomeCode.terminal_unknown
    if not _is_one_of(event.payer, payers):
        yield OutcomeCode.payer_malformed
    if event.event_type == TOP_UP and (rule.payee is None or not _is_one_of(event.detail, rule.payee)):
        yield OutcomeCode.payee_malformed


def _is_one_of(number: int, accounts: Numbered | None) -> bool:
    return 1 <= number < 10**accounts.digits if accounts else number == 0


def plain_event(event: PackedEvent, common: dict[str, Any], channel: Channel) -> Event:
    """Return the Struct of an event that has no fault; ``common`` has the fields that all of them have."""
    common |= {"amount_fen": event.amount_fen}
    if event.event_type == BILL:
        period, due_date = event.detail & 0xFFFFFFFF, event.detail >> 32
        due = fields.format_date(due_date)
        return Bill(**common, household=f"{event.household:013d}", period=fields.format_period(period), due_date=due)
    common |= {"payer": _text(event.payer), "terminal": channel.rules[event.terminal].terminal if event.terminal else None}
    if event.event_type == PAYMENT:
        return Payment(**common, household=f"{event.household:013d}", outlet=_text(event.detail))
    if event.event_type == TOP_UP:
        household = f"{event.household:013d}" if event.household else None
        return TopUp(**common, household=household, payee=str(event.detail))
    return _FLOATS[event.event_type](**common)


def _text(number: int) -> str | None:
    return str(number) if number else None
