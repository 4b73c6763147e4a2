"""What an engine reads back of its journal is not trusted: a damaged entry stops it, and does no more harm."""

import pytest

from ledger._core import build_batch
from ledger.engine import Engine
from ledger.errors import JournalDamaged
from ledger.journal import RingShape
from ledger.layouts import JOURNAL_ENTRY, EntryKind
from ledger.model_events import LEG_PENDING
from tests.ledger_events import NOON_MS, Named, clock, freeze, leg, open_account, post, transfer

RING = RingShape(frames=4)
HELD, POSTED, MOVED = 3, 4, 5  # seqs


def apply(engine: Engine, *values: bytes) -> None:
    batch = build_batch([(None, value, NOON_MS) for value in values], engine.next_offset)
    engine.apply(batch, engine.next_offset + len(values))


def change(engine: Engine, seq: int, **fields: int) -> None:
    """Change an entry of the first frame in the file."""
    path = engine.directory / "journal" / "0000000001.segment"
    data = bytearray(path.read_bytes())
    at = data.index(b"hold".ljust(16, b"\0")) + (seq - HELD) * JOURNAL_ENTRY.size
    data[at : at + JOURNAL_ENTRY.size] = JOURNAL_ENTRY.pack(**JOURNAL_ENTRY.unpack(data, at) | fields)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("seq", "fields"),
    [
        (POSTED, {"reference_seq": 0}),
        (MOVED, {"debit_previous_seq": MOVED}),
        (MOVED, {"debit_slot": 2**32 - 1}),
        (HELD, {"credit_slot": 2**32 - 1}),
    ],
)
def test_a_hold_whose_entries_are_damaged_is_not_settled_again(tmp_path, seq, fields):
    engine = Engine.open(tmp_path / "events-0", ring=RING, segment_bytes=4 << 20)
    pending = transfer("hold", leg(amount_fen=5, flags=LEG_PENDING))
    apply(
        engine,
        open_account("A", "A"),
        open_account("B", "B"),
        pending,
        post("post", Named("hold")),
        transfer("move", leg(amount_fen=1)),
    )
    for number in range(RING.frames):
        apply(engine, clock(f"clock {number}"))
    engine.wait_durable()
    change(engine, seq, **fields)
    with pytest.raises(JournalDamaged, match="An entry is not what was written"):
        apply(engine, post("again", Named("hold")))
    engine.abandon()


@pytest.mark.parametrize("fields", [{"debit_slot": 2**32 - 1}, {"kind": EntryKind.note, "debit_slot": 2**32 - 1}])
def test_a_damaged_entry_of_a_known_event_names_no_account(tmp_path, fields):
    engine = Engine.open(tmp_path / "events-0", ring=RING, segment_bytes=4 << 20)
    apply(engine, open_account("A", "A"), open_account("B", "B"), freeze("hold", "A"))
    for number in range(RING.frames):
        apply(engine, clock(f"clock {number}"))
    engine.wait_durable()
    change(engine, HELD, **fields)
    with pytest.raises(JournalDamaged, match="An entry is not what was written"):
        apply(engine, freeze("hold", "B"))
    engine.abandon()
