"""How the oracle applies one event whose key is new: each leg checked in full, then written, then the next.

The checks of a leg stand in the order of precedence of docs/semantics.md: the first that fails is the event's refusal.
"""

from dataclasses import replace
from typing import Any

from ledger.account_ids import clearing_channel_and_date, is_clearing_account
from ledger.layouts import NOTE_TEXT_BYTES, EntryCode, EntryKind, EventType
from ledger.model_attempt import Attempt
from ledger.model_channels import EPOCH, posting_leg
from ledger.model_events import (
    BOOK,
    LEG_BALANCING_CREDIT,
    LEG_BALANCING_DEBIT,
    LEG_CLOSES,
    LEG_PENDING,
    LEG_POST_PENDING,
    LEG_SETTLES,
    LEG_VOID_PENDING,
    NO_LEG,
    Event,
    Leg,
    LegName,
    Refused,
    require,
)
from ledger.model_keys import compare_account
from ledger.model_state import (
    ACCOUNT_CLOSED,
    ACCOUNT_CREDITS_MUST_NOT_EXCEED_DEBITS,
    ACCOUNT_DEBITS_MUST_NOT_EXCEED_CREDITS,
    GREATEST_BALANCE,
    MAX_LIMIT_LEVELS,
    Account,
    Hold,
    above,
)
from ledger.outcomes import OutcomeCode

NO_ACCOUNT = 0
GREATEST_ACCOUNT = 2**128 - 1
BOTH_LIMITS = ACCOUNT_DEBITS_MUST_NOT_EXCEED_CREDITS | ACCOUNT_CREDITS_MUST_NOT_EXCEED_DEBITS
MARKS = {
    EventType.freeze: EntryKind.freeze,
    EventType.unfreeze: EntryKind.unfreeze,
    EventType.close: EntryKind.close,
}
REVERSIBLE = (EntryKind.transfer, EntryKind.post)


class EventAttempt:
    """One event applied to an ``Attempt``. ``first_open_date`` is the first business date that is not closed."""

    def __init__(self, attempt: Attempt, event: Event, first_open_date: int) -> None:
        self.attempt = attempt
        self.event = event
        self.first_open_date = first_open_date
        self.head: dict[str, Any] = event.key._asdict() | {"value_date": event.value_date, "event_type": event.type}
        if event.opens_accounts:
            self.head["terminal"] = event.head["terminal"]
        self.legs = event.legs

    def apply(self) -> None:
        """Write all entries of the event. Raises Refused with the first leg at fault."""
        match self.event.type:
            case EventType.clock:
                self.attempt.mark(EntryKind.clock, None, self.head | {"leg_count": 1})
            case EventType.open_account:
                self.open_account(self.event.legs[0])
            case EventType.freeze | EventType.unfreeze | EventType.close:
                self.mark_account(self.event.legs[0])
            case EventType.reverse:
                self.reverse(self.event.legs[0])
            case EventType.adjust:
                self.adjust(self.event.legs[0])
            case _:
                if self.event.opens_accounts:
                    self.legs = (posting_leg(self.event, self.attempt.account),)
                for number, leg in enumerate(self.legs):
                    try:
                        self.apply_leg(number, leg)
                    except Refused as refused:
                        refused.leg = number
                        raise

    def apply_leg(self, number: int, leg: Leg) -> None:
        if leg.flags & LEG_SETTLES:
            self.settle(number, leg)
        else:
            self.transfer(number, leg)

    # --- Transfers and holds ---

    def transfer(self, number: int, leg: Leg, own_fields: dict[str, int] | None = None) -> None:
        check_form(leg)
        debit, credit = self.accounts_of(leg)
        require(debit.book == credit.book, OutcomeCode.accounts_must_have_the_same_ledger)
        require(debit.book == leg.book, OutcomeCode.transfer_must_have_the_same_ledger_as_accounts)
        check_open(debit, credit)
        amount_fen = balanced_amount(leg, debit, credit)
        self.check_amount(debit, credit, amount_fen, pending=bool(leg.flags & LEG_PENDING))
        fields = self.leg_fields(number, leg, amount_fen=amount_fen, detail=leg.user_data, code=leg.code) | (own_fields or {})
        debit, credit = self.opened(debit), self.opened(credit)
        if leg.flags & LEG_PENDING:
            name = LegName(self.event.key, number)
            seq = self.attempt.move(EntryKind.pending, debit, credit, fields | {"reference_seq": leg.timeout_s})
            self.attempt.holds[name] = Hold(name, seq)
        else:
            self.attempt.move(EntryKind.transfer, debit, credit, fields)

    def accounts_of(self, leg: Leg) -> tuple[Account, Account]:
        """Return debit and credit account; one that would open with the event stands there new, without a slot."""
        debit, credit = self.attempt.account(leg.debit_account), self.attempt.account(leg.credit_account)
        if self.event.opens_accounts:
            debit = debit or Account(leg.debit_account, slot=-1, flags=leg.debit_opens_with)
            return debit, credit or Account(leg.credit_account, slot=-1, flags=leg.credit_opens_with)
        if not debit:
            raise Refused(OutcomeCode.debit_account_not_found)
        if not credit:
            raise Refused(OutcomeCode.credit_account_not_found)
        return debit, credit

    def opened(self, account: Account) -> Account:
        return account if account.slot >= 0 else self.attempt.open_account(account.id, self.head, flags=account.flags)

    def check_amount(self, debit: Account, credit: Account, amount_fen: int, *, pending: bool) -> None:
        """Refuse an amount that the accounts cannot take: overflows, then limits, then frozen accounts."""
        check_overflow(debit, credit, amount_fen, pending=pending)
        over_debit, over_credit = debit.debits_exceed_credits(amount_fen), credit.credits_exceed_debits(amount_fen)
        require(not over_debit or debit.credit_line_fen > 0, OutcomeCode.exceeds_credits)
        require(not over_credit or credit.credit_line_fen > 0, OutcomeCode.exceeds_debits)
        require(not over_debit and not over_credit, OutcomeCode.credit_line_exceeded)
        for level, parent in enumerate(above(debit, self.attempt.account), 1):
            if 0 < parent.credit_line_fen < parent.group_debits + amount_fen - parent.group_credits:
                raise Refused(OutcomeCode.limit_exceeded, level=level)
        check_not_frozen(debit, credit)

    def settle(self, number: int, leg: Leg) -> None:
        """Post or void a hold."""
        check_settling_form(leg, LegName(self.event.key, number))
        hold = self.hold_of(leg.pending)
        held = self.attempt.entry(hold.seq)
        debit, credit = self.attempt.account_at(held["debit_slot"]), self.attempt.account_at(held["credit_slot"])
        check_same_as_hold(leg, held, debit, credit)
        amount_fen = settled_amount(leg, held["amount_fen"])
        require(hold.is_open, hold.settled_with)
        detail, code = leg.user_data or held["detail"], held["code"]
        fields = self.leg_fields(number, leg, amount_fen=amount_fen, detail=detail, code=code) | {"reference_seq": hold.seq}
        if leg.flags & LEG_VOID_PENDING:
            fields["flags"] |= held["flags"] & LEG_CLOSES
            self.attempt.move(EntryKind.void, debit, credit, fields)
            self.attempt.settle(hold, OutcomeCode.pending_transfer_already_voided)
            return
        check_open(debit, credit)
        check_not_frozen(debit, credit)
        self.attempt.move(EntryKind.post, debit, credit, fields)
        self.attempt.settle(hold, OutcomeCode.pending_transfer_already_posted)
        if amount_fen < held["amount_fen"]:
            self.attempt.move(EntryKind.release, debit, credit, fields | {"amount_fen": held["amount_fen"] - amount_fen})

    def hold_of(self, name: LegName) -> Hold:
        """Return the hold of that name. One that is settled is forgotten when its business date closes; an open one never is."""
        hold = self.attempt.hold(name)
        if hold and (hold.is_open or name.key.business_date >= self.first_open_date):
            return hold
        if name.leg in (entry["leg"] for _, entry in self.entries_of(name)):
            raise Refused(OutcomeCode.pending_transfer_not_pending)
        raise Refused(OutcomeCode.pending_transfer_not_found)

    def entries_of(self, name: LegName) -> list[tuple[int, dict[str, Any]]]:
        """Return the legs of an applied event with their seqs; none where it is not known, or its business date is closed."""
        owner = self.attempt.state.keys.get(name.key)
        if name.key == self.event.key:
            first, last = self.attempt.state.last_seq + 1, self.attempt.last_seq
        elif owner and name.key.business_date >= self.first_open_date:
            first, last = owner.first_seq, owner.last_seq
        else:
            return []
        entries = [(seq, self.attempt.entry(seq)) for seq in range(first, last + 1)]
        return [(seq, entry) for seq, entry in entries if entry["kind"] != EntryKind.release]

    def leg_fields(self, number: int, leg: Leg, **fields: int) -> dict[str, Any]:
        return self.head | {"leg": number, "leg_count": len(self.legs), "flags": leg.flags} | fields

    # --- Reversals ---

    def reverse(self, leg: Leg) -> None:
        """Reverse what is left of an event, or ``amount_fen`` of it, its last leg first."""
        originals = self.entries_of(leg.pending)
        require(bool(originals), OutcomeCode.reversal_not_found)
        require(all(entry["kind"] in REVERSIBLE for _, entry in originals), OutcomeCode.not_reversible)
        require(leg.amount_fen == 0 or len(originals) == 1, OutcomeCode.not_reversible)
        left = [(seq, entry, self.attempt.left_to_reverse(seq)) for seq, entry in reversed(originals)]
        left = [(seq, entry, left_fen) for seq, entry, left_fen in left if left_fen > 0]
        require(bool(left), OutcomeCode.already_reversed)
        require(leg.amount_fen <= left[0][2], OutcomeCode.exceeds_reversible_amount)
        for number, (seq, entry, left_fen) in enumerate(left):
            fields = {"leg": number, "leg_count": len(left), "reference_seq": seq}
            fields |= {"code": entry["code"], "detail": entry["detail"]}
            try:
                self.reverse_entry(entry, leg.amount_fen or left_fen, self.head | fields)
            except Refused as refused:
                refused.leg = number
                raise

    def reverse_entry(self, entry: dict[str, Any], amount_fen: int, fields: dict[str, Any]) -> None:
        debit, credit = self.attempt.account_at(entry["credit_slot"]), self.attempt.account_at(entry["debit_slot"])
        check_open(debit, credit)
        self.check_amount(debit, credit, amount_fen, pending=False)
        left_fen = self.attempt.left_to_reverse(fields["reference_seq"]) - amount_fen
        self.attempt.move(EntryKind.reverse, debit, credit, fields | {"amount_fen": amount_fen})
        self.attempt.reversed_fen[fields["reference_seq"]] = entry["amount_fen"] - left_fen

    # --- Adjustments ---

    def adjust(self, leg: Leg) -> None:
        """Move an amount as a leg of a transfer does, in the book of its accounts, and write the note behind it."""
        disputed = self.entries_of(leg.pending) if leg.pending != NO_LEG else []
        require(bool(disputed) or leg.pending == NO_LEG, OutcomeCode.disputed_event_not_found)
        debit = self.attempt.account(leg.debit_account)
        moving = replace(leg, pending=NO_LEG, book=debit.book if debit else BOOK, code=EntryCode.adjust)
        pieces = [self.event.note[at : at + NOTE_TEXT_BYTES] for at in range(0, len(self.event.note), NOTE_TEXT_BYTES)]
        fields = {"leg_count": 1 + len(pieces), "reference_seq": disputed[0][0] if disputed else 0}
        self.transfer(0, moving, fields)
        for number, piece in enumerate(pieces, 1):
            self.attempt.write_note(self.head | {"leg": number, "leg_count": 1 + len(pieces)}, piece)

    # --- Accounts ---

    def open_account(self, leg: Leg) -> None:
        check_account_id(leg.debit_account)
        known = self.attempt.account(leg.debit_account)
        if known:
            self.meet_open_account(leg, known)
        require(leg.flags & BOTH_LIMITS != BOTH_LIMITS, OutcomeCode.flags_are_mutually_exclusive)
        require(leg.book != 0, OutcomeCode.ledger_must_not_be_zero)
        if leg.credit_account != NO_ACCOUNT:
            parent = self.attempt.account(leg.credit_account)
            if not parent:
                raise Refused(OutcomeCode.credit_account_not_found)
            require(parent.book == leg.book, OutcomeCode.accounts_must_have_the_same_ledger)
            levels = 1 + len(list(above(parent, self.attempt.account)))
            require(levels <= MAX_LIMIT_LEVELS, OutcomeCode.limit_chain_too_long)
        if self.attempt.open_account(leg.debit_account, self.head, leg).closed:
            self.close_date(leg.debit_account)

    def meet_open_account(self, leg: Leg, account: Account) -> None:
        """Answer an ``open_account`` whose account is open already."""
        if leg.flags != account.flags & (BOTH_LIMITS | ACCOUNT_CLOSED):
            raise Refused(OutcomeCode.exists_with_different_flags, seq=account.last_seq)
        for name, equal in compare_account(leg, account):
            if not equal:
                raise Refused(OutcomeCode[f"exists_with_different_{name}"], seq=account.last_seq)
        raise Refused(OutcomeCode.exists, seq=account.last_seq)

    def mark_account(self, leg: Leg) -> None:
        """Freeze, unfreeze or close. Freezing what is frozen, or the reverse of it, is applied and changes nothing."""
        check_account_id(leg.debit_account)
        account = self.attempt.account(leg.debit_account)
        if not account:
            raise Refused(OutcomeCode.debit_account_not_found)
        if self.event.type is EventType.close and account.closed:
            raise Refused(OutcomeCode.debit_account_already_closed)
        if self.event.type is EventType.close:
            require(account.at_zero or not is_clearing_account(account.id), OutcomeCode.balance_not_zero)
            self.close_date(account.id)
        self.attempt.mark(MARKS[self.event.type], account, self.head | {"leg_count": 1})

    def close_date(self, account: int) -> None:
        """A clearing account that is closed for good closes its business date for its channel."""
        if found := clearing_channel_and_date(account):
            channel, business_date = found
            self.attempt.closed_dates.add((channel, (business_date - EPOCH).days))


def check_account_id(id_: int) -> None:
    require(id_ != NO_ACCOUNT, OutcomeCode.debit_account_id_must_not_be_zero)
    require(id_ != GREATEST_ACCOUNT, OutcomeCode.debit_account_id_must_not_be_int_max)


def check_form(leg: Leg) -> None:
    """Refuse a leg that cannot be, whatever the ledger holds."""
    check_account_id(leg.debit_account)
    require(leg.credit_account != NO_ACCOUNT, OutcomeCode.credit_account_id_must_not_be_zero)
    require(leg.credit_account != GREATEST_ACCOUNT, OutcomeCode.credit_account_id_must_not_be_int_max)
    require(leg.debit_account != leg.credit_account, OutcomeCode.accounts_must_be_different)
    require(leg.pending == NO_LEG, OutcomeCode.pending_id_must_be_zero)
    require(leg.flags & LEG_PENDING != 0 or leg.timeout_s == 0, OutcomeCode.timeout_reserved_for_pending_transfer)
    require(leg.flags & LEG_PENDING != 0 or leg.flags & LEG_CLOSES == 0, OutcomeCode.closing_transfer_must_be_pending)
    require(leg.book != 0, OutcomeCode.ledger_must_not_be_zero)
    require(leg.code != 0, OutcomeCode.code_must_not_be_zero)


def check_settling_form(leg: Leg, own_name: LegName) -> None:
    """The same for a leg that posts or voids."""
    require(leg.flags in (LEG_POST_PENDING, LEG_VOID_PENDING), OutcomeCode.flags_are_mutually_exclusive)
    require(leg.pending != NO_LEG, OutcomeCode.pending_id_must_not_be_zero)
    require(leg.pending != own_name, OutcomeCode.pending_id_must_be_different)
    require(leg.timeout_s == 0, OutcomeCode.timeout_reserved_for_pending_transfer)


def check_same_as_hold(leg: Leg, held: dict[str, Any], debit: Account, credit: Account) -> None:
    """Refuse a post or void that names something else than its hold; what it leaves out is the hold's."""
    require(leg.debit_account in (0, debit.id), OutcomeCode.pending_transfer_has_different_debit_account_id)
    require(leg.credit_account in (0, credit.id), OutcomeCode.pending_transfer_has_different_credit_account_id)
    require(leg.book in (0, debit.book), OutcomeCode.pending_transfer_has_different_ledger)
    require(leg.code in (0, held["code"]), OutcomeCode.pending_transfer_has_different_code)


def settled_amount(leg: Leg, held_fen: int) -> int:
    """Return how much of a hold is posted or voided: the greatest amount posts all, zero voids all."""
    if leg.flags & LEG_POST_PENDING:
        amount_fen = held_fen if leg.amount_fen == GREATEST_BALANCE else leg.amount_fen
    else:
        amount_fen = leg.amount_fen or held_fen
    require(amount_fen <= held_fen, OutcomeCode.exceeds_pending_transfer_amount)
    require(leg.flags & LEG_POST_PENDING != 0 or amount_fen == held_fen, OutcomeCode.pending_transfer_has_different_amount)
    return amount_fen


def balanced_amount(leg: Leg, debit: Account, credit: Account) -> int:
    """Return the amount of a leg; of a balancing one, at most what its account has more on the other side."""
    amount_fen = leg.amount_fen
    if leg.flags & LEG_BALANCING_DEBIT:
        amount_fen = min(amount_fen, max(0, debit.credits_posted - debit.debits_posted - debit.debits_pending))
    if leg.flags & LEG_BALANCING_CREDIT:
        amount_fen = min(amount_fen, max(0, credit.debits_posted - credit.credits_posted - credit.credits_pending))
    return amount_fen


def check_open(debit: Account, credit: Account) -> None:
    require(not debit.closed, OutcomeCode.debit_account_already_closed)
    require(not credit.closed, OutcomeCode.credit_account_already_closed)


def check_not_frozen(debit: Account, credit: Account) -> None:
    require(not debit.frozen and not credit.frozen, OutcomeCode.account_frozen)


def check_overflow(debit: Account, credit: Account, amount_fen: int, *, pending: bool) -> None:
    """Refuse what 64 bits do not hold: pending, then posted, then the two together."""
    room_fen = GREATEST_BALANCE - amount_fen
    if pending:
        require(debit.debits_pending <= room_fen, OutcomeCode.overflows_debits_pending)
        require(credit.credits_pending <= room_fen, OutcomeCode.overflows_credits_pending)
    require(debit.debits_posted <= room_fen, OutcomeCode.overflows_debits_posted)
    require(credit.credits_posted <= room_fen, OutcomeCode.overflows_credits_posted)
    require(debit.debits_pending + debit.debits_posted <= room_fen, OutcomeCode.overflows_debits)
    require(credit.credits_pending + credit.credits_posted <= room_fen, OutcomeCode.overflows_credits)
