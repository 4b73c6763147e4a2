"""The totals of outlets: against plain Python, by whoever follows the journal, rebuilt, and added up."""

import gc
from contextlib import closing
from datetime import date

import lmdb
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.workload import Workload
from ledger._core import JournalReader, OutletCells
from ledger.account_ids import AccountKind, account_id, clearing_account, household_account
from ledger.engine import Engine
from ledger.errors import FormatVersionMismatch, JournalDamaged, LedgerNotFound, ProjectionDamaged
from ledger.event_fields import format_date
from ledger.journal import RingShape, open_journal
from ledger.layouts import JOURNAL_ENTRY, OUTLET_TOTAL, EntryCode, EntryKind
from ledger.outlets import Outlet, OutletKind, OutletRegistry
from ledger.projections.lmdb_projection import rebuild_projection
from ledger.projections.outlet_totals import GroupBy, OutletSum, OutletTotal, OutletTotals, add_up, outlet_sums
from ledger.projections.quarantine import Quarantine
from tests.entries import opening
from tests.plain_outlet_totals import totals_of
from tests.waiting import PATIENCE_S

DAY = 20_657  # 2026-07-23
WORKLOAD = Workload(seed=5, events=3000, households=100, duplicates=0.05, refused=0.02)


def entry(kind=EntryKind.transfer, **fields):
    return JOURNAL_ENTRY.pack(kind=kind, **{"code": EntryCode.payment, "business_date": DAY, "channel": 4, **fields})


def append(journal, *frames):
    for entries in frames:
        number = journal.writer.append_frame(entries)
    assert journal.writer.wait_durable(number, PATIENCE_S)


@pytest.fixture
def journal(tmp_path):
    journal = open_journal(tmp_path, source="topic/0", segment_bytes=1 << 20)
    yield journal
    journal.close()


def found(totals):
    """Return what is stored as plain Python tells it."""
    days = {format_date(day): day for day in (DAY - 1, DAY, DAY + 1, 0, 0xFFFF)}
    return {
        (days.get(total.business_date, total.business_date), total.outlet, total.channel): [
            total.payments,
            total.payments_fen,
            total.reversals,
            total.reversals_fen,
        ]
        for total in totals.totals()
    }


def caught_up(directory):
    totals = OutletTotals(directory)
    totals.catch_up()
    return totals


ENTRIES = st.builds(
    entry,
    st.sampled_from([*[EntryKind.transfer] * 4, EntryKind.post, EntryKind.reverse, EntryKind.pending, EntryKind.void]),
    code=st.sampled_from([*[EntryCode.payment] * 4, EntryCode.bill, 7]),
    detail=st.sampled_from([0, 1, 57600117, 10**18 - 1, 10**18, 2**64 - 1]),
    business_date=st.sampled_from([0, DAY - 1, DAY, DAY + 1, 0xFFFF]),
    channel=st.sampled_from([4, 14, 101, 0xFFFF]),
    amount_fen=st.sampled_from([0, 1, 20815, 2**63, 2**64 - 1]),
    debit_slot=st.integers(0, 5),
    credit_slot=st.integers(0, 5),
)
OPENINGS = st.builds(
    opening,
    st.integers(0, 5),
    st.sampled_from(
        [
            clearing_account(4, date(2026, 7, 23)),
            clearing_account(14, date(2026, 7, 22)),
            account_id(AccountKind.clearing, "14"),
            account_id(AccountKind.clearing, "9" * 33),
            household_account("3301234567890"),
        ]
    ),
)
FRAMES = st.lists(st.lists(OPENINGS | ENTRIES, max_size=12).map(b"".join), min_size=1, max_size=6)


@settings(max_examples=60)
@given(FRAMES, st.integers(0, 5))
def test_totals_are_those_of_plain_python_however_often_they_were_brought_up_to_date(tmp_path_factory, frames, looked_after):
    directory = tmp_path_factory.mktemp("shard")
    with closing(open_journal(directory, source="topic/0", segment_bytes=1 << 20)) as journal:
        for number, entries in enumerate(frames):
            append(journal, entries)
            if number == looked_after:
                caught_up(directory)
        assert found(caught_up(directory)) == totals_of(frames)
        comparison = OutletTotals(directory).compare_with_journal()  # not of clearing accounts: here a slot opens twice
        assert (comparison.totals_differing, comparison.seq) == (0, comparison.expected_seq)


@given(st.lists(st.tuples(st.integers(0, 2**40), st.integers(0, 3), st.integers(0, 300)), max_size=4000))
def test_many_cells_find_their_places_and_come_in_the_order_of_their_keys(cells):
    entries = [entry(detail=outlet, business_date=day, channel=channel) for outlet, day, channel in cells]
    totals = OutletCells(0, 0, [])
    totals.apply_entries(1, b"".join(entries))
    totals.sort()
    keys = totals.keys(0, 5000)
    assert keys == sorted({b"".join(n.to_bytes(size, "big") for n, size in ((c[1], 2), (c[0], 8), (c[2], 2))) for c in cells})


def test_a_reversal_counts_for_the_channel_whose_clearing_account_gets_it_back(tmp_path, journal):
    frames = [
        opening(0, household_account("3301234567890")) + opening(1, clearing_account(14, date(2026, 7, 22))),
        entry(channel=14, detail=57600117, amount_fen=20815, debit_slot=1),
        entry(EntryKind.reverse, channel=101, detail=57600117, amount_fen=815, credit_slot=1),
    ]
    append(journal, *frames[:2])
    caught_up(tmp_path)  # so that the clearing account is known from the file alone
    append(journal, frames[2])
    assert list(caught_up(tmp_path).totals()) == [OutletTotal(date(2026, 7, 23), 57600117, 14, 1, 20815, 1, 815)]


def test_two_who_follow_the_same_journal_count_nothing_twice(tmp_path, journal):
    one, other = OutletTotals(tmp_path), OutletTotals(tmp_path)
    for _ in range(3):
        append(journal, entry(detail=1, amount_fen=5))
        one.catch_up()
        other.catch_up()
        append(journal, entry(detail=1, amount_fen=5))
        other.catch_up()
        one.catch_up()
    assert found(one) == {(DAY, 1, 4): [6, 30, 0, 0]}
    assert (one.applied_frame, one.applied_seq) == (6, 6)


def test_what_another_stored_meanwhile_is_not_added_again(tmp_path, journal):
    append(journal, entry(detail=1, amount_fen=5))
    slow = OutletTotals(tmp_path)
    cells = slow._cells_behind_watermark()
    cells.replay(JournalReader(tmp_path / "journal", up_to_frame=1))
    caught_up(tmp_path)
    assert not slow._write(cells)
    slow.catch_up()
    assert found(slow) == {(DAY, 1, 4): [1, 5, 0, 0]}


@pytest.mark.parametrize("ring_frames", [32, 2])  # with two, frames have left the ring before anybody looks
def test_totals_follow_an_engine_frame_by_frame_and_equal_a_rebuild(tmp_path, ring_frames):
    with Engine.open(tmp_path, segment_bytes=1 << 20, ring=RingShape(frames=ring_frames)) as engine:
        totals, frames = OutletTotals(tmp_path), engine.durable_frames()
        for number, (batch, next_offset) in enumerate(WORKLOAD.batches()):
            engine.apply(batch, next_offset)
            if number % 4 == 0:
                totals.follow(frames, 0.001)
        engine.wait_durable()
        while totals.applied_frame < engine.durable_frame:
            totals.follow(frames, 0.01)
        totals.follow(frames, 0.001)  # nothing comes
    followed = list(totals.totals())
    assert followed == [OutletTotal(*total) for total in expected(tmp_path)]
    rebuild_projection(OutletTotals, tmp_path)
    assert list(totals.totals()) == followed


def expected(directory):
    """Yield the totals of a journal as plain Python tells them, in their order."""
    frames = (bytes(frame.entries) for frame in JournalReader(directory / "journal"))
    for (day, outlet, channel), total in sorted(totals_of(frames).items()):
        yield format_date(day), outlet, channel, *total


def test_a_gap_in_the_entries_is_damage():
    cells = OutletCells(3, 7, [])
    with pytest.raises(JournalDamaged, match="Entries are missing"):
        cells.apply_entries(9, entry())


def test_a_total_of_a_wrong_size_is_damage():
    cells = OutletCells(0, 0, [])
    cells.apply_entries(1, entry())
    cells.sort()
    with pytest.raises(ProjectionDamaged, match="wrong size"):
        cells.add_to(0, [b"short"])


def test_a_file_that_cannot_be_opened_is_made_anew(tmp_path, journal):
    append(journal, entry(detail=1, amount_fen=5))
    journal.close()
    (tmp_path / "outlets").mkdir()
    (tmp_path / "outlets" / "data.mdb").write_bytes(b"no LMDB file" * 1000)
    with pytest.raises(ProjectionDamaged):
        OutletTotals(tmp_path)
    rebuild_projection(OutletTotals, tmp_path)
    assert found(OutletTotals(tmp_path)) == {(DAY, 1, 4): [1, 5, 0, 0]}


def put(totals, table, *pairs):
    with totals._env.begin(write=True) as txn:
        for key, value in pairs:
            txn.put(key, value, db=totals._tables[table])


def key_of(day, outlet, channel):
    return day.to_bytes(2, "big") + outlet.to_bytes(8, "big") + channel.to_bytes(2, "big")


def test_a_comparison_finds_totals_that_are_missing_here_or_there_or_differ(tmp_path, journal):
    append(journal, opening(1, clearing_account(14, date(2026, 7, 22))) + entry(detail=7, amount_fen=5) + entry(amount_fen=9))
    totals = caught_up(tmp_path)
    changed = OUTLET_TOTAL.pack(payments=1, payments_fen=6)
    put(totals, "totals", (key_of(DAY, 7, 4), changed), (key_of(DAY - 1, 8, 4), changed))
    comparison = totals.compare_with_journal()
    assert not comparison.agrees and comparison.totals_differing == 2
    assert [(one.outlet, one.field, one.expected, one.found) for one in comparison.differences] == [
        (8, "payments", None, 1),
        (8, "payments_fen", None, 6),
        (8, "reversals", None, 0),
        (8, "reversals_fen", None, 0),
        (7, "payments_fen", 5, 6),
    ]
    assert len(totals.compare_with_journal(most_differences=2).differences) == 2
    totals.rebuild()
    assert totals.compare_with_journal().agrees
    put(totals, "clearing", ((1).to_bytes(4, "big"), (13).to_bytes(2, "big")))
    assert (totals.compare_with_journal().totals_differing, totals.compare_with_journal().agrees) == (0, False)


def test_totals_that_are_behind_the_journal_are_compared_as_they_stand_and_those_ahead_are_damage(tmp_path, journal):
    append(journal, entry(detail=1, amount_fen=5))
    totals = caught_up(tmp_path)
    append(journal, entry(detail=1, amount_fen=5))
    assert totals.compare_with_journal().seq == 1 and totals.compare_with_journal().agrees
    with totals._env.begin(write=True) as txn:
        totals._put_watermark(txn, 3, 3)
    with pytest.raises(ProjectionDamaged, match="more than the journal"):
        totals.compare_with_journal()


@pytest.mark.parametrize("kind", [OutletTotals, Quarantine])
def test_a_file_of_an_older_version_is_made_anew_and_one_of_a_later_is_refused_until_it_is_rebuilt(tmp_path, journal, kind):
    append(journal, entry(detail=1, amount_fen=5))

    def wrote(*watermark):
        """Write a watermark as another version did, and an array of three as those before there were versions."""
        with closing(lmdb.open(str(tmp_path / kind.directory_name), max_dbs=3)) as env, env.begin(write=True) as txn:
            meta = env.open_db(b"meta", txn)
            ledger_id, frame, seq, *_ = msgspec.msgpack.decode(txn.get(b"state", db=meta))
            txn.put(b"state", msgspec.msgpack.encode([ledger_id, frame, seq, *watermark]), db=meta)

    def caught_up_frames(**how):
        projection = kind(tmp_path, **how)
        before = projection.applied_frame
        projection.catch_up()
        return before, projection.applied_frame

    assert [caught_up_frames() for _ in range(2)] == [(0, 1), (1, 1)]
    wrote()
    with pytest.raises(FormatVersionMismatch, match="expected 1, found 0"):
        kind(tmp_path, readonly=True)
    gc.collect()  # the exception has kept the file open
    assert [caught_up_frames() for _ in range(2)] == [(0, 1), (1, 1)]
    wrote(2)
    for how in ({}, {"readonly": True}):
        with pytest.raises(FormatVersionMismatch, match="expected 1, found 2"):
            kind(tmp_path, **how)
        gc.collect()
    rebuild_projection(kind, tmp_path)
    assert caught_up_frames() == (1, 1)


def test_a_watermark_that_cannot_be_read_is_damage_until_it_is_rebuilt(tmp_path, journal):
    append(journal, entry(detail=1, amount_fen=5))
    totals = caught_up(tmp_path)
    with totals._env.begin(write=True) as txn:
        txn.put(b"state", b"\xc1", db=totals._meta)
    with pytest.raises(ProjectionDamaged, match="watermark of the outlets"):
        OutletTotals(tmp_path)
    rebuild_projection(OutletTotals, tmp_path)
    assert found(OutletTotals(tmp_path)) == {(DAY, 1, 4): [1, 5, 0, 0]}


def test_a_directory_without_a_ledger_has_no_totals(tmp_path):
    with pytest.raises(LedgerNotFound):
        OutletTotals(tmp_path)
    with pytest.raises(LedgerNotFound):
        outlet_sums(tmp_path)


# --- Reading ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "last", "days"),
    [(None, None, [-1, 0, 1]), (0, None, [0, 1]), (None, 0, [-1, 0]), (0, 0, [0]), (2, None, []), (None, -2, []), (1, -1, [])],
)
def test_totals_are_those_of_the_days_that_were_asked_for(tmp_path, journal, first, last, days):
    append(journal, b"".join(entry(business_date=DAY + day) for day in (1, 0, -1)))
    first, last = (None if day is None else format_date(DAY + day) for day in (first, last))
    assert [total.business_date for total in caught_up(tmp_path).totals(first, last)] == [format_date(DAY + day) for day in days]


def test_any_day_of_the_calendar_may_be_asked_for(tmp_path, journal):
    append(journal, entry(business_date=0xFFFF) + entry(business_date=1))
    assert len(list(caught_up(tmp_path).totals(date.min, date.max))) == 2


TOTALS = [
    OutletTotal(date(2026, 7, 22), 1, 4, 2, 200, 0, 0),
    OutletTotal(date(2026, 7, 23), 1, 4, 1, 100, 1, 50),
    OutletTotal(date(2026, 7, 23), 2, 14, 1, 10, 0, 0),
    OutletTotal(date(2026, 7, 23), 3, 14, 1, 1, 0, 0),
]
REGISTRY = OutletRegistry(
    Outlet(number, "", county, OutletKind.bank, "bank", 121.0, 28.0, date(2020, 1, 1))
    for number, county in ((1, "331083"), (2, "330206"))
)


@pytest.mark.parametrize(
    ("by", "sums"),
    [
        ([], [OutletSum(None, None, None, None, 5, 311, 1, 50)]),
        (
            ["outlet"],
            [
                OutletSum(None, None, 1, None, 3, 300, 1, 50),
                OutletSum(None, None, 2, None, 1, 10),
                OutletSum(None, None, 3, None, 1, 1),
            ],
        ),
        (
            ["county"],
            [
                OutletSum(None, "330206", None, None, 1, 10),
                OutletSum(None, "331083", None, None, 3, 300, 1, 50),
                OutletSum(None, None, None, None, 1, 1),
            ],
        ),
        (["channel"], [OutletSum(None, None, None, 4, 3, 300, 1, 50), OutletSum(None, None, None, 14, 2, 11)]),
        (
            ["day", "channel"],
            [
                OutletSum(date(2026, 7, 22), None, None, 4, 2, 200),
                OutletSum(date(2026, 7, 23), None, None, 4, 1, 100, 1, 50),
                OutletSum(date(2026, 7, 23), None, None, 14, 2, 11),
            ],
        ),
    ],
)
def test_totals_are_added_up_by_what_is_asked_for(by, sums):
    assert add_up(TOTALS, [GroupBy(name) for name in by], REGISTRY) == sums


def test_the_shards_of_a_data_directory_are_added_up_together(tmp_path):
    for partition in range(2):
        shard = tmp_path / f"events-{partition}"
        with closing(open_journal(shard, source=f"events/{partition}", segment_bytes=1 << 20)) as journal:
            append(journal, entry(detail=1, amount_fen=5))
    REGISTRY.save(tmp_path)
    assert outlet_sums(tmp_path, [GroupBy.county]) == [OutletSum(None, "331083", None, None, 2, 10)]
