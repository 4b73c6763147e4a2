"""The record layouts as header, core, Python and documentation tell them."""

import re
from pathlib import Path

import pytest

from ledger import layouts
from ledger._core import RECORD_LAYOUTS
from ledger.errors import JournalDamaged
from ledger.layouts import FRAME_HEADER, JOURNAL_ENTRY, Layout

ROOT = Path(__file__).parent.parent
HEADER = (ROOT / "ledger" / "record_layout.h").read_text()
PAGE = (ROOT / "docs" / "record-layouts.md").read_text()
STRUCTS = dict(re.findall(r"typedef struct \{\n(.*?)\} (\w+);", HEADER, re.S))
FIELDS_OF_HEADER = {name: re.findall(r"^  \w+ (\w+)(?:\[\w+\])?;", body, re.M) for body, name in STRUCTS.items()}


def test_every_record_of_the_header_is_exported():
    assert set(RECORD_LAYOUTS) == set(FIELDS_OF_HEADER)


@pytest.mark.parametrize("name", FIELDS_OF_HEADER)
def test_fields_stand_in_the_order_of_the_header_without_gaps(name):
    layout = Layout(name)
    assert [field[0] for field in layout.fields] == FIELDS_OF_HEADER[name]
    assert sum(field[2] for field in layout.fields) == layout.size


@pytest.mark.parametrize("name", FIELDS_OF_HEADER)
def test_the_page_tells_what_the_compiler_made(name):
    section = re.search(rf"^## `{name}`, (\d+) bytes$(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
    assert section, f"docs/record-layouts.md has no section on {name}"
    rows = re.findall(r"^\| (\d+) \| (\d+) \| `(\w+)` \| .+ \|$", section[2], re.M)
    layout = Layout(name)
    assert int(section[1]) == layout.size
    assert [(row[2], int(row[0]), int(row[1])) for row in rows] == [field[:3] for field in layout.fields]


def test_the_page_has_no_record_that_the_header_lacks():
    assert set(re.findall(r"^## `(\w+)`", PAGE, re.M)) == set(FIELDS_OF_HEADER)


@pytest.mark.parametrize(
    ("prefix", "enum"),
    [
        ("EVENT_TYPE", layouts.EventType),
        ("ENTRY_KIND", layouts.EntryKind),
        ("ENTRY_CODE", layouts.EntryCode),
        ("PAYLOAD", layouts.PayloadKind),
    ],
)
def test_enums_have_the_numbers_of_the_header(prefix, enum):
    numbers = {name.lower(): int(number) for name, number in re.findall(rf"#define {prefix}_(\w+) (\d+)", HEADER)}
    assert numbers == {member.name: member.value for member in enum}


@pytest.mark.parametrize(
    "name",
    [
        "NO_SLOT",
        "FRAME_MAGIC",
        "ENTRIES_PER_BLOCK",
        "ACCOUNTS_PER_BLOCK",
        "SEGMENT_HEADER_BYTES",
        "KEY_TABLE_HEADER_BYTES",
        "KEY_FORMAT_VERSION",
        "KEY_UNIT_BYTES",
        "KEY_UNIT_LINES",
        "KEY_UNIT_SLOTS",
    ],
)
def test_constants_have_the_numbers_of_the_header(name):
    number = re.search(rf"#define {name} (\w+)", HEADER)[1]
    assert getattr(layouts, name) == int(number.rstrip("u"), 0)


def test_a_record_unpacks_to_what_was_packed():
    data = JOURNAL_ENTRY.pack(serial=b"\x12" * 16, amount_fen=2**63 - 1, source_offset=-1, leg_count=254)
    assert len(data) == 96
    fields = JOURNAL_ENTRY.unpack(b"x" + data, 1)
    assert (fields["serial"], fields["amount_fen"], fields["source_offset"], fields["leg_count"]) == (
        b"\x12" * 16,
        2**63 - 1,
        -1,
        254,
    )
    assert [entry["leg_count"] for entry in JOURNAL_ENTRY.unpack_all(data * 2)] == [254, 254]


def test_packing_a_field_that_the_record_lacks_is_refused():
    with pytest.raises(KeyError, match="journal_entry has no amount"):
        JOURNAL_ENTRY.pack(amount=1)


def test_a_frame_is_split_into_its_sections():
    entries, payload = JOURNAL_ENTRY.pack(amount_fen=5) * 2, b"bytes of a record"
    body = entries + payload
    size = -(-(FRAME_HEADER.size + len(body)) // layouts.FRAME_ALIGNMENT) * layouts.FRAME_ALIGNMENT
    header = FRAME_HEADER.pack(
        magic=layouts.FRAME_MAGIC, frame_bytes=size, entry_count=2, payload_bytes=len(payload), first_seq=7
    )
    segment = bytes(layouts.SEGMENT_HEADER_BYTES) + (header + body).ljust(size, b"\0") + bytes(4096)
    (frame,) = layouts.split_frames(segment)
    assert (frame.header["first_seq"], frame.entries, frame.payload) == (7, entries, payload)


def test_a_frame_whose_sections_do_not_fit_is_damage():
    header = FRAME_HEADER.pack(magic=layouts.FRAME_MAGIC, frame_bytes=128, entry_count=1)
    with pytest.raises(JournalDamaged, match="byte_offset 0"):
        layouts.split_frame(header + bytes(4096))
