# Layouts: what the C compiler made of the records of record_layout.h, as a table for Python. Owns RECORD_LAYOUTS, uses nothing.

cdef dict _record_layouts():
    cdef packed_event event
    cdef packed_leg leg
    cdef journal_entry entry
    cdef journal_note note
    cdef outcome_record outcome
    cdef digest_record digest
    cdef frame_header frame
    cdef segment_header segment
    cdef index_header index
    cdef frame_place place
    cdef account_record account
    cdef account_block_header account_block
    cdef account_slot_record account_slot
    cdef balance_meta balances
    cdef outlet_total outlet
    cdef key_slot key
    cdef key_line line
    cdef key_table_header key_table
    cdef key_part_record key_part_
    cdef key_checkpoint checkpoint
    cdef posting_state_header posting_state
    cdef hold_record held
    cdef reversal_place reversal
    cdef limit_place limit
    cdef owner_record owner
    return {
        "packed_event": memoryview(<packed_event[:1]>&event),
        "packed_leg": memoryview(<packed_leg[:1]>&leg),
        "journal_entry": memoryview(<journal_entry[:1]>&entry),
        "journal_note": memoryview(<journal_note[:1]>&note),
        "outcome_record": memoryview(<outcome_record[:1]>&outcome),
        "digest_record": memoryview(<digest_record[:1]>&digest),
        "frame_header": memoryview(<frame_header[:1]>&frame),
        "segment_header": memoryview(<segment_header[:1]>&segment),
        "index_header": memoryview(<index_header[:1]>&index),
        "frame_place": memoryview(<frame_place[:1]>&place),
        "account_record": memoryview(<account_record[:1]>&account),
        "account_block_header": memoryview(<account_block_header[:1]>&account_block),
        "account_slot_record": memoryview(<account_slot_record[:1]>&account_slot),
        "balance_meta": memoryview(<balance_meta[:1]>&balances),
        "outlet_total": memoryview(<outlet_total[:1]>&outlet),
        "key_slot": memoryview(<key_slot[:1]>&key),
        "key_line": memoryview(<key_line[:1]>&line),
        "key_table_header": memoryview(<key_table_header[:1]>&key_table),
        "key_part_record": memoryview(<key_part_record[:1]>&key_part_),
        "key_checkpoint": memoryview(<key_checkpoint[:1]>&checkpoint),
        "posting_state_header": memoryview(<posting_state_header[:1]>&posting_state),
        "hold_record": memoryview(<hold_record[:1]>&held),
        "reversal_place": memoryview(<reversal_place[:1]>&reversal),
        "limit_place": memoryview(<limit_place[:1]>&limit),
        "owner_record": memoryview(<owner_record[:1]>&owner),
    }


# By the name of the record: its bytes, and its fields as the buffer protocol (PEP 3118) writes them.
RECORD_LAYOUTS = {name: (view.itemsize, view.format) for name, view in _record_layouts().items()}
