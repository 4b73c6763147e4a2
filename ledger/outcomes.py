"""What became of an event: ``applied``, ``exists``, or a refusal. The numbers are stored and never change.

Codes from 100 to 199 are TigerBeetle's own wire codes plus 100, with its names; codes from 200 on are ours.
"""

from enum import IntEnum


class OutcomeCode(IntEnum):
    """Outcome of an event, in the order in which refusals are checked: encoding, fields, key, dates, balances."""

    applied = 0
    exists = 1

    # The bytes are no event.
    corrupt_batch = 10
    value_missing = 11
    encoding_unknown = 12
    packed_malformed = 13
    json_malformed = 14
    msgpack_malformed = 15
    field_duplicated = 16

    # The event has not the fields of its type.
    event_type_unknown = 17
    field_unknown = 18
    field_missing = 19
    field_type_wrong = 20

    # The bytes are an event whose fields cannot be.
    channel_unknown = 31
    business_date_invalid = 32
    value_date_invalid = 33
    serial_malformed = 34
    household_not_13_digits = 35
    amount_not_positive = 36
    amount_too_great = 37
    outlet_malformed = 38
    period_invalid = 39
    due_date_invalid = 40
    terminal_unknown = 46
    payer_malformed = 47
    payee_malformed = 48
    amount_outside_limits = 49

    # The legs of a ledger event cannot be.
    account_malformed = 41
    leg_count_wrong = 42
    leg_field_malformed = 43
    event_of_another_channel = 44
    reversal_window_closed = 45
    allowance_malformed = 50
    reason_malformed = 51
    second_person_missing = 52
    reserved_flag = 104

    # The business date is not open.
    business_date_in_future = 201
    business_date_closed = 200

    # The key, or the account to open, is known.
    id_already_failed = 168
    exists_with_different_flags = 136
    exists_with_different_pending_id = 140
    exists_with_different_timeout = 144
    exists_with_different_debit_account_id = 137
    exists_with_different_credit_account_id = 138
    exists_with_different_amount = 139
    exists_with_different_user_data_64 = 142
    exists_with_different_note = 217
    exists_with_different_outlet = 210
    exists_with_different_period = 211
    exists_with_different_due_date = 212
    exists_with_different_terminal = 215
    exists_with_different_value_date = 213
    exists_with_different_ledger = 167
    exists_with_different_code = 145

    # What is adjusted does not exist.
    disputed_event_not_found = 218

    # A leg contradicts itself.
    flags_are_mutually_exclusive = 107
    debit_account_id_must_not_be_zero = 108
    debit_account_id_must_not_be_int_max = 109
    credit_account_id_must_not_be_zero = 110
    credit_account_id_must_not_be_int_max = 111
    accounts_must_be_different = 112
    pending_id_must_be_zero = 113
    pending_id_must_not_be_zero = 114
    pending_id_must_be_different = 116
    timeout_reserved_for_pending_transfer = 117
    closing_transfer_must_be_pending = 164
    ledger_must_not_be_zero = 119
    code_must_not_be_zero = 120

    # What a leg names does not fit.
    debit_account_not_found = 121
    credit_account_not_found = 122
    accounts_must_have_the_same_ledger = 123
    transfer_must_have_the_same_ledger_as_accounts = 124
    limit_chain_too_long = 214
    pending_transfer_not_found = 125
    pending_transfer_not_pending = 126
    pending_transfer_has_different_debit_account_id = 127
    pending_transfer_has_different_credit_account_id = 128
    pending_transfer_has_different_ledger = 129
    pending_transfer_has_different_code = 130
    exceeds_pending_transfer_amount = 131
    pending_transfer_has_different_amount = 132
    pending_transfer_already_posted = 133
    pending_transfer_already_voided = 134
    pending_transfer_expired = 135
    reversal_not_found = 203
    not_reversible = 209
    already_reversed = 204
    exceeds_reversible_amount = 205

    # The accounts cannot take it.
    debit_account_already_closed = 165
    credit_account_already_closed = 166
    balance_not_zero = 216
    overflows_debits_pending = 147
    overflows_credits_pending = 148
    overflows_debits_posted = 149
    overflows_credits_posted = 150
    overflows_debits = 151
    overflows_credits = 152
    overflows_timeout = 153
    exceeds_credits = 154
    exceeds_debits = 155
    credit_line_exceeded = 206
    limit_exceeded = 207
    account_frozen = 208

    @property
    def sentence(self) -> str:
        """The outcome for a person, without a full stop."""
        return SENTENCES[self]

    @property
    def is_refusal(self) -> bool:
        return self > OutcomeCode.exists

    @property
    def is_transient(self) -> bool:
        """Whether the reason may pass. Such a refusal burns the key: the event answers ``id_already_failed`` for ever."""
        return self in TRANSIENT


SENTENCES: dict[OutcomeCode, str] = {
    OutcomeCode.applied: "applied",
    OutcomeCode.exists: "the same event was applied before; nothing changed",
    OutcomeCode.corrupt_batch: "the record batch is damaged, and an operator let the engine go on",
    OutcomeCode.value_missing: "the record has no value (a tombstone) or an empty one",
    OutcomeCode.encoding_unknown: "the first byte is neither JSON, MessagePack nor the packed layout",
    OutcomeCode.packed_malformed: "a packed event has the wrong length, or bytes set that must be zero",
    OutcomeCode.json_malformed: "not one JSON object in UTF-8 of at most 262,144 bytes that nests at most 4 deep",
    OutcomeCode.msgpack_malformed: "not one MessagePack map or array of at most 262,144 bytes that nests at most 4 deep",
    OutcomeCode.field_duplicated: "a field stands in the event twice",
    OutcomeCode.event_type_unknown: "the event type is not known",
    OutcomeCode.field_unknown: "the event has a field that its type does not have",
    OutcomeCode.field_missing: "a required field is missing",
    OutcomeCode.field_type_wrong: "a field has a value of the wrong type",
    OutcomeCode.channel_unknown: "the channel is not known, or does not publish this type of event",
    OutcomeCode.business_date_invalid: "the business date does not exist, or lies outside 1970-01-02 to 2149-06-06",
    OutcomeCode.value_date_invalid: "the value date does not exist, or lies outside 1970-01-02 to 2149-06-06",
    OutcomeCode.serial_malformed: "the serial is not in the form of its channel",
    OutcomeCode.household_not_13_digits: "the household number does not have 13 digits",
    OutcomeCode.amount_not_positive: "the amount is zero or negative",
    OutcomeCode.amount_too_great: "the amount does not fit 63 bits",
    OutcomeCode.outlet_malformed: "the outlet number is not 1 to 18 digits, or is zero",
    OutcomeCode.period_invalid: "the billing period is not a month from 1970-01 to 2149-12",
    OutcomeCode.due_date_invalid: "the due date does not exist, or lies outside 1970-01-02 to 2149-06-06",
    OutcomeCode.terminal_unknown: "the channel has no such kind of terminal, or none that publishes this type of event",
    OutcomeCode.payer_malformed: "the payer is missing, no number of the channel's form, or named where none pays",
    OutcomeCode.payee_malformed: "the payee is not a number of the channel's form",
    OutcomeCode.amount_outside_limits: "the amount lies outside the channel's limits for one payment",
    OutcomeCode.exists_with_different_debit_account_id: "the key is known with another debit account",
    OutcomeCode.exists_with_different_credit_account_id: "the key is known with another credit account",
    OutcomeCode.exists_with_different_amount: "the key is known with another amount",
    OutcomeCode.exists_with_different_outlet: "the key is known with another outlet",
    OutcomeCode.exists_with_different_period: "the key is known with another billing period",
    OutcomeCode.exists_with_different_due_date: "the key is known with another due date",
    OutcomeCode.exists_with_different_terminal: "the key is known with another kind of terminal",
    OutcomeCode.exists_with_different_value_date: "the key is known with another value date",
    OutcomeCode.exists_with_different_code: "the key is known with another event type",
    OutcomeCode.id_already_failed: "the key failed before, for a reason that could pass; send a new serial",
    OutcomeCode.overflows_debits_posted: "the debit account's posted debits would exceed 64 bits",
    OutcomeCode.overflows_credits_posted: "the credit account's posted credits would exceed 64 bits",
    OutcomeCode.business_date_closed: "the books of the business date are closed",
    OutcomeCode.business_date_in_future: "the business date lies in the future",
    OutcomeCode.account_malformed: "an account is not kind:number",
    OutcomeCode.leg_count_wrong: "the event has no leg, more than 254, or more than its type has",
    OutcomeCode.leg_field_malformed: "a field of a leg is out of its range, or set where its event type has none",
    OutcomeCode.event_of_another_channel: "the channel names an event of another channel, and may name its own only",
    OutcomeCode.reversal_window_closed: "the business date lies before that of the event to reverse, or too long after it",
    OutcomeCode.allowance_malformed: "allowed_by is not 1 to 4 different names of 1 to 32 bytes",
    OutcomeCode.reason_malformed: "the reason is not 1 to 200 bytes of text",
    OutcomeCode.second_person_missing: "an amount as great as this needs the allowance of two persons",
    OutcomeCode.reserved_flag: "a flag is not known",
    OutcomeCode.exists_with_different_flags: "the key or account is known with other flags",
    OutcomeCode.exists_with_different_pending_id: "the key is known with another hold",
    OutcomeCode.exists_with_different_timeout: "the key is known with another timeout",
    OutcomeCode.exists_with_different_user_data_64: "the key is known with other user data",
    OutcomeCode.exists_with_different_note: "the key is known with other persons or another reason",
    OutcomeCode.disputed_event_not_found: "the event in dispute does not exist",
    OutcomeCode.exists_with_different_ledger: "the key or account is known in another book",
    OutcomeCode.flags_are_mutually_exclusive: "two flags exclude each other",
    OutcomeCode.debit_account_id_must_not_be_zero: "a debit account is missing",
    OutcomeCode.debit_account_id_must_not_be_int_max: "the debit account is the greatest id, which is reserved",
    OutcomeCode.credit_account_id_must_not_be_zero: "a credit account is missing",
    OutcomeCode.credit_account_id_must_not_be_int_max: "the credit account is the greatest id, which is reserved",
    OutcomeCode.accounts_must_be_different: "debit and credit account are the same",
    OutcomeCode.pending_id_must_be_zero: "a hold is named where none is posted or voided",
    OutcomeCode.pending_id_must_not_be_zero: "a post or void names no hold",
    OutcomeCode.pending_id_must_be_different: "a post or void names itself",
    OutcomeCode.timeout_reserved_for_pending_transfer: "only a pending transfer has a timeout",
    OutcomeCode.closing_transfer_must_be_pending: "a closing transfer is not pending",
    OutcomeCode.ledger_must_not_be_zero: "the book is missing",
    OutcomeCode.code_must_not_be_zero: "the code is missing",
    OutcomeCode.debit_account_not_found: "the debit account is not open",
    OutcomeCode.credit_account_not_found: "the credit account is not open",
    OutcomeCode.accounts_must_have_the_same_ledger: "the accounts belong to different books",
    OutcomeCode.transfer_must_have_the_same_ledger_as_accounts: "the leg names another book than its accounts",
    OutcomeCode.limit_chain_too_long: "the account would have more than 8 limits above it",
    OutcomeCode.pending_transfer_not_found: "the hold does not exist",
    OutcomeCode.pending_transfer_not_pending: "what is posted or voided is no hold",
    OutcomeCode.pending_transfer_has_different_debit_account_id: "the hold has another debit account",
    OutcomeCode.pending_transfer_has_different_credit_account_id: "the hold has another credit account",
    OutcomeCode.pending_transfer_has_different_ledger: "the hold is in another book",
    OutcomeCode.pending_transfer_has_different_code: "the hold has another code",
    OutcomeCode.exceeds_pending_transfer_amount: "more than the hold",
    OutcomeCode.pending_transfer_has_different_amount: "a void names another amount than the hold's",
    OutcomeCode.pending_transfer_already_posted: "the hold was posted before",
    OutcomeCode.pending_transfer_already_voided: "the hold was voided before",
    OutcomeCode.pending_transfer_expired: "the hold expired",
    OutcomeCode.debit_account_already_closed: "the debit account is closed",
    OutcomeCode.credit_account_already_closed: "the credit account is closed",
    OutcomeCode.balance_not_zero: "a clearing account is to be closed, but is not at zero, posted and pending",
    OutcomeCode.overflows_debits_pending: "the debit account's pending debits would exceed 64 bits",
    OutcomeCode.overflows_credits_pending: "the credit account's pending credits would exceed 64 bits",
    OutcomeCode.overflows_debits: "the debit account's debits would exceed 64 bits",
    OutcomeCode.overflows_credits: "the credit account's credits would exceed 64 bits",
    OutcomeCode.overflows_timeout: "the hold would expire beyond the end of time",
    OutcomeCode.exceeds_credits: "the debit account may not have more debits than credits",
    OutcomeCode.exceeds_debits: "the credit account may not have more credits than debits",
    OutcomeCode.reversal_not_found: "the event to reverse does not exist",
    OutcomeCode.not_reversible: "the event to reverse is no posted transfer, or has more legs than an amount fits",
    OutcomeCode.already_reversed: "nothing is left of the event to reverse",
    OutcomeCode.exceeds_reversible_amount: "more than is left of the event to reverse",
    OutcomeCode.credit_line_exceeded: "the account's credit line is used up",
    OutcomeCode.limit_exceeded: "a limit above the account is used up",
    OutcomeCode.account_frozen: "an account is frozen",
}

TRANSIENT = frozenset(
    {
        OutcomeCode.disputed_event_not_found,
        OutcomeCode.debit_account_not_found,
        OutcomeCode.credit_account_not_found,
        OutcomeCode.pending_transfer_not_found,
        OutcomeCode.reversal_not_found,
        OutcomeCode.debit_account_already_closed,
        OutcomeCode.credit_account_already_closed,
        OutcomeCode.balance_not_zero,
        OutcomeCode.exceeds_credits,
        OutcomeCode.exceeds_debits,
        OutcomeCode.credit_line_exceeded,
        OutcomeCode.limit_exceeded,
        OutcomeCode.account_frozen,
    }
)
