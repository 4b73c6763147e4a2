"""The payments of a channel and business date, found by passing over the journal: for channels whose payers are many accounts.

Reads the journal from when events of the date could first come, which is more than a walk along one clearing account reads.
"""

import struct
from collections.abc import Iterable
from datetime import date

from ledger.channels import Channel
from ledger.clearing import read_clearing
from ledger.event_fields import parse_date
from ledger.history import History
from ledger.layouts import EntryCode, EntryKind
from ledger.reconciliation import Booking, Bookings, merge_shards

# journal_entry: serial, amount_fen, reference_seq, credit_slot, business_date, channel, code, kind
_ENTRY = struct.Struct("<16sQ32xQ12xIH2xHHB7x")


def scan_payments(history: History, channel: int, business_date: date) -> dict[bytes, Booking]:
    """Return the payments of a channel and business date in one shard, by serial. Raises ``JournalDamaged``.

    An instruction counts when it is posted, under the serial of what posted it and the date of the instruction.
    """
    payment, reverse = int(EntryCode.payment), int(EntryKind.reverse)
    made = frozenset({int(EntryKind.transfer), int(EntryKind.pending)})
    day = parse_date(business_date.isoformat())
    instructions: set[int] = set()
    booked: dict[int, tuple[bytes, int, int]] = {}  # by seq: serial, amount, household's slot
    for first_seq, entries in history.entries_since(business_date):
        for seq, fields in enumerate(_ENTRY.iter_unpack(entries), first_seq):
            serial, amount_fen, reference_seq, credit_slot, entry_date, entry_channel, code, kind = fields
            if code != payment:
                continue
            if kind == reverse:
                if reference_seq in booked:
                    serial, left_fen, slot = booked[reference_seq]
                    booked[reference_seq] = (serial, left_fen - amount_fen, slot)
            elif kind in made:
                if entry_channel == channel and entry_date == day:
                    if kind == EntryKind.pending:
                        instructions.add(seq)
                    else:
                        booked[seq] = (serial, amount_fen, credit_slot)
            elif kind == EntryKind.post and reference_seq in instructions:
                booked[seq] = (serial, amount_fen, credit_slot)
    households = history.balances.accounts_in([slot for _, _, slot in booked.values()])
    return {
        serial: Booking((household or "").rpartition(":")[2], amount_fen, seq, history.shard)
        for (seq, (serial, amount_fen, _)), household in zip(booked.items(), households, strict=True)
    }


def read_bookings(
    histories: Iterable[History], channel: Channel, business_date: date, *, clearing_only: bool = False
) -> Bookings:
    """Return the payments of a channel and business date in all shards, by serial. Raises ``JournalDamaged``.

    ``clearing_only``: only those that its clearing account pays. Where it pays all of them, only its entries are read.
    """
    if any(rule.payer for rule in channel.rules) and not clearing_only:
        return merge_shards(scan_payments(history, channel.code, business_date) for history in histories)
    return merge_shards(read_clearing(history, channel.code, business_date).bookings for history in histories)
