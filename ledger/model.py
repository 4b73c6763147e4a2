"""The plain-Python oracle: the specification of the ledger that one can read and run.

``Model`` takes the records of one partition in order and makes the very journal entries, outcome records and account records that
the core makes, bit for bit. It is slow and keeps everything in memory. What no other page says, it decides:

* **Position.** A record below ``next_offset`` was consumed before and is passed over. A gap in the offsets means nothing.
* **Time.** Ledger time begins at 0 and is the greatest record timestamp so far, of every record consumed, refused ones
  included. The checks of an event use ledger time with its own record counted in.
* **Precedence.** The decoder's refusals, then ``business_date_in_future``, ``business_date_closed``, then the key, then
  overflow (debit side first), then ``applied``. A business date in a closed day is not looked up: it is refused even where
  its key is known.
* **Key.** Channel, business date and serial. The first event that is *applied* owns the key; a refused event owns nothing, so
  it may be sent again. (A refusal that could pass will burn the key, as ``id_already_failed``; no such refusal exists yet.)
* **Known key.** Another event type is reported alone, because then the fields do not compare. Otherwise the first that
  differs of debit account, credit account, amount, outlet, period, due date, value date.
* **Order of entries.** For one event the opening of the debit account, if it is new, then that of the credit account, then
  the transfer. A refused event opens nothing.
* **Opening.** The entry carries the event's channel, business date, value date and event type, no amount, and leg count 0.
* **Links.** ``*_previous_seq`` of a transfer is the last entry of that account, which may be its opening one seq before.
* **Outcomes.** Where the decoder refuses, serial, channel, business date and event type stand in the outcome as far as the
  decoder knows them. The bytes of every refused record are kept; those of ``exists`` are not. ``seq`` of ``exists`` and
  ``exists_with_*`` is the transfer of the event that owns the key; of any other refusal the last seq before it.
* **Corrupt batch.** Passed by as one record: one refusal ``corrupt_batch`` at the position where it stood, with timestamp 0
  and the bytes of the batch. Ledger time does not move.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from ledger.account_ids import AccountKind, account_id, clearing_account, revenue_account
from ledger.channels import BUILT_IN_CHANNELS, Channel
from ledger.events import decode_to_packed
from ledger.layouts import (
    ACCOUNT_RECORD,
    JOURNAL_ENTRY,
    NO_SLOT,
    OUTCOME_RECORD,
    PACKED_EVENT,
    EntryCode,
    EntryKind,
    EventType,
    PayloadKind,
)
from ledger.outcomes import OutcomeCode
from ledger.parameters import LedgerParameters

BOOK = 1
GREATEST_BALANCE = 2**64 - 1
LOW_HALF = 2**64 - 1
EPOCH = date(1970, 1, 1)
TRANSFER_CODES = {EventType.bill: EntryCode.bill, EventType.payment: EntryCode.payment}


@dataclass(slots=True)
class Account:
    """One account, in fen. ``slot`` counts the accounts in the order of their opening, from 0."""

    id: int
    slot: int
    debits_posted: int = 0
    credits_posted: int = 0
    last_seq: int = 0

    def record(self) -> bytes:
        """Return the ``account_record``."""
        return ACCOUNT_RECORD.pack(
            id_low=self.id & LOW_HALF,
            id_high=self.id >> 64,
            debits_posted=self.debits_posted,
            credits_posted=self.credits_posted,
            last_seq=self.last_seq,
            book=BOOK,
        )


@dataclass(frozen=True, slots=True)
class Event:
    """One event as the ledger sees it: the fields of its ``packed_event``, and the accounts that it debits and credits."""

    type: EventType
    channel: int
    business_date: int
    value_date: int
    serial: bytes
    amount_fen: int
    detail: int
    debit_account: int
    credit_account: int

    @classmethod
    def from_packed(cls, fields: Mapping[str, Any]) -> "Event":
        """Apply the posting rules: bill, from the household to revenue, payment, from the channel's clearing to the household."""
        type_ = EventType(fields["event_type"])
        household = account_id(AccountKind.household, f"{fields['household']:013d}")
        if type_ is EventType.bill:
            accounts = household, revenue_account(BOOK)
        else:
            accounts = clearing_account(fields["channel"], EPOCH + timedelta(days=fields["business_date"])), household
        same = {name: fields[name] for name in ("channel", "business_date", "value_date", "serial", "amount_fen", "detail")}
        return cls(type_, **same, debit_account=accounts[0], credit_account=accounts[1])

    @property
    def key(self) -> tuple[int, int, bytes]:
        """The idempotency key."""
        return self.channel, self.business_date, self.serial

    def content(self) -> dict[str, int]:
        """What makes it the same event as another one with its key, in the order in which a difference is reported."""
        if self.type is EventType.bill:
            detail = {"period": self.detail & 0xFFFFFFFF, "due_date": self.detail >> 32}
        else:
            detail = {"outlet": self.detail}
        accounts = {"debit_account_id": self.debit_account, "credit_account_id": self.credit_account}
        return accounts | {"amount": self.amount_fen} | detail | {"value_date": self.value_date}

    def compared_with(self, owner: "Event") -> OutcomeCode:
        """Return the answer to this event when ``owner`` was applied under the same key before."""
        if self.type is not owner.type:
            return OutcomeCode.exists_with_different_code
        theirs = owner.content()
        for name, value in self.content().items():
            if value != theirs[name]:
                return OutcomeCode[f"exists_with_different_{name}"]
        return OutcomeCode.exists


@dataclass(frozen=True, slots=True)
class Outcome:
    """The ``outcome_record`` of an event that was not applied, its ``payload_offset`` zero, and the bytes that are kept of it."""

    record: bytes
    payload: bytes


class Model:
    """The ledger of one partition.

    ``entries`` and ``outcomes`` grow as records are applied; the entry of ``seq`` is ``entries[seq - 1]``. ``accounts`` is by id,
    in the order of opening; ``keys`` gives the event that owns a key, and the seq of its transfer.
    """

    def __init__(self, channels: Iterable[Channel] = BUILT_IN_CHANNELS, parameters: LedgerParameters | None = None) -> None:
        self.channels = tuple(channels)
        self.parameters = parameters or LedgerParameters()
        self.entries: list[bytes] = []
        self.outcomes: list[Outcome] = []
        self.accounts: dict[int, Account] = {}
        self.keys: dict[tuple[int, int, bytes], tuple[Event, int]] = {}
        self.ledger_time_ms = 0
        self.next_offset = 0
        self.events_applied = 0
        self.events_existing = 0
        self.events_refused = 0

    @property
    def last_seq(self) -> int:
        return len(self.entries)

    @property
    def records_consumed(self) -> int:
        return self.events_applied + self.events_existing + self.events_refused

    def apply_record(self, value: bytes | None, offset: int, timestamp_ms: int, body: bytes = b"") -> OutcomeCode | None:
        """Consume one Kafka record and return what became of it; None where its offset was consumed before.

        ``body`` is what is kept of a refused record: its bytes after the length varint.
        """
        if offset < self.next_offset:
            return None
        self.next_offset = offset + 1
        self.ledger_time_ms = max(self.ledger_time_ms, timestamp_ms)
        code, packed = decode_to_packed(value, self.channels)
        fields, seq = PACKED_EVENT.unpack(packed), self.last_seq
        if code is OutcomeCode.applied:
            event = Event.from_packed(fields)
            code, seq = self._check(event)
        if code is OutcomeCode.applied:
            self._post(event, offset)
        elif code is OutcomeCode.exists:
            self._answer(code, fields, seq, offset=offset, timestamp_ms=timestamp_ms)
        else:
            self._answer(code, fields, seq, offset=offset, timestamp_ms=timestamp_ms, kept=body, kind=PayloadKind.record)
        return code

    def advance(self, next_offset: int) -> None:
        """Move on over offsets that hold no record: compacted away, aborted or control batches."""
        self.next_offset = max(self.next_offset, next_offset)

    def quarantine_batch(self, batch: bytes, next_offset: int) -> None:
        """Pass by a corrupt batch, keeping its bytes."""
        self._answer(
            OutcomeCode.corrupt_batch,
            {},
            self.last_seq,
            offset=self.next_offset,
            timestamp_ms=0,
            kept=batch,
            kind=PayloadKind.batch,
        )
        self.next_offset = next_offset

    def trial_balance(self) -> int:
        """Return debits less credits over all accounts, in fen: 0, always."""
        return sum(account.debits_posted - account.credits_posted for account in self.accounts.values())

    def _check(self, event: Event) -> tuple[OutcomeCode, int]:
        """Return the answer to an event, and the seq that goes with a refusal."""
        ledger_date = self.parameters.ledger_date(self.ledger_time_ms)
        if event.business_date > ledger_date + self.parameters.future_days:
            return OutcomeCode.business_date_in_future, self.last_seq
        if event.business_date < ledger_date - self.parameters.close_after_days:
            return OutcomeCode.business_date_closed, self.last_seq
        if event.key in self.keys:
            owner, seq = self.keys[event.key]
            return event.compared_with(owner), seq
        debit, credit = self.accounts.get(event.debit_account), self.accounts.get(event.credit_account)
        if debit and debit.debits_posted + event.amount_fen > GREATEST_BALANCE:
            return OutcomeCode.overflows_debits_posted, self.last_seq
        if credit and credit.credits_posted + event.amount_fen > GREATEST_BALANCE:
            return OutcomeCode.overflows_credits_posted, self.last_seq
        return OutcomeCode.applied, 0

    def _post(self, event: Event, offset: int) -> None:
        debit = self._account(event.debit_account, event, offset)
        credit = self._account(event.credit_account, event, offset)
        seq = self._append(
            event,
            offset,
            kind=EntryKind.transfer,
            code=TRANSFER_CODES[event.type],
            serial=event.serial,
            amount_fen=event.amount_fen,
            detail=event.detail,
            debit_slot=debit.slot,
            credit_slot=credit.slot,
            debit_previous_seq=debit.last_seq,
            credit_previous_seq=credit.last_seq,
            leg_count=1,
        )
        debit.debits_posted += event.amount_fen
        credit.credits_posted += event.amount_fen
        debit.last_seq = credit.last_seq = seq
        self.keys[event.key] = event, seq
        self.events_applied += 1

    def _account(self, id_: int, event: Event, offset: int) -> Account:
        """Return the account, opened where it is new."""
        if id_ not in self.accounts:
            account = self.accounts[id_] = Account(id_, slot=len(self.accounts))
            account.last_seq = self._append(
                event,
                offset,
                kind=EntryKind.open_account,
                code=EntryCode.open_account,
                serial=id_.to_bytes(16, "little"),
                detail=BOOK,
                debit_slot=account.slot,
                credit_slot=NO_SLOT,
            )
        return self.accounts[id_]

    def _append(self, event: Event, offset: int, **fields: int | bytes) -> int:
        """Append an entry that the event makes, and return its seq."""
        common = {
            "channel": event.channel,
            "business_date": event.business_date,
            "value_date": event.value_date,
            "event_type": event.type,
        }
        entry = JOURNAL_ENTRY.pack(ledger_time_ms=self.ledger_time_ms, source_offset=offset, **common, **fields)
        self.entries.append(entry)
        return self.last_seq

    def _answer(
        self,
        code: OutcomeCode,
        fields: Mapping[str, Any],
        seq: int,
        *,
        offset: int,
        timestamp_ms: int,
        kept: bytes = b"",
        kind: PayloadKind = PayloadKind.none,
    ) -> None:
        """Append the outcome of an event that is not applied. ``fields`` holds what is known of its ``packed_event``."""
        key = {name: fields[name] for name in ("serial", "channel", "business_date", "event_type") if name in fields}
        record = OUTCOME_RECORD.pack(
            code=code,
            seq=seq,
            source_offset=offset,
            record_timestamp_ms=timestamp_ms,
            payload_bytes=len(kept),
            payload_kind=kind,
            **key,
        )
        self.outcomes.append(Outcome(record, kept))
        if code is OutcomeCode.exists:
            self.events_existing += 1
        else:
            self.events_refused += 1
