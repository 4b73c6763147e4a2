"""The plain-Python oracle: the specification of the ledger that one can read and run.

``Model`` takes the records of one partition in order and makes the very journal entries, outcome records and account records that
the core makes, bit for bit. It is slow and keeps everything in memory. ``model_events`` reads events, ``model_channels`` knows
the posting rules of channels, ``model_keys`` answers
those whose key is known, ``model_transfers`` applies the others leg by leg to a ``model_attempt``, ``model_state`` is what they
meet, and ``model_history`` asks about the past. docs/semantics.md gives the reasons. What it does not say, this page decides:

* **Position.** A record below ``next_offset`` was consumed before and is passed over. A gap in the offsets means nothing.
* **Time.** Ledger time begins at 0 and is the greatest record timestamp so far, of every record consumed, refused ones
  included. The checks of an event use ledger time with its own record counted in.
* **Expiry.** Before a record is looked at, even one that is refused, the holds due by then expire in the order of (due, seq).
  Each entry has the time that the hold was due, and the offset of the record.
* **Precedence.** The decoder's refusals, then ``business_date_in_future``, ``business_date_closed``, then ``id_already_failed``,
  then the key, then the legs in order. A business date in a closed day is not looked up: it is refused even where its key is
  known.
* **Key.** Channel, business date and serial. The first event that is *applied* owns the key. A refusal that could pass burns it:
  whatever comes under it answers ``id_already_failed``. Any other refusal leaves it free, and the event may be sent again.
* **Order of entries.** For a bill or payment the opening of the debit account, if it is new, then that of the credit account,
  then the transfer. A refused event opens nothing.
* **Opening.** With a bill or payment the entry carries the event's channel, business date, value date and event type, no amount,
  and leg count 0. With an event of its own it has leg count 1, and the event's serial where other entries link to those before.
* **Links.** ``*_previous_seq`` is the last entry of that account, which may be its opening one seq before.
* **Outcomes.** Where the decoder refuses, serial, channel, business date and event type stand in the outcome as far as the
  decoder knows them. The bytes of every refused record are kept; those of ``exists`` are not. ``seq`` of ``exists`` and
  ``exists_with_*`` is the first entry of the event that owns the key, or the last entry of the account that is open; of any
  other refusal the last seq before it. ``leg`` is the first that differs or is at fault.
* **Corrupt batch.** Passed by as one record: one refusal ``corrupt_batch`` at the position where it stood, with timestamp 0
  and the bytes of the batch. Ledger time does not move.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import heappop
from typing import Any

from ledger.channels import BUILT_IN_CHANNELS, Channel
from ledger.events import decode_to_packed
from ledger.layouts import OUTCOME_RECORD, PACKED_EVENT, PayloadKind
from ledger.model_attempt import Attempt
from ledger.model_events import Event, Key, Refused, require
from ledger.model_keys import answer_known_key
from ledger.model_state import Account, LedgerState
from ledger.model_transfers import EventAttempt
from ledger.outcomes import OutcomeCode
from ledger.parameters import LedgerParameters


@dataclass(frozen=True, slots=True)
class Outcome:
    """The ``outcome_record`` of an event that was not applied, its ``payload_offset`` zero, and the bytes that are kept of it."""

    record: bytes
    payload: bytes


class Model:
    """The ledger of one partition.

    ``entries`` and ``outcomes`` grow as records are applied; the entry of ``seq`` is ``entries[seq - 1]``. ``accounts`` is by id,
    in the order of opening. ``state`` has these and the rest.
    """

    def __init__(self, channels: Iterable[Channel] = BUILT_IN_CHANNELS, parameters: LedgerParameters | None = None) -> None:
        self.channels = tuple(channels)
        self.parameters = parameters or LedgerParameters()
        self.state = LedgerState()
        self.outcomes: list[Outcome] = []
        self.ledger_time_ms = 0
        self.next_offset = 0
        self.events_applied = 0
        self.events_existing = 0
        self.events_refused = 0

    @property
    def entries(self) -> list[bytes]:
        return self.state.entries

    @property
    def accounts(self) -> dict[int, Account]:
        return self.state.accounts

    @property
    def last_seq(self) -> int:
        return self.state.last_seq

    @property
    def records_consumed(self) -> int:
        return self.events_applied + self.events_existing + self.events_refused

    @property
    def ledger_date(self) -> int:
        return self.parameters.ledger_date(self.ledger_time_ms)

    def apply_record(self, value: bytes | None, offset: int, timestamp_ms: int, body: bytes = b"") -> OutcomeCode | None:
        """Consume one Kafka record and return what became of it; None where its offset was consumed before.

        ``body`` is what is kept of a refused record: its bytes after the length varint.
        """
        if offset < self.next_offset:
            return None
        self.next_offset = offset + 1
        self.ledger_time_ms = max(self.ledger_time_ms, timestamp_ms)
        self._expire_holds(offset)
        code, packed = decode_to_packed(value, self.channels)
        try:
            require(code is OutcomeCode.applied, code)
            self._apply(Event.from_packed(packed, self.channels), offset)
        except Refused as refused:
            kept = body if refused.code.is_refusal else b""
            self._answer(refused, PACKED_EVENT.unpack(packed), offset=offset, timestamp_ms=timestamp_ms, kept=kept)
            return refused.code
        self.events_applied += 1
        return OutcomeCode.applied

    def advance(self, next_offset: int) -> None:
        """Move on over offsets that hold no record: compacted away, aborted or control batches."""
        self.next_offset = max(self.next_offset, next_offset)

    def quarantine_batch(self, batch: bytes, next_offset: int) -> None:
        """Pass by a corrupt batch, keeping its bytes."""
        refused = Refused(OutcomeCode.corrupt_batch)
        self._answer(refused, {}, offset=self.next_offset, timestamp_ms=0, kept=batch, kind=PayloadKind.batch)
        self.next_offset = next_offset

    def trial_balance(self) -> int:
        """Return debits less credits over all accounts, pending and posted, in fen: 0, always."""
        debits = sum(account.debits_pending + account.debits_posted for account in self.accounts.values())
        return debits - sum(account.credits_pending + account.credits_posted for account in self.accounts.values())

    def _expire_holds(self, offset: int) -> None:
        due = self.state.due
        while due and due[0][0] <= self.ledger_time_ms:
            due_ms, _, name = heappop(due)
            if self.state.holds[name].is_open:
                attempt = Attempt(self.state, due_ms, offset)
                attempt.expire(self.state.holds[name])
                attempt.take_over()

    def _apply(self, event: Event, offset: int) -> None:
        """Apply an event that the decoder found right. Raises Refused, with nothing changed but that the key may be burnt."""
        first_open_date = self.ledger_date - self.parameters.close_after_days
        require(event.key.business_date <= self.ledger_date + self.parameters.future_days, OutcomeCode.business_date_in_future)
        require(event.key.business_date >= first_open_date, OutcomeCode.business_date_closed)
        require((event.key.channel, event.key.business_date) not in self.state.closed_dates, OutcomeCode.business_date_closed)
        require(event.key not in self.state.burnt_keys, OutcomeCode.id_already_failed)
        if event.key in self.state.keys:
            owner = self.state.keys[event.key]
            code, leg = answer_known_key(event, owner, self.state)
            raise Refused(code, leg=leg, seq=owner.first_seq)
        attempt = Attempt(self.state, self.ledger_time_ms, offset)
        try:
            EventAttempt(attempt, event, first_open_date).apply()
        except Refused as refused:
            if refused.code.is_transient:
                self.state.burnt_keys[event.key] = refused.code
            raise
        attempt.take_over_event(event)

    def _answer(
        self,
        refused: Refused,
        fields: Mapping[str, Any],
        *,
        offset: int,
        timestamp_ms: int,
        kept: bytes,
        kind: PayloadKind = PayloadKind.record,
    ) -> None:
        """Append the outcome of an event that is not applied. ``fields`` holds what is known of its ``packed_event``."""
        key = {name: fields[name] for name in ("serial", "channel", "business_date", "event_type") if name in fields}
        first_code = 0
        if refused.code is OutcomeCode.id_already_failed:
            first_code = self.state.burnt_keys[Key(key["channel"], key["business_date"], key["serial"])]
        record = OUTCOME_RECORD.pack(
            code=refused.code,
            first_code=first_code,
            leg=refused.leg,
            level=refused.level,
            seq=refused.seq or self.last_seq,
            source_offset=offset,
            record_timestamp_ms=timestamp_ms,
            payload_bytes=len(kept),
            payload_kind=kind if refused.code.is_refusal else PayloadKind.none,
            **key,
        )
        self.outcomes.append(Outcome(record, kept))
        if refused.code is OutcomeCode.exists:
            self.events_existing += 1
        else:
            self.events_refused += 1
