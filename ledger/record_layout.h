/* Every record that Peakledger stores or receives in binary form, written once.
 *
 * All integers are little-endian; the build refuses a big-endian target. Sizes and offsets are asserted below, exported to
 * Python as ledger._core.RECORD_LAYOUTS, and docs/record-layouts.md is held against them by a test.
 *
 * Dates are days since 1970-01-01 (uint16, up to the year 2149). Times are milliseconds since 1970-01-01T00:00Z.
 * Amounts are fen. seq counts journal entries from 1; 0 means "none".
 */
#ifndef PEAKLEDGER_RECORD_LAYOUT_H
#define PEAKLEDGER_RECORD_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "Peakledger stores little-endian records and runs on little-endian machines only"
#endif

/* Raised only when records written by an older version can no longer be read. */
#define FORMAT_VERSION 1
#define BALANCE_FORMAT_VERSION 2 /* of the balances alone: they are made anew from the journal */
#define KEY_FORMAT_VERSION 2 /* of key tables and their checkpoint: as the balances */

#define PACKED_EVENT_VERSION 0x01 /* the first byte of a packed event; no JSON or MessagePack event begins with it */

#define EVENT_TYPE_BILL 1
#define EVENT_TYPE_PAYMENT 2
#define EVENT_TYPE_OPEN_ACCOUNT 3
#define EVENT_TYPE_TRANSFER 4
#define EVENT_TYPE_POST 5
#define EVENT_TYPE_VOID 6
#define EVENT_TYPE_REVERSE 7
#define EVENT_TYPE_FREEZE 8
#define EVENT_TYPE_UNFREEZE 9
#define EVENT_TYPE_CLOSE 10
#define EVENT_TYPE_CLOCK 11
#define EVENT_TYPE_TOP_UP 12
#define EVENT_TYPE_OPEN_FLOAT 13
#define EVENT_TYPE_COUNT_FLOAT 14
#define EVENT_TYPE_BANK_FLOAT 15
#define EVENT_TYPE_ADJUST 16

#define MAX_LEGS 254
#define AMOUNT_MAX 0xFFFFFFFFFFFFFFFFu /* in a leg: in full, or as much as there is */

#define LEG_PENDING 0x0001
#define LEG_POST_PENDING 0x0002
#define LEG_VOID_PENDING 0x0004
#define LEG_BALANCING_DEBIT 0x0008
#define LEG_BALANCING_CREDIT 0x0010
#define LEG_CLOSING_DEBIT 0x0020
#define LEG_CLOSING_CREDIT 0x0040

#define SERIAL_FORM_DIGITS 1 /* up to 32 decimal digits, one a nibble from the left, filled up with 0xF */
#define SERIAL_FORM_UUID 2   /* the 16 bytes of a UUID */
#define SERIAL_FORM_ASCII 3  /* up to 16 printable characters without space, filled up with zero bytes */

#define ACCOUNT_KIND_HOUSEHOLD 1
#define ACCOUNT_KIND_CLEARING 2
#define ACCOUNT_KIND_REVENUE 3
#define ACCOUNT_KIND_LEDGER 4
#define ACCOUNT_KIND_CARD 5
#define ACCOUNT_KIND_OUTLET 6
#define ACCOUNT_KIND_AGENCY 7
#define ACCOUNT_KIND_OPERATOR 8
#define ACCOUNT_KIND_TILL 9
#define ACCOUNT_KIND_SUSPENSE 10
#define ACCOUNT_KIND_OVER_SHORT 11

#define ACCOUNT_DEBITS_MUST_NOT_EXCEED_CREDITS 0x0001
#define ACCOUNT_CREDITS_MUST_NOT_EXCEED_DEBITS 0x0002
#define ACCOUNT_CLOSED 0x0004
#define ACCOUNT_FROZEN 0x0008
#define ACCOUNT_LIMITED 0x0010 /* has a credit line, a limit parent, or accounts below it */

#define ENTRY_KIND_OPEN_ACCOUNT 1
#define ENTRY_KIND_TRANSFER 2
#define ENTRY_KIND_PENDING 3
#define ENTRY_KIND_POST 4
#define ENTRY_KIND_VOID 5
#define ENTRY_KIND_EXPIRE 6
#define ENTRY_KIND_REVERSE 7
#define ENTRY_KIND_FREEZE 8
#define ENTRY_KIND_UNFREEZE 9
#define ENTRY_KIND_CLOSE 10
#define ENTRY_KIND_CLOCK 11
#define ENTRY_KIND_RELEASE 12 /* what a post of less than the hold gives back */
#define ENTRY_KIND_NOTE 13    /* a journal_note */

#define ENTRY_CODE_OPEN_ACCOUNT 1
#define ENTRY_CODE_BILL 2
#define ENTRY_CODE_PAYMENT 3
#define ENTRY_CODE_TOP_UP 4
#define ENTRY_CODE_OPEN_FLOAT 5
#define ENTRY_CODE_COUNT_FLOAT 6
#define ENTRY_CODE_BANK_FLOAT 7
#define ENTRY_CODE_ADJUST 8

#define NO_SLOT 0xFFFFFFFFu

#define FRAME_MAGIC 0x4D46504Bu      /* "KPFM" */
#define SEGMENT_MAGIC 0x47455350u    /* "PSEG" */
#define KEY_TABLE_MAGIC 0x59454B50u  /* "PKEY" */
#define KEY_CHECKPOINT_MAGIC 0x504B4350u /* "PCKP" */
#define INDEX_MAGIC 0x58444950u      /* "PIDX" */
#define POSTING_STATE_MAGIC 0x41545350u /* "PSTA" */
#define OWNER_MAGIC 0x4E574F50u      /* "POWN" */
#define BALANCE_MAGIC 0x4C414250u    /* "PBAL" */

#define ENTRIES_PER_BLOCK 4096 /* entries under one block digest */
#define ENTRIES_PER_LEAF 32    /* entries under one leaf of a block's Merkle tree */
#define ACCOUNTS_PER_BLOCK 63  /* 16 + 63 * 64 bytes fill one LMDB overflow page exactly */
#define SEGMENT_HEADER_BYTES 4096
#define NOTE_TEXT_BYTES 32      /* text and more_text of a journal_note */
#define KEY_TABLE_HEADER_BYTES 4096
#define KEY_UNIT_BYTES 1024 /* parts of key tables have 1 to 2048 of them, each KEY_UNIT_LINES lines and KEY_UNIT_SLOTS slots */
#define KEY_UNIT_LINES 3
#define KEY_UNIT_SLOTS 26
#define KEY_LINE_PLACES 16

#define PAYLOAD_NONE 0
#define PAYLOAD_RECORD 1 /* one Kafka record: its bytes after the length varint */
#define PAYLOAD_BATCH 2  /* one whole Kafka record batch, or what is left of a damaged one */

/* What a channel publishes, in the packed encoding, and what the other two encodings decode to. */
typedef struct {
  uint8_t version; /* PACKED_EVENT_VERSION */
  uint8_t event_type;
  uint16_t channel;
  uint16_t business_date;
  uint16_t value_date; /* 0 is not allowed here; the encodings default it to business_date */
  uint8_t serial[16];
  uint64_t household; /* 13 decimal digits: below 10**13 */
  int64_t amount_fen;
  /* payment: outlet, below 10**18, 0 none. bill: period (yyyymm) in the low 32 bits, due date above. top_up: payee. with legs: how many */
  uint64_t detail;
  uint64_t payer; /* the number of the card, agency, till or machine that pays; 0 none */
  uint8_t terminal; /* the kind of terminal: its place, from 0, in the profile of the channel */
  uint8_t reserved[7]; /* zero */
} packed_event;

/* One leg of a ledger event, behind its packed_event. docs/events.md says which event type uses which field. */
typedef struct {
  uint8_t debit_account[16]; /* low half first; zero: none, or the hold's */
  uint8_t credit_account[16];
  uint64_t amount_fen;
  uint64_t user_data;
  uint8_t pending_serial[16]; /* the event that made the hold, or the event to reverse */
  uint16_t pending_channel;
  uint16_t pending_business_date;
  uint8_t pending_leg;
  uint8_t reserved; /* zero */
  uint16_t flags; /* LEG_*; open_account: ACCOUNT_* */
  uint32_t timeout_s;
  uint16_t book;
  uint16_t code;
} packed_leg;

/* One line of the journal: a transfer, or the opening of an account. Its seq is its frame's first_seq plus its index. */
typedef struct {
  uint8_t serial[16]; /* open_account: the account id, low half first */
  uint64_t amount_fen;
  uint64_t debit_previous_seq;  /* the entry before this one of the debit account; 0 none */
  uint64_t credit_previous_seq; /* the same of the credit account */
  int64_t ledger_time_ms;
  int64_t source_offset; /* the Kafka offset of the event */
  uint64_t reference_seq; /* the pending, reversed or disputed entry; pending: timeout in seconds; open_account: limit parent's slot + 1 */
  uint64_t detail; /* as in the event; top_up: household; count_float: what was counted; open_account: book in the low 16 bits, flags in the next 16 */
  uint32_t debit_slot; /* open_account: the new account's slot */
  uint32_t credit_slot; /* open_account: NO_SLOT */
  uint16_t business_date;
  uint16_t value_date;
  uint16_t channel;
  uint16_t code; /* ENTRY_CODE_* */
  uint8_t kind; /* ENTRY_KIND_* */
  uint8_t event_type;
  uint8_t leg; /* from 0 */
  uint8_t leg_count;
  uint16_t flags; /* LEG_* */
  uint8_t terminal; /* as in the event */
  uint8_t reserved; /* zero */
} journal_entry;

/* An entry that moves nothing: a piece of the note that stands behind an adjustment. Like a journal_entry, with text in some fields. */
typedef struct {
  uint8_t serial[16];
  uint64_t amount_fen; /* zero */
  uint8_t text[16];
  int64_t ledger_time_ms;
  int64_t source_offset;
  uint8_t more_text[16];
  uint32_t debit_slot; /* NO_SLOT; so is the next */
  uint32_t credit_slot;
  uint16_t business_date;
  uint16_t value_date;
  uint16_t channel;
  uint16_t code;
  uint8_t kind; /* ENTRY_KIND_NOTE */
  uint8_t event_type;
  uint8_t leg; /* from 1 */
  uint8_t leg_count;
  uint16_t flags; /* zero; so are the next two */
  uint8_t terminal;
  uint8_t reserved;
} journal_note;

/* What became of an event that was not applied. Applied events have entries instead. */
typedef struct {
  uint8_t serial[16]; /* zero where the event could not be decoded */
  int64_t source_offset;
  uint64_t seq; /* exists and exists_with_*: the first entry of the event that has the key; else the last seq then */
  int64_t record_timestamp_ms;
  uint32_t payload_offset; /* from the start of the frame's payload section */
  uint32_t payload_bytes;
  uint16_t code; /* ledger.outcomes.OutcomeCode */
  uint16_t first_code; /* id_already_failed: the code that the key failed with; else 0 */
  uint16_t channel;
  uint16_t business_date;
  uint8_t event_type; /* 0 where the event could not be decoded */
  uint8_t payload_kind; /* PAYLOAD_* */
  uint8_t leg; /* the leg at fault, from 0 */
  uint8_t level; /* limit_exceeded: how far above the account; else 0 */
  uint8_t reserved[4]; /* zero */
} outcome_record;

/* The chained digest of one full block of ENTRIES_PER_BLOCK entries. */
typedef struct {
  uint64_t block; /* from 0; block b holds the entries b * 4096 + 1 .. (b + 1) * 4096 */
  uint8_t digest[32];
  uint8_t reserved[8]; /* zero */
} digest_record;

/* What is made durable at once: header, entries, outcomes, digests, payload, zeros up to a multiple of 64 bytes. */
typedef struct {
  uint32_t magic;
  uint32_t crc32c; /* of the whole frame from byte 8 on */
  uint32_t frame_bytes; /* with header and padding */
  uint32_t entry_count;
  uint32_t outcome_count;
  uint32_t digest_count;
  uint32_t payload_bytes;
  uint32_t reserved;
  uint64_t frame_number; /* from 1 */
  uint64_t segment_number; /* from 1 */
  uint64_t first_seq; /* of the first entry; where there is none, of the next one to come */
  uint64_t epoch; /* of the writer */
  int64_t ledger_time_ms; /* after the frame; so are all below */
  int64_t next_offset; /* the Kafka offset to go on from */
  uint64_t records_consumed; /* since the ledger began: the sum of the next three */
  uint64_t events_applied;
  uint64_t events_existing; /* outcome exists */
  uint64_t events_refused; /* every other outcome */
  uint64_t rules_digest; /* of the posting rules that the entries were made by; 0 where the writer had none */
  uint8_t reserved_tail[8]; /* zero */
} frame_header;

/* The first block of a segment file. */
typedef struct {
  uint32_t magic;
  uint32_t crc32c; /* of the header from byte 8 on, all SEGMENT_HEADER_BYTES of it */
  uint32_t format_version;
  uint32_t close_after_days; /* a business date closes when it lies this many days before the ledger date */
  uint8_t ledger_id[16];
  uint64_t segment_number;
  uint64_t first_frame_number;
  uint64_t first_seq;
  uint64_t epoch;
  uint64_t segment_bytes;
  uint64_t previous_segment_end; /* byte offset where the frames of the segment before end; bytes behind it do not count */
  int32_t utc_offset_minutes; /* ledger date = date of (ledger time + this) */
  uint32_t future_days; /* a business date may lie this many days after the ledger date */
  uint8_t last_digest[32]; /* of the last full block before first_seq; zeros where there is none */
  uint64_t hash_seed; /* of the key tables */
  char source[128]; /* "topic/partition", zero-filled */
} segment_header;

/* The head of a segment's index file; frame_count places follow. Derived from the segment, never needed. */
typedef struct {
  uint32_t magic;
  uint32_t crc32c; /* of the whole file from byte 8 on */
  uint32_t format_version;
  uint32_t reserved;
  uint8_t ledger_id[16];
  uint64_t segment_number;
  uint64_t segment_end; /* byte offset where the segment's frames end */
  uint64_t frame_count;
  uint64_t reserved_tail;
} index_header;

/* Where a frame of the segment begins, and with which entry. */
typedef struct {
  uint64_t first_seq;
  uint64_t byte_offset;
} frame_place;

/* An account, in memory and inside an LMDB block alike: one cache line. */
typedef struct {
  uint64_t id_low;
  uint64_t id_high;
  uint64_t debits_pending;
  uint64_t debits_posted;
  uint64_t credits_pending;
  uint64_t credits_posted;
  uint64_t last_seq; /* of the account's last entry */
  uint16_t book;
  uint16_t flags; /* ACCOUNT_* */
  uint32_t limit_index; /* 0 none */
} account_record;

/* The head of an LMDB block of ACCOUNTS_PER_BLOCK accounts; zeros fill the rest of the last block. */
typedef struct {
  uint64_t last_seq; /* of the last entry of any account in the block */
  uint32_t block;
  uint32_t account_count;
} account_block_header;

/* Value of the LMDB database that maps an account id (16 bytes, big-endian, so that ids stand in order) to its slot. */
typedef struct {
  uint32_t slot;
  uint32_t reserved; /* zero */
} account_slot_record;

/* The one value of the LMDB database "meta" of a generation of balances: what the blocks hold, and whether to trust them. */
typedef struct {
  uint32_t magic;
  uint32_t format_version;
  uint8_t ledger_id[16];
  uint64_t epoch; /* of the writer that may flush to this generation */
  uint64_t watermark_seq; /* every entry up to here is in the blocks, and none after */
  uint64_t watermark_frame; /* the last frame that is in; what follows is from its header */
  int64_t ledger_time_ms;
  int64_t next_offset;
  uint64_t records_consumed;
  uint64_t events_applied;
  uint64_t events_existing;
  uint64_t events_refused;
  uint32_t account_count;
  uint32_t clean; /* 1: all was synced to disk and nothing was written since */
  uint8_t state_digest[16]; /* over all accounts, low half first */
  char boot_id[40]; /* of the system's run in which this was written; without clean, another run must not trust it */
} balance_meta;

/* Value of the LMDB database "totals" of outlets. The key is business date, outlet and channel, big-endian: 2, 8 and 2 bytes. */
typedef struct {
  uint64_t payments; /* how many */
  uint64_t payments_fen; /* their sum; all sums are modulo 2^64 */
  uint64_t reversals; /* how many; of one payment there may be several */
  uint64_t reversals_fen;
} outlet_total;

/* One idempotency key of a business date. */
typedef struct {
  uint8_t serial[16];
  uint64_t content_hash; /* a failed key: the outcome code */
  uint64_t seq_and_channel; /* bits 0-47 first seq of the event, 48-62 channel, 63 set where the key failed */
} key_slot;

/* Where keys stand in a part: the places of up to sixteen among its slots, in the order in which they came. */
typedef struct {
  uint16_t tags[KEY_LINE_PLACES]; /* the last bits of the keys' hashes, with bit 0 set; 0: free, as are all behind it */
  uint16_t places[KEY_LINE_PLACES];
} key_line;

/* The first bytes of a key table file, zero-filled to KEY_TABLE_HEADER_BYTES. The parts follow, in the order of the hashes that
 * they take, each its lines and then its slots; then a key_part_record for each. */
typedef struct {
  uint32_t magic;
  uint32_t crc32c; /* of the header from byte 8 on */
  uint32_t format_version;
  uint32_t business_date;
  uint64_t hash_seed;
  uint8_t ledger_id[16];
  uint32_t part_count;
  uint32_t parts_crc32c; /* of all key_part_records */
} key_table_header;

/* One part of a key table: the keys whose hashes begin with the same depth bits. */
typedef struct {
  uint32_t depth;
  uint32_t units; /* of KEY_UNIT_BYTES; the lines of all of them stand before the slots of all of them */
  uint32_t keys; /* the first slots; zeros follow */
  uint32_t crc32c; /* of lines and slots */
} key_part_record;

/* keys/checkpoint: the key table files beside it hold every key up to this point of the journal. */
typedef struct {
  uint32_t magic;
  uint32_t crc32c; /* from byte 8 on */
  uint32_t format_version;
  uint32_t reserved;
  uint8_t ledger_id[16];
  uint64_t watermark_seq;
  uint64_t watermark_frame;
} key_checkpoint;

/* The head of keys/posting.state; hold_count hold_records, then reversal_places and limit_places follow. */
typedef struct {
  uint32_t magic;
  uint32_t crc32c; /* of the whole file from byte 8 on */
  uint32_t format_version;
  uint32_t reserved;
  uint8_t ledger_id[16];
  uint64_t watermark_seq; /* the file tells of all entries up to here and of no other */
  uint64_t watermark_frame;
  uint64_t hold_count;
  uint64_t reversal_count;
  uint64_t limit_count;
} posting_state_header;

/* A pending transfer that is neither posted, voided nor expired. */
typedef struct {
  uint8_t serial[16];
  uint64_t seq;
  uint64_t amount_fen;
  uint64_t detail;
  int64_t due_ms; /* 2^63 - 1: never */
  uint32_t debit_slot;
  uint32_t credit_slot;
  uint16_t channel;
  uint16_t business_date;
  uint16_t value_date;
  uint16_t code;
  uint16_t flags;
  uint8_t leg;
  uint8_t event_type;
  uint8_t reserved[4]; /* zero */
} hold_record;

/* How much of an entry was reversed. */
typedef struct {
  uint64_t seq;
  uint64_t reversed_fen;
} reversal_place;

/* A credit line, and the limit above it. */
typedef struct {
  uint32_t slot;
  uint32_t parent; /* its number in this list, from 1; 0 none */
  uint64_t credit_line_fen;
} limit_place;

/* Who may write: mapped by the writer, compared before and after every write. */
typedef struct {
  uint32_t magic;
  uint32_t format_version;
  uint64_t epoch; /* raised by one at every take-over */
  uint64_t pid;
  int64_t since_ms;
  char host[64];
  char boot_id[40];
} owner_record;

#ifdef __cplusplus
#define LAYOUT_ASSERT static_assert
#else
#define LAYOUT_ASSERT _Static_assert
#endif
LAYOUT_ASSERT(sizeof(packed_event) == 64, "packed_event");
LAYOUT_ASSERT(offsetof(packed_event, serial) == 8, "packed_event.serial");
LAYOUT_ASSERT(offsetof(packed_event, amount_fen) == 32, "packed_event.amount_fen");
LAYOUT_ASSERT(sizeof(packed_leg) == 80, "packed_leg");
LAYOUT_ASSERT(sizeof(journal_entry) == 96, "journal_entry");
LAYOUT_ASSERT(offsetof(journal_entry, debit_slot) == 72, "journal_entry.debit_slot");
LAYOUT_ASSERT(sizeof(journal_note) == sizeof(journal_entry), "journal_note");
LAYOUT_ASSERT(offsetof(journal_note, text) == offsetof(journal_entry, debit_previous_seq), "journal_note.text");
LAYOUT_ASSERT(offsetof(journal_note, more_text) == offsetof(journal_entry, reference_seq), "journal_note.more_text");
LAYOUT_ASSERT(offsetof(journal_note, kind) == offsetof(journal_entry, kind), "journal_note.kind");
LAYOUT_ASSERT(sizeof(outcome_record) == 64, "outcome_record");
LAYOUT_ASSERT(sizeof(digest_record) == 48, "digest_record");
LAYOUT_ASSERT(sizeof(frame_header) == 128, "frame_header");
LAYOUT_ASSERT(offsetof(frame_header, first_seq) == 48, "frame_header.first_seq");
LAYOUT_ASSERT(sizeof(segment_header) == 256, "segment_header");
LAYOUT_ASSERT(sizeof(index_header) == 64, "index_header");
LAYOUT_ASSERT(sizeof(frame_place) == 16, "frame_place");
LAYOUT_ASSERT(sizeof(account_record) == 64, "account_record");
LAYOUT_ASSERT(sizeof(account_block_header) == 16, "account_block_header");
LAYOUT_ASSERT(sizeof(account_slot_record) == 8, "account_slot_record");
LAYOUT_ASSERT(sizeof(balance_meta) == 160, "balance_meta");
LAYOUT_ASSERT(offsetof(balance_meta, watermark_seq) == 32, "balance_meta.watermark_seq");
LAYOUT_ASSERT(sizeof(outlet_total) == 32, "outlet_total");
LAYOUT_ASSERT(sizeof(key_slot) == 32, "key_slot");
LAYOUT_ASSERT(sizeof(key_line) == 64, "key_line");
LAYOUT_ASSERT(KEY_UNIT_LINES * sizeof(key_line) + KEY_UNIT_SLOTS * sizeof(key_slot) == KEY_UNIT_BYTES, "units of key parts");
LAYOUT_ASSERT(sizeof(key_table_header) == 48, "key_table_header");
LAYOUT_ASSERT(sizeof(key_part_record) == 16, "key_part_record");
LAYOUT_ASSERT(sizeof(key_checkpoint) == 48, "key_checkpoint");
LAYOUT_ASSERT(sizeof(posting_state_header) == 72, "posting_state_header");
LAYOUT_ASSERT(sizeof(hold_record) == 72, "hold_record");
LAYOUT_ASSERT(sizeof(reversal_place) == 16, "reversal_place");
LAYOUT_ASSERT(sizeof(limit_place) == 16, "limit_place");
LAYOUT_ASSERT(sizeof(owner_record) == 136, "owner_record");

#endif
