"""What the oracle answers to an event whose key is known: ``exists``, or the first thing that differs.

Each leg is compared with what its entry stored, field by field in the order of flags, hold, timeout, debit account, credit
account, amount, user data, book, code; then the note, and the value date. That a leg is the last, or not, counts as one of its
flags: it is TigerBeetle's ``linked``. Transfer, post and void differ in the flags of their legs only; any other event type is
reported alone, because then the fields do not compare.

What was stored is not always what was asked. A balancing leg is the same when it now asks for at least what was moved. In a post
or void, what is left out stands for the hold's own; the greatest amount in a post and zero in a void stand for the whole hold.
Zero in a reversal stands for whatever was left then.
"""

from collections.abc import Iterator
from typing import Any

from ledger.layouts import EntryKind, EventType
from ledger.model_events import LEG_BALANCES, LEG_CLOSES, LEG_POST_PENDING, LEG_SETTLES, NO_LEG, Event, Key, Leg, LegName
from ledger.model_state import GREATEST_BALANCE, Account, KeyOwner, LedgerState
from ledger.outcomes import OutcomeCode

MOVES_LEGS = frozenset({EventType.transfer, EventType.post, EventType.void})
Comparison = Iterator[tuple[str, bool]]  # name of a field, whether it is equal


def answer_known_key(event: Event, owner: KeyOwner, state: LedgerState) -> tuple[OutcomeCode, int]:
    """Return the outcome of an event whose key ``owner`` owns, and the number of the leg that differs."""
    if event.type is not owner.event.type and not MOVES_LEGS.issuperset((event.type, owner.event.type)):
        return OutcomeCode.exists_with_different_code, 0
    if event.opens_accounts:
        return first_difference(compare_head(event.type, event.head, owner.event.head)), 0
    entries = [state.entry(seq) for seq in range(owner.first_seq, owner.last_seq + 1)]
    stored = [entry for entry in entries if entry["kind"] != EntryKind.release]
    for number, (leg, entry) in enumerate(zip(event.legs, stored, strict=False)):
        if (number == len(event.legs) - 1) != (number == len(owner.event.legs) - 1):
            return OutcomeCode.exists_with_different_flags, number
        code = first_difference(compare_leg(event.type, leg, entry, state))
        if code is not OutcomeCode.exists:
            return code, number
    return first_difference(compare_whole(event, owner.event)), 0


def compare_whole(event: Event, first: Event) -> Comparison:
    yield "note", event.note == first.note
    yield "value_date", event.value_date == first.value_date


def first_difference(comparison: Comparison) -> OutcomeCode:
    """Return ``exists``, or the outcome that names the first field that is not equal."""
    return next((OutcomeCode[f"exists_with_different_{name}"] for name, equal in comparison if not equal), OutcomeCode.exists)


def compare_leg(type_: EventType, leg: Leg, entry: dict[str, Any], state: LedgerState) -> Comparison:
    match type_:
        case EventType.reverse:
            return compare_reversal(leg, entry, state)
        case EventType.adjust:
            return compare_adjustment(leg, entry, state)
        case EventType.open_account:
            return compare_opening(leg, entry, state)
        case EventType.freeze | EventType.unfreeze | EventType.close:
            return iter([("debit_account_id", leg.debit_account == state.account_ids[entry["debit_slot"]])])
        case _ if leg.flags & LEG_SETTLES and entry["kind"] in (EntryKind.post, EntryKind.void):
            return compare_settlement(leg, entry, state)
        case _:
            return compare_transfer(leg, entry, state)


def compare_transfer(leg: Leg, entry: dict[str, Any], state: LedgerState) -> Comparison:
    debit, credit = state.account_at(entry["debit_slot"]), state.account_at(entry["credit_slot"])
    yield "flags", leg.flags == entry["flags"]
    yield "pending_id", leg.pending == NO_LEG
    yield "timeout", leg.timeout_s == (entry["reference_seq"] if entry["kind"] == EntryKind.pending else 0)
    yield "debit_account_id", leg.debit_account == debit.id
    yield "credit_account_id", leg.credit_account == credit.id
    at_least = leg.flags & LEG_BALANCES != 0
    yield "amount", leg.amount_fen == entry["amount_fen"] or (at_least and leg.amount_fen > entry["amount_fen"])
    yield "user_data_64", leg.user_data == entry["detail"]
    yield "ledger", leg.book == debit.book
    yield "code", leg.code == entry["code"]


# What an event without legs of its own says of its debit and its credit account, if it says anything.
SIDES: dict[EventType, tuple[str, str]] = {
    EventType.bill: ("household", ""),
    EventType.payment: ("payer", "household"),
    EventType.top_up: ("payer", "detail"),
    EventType.open_float: ("payer", ""),
    EventType.count_float: ("payer", ""),
    EventType.bank_float: ("", "payer"),
}


def compare_head(type_: EventType, asked: dict[str, Any], first: dict[str, Any]) -> Comparison:
    """Compare an event without legs of its own with the one that came first."""
    for side, name in zip(("debit", "credit"), SIDES[type_], strict=True):
        yield f"{side}_account_id", not name or asked[name] == first[name]
    yield "amount", asked["amount_fen"] == first["amount_fen"]
    if type_ is EventType.top_up:
        yield "user_data_64", asked["household"] == first["household"]
    elif type_ is EventType.payment:
        yield "outlet", asked["detail"] == first["detail"]
    elif type_ is EventType.bill:
        yield "period", asked["detail"] & 0xFFFFFFFF == first["detail"] & 0xFFFFFFFF
        yield "due_date", asked["detail"] >> 32 == first["detail"] >> 32
    yield "terminal", asked["terminal"] == first["terminal"]
    yield "value_date", asked["value_date"] == first["value_date"]


def compare_settlement(leg: Leg, entry: dict[str, Any], state: LedgerState) -> Comparison:
    hold = state.entry(entry["reference_seq"])
    debit, credit = state.account_at(entry["debit_slot"]), state.account_at(entry["credit_slot"])
    in_full = GREATEST_BALANCE if leg.flags & LEG_POST_PENDING else 0
    yield "flags", leg.flags == entry["flags"] & ~LEG_CLOSES
    yield "pending_id", leg.pending == LegName(key_of(hold), hold["leg"])
    yield "timeout", leg.timeout_s == 0
    yield "debit_account_id", leg.debit_account in (0, debit.id)
    yield "credit_account_id", leg.credit_account in (0, credit.id)
    yield "amount", (hold["amount_fen"] if leg.amount_fen == in_full else leg.amount_fen) == entry["amount_fen"]
    yield "user_data_64", (leg.user_data or hold["detail"]) == entry["detail"]
    yield "ledger", leg.book in (0, debit.book)
    yield "code", leg.code in (0, entry["code"])


def compare_reversal(leg: Leg, entry: dict[str, Any], state: LedgerState) -> Comparison:
    """Compare with the first of the reversing entries; where there are several, each reversed the whole of a leg."""
    original = state.entry(entry["reference_seq"])
    yield "pending_id", leg.pending.key == key_of(original)
    yield "amount", leg.amount_fen == 0 or (entry["leg_count"] == 1 and leg.amount_fen == entry["amount_fen"])


def compare_adjustment(leg: Leg, entry: dict[str, Any], state: LedgerState) -> Comparison:
    disputed = key_of(state.entry(entry["reference_seq"])) if entry["reference_seq"] else NO_LEG.key
    yield "pending_id", leg.pending.key == disputed
    yield "debit_account_id", leg.debit_account == state.account_ids[entry["debit_slot"]]
    yield "credit_account_id", leg.credit_account == state.account_ids[entry["credit_slot"]]
    yield "amount", leg.amount_fen == entry["amount_fen"]


def compare_opening(leg: Leg, entry: dict[str, Any], state: LedgerState) -> Comparison:
    """Compare with the flags that the account was opened with, and what of it never changes."""
    account = state.account_at(entry["debit_slot"])
    yield "flags", leg.flags == entry["detail"] >> 16
    yield from compare_account(leg, account)
    yield "debit_account_id", leg.debit_account == account.id


def compare_account(leg: Leg, account: Account) -> Comparison:
    yield "ledger", leg.book == account.book
    yield "amount", leg.amount_fen == account.credit_line_fen
    yield "credit_account_id", leg.credit_account == account.limit_parent


def key_of(entry: dict[str, Any]) -> Key:
    """Return the key of the event that an entry is of; that of an opening by its own event has the serial where others link."""
    serial = entry["serial"]
    if entry["kind"] == EntryKind.open_account:
        serial = b"".join(entry[f"{side}_previous_seq"].to_bytes(8, "little") for side in ("debit", "credit"))
    return Key(entry["channel"], entry["business_date"], serial)
