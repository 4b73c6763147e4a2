"""Packed ledger events for tests: plain functions that return bytes, and a channel's serials by number."""

from dataclasses import dataclass

from ledger.account_ids import parse_account
from ledger.layouts import PACKED_EVENT, PACKED_LEG, EventType
from ledger.model_events import LEG_POST_PENDING, LEG_VOID_PENDING
from ledger.notes import Note

LEDGER_CHANNEL = 101
TODAY = 20_657  # 2026-07-23
NOON_MS = 1_784_779_200_000  # of that day, in the ledger's zone
IN_FULL = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Named:
    """What names an event, or one leg of it."""

    serial: str | bytes
    leg: int = 0
    business_date: int = TODAY
    channel: int = LEDGER_CHANNEL


def account(name: str) -> int:
    """Return the id of ``kind:number``; of a bare letter, one of a few plain accounts; the empty name is none."""
    if not name:
        return 0
    return parse_account(name if ":" in name else f"ledger:{ord(name):03d}")


def serial_bytes(serial: str | bytes) -> bytes:
    return serial if isinstance(serial, bytes) else serial.replace(" ", "-").encode().ljust(16, b"\0")


def leg(
    debit: str | int = "A",
    credit: str | int = "B",
    amount_fen: int = 0,
    *,
    pending: Named | None = None,
    book: int = 1,
    code: int = 7,
    **fields: int,
) -> bytes:
    """Return a ``packed_leg``; accounts by name or by number."""
    debit, credit = (account(name) if isinstance(name, str) else name for name in (debit, credit))
    hold = {}
    if pending:
        hold = {
            "pending_serial": serial_bytes(pending.serial),
            "pending_channel": pending.channel,
            "pending_business_date": pending.business_date,
            "pending_leg": pending.leg,
        }
    accounts = {"debit_account": debit.to_bytes(16, "little"), "credit_account": credit.to_bytes(16, "little")}
    return PACKED_LEG.pack(**accounts, **hold, amount_fen=amount_fen, book=book, code=code, **fields)


def event(type_: EventType, serial: str, *legs: bytes, business_date: int = TODAY, value_date: int | None = None) -> bytes:
    """Return a packed ledger event."""
    head = PACKED_EVENT.pack(
        version=1,
        event_type=type_,
        channel=LEDGER_CHANNEL,
        business_date=business_date,
        value_date=business_date if value_date is None else value_date,
        serial=serial_bytes(serial),
        detail=len(legs),
    )
    return head + b"".join(legs)


def transfer(serial: str, *legs: bytes, **head: int) -> bytes:
    return event(EventType.transfer, serial, *legs, **head)


def post(serial: str, hold: Named | None, amount_fen: int = IN_FULL, *, business_date: int = TODAY, **fields: int | str) -> bytes:
    leg_ = settling(hold, amount_fen, LEG_POST_PENDING, **fields)
    return event(EventType.post, serial, leg_, business_date=business_date)


def void(serial: str, hold: Named | None, amount_fen: int = 0, *, business_date: int = TODAY, **fields: int | str) -> bytes:
    leg_ = settling(hold, amount_fen, LEG_VOID_PENDING, **fields)
    return event(EventType.void, serial, leg_, business_date=business_date)


def settling(hold: Named | None, amount_fen: int, flags: int, **fields: int | str) -> bytes:
    """Return a leg that posts or voids, and leaves out what it may."""
    left_out = {"debit": "", "credit": "", "book": 0, "code": 0, "flags": flags}
    return leg(amount_fen=amount_fen, pending=hold, **left_out | fields)


def reverse(serial: str, original: Named, amount_fen: int = 0, **head: int) -> bytes:
    return event(EventType.reverse, serial, leg("", "", amount_fen, pending=original, book=0, code=0), **head)


def open_account(
    serial: str, name: str | int, *, flags: int = 0, book: int = 1, line_fen: int = 0, parent: str | int = "", **head: int
) -> bytes:
    return event(EventType.open_account, serial, leg(name, parent, line_fen, flags=flags, book=book, code=0), **head)


def freeze(serial: str, name: str | int, **head: int) -> bytes:
    return event(EventType.freeze, serial, leg(name, "", book=0, code=0), **head)


def unfreeze(serial: str, name: str | int, **head: int) -> bytes:
    return event(EventType.unfreeze, serial, leg(name, "", book=0, code=0), **head)


def close(serial: str, name: str | int, **head: int) -> bytes:
    return event(EventType.close, serial, leg(name, "", book=0, code=0), **head)


def adjust(
    serial: str,
    debit: str | int,
    credit: str | int,
    amount_fen: int,
    *,
    disputed: Named | None = None,
    allowed_by: tuple[str, ...] = ("Wang Min", "李华"),
    reason: str = "read twice",
    **head: int,
) -> bytes:
    moving = leg(debit, credit, amount_fen, pending=disputed, book=0, code=0)
    note = Note(allowed_by, reason).pack()
    return event(EventType.adjust, serial, moving, *(note[at : at + 80] for at in range(0, len(note), 80)), **head)


def clock(serial: str, **head: int) -> bytes:
    return event(EventType.clock, serial, **head)
