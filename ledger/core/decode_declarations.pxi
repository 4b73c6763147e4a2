# What decoding owns: the channels that it knows, and what an event becomes. Part of _core.pxd.

# The numbers of ledger.outcomes.OutcomeCode; a test holds the two against each other.
cdef enum outcome_code:
    OUTCOME_APPLIED = 0
    OUTCOME_EXISTS = 1
    OUTCOME_CORRUPT_BATCH = 10
    OUTCOME_VALUE_MISSING = 11
    OUTCOME_ENCODING_UNKNOWN = 12
    OUTCOME_PACKED_MALFORMED = 13
    OUTCOME_JSON_MALFORMED = 14
    OUTCOME_MSGPACK_MALFORMED = 15
    OUTCOME_FIELD_DUPLICATED = 16
    OUTCOME_EVENT_TYPE_UNKNOWN = 17
    OUTCOME_FIELD_UNKNOWN = 18
    OUTCOME_FIELD_MISSING = 19
    OUTCOME_FIELD_TYPE_WRONG = 20
    OUTCOME_CHANNEL_UNKNOWN = 31
    OUTCOME_BUSINESS_DATE_INVALID = 32
    OUTCOME_VALUE_DATE_INVALID = 33
    OUTCOME_SERIAL_MALFORMED = 34
    OUTCOME_HOUSEHOLD_NOT_13_DIGITS = 35
    OUTCOME_AMOUNT_NOT_POSITIVE = 36
    OUTCOME_AMOUNT_TOO_GREAT = 37
    OUTCOME_OUTLET_MALFORMED = 38
    OUTCOME_PERIOD_INVALID = 39
    OUTCOME_DUE_DATE_INVALID = 40
    OUTCOME_ACCOUNT_MALFORMED = 41
    OUTCOME_LEG_COUNT_WRONG = 42
    OUTCOME_LEG_FIELD_MALFORMED = 43
    OUTCOME_EVENT_OF_ANOTHER_CHANNEL = 44
    OUTCOME_REVERSAL_WINDOW_CLOSED = 45
    OUTCOME_TERMINAL_UNKNOWN = 46
    OUTCOME_PAYER_MALFORMED = 47
    OUTCOME_PAYEE_MALFORMED = 48
    OUTCOME_AMOUNT_OUTSIDE_LIMITS = 49
    OUTCOME_ALLOWANCE_MALFORMED = 50
    OUTCOME_REASON_MALFORMED = 51
    OUTCOME_SECOND_PERSON_MISSING = 52
    OUTCOME_RESERVED_FLAG = 104
    OUTCOME_BUSINESS_DATE_IN_FUTURE = 201
    OUTCOME_BUSINESS_DATE_CLOSED = 200
    OUTCOME_ID_ALREADY_FAILED = 168
    OUTCOME_EXISTS_WITH_DIFFERENT_FLAGS = 136
    OUTCOME_EXISTS_WITH_DIFFERENT_PENDING_ID = 140
    OUTCOME_EXISTS_WITH_DIFFERENT_TIMEOUT = 144
    OUTCOME_EXISTS_WITH_DIFFERENT_DEBIT_ACCOUNT_ID = 137
    OUTCOME_EXISTS_WITH_DIFFERENT_CREDIT_ACCOUNT_ID = 138
    OUTCOME_EXISTS_WITH_DIFFERENT_AMOUNT = 139
    OUTCOME_EXISTS_WITH_DIFFERENT_USER_DATA_64 = 142
    OUTCOME_EXISTS_WITH_DIFFERENT_NOTE = 217
    OUTCOME_EXISTS_WITH_DIFFERENT_OUTLET = 210
    OUTCOME_EXISTS_WITH_DIFFERENT_PERIOD = 211
    OUTCOME_EXISTS_WITH_DIFFERENT_DUE_DATE = 212
    OUTCOME_EXISTS_WITH_DIFFERENT_TERMINAL = 215
    OUTCOME_EXISTS_WITH_DIFFERENT_VALUE_DATE = 213
    OUTCOME_EXISTS_WITH_DIFFERENT_LEDGER = 167
    OUTCOME_EXISTS_WITH_DIFFERENT_CODE = 145
    OUTCOME_DISPUTED_EVENT_NOT_FOUND = 218
    OUTCOME_FLAGS_ARE_MUTUALLY_EXCLUSIVE = 107
    OUTCOME_DEBIT_ACCOUNT_ID_MUST_NOT_BE_ZERO = 108
    OUTCOME_DEBIT_ACCOUNT_ID_MUST_NOT_BE_INT_MAX = 109
    OUTCOME_CREDIT_ACCOUNT_ID_MUST_NOT_BE_ZERO = 110
    OUTCOME_CREDIT_ACCOUNT_ID_MUST_NOT_BE_INT_MAX = 111
    OUTCOME_ACCOUNTS_MUST_BE_DIFFERENT = 112
    OUTCOME_PENDING_ID_MUST_BE_ZERO = 113
    OUTCOME_PENDING_ID_MUST_NOT_BE_ZERO = 114
    OUTCOME_PENDING_ID_MUST_BE_DIFFERENT = 116
    OUTCOME_TIMEOUT_RESERVED_FOR_PENDING_TRANSFER = 117
    OUTCOME_CLOSING_TRANSFER_MUST_BE_PENDING = 164
    OUTCOME_LEDGER_MUST_NOT_BE_ZERO = 119
    OUTCOME_CODE_MUST_NOT_BE_ZERO = 120
    OUTCOME_DEBIT_ACCOUNT_NOT_FOUND = 121
    OUTCOME_CREDIT_ACCOUNT_NOT_FOUND = 122
    OUTCOME_ACCOUNTS_MUST_HAVE_THE_SAME_LEDGER = 123
    OUTCOME_TRANSFER_MUST_HAVE_THE_SAME_LEDGER_AS_ACCOUNTS = 124
    OUTCOME_LIMIT_CHAIN_TOO_LONG = 214
    OUTCOME_PENDING_TRANSFER_NOT_FOUND = 125
    OUTCOME_PENDING_TRANSFER_NOT_PENDING = 126
    OUTCOME_PENDING_TRANSFER_HAS_DIFFERENT_DEBIT_ACCOUNT_ID = 127
    OUTCOME_PENDING_TRANSFER_HAS_DIFFERENT_CREDIT_ACCOUNT_ID = 128
    OUTCOME_PENDING_TRANSFER_HAS_DIFFERENT_LEDGER = 129
    OUTCOME_PENDING_TRANSFER_HAS_DIFFERENT_CODE = 130
    OUTCOME_EXCEEDS_PENDING_TRANSFER_AMOUNT = 131
    OUTCOME_PENDING_TRANSFER_HAS_DIFFERENT_AMOUNT = 132
    OUTCOME_PENDING_TRANSFER_ALREADY_POSTED = 133
    OUTCOME_PENDING_TRANSFER_ALREADY_VOIDED = 134
    OUTCOME_PENDING_TRANSFER_EXPIRED = 135
    OUTCOME_REVERSAL_NOT_FOUND = 203
    OUTCOME_NOT_REVERSIBLE = 209
    OUTCOME_ALREADY_REVERSED = 204
    OUTCOME_EXCEEDS_REVERSIBLE_AMOUNT = 205
    OUTCOME_DEBIT_ACCOUNT_ALREADY_CLOSED = 165
    OUTCOME_CREDIT_ACCOUNT_ALREADY_CLOSED = 166
    OUTCOME_BALANCE_NOT_ZERO = 216
    OUTCOME_OVERFLOWS_DEBITS_PENDING = 147
    OUTCOME_OVERFLOWS_CREDITS_PENDING = 148
    OUTCOME_OVERFLOWS_DEBITS_POSTED = 149
    OUTCOME_OVERFLOWS_CREDITS_POSTED = 150
    OUTCOME_OVERFLOWS_DEBITS = 151
    OUTCOME_OVERFLOWS_CREDITS = 152
    OUTCOME_OVERFLOWS_TIMEOUT = 153
    OUTCOME_EXCEEDS_CREDITS = 154
    OUTCOME_EXCEEDS_DEBITS = 155
    OUTCOME_CREDIT_LINE_EXCEEDED = 206
    OUTCOME_LIMIT_EXCEEDED = 207
    OUTCOME_ACCOUNT_FROZEN = 208

cdef enum:
    DECODE_SLOW = 0xFFFF        # a reader leaves this value to the next one
    DECODE_NO_MEMORY = 0xFFFD   # decode_event_slow could not look at it
    CHANNEL_NAME_BYTES = 32
    CHANNEL_NAME_SLOTS = 1024
    MAX_TERMINALS = 8           # of a channel
    UNKNOWN_TERMINAL = 255
    RENDERED_SERIAL_BYTES = 36  # the longest text of a serial

cdef struct posting_rule:       # how the events of one kind of terminal are posted
    uint64_t payer_least        # the payers are payer_count numbers from here on; a payment by the clearing account names 0
    uint64_t payer_count
    uint64_t payer_high         # the upper half of the ids of the accounts that pay; 0: the clearing account pays
    uint64_t payee_count        # the accounts to top up are numbered from 1; 0: there are none
    uint64_t payee_high
    uint32_t timeout_s          # of an instruction
    bint is_instruction         # payments are held until they are confirmed
    bint is_float

cdef struct channel_profile:
    uint8_t serial_form         # SERIAL_FORM_*; 0: there is no such channel
    uint32_t publishes          # a bit for each EVENT_TYPE_*
    uint16_t reversal_days      # how many business dates after its original a reversal may come
    bint names_any_event        # post, void and reverse may name events of other channels, at any time
    uint8_t terminal_count
    uint8_t plain_terminals     # a bit for each whose payments the clearing account pays at once
    uint64_t least_fen          # of a payment
    uint64_t span_fen           # how much more it may be
    uint64_t one_person_fen     # the greatest adjustment that one person may allow
    posting_rule rules[MAX_TERMINALS]
    uint8_t terminal_name_bytes[MAX_TERMINALS]
    char terminal_names[MAX_TERMINALS][CHANNEL_NAME_BYTES]
    uint8_t name_bytes
    char name[CHANNEL_NAME_BYTES]
    uint64_t name_head          # its first and its last eight bytes
    uint64_t name_tail

cdef struct channel_table:
    channel_profile profiles[256]               # by channel code
    uint8_t code_by_name[CHANNEL_NAME_SLOTS]    # open addressing; 0 empty
    PyObject *channels                          # owned: the tuple that the table was filled from

cdef class EventDecoder:
    cdef channel_table table

cdef int channel_table_fill(channel_table *table, object channels) except -1
cdef void channel_table_clear(channel_table *table) noexcept
cdef uint16_t channel_by_name(const channel_table *table, const char *name, size_t name_bytes) noexcept nogil
cdef uint16_t decode_event(
    const uint8_t *value, int64_t value_bytes, const channel_table *channels, packed_event *event
) noexcept nogil
cdef uint16_t decode_event_slow(
    const uint8_t *value, int64_t value_bytes, const channel_table *channels, packed_event *event, packed_leg *legs
) noexcept
cdef int render_serial(const uint8_t *serial, int form, char *out) noexcept nogil
