"""What a shard has on a channel's clearing account of a business date: payments, cash, what settlements moved, and what is left.

The entries of an account are a linked list in the journal: only they are read, however large the ledger is.
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from itertools import chain
from typing import NamedTuple

from ledger.account_ids import clearing_account, suspense_account
from ledger.history import History
from ledger.layouts import EntryCode, EntryKind
from ledger.reconciliation import Booking

# Of the legs of settlements, and so of what reverses them: those of the fee tell themselves from those of the bank, because the
# accounts of both may change.
SETTLEMENT_CODE, FEE_CODE = 100, 101
_SETTLES = frozenset({SETTLEMENT_CODE, FEE_CODE})
_CASH = frozenset({EntryCode.top_up, EntryCode.open_float, EntryCode.bank_float})
_POSTED = frozenset({EntryKind.transfer, EntryKind.post, EntryKind.reverse})
_ENDS_HOLD = frozenset({EntryKind.post, EntryKind.void, EntryKind.expire})
_ENTRY = struct.Struct("<16sQ32xQ8xII6xHB7x")  # journal_entry: serial, amount_fen, reference_seq, slots, code, kind


class Side(StrEnum):
    """What the accounts of a settlement are to it. Those of bank and fee are named by the profile as it is then."""

    clearing = "clearing"
    suspense = "suspense"
    bank = "bank"
    fee = "fee"


class Movement(NamedTuple):
    """An entry between two accounts, by their slots."""

    seq: int
    serial: bytes
    amount_fen: int
    reference_seq: int
    debit_slot: int
    credit_slot: int
    code: int
    kind: int

    def signed_fen(self, slot: int | None) -> int:
        """Return what the entry debits the account in a slot, negative where it credits it."""
        return self.amount_fen if self.debit_slot == slot else -self.amount_fen


@dataclass(slots=True)
class Clearing:
    """What a shard has of a channel and business date.

    ``bookings`` are the payments that the clearing account paid, by serial. ``cash_fen`` is what top-ups and floats debited it,
    less what they credited. ``settled`` is what settlements debited each side, negative where they credited it, and
    ``settlements`` the serials of their events. ``open_holds`` wait for an answer. ``others`` moved the account for
    no such reason.
    """

    bookings: dict[bytes, Booking] = field(default_factory=dict)
    cash_fen: int = 0
    settled: dict[Side, int] = field(default_factory=dict)
    settlements: set[bytes] = field(default_factory=set)
    open_holds: list[Movement] = field(default_factory=list)
    others: list[tuple[Movement, int]] = field(default_factory=list)


def read_clearing(history: History, channel: int, business_date: date) -> Clearing:
    """Read the entries of a channel's clearing and suspense accounts of a business date. Raises ``JournalDamaged``.

    Both are read as of one seq, up to which all entries of an event are there or none: a settlement that an engine applies
    meanwhile must not be seen by its legs in one of them.
    """
    last_seq = history.balances.watermark.seq
    account = clearing_account(channel, business_date)
    slot = history.balances.slot_of(account)
    found = Clearing()
    payment, reverse = int(EntryCode.payment), int(EntryKind.reverse)  # looked at for each entry, which an enum makes slow
    reversed_fen: dict[int, int] = {}
    ended_holds: set[int] = set()
    settled: dict[int, Movement] = {}
    for entries in history.entries(account):
        movements = [(seq, *_ENTRY.unpack(entry)) for seq, entry in entries if seq <= last_seq]
        households = history.balances.accounts_in([credit_slot for _, _, _, _, _, credit_slot, _, _ in movements])
        for fields, household in zip(movements, households, strict=True):
            seq, serial, amount_fen, reference_seq, _, _, code, kind = fields
            if kind in _ENDS_HOLD:
                ended_holds.add(reference_seq)
            if code == payment and kind in _POSTED:
                if kind == reverse:
                    reversed_fen[reference_seq] = reversed_fen.get(reference_seq, 0) + amount_fen
                else:
                    number = (household or "").rpartition(":")[2]
                    found.bookings[serial] = Booking(number, amount_fen - reversed_fen.pop(seq, 0), seq, history.shard)
            elif kind in _POSTED:
                _add_movement(found, settled, Movement(*fields), slot)
            elif kind == EntryKind.pending and seq not in ended_holds:
                found.open_holds.append(Movement(*fields))
    suspense = suspense_account(channel, business_date)
    for seq, entry in chain.from_iterable(history.entries(suspense)):
        movement = Movement(seq, *_ENTRY.unpack(entry))
        if seq <= last_seq and movement.code in _SETTLES and movement.kind in _POSTED:
            settled[seq] = movement
    _add_settlements(found, settled.values(), {slot: Side.clearing, history.balances.slot_of(suspense): Side.suspense})
    return found


def _add_movement(found: Clearing, settled: dict[int, Movement], movement: Movement, slot: int | None) -> None:
    """Add a posted entry of the clearing account, in ``slot``, that is no payment."""
    if movement.code in _SETTLES:
        settled[movement.seq] = movement
    elif movement.code in _CASH:
        found.cash_fen += movement.signed_fen(slot)
    else:
        found.others.append((movement, movement.signed_fen(slot)))


def _add_settlements(found: Clearing, settled: Iterable[Movement], sides: Mapping[int | None, Side]) -> None:
    """Add up what settlements moved: their legs are entries of the clearing account, of the suspense account, or of both.

    ``sides`` has the slots of these two; whose the other account of a leg was then, its code tells.
    """
    for movement in settled:
        if movement.kind == EntryKind.transfer:
            found.settlements.add(movement.serial)
        other = Side.fee if movement.code == FEE_CODE else Side.bank
        for slot, amount_fen in ((movement.debit_slot, movement.amount_fen), (movement.credit_slot, -movement.amount_fen)):
            side = sides.get(slot, other)
            found.settled[side] = found.settled.get(side, 0) + amount_fen
