"""Batch withholding (批量代扣): what a bank is instructed to withhold by a file, and what became of each line of it.

A run is a file of numbered lines; each line is a payment that is held until the bank answers. A line that failed is tried again
on the days that the channel's profile names, each time as a try of its own. Keys follow from bank, run, try and line, so what
became of a try is found from the journal alone. docs/withholding.md describes the files.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from ledger.account_ids import clearing_account
from ledger.channels import Channel, Terminal
from ledger.errors import FileRefused
from ledger.event_fields import NO_DATE, NO_SERIAL, format_date, parse_date
from ledger.history import History, shard_histories
from ledger.key_lookup import EventKey
from ledger.layouts import EntryCode, EntryKind, EventType
from ledger.outcomes import OutcomeCode
from ledger.projections.quarantine import Quarantine, State
from ledger.replays import retry_key

_ENTRY = struct.Struct("<16sQ32xQQ4xI6xHB7x")  # journal_entry: serial, amount_fen, reference_seq, detail, credit_slot, code, kind
_BEGINNING_BYTES = 12  # of a serial, behind which the number of the line stands


class Try(NamedTuple):
    """One try of a run: ``bank`` as its files name it, ``run`` its number there, ``number`` 1 for the first try."""

    bank: str
    run: str
    number: int

    def serial(self, line: int) -> str:
        """Return the serial of a line's payment, a UUID of version 8 that ends with the number of the line."""
        return f"{_as_text(self.beginning())}{line:08x}"

    def answer_serial(self, line: int) -> str:
        """Return the serial of what answers a line: the same whatever the answer is, so that there is one only."""
        return f"{_as_text(self.beginning('answer'))}{line:08x}"

    def beginning(self, what: str = "payment") -> bytes:
        """Return the 12 bytes that the serials of all lines begin with."""
        return _hashed(f"{what} {self.bank} {self.run} {self.number}")


@lru_cache(maxsize=64)
def _hashed(name: str) -> bytes:
    """Return the first 12 bytes of a UUID of version 8 that follow from a name."""
    hashed = bytearray(sha256(name.encode()).digest()[:_BEGINNING_BYTES])
    hashed[6] = hashed[6] & 0x0F | 0x80  # the version
    hashed[8] = hashed[8] & 0x3F | 0x80  # the variant
    return bytes(hashed)


@lru_cache(maxsize=64)
def _as_text(beginning: bytes) -> str:
    """Return how a UUID of these first 12 bytes begins, up to the last 8 digits."""
    return str(UUID(bytes=beginning + bytes(4)))[:-8]


class Result(StrEnum):
    """What became of a line."""

    pending = "pending"
    posted = "posted"
    reversed = "reversed"
    voided = "voided"
    expired = "expired"
    refused = "refused"
    missing = "missing"


class Standing(NamedTuple):
    """How a line stands in the journal.

    ``paid_fen`` is what was posted less what was reversed of it; ``seq`` the last entry about the line; ``reason`` the bank's
    where it refused; ``code`` the ledger's where that refused, with neither household nor amount then. ``serial`` is that of the
    hold: of the line itself, or another where the line was refused, and replayed from quarantine. ``paid_in_vain``: the line
    failed, but the bank says that it was paid, and the ledger refused that; until a person drops it, the money is with us.
    """

    result: Result
    household: str = ""
    amount_fen: int = 0
    paid_fen: int = 0
    seq: int = 0
    reason: int = 0
    code: OutcomeCode = OutcomeCode.applied
    serial: bytes = NO_SERIAL
    paid_in_vain: bool = False


MISSING = Standing(Result.missing)
TOO_EARLY = OutcomeCode.business_date_in_future  # leaves the key free: the line can be run again when its date has come
FAILED = frozenset({Result.voided, Result.expired, Result.refused})


class Withholder(NamedTuple):
    """The channel, and its kind of terminal, that a bank withholds for."""

    channel: Channel
    terminal: Terminal

    @classmethod
    def of_bank(cls, bank: str, channels: Iterable[Channel]) -> "Withholder":
        """Raises FileRefused where no profile names the bank."""
        for channel in channels:
            for terminal in channel.terminals:
                if terminal.bank == bank:
                    return cls(channel, terminal)
        hint = "The key bank of a channel's profile names who withholds for it; docs/channels.md describes it"
        raise FileRefused(f"no channel has the bank {bank!r}", hint=hint)

    def dates(self, run: str) -> list[date]:
        """Return the business date of each try of a run: the one that its number begins with, and those of the calendar.

        Empty where the number begins with no date.
        """
        days = parse_date(f"{run[:4]}-{run[4:6]}-{run[6:8]}")
        return [] if days == NO_DATE else [format_date(days) + timedelta(more) for more in (0, *self.terminal.retry_days)]

    def date_of(self, of: Try) -> date:
        """Return the business date of a try. Raises FileRefused where there is none."""
        dates = self.dates(of.run)
        if not dates:
            hint = "It begins with the business date of the first try, YYYYMMDD"
            raise FileRefused(f"{of.run!r} is no number of a run", hint=hint)
        if of.number > len(dates):
            hint = "The key retry_days of the channel's profile has the calendar"
            raise FileRefused(f"run {of.run} has {len(dates)} tries, and no try {of.number}", hint=hint)
        return dates[of.number - 1]

    def check(self, of: Try, business_date: date) -> None:
        """Raises FileRefused where a try is not on its business date."""
        if business_date != self.date_of(of):
            hint = f"Its business date must be {self.date_of(of)}"
            raise FileRefused(f"try {of.number} of run {of.run} is not of {business_date}", hint=hint)

    def next_try(self, of: Try, standing: Standing) -> date | None:
        """Return when a line that failed is tried again; None where it is given up: for its reason, or after the last day."""
        dates = self.dates(of.run)
        if of.number == len(dates) or not self.may_pass(standing):
            return None
        return dates[of.number]

    def may_pass(self, standing: Standing) -> bool:
        """Whether a line failed for a reason that may have passed by the next try, and was not paid all the same."""
        if standing.paid_in_vain:
            return False
        if standing.result is Result.voided:
            return standing.reason in self.terminal.retry_reasons
        return standing.result is Result.expired or standing.code.is_transient


class WithheldLines:
    """What the journal of all shards has of a bank's runs."""

    def __init__(self, data_directory: Path | str, withholder: Withholder) -> None:
        """Raises LedgerNotFound, and what opening histories and quarantines raises."""
        histories = shard_histories(data_directory)
        self._histories = list(histories.values())
        self._quarantines = [Quarantine(Path(data_directory) / shard) for shard in histories]
        self._withholder = withholder

    def standings(self, of: Try) -> dict[int, Standing]:
        """Return how each line of a try stands that the journal has, by number of line. Raises ``JournalDamaged``."""
        channel, day = self._withholder.channel, self._withholder.date_of(of)
        found = self._refused(of.beginning(), day)
        burnt = {
            key: line
            for line, standing in found.items()
            if standing.code.is_transient and (key := EventKey.of(channel, day, of.serial(line)))
        }
        replayed = self._replayed(burnt)
        for history in self._histories:
            found |= _holds(history, clearing_account(channel.code, day), of.beginning(), replayed)
        for line in self._refused_posts(of):
            if line in found and found[line].result in FAILED:
                found[line] = found[line]._replace(paid_in_vain=True)
        return found

    def _replayed(self, burnt: Mapping[EventKey, int]) -> dict[bytes, int]:
        """Return the serials under which lines may have been replayed from quarantine, by number of line.

        A refusal that may pass has burnt the line's key; replayed, it has the serial that follows from it; and so on.
        """
        found: dict[bytes, int] = {}
        while burnt:
            retried = {retry_key(key, self._withholder.channel): line for key, line in burnt.items()}
            found |= {key.serial: line for key, line in retried.items()}
            refused = {each.key for quarantine in self._quarantines for each in quarantine.of_keys(retried)}
            burnt = {key: line for key, line in retried.items() if key in refused}
        return found

    def has_come_early(self, of: Try) -> bool:
        """Whether a line of a try was refused before its date had come, so that it can be run again, and tried again as well."""
        refused = self._refused(of.beginning(), self._withholder.date_of(of))
        return any(standing.code is TOO_EARLY for standing in refused.values())

    def refused_answers(self, of: Try, business_date: date) -> Mapping[int, Standing]:
        """Return the lines whose answers of a business date the ledger refused, and the ``code`` of each."""
        return self._refused(of.beginning("answer"), business_date)

    def _refused_posts(self, of: Try) -> set[int]:
        """Return the lines whose answers, of whatever business date, are posts that stand in quarantine and are not dropped.

        Replayed ones count: where a replay was applied, the line is posted.
        """
        code, beginning = self._withholder.channel.code, of.beginning("answer")
        return {
            line_of(event.serial)
            for quarantine in self._quarantines
            for event in quarantine.of_serials(code, None, beginning)
            if event.event_type == EventType.post and event.state is not State.dropped
        }

    def _refused(self, beginning: bytes, business_date: date) -> dict[int, Standing]:
        found = {}
        for quarantine in self._quarantines:
            quarantine.catch_up()
            days = parse_date(business_date.isoformat())
            for event in quarantine.of_serials(self._withholder.channel.code, days, beginning):
                if event.code is not OutcomeCode.id_already_failed:  # which says what another event said before
                    found[line_of(event.serial)] = Standing(Result.refused, code=event.code, serial=event.serial)
        return found


def line_of(serial: bytes) -> int:
    """Return the number of the line that the serial of a payment, or of an answer, ends with."""
    return int.from_bytes(serial[_BEGINNING_BYTES:])


def beginning_of(serial: bytes) -> bytes:
    """Return what the serials of all lines of a try begin with."""
    return serial[:_BEGINNING_BYTES]


def held_payments(history: History, account: int) -> Iterator[tuple[bytes, str]]:
    """Yield serial and household of each payment that was held on a clearing account, the newest first."""
    for entries in history.entries(account):
        fields = [_ENTRY.unpack(entry) for _, entry in entries]
        holds = [(row[0], row[4]) for row in fields if row[6] == EntryKind.pending]
        households = history.balances.accounts_in([slot for _, slot in holds])
        yield from ((serial, (name or "").rpartition(":")[2]) for (serial, _), name in zip(holds, households, strict=True))


def _holds(history: History, account: int, beginning: bytes, replayed: Mapping[bytes, int]) -> dict[int, Standing]:
    """Return the lines among the holds of a clearing account. Reads that account's entries and no others, the newest first.

    ``replayed`` gives the numbers of lines that may have other serials than those of the ``beginning``.
    """
    found: dict[int, Standing] = {}
    later: dict[int, Standing] = {}  # what came of a hold, and what was reversed of a post, by the seq that they name
    for entries in history.entries(account):
        fields = [(seq, *_ENTRY.unpack(entry)) for seq, entry in entries]
        holds = [row for row in fields if row[7] == EntryKind.pending and (row[1].startswith(beginning) or row[1] in replayed)]
        households = dict(zip(holds, history.balances.accounts_in([row[5] for row in holds]), strict=True))
        for row in fields:
            seq, serial, amount_fen, reference_seq, detail, _, code, kind = row
            if row in households:
                household = (households[row] or "").rpartition(":")[2]
                now = later.pop(seq, Standing(Result.pending, seq=seq))
                found[replayed.get(serial) or line_of(serial)] = now._replace(
                    household=household, amount_fen=amount_fen, serial=serial
                )
            elif code == EntryCode.payment:
                _settle(later, kind, seq, amount_fen, reference_seq, detail)
    return found


def _settle(later: dict[int, Standing], kind: int, seq: int, amount_fen: int, reference_seq: int, detail: int) -> None:
    """Note what an entry about a hold, or about the post of one, made of it."""
    if kind == EntryKind.reverse:
        taken_back = later.get(reference_seq, Standing(Result.reversed, seq=seq))
        later[reference_seq] = taken_back._replace(paid_fen=taken_back.paid_fen - amount_fen)
    elif kind == EntryKind.post:
        taken_back = later.pop(seq, Standing(Result.posted, seq=seq))
        paid_fen = amount_fen + taken_back.paid_fen
        later[reference_seq] = taken_back._replace(result=Result.posted if paid_fen else Result.reversed, paid_fen=paid_fen)
    elif kind == EntryKind.void:
        later[reference_seq] = Standing(Result.voided, seq=seq, reason=detail)
    elif kind == EntryKind.expire:
        later[reference_seq] = Standing(Result.expired, seq=seq)
