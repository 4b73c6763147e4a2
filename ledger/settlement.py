"""Settling a channel's business date: what its file and the journal say becomes one transfer in each shard.

The bank's account gets what the channel tells that it took, less its fee, and what was banked in cash; the clearing account
gives all that it paid; what the two differ in goes to the suspense account of the channel and date. So the clearing account
comes to zero, and what does not fit is explained line by line by what the reconciliation found.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from typing import NamedTuple

from ledger.account_ids import clearing_account, format_account, suspense_account
from ledger.channel_profile import Channel, Fee
from ledger.clearing import FEE_CODE, SETTLEMENT_CODE, Clearing, Side
from ledger.event_structs import Close, Leg, OpenAccount, Transfer
from ledger.parameters import LedgerParameters
from ledger.reconciliation import Finding, Verdict

LEDGER_CHANNEL = "ledger"


@dataclass(slots=True)
class Share:
    """What the channel's file says about the payments of one shard, in fen: the amounts that it tells and its fee for them.

    ``long_fen`` is what it tells more than is booked, ``short_fen`` what is booked more than it tells, each line for itself.
    """

    told_fen: int = 0
    fee_fen: int = 0
    long_fen: int = 0
    short_fen: int = 0

    def add(self, finding: Finding, business_date: date, fee: Fee) -> None:
        told_fen = finding.there.amount_fen if finding.there else 0
        booked_fen = finding.here.amount_fen if finding.here and counts_here(finding, business_date) else 0
        self.told_fen += told_fen
        self.fee_fen += fee.of(told_fen) if told_fen else 0
        self.long_fen += max(0, told_fen - booked_fen)
        self.short_fen += max(0, booked_fen - told_fen)


def counts_here(finding: Finding, business_date: date) -> bool:
    """Whether a finding's booking is one of the date's own; of a payment that is told twice the first line counts it."""
    return finding.booked_date == business_date and finding.verdict is not Verdict.told_twice


def share_out(
    findings: Iterable[Finding], business_date: date, fee: Fee, shares: Mapping[str, Share], shard_of: Callable[[Finding], str]
) -> Iterator[Finding]:
    """Yield the findings, adding each to the share of its shard on the way."""
    for finding in findings:
        shares[shard_of(finding)].add(finding, business_date, fee)
        yield finding


class Due(NamedTuple):
    """What the account of a side is to be debited, or credited where it is negative."""

    side: Side
    account: str
    amount_fen: int


class LegDue(NamedTuple):
    """One leg of a settlement."""

    debit: str
    credit: str
    amount_fen: int
    code: int = SETTLEMENT_CODE


def amounts_due(channel: Channel, business_date: date, clearing: Clearing, share: Share) -> list[Due]:
    """Return what is still to be moved in one shard, those to be debited by the clearing account first; it sums up to zero.

    What earlier settlements of the date moved is taken off, so that events which came behind them are settled alone. It counts
    for its side, whatever account the profile named then.
    """
    booked_fen = sum(booking.amount_fen for booking in clearing.bookings.values())
    suspense = format_account(suspense_account(channel.code, business_date))
    due = [
        Due(Side.suspense, suspense, share.short_fen - share.long_fen),
        Due(Side.fee, channel.fee_account, share.fee_fen),
        Due(Side.bank, channel.settlement_account, share.told_fen + clearing.cash_fen - share.fee_fen),
        Due(Side.clearing, format_account(clearing_account(channel.code, business_date)), -booked_fen - clearing.cash_fen),
    ]
    left = [one._replace(amount_fen=one.amount_fen - clearing.settled.get(one.side, 0)) for one in due]
    if not clearing.settlements and share.short_fen <= booked_fen + clearing.cash_fen:  # then long and short show both
        left[:1] = [Due(Side.suspense, suspense, share.short_fen), Due(Side.suspense, suspense, -share.long_fen)]
    return [one for one in left if one.amount_fen]


def legs_due(due: Sequence[Due], clearing: str) -> list[LegDue]:
    """Pair what is to be debited with what is to be credited, each in its order.

    Every leg is an entry of the ``clearing`` account or of suspense, where later settlements look for what this one moved: what
    is due between bank and fee goes through the clearing account.
    """
    debits = [one for one in due if one.amount_fen > 0]
    credits = [one._replace(amount_fen=-one.amount_fen) for one in due if one.amount_fen < 0]
    credits.sort(key=lambda one: one.side is Side.suspense)
    legs: list[LegDue] = []
    while debits:
        debit, credit = debits[0], credits[0]
        amount_fen = min(debit.amount_fen, credit.amount_fen)
        through = Due(Side.clearing, clearing, amount_fen)
        pairs = [(debit, credit)] if not {debit.side, credit.side} <= _OUTSIDE else [(debit, through), (through, credit)]
        legs += [LegDue(one.account, other.account, amount_fen, _code(one, other)) for one, other in pairs]
        debits[:1] = [debit._replace(amount_fen=debit.amount_fen - amount_fen)] if debit.amount_fen > amount_fen else []
        credits[:1] = [credit._replace(amount_fen=credit.amount_fen - amount_fen)] if credit.amount_fen > amount_fen else []
    return legs


_OUTSIDE = {Side.bank, Side.fee}


def _code(debit: Due, credit: Due) -> int:
    return FEE_CODE if Side.fee in (debit.side, credit.side) else SETTLEMENT_CODE


def settlement_event(channel: Channel, business_date: date, partition: int, number: int, legs: Iterable[LegDue]) -> Transfer:
    """Return the event of a channel's settlement of a date, the ``number``-th from 1 in its partition."""
    return Transfer(
        LEDGER_CHANNEL,
        business_date,
        f"S{channel.code:03d}-{partition:05d}-{number:03d}",
        legs=tuple(Leg(debit=leg.debit, credit=leg.credit, amount_fen=leg.amount_fen, code=leg.code) for leg in legs),
    )


def next_settlement(channel: Channel, partition: int, settlements: Iterable[bytes]) -> int:
    """Return the number of the settlement after those whose serials, as stored, are ``settlements``."""
    prefix = f"S{channel.code:03d}-{partition:05d}-".encode()
    numbers = [int(serial[len(prefix) :].rstrip(b"\0")) for serial in settlements if serial.startswith(prefix)]
    return max(numbers, default=0) + 1


def opening_event(account: str, business_date: date) -> OpenAccount:
    """Return the event that opens an account which a settlement needs."""
    return OpenAccount(LEDGER_CHANNEL, business_date, "O" + sha256(account.encode()).hexdigest()[:15], account=account)


def closing_event(channel: Channel, business_date: date, last_seq: int | None, attempt: int = 0) -> Close | OpenAccount:
    """Return the event that closes a date, its clearing account having ``last_seq``, or None where it never opened.

    Its serial follows from that, so that a closing which was refused is tried again only when the account has changed, or under
    the number of another ``attempt``.
    """
    account = format_account(clearing_account(channel.code, business_date))
    serial = f"C{channel.code:03d}-{last_seq or 0:x}" + f"-{attempt}" * (attempt > 0)
    if last_seq is None:
        return OpenAccount(LEDGER_CHANNEL, business_date, serial, account=account, flags=("closed",))
    return Close(LEDGER_CHANNEL, business_date, serial, account=account)


def cut_off_ms(channel: Channel, business_date: date, parameters: LedgerParameters) -> int:
    """Return the ledger time at which a business date ends for a channel."""
    minutes = channel.cut_off_minutes - parameters.utc_offset_minutes
    midnight = datetime.combine(business_date, time(tzinfo=UTC))
    return round((midnight + timedelta(minutes=minutes)).timestamp()) * 1000
