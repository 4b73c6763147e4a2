"""The workload is what it says, whichever way it is asked for."""

from collections import Counter
from dataclasses import replace

import pytest

from bench.workload import NO_LEDGER_EVENTS, LedgerLoad, Workload, zipf_zeta
from ledger._core import batches_overview, walk_batches
from ledger.channels import BUILT_IN_CHANNELS
from ledger.events import decode_to_packed, encode_packed
from ledger.layouts import JOURNAL_ENTRY, EntryKind
from ledger.model import Model
from ledger.outcomes import OutcomeCode

SMALL = Workload(seed=5, events=3_000, households=200, duplicates=0.1, duplicate_distance=500, refused=0.1, records_per_batch=256)


@pytest.mark.parametrize("json", [False, True], ids=["packed", "json"])
def test_the_ledger_answers_every_event_as_its_fate_says(json):
    workload = replace(SMALL, json=json)
    model = Model()
    for batch, _ in workload.batches():
        for offset, timestamp_ms, _, value in walk_batches(batch):
            model.apply_record(value, offset, timestamp_ms)
    assert (model.events_applied, model.events_existing, model.events_refused) == workload.fates()
    assert model.next_offset == workload.events


def test_both_encodings_carry_the_same_events():
    for packed, json in zip(SMALL.values(), replace(SMALL, json=True).values(), strict=True):
        packed_code, packed_event = decode_to_packed(packed, BUILT_IN_CHANNELS)
        json_code, json_event = decode_to_packed(json, BUILT_IN_CHANNELS)
        assert packed_code == json_code
        assert packed_code is not OutcomeCode.applied or packed_event == json_event


MIXED = replace(SMALL, refused=0.0, ledger=LedgerLoad(settle_distance=250, agencies=5), days=0.01)


def open_accounts(model: Model) -> None:
    """Open the agencies of MIXED, and every household."""
    for opening in MIXED.ledger.opening(MIXED.first_day):
        model.apply_record(encode_packed(opening), model.next_offset, MIXED.timestamp_ms(0))
    for value in replace(MIXED, ledger=NO_LEDGER_EVENTS, seed=99, households_in_turn=True, events=200, duplicates=0.0).values():
        model.apply_record(value, model.next_offset, MIXED.timestamp_ms(0))


@pytest.mark.parametrize("json", [False, True], ids=["packed", "json"])
def test_the_ledger_answers_every_ledger_event_as_its_kind_says(json):
    model, workload = Model(), replace(MIXED, json=json)
    open_accounts(model)
    first_offset, opened = model.next_offset, model.events_applied
    for batch, _ in workload.batches(first_offset=first_offset):
        for offset, timestamp_ms, _, value in walk_batches(batch):
            model.apply_record(value, offset, timestamp_ms)
    fates, kinds = workload.fates(), workload.kinds()
    assert sum(kinds) == fates.fresh
    assert model.events_applied - opened == fates.fresh - kinds.refused
    assert model.events_existing + model.events_refused == fates.duplicates + kinds.refused
    assert kinds.settlements == pytest.approx(kinds.holds * 0.9, rel=0.2)
    assert kinds.holds + kinds.settlements == pytest.approx(0.3 * MIXED.events, rel=0.15)
    entry_kinds = Counter(entry["kind"] for entry in JOURNAL_ENTRY.unpack_all(b"".join(model.entries)))
    assert min(entry_kinds[kind] for kind in (EntryKind.post, EntryKind.void, EntryKind.expire, EntryKind.release)) > 5
    assert entry_kinds[EntryKind.pending] == kinds.holds
    assert entry_kinds[EntryKind.reverse] == kinds.reversals


def test_ledger_events_are_refused_for_five_reasons():
    model = Model()
    open_accounts(model)
    reasons = Counter(
        model.apply_record(value, model.next_offset, MIXED.timestamp_ms(i)) for i, value in enumerate(MIXED.values())
    )
    assert {
        OutcomeCode.debit_account_not_found,
        OutcomeCode.exceeds_credits,
        OutcomeCode.pending_transfer_not_found,
        OutcomeCode.accounts_must_be_different,
        OutcomeCode.code_must_not_be_zero,
    } <= reasons.keys()


def test_refused_events_are_refused_for_many_reasons():
    model = Model()
    reasons = Counter(model.apply_record(value, i, SMALL.timestamp_ms(i)) for i, value in enumerate(SMALL.values()))
    assert {
        OutcomeCode.value_missing,
        OutcomeCode.encoding_unknown,
        OutcomeCode.channel_unknown,
        OutcomeCode.business_date_closed,
        OutcomeCode.business_date_in_future,
        OutcomeCode.amount_not_positive,
        OutcomeCode.household_not_13_digits,
        OutcomeCode.exists_with_different_amount,
    } <= reasons.keys()


def test_events_do_not_depend_on_batching_or_on_where_one_begins():
    whole = [record for batch, _ in SMALL.batches() for record in walk_batches(batch)]
    assert [record[3] for record in whole] == list(SMALL.values())
    rest = [
        record for batch, _ in replace(SMALL, records_per_batch=77).batches(first_event=1_000) for record in walk_batches(batch)
    ]
    assert rest == whole[1_000:]


def test_batches_are_sound_and_follow_one_another():
    next_expected = 50
    for batch, next_offset in SMALL.batches(first_offset=50):
        (overview,) = batches_overview(batch)
        assert overview.crc_ok
        assert overview.base_offset == next_expected
        assert overview.last_offset + 1 == next_offset
        next_expected = next_offset
    assert next_expected == 50 + SMALL.events


def test_another_seed_makes_other_events():
    assert list(SMALL.values()) != list(replace(SMALL, seed=6).values())


def test_households_are_distinct_numbers_of_thirteen_digits_within_their_count():
    drawn = {SMALL.household(event) for event in range(SMALL.events)}
    assert len(drawn) == SMALL.households
    assert all(len(household) == 13 and household.startswith("33") for household in drawn)


def test_households_in_turn_meet_every_household_once_a_round():
    in_turn = replace(SMALL, households_in_turn=True)
    assert len({in_turn.household(event) for event in range(200)}) == 200


def test_zipf_prefers_few_households_and_stays_within_their_count():
    skewed = replace(SMALL, zipf_theta=0.99, households=10_000)
    drawn = Counter(skewed.household(event) for event in range(skewed.events))
    share_of_first = drawn.most_common(1)[0][1] / skewed.events
    assert share_of_first == pytest.approx(1 / zipf_zeta(10_000, 0.99), rel=0.3)


def test_the_integral_behind_zeta_is_close_to_the_sum():
    assert zipf_zeta(50_000, 0.99) == pytest.approx(sum(rank**-0.99 for rank in range(1, 50_001)), rel=1e-6)
