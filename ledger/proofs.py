"""A proof that an event stands in the journal, checked against a published digest alone. docs/proofs.md defines the format.

Pure Python, on purpose: whoever checks a proof needs neither the ledger nor its core, and can read all that the answer rests on.
"""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from ledger.account_ids import format_account
from ledger.errors import ProofInvalid
from ledger.merkle import (
    ENTRIES_PER_BLOCK,
    ENTRIES_PER_LEAF,
    ENTRY_BYTES,
    block_count,
    chained_hash,
    leaf_count,
    leaf_hash,
    published_digest,
    root_by_path,
)
from ledger.notes import Note
from ledger.record_enums import EntryKind, EventType

FORMAT = "peakledger-proof-1"
GREATEST_SEQ = 2**63 - 1

_NO_SLOT = 0xFFFFFFFF
_EPOCH = date(1970, 1, 1)
_ENTRY = struct.Struct("<16sQQQqqQQIIHHHHBBBBHBx")


@dataclass(frozen=True, slots=True)
class Entry:
    """A ``journal_entry``, with the fields of that record, and its ``seq``; of a ``journal_note`` some of them are text."""

    seq: int
    serial: bytes
    amount_fen: int
    debit_previous_seq: int
    credit_previous_seq: int
    ledger_time_ms: int
    source_offset: int
    reference_seq: int
    detail: int
    debit_slot: int
    credit_slot: int
    business_date: int
    value_date: int
    channel: int
    code: int
    kind: int
    event_type: int
    leg: int
    leg_count: int
    flags: int
    terminal: int

    @property
    def slots(self) -> list[int]:
        """The accounts that it names."""
        return [slot for slot in (self.debit_slot, self.credit_slot) if slot != _NO_SLOT]

    @property
    def event_key(self) -> tuple[int, int, bytes]:
        """Channel, business date and serial of its event: an opening has the account id where other entries have the serial."""
        serial = self.serial
        if self.kind == EntryKind.open_account:
            serial = self.debit_previous_seq.to_bytes(8, "little") + self.credit_previous_seq.to_bytes(8, "little")
        return self.channel, self.business_date, serial

    @property
    def text(self) -> bytes:
        """The text of a note: the bytes that are links in another entry."""
        fields = (self.debit_previous_seq, self.credit_previous_seq, self.reference_seq, self.detail)
        return b"".join(field.to_bytes(8, "little") for field in fields)

    def belongs_to(self, first: "Entry") -> bool:
        """Whether it is of the event whose first entry is ``first``: another leg, or what a post gave back."""
        return self.event_key == first.event_key and self.leg_count == first.leg_count > 0 and self.kind != EntryKind.open_account


def unpack_entry(seq: int, data: bytes) -> Entry:
    """Read the 96 bytes of the entry ``seq``."""
    return Entry(seq, *_ENTRY.unpack(data))


@dataclass(frozen=True, slots=True)
class Leaf:
    """Up to 32 entries, of 96 bytes each, and the hashes that lead from them to the published digest."""

    first_seq: int
    entries: tuple[bytes, ...]
    leaf_path: tuple[bytes, ...]
    chain_before: bytes
    block_path: tuple[bytes, ...]

    def digest(self, last_seq: int) -> bytes:
        """Return the digest at ``last_seq`` that these hashes lead to. Raises ValueError where they cannot be of such a leaf."""
        number, odd = divmod(self.first_seq - 1, ENTRIES_PER_LEAF)
        block, leaf = divmod(number, ENTRIES_PER_BLOCK // ENTRIES_PER_LEAF)
        if odd or not 0 < self.first_seq <= last_seq or len(self.entries) != min(ENTRIES_PER_LEAF, last_seq - self.first_seq + 1):
            raise ValueError("a leaf has other entries than its number says")
        block_root = root_by_path(leaf_hash(b"".join(self.entries)), leaf, leaf_count(block, last_seq), self.leaf_path)
        chained = chained_hash(self.chain_before, block_root)
        return published_digest(last_seq, root_by_path(chained, block, block_count(last_seq), self.block_path))


@dataclass(frozen=True, slots=True)
class Proof:
    """That the event whose first entry is ``first_seq`` stands in a journal which has ``digest`` at ``last_seq``.

    ``leaves`` hold the entries of the event, and those that opened its accounts and so tell which account a slot is.
    """

    last_seq: int
    digest: bytes
    first_seq: int
    leaves: tuple[Leaf, ...]

    def event(self) -> dict[str, Any]:
        """Return the event as its entries tell it. Raises ProofInvalid where one is missing."""
        entries = {
            leaf.first_seq + at: unpack_entry(leaf.first_seq + at, data)
            for leaf in self.leaves
            for at, data in enumerate(leaf.entries)
        }
        opened = {entry.debit_slot: entry for entry in entries.values() if entry.kind == EntryKind.open_account}
        own = list(event_entries(entries, self.first_seq))
        first = own[0]
        channel, business_date, serial = first.event_key
        return {
            "first_seq": first.seq,
            "channel": channel,
            "business_date": _date(business_date),
            "serial": serial.hex(),
            "event_type": _name(EventType, first.event_type),
            "source_offset": first.source_offset,
            "ledger_time_ms": first.ledger_time_ms,
            **_note(own),
            "entries": [_described(entry, opened) for entry in own],
        }

    def encode(self) -> bytes:
        """Return the proof as it is written, byte for byte."""
        leaves = [
            {
                "first_seq": leaf.first_seq,
                "entries": [entry.hex() for entry in leaf.entries],
                "leaf_path": [hash_.hex() for hash_ in leaf.leaf_path],
                "chain_before": leaf.chain_before.hex(),
                "block_path": [hash_.hex() for hash_ in leaf.block_path],
            }
            for leaf in self.leaves
        ]
        document = {
            "format": FORMAT,
            "event": self.event(),
            "last_seq": self.last_seq,
            "digest": self.digest.hex(),
            "leaves": leaves,
        }
        return json.dumps(document, indent=1).encode() + b"\n"


def event_entries(entries: dict[int, Entry], first_seq: int) -> Iterator[Entry]:
    """Yield the entries of an event, given entries by seq: all its legs, and what its posts gave back.

    An entry that no event asked for, as an expiry, stands alone. Raises ProofInvalid where a leg is missing.
    """
    first = entries.get(first_seq)
    if first is None or (first.leg_count and (first.leg or first.kind == EntryKind.release)):
        raise ProofInvalid("No event begins with this entry", seq=first_seq)
    if not first.leg_count:
        yield first
        return
    legs, seq = 0, first_seq
    while (entry := entries.get(seq)) and (entry is first or entry.belongs_to(first)):
        legs += entry.leg == legs and entry.kind != EntryKind.release
        yield entry
        seq += 1
    if legs != first.leg_count:
        raise ProofInvalid("A leg of the event is missing", seq=seq, expected=first.leg_count, found=legs)


def check_proof(data: bytes, digest: bytes) -> Proof:
    """Return what a proof proves, if each of its bytes is right and it leads to the published ``digest`` of 32 bytes.

    Raises ProofInvalid.
    """
    proof = _decode(data)
    for leaf in proof.leaves:
        try:
            found = leaf.digest(proof.last_seq)
        except ValueError as error:
            raise ProofInvalid(f"The proof has the wrong form: {error}", seq=leaf.first_seq) from error
        if found != proof.digest:
            raise ProofInvalid(
                "These entries do not lead to the digest that the proof names",
                hint="They are not the entries that were written, or the hashes beside them were changed",
                seq=leaf.first_seq,
                last_seq=proof.last_seq,
                expected=proof.digest.hex(),
                found=found.hex(),
            )
    if digest != proof.digest:
        raise ProofInvalid(
            "The proof leads to another digest than the published one",
            hint="A proof goes with one digest: make it with --at-seq and the last_seq of the published one",
            last_seq=proof.last_seq,
            expected=digest.hex(),
            found=proof.digest.hex(),
        )
    try:
        expected = proof.encode()
    except ValueError as error:
        raise ProofInvalid(f"The proof names an account that is not known here: {error}", last_seq=proof.last_seq) from error
    if expected != data:
        raise ProofInvalid(
            "The proof says something else than its entries do, or is written otherwise", line=_difference(expected, data)
        )
    return proof


def _decode(data: bytes) -> Proof:
    try:
        document = json.loads(data)
        if document["format"] != FORMAT:
            raise ProofInvalid("The proof is of a format that is not known here", expected=FORMAT, found=document["format"])
        last_seq = _integer(document["last_seq"])
        if not 0 < last_seq <= GREATEST_SEQ:
            raise ValueError("no such last_seq")
        first_seq = _integer(document["event"]["first_seq"])
        return Proof(last_seq, bytes.fromhex(document["digest"]), first_seq, tuple(map(_leaf, document["leaves"])))
    except KeyError as error:
        raise ProofInvalid(f"This is no proof: it has no {error}") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ProofInvalid(f"This is no proof, and no JSON in UTF-8: {error}") from error
    except (ValueError, TypeError, AttributeError, IndexError, RecursionError, struct.error) as error:
        raise ProofInvalid(f"This is no proof: {error}") from error


def _leaf(leaf: dict[str, Any]) -> Leaf:
    entries, leaf_path, block_path = (tuple(map(bytes.fromhex, leaf[name])) for name in ("entries", "leaf_path", "block_path"))
    if any(len(entry) != ENTRY_BYTES for entry in entries):
        raise ValueError("an entry is not of 96 bytes")
    return Leaf(_integer(leaf["first_seq"]), entries, leaf_path, bytes.fromhex(leaf["chain_before"]), block_path)


def _integer(value: object) -> int:
    if type(value) is not int:
        raise TypeError(f"{value!r} is no integer")
    return value


def _note(entries: list[Entry]) -> dict[str, Any]:
    """Return who allowed an adjustment, and why; nothing of other events. Raises ProofInvalid where that is no text."""
    pieces = [entry.text for entry in entries if entry.kind == EntryKind.note]
    if not pieces:
        return {}
    try:
        note = Note.unpack(b"".join(pieces))
    except ValueError as error:
        raise ProofInvalid(f"The note of the event cannot be read: {error}", seq=entries[0].seq) from error
    return {"allowed_by": list(note.allowed_by), "reason": note.reason}


def _described(entry: Entry, opened: dict[int, Entry]) -> dict[str, Any]:
    is_note = entry.kind == EntryKind.note
    return {
        "seq": entry.seq,
        "kind": _name(EntryKind, entry.kind),
        "leg": entry.leg,
        "leg_count": entry.leg_count,
        "code": entry.code,
        "debit_account": _account(entry.debit_slot, entry, opened),
        "credit_account": _account(entry.credit_slot, entry, opened),
        "amount_fen": entry.amount_fen,
        "value_date": _date(entry.value_date),
        "detail": 0 if is_note else entry.detail,
        "reference_seq": 0 if is_note else entry.reference_seq,
        "flags": entry.flags,
    }


def _account(slot: int, entry: Entry, opened: dict[int, Entry]) -> str | None:
    if slot == _NO_SLOT:
        return None
    if slot not in opened:
        raise ProofInvalid("The entry that opened an account is missing", seq=entry.seq, slot=slot)
    return format_account(int.from_bytes(opened[slot].serial, "little"))


def _date(days: int) -> str:
    return (_EPOCH + timedelta(days=days)).isoformat()


def _name(names: type[EntryKind] | type[EventType], number: int) -> str | int:
    return names(number).name if number in names.__members__.values() else number


def _difference(expected: bytes, found: bytes) -> int:
    """Return the number of the first line that differs."""
    lines = zip(expected.splitlines(keepends=True), found.splitlines(keepends=True), strict=False)
    return next((number for number, (ours, theirs) in enumerate(lines, 1) if ours != theirs), 1 + expected.count(b"\n"))
