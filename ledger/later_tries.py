"""Whether a refused line of a withholding run was tried again since: replayed from quarantine as well, it would be held twice.

The serial of a line tells its number, and hides run and try in a hash. So what may be a later try is a line of that number for
that household, on a date that the calendar puts behind the line's own; and where the number of the run is found, by hashing
short ones, it is known whether that is the same run.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from ledger.account_ids import clearing_account
from ledger.channels import Channel, Terminal
from ledger.event_fields import format_date, parse_date
from ledger.event_structs import Payment
from ledger.events import decode_event
from ledger.history import History
from ledger.layouts import EventType, PayloadKind
from ledger.projections.quarantine import Quarantine, Quarantined
from ledger.replays import retry_key
from ledger.withholding import Try, beginning_of, held_payments, line_of

_DIGITS_BEHIND_THE_DATE = 4  # of the numbers that are hashed: some eleven thousand, in a few hundredths of a second

_Tried = Callable[[Channel, date], Mapping[tuple[int, str], set[bytes]]]


class RefusedLine(NamedTuple):
    """A line of a run in quarantine. ``day`` is the business date of its try, ``serial`` its own, before any replay."""

    offset: int
    channel: Channel
    terminal: Terminal
    day: date
    serial: bytes
    household: str

    @property
    def number(self) -> int:
        return line_of(self.serial)


class LaterTry(NamedTuple):
    """A later try of a refused line, on the business date ``on``. ``run`` is empty where its number is not found."""

    line: RefusedLine
    on: date
    run: str = ""


class _Place(NamedTuple):
    """Where in a calendar a line may stand: in try ``number`` of a run whose first try was on ``first``."""

    first: date
    number: int


class LaterTries:
    """Finds what was tried again of the lines that wait in the quarantine of one shard, in the journal of that shard.

    All that was published before must be in the balances, and ``quarantine`` up to date.
    """

    def __init__(self, shard_directory: Path | str, quarantine: Quarantine, channels: Iterable[Channel]) -> None:
        self._directory = shard_directory
        self._quarantine = quarantine
        self._channels = tuple(channels)
        self._by_code = {channel.code: channel for channel in self._channels}

    def lines(self, events: Iterable[Quarantined]) -> list[RefusedLine]:
        """Return those of some events that are lines of a run, replayed and refused again or as they came."""
        return [line for event in events if (line := self._line(event))]

    def find(self, lines: Iterable[RefusedLine]) -> list[LaterTry]:
        """Return the first later try of each line that has one. Raises LedgerNotFound, JournalDamaged."""
        history = History(self._directory)

        @cache
        def tried(channel: Channel, on: date) -> Mapping[tuple[int, str], set[bytes]]:
            return self._tried(history, channel, on)

        found = ((line, self._later(line, tried)) for line in lines)
        return [LaterTry(line, *later[0]) for line, later in found if later]

    def _later(self, line: RefusedLine, tried: _Tried) -> list[tuple[date, str]]:
        """Return date and run of each later try of a line, or of what may be one where the run is not found."""
        bank, days = line.terminal.bank or "", (0, *line.terminal.retry_days)
        places = tuple(_Place(line.day - timedelta(more), number) for number, more in enumerate(days, 1))
        may_be = [
            (place, later, place.first + timedelta(days[later - 1]))
            for place in places
            for later in range(place.number + 1, len(days) + 1)
        ]
        may_be = [(place, later, on) for place, later, on in may_be if (line.number, line.household) in tried(line.channel, on)]
        own, run = _run_of(bank, places, beginning_of(line.serial)) if may_be else (None, "")
        return [
            (on, run)
            for place, later, on in may_be
            if own is None
            or (place == own and Try(bank, run, later).beginning() in tried(line.channel, on)[line.number, line.household])
        ]

    def _line(self, event: Quarantined) -> RefusedLine | None:
        channel = self._by_code.get(event.channel)
        if channel is None or event.event_type != EventType.payment or event.payload_kind is not PayloadKind.record:
            return None
        said = decode_event(event.record()[1], self._channels)
        if not isinstance(said, Payment):
            return None
        banks = [terminal for terminal in channel.terminals if terminal.bank and terminal.name == said.terminal]
        serial = self._first_serial(event, channel) if banks else event.serial
        if not banks or not _is_of_a_run(serial):
            return None
        return RefusedLine(event.offset, channel, banks[0], format_date(event.business_date), serial, said.household)

    def _first_serial(self, event: Quarantined, channel: Channel) -> bytes:
        """Return the serial of an event before it was replayed, however often it was and refused again."""
        serial = event.serial
        if _is_of_a_run(serial):
            return serial
        all_of_the_date = self._quarantine.of_serials(channel.code, event.business_date, b"")
        before = {retry_key(each.key, channel).serial: each.serial for each in all_of_the_date}
        while serial in before:
            serial = before[serial]
        return serial

    def _tried(self, history: History, channel: Channel, on: date) -> Mapping[tuple[int, str], set[bytes]]:
        """Return what the serials of a date's lines begin with, held or refused, by number and household."""
        found: dict[tuple[int, str], set[bytes]] = {}
        for serial, household in held_payments(history, clearing_account(channel.code, on)):
            if _is_of_a_run(serial):
                found.setdefault((line_of(serial), household), set()).add(beginning_of(serial))
        for line in self.lines(self._quarantine.of_serials(channel.code, parse_date(on.isoformat()), b"")):
            found.setdefault((line.number, line.household), set()).add(beginning_of(line.serial))
        return found


def _is_of_a_run(serial: bytes) -> bool:
    return serial[6] >> 4 == 8  # the version of the UUID


@lru_cache(maxsize=1024)
def _run_of(bank: str, places: tuple[_Place, ...], beginning: bytes) -> tuple[_Place | None, str]:
    """Return where the try stands whose serials begin so, and the number of its run; no place where that is a long number."""
    for place in places:
        for digits in range(1, _DIGITS_BEHIND_THE_DATE + 1):
            for behind in range(10**digits):
                run = f"{place.first:%Y%m%d}{behind:0{digits}d}"
                if Try(bank, run, place.number).beginning() == beginning:
                    return place, run
    return None, ""
