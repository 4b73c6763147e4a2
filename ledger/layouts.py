"""The stored records in Python: for tests, tools and the oracle. The core reads and writes the same bytes without this module."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ledger import record_enums
from ledger._core import RECORD_LAYOUTS
from ledger.errors import JournalDamaged

FORMAT_VERSION = 1
BALANCE_FORMAT_VERSION = 2
KEY_FORMAT_VERSION = 2
NO_SLOT = 0xFFFFFFFF
FRAME_MAGIC = 0x4D46504B
FRAME_ALIGNMENT = 64
ENTRIES_PER_BLOCK = 4096
ACCOUNTS_PER_BLOCK = 63
SEGMENT_HEADER_BYTES = 4096
KEY_TABLE_HEADER_BYTES = 4096
KEY_UNIT_BYTES = 1024
KEY_UNIT_LINES = 3
KEY_UNIT_SLOTS = 26
NOTE_TEXT_BYTES = 32

EventType = record_enums.EventType
EntryKind = record_enums.EntryKind
EntryCode = record_enums.EntryCode
PayloadKind = record_enums.PayloadKind


_FIELD = re.compile(r"(?:\((\d+)\))?(\w):(\w+):")  # "(16)B:serial:", "Q:household:"


class Layout:
    """One stored record: ``size`` in bytes, and ``fields`` in order as (name, offset, bytes, ``struct`` format).

    An array is one field of bytes, whatever its items are.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.size, description = RECORD_LAYOUTS[name]
        self.fields: list[tuple[str, int, int, str]] = []
        offset = 0
        for count, type_, field in _FIELD.findall(description.removeprefix("T{")):
            size = struct.calcsize("<" + count + type_)
            self.fields.append((field, offset, size, f"{size}s" if count else type_))
            offset += size
        if offset != self.size:
            raise TypeError(f"the fields of {name} take {offset} bytes, the record {self.size}")
        self._names = [field[0] for field in self.fields]
        self._zeros: dict[str, int | bytes] = {field[0]: b"" if field[3].endswith("s") else 0 for field in self.fields}
        self._struct = struct.Struct("<" + "".join(field[3] for field in self.fields))

    def pack(self, **values: int | bytes) -> bytes:
        """Return the record's bytes. Fields that are not named are zero; a name that the record lacks is a KeyError."""
        if unknown := values.keys() - self._zeros.keys():
            raise KeyError(f"{self.name} has no {', '.join(sorted(unknown))}")
        return self._struct.pack(*(self._zeros | values).values())

    def unpack(self, data: bytes | memoryview, offset: int = 0) -> dict[str, Any]:
        """Return the fields of the record that begins at ``offset``: integers, and bytes for the arrays."""
        return dict(zip(self._names, self._struct.unpack_from(data, offset), strict=True))

    def unpack_all(self, data: bytes | memoryview) -> Iterator[dict[str, Any]]:
        """Yield the fields of the records that fill ``data``."""
        for values in self._struct.iter_unpack(data):
            yield dict(zip(self._names, values, strict=True))


PACKED_EVENT = Layout("packed_event")
PACKED_LEG = Layout("packed_leg")
JOURNAL_ENTRY = Layout("journal_entry")
JOURNAL_NOTE = Layout("journal_note")
OUTCOME_RECORD = Layout("outcome_record")
DIGEST_RECORD = Layout("digest_record")
FRAME_HEADER = Layout("frame_header")
SEGMENT_HEADER = Layout("segment_header")
INDEX_HEADER = Layout("index_header")
FRAME_PLACE = Layout("frame_place")
ACCOUNT_RECORD = Layout("account_record")
ACCOUNT_BLOCK_HEADER = Layout("account_block_header")
ACCOUNT_SLOT_RECORD = Layout("account_slot_record")
BALANCE_META = Layout("balance_meta")
OUTLET_TOTAL = Layout("outlet_total")
KEY_SLOT = Layout("key_slot")
KEY_LINE = Layout("key_line")
KEY_TABLE_HEADER = Layout("key_table_header")
KEY_PART_RECORD = Layout("key_part_record")
KEY_CHECKPOINT = Layout("key_checkpoint")
POSTING_STATE_HEADER = Layout("posting_state_header")
OWNER_RECORD = Layout("owner_record")


@dataclass(frozen=True, slots=True)
class FrameSections:
    """The sections of one frame, as bytes; ``header`` as fields."""

    header: dict[str, Any]
    entries: bytes
    outcomes: bytes
    digests: bytes
    payload: bytes


def split_frame(data: bytes | memoryview, byte_offset: int = 0) -> FrameSections:
    """Return the sections of the frame that begins at ``byte_offset``. Checks that they fit, not their checksum."""
    header = FRAME_HEADER.unpack(data, byte_offset)
    if header["magic"] != FRAME_MAGIC:
        raise JournalDamaged("No frame begins here", byte_offset=byte_offset, expected=FRAME_MAGIC, found=header["magic"])
    sizes = [
        header["entry_count"] * JOURNAL_ENTRY.size,
        header["outcome_count"] * OUTCOME_RECORD.size,
        header["digest_count"] * DIGEST_RECORD.size,
        header["payload_bytes"],
    ]
    end = byte_offset + FRAME_HEADER.size + sum(sizes)
    if end > min(byte_offset + header["frame_bytes"], len(data)):
        raise JournalDamaged(
            "A frame's sections do not fit into it", byte_offset=byte_offset, expected=sum(sizes), found=header["frame_bytes"]
        )
    sections, start = [], byte_offset + FRAME_HEADER.size
    for size in sizes:
        sections.append(bytes(data[start : start + size]))
        start += size
    return FrameSections(header, *sections)


def split_frames(segment: bytes | memoryview) -> Iterator[FrameSections]:
    """Yield the frames of a whole segment file, from behind its header to the first place where none begins."""
    byte_offset = SEGMENT_HEADER_BYTES
    while byte_offset + FRAME_HEADER.size <= len(segment) and FRAME_HEADER.unpack(segment, byte_offset)["magic"] == FRAME_MAGIC:
        frame = split_frame(segment, byte_offset)
        yield frame
        byte_offset += frame.header["frame_bytes"]
