"""What the topics of entries and balances must say, in plain Python; and a reader of them that drops repeats."""

from collections.abc import Iterable
from itertools import takewhile
from typing import Any

from ledger.account_ids import format_account
from ledger.adjustments import is_adjustment
from ledger.channels import BUILT_IN_CHANNELS
from ledger.event_fields import format_date, format_period, format_serial
from ledger.layouts import JOURNAL_ENTRY, JOURNAL_NOTE, NO_SLOT, EntryKind, EventType
from ledger.model_history import accounts_at
from ledger.notes import Note

Value = dict[str, Any]
Record = tuple[bytes | None, Value]
CHANNELS = {channel.code: channel for channel in BUILT_IN_CHANNELS}


def entry_records(entries: list[bytes]) -> list[Record]:
    """Return key and value of the record of each entry, in the order of seq."""
    accounts = list(accounts_at(entries, len(entries)).values())
    names = [format_account(account.id) for account in accounts]
    books = [account.book for account in accounts]
    records = [entry_record(JOURNAL_ENTRY.unpack(entry), seq, names, books) for seq, entry in enumerate(entries, 1)]
    for at, entry in enumerate(entries):
        if is_adjustment(JOURNAL_ENTRY.unpack(entry)):
            records[at][1].update(note_of(takewhile(is_note, entries[at + 1 :])))
    return records


def is_note(entry: bytes) -> bool:
    return bool(JOURNAL_ENTRY.unpack(entry)["kind"] == EntryKind.note)


def note_of(notes: Iterable[bytes]) -> Value:
    pieces = map(JOURNAL_NOTE.unpack, notes)
    note = Note.unpack(b"".join(piece["text"] + piece["more_text"] for piece in pieces))
    return {"allowed_by": list(note.allowed_by), "reason": note.reason}


def entry_record(entry: dict[str, Any], seq: int, names: list[str], books: list[int]) -> Record:
    kind, debit, credit = EntryKind(entry["kind"]), entry["debit_slot"], entry["credit_slot"]
    named = event_named(entry, kind)
    value: Value = {"seq": seq, "kind": kind.name, "event": EventType(entry["event_type"]).name, **named}
    value |= {"leg": entry["leg"], "leg_count": entry["leg_count"]}
    if kind is EntryKind.open_account:
        value["account"] = names[debit]
        value |= {"limit_parent": names[entry["reference_seq"] - 1]} if entry["reference_seq"] else {}
        value["credit_line_fen"] = entry["amount_fen"]
        value |= {"book": entry["detail"] & 0xFFFF, "flags": entry["detail"] >> 16}
    elif credit != NO_SLOT:
        value |= {"debit_account": names[debit], "credit_account": names[credit], "amount_fen": entry["amount_fen"]}
        value |= {"book": books[debit], "code": entry["code"], "flags": entry["flags"], **details(entry, kind)}
    elif debit != NO_SLOT:
        value["account"] = names[debit]
    value |= {"offset": entry["source_offset"], "ledger_time_ms": entry["ledger_time_ms"]}
    key = "/".join(named.values()).encode() if "serial" in named else None
    return key, value


def event_named(entry: dict[str, Any], kind: EntryKind) -> dict[str, str]:
    channel = CHANNELS[entry["channel"]]
    named = {"channel": channel.name, "business_date": format_date(entry["business_date"]).isoformat()}
    if kind is not EntryKind.open_account:
        named["serial"] = format_serial(entry["serial"], channel.serial_form)
    elif entry["leg_count"]:
        halves = entry["debit_previous_seq"], entry["credit_previous_seq"]
        named["serial"] = format_serial(b"".join(half.to_bytes(8, "little") for half in halves), channel.serial_form)
    return named


def details(entry: dict[str, Any], kind: EntryKind) -> Value:
    detail, reference_seq = entry["detail"], entry["reference_seq"]
    if entry["event_type"] == EventType.bill:
        value = {"period": format_period(detail & 0xFFFFFFFF), "due_date": format_date(detail >> 32).isoformat()}
    elif entry["event_type"] == EventType.payment:
        value = {"outlet": detail} if detail else {}
    else:
        value = {"user_data": detail}
    if kind is EntryKind.pending:
        value["timeout_s"] = reference_seq
    elif reference_seq:
        value["reference_seq"] = reference_seq
    return value | {"value_date": format_date(entry["value_date"]).isoformat()}


def balances_at(entries: list[bytes], seq: int) -> dict[str, Value]:
    """Return what is to be said of each account after the entry of ``seq``, but for where its last entry came from."""
    return {
        format_account(account.id): {
            "account": format_account(account.id),
            "seq": account.last_seq,
            "book": account.book,
            "debits_posted_fen": account.debits_posted,
            "credits_posted_fen": account.credits_posted,
            "debits_pending_fen": account.debits_pending,
            "credits_pending_fen": account.credits_pending,
            "frozen": account.frozen,
            "closed": account.closed,
        }
        for account in accounts_at(entries, seq).values()
    }


def balance_value(entries: list[bytes], account: str, seq: int) -> Value:
    """Return the whole value of the record that tells an account's balance after an entry of its own."""
    entry = JOURNAL_ENTRY.unpack(entries[seq - 1])
    place = {"offset": entry["source_offset"], "ledger_time_ms": entry["ledger_time_ms"]}
    return balances_at(entries, seq)[account] | place


def without_repeats(records: Iterable[Record]) -> list[Record]:
    """Return the records of one partition of the topic of entries as a reader takes them."""
    taken, last_seq = [], 0
    for key, value in records:
        if value["seq"] > last_seq:
            taken.append((key, value))
            last_seq = value["seq"]
    return taken


def last_balances(records: Iterable[Record]) -> dict[str, Value]:
    """Return the balances that a reader of one partition of the topic of balances ends with."""
    balances: dict[str, Value] = {}
    for _, value in records:
        account = value["account"]
        if account not in balances or value["seq"] > balances[account]["seq"]:
            balances[account] = value
    return balances
