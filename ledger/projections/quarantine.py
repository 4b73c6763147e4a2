"""The quarantine: refused events, whole, with the reason, until an operator replays or drops them.

A projection of the journal's refused outcomes into an LMDB file of its own, ``quarantine/data.mdb``, by source offset.
What operators decided cannot be derived from the journal and stands in ``quarantine/decisions.jsonl``; a rebuild leaves it alone.
"""

import fcntl
import heapq
import os
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import lmdb
import msgspec

from ledger._core import Frame, JournalReader, next_frame_with_payload, parse_record_body
from ledger.errors import NotFound, ProjectionDamaged
from ledger.event_fields import NO_SERIAL
from ledger.key_lookup import EventKey
from ledger.layouts import OUTCOME_RECORD, PayloadKind
from ledger.outcomes import OutcomeCode
from ledger.projections.base import Progress
from ledger.projections.lmdb_projection import FileWatermark, LmdbProjection

_ROUND_FRAMES = 10_000
_ROUND_BYTES = 16 << 20


class State(StrEnum):
    """What became of a quarantined event."""

    waiting = "waiting"
    replayed = "replayed"
    dropped = "dropped"


class Decision(msgspec.Struct, frozen=True):
    """What an operator decided about the event at ``offset``; one line of ``decisions.jsonl``."""

    offset: int
    state: State
    operator: str
    reason: str
    time_ms: int


class Quarantined(msgspec.Struct, frozen=True):
    """A refused event. Key fields are zero where the event could not be decoded.

    ``payload`` is the record (its bytes after the length varint), or what there is of a damaged batch.
    """

    offset: int
    code: OutcomeCode
    channel: int
    business_date: int
    serial: bytes
    event_type: int
    record_timestamp_ms: int
    seq: int
    frame_number: int
    payload_kind: PayloadKind
    payload: bytes
    decision: Decision | None = None

    @property
    def state(self) -> State:
        return self.decision.state if self.decision else State.waiting

    @property
    def key(self) -> EventKey:
        return EventKey(self.channel, self.business_date, self.serial)

    def record(self) -> tuple[bytes | None, bytes | None, list[tuple[bytes, bytes | None]]]:
        """Return key, value and headers as they were published. Raises ValueError where the payload is a batch, not a record."""
        if self.payload_kind is not PayloadKind.record:
            raise ValueError(f"offset {self.offset} holds a damaged batch, not a record")
        return parse_record_body(self.payload)


class Quarantine(LmdbProjection):
    """The quarantine of one shard. Bring it up to date with ``catch_up``; what is decided outlasts a ``rebuild``."""

    directory_name = "quarantine"
    format_version = 1
    tables = ("outcomes",)

    @property
    def _outcomes(self) -> Any:
        return self._tables["outcomes"]

    @property
    def _decisions_file(self) -> Path:
        return self._directory / "decisions.jsonl"

    # --- Following the journal ------------------------------------------------------------------------------------------

    def replay(self, reader: JournalReader) -> bool:
        """Take in some frames behind the watermark in one ``lmdb_txn``. Return whether ``reader`` may have more."""
        with self._env.begin(write=True) as txn:
            return self._replay(txn, reader)

    def _replay(self, txn: lmdb.Transaction, reader: JournalReader) -> bool:
        applied_frame = self._watermark(txn).frame
        if reader.position[2] != applied_frame + 1:
            reader.seek_frame(applied_frame + 1)
        taken_bytes = 0
        while taken_bytes < _ROUND_BYTES:
            frame = next_frame_with_payload(reader, _ROUND_FRAMES)
            if frame is None:
                break
            for key, value in _refusals(frame):
                txn.put(key, value, db=self._outcomes)
                taken_bytes += len(value)
        _, _, next_frame, next_seq = reader.position
        self._put_watermark(txn, next_frame - 1, next_seq - 1, reader.last_crc32c)
        return next_frame <= reader.up_to_frame

    # --- Looking --------------------------------------------------------------------------------------------------------

    def items(
        self,
        *,
        reasons: Collection[OutcomeCode] = (),
        states: Collection[State] = (State.waiting,),
        after_offset: int = -1,
        limit: int | None = 100,
    ) -> list[Quarantined]:
        """Return events in order of offset, ``limit`` at most where there is one; no ``reasons`` or ``states`` means all.

        The offset of the last one is the cursor: pass it as ``after_offset`` to go on.
        """
        found = []
        for event in self._scan(after_offset + 1):
            if (not reasons or event.code in reasons) and (not states or event.state in states):
                found.append(event)
                if len(found) == limit:
                    break
        return found

    def get(self, offset: int) -> Quarantined:
        """Return the event at a source offset. Raises NotFound."""
        event = next(self._scan(offset), None)
        if event is None or event.offset != offset:
            raise NotFound("There is no quarantined event at this offset", offset=offset)
        return event

    def of_key(self, channel: int, business_date: int, serial: bytes) -> list[Quarantined]:
        """Return the events with a key (as stored), in order of offset. Passes over all that is there, in the order of a file."""
        return [event for event in self.of_serials(channel, business_date, serial) if event.serial == serial]

    def of_serials(self, channel: int, business_date: int | None, beginning: bytes) -> list[Quarantined]:
        """Return the events whose keys have serials that begin so, as ``of_key`` does; of all dates where none is told."""
        decisions = self.decisions()
        with self._env.begin() as txn, txn.cursor(self._outcomes) as cursor:
            found = [(key, value) for key, value in cursor if value.startswith(beginning)]  # an outcome_record begins with it
        events = [_unpack(key, value, decisions) for key, value in found]
        return [event for event in events if event.channel == channel and business_date in (None, event.business_date)]

    def of_keys(self, keys: Collection[EventKey]) -> list[Quarantined]:
        """Return the events with any of these keys, as ``of_key`` does."""
        decisions, serials = self.decisions(), {key.serial for key in keys}
        with self._env.begin() as txn, txn.cursor(self._outcomes) as cursor:
            found = [(key, value) for key, value in cursor if value[: len(NO_SERIAL)] in serials]
        return [event for key, value in found if (event := _unpack(key, value, decisions)).key in keys]

    def counts(self) -> dict[tuple[OutcomeCode, State], int]:
        """Return how many events there are, by reason and state."""
        return dict(Counter((event.code, event.state) for event in self._scan(0)))

    def _scan(self, first_offset: int) -> Iterator[Quarantined]:
        decisions = self.decisions()
        with self._env.begin() as txn, txn.cursor(self._outcomes) as cursor:
            if cursor.set_range(_key(max(first_offset, 0))):
                for key, value in cursor:
                    yield _unpack(key, value, decisions)

    # --- Comparing --------------------------------------------------------------------------------------------------------

    def compare_with_journal(self, progress: Progress | None = None, most_differences: int = 20) -> "QuarantineComparison":
        """Compare all that is kept, as of one snapshot, with what the journal has refused up to there. Changes nothing.

        What was decided is nowhere else, so it is compared with nothing. An engine may run meanwhile. Raises JournalDamaged, and
        ProjectionDamaged where the file is not even readable, or of a frame that the journal does not have.
        """
        try:
            with self._env.begin() as txn, txn.cursor(self._outcomes) as cursor:
                watermark = self._watermark(txn)
                self._check_watermark(watermark)
                events, differing, differences = 0, 0, list[QuarantineDifference]()
                for key, expected, found in _side_by_side(self._expected(watermark.frame, progress), cursor):
                    events += found is not None
                    if expected != found:
                        differing += 1
                        differences += [_difference(key, expected, found)][: most_differences - len(differences)]
        except lmdb.Error as error:
            raise ProjectionDamaged(f"The quarantine cannot be read: {error}", hint="Rebuild it", path=self._directory) from error
        return QuarantineComparison(watermark.frame, watermark.seq, events, differing, tuple(differences))

    def _check_watermark(self, watermark: FileWatermark) -> None:
        if watermark.ledger_id != self._ledger_id:
            raise ProjectionDamaged("The quarantine is that of another ledger", hint="Rebuild it", path=self._directory)
        reader = JournalReader(self._shard / "journal", follow=True)
        if not reader.seek_behind(watermark.frame, watermark.frame_crc32c):
            raise ProjectionDamaged(
                "The quarantine holds a frame that the journal does not have so",
                hint="Look at it with peakledger quarantine list, which makes it anew",
                path=self._directory,
                frame=watermark.frame,
                seq=watermark.seq,
            )

    def _expected(self, last_frame: int, progress: Progress | None) -> Iterator[tuple[bytes, bytes]]:
        """Yield what the journal has to be kept, up to a frame that it has."""
        if last_frame == 0:
            return
        reader = JournalReader(self._shard / "journal", up_to_frame=last_frame)
        while reader.position[2] <= last_frame:
            frame = next_frame_with_payload(reader, _ROUND_FRAMES)
            if frame is not None:
                yield from _refusals(frame)
            if progress:
                progress(reader.position[2] - 1, last_frame)

    # --- Deciding -------------------------------------------------------------------------------------------------------

    def decide(self, offset: int, state: State, *, operator: str, reason: str) -> Decision:
        """Note durably what was decided about an event. The last decision counts. Raises NotFound."""
        self.get(offset)
        decision = Decision(offset, state, operator, reason, time.time_ns() // 1_000_000)
        with self._decisions_file.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            torn = file.tell() > 0 and not _ends_line(self._decisions_file)
            file.write((b"\n" if torn else b"") + msgspec.json.encode(decision) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return decision

    def decisions(self) -> dict[int, Decision]:
        """Return the decision that counts, by offset. A line that a power cut tore is left out."""
        found = {}
        if self._decisions_file.exists():
            for line in self._decisions_file.read_bytes().splitlines():
                try:
                    decision = msgspec.json.decode(line, type=Decision)
                except msgspec.DecodeError:
                    continue
                found[decision.offset] = decision
        return found


@dataclass(frozen=True, slots=True)
class QuarantineDifference:
    """What differs of the event at an ``offset``: a field, or ``event`` where it is on one side only."""

    offset: int
    field: str
    expected: object
    found: object


@dataclass(frozen=True, slots=True)
class QuarantineComparison:
    """How many events are kept as of ``frame`` and ``seq``, and how many differ from the journal; the first by offset."""

    frame: int
    seq: int
    events: int
    events_differing: int
    differences: tuple[QuarantineDifference, ...]


def _side_by_side(
    expected: Iterable[tuple[bytes, bytes]], found: Iterable[tuple[bytes, bytes]]
) -> Iterator[tuple[bytes, bytes | None, bytes | None]]:
    """Yield each key with what two sides have of it, both being in the order of keys."""
    sides = heapq.merge(((key, 0, value) for key, value in expected), ((key, 1, value) for key, value in found))
    for key, values in groupby(sides, key=itemgetter(0)):
        by_side = {side: value for _, side, value in values}
        yield key, by_side.get(0), by_side.get(1)


def _difference(key: bytes, expected: bytes | None, found: bytes | None) -> QuarantineDifference:
    offset = int.from_bytes(key, "big")
    if expected is None or found is None:
        return QuarantineDifference(offset, "event", "refused" if expected else "none", "kept" if found else "none")
    if len(found) < OUTCOME_RECORD.size + 8:
        return QuarantineDifference(offset, "bytes", len(expected), len(found))
    right, wrong = _fields(expected), _fields(found)
    field = next(name for name in right if right[name] != wrong[name])
    return QuarantineDifference(offset, field, right[field], wrong[field])


def _fields(value: bytes) -> dict[str, Any]:
    """Return what is kept of an event by name, bytes in hexadecimal, the payload last."""
    behind = OUTCOME_RECORD.size
    fields = OUTCOME_RECORD.unpack(value) | {"frame": value[behind : behind + 8], "payload": value[behind + 8 :]}
    return {name: field.hex() if isinstance(field, bytes) else field for name, field in fields.items()}


def _refusals(frame: Frame) -> Iterator[tuple[bytes, bytes]]:
    """Yield key and value of each event that a frame refused and keeps."""
    for index, outcome in enumerate(OUTCOME_RECORD.unpack_all(frame.outcomes)):
        if outcome["payload_kind"] != PayloadKind.none:
            yield _pack(outcome, frame.frame_number, frame.payload(index))


def _key(offset: int) -> bytes:
    return offset.to_bytes(8, "big")


def _pack(outcome: dict[str, Any], frame_number: int, payload: bytes) -> tuple[bytes, bytes]:
    """Return key and value of a refusal: its ``outcome_record``, the frame's number in 8 bytes, the payload."""
    return _key(outcome["source_offset"]), OUTCOME_RECORD.pack(**outcome) + frame_number.to_bytes(8, "little") + payload


def _unpack(key: bytes, value: bytes, decisions: dict[int, Decision]) -> Quarantined:
    outcome, behind = OUTCOME_RECORD.unpack(value), OUTCOME_RECORD.size
    offset = int.from_bytes(key, "big")
    return Quarantined(
        offset=offset,
        code=OutcomeCode(outcome["code"]),
        channel=outcome["channel"],
        business_date=outcome["business_date"],
        serial=outcome["serial"],
        event_type=outcome["event_type"],
        record_timestamp_ms=outcome["record_timestamp_ms"],
        seq=outcome["seq"],
        frame_number=int.from_bytes(value[behind : behind + 8], "little"),
        payload_kind=PayloadKind(outcome["payload_kind"]),
        payload=value[behind + 8 :],
        decision=decisions.get(offset),
    )


def _ends_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
