"""Fuzzes the journal's reader: ``python -m tests.fuzz.journal --seconds N``."""

import tempfile
from pathlib import Path

from ledger import layouts
from ledger._core import EntryReader, JournalReader
from ledger.errors import FormatVersionMismatch, JournalDamaged
from ledger.layouts import FRAME_HEADER, OUTCOME_RECORD, SEGMENT_HEADER_BYTES
from tests import plain_journal
from tests.fuzz import runner
from tests.journals import ledger_entries
from tests.plain_journal import SEGMENT_BYTES, End, encode_frame, encode_header, with_checksum

ENTRIES = ledger_entries(12)
OUTCOMES = OUTCOME_RECORD.pack(code=12, payload_bytes=70) + OUTCOME_RECORD.pack(code=1, payload_offset=70, payload_bytes=9)
FRAMES = (
    encode_frame(1, 1, ENTRIES[: 5 * 96]),
    encode_frame(2, 6, b"", OUTCOMES, bytes(range(79))),
    encode_frame(3, 6, ENTRIES[5 * 96 :], OUTCOMES[:64], bytes(70)),
)
SOUND = encode_header() + b"".join(FRAMES)
PATCH_BYTES = 3
WORDS = [b"KPFM", b"PSEG", (1).to_bytes(8, "little"), b"\xff\xff\xff\xff", FRAMES[1][: FRAME_HEADER.size]]
# The first byte says what the others are: patches to a sound journal, with its checksums put right or not, or what it holds.
SEEDS = [b"\0", b"\1", b"\2" + FRAMES[0] + FRAMES[1], b"\1\x08\x10\x09", b"\1\x0c\x10\x07", b"\0\x40\x12\x01"]
FOLDER = tempfile.TemporaryDirectory()  # one for the whole run


def check(data: bytes) -> None:
    """The core reads the same frames as plain Python, and comes to the same end."""
    folder = Path(FOLDER.name)
    segment = segment_of(data)
    (folder / "0000000001.segment").write_bytes(segment)
    expected_frames, expected_end = plain_journal.read(segment)
    frames, end = [], End.end
    try:
        for frame in JournalReader(folder):
            frames.append(frame.data)
            assert all(len(frame.payload(index)) <= len(frame.data) for index in range(frame.outcome_count))
    except JournalDamaged:
        end = End.damaged
    except FormatVersionMismatch:
        end = End.other_version
    assert frames == expected_frames
    assert end is expected_end
    if expected_end is End.end:
        reader = EntryReader(folder)
        entries = b"".join(layouts.split_frame(frame).entries for frame in frames)
        assert all(reader.read_entry(seq + 1) == entries[seq * 96 : seq * 96 + 96] for seq in range(len(entries) // 96))


def segment_of(data: bytes) -> bytes:
    mode, content = data[:1], data[1:]
    if mode >= b"\2":
        return (encode_header() + content).ljust(SEGMENT_BYTES, b"\0")[:SEGMENT_BYTES]
    patched = bytearray(SOUND.ljust(SEGMENT_BYTES, b"\0"))
    for start in range(0, len(content) - PATCH_BYTES + 1, PATCH_BYTES):
        low, high, value = content[start : start + PATCH_BYTES]
        patched[(low | high << 8) % SEGMENT_BYTES] = value
    return checksums_put_right(bytes(patched)) if mode == b"\1" else bytes(patched)


def checksums_put_right(segment: bytes) -> bytes:
    """Give the header and the frames, where they were, the checksums of what they hold now."""
    parts = [with_checksum(segment[:SEGMENT_HEADER_BYTES])]
    place = SEGMENT_HEADER_BYTES
    for frame in FRAMES:
        parts.append(with_checksum(segment[place : place + len(frame)]))
        place += len(frame)
    return b"".join(parts) + segment[place:]


if __name__ == "__main__":
    runner.run("journal", check, SEEDS, WORDS, followed=(plain_journal,))
