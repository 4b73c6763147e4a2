"""Settling and closing a channel's business date on all shards of a data directory."""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from ledger._core import partition_of
from ledger.account_ids import clearing_account, format_account, suspense_account
from ledger.channels import Channel
from ledger.clearing import Clearing, Movement, read_clearing
from ledger.errors import ConfigurationError, NotSettled
from ledger.event_fields import format_serial
from ledger.event_structs import Clock
from ledger.history import History
from ledger.journal import read_parameters
from ledger.layouts import EntryKind
from ledger.projections.balances import Balance
from ledger.reconciliation import Bookings, ChannelLine, Finding, merge_shards, reconcile
from ledger.settlement import (
    LEDGER_CHANNEL,
    LegDue,
    Share,
    amounts_due,
    closing_event,
    cut_off_ms,
    legs_due,
    next_settlement,
    opening_event,
    settlement_event,
    share_out,
)
from peakledger.booking import Booker, Booking
from peakledger.shards import shard_directories


class ShardOfDate:
    """A channel's business date in one shard, as of when ``read`` was called last."""

    def __init__(self, directory: Path, channel: Channel, business_date: date) -> None:
        header = read_parameters(directory)
        self.directory = directory
        self.topic, _, partition = header.source.rpartition("/")
        self.partition = int(partition)
        self.cut_off_ms = cut_off_ms(channel, business_date, header.parameters)
        self.channel, self.business_date = channel, business_date
        self.share = Share()
        self.legs: list[LegDue] = []
        self.read()

    def read(self) -> None:
        """Read what the shard has now."""
        self.history = History(self.directory)
        self.clearing: Clearing = read_clearing(self.history, self.channel.code, self.business_date)

    @property
    def account(self) -> str:
        return format_account(clearing_account(self.channel.code, self.business_date))

    @property
    def suspense(self) -> str:
        return format_account(suspense_account(self.channel.code, self.business_date))

    @property
    def balance(self) -> Balance | None:
        return self.history.balances.get(self.account)

    @property
    def is_closed(self) -> bool:
        return self.balance is not None and self.balance.is_closed

    @property
    def is_at_zero(self) -> bool:
        balance = self.balance
        return balance is None or balance.balance_fen == balance.pending_fen == 0

    @property
    def lags(self) -> bool:
        """Whether the date has not ended for the channel in the shard's ledger time."""
        return self.history.balances.watermark.ledger_time_ms < self.cut_off_ms

    def name(self, slot: int) -> str:
        return self.history.balances.accounts_in([slot])[0] or ""

    def remains(self) -> Iterable[dict[str, Any]]:
        """Yield what keeps the clearing account from zero, and no settlement moves: holds, and entries made for other reasons."""
        for movement in self.clearing.open_holds:
            yield self._remaining(movement, movement.signed_fen(self.history.balances.slot_of(self.account)))
        for movement, amount_fen in self.clearing.others:
            yield self._remaining(movement, amount_fen)

    def _remaining(self, movement: Movement, amount_fen: int) -> dict[str, Any]:
        return {
            "shard": self.directory.name,
            "seq": movement.seq,
            "kind": EntryKind(movement.kind).name,
            "code": movement.code,
            "debit": self.name(movement.debit_slot),
            "credit": self.name(movement.credit_slot),
            "amount_fen": amount_fen,
        }


class SettlingDate:
    """A channel's business date in all shards."""

    def __init__(self, data: str, channel: Channel, business_date: date) -> None:
        """Raises LedgerNotFound, and ConfigurationError where the shards are of several topics or some are missing."""
        self.channel, self.business_date = channel, business_date
        self.shards = [ShardOfDate(directory, channel, business_date) for directory in shard_directories(data)]
        self.topic = self.shards[0].topic
        self._by_partition = {shard.partition: shard for shard in self.shards}
        if {shard.topic for shard in self.shards} != {self.topic} or set(self._by_partition) != set(range(len(self.shards))):
            raise ConfigurationError(
                f"{data} does not hold the shards of all partitions of one topic",
                hint="Bring all shards together, or name --data",
            )

    @property
    def is_closed(self) -> bool:
        return all(shard.is_closed for shard in self.shards)

    def check_open(self) -> None:
        """Raise NotSettled where the date is closed."""
        if self.is_closed:
            raise NotSettled(f"{self.business_date} is closed for {self.channel.name}", hint="It stays closed")

    def check_cut_off(self) -> None:
        """Raise NotSettled where the date has not ended in the ledger time of some shard."""
        for shard in self.shards:
            if shard.lags:
                now_ms = shard.history.balances.watermark.ledger_time_ms
                raise NotSettled(
                    f"{self.business_date} of {self.channel.name} ends at {_utc(shard.cut_off_ms)}; "
                    f"{shard.directory.name} is at {_utc(now_ms)}",
                    hint="Where no event comes any more, --move-clock brings the ledger's clock to the present",
                )

    def move_clocks(self, booker: Booker) -> None:
        """Bring the ledger time of shards to the present, where it lies before the end of the date and the present does not."""
        lagging = [shard for shard in self.shards if shard.lags and shard.cut_off_ms <= time.time() * 1000]
        booker.book([Booking(shard.directory, shard.partition, self._clock(shard)) for shard in lagging])
        for shard in lagging:
            shard.read()

    def _clock(self, shard: ShardOfDate) -> Callable[[int], Clock]:
        serial = f"T{self.channel.code:03d}-{shard.partition:05d}"
        return lambda attempt: Clock(LEDGER_CHANNEL, self.business_date, serial)

    def reconcile(self, lines: Iterable[ChannelLine], days_around: int) -> Iterable[Finding]:
        """Hold a channel's file against the journal; every finding is counted to its shard on the way.

        Raises NotSettled where a payment is booked in several shards.
        """
        known = {self.business_date: merge_shards(shard.clearing.bookings for shard in self.shards)}
        self._check_serials(known[self.business_date])

        def bookings_of(day: date) -> Bookings:
            if day not in known:
                known[day] = merge_shards(read_clearing(shard.history, self.channel.code, day).bookings for shard in self.shards)
            return known[day]

        shares = {shard.directory.name: shard.share for shard in self.shards}
        findings = reconcile(lines, self.business_date, bookings_of, days_around=days_around)
        return share_out(findings, self.business_date, self.channel.fee, shares, self._shard_of)

    def _check_serials(self, bookings: Bookings) -> None:
        """Raise NotSettled where two shards have a serial that is not reversed in full: each knows only its own keys."""
        serial = min((serial for serial, booking in bookings.items() if booking.others), default=None)
        if serial is not None:
            told, booking = format_serial(serial, self.channel.serial_form), bookings[serial]
            raise NotSettled(
                f"Payment {told} of {self.channel.name} and {self.business_date} is booked in {booking.shard} and in "
                f"{booking.others[0].shard}",
                hint="Events with its serial came to two partitions: reverse the wrong one in its own, and settle again",
            )

    def _shard_of(self, finding: Finding) -> str:
        """Return the shard that has the payment, or would have it: that of its household."""
        if finding.here and finding.booked_date == self.business_date:
            return finding.here.shard
        household = finding.there.household if finding.there else ""
        return self._by_partition[partition_of(household.encode(), len(self.shards))].directory.name

    def plan(self) -> None:
        """Find the legs that are due in each shard."""
        for shard in self.shards:
            due = amounts_due(self.channel, self.business_date, shard.clearing, shard.share)
            shard.legs = legs_due(due, shard.account)

    def settle(self, booker: Booker) -> None:
        """Book what is due, and read what came of it. Raises NotSettled where an event was refused."""
        due = [shard for shard in self.shards if shard.legs]
        outcomes = booker.book([self._settlement(shard) for shard in due])
        for shard, outcome in zip(due, outcomes, strict=True):
            shard.read()
            if outcome.code.is_refusal:
                raise NotSettled(f"{shard.directory.name} refused the settlement: {outcome.code.sentence}", hint=_SEE_QUARANTINE)

    def _settlement(self, shard: ShardOfDate) -> Booking:
        accounts = dict.fromkeys(account for leg in shard.legs for account in (leg.debit, leg.credit))
        unopened = [account for account in accounts if shard.history.balances.get(account) is None]
        first = next_settlement(self.channel, shard.partition, shard.clearing.settlements)
        return Booking(
            shard.directory,
            shard.partition,
            lambda attempt: settlement_event(self.channel, self.business_date, shard.partition, first + attempt, shard.legs),
            [opening_event(account, self.business_date) for account in unopened],
        )

    def close(self, booker: Booker) -> None:
        """Close the date in all shards. Raises NotSettled where a clearing account is not at zero."""
        open_shards = [shard for shard in self.shards if not shard.is_closed]
        for shard in open_shards:
            balance = shard.balance
            if balance and not shard.is_at_zero:
                raise NotSettled(
                    f"{shard.account} of {shard.directory.name} is not at zero",
                    hint="Settle the date first; what remains then waits for an answer, or for events that correct it",
                    balance_fen=balance.balance_fen,
                    pending_fen=balance.pending_fen,
                )
        outcomes = booker.book([self._closing(shard) for shard in open_shards])
        for shard, outcome in zip(open_shards, outcomes, strict=True):
            shard.read()
            if outcome.code.is_refusal:
                raise NotSettled(f"{shard.directory.name} refused to close: {outcome.code.sentence}", hint=_SEE_QUARANTINE)

    def _closing(self, shard: ShardOfDate) -> Booking:
        last_seq = shard.balance.last_seq if shard.balance else None
        return Booking(
            shard.directory,
            shard.partition,
            lambda attempt: closing_event(self.channel, self.business_date, last_seq, attempt),
        )


_SEE_QUARANTINE = "See peakledger quarantine list, and settle again"


def _utc(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
