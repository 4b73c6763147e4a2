"""A journal of one segment in plain Python: what its frames are, and what reading it must find. To hold the core against."""

from enum import Enum

from ledger._core import checksum_crc32c
from ledger.layouts import (
    DIGEST_RECORD,
    ENTRIES_PER_BLOCK,
    FORMAT_VERSION,
    FRAME_ALIGNMENT,
    FRAME_HEADER,
    FRAME_MAGIC,
    JOURNAL_ENTRY,
    OUTCOME_RECORD,
    SEGMENT_HEADER,
    SEGMENT_HEADER_BYTES,
)

SEGMENT_MAGIC = 0x47455350
SEGMENT_BYTES = 4 * 4096


class End(Enum):
    """How the reading of a journal ends."""

    end = "no frame follows"
    damaged = "something is there that was not written so"
    other_version = "another version wrote it"


def with_checksum(data: bytes, crc_at: int = 4) -> bytes:
    return data[:crc_at] + checksum_crc32c(data[crc_at + 4 :]).to_bytes(4, "little") + data[crc_at + 4 :]


def encode_header(**changes: int) -> bytes:
    """Return the first 4,096 bytes of segment 1."""
    fields = {
        "magic": SEGMENT_MAGIC,
        "format_version": FORMAT_VERSION,
        "segment_number": 1,
        "first_frame_number": 1,
        "first_seq": 1,
        "epoch": 1,
        "segment_bytes": SEGMENT_BYTES,
    }
    return with_checksum(SEGMENT_HEADER.pack(**fields | changes).ljust(SEGMENT_HEADER_BYTES, b"\0"))


def encode_frame(frame_number: int, first_seq: int, entries: bytes = b"", outcomes: bytes = b"", payload: bytes = b"") -> bytes:
    """Return a frame of segment 1, without digests."""
    body = entries + outcomes + payload
    frame_bytes = -(-(FRAME_HEADER.size + len(body)) // FRAME_ALIGNMENT) * FRAME_ALIGNMENT
    header = FRAME_HEADER.pack(
        magic=FRAME_MAGIC,
        frame_bytes=frame_bytes,
        entry_count=len(entries) // JOURNAL_ENTRY.size,
        outcome_count=len(outcomes) // OUTCOME_RECORD.size,
        payload_bytes=len(payload),
        frame_number=frame_number,
        segment_number=1,
        first_seq=first_seq,
        epoch=1,
    )
    return with_checksum((header + body).ljust(frame_bytes, b"\0"))


def read(segment: bytes) -> tuple[list[bytes], End]:
    """Return the frames of a journal whose only segment is ``segment``, and how it ends."""
    if (end := _check_header(segment)) is not None:
        return [], end
    frames: list[bytes] = []
    header = SEGMENT_HEADER.unpack(segment)
    place, number, seq, epoch = SEGMENT_HEADER_BYTES, 1, 1, header["epoch"]
    while (frame := whole_frame(segment, place)) is not None:
        fields = FRAME_HEADER.unpack(frame)
        blocks = (seq - 1 + fields["entry_count"]) // ENTRIES_PER_BLOCK - (seq - 1) // ENTRIES_PER_BLOCK
        follows = (fields["frame_number"], fields["segment_number"], fields["first_seq"]) == (number, 1, seq)
        if not follows or fields["epoch"] < epoch or fields["digest_count"] != blocks or not _payloads_fit(frame, fields):
            return frames, End.damaged
        frames.append(frame)
        place, number, seq, epoch = place + len(frame), number + 1, seq + fields["entry_count"], fields["epoch"]
    return frames, End.damaged if _has_later_frame(segment, place, number) else End.end


def whole_frame(segment: bytes, place: int) -> bytes | None:
    """Return the frame at ``place`` if its magic, its sizes and its checksum are right."""
    if place + FRAME_HEADER.size > len(segment):
        return None
    fields = FRAME_HEADER.unpack(segment, place)
    sizes = (
        FRAME_HEADER.size
        + fields["entry_count"] * JOURNAL_ENTRY.size
        + fields["outcome_count"] * OUTCOME_RECORD.size
        + fields["digest_count"] * DIGEST_RECORD.size
        + fields["payload_bytes"]
    )
    frame_bytes = -(-sizes // FRAME_ALIGNMENT) * FRAME_ALIGNMENT
    if fields["magic"] != FRAME_MAGIC or fields["frame_bytes"] != frame_bytes or place + frame_bytes > len(segment):
        return None
    frame = segment[place : place + frame_bytes]
    return frame if frame == with_checksum(frame) else None


def _check_header(segment: bytes) -> End | None:
    if len(segment) < SEGMENT_HEADER_BYTES:
        return End.damaged
    fields = SEGMENT_HEADER.unpack(segment)
    block = segment[:SEGMENT_HEADER_BYTES]
    if fields["magic"] != SEGMENT_MAGIC or block != with_checksum(block):
        return End.damaged
    if fields["format_version"] != FORMAT_VERSION:
        return End.other_version
    begins = (fields["segment_number"], fields["first_frame_number"], fields["first_seq"]) == (1, 1, 1)
    fits = fields["segment_bytes"] == len(segment) and len(segment) % 4096 == 0
    return None if begins and fits and fields["source"][127] == 0 else End.damaged


def _payloads_fit(frame: bytes, fields: dict[str, int]) -> bool:
    start = FRAME_HEADER.size + fields["entry_count"] * JOURNAL_ENTRY.size
    outcomes = OUTCOME_RECORD.unpack_all(frame[start : start + fields["outcome_count"] * OUTCOME_RECORD.size])
    return all(outcome["payload_offset"] + outcome["payload_bytes"] <= fields["payload_bytes"] for outcome in outcomes)


def _has_later_frame(segment: bytes, place: int, number: int) -> bool:
    for later in range(place + FRAME_ALIGNMENT, len(segment), FRAME_ALIGNMENT):
        frame = whole_frame(segment, later)
        if frame is not None:
            fields = FRAME_HEADER.unpack(frame)
            if fields["segment_number"] == 1 and fields["frame_number"] > number:
                return True
    return False
