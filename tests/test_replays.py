"""Refused events replayed: under which key, in which order, and that each is applied once."""

import json
from datetime import date

import msgspec
import pytest

from ledger.account_ids import parse_account
from ledger.channels import BUILT_IN_CHANNELS, SerialForm
from ledger.event_fields import parse_serial
from ledger.events import Payment, encode_json, encode_msgpack
from ledger.key_lookup import EventKey
from ledger.outcomes import OutcomeCode
from ledger.projections.quarantine import Quarantine, State
from ledger.replays import Replays, retry_serial
from tests import ledger_events as make
from tests.commands import in_a_process
from tests.ledger_events import NOON_MS, Named, leg
from tests.random_ledger import PARAMETERS
from tests.shadow import ShadowedEngine

CLOSED = encode_msgpack(
    Payment(channel="alipay", business_date=date(2020, 1, 1), serial="7", household="3301234567890", amount_fen=1)
)
OPENINGS = [make.open_account("open a", "A"), make.open_account("open b", "B")]


@pytest.fixture
def pair(tmp_path):
    pair = ShadowedEngine(tmp_path, PARAMETERS)
    yield pair
    pair.compare()
    pair.close()


def apply(pair, *values):
    pair.apply([[(NOON_MS, value) for value in values]])
    assert pair.engine.wait_durable()


def replays(pair):
    quarantine = Quarantine(pair.shard)
    quarantine.catch_up()
    return Replays(pair.shard, quarantine, BUILT_IN_CHANNELS), quarantine


def replay(pair, *offsets):
    """Replay events, or the reversals that are ready; return the offsets."""
    prepared, quarantine = replays(pair)
    events = [quarantine.get(offset) for offset in offsets] or prepared.ready_reversals()
    apply(pair, *(value for _, value in prepared.records(events)))
    for event in events:
        quarantine.decide(event.offset, State.replayed, operator="li", reason="a test")
    return [event.offset for event in events]


def debits(pair, name="ledger:065"):
    return pair.model.accounts[parse_account(name)].debits_posted


def codes(pair):
    return [OutcomeCode(int.from_bytes(outcome.record[48:50], "little")).name for outcome in pair.model.outcomes]


def test_a_reversal_waits_for_its_original_and_is_applied_once_however_often_it_came_and_is_replayed(pair):
    apply(pair, *OPENINGS, make.reverse("undo", Named("pay")), make.reverse("undo", Named("pay")))
    assert codes(pair) == ["reversal_not_found", "id_already_failed"]
    assert replays(pair)[0].ready_reversals() == []
    apply(pair, make.transfer("pay", leg("A", "B", 100)))
    assert replay(pair) == [2]
    assert debits(pair, "ledger:066") == debits(pair) == 100
    assert replays(pair)[0].ready_reversals() == []
    replay(pair, 2, 3)
    assert debits(pair, "ledger:066") == 100
    assert codes(pair)[2:] == ["exists", "exists"]


def test_an_adjustment_waits_for_the_event_in_dispute_and_names_it_as_it_was_replayed(pair):
    pay = make.transfer("pay", leg("A", "B", 100))
    apply(pair, pay, make.adjust("back", "B", "A", 100, disputed=Named("pay")))
    assert codes(pair) == ["debit_account_not_found", "disputed_event_not_found"]
    apply(pair, *OPENINGS)
    assert replays(pair)[0].ready_reversals() == []
    assert replay(pair, 0) == [0]
    assert replay(pair) == [1]
    assert debits(pair, "ledger:066") == debits(pair) == 100
    assert replays(pair)[0].ready_reversals() == []


def test_reversals_of_part_are_replayed_in_the_order_in_which_they_came(pair):
    apply(pair, *OPENINGS, make.reverse("undo 60", Named("pay"), 60), make.reverse("undo 50", Named("pay"), 50))
    apply(pair, make.transfer("pay", leg("A", "B", 100)))
    assert replay(pair) == [2, 3]
    assert debits(pair, "ledger:066") == 60
    assert codes(pair)[2:] == ["exceeds_reversible_amount"]


def test_an_original_that_was_burnt_goes_before_its_reversal_which_names_it_by_its_new_key(pair):
    apply(pair, make.reverse("undo", Named("pay")), make.transfer("pay", leg("A", "B", 100)), *OPENINGS)
    assert codes(pair) == ["reversal_not_found", "debit_account_not_found"]
    assert replay(pair, 0, 1) == [0, 1]
    assert debits(pair) == debits(pair, "ledger:066") == 100


def test_a_reversal_finds_an_original_that_was_applied_only_in_a_second_retry(pair):
    apply(pair, make.reverse("undo", Named("pay")), make.transfer("pay", leg("A", "B", 100)))
    replay(pair, 1)
    assert codes(pair) == ["reversal_not_found", "debit_account_not_found", "debit_account_not_found"]
    apply(pair, *OPENINGS)
    replay(pair, 2)
    assert (debits(pair), replay(pair), debits(pair, "ledger:066")) == (100, [0], 100)


def test_a_refusal_that_left_its_key_free_is_replayed_as_it_came(pair):
    apply(pair, CLOSED, b"{")
    prepared, quarantine = replays(pair)
    assert [value for _, value in prepared.records(quarantine.items())] == [CLOSED, b"{"]


def test_an_event_of_a_type_that_the_engine_did_not_know_yet_is_replayed(pair):
    apply(pair, CLOSED)
    prepared, quarantine = replays(pair)
    (event,) = quarantine.items()
    assert prepared.records([msgspec.structs.replace(event, event_type=0)]) == [(None, CLOSED)]


@pytest.mark.parametrize("form", SerialForm)
def test_the_serial_of_a_retry_is_one_of_the_channel_follows_from_the_key_and_differs_with_each_part_of_it(form):
    key = EventKey(13, 20_000, b"0123456789abcdef")
    others = [key._replace(channel=14), key._replace(business_date=20_001), key._replace(serial=b"1123456789abcdef")]
    serials = [retry_serial(one, form) for one in (key, *others)]
    assert len(set(serials)) == 4
    assert serials[0] == retry_serial(key, form)
    assert all(any(parse_serial(serial, form)) for serial in serials)


REVERSAL = {
    "type": "reverse",
    "channel": "ledger",
    "business_date": "2026-07-23",
    "serial": "undo-7",
    "original": {"channel": "alipay", "business_date": "2026-07-23", "serial": "7"},
}
PAYMENT = Payment(channel="alipay", business_date=date(2026, 7, 23), serial="7", household="3301234567890", amount_fen=20_000)


def test_the_command_replays_a_reversal_when_its_original_has_come(tmp_path):
    (tmp_path / "peakledger.toml").write_text('stream = "stream"\ndata = "ledger"\nclose_after_days = 36500\nfuture_days = 366\n')
    (tmp_path / "reversal.jsonl").write_text(json.dumps(REVERSAL))
    (tmp_path / "payment.jsonl").write_bytes(encode_json(PAYMENT))

    def run(*arguments):
        ended = in_a_process(*arguments, "--json", cwd=tmp_path)
        assert ended.status == 0, ended.err
        return ended.items

    run("topics", "create")
    run("publish", "reversal.jsonl")
    run("run", "--stop-at-end")
    assert run("quarantine", "replay") == []
    run("publish", "payment.jsonl")
    run("run", "--stop-at-end")
    assert [item["offset"] for item in run("quarantine", "replay", "--operator", "li")] == [0]
    (shard,) = run("run", "--stop-at-end")
    assert (shard["events_applied"], shard["events_refused"]) == (2, 1)
    assert run("balance", PAYMENT.household)[0]["balance_fen"] == 0
    assert run("quarantine", "replay") == []
    assert in_a_process("quarantine", "replay", "0", cwd=tmp_path).status == 2
