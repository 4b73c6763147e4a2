"""The totals of outlets in plain Python: the definition that the projection is held against."""

from collections import defaultdict
from collections.abc import Iterable

from ledger.account_ids import format_account
from ledger.layouts import JOURNAL_ENTRY, EntryCode, EntryKind

Totals = dict[tuple[int, int, int], list[int]]  # (business date, outlet, channel): payments, their fen, reversals, their fen


def totals_of(frames: Iterable[bytes]) -> Totals:
    """Return the totals of the entries in ``frames``; business dates in days since 1970."""
    totals: Totals = defaultdict(lambda: [0, 0, 0, 0])
    clearing: dict[int, int] = {}
    for entries in frames:
        for entry in JOURNAL_ENTRY.unpack_all(entries):
            if entry["kind"] == EntryKind.open_account:
                _note_clearing(clearing, entry)
            elif entry["code"] == EntryCode.payment and entry["kind"] in (EntryKind.transfer, EntryKind.post, EntryKind.reverse):
                outlet = entry["detail"] if entry["detail"] < 10**18 else 0
                total = totals[entry["business_date"], outlet, _channel(clearing, entry)]
                at = 2 if entry["kind"] == EntryKind.reverse else 0
                total[at] += 1
                total[at + 1] = (total[at + 1] + entry["amount_fen"]) % 2**64
    return dict(totals)


def _note_clearing(clearing, entry):
    kind, _, number = format_account(int.from_bytes(entry["serial"], "little")).partition(":")
    if kind == "clearing" and len(number) == 11:
        clearing[entry["debit_slot"]] = int(number[:3])


def _channel(clearing, entry):
    """What was posted or reversed is told by the clearing account: the event that did so came through another channel."""
    if entry["kind"] == EntryKind.transfer:
        return entry["channel"]
    slot = entry["debit_slot"] if entry["kind"] == EntryKind.post else entry["credit_slot"]
    return clearing.get(slot, entry["channel"])
