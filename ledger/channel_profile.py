"""The profile of a channel: what it may publish, whose money pays, what it costs, when it settles.

``ledger.channels`` reads profiles from TOML files; docs/channels.md describes their keys. What a profile says about posting is
its ``rules``: one for each kind of terminal of the channel.
"""

import re
from collections.abc import Iterator
from enum import IntEnum
from functools import cached_property
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from ledger.account_ids import AccountKind

MAX_TERMINALS = 8
MAX_PAYER_DIGITS = 18
MAX_RETRY_DAYS = 366
MAX_REASON = 99
GREATEST_FEN = 2**63 - 1
BASIS_POINTS = 10_000

EventTypeName = Literal[
    "bill",
    "payment",
    "open_account",
    "transfer",
    "post",
    "void",
    "reverse",
    "freeze",
    "unfreeze",
    "close",
    "clock",
    "top_up",
    "open_float",
    "count_float",
    "bank_float",
    "adjust",
]
FundsModel = Literal["deferred", "two_phase", "stored_value", "prefunded", "float"]
SettlementCycle = Literal["T+1", "prepaid", "daily_deposit", "cash_collection", "batch", "none"]
Name = Annotated[str, Meta(pattern=r"^[a-z0-9_]{1,32}$")]
LedgerAccount = Annotated[str, Meta(pattern=r"^ledger:[0-9]{1,33}$")]
AmountFen = Annotated[int, Meta(ge=0, le=GREATEST_FEN)]
TimeoutS = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Days = Annotated[int, Meta(ge=0, le=0xFFFF)]

WITH_PAYER = frozenset({"stored_value", "prefunded", "float"})
WITH_BALANCE = frozenset({"stored_value", "prefunded"})
FLOAT_EVENTS = frozenset({"open_float", "count_float", "bank_float"})
NUMBERED_KINDS = ("card", "outlet", "agency", "operator", "till")  # what a channel may have accounts of


class SerialForm(IntEnum):
    """How a channel writes the serial of an event. The numbers are those of ``record_layout.h``."""

    digits = 1
    uuid = 2
    ascii = 3


class Numbered(msgspec.Struct, frozen=True):
    """The accounts of one kind whose numbers have so many digits."""

    kind: AccountKind
    digits: int


_PATTERN = re.compile(rf"({'|'.join(NUMBERED_KINDS)}):\{{(payer|payee):([0-9]{{1,2}})\}}")


def numbered_accounts(pattern: str, field: str) -> Numbered:
    """Return what a pattern like ``card:{payer:16}`` stands for. Raises ValueError where it is none, or names another field."""
    match = _PATTERN.fullmatch(pattern)
    if match is None or match[2] != field or not 1 <= int(match[3]) <= MAX_PAYER_DIGITS:
        kinds = ", ".join(NUMBERED_KINDS)
        raise ValueError(f"must be like card:{{{field}:16}}, of {kinds}, with 1 to {MAX_PAYER_DIGITS} digits, not {pattern!r}")
    return Numbered(AccountKind[match[1]], int(match[3]))


class Fee(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the channel keeps of a payment when it settles: a share of the amount and a fixed part, between two bounds."""

    basis_points: Annotated[int, Meta(ge=0, le=BASIS_POINTS)] = 0
    fixed_fen: AmountFen = 0
    least_fen: AmountFen = 0
    greatest_fen: AmountFen = GREATEST_FEN
    rounding: Literal["half_up", "up", "down"] = "half_up"

    def of(self, amount_fen: int) -> int:
        """Return the fee for a payment, in fen."""
        added = {"half_up": BASIS_POINTS // 2, "up": BASIS_POINTS - 1, "down": 0}[self.rounding]
        share_fen = (amount_fen * self.basis_points + added) // BASIS_POINTS
        return min(max(share_fen + self.fixed_fen, self.least_fen), self.greatest_fen)


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The least and the greatest amount of one payment."""

    least_fen: Annotated[int, Meta(ge=1, le=GREATEST_FEN)] = 1
    greatest_fen: Annotated[int, Meta(ge=1, le=GREATEST_FEN)] = GREATEST_FEN


class Adjusting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What adjustments of the channel need: above an amount, two persons who allow them."""

    two_persons_above_fen: AmountFen


class Terminal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of terminal of a channel; what it leaves out is the channel's.

    ``bank`` is how files of withholding name the bank that they come from. A line of them that failed for one of the bank's
    ``retry_reasons``, or expired, is tried again so many days after its run's business date as ``retry_days`` say.
    """

    name: Name
    chinese_name: str
    funds: FundsModel | None = None
    account: str | None = None
    instruction_timeout_s: TimeoutS | None = None
    settlement: SettlementCycle | None = None
    bank: Name | None = None
    retry_days: tuple[Annotated[int, Meta(ge=1, le=MAX_RETRY_DAYS)], ...] = ()
    retry_reasons: tuple[Annotated[int, Meta(ge=1, le=MAX_REASON)], ...] = ()


class PostingRule(msgspec.Struct, frozen=True, kw_only=True):
    """How the events of one kind of terminal are posted. ``payer`` None: the clearing account of the business date pays.

    ``payee``: the accounts that a top-up credits.
    """

    terminal: str
    funds: FundsModel
    payer: Numbered | None
    payee: Numbered | None
    timeout_s: int
    settlement: SettlementCycle


class Channel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """One channel. ``publishes`` names the types of events that it may publish; with ``scope`` own they name its own events only.

    ``cut_off`` is when a business date ends for the channel, in the ledger's local time; then it is settled with the bank's
    ``settlement_account``. A card is valid for ``valid_days`` behind its last top-up, 0 for ever; what is left on it then goes to
    ``expired_account``. ``reversal_days`` is how many business dates after the original a reversal may come, 0 for none.
    """

    code: Annotated[int, Meta(ge=1, le=255)]
    name: Name
    chinese_name: str
    serial_form: SerialForm
    publishes: tuple[EventTypeName, ...] = ("payment",)
    scope: Literal["own", "all"] = "own"
    funds: FundsModel = "deferred"
    account: str = ""
    top_up: str = ""
    instruction_timeout_s: TimeoutS = 0
    settlement: SettlementCycle = "T+1"
    cut_off: Annotated[str, Meta(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")] = "24:00"
    settlement_account: LedgerAccount = "ledger:1002"
    fee_account: LedgerAccount = "ledger:6603"
    reversal_days: Days = 0
    alarm_level_fen: AmountFen = 0
    valid_days: Days = 0
    expired_account: LedgerAccount = "ledger:6301"
    priority: Literal["interactive", "batch"] = "interactive"
    fee: Fee = Fee()
    limits: Limits = Limits()
    terminals: Annotated[tuple[Terminal, ...], Meta(max_length=MAX_TERMINALS)] = ()
    adjust: Adjusting | None = None

    @property
    def issues_bills(self) -> bool:
        return "bill" in self.publishes

    @property
    def cut_off_minutes(self) -> int:
        """When a business date ends, in minutes after its midnight."""
        hours, minutes = self.cut_off.split(":")
        return int(hours) * 60 + int(minutes)

    @property
    def pays_by_clearing(self) -> bool:
        """Whether the clearing account pays for some kind of terminal, so that the channel has a file to settle by."""
        return "payment" in self.publishes and any(rule.payer is None for rule in self.rules)

    @cached_property
    def rules(self) -> tuple[PostingRule, ...]:
        """The posting rule of the only terminal, or one for each kind of terminal in the order of the profile."""
        return tuple(map(self._rule, self._terminals().values()))

    def _rule(self, terminal: Terminal) -> PostingRule:
        funds = terminal.funds or self.funds
        pattern = self.account if terminal.account is None else terminal.account
        own_timeout_s = terminal.instruction_timeout_s
        payer = numbered_accounts(pattern, "payer") if funds in WITH_PAYER else None
        topped_up = payer if funds in WITH_BALANCE else None
        return PostingRule(
            terminal=terminal.name,
            funds=funds,
            payer=payer,
            payee=numbered_accounts(self.top_up, "payee") if self.top_up else topped_up,
            timeout_s=self.instruction_timeout_s if own_timeout_s is None else own_timeout_s,
            settlement=terminal.settlement or self.settlement,
        )

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield each key that does not go together with the others, and why. A key of a terminal is ``terminals[0].key``."""
        if self.limits.least_fen > self.limits.greatest_fen:
            yield "limits.least_fen", "must not be above greatest_fen"
        if self.fee.least_fen > self.fee.greatest_fen:
            yield "fee.least_fen", "must not be above greatest_fen"
        if self.fee_account == self.settlement_account:
            yield "fee_account", "must not be the settlement_account"
        names = [terminal.name for terminal in self.terminals]
        for at, name in enumerate(names):
            if name in names[:at]:
                yield f"terminals[{at}].name", f"{name} names two terminals"
        for place, terminal in self._terminals().items():
            yield from self._problems_of_funds(place, terminal)
            yield from self._problems_of_withholding(place, terminal)
        yield from self._problems_of_all_terminals({terminal.funds or self.funds for terminal in self._terminals().values()})

    def _problems_of_all_terminals(self, models: set[FundsModel]) -> Iterator[tuple[str, str]]:
        if self.valid_days and "stored_value" not in models:
            yield "valid_days", "is for channels whose funds are stored_value"
        if FLOAT_EVENTS & set(self.publishes) and "float" not in models:
            yield "publishes", "open_float, count_float and bank_float are for channels whose funds are float"
        if "top_up" in self.publishes and not self.top_up and not WITH_BALANCE & models:
            yield "publishes", "top_up needs the key top_up, which says what accounts it credits"
        if self.adjust is None and "adjust" in self.publishes:
            yield "publishes", "adjust needs the key adjust.two_persons_above_fen"
        if self.adjust and "adjust" not in self.publishes:
            yield "adjust", "is for channels that publish adjust"
        if self.top_up:
            try:
                numbered_accounts(self.top_up, "payee")
            except ValueError as error:
                yield "top_up", str(error)

    def _terminals(self) -> dict[str, Terminal]:
        """Return the kinds of terminals by their place in the profile; the only one of a profile without any stands nowhere."""
        only = Terminal(name="", chinese_name="")
        return {f"terminals[{at}].": terminal for at, terminal in enumerate(self.terminals)} or {"": only}

    def _problems_of_funds(self, place: str, terminal: Terminal) -> Iterator[tuple[str, str]]:
        funds = terminal.funds or self.funds
        if funds in WITH_PAYER:
            try:
                numbered_accounts(self.account if terminal.account is None else terminal.account, "payer")
            except ValueError as error:
                yield f"{'' if terminal.account is None else place}account", f"funds are {funds}: the account that pays {error}"
        if funds == "two_phase" and not {"post", "void"} <= set(self.publishes):
            yield (
                f"{place if terminal.funds else ''}funds",
                "two_phase needs post and void in publishes, to confirm and to refuse",
            )

    def _problems_of_withholding(self, place: str, terminal: Terminal) -> Iterator[tuple[str, str]]:
        if terminal.bank is None:
            for key in ("retry_days", "retry_reasons"):
                if getattr(terminal, key):
                    yield f"{place}{key}", "only what a bank withholds is tried again: say the bank"
            return
        if (terminal.funds or self.funds) != "two_phase":
            yield f"{place}bank", "what a bank withholds is two_phase: instructed, then confirmed or refused"
        if self.serial_form is not SerialForm.uuid:
            yield f"{place}bank", "the serials of what a bank withholds are UUIDs: the channel's serial_form must be uuid"
        if list(terminal.retry_days) != sorted(set(terminal.retry_days)):
            yield f"{place}retry_days", "must grow from one to the next"
