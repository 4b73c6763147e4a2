"""What was paid and reversed at each outlet, by channel and business date: a projection of the journal's payments.

An LMDB file of its own, ``outlets/data.mdb``. The core adds the entries of frames up, cell by cell; here the changes of some time
are added to what is stored. Nothing of the registry of outlets is in it: county, agency and kind are looked up on reading.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import lmdb
import msgspec

from ledger._core import DurableFrames, JournalReader, OutletCells
from ledger.errors import LedgerNotFound, ProjectionDamaged
from ledger.event_fields import LATEST_DATE, format_date
from ledger.layouts import OUTLET_TOTAL
from ledger.outlets import OutletRegistry
from ledger.projections.base import Progress, last_frame, replay_to
from ledger.projections.lmdb_projection import FileWatermark, LmdbProjection

_SUMS = ("payments", "payments_fen", "reversals", "reversals_fen")
_KEY_BYTES = 12  # business date, outlet, channel
_CHUNK_CELLS = 2048  # written at a time with the GIL held: some milliseconds
_EPOCH = date(1970, 1, 1)


class OutletTotal(msgspec.Struct, frozen=True):
    """What was paid and reversed at one outlet through one channel on one business date: how often, and how many fen.

    ``outlet`` is 0 where payments named none. A reversal counts on its own business date, for the payment's outlet and channel.
    """

    business_date: date
    outlet: int
    channel: int
    payments: int
    payments_fen: int
    reversals: int
    reversals_fen: int


@dataclass(frozen=True, slots=True)
class OutletDifference:
    """A field of a total that is not what the journal makes it; None where there is no such total."""

    business_date: date
    outlet: int
    channel: int
    field: str
    expected: int | None
    found: int | None


@dataclass(frozen=True, slots=True)
class OutletComparison:
    """Totals as of ``seq`` compared with those that the journal makes, by then at ``expected_seq``.

    The first differences in order of date, outlet and channel, and in how many totals there are any; and whether the channels of
    clearing accounts, by which reversals to come are counted, are the same.
    """

    seq: int
    expected_seq: int
    totals_differing: int
    differences: tuple[OutletDifference, ...]
    clearing_agrees: bool

    @property
    def agrees(self) -> bool:
        return self.totals_differing == 0 and self.clearing_agrees and self.seq == self.expected_seq


class OutletTotals(LmdbProjection):
    """The totals of one shard. Bring them up to date with ``catch_up``, or ``follow`` an engine. One thread at a time."""

    directory_name = "outlets"
    format_version = 1
    tables = ("totals", "clearing")  # of each outlet, channel and day; the channel of each clearing account, by slot

    _cells: OutletCells | None = None  # what was applied behind what is stored
    _stored_frame = 0
    _stored_clearing = 0

    # --- Following the journal ------------------------------------------------------------------------------------------

    def replay(self, reader: JournalReader) -> bool:
        """Take in some frames behind the watermark in one ``lmdb_txn``. Return whether ``reader`` may have more."""
        cells = self._cells_behind_watermark()
        if reader.position[2] != cells.applied_frame + 1:
            reader.seek_frame(cells.applied_frame + 1)
        may_have_more = cells.replay(reader)
        return not self._write(cells) or may_have_more

    def follow(self, frames: DurableFrames, timeout_s: float) -> None:
        """Take in the frames of a running engine as they become durable, for ``timeout_s``, then write the changes.

        Raises JournalDamaged.
        """
        cells = self._cells_behind_watermark()
        cells.follow(frames, timeout_s)
        self._write(cells)

    def _cells_behind_watermark(self) -> OutletCells:
        """Return cells without changes that go on behind what is stored, whoever stored it."""
        with self._env.begin() as txn:
            watermark = self._watermark(txn)
            if self._cells is None or self._cells.applied_frame != watermark.frame:
                clearing = [(_number(slot), _number(channel)) for slot, channel in txn.cursor(self._tables["clearing"])]
                self._cells = OutletCells(watermark.frame, watermark.seq, clearing)
                self._stored_frame, self._stored_clearing = watermark.frame, len(clearing)
        return self._cells

    def _write(self, cells: OutletCells) -> bool:
        """Add the changes to what is stored. Return False where somebody else has stored some of them meanwhile."""
        if cells.applied_frame == self._stored_frame:
            return True
        cells.sort()
        with self._env.begin(write=True) as txn:
            if self._watermark(txn).frame != self._stored_frame:
                return False
            self._put_cells(txn, cells)
            if cells.clearing_count != self._stored_clearing:
                accounts = [(slot.to_bytes(4, "big"), channel.to_bytes(2, "big")) for slot, channel in cells.clearing_accounts]
                txn.cursor(self._tables["clearing"]).putmulti(accounts)
            self._put_watermark(txn, cells.applied_frame, cells.applied_seq, cells.applied_crc32c)
        cells.clear()
        self._stored_frame, self._stored_clearing = cells.applied_frame, cells.clearing_count
        return True

    def _put_cells(self, txn: lmdb.Transaction, cells: OutletCells) -> None:
        with txn.cursor(self._tables["totals"]) as cursor:
            for start in range(0, len(cells), _CHUNK_CELLS):
                keys = cells.keys(start, _CHUNK_CELLS)
                stored = dict(cursor.getmulti(keys))
                totals = cells.add_to(start, [stored.get(key) for key in keys])
                cursor.putmulti(list(zip(keys, totals, strict=True)))

    # --- Reading --------------------------------------------------------------------------------------------------------

    def totals(self, first: date | None = None, last: date | None = None) -> Iterator[OutletTotal]:
        """Yield the totals of the business dates from ``first`` to ``last``, in order of date, outlet and channel.

        They are as of one and the same ``seq``. Raises ProjectionDamaged.
        """
        with self._env.begin() as txn:
            yield from self._totals(txn, first, last)

    def _totals(self, txn: lmdb.Transaction, first: date | None = None, last: date | None = None) -> Iterator[OutletTotal]:
        first_key, last_key = _date_key(first or date.min), _date_key(last or date.max)
        with txn.cursor(self._tables["totals"]) as cursor:
            if not cursor.set_range(first_key):
                return
            for key, value in cast(Iterable[tuple[bytes, bytes]], cursor):
                if key[:2] > last_key:
                    return
                if (len(key), len(value)) != (_KEY_BYTES, OUTLET_TOTAL.size):
                    raise ProjectionDamaged(
                        "A total of an outlet has a wrong size",
                        hint="Rebuild it",
                        path=self._directory,
                        expected=OUTLET_TOTAL.size,
                        found=len(value),
                    )
                total = OUTLET_TOTAL.unpack(value)
                yield OutletTotal(format_date(_number(key[:2])), _number(key[2:10]), _number(key[10:]), **total)

    # --- Comparing --------------------------------------------------------------------------------------------------------

    def compare_with_journal(self, progress: Progress | None = None, most_differences: int = 20) -> OutletComparison:
        """Compare all that is stored, as of one snapshot, with totals made anew from the journal up to there.

        An engine may run meanwhile. The other totals take as much disk again, among temporary files. Raises JournalDamaged, and
        ProjectionDamaged where the file is not even readable.
        """
        with TemporaryDirectory(prefix="outlets-") as folder:
            anew = OutletTotals(self._shard, Path(folder))
            try:
                self._replay_beside(anew, self._watermark_now(), progress)
                with self._env.begin() as txn:
                    watermark = self._watermark(txn)
                    if watermark.frame < anew.applied_frame:
                        anew._clear()  # somebody has begun to rebuild what is stored
                    self._replay_beside(anew, watermark, progress)
                    return self._compare(txn, anew, most_differences)
            except lmdb.Error as error:
                raise ProjectionDamaged(
                    f"The outlets cannot be read: {error}", hint="Rebuild it", path=self._directory
                ) from error

    def _replay_beside(self, anew: "OutletTotals", watermark: FileWatermark, progress: Progress | None) -> None:
        if watermark.ledger_id != self._ledger_id:
            raise ProjectionDamaged("The totals of outlets are those of another ledger", hint="Rebuild it", path=self._directory)
        last = last_frame(self._shard)
        frames = last.frame_number if last else 0
        if watermark.frame > frames:
            raise ProjectionDamaged(
                "The totals of outlets hold more than the journal", path=self._directory, expected=frames, found=watermark.frame
            )
        replay_to(watermark.frame, anew, self._shard, progress)

    def _compare(self, txn: lmdb.Transaction, anew: "OutletTotals", most_differences: int) -> OutletComparison:
        differing, differences = 0, list[OutletDifference]()
        for expected, found in _side_by_side(anew.totals(), self._totals(txn)):
            if expected != found:
                differing += 1
                differences += _differences(expected, found)[: most_differences - len(differences)]
        with anew._env.begin() as other:
            clearing_agrees = list(other.cursor(anew._tables["clearing"])) == list(txn.cursor(self._tables["clearing"]))
            watermark, expected_seq = self._watermark(txn), anew._watermark(other).seq
        return OutletComparison(watermark.seq, expected_seq, differing, tuple(differences), clearing_agrees)


class GroupBy(StrEnum):
    """What totals can be added up by."""

    outlet = "outlet"
    county = "county"
    channel = "channel"
    day = "day"


class OutletSum(msgspec.Struct):
    """Totals added up. What they were not added up by is None; so is the county of outlets that the registry does not know."""

    day: date | None = None
    county: str | None = None
    outlet: int | None = None
    channel: int | None = None
    payments: int = 0
    payments_fen: int = 0
    reversals: int = 0
    reversals_fen: int = 0

    def add(self, total: OutletTotal) -> None:
        self.payments += total.payments
        self.payments_fen += total.payments_fen
        self.reversals += total.reversals
        self.reversals_fen += total.reversals_fen


def add_up(totals: Iterable[OutletTotal], by: Collection[GroupBy], registry: OutletRegistry) -> list[OutletSum]:
    """Return the sums of ``totals`` by what is asked for, in its order."""
    sums: dict[tuple[object, ...], OutletSum] = {}
    by_day, by_county, by_outlet, by_channel = (
        group in by for group in (GroupBy.day, GroupBy.county, GroupBy.outlet, GroupBy.channel)
    )
    for total in totals:
        day = total.business_date if by_day else None
        county = registry.county_of(total.outlet) if by_county else None
        outlet = total.outlet if by_outlet else None
        channel = total.channel if by_channel else None
        found = sums.get((day, county, outlet, channel))
        if found is None:
            found = sums[day, county, outlet, channel] = OutletSum(day, county, outlet, channel)
        found.add(total)
    return [sums[key] for key in sorted(sums, key=lambda key: [(part is None, part) for part in key])]


def outlet_sums(
    data_directory: Path | str,
    by: Collection[GroupBy] = (GroupBy.outlet,),
    *,
    first: date | None = None,
    last: date | None = None,
    progress: Progress | None = None,
) -> list[OutletSum]:
    """Bring the totals of all shards up to date and return their sums, with counties from the registry of the data directory.

    Raises LedgerNotFound where there is no shard, JournalDamaged, ProjectionDamaged, and FileInvalid of the registry.
    """
    directories = [path.parent for path in sorted(Path(data_directory).glob("*/journal"))]
    if not directories:
        raise LedgerNotFound(f"{data_directory} holds no ledger", hint="Run an engine on it first")
    shards = [OutletTotals(directory) for directory in directories]
    for shard in shards:
        shard.catch_up(progress)
    totals = (total for shard in shards for total in shard.totals(first, last))
    return add_up(totals, by, OutletRegistry.load(data_directory))


def _side_by_side(
    expected: Iterable[OutletTotal], found: Iterable[OutletTotal]
) -> Iterator[tuple[OutletTotal | None, OutletTotal | None]]:
    """Yield what two sides have of each date, outlet and channel, both being in this order."""
    left, right = iter(expected), iter(found)
    one, other = next(left, None), next(right, None)
    while one or other:
        if other is None or (one is not None and _place(one) < _place(other)):
            yield one, None
            one = next(left, None)
        elif one is None or _place(other) < _place(one):
            yield None, other
            other = next(right, None)
        else:
            yield one, other
            one, other = next(left, None), next(right, None)


def _place(total: OutletTotal) -> tuple[date, int, int]:
    return total.business_date, total.outlet, total.channel


def _differences(expected: OutletTotal | None, found: OutletTotal | None) -> list[OutletDifference]:
    named = expected or found
    assert named
    values = [(field, getattr(expected, field, None), getattr(found, field, None)) for field in _SUMS]
    return [OutletDifference(*_place(named), field, one, other) for field, one, other in values if one != other]


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _date_key(day: date) -> bytes:
    return min(max((day - _EPOCH).days, 0), LATEST_DATE).to_bytes(2, "big")
