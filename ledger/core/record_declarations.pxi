# The records and constants of record_layout.h, as Cython sees them. Part of _core.pxd.

cdef extern from "ledger/record_layout.h" nogil:
    ctypedef struct packed_event:
        uint8_t version
        uint8_t event_type
        uint16_t channel
        uint16_t business_date
        uint16_t value_date
        uint8_t serial[16]
        uint64_t household
        int64_t amount_fen
        uint64_t detail
        uint64_t payer
        uint8_t terminal
        uint8_t reserved[7]

    ctypedef struct packed_leg:
        uint8_t debit_account[16]
        uint8_t credit_account[16]
        uint64_t amount_fen
        uint64_t user_data
        uint8_t pending_serial[16]
        uint16_t pending_channel
        uint16_t pending_business_date
        uint8_t pending_leg
        uint8_t reserved
        uint16_t flags
        uint32_t timeout_s
        uint16_t book
        uint16_t code

    ctypedef struct journal_entry:
        uint8_t serial[16]
        uint64_t amount_fen
        uint64_t debit_previous_seq
        uint64_t credit_previous_seq
        int64_t ledger_time_ms
        int64_t source_offset
        uint64_t reference_seq
        uint64_t detail
        uint32_t debit_slot
        uint32_t credit_slot
        uint16_t business_date
        uint16_t value_date
        uint16_t channel
        uint16_t code
        uint8_t kind
        uint8_t event_type
        uint8_t leg
        uint8_t leg_count
        uint16_t flags
        uint8_t terminal
        uint8_t reserved

    ctypedef struct journal_note:
        uint8_t serial[16]
        uint64_t amount_fen
        uint8_t text[16]
        int64_t ledger_time_ms
        int64_t source_offset
        uint8_t more_text[16]
        uint32_t debit_slot
        uint32_t credit_slot
        uint16_t business_date
        uint16_t value_date
        uint16_t channel
        uint16_t code
        uint8_t kind
        uint8_t event_type
        uint8_t leg
        uint8_t leg_count
        uint16_t flags
        uint8_t terminal
        uint8_t reserved

    ctypedef struct outcome_record:
        uint8_t serial[16]
        int64_t source_offset
        uint64_t seq
        int64_t record_timestamp_ms
        uint32_t payload_offset
        uint32_t payload_bytes
        uint16_t code
        uint16_t first_code
        uint16_t channel
        uint16_t business_date
        uint8_t event_type
        uint8_t payload_kind
        uint8_t leg
        uint8_t level
        uint8_t reserved[4]

    ctypedef struct digest_record:
        uint64_t block
        uint8_t digest[32]
        uint8_t reserved[8]

    ctypedef struct frame_header:
        uint32_t magic
        uint32_t crc32c
        uint32_t frame_bytes
        uint32_t entry_count
        uint32_t outcome_count
        uint32_t digest_count
        uint32_t payload_bytes
        uint32_t reserved
        uint64_t frame_number
        uint64_t segment_number
        uint64_t first_seq
        uint64_t epoch
        int64_t ledger_time_ms
        int64_t next_offset
        uint64_t records_consumed
        uint64_t events_applied
        uint64_t events_existing
        uint64_t events_refused
        uint64_t rules_digest
        uint8_t reserved_tail[8]

    ctypedef struct segment_header:
        uint32_t magic
        uint32_t crc32c
        uint32_t format_version
        uint32_t close_after_days
        uint8_t ledger_id[16]
        uint64_t segment_number
        uint64_t first_frame_number
        uint64_t first_seq
        uint64_t epoch
        uint64_t segment_bytes
        uint64_t previous_segment_end
        int32_t utc_offset_minutes
        uint32_t future_days
        uint8_t last_digest[32]
        uint64_t hash_seed
        char source[128]

    ctypedef struct index_header:
        uint32_t magic
        uint32_t crc32c
        uint32_t format_version
        uint32_t reserved
        uint8_t ledger_id[16]
        uint64_t segment_number
        uint64_t segment_end
        uint64_t frame_count
        uint64_t reserved_tail

    ctypedef struct frame_place:
        uint64_t first_seq
        uint64_t byte_offset

    ctypedef struct account_record:
        uint64_t id_low
        uint64_t id_high
        uint64_t debits_pending
        uint64_t debits_posted
        uint64_t credits_pending
        uint64_t credits_posted
        uint64_t last_seq
        uint16_t book
        uint16_t flags
        uint32_t limit_index

    ctypedef struct account_block_header:
        uint64_t last_seq
        uint32_t block
        uint32_t account_count

    ctypedef struct account_slot_record:
        uint32_t slot
        uint32_t reserved

    ctypedef struct balance_meta:
        uint32_t magic
        uint32_t format_version
        uint8_t ledger_id[16]
        uint64_t epoch
        uint64_t watermark_seq
        uint64_t watermark_frame
        int64_t ledger_time_ms
        int64_t next_offset
        uint64_t records_consumed
        uint64_t events_applied
        uint64_t events_existing
        uint64_t events_refused
        uint32_t account_count
        uint32_t clean
        uint8_t state_digest[16]
        char boot_id[40]

    ctypedef struct outlet_total:
        uint64_t payments
        uint64_t payments_fen
        uint64_t reversals
        uint64_t reversals_fen

    ctypedef struct key_slot:
        uint8_t serial[16]
        uint64_t content_hash
        uint64_t seq_and_channel

    ctypedef struct key_line:
        uint16_t tags[16]
        uint16_t places[16]

    ctypedef struct key_table_header:
        uint32_t magic
        uint32_t crc32c
        uint32_t format_version
        uint32_t business_date
        uint64_t hash_seed
        uint8_t ledger_id[16]
        uint32_t part_count
        uint32_t parts_crc32c

    ctypedef struct key_part_record:
        uint32_t depth
        uint32_t units
        uint32_t keys
        uint32_t crc32c

    ctypedef struct key_checkpoint:
        uint32_t magic
        uint32_t crc32c
        uint32_t format_version
        uint32_t reserved
        uint8_t ledger_id[16]
        uint64_t watermark_seq
        uint64_t watermark_frame

    ctypedef struct posting_state_header:
        uint32_t magic
        uint32_t crc32c
        uint32_t format_version
        uint32_t reserved
        uint8_t ledger_id[16]
        uint64_t watermark_seq
        uint64_t watermark_frame
        uint64_t hold_count
        uint64_t reversal_count
        uint64_t limit_count

    ctypedef struct hold_record:
        uint8_t serial[16]
        uint64_t seq
        uint64_t amount_fen
        uint64_t detail
        int64_t due_ms
        uint32_t debit_slot
        uint32_t credit_slot
        uint16_t channel
        uint16_t business_date
        uint16_t value_date
        uint16_t code
        uint16_t flags
        uint8_t leg
        uint8_t event_type
        uint8_t reserved[4]

    ctypedef struct reversal_place:
        uint64_t seq
        uint64_t reversed_fen

    ctypedef struct limit_place:
        uint32_t slot
        uint32_t parent
        uint64_t credit_line_fen

    ctypedef struct owner_record:
        uint32_t magic
        uint32_t format_version
        uint64_t epoch
        uint64_t pid
        int64_t since_ms
        char host[64]
        char boot_id[40]

    const uint64_t AMOUNT_MAX

    enum:
        KEY_UNIT_BYTES
        KEY_UNIT_LINES
        KEY_UNIT_SLOTS
        KEY_LINE_PLACES
        FORMAT_VERSION
        BALANCE_FORMAT_VERSION
        KEY_FORMAT_VERSION
        PACKED_EVENT_VERSION
        EVENT_TYPE_BILL
        EVENT_TYPE_PAYMENT
        SERIAL_FORM_DIGITS
        SERIAL_FORM_UUID
        SERIAL_FORM_ASCII
        ACCOUNT_KIND_HOUSEHOLD
        ACCOUNT_KIND_CLEARING
        ACCOUNT_KIND_REVENUE
        ACCOUNT_DEBITS_MUST_NOT_EXCEED_CREDITS
        ACCOUNT_CREDITS_MUST_NOT_EXCEED_DEBITS
        ACCOUNT_CLOSED
        ACCOUNT_FROZEN
        ACCOUNT_LIMITED
        ENTRY_KIND_OPEN_ACCOUNT
        ENTRY_KIND_TRANSFER
        ENTRY_CODE_OPEN_ACCOUNT
        ENTRY_CODE_BILL
        ENTRY_CODE_PAYMENT
        ENTRY_CODE_TOP_UP
        ENTRY_CODE_OPEN_FLOAT
        ENTRY_CODE_COUNT_FLOAT
        ENTRY_CODE_BANK_FLOAT
        ENTRY_CODE_ADJUST
        EVENT_TYPE_OPEN_ACCOUNT
        EVENT_TYPE_TRANSFER
        EVENT_TYPE_POST
        EVENT_TYPE_VOID
        EVENT_TYPE_REVERSE
        EVENT_TYPE_FREEZE
        EVENT_TYPE_UNFREEZE
        EVENT_TYPE_CLOSE
        EVENT_TYPE_CLOCK
        EVENT_TYPE_TOP_UP
        EVENT_TYPE_OPEN_FLOAT
        EVENT_TYPE_COUNT_FLOAT
        EVENT_TYPE_BANK_FLOAT
        EVENT_TYPE_ADJUST
        MAX_LEGS
        LEG_PENDING
        LEG_POST_PENDING
        LEG_VOID_PENDING
        LEG_BALANCING_DEBIT
        LEG_BALANCING_CREDIT
        LEG_CLOSING_DEBIT
        LEG_CLOSING_CREDIT
        ACCOUNT_KIND_LEDGER
        ACCOUNT_KIND_CARD
        ACCOUNT_KIND_OUTLET
        ACCOUNT_KIND_AGENCY
        ACCOUNT_KIND_OPERATOR
        ACCOUNT_KIND_TILL
        ACCOUNT_KIND_SUSPENSE
        ACCOUNT_KIND_OVER_SHORT
        ENTRY_KIND_PENDING
        ENTRY_KIND_POST
        ENTRY_KIND_VOID
        ENTRY_KIND_EXPIRE
        ENTRY_KIND_REVERSE
        ENTRY_KIND_FREEZE
        ENTRY_KIND_UNFREEZE
        ENTRY_KIND_CLOSE
        ENTRY_KIND_CLOCK
        ENTRY_KIND_RELEASE
        ENTRY_KIND_NOTE
        NO_SLOT
        FRAME_MAGIC
        SEGMENT_MAGIC
        KEY_TABLE_MAGIC
        KEY_CHECKPOINT_MAGIC
        OWNER_MAGIC
        POSTING_STATE_MAGIC
        INDEX_MAGIC
        BALANCE_MAGIC
        ENTRIES_PER_BLOCK
        ENTRIES_PER_LEAF
        ACCOUNTS_PER_BLOCK
        SEGMENT_HEADER_BYTES
        NOTE_TEXT_BYTES
        KEY_TABLE_HEADER_BYTES
        PAYLOAD_NONE
        PAYLOAD_RECORD
        PAYLOAD_BATCH
