"""A channel's own list of one business date, held against what the journal has of that channel and date.

What the channel tells comes line by line and may be long; what is booked is held in memory, some 600 bytes a payment.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, timedelta
from enum import StrEnum
from itertools import chain
from typing import NamedTuple


class Verdict(StrEnum):
    """What became of a line, or of a payment that no line tells."""

    matched = "matched"
    amount_differs = "amount_differs"
    household_differs = "household_differs"
    other_day = "other_day"
    told_twice = "told_twice"
    missing_here = "missing_here"
    missing_there = "missing_there"
    booked_twice = "booked_twice"


class ChannelLine(NamedTuple):
    """A payment as the channel tells it. ``serial`` is 16 bytes, as in the key of the event; ``line`` its number in the file."""

    serial: bytes
    household: str
    amount_fen: int
    business_date: date
    line: int


class Booking(NamedTuple):
    """A payment as the journal of ``shard`` has it: ``amount_fen`` less what of it was reversed.

    ``others`` have its serial too, in other shards, and were not reversed in full either.
    """

    household: str
    amount_fen: int
    seq: int
    shard: str = ""
    others: "tuple[Booking, ...]" = ()


Bookings = Mapping[bytes, Booking]


def merge_shards(shards: Iterable[Bookings]) -> dict[bytes, Booking]:
    """Return the payments of all shards, by serial. Of a serial that several have, one that was not reversed in full counts.

    Where several were not, each shard knowing its own keys only, it is the first of them, and the others stand in it.
    """
    merged: dict[bytes, Booking] = {}
    for bookings in shards:
        several = {serial: _of_two(merged[serial], bookings[serial]) for serial in merged.keys() & bookings.keys()}
        merged |= bookings
        merged |= several
    return merged


def _of_two(first: Booking, second: Booking) -> Booking:
    if first.amount_fen and second.amount_fen:
        return first._replace(others=(*first.others, second))
    return second if second.amount_fen else first


class Finding(NamedTuple):
    """A verdict with the line and the booking that it is about; one of the two may be missing."""

    verdict: Verdict
    serial: bytes
    there: ChannelLine | None
    here: Booking | None
    booked_date: date | None


def reconcile(
    lines: Iterable[ChannelLine], business_date: date, bookings_of: Callable[[date], Bookings], *, days_around: int = 3
) -> Iterator[Finding]:
    """Yield what is found of each line, and then of each payment of ``business_date`` that no line tells.

    ``bookings_of`` gives the payments of a date by serial. Lines that are not booked on ``business_date`` are looked for up to
    ``days_around`` before and behind it, the nearest first, and then on their own date. A payment that was reversed in
    full and that no line tells is right on both sides, and no finding. A payment whose serial other shards have too is found as
    ``booked_twice``, told or not, and behind it each of the others.
    """
    booked, told = bookings_of(business_date), set[bytes]()
    elsewhere: list[ChannelLine] = []
    for line in lines:
        here = booked.get(line.serial)
        if here is None:
            elsewhere.append(line)
            continue
        verdict = Verdict.told_twice if line.serial in told else _compare(line, here, business_date)
        told.add(line.serial)
        yield Finding(verdict, line.serial, line, here, business_date)
    yield from _look_elsewhere(elsewhere, business_date, bookings_of, days_around)
    for serial, here in booked.items():
        if serial not in told and here.amount_fen:
            verdict = Verdict.booked_twice if here.others else Verdict.missing_there
            yield Finding(verdict, serial, None, here, business_date)
        for other in here.others:
            yield Finding(Verdict.booked_twice, serial, None, other, business_date)


def _compare(there: ChannelLine, here: Booking, booked_date: date) -> Verdict:
    if here.others:
        return Verdict.booked_twice
    if there.business_date != booked_date:
        return Verdict.other_day
    if there.household != here.household:
        return Verdict.household_differs
    return Verdict.matched if there.amount_fen == here.amount_fen else Verdict.amount_differs


def _look_elsewhere(
    lines: list[ChannelLine], business_date: date, bookings_of: Callable[[date], Bookings], days_around: int
) -> Iterator[Finding]:
    near = chain.from_iterable((-days, days) for days in range(1, days_around + 1))
    for day in dict.fromkeys([business_date + timedelta(days) for days in near] + [line.business_date for line in lines]):
        is_near = abs(day - business_date) <= timedelta(days_around)
        booked = bookings_of(day) if lines else {}
        left = []
        for line in lines:
            here = booked.get(line.serial) if is_near or line.business_date == day else None
            if here:
                yield Finding(Verdict.other_day, line.serial, line, here, day)
            else:
                left.append(line)
        lines = left
    for line in lines:
        yield Finding(Verdict.missing_here, line.serial, line, None, None)


def add_up(findings: Iterable[Finding]) -> tuple[dict[Verdict, tuple[int, int, int]], list[Finding]]:
    """Return count, amount there and amount here of each verdict that was found, and of ``matched``; and what did not match."""
    sums = {Verdict.matched: (0, 0, 0)}
    differences = []
    for found in findings:
        count, there_fen, here_fen = sums.get(found.verdict, (0, 0, 0))
        there_fen += found.there.amount_fen if found.there else 0
        here_fen += found.here.amount_fen if found.here else 0
        sums[found.verdict] = (count + 1, there_fen, here_fen)
        if found.verdict is not Verdict.matched:
            differences.append(found)
    return sums, differences
