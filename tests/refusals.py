"""Every refusal that a ledger gives by what it holds, in the order of precedence, as events for one small world.

Each row of a list has one fault less than the row before it: it still has, as far as they go together, the faults of all rows
behind it. So its answer shows that its own fault is found first.
"""

from dataclasses import dataclass

from ledger.layouts import EventType
from ledger.model_events import (
    LEG_BALANCING_DEBIT,
    LEG_CLOSING_DEBIT,
    LEG_PENDING,
    LEG_POST_PENDING,
    LEG_VOID_PENDING,
)
from ledger.model_state import (
    ACCOUNT_CLOSED,
    ACCOUNT_CREDITS_MUST_NOT_EXCEED_DEBITS,
    ACCOUNT_DEBITS_MUST_NOT_EXCEED_CREDITS,
)
from ledger.outcomes import OutcomeCode
from tests import ledger_events as make
from tests.ledger_events import IN_FULL, TODAY, Named, leg

C = OutcomeCode
DEBITS, CREDITS = ACCOUNT_DEBITS_MUST_NOT_EXCEED_CREDITS, ACCOUNT_CREDITS_MUST_NOT_EXCEED_DEBITS
GREATEST = 2**128 - 1
NOWHERE = Named("nowhere")


@dataclass(frozen=True, slots=True)
class Row:
    """An event, and what becomes of it in the world: outcome, leg at fault, level."""

    code: OutcomeCode
    value: bytes
    leg: int = 0
    level: int = 0


def opened(name: str, **fields: int | str) -> bytes:
    return make.open_account(f"open {name}", name, **fields)


def transferred(serial: str, debit: str, credit: str, amount_fen: int, **fields: int) -> bytes:
    return make.transfer(serial, leg(debit, credit, amount_fen, **fields))


def held(serial: str, debit: str, credit: str, amount_fen: int, **fields: int) -> bytes:
    return transferred(serial, debit, credit, amount_fen, flags=LEG_PENDING | fields.pop("flags", 0), **fields)


# Accounts: A B plain; D E book 2; K L closed at last; M N full of pending, P Q of posted amounts; R S T U with limits and lines,
# V W with a parent; a to i a chain of limits. All but A, B, D, E are frozen at last. Of the channel's clearing accounts those of
# 19 and 21 July are closed, those of 20 and 22 July are not at zero.
WORLD = [
    *(opened(name) for name in "ABKLXYN"),
    *(opened(name, book=2) for name in "DE"),
    opened("M", flags=DEBITS, line_fen=IN_FULL),
    opened("P", flags=DEBITS, line_fen=IN_FULL),
    opened("Q"),
    opened("R", flags=DEBITS),
    opened("S", flags=CREDITS),
    opened("T", flags=DEBITS, line_fen=10, parent="X"),
    opened("U", flags=CREDITS, line_fen=10),
    opened("O", line_fen=5),
    opened("V", parent="O"),
    opened("W", parent="V"),
    opened("a"),
    *(opened(name, parent=above) for above, name in zip("abcdefgh", "bcdefghi", strict=True)),
    held("full pending", "M", "N", IN_FULL),
    transferred("full posted", "P", "Q", IN_FULL),
    transferred("to reverse", "L", "K", 10),
    transferred("to reverse too", "B", "L", 10),
    transferred("two legs", "A", "B", 1),
    make.transfer("of two legs", leg("A", "B", 1), leg("B", "A", 1)),
    transferred("reversed", "A", "B", 10),
    make.reverse("reversal", Named("reversed")),
    transferred("reversed partly", "A", "B", 10),
    make.reverse("partial reversal", Named("reversed partly"), 4),
    make.adjust("adjusted", "D", "E", 10, disputed=Named("open A")),
    make.adjust("adjusted too", "A", "B", 10),
    held("hold", "A", "B", 100, timeout_s=9, user_data=5),
    held("other hold", "A", "B", 100),
    held("posted hold", "A", "B", 100),
    make.post("post", Named("posted hold"), 30),
    held("voided hold", "A", "B", 100),
    make.void("void", Named("voided hold"), user_data=8),
    held("expired hold", "A", "B", 100, timeout_s=1),
    held("hold on K", "K", "L", 100),
    held("hold on L", "A", "L", 100),
    held("hold on X", "A", "X", 100),
    transferred("plain", "A", "B", 10, user_data=5),
    transferred("balancing", "B", "A", 10, flags=LEG_BALANCING_DEBIT),
    *(make.close(f"close {name}", name) for name in "KL"),
    *(make.open_account(f"open {day}", f"clearing:101{day}") for day in (20260720, 20260721, 20260722)),
    make.close("close 20260721", "clearing:10120260721"),
    make.open_account("open 20260719", "clearing:10120260719", flags=ACCOUNT_CLOSED),
    transferred("not posted to zero", "clearing:10120260722", "A", 1),
    held("not pending at zero", "A", "clearing:10120260720", 1, timeout_s=60),
    *(make.freeze(f"freeze {name}", name) for name in "KLMNPQRSTUVWX"),
]

DATES = [
    Row(C.business_date_in_future, make.event(EventType.clock, "plain", business_date=TODAY + 2)),
    Row(C.business_date_closed, make.event(EventType.clock, "plain", business_date=TODAY - 401)),
    Row(C.business_date_closed, make.event(EventType.clock, "plain", business_date=TODAY - 2)),
    Row(C.business_date_closed, make.event(EventType.clock, "plain", business_date=TODAY - 4)),
]

FORM = {"debit": 0, "credit": 0, "pending": NOWHERE, "timeout_s": 1, "flags": LEG_CLOSING_DEBIT, "book": 0, "code": 0}


def plain_legs() -> list[tuple[OutcomeCode, bytes, int]]:
    """Return code, leg and level: a leg with every fault, then one less at a time."""
    fault, rows = dict(FORM), []

    def row(found: OutcomeCode, /, *, level: int = 0, **fields: object) -> None:
        fault.update(fields)
        rows.append((found, leg(**fault), level))

    row(C.debit_account_id_must_not_be_zero)
    row(C.debit_account_id_must_not_be_int_max, debit=GREATEST)
    row(C.credit_account_id_must_not_be_zero, debit="Z")
    row(C.credit_account_id_must_not_be_int_max, credit=GREATEST)
    row(C.accounts_must_be_different, credit="Z")
    row(C.pending_id_must_be_zero, credit="Y")
    row(C.timeout_reserved_for_pending_transfer, pending=None)
    row(C.closing_transfer_must_be_pending, timeout_s=0)
    row(C.ledger_must_not_be_zero, flags=LEG_PENDING, amount_fen=IN_FULL)
    row(C.code_must_not_be_zero, book=2)
    row(C.debit_account_not_found, code=7, credit="z")
    row(C.credit_account_not_found, debit="K")
    row(C.accounts_must_have_the_same_ledger, credit="D", book=3)
    row(C.transfer_must_have_the_same_ledger_as_accounts, credit="L")
    row(C.debit_account_already_closed, book=1)
    row(C.credit_account_already_closed, debit="M")
    row(C.overflows_debits_pending, credit="N")
    row(C.overflows_credits_pending, debit="P")
    row(C.overflows_debits_posted, credit="Q")
    row(C.overflows_credits_posted, debit="R", amount_fen=1)
    row(C.overflows_debits, flags=0, debit="M", credit="S")
    row(C.overflows_credits, debit="R", credit="N", flags=0)
    row(C.exceeds_credits, credit="S")
    row(C.exceeds_debits, debit="T", amount_fen=11)
    row(C.credit_line_exceeded, credit="U")
    row(C.credit_line_exceeded, debit="W")
    row(C.limit_exceeded, level=2, credit="X")
    row(C.limit_exceeded, level=1, debit="V")
    row(C.account_frozen, amount_fen=1, debit="V")
    return rows


def settling_legs() -> list[tuple[OutcomeCode, bytes]]:
    """Return code and leg, the same way, of legs that post or void; the leg stands second in the event ``settling``."""
    other = {"debit": "Z", "credit": "z", "book": 9, "code": 9}
    fault, rows = other | {"flags": LEG_POST_PENDING | LEG_VOID_PENDING, "timeout_s": 1, "amount_fen": 101, "pending": None}, []

    def row(found: OutcomeCode, /, **fields: object) -> None:
        fault.update(fields)
        rows.append((found, leg(**fault)))

    row(C.flags_are_mutually_exclusive)
    for flag in (LEG_PENDING, LEG_BALANCING_DEBIT, LEG_CLOSING_DEBIT):
        row(C.flags_are_mutually_exclusive, flags=LEG_VOID_PENDING | flag)
    row(C.pending_id_must_not_be_zero, flags=LEG_VOID_PENDING)
    row(C.pending_id_must_be_different, pending=Named("settling", leg=1))
    row(C.timeout_reserved_for_pending_transfer, pending=NOWHERE)
    row(C.pending_transfer_not_found, timeout_s=0)
    row(C.pending_transfer_not_found, pending=Named("hold", leg=1))
    row(C.pending_transfer_not_pending, pending=Named("plain"))
    row(C.pending_transfer_not_pending, pending=Named("settling", leg=0))
    row(C.pending_transfer_has_different_debit_account_id, pending=Named("posted hold"))
    row(C.pending_transfer_has_different_credit_account_id, debit="A")
    row(C.pending_transfer_has_different_ledger, credit="")
    row(C.pending_transfer_has_different_code, book=1)
    row(C.exceeds_pending_transfer_amount, code=0)
    row(C.pending_transfer_has_different_amount, amount_fen=99)
    row(C.pending_transfer_already_posted, amount_fen=0)
    row(C.pending_transfer_already_voided, pending=Named("voided hold"))
    row(C.pending_transfer_expired, pending=Named("expired hold"))
    row(C.debit_account_already_closed, pending=Named("hold on K"), flags=LEG_POST_PENDING, debit="K")
    row(C.credit_account_already_closed, pending=Named("hold on L"), debit="A")
    row(C.account_frozen, pending=Named("hold on X"))
    return rows


def openings() -> list[Row]:
    both = DEBITS | CREDITS
    return [
        Row(C.debit_account_id_must_not_be_zero, make.open_account("o1", 0, flags=both, book=0, parent="z")),
        Row(C.debit_account_id_must_not_be_int_max, make.open_account("o2", GREATEST, flags=both, book=0, parent="z")),
        Row(C.exists_with_different_flags, make.open_account("o3", "T", flags=both, book=0, line_fen=1, parent="z")),
        Row(C.exists_with_different_ledger, make.open_account("o4", "T", flags=DEBITS, book=0, line_fen=1, parent="z")),
        Row(C.exists_with_different_amount, make.open_account("o5", "T", flags=DEBITS, line_fen=1, parent="z")),
        Row(C.exists_with_different_credit_account_id, make.open_account("o6", "T", flags=DEBITS, line_fen=10, parent="z")),
        Row(C.exists_with_different_credit_account_id, make.open_account("o7", "T", flags=DEBITS, line_fen=10)),
        Row(C.exists, make.open_account("o8", "T", flags=DEBITS, line_fen=10, parent="X")),
        Row(C.exists, make.open_account("o8", "K", flags=ACCOUNT_CLOSED)),
        Row(C.flags_are_mutually_exclusive, make.open_account("o9", "Z", flags=both, book=0, parent="z")),
        Row(C.ledger_must_not_be_zero, make.open_account("o10", "Z", book=0, parent="z")),
        Row(C.credit_account_not_found, make.open_account("o11", "Z", book=2, parent="z")),
        Row(C.accounts_must_have_the_same_ledger, make.open_account("o12", "Z", book=2, parent="i")),
        Row(C.limit_chain_too_long, make.open_account("o13", "Z", parent="i")),
    ]


def marks() -> list[Row]:
    rows = []
    for name, made in (("freeze", make.freeze), ("unfreeze", make.unfreeze), ("close", make.close)):
        rows += [
            Row(C.debit_account_id_must_not_be_zero, made(f"{name} none", 0)),
            Row(C.debit_account_id_must_not_be_int_max, made(f"{name} greatest", GREATEST)),
            Row(C.debit_account_not_found, made(f"{name} missing", "Z")),
        ]
    rows.append(Row(C.debit_account_already_closed, make.close("close again", "K")))
    rows.append(Row(C.balance_not_zero, make.close("close one not posted", "clearing:10120260722")))
    rows.append(Row(C.balance_not_zero, make.close("close one not settled", "clearing:10120260720")))
    return rows


def reversals() -> list[Row]:
    return [
        Row(C.reversal_not_found, make.reverse("r1", NOWHERE, IN_FULL)),
        Row(C.reversal_not_found, make.reverse("r2", Named("r2"))),
        Row(C.reversal_not_found, make.reverse("r3", Named("o11"))),
        Row(C.not_reversible, make.reverse("r4", Named("hold"), IN_FULL)),
        Row(C.not_reversible, make.reverse("r5", Named("void"), IN_FULL)),
        Row(C.not_reversible, make.reverse("r6", Named("reversal"), IN_FULL)),
        Row(C.not_reversible, make.reverse("r7", Named("open A"), IN_FULL)),
        Row(C.not_reversible, make.reverse("r14", Named("adjusted"))),
        Row(C.not_reversible, make.reverse("r8", Named("of two legs"), 1)),
        Row(C.already_reversed, make.reverse("r9", Named("reversed"), IN_FULL)),
        Row(C.exceeds_reversible_amount, make.reverse("r10", Named("reversed partly"), 7)),
        Row(C.debit_account_already_closed, make.reverse("r11", Named("to reverse"))),
        Row(C.debit_account_already_closed, make.reverse("r12", Named("to reverse too"))),
        Row(C.account_frozen, make.reverse("r13", Named("full posted"))),
    ]


def adjustments() -> list[Row]:
    """Adjustments with every fault, then one less at a time; the detail of a leg is what a transfer checks too."""
    fault = {"debit": GREATEST, "credit": GREATEST, "amount_fen": 1, "disputed": NOWHERE}
    rows = []

    def row(found: OutcomeCode, /, **fields: object) -> None:
        fault.update(fields)
        rows.append(Row(found, make.adjust(f"adjusting {len(rows)}", **fault)))

    row(C.disputed_event_not_found)
    row(C.disputed_event_not_found, disputed=Named("adjusting 1"))
    row(C.debit_account_id_must_not_be_int_max, disputed=Named("plain"))
    row(C.credit_account_id_must_not_be_int_max, debit="Z")
    row(C.accounts_must_be_different, credit="Z")
    row(C.debit_account_not_found, credit="z")
    row(C.credit_account_not_found, debit="R")
    row(C.accounts_must_have_the_same_ledger, credit="D")
    row(C.exceeds_credits, credit="A")
    row(C.account_frozen, debit="X")
    return rows


def known_adjustments() -> list[Row]:
    fault = {"debit": "Z", "credit": "Z", "amount_fen": 9, "disputed": None, "reason": "another", "value_date": TODAY - 1}
    rows = []

    def row(found: OutcomeCode, /, **fields: object) -> None:
        fault.update(fields)
        rows.append(Row(found, make.adjust("adjusted", **fault)))

    row(C.exists_with_different_pending_id)
    row(C.exists_with_different_pending_id, disputed=Named("other hold"))
    row(C.exists_with_different_debit_account_id, disputed=Named("open A"))
    row(C.exists_with_different_credit_account_id, debit="D")
    row(C.exists_with_different_amount, credit="E")
    row(C.exists_with_different_note, amount_fen=10)
    row(C.exists_with_different_note, reason="read twice", allowed_by=("Wang Min", "李花"))
    row(C.exists_with_different_note, allowed_by=("Wang Min", "李华", "Li"))
    row(C.exists_with_different_value_date, allowed_by=("Wang Min", "李华"))
    row(C.exists, value_date=TODAY)
    rows.append(Row(C.exists_with_different_pending_id, make.adjust("adjusted too", "A", "B", 10, disputed=Named("plain"))))
    rows.append(Row(C.exists, make.adjust("adjusted too", "A", "B", 10)))
    return rows


def known_transfers() -> list[Row]:
    """Events whose key is known, with every difference, then one less at a time."""
    fault = {"debit": "Z", "credit": "Z", "amount_fen": 9, "user_data": 6, "book": 9, "code": 9, "timeout_s": 1}
    fault |= {"flags": LEG_PENDING, "pending": NOWHERE}
    rows = []

    def row(found: OutcomeCode, /, *more: bytes, value_date: int = TODAY - 1, **fields: object) -> None:
        fault.update(fields)
        rows.append(Row(found, make.transfer("plain", leg(**fault), *more, value_date=value_date)))

    row(C.exists_with_different_flags, leg())
    row(C.exists_with_different_flags, leg(), flags=0)
    row(C.exists_with_different_pending_id)
    row(C.exists_with_different_timeout, pending=None)
    row(C.exists_with_different_debit_account_id, timeout_s=0)
    row(C.exists_with_different_credit_account_id, debit="A")
    row(C.exists_with_different_amount, credit="B")
    row(C.exists_with_different_user_data_64, amount_fen=10)
    row(C.exists_with_different_ledger, user_data=5)
    row(C.exists_with_different_code, book=1)
    row(C.exists_with_different_value_date, code=7)
    row(C.exists, value_date=TODAY)
    first, second = leg("A", "B", 1), leg("B", "A", 2)
    rows.append(Row(C.exists_with_different_amount, make.transfer("of two legs", leg("A", "B", 2), second, first)))
    rows.append(Row(C.exists_with_different_flags, make.transfer("of two legs", first, second, first), 1))
    rows.append(Row(C.exists_with_different_amount, make.transfer("of two legs", first, second), 1))
    rows.append(Row(C.exists_with_different_flags, make.transfer("of two legs", second)))
    return rows


def known_settlements() -> list[Row]:
    posted, voided, other = Named("posted hold"), Named("voided hold"), Named("other hold")
    differing = {"debit": "Z", "credit": "Z", "user_data": 1, "book": 9, "code": 9}
    whole = {"debit": "A", "credit": "B", "book": 1, "code": 7}
    rows = []
    for serial, made, hold, amount_fen, in_full in (
        ("post", make.post, posted, 30, IN_FULL),
        ("void", make.void, voided, 100, 99),
    ):
        fault = dict(differing)
        right = 8 if serial == "void" else 0
        rows += [
            Row(C.exists_with_different_pending_id, made(serial, other, in_full, **fault)),
            Row(C.exists_with_different_debit_account_id, made(serial, hold, in_full, **fault)),
            Row(C.exists_with_different_credit_account_id, made(serial, hold, in_full, **fault | {"debit": ""})),
            Row(C.exists_with_different_amount, made(serial, hold, in_full, user_data=1, book=9, code=9)),
            Row(C.exists_with_different_user_data_64, made(serial, hold, amount_fen, user_data=1, book=9, code=9)),
            Row(C.exists_with_different_ledger, made(serial, hold, amount_fen, user_data=right, book=9, code=9)),
            Row(C.exists_with_different_code, made(serial, hold, amount_fen, user_data=right, code=9)),
            Row(C.exists, made(serial, hold, amount_fen, user_data=right, **whole)),
        ]
    return [
        *rows,
        Row(C.exists, make.void("void", voided, user_data=8)),
        Row(C.exists_with_different_user_data_64, make.void("void", voided)),
        Row(C.exists_with_different_flags, make.post("void", voided)),
        Row(C.exists_with_different_flags, make.transfer("void", leg("A", "B", 100))),
        Row(C.exists_with_different_flags, make.void("plain", voided)),
        Row(C.exists, make.transfer("post", make.settling(posted, 30, LEG_POST_PENDING))),
        Row(C.exists_with_different_amount, make.transfer("post", make.settling(posted, 31, LEG_POST_PENDING))),
    ]


def known_others() -> list[Row]:
    return [
        Row(C.exists_with_different_code, make.clock("plain")),
        Row(C.exists_with_different_flags, opened("T", book=2, line_fen=1)),
        Row(C.exists_with_different_ledger, opened("T", flags=DEBITS, book=2, line_fen=1)),
        Row(C.exists_with_different_amount, opened("T", flags=DEBITS, line_fen=1)),
        Row(C.exists_with_different_credit_account_id, opened("T", flags=DEBITS, line_fen=10)),
        Row(C.exists_with_different_debit_account_id, make.open_account("open T", "A", flags=DEBITS, line_fen=10, parent="X")),
        Row(C.exists, opened("T", flags=DEBITS, line_fen=10, parent="X")),
        Row(C.exists, opened("K")),
        Row(C.exists_with_different_pending_id, make.reverse("partial reversal", Named("plain"), 5)),
        Row(C.exists_with_different_amount, make.reverse("partial reversal", Named("reversed partly"), 5)),
        Row(C.exists_with_different_value_date, make.reverse("partial reversal", Named("reversed partly"), 4, value_date=1)),
        Row(C.exists, make.reverse("partial reversal", Named("reversed partly"), 4)),
        Row(C.exists, make.reverse("partial reversal", Named("reversed partly"))),
        Row(C.exists_with_different_debit_account_id, make.close("close K", "L")),
        Row(C.exists, make.close("close K", "K")),
        Row(C.id_already_failed, make.clock("o11")),
    ]


def lists() -> dict[str, list[Row]]:
    """Return all rows. Each event has a serial of its own but where it must not, so that none burns another's key."""
    plain, settling = list(enumerate(plain_legs())), list(enumerate(settling_legs()))
    first = leg("A", "B", 1)
    return {
        "dates": DATES,
        "only leg": [Row(code, make.transfer(f"p{at}", leg_), 0, level) for at, (code, leg_, level) in plain],
        "second leg": [Row(code, make.transfer(f"s{at}", first, leg_), 1, level) for at, (code, leg_, level) in plain],
        "settling leg": [
            Row(code, make.transfer(f"b{at}" if code.is_transient else "settling", first, leg_), 1)
            for at, (code, leg_) in settling
        ],
        "opening": openings(),
        "mark": marks(),
        "reversal": reversals(),
        "adjustment": adjustments(),
        "known transfer": known_transfers(),
        "known settlement": known_settlements(),
        "known adjustment": known_adjustments(),
        "known": known_others(),
    }
