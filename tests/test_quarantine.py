"""The quarantine: what is kept, how it is found, what operators decide."""

import pytest

from ledger._core import build_batch
from ledger.errors import LedgerLocked, LedgerNotFound, NotFound, ProjectionDamaged
from ledger.journal import open_journal
from ledger.layouts import OUTCOME_RECORD, PayloadKind
from ledger.outcomes import OutcomeCode
from ledger.projections.lmdb_projection import rebuild_projection
from ledger.projections.quarantine import Quarantine, State
from tests.waiting import PATIENCE_S

BATCH_HEADER_BYTES = 61
UNDECODABLE, TOO_LATE = OutcomeCode.json_malformed, OutcomeCode.business_date_closed


def record_body(value):
    """Return the bytes of a record after its length varint: what the engine keeps of a refused event."""
    record = bytes(build_batch([(b"key", value, 5)])[BATCH_HEADER_BYTES:])
    return record[1:]  # the length of a short record is one byte


def refuse(journal, *refusals, exists=()):
    """Append one frame with the outcomes (offset, code, value), and ``exists`` for the offsets of ``exists``."""
    outcomes, payload = b"", b""
    for offset in exists:
        outcomes += OUTCOME_RECORD.pack(source_offset=offset, code=OutcomeCode.exists, seq=1)
    for offset, code, value in refusals:
        body = record_body(value)
        outcomes += OUTCOME_RECORD.pack(
            source_offset=offset,
            code=code,
            payload_kind=PayloadKind.record,
            payload_offset=len(payload),
            payload_bytes=len(body),
            record_timestamp_ms=offset * 10,
        )
        payload += body
    number = journal.writer.append_frame(b"", outcomes=outcomes, payload=payload, refused=len(refusals), existing=len(exists))
    assert journal.writer.wait_durable(number, PATIENCE_S)


def with_refusals(shard):
    journal = open_journal(shard, source="topic/0", segment_bytes=1 << 20)
    refuse(journal, (10, UNDECODABLE, b"{"), (12, TOO_LATE, b"late"), exists=(11,))
    refuse(journal, exists=(13, 14))
    refuse(journal, (20, UNDECODABLE, b"["), (21, UNDECODABLE, b"nul"))
    return journal


@pytest.fixture
def journal(tmp_path):
    journal = with_refusals(tmp_path)
    yield journal
    journal.close()


@pytest.fixture
def quarantine(journal, tmp_path):
    quarantine = Quarantine(tmp_path)
    quarantine.catch_up()
    return quarantine


def offsets(events):
    return [event.offset for event in events]


def test_refused_events_are_kept_whole_and_duplicates_are_not(quarantine):
    events = quarantine.items()
    assert offsets(events) == [10, 12, 20, 21]
    assert [event.code for event in events] == [UNDECODABLE, TOO_LATE, UNDECODABLE, UNDECODABLE]
    assert events[1].record() == (b"key", b"late", [])
    assert (events[1].record_timestamp_ms, events[1].frame_number, events[1].state) == (120, 1, State.waiting)


def test_catching_up_goes_on_behind_the_last_frame_whoever_did_it(quarantine, journal, tmp_path):
    assert quarantine.applied_frame == 3
    refuse(journal, (30, TOO_LATE, b"x"))
    another = Quarantine(tmp_path)
    another.catch_up()
    quarantine.catch_up()
    assert offsets(quarantine.items())[-1] == 30 and quarantine.applied_frame == 4


def test_a_list_goes_on_behind_its_cursor_and_keeps_to_the_reasons_and_states_asked_for(quarantine):
    first = quarantine.items(limit=2)
    assert offsets(quarantine.items(after_offset=first[-1].offset)) == [20, 21]
    assert offsets(quarantine.items(reasons=[TOO_LATE])) == [12]
    quarantine.decide(20, State.dropped, operator="li", reason="no event")
    assert offsets(quarantine.items()) == [10, 12, 21]
    assert offsets(quarantine.items(states=[State.dropped])) == [20]
    assert offsets(quarantine.items(states=[])) == [10, 12, 20, 21]


def test_events_are_counted_by_reason_and_state(quarantine):
    quarantine.decide(20, State.replayed, operator="li", reason="sent again")
    assert quarantine.counts() == {
        (UNDECODABLE, State.waiting): 2,
        (UNDECODABLE, State.replayed): 1,
        (TOO_LATE, State.waiting): 1,
    }


def test_a_rebuild_finds_the_same_and_decisions_survive_it(quarantine):
    quarantine.decide(12, State.dropped, operator="li", reason="told the channel")
    before = quarantine.items(states=[])
    quarantine.rebuild()
    assert quarantine.items(states=[]) == before
    decision = quarantine.get(12).decision
    assert (decision.state, decision.operator, decision.reason) == (State.dropped, "li", "told the channel")


def test_the_last_decision_counts_and_a_torn_line_does_not(quarantine, tmp_path):
    quarantine.decide(12, State.dropped, operator="li", reason="a")
    with (tmp_path / "quarantine" / "decisions.jsonl").open("ab") as file:
        file.write(b'{"offset":12,"state":"wai')
    quarantine.decide(12, State.waiting, operator="wang", reason="b")
    assert quarantine.get(12).state == State.waiting
    quarantine.decide(10, State.dropped, operator="wang", reason="c")
    assert len(quarantine.decisions()) == 2


def change(quarantine, offset, change):
    """Change the stored value of an offset; None takes it away."""
    key, table = offset.to_bytes(8, "big"), quarantine._outcomes
    with quarantine._env.begin(write=True, db=table) as txn:
        changed = change(txn.get(key))
        assert txn.delete(key) if changed is None else txn.put(key, changed)


def of_other_code(stored):
    return OUTCOME_RECORD.pack(**OUTCOME_RECORD.unpack(stored) | {"code": TOO_LATE}) + stored[OUTCOME_RECORD.size :]


@pytest.mark.parametrize(
    ("offset", "how", "differs"),
    [
        (12, lambda stored: None, ("event", "refused", "none")),
        (15, lambda stored: bytes(80), ("event", "none", "kept")),
        (20, of_other_code, ("code", UNDECODABLE, TOO_LATE)),
        (21, lambda stored: stored[:-1] + b"!", ("payload",)),
        (21, lambda stored: stored[:60], ("bytes",)),
        (10, lambda stored: stored[:64] + b"\x02" + stored[65:], ("frame", (1).to_bytes(8, "little").hex())),
    ],
)
def test_what_is_not_kept_as_the_journal_has_it_is_found(quarantine, journal, offset, how, differs):
    quarantine.decide(20, State.dropped, operator="li", reason="a test")
    refuse(journal, (30, TOO_LATE, b"that nobody has looked at"))
    steps = []
    sound = quarantine.compare_with_journal(lambda done, total: steps.append((done, total)))
    assert (sound.frame, sound.events, sound.events_differing, sound.differences) == (3, 4, 0, ())
    assert steps[-1] == (3, 3)
    change(quarantine, offset, how)
    found = quarantine.compare_with_journal()
    (difference,) = found.differences
    assert (found.events_differing, difference.offset) == (1, offset)
    assert (difference.field, difference.expected, difference.found)[: len(differs)] == differs
    quarantine.rebuild()
    assert quarantine.compare_with_journal().events_differing == 0


def test_no_more_differences_are_named_than_asked_for_and_all_are_counted(quarantine):
    quarantine._clear()
    with quarantine._env.begin(write=True) as txn:
        quarantine._put_watermark(txn, 3, 0)
    found = quarantine.compare_with_journal(most_differences=2)
    assert (found.events_differing, [difference.offset for difference in found.differences]) == (4, [10, 12])


@pytest.mark.parametrize("watermark", [(4, 0, 0), (3, 0, 1)])
def test_a_quarantine_of_a_frame_that_the_journal_does_not_have_is_found(quarantine, watermark):
    with quarantine._env.begin(write=True) as txn:
        quarantine._put_watermark(txn, *watermark)
    with pytest.raises(ProjectionDamaged, match="does not have so"):
        quarantine.compare_with_journal()
    quarantine.catch_up()
    assert offsets(quarantine.items()) == [10, 12, 20, 21]


def test_what_is_not_there_is_not_found(quarantine, tmp_path):
    for offset in (0, 11, 99):
        with pytest.raises(NotFound, match=f"offset {offset}"):
            quarantine.get(offset)
        with pytest.raises(NotFound):
            quarantine.decide(offset, State.dropped, operator="li", reason="")
    with pytest.raises(LedgerNotFound):
        Quarantine(tmp_path / "elsewhere")


def test_a_damaged_batch_is_kept_but_is_no_record(journal, tmp_path):
    outcome = OUTCOME_RECORD.pack(
        source_offset=40, code=OutcomeCode.corrupt_batch, payload_kind=PayloadKind.batch, payload_bytes=5
    )
    journal.writer.wait_durable(journal.writer.append_frame(b"", outcomes=outcome, payload=b"batch"), PATIENCE_S)
    quarantine = Quarantine(tmp_path)
    quarantine.catch_up()
    event = quarantine.get(40)
    assert event.payload == b"batch"
    with pytest.raises(ValueError, match="damaged batch"):
        event.record()


def test_a_file_that_cannot_be_opened_is_made_anew(tmp_path):
    journal = with_refusals(tmp_path)
    (tmp_path / "quarantine").mkdir()
    (tmp_path / "quarantine" / "data.mdb").write_bytes(b"x" * 8192)
    with pytest.raises(ProjectionDamaged):
        Quarantine(tmp_path)
    with pytest.raises(LedgerLocked):
        rebuild_projection(Quarantine, tmp_path)
    journal.close()
    rebuild_projection(Quarantine, tmp_path)
    assert offsets(Quarantine(tmp_path).items()) == [10, 12, 20, 21]


def test_a_quarantine_of_another_ledger_is_made_anew(journal, tmp_path):
    Quarantine(tmp_path).catch_up()
    other = tmp_path / "other"
    second = open_journal(other, source="topic/1", segment_bytes=1 << 20)
    (tmp_path / "quarantine").rename(other / "quarantine")
    refuse(second, (7, TOO_LATE, b"x"))
    moved = Quarantine(other)
    moved.catch_up()
    assert offsets(moved.items()) == [7]
    second.close()
