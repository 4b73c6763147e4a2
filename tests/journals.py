"""Small journals for tests: entries with right links, written in frames of given sizes; and plain digests to compare with."""

import hashlib
import random
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from ledger.account_ids import household_account
from ledger.journal import Journal, RingShape, open_journal
from ledger.layouts import ENTRIES_PER_BLOCK, JOURNAL_ENTRY, NO_SLOT, EntryCode, EntryKind, EventType
from tests.waiting import PATIENCE_S

SOURCE = "payments.events/0"
SEGMENT_BYTES = 1 << 18
SMALL_RING = RingShape(frames=4, entries=1000, outcomes=100, payload_bytes=4096)
ACCOUNTS = 20


def ledger_entries(count: int, seed: int = 0, accounts: int = ACCOUNTS) -> bytes:
    """Return ``count`` entries: some accounts opened, then transfers among them, each linked to what came before."""
    chance = random.Random(seed)
    entries = []
    last_seq = [0] * accounts
    for seq in range(1, count + 1):
        day = 20_000 + seq // 1000
        if seq <= accounts:
            slot = seq - 1
            fields = {
                "kind": EntryKind.open_account,
                "code": EntryCode.open_account,
                "serial": household_account(f"{slot:013d}").to_bytes(16, "little"),
                "debit_slot": slot,
                "credit_slot": NO_SLOT,
                "detail": 1,
            }
            last_seq[slot] = seq
        else:
            debit, credit = chance.sample(range(accounts), 2)
            fields = {
                "kind": EntryKind.transfer,
                "code": EntryCode.payment,
                "event_type": EventType.payment,
                "serial": chance.randbytes(16),
                "amount_fen": chance.randint(1, 10**6),
                "debit_slot": debit,
                "credit_slot": credit,
                "debit_previous_seq": last_seq[debit],
                "credit_previous_seq": last_seq[credit],
                "leg_count": 1,
            }
            last_seq[debit] = last_seq[credit] = seq
        entries.append(
            JOURNAL_ENTRY.pack(
                **fields, ledger_time_ms=seq * 10, source_offset=seq, business_date=day, value_date=day + 1, channel=1 + seq % 14
            )
        )
    return b"".join(entries)


def transfers_in(entries: bytes) -> int:
    return sum(entry["kind"] == EntryKind.transfer for entry in JOURNAL_ENTRY.unpack_all(entries))


def open_small(directory: Path, **changes: object) -> Journal:
    """Open a journal with small segments and a small ring."""
    arguments = {"source": SOURCE, "segment_bytes": SEGMENT_BYTES, "ring": SMALL_RING} | changes
    return open_journal(directory, **arguments)


def append(journal: Journal, entries: bytes, first_seq: int = 1, **counts: object) -> int:
    """Append one frame with right positions and counts; return its number."""
    count = len(entries) // JOURNAL_ENTRY.size
    last_seq = first_seq + count - 1
    return journal.writer.append_frame(
        entries, ledger_time_ms=last_seq * 10, next_offset=last_seq + 1, applied=transfers_in(entries), **counts
    )


def write_frames(journal: Journal, entries: bytes, sizes: Iterable[int], first_seq: int = 1) -> int:
    """Append ``entries`` in frames of ``sizes`` entries, then the rest; wait until all is durable; return the last frame."""
    total = len(entries) // JOURNAL_ENTRY.size
    start = frame = 0
    for size in sizes:
        end = min(start + size, total)
        frame = append(journal, entries[start * JOURNAL_ENTRY.size : end * JOURNAL_ENTRY.size], first_seq + start)
        start = end
    while start < total:
        end = min(start + SMALL_RING.entries, total)
        frame = append(journal, entries[start * JOURNAL_ENTRY.size : end * JOURNAL_ENTRY.size], first_seq + start)
        start = end
    assert journal.writer.wait_durable(frame, PATIENCE_S)
    return frame


def make_journal(directory: Path, entries: bytes, sizes: Iterable[int] = (), **changes: object) -> Path:
    """Write a whole journal and close it; return its folder."""
    journal = open_small(directory, **changes)
    write_frames(journal, entries, sizes)
    journal.close()
    return directory / "journal"


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.segment"))


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def plain_digests(entries: bytes) -> list[bytes]:
    """Return the chained digests of the full blocks, computed as digests.pxi says, with hashlib."""
    block_bytes = ENTRIES_PER_BLOCK * JOURNAL_ENTRY.size
    chain, digests = bytes(32), []
    for start, end in pairwise(range(0, len(entries) + 1, block_bytes)):
        level = [
            sha256(b"\0", entries[leaf : leaf + 32 * JOURNAL_ENTRY.size]) for leaf in range(start, end, 32 * JOURNAL_ENTRY.size)
        ]
        while len(level) > 1:
            level = [sha256(b"\1", left, right) for left, right in zip(level[::2], level[1::2], strict=True)]
        chain = sha256(chain, level[0])
        digests.append(chain)
    return digests
