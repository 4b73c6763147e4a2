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

    # The key is known.
    exists_with_different_debit_account_id = 137
    exists_with_different_credit_account_id = 138
    exists_with_different_amount = 139
    exists_with_different_outlet = 141
    exists_with_different_period = 142
    exists_with_different_due_date = 143
    exists_with_different_value_date = 144
    exists_with_different_code = 145
    id_already_failed = 168

    # The ledger cannot take it.
    overflows_debits_posted = 149
    overflows_credits_posted = 150

    # Ours.
    business_date_closed = 200
    business_date_in_future = 201

    @property
    def sentence(self) -> str:
        """The outcome for a person, without a full stop."""
        return SENTENCES[self]

    @property
    def is_refusal(self) -> bool:
        return self > OutcomeCode.exists


SENTENCES: dict[OutcomeCode, str] = {
    OutcomeCode.applied: "applied",
    OutcomeCode.exists: "the same event was applied before; nothing changed",
    OutcomeCode.corrupt_batch: "the record batch is damaged, and an operator let the engine go on",
    OutcomeCode.value_missing: "the record has no value (a tombstone) or an empty one",
    OutcomeCode.encoding_unknown: "the first byte is neither JSON, MessagePack nor the packed layout",
    OutcomeCode.packed_malformed: "a packed event has the wrong length, or bytes set that must be zero",
    OutcomeCode.json_malformed: "not one flat JSON object in UTF-8 of at most 65,536 bytes",
    OutcomeCode.msgpack_malformed: "not one flat MessagePack map or array of at most 65,536 bytes",
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
    OutcomeCode.exists_with_different_debit_account_id: "the key is known with another debit account",
    OutcomeCode.exists_with_different_credit_account_id: "the key is known with another credit account",
    OutcomeCode.exists_with_different_amount: "the key is known with another amount",
    OutcomeCode.exists_with_different_outlet: "the key is known with another outlet",
    OutcomeCode.exists_with_different_period: "the key is known with another billing period",
    OutcomeCode.exists_with_different_due_date: "the key is known with another due date",
    OutcomeCode.exists_with_different_value_date: "the key is known with another value date",
    OutcomeCode.exists_with_different_code: "the key is known with another event type",
    OutcomeCode.id_already_failed: "the key failed before, for a reason that could pass; send a new serial",
    OutcomeCode.overflows_debits_posted: "the debit account's posted debits would exceed 64 bits",
    OutcomeCode.overflows_credits_posted: "the credit account's posted credits would exceed 64 bits",
    OutcomeCode.business_date_closed: "the books of the business date are closed",
    OutcomeCode.business_date_in_future: "the business date lies in the future",
}
