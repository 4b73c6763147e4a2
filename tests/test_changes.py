"""Entries and balances published: golden bytes, order, how far, and what is wrong."""

import shutil
from pathlib import Path
from random import Random

import pytest

from ledger._core import BalanceRenderer, EntryRenderer, JournalReader, walk_batches
from ledger.channels import BUILT_IN_CHANNELS
from ledger.engine import Engine
from ledger.errors import ProjectionDamaged
from ledger.events import Payment, encode_packed
from ledger.projections.balances import BalanceReader
from tests.event_samples import HOUSEHOLD, JUNE_BILL
from tests.ledger_events import NOON_MS
from tests.plain_changes import entry_records
from tests.random_ledger import RandomLedger
from tests.told_engine import ToldEngine, publish_changes

ROOT = Path(__file__).parent.parent
DAY = "2026-07-23"
PAYMENT = Payment(channel="alipay", business_date=DAY, serial="7", household=HOUSEHOLD, amount_fen=20000, outlet="17")


@pytest.fixture
def told(tmp_path):
    told = ToldEngine(tmp_path)
    yield told
    told.close()


def apply(told, *events):
    told.apply([[(NOON_MS, encode_packed(event)) for event in events]])
    assert told.engine.wait_durable() and told.engine.wait_projected()


def rendered(told, renderer):
    """Return key and value of what a renderer makes of the whole journal."""
    renderer.read_from(BalanceReader(told.shard).view)
    batches = [batch for frame in JournalReader(told.shard / "journal") for batch in renderer.add_frame(frame)]
    return [(key, value) for batch, _ in batches + renderer.take() for _, _, key, value in walk_batches(batch)]


def test_golden_bytes_of_an_entry_which_the_documentation_shows(told):
    apply(told, JUNE_BILL, PAYMENT)
    key, value = rendered(told, EntryRenderer(BUILT_IN_CHANNELS))[-1]
    assert key == b"alipay/2026-07-23/7"
    assert value == (
        b'{"seq":5,"kind":"transfer","event":"payment","channel":"alipay","business_date":"2026-07-23","serial":"7","leg":0,'
        b'"leg_count":1,"debit_account":"clearing:01320260723","credit_account":"household:3301234567890","amount_fen":20000,'
        b'"book":1,"code":3,"flags":0,"outlet":17,"value_date":"2026-07-23","offset":1,"ledger_time_ms":1784779200000}'
    )
    assert value.decode() in (ROOT / "docs" / "events-out.md").read_text()


def test_golden_bytes_of_a_balance_which_the_documentation_shows(told):
    apply(told, JUNE_BILL, PAYMENT)
    key, value = rendered(told, BalanceRenderer(()))[-1]
    assert key == b"household:3301234567890"
    assert value == (
        b'{"account":"household:3301234567890","seq":5,"book":1,"debits_posted_fen":20815,"credits_posted_fen":20000,'
        b'"debits_pending_fen":0,"credits_pending_fen":0,"frozen":false,"closed":false,"offset":1,"ledger_time_ms":1784779200000}'
    )
    assert value.decode() in (ROOT / "docs" / "events-out.md").read_text()


def test_an_account_that_moved_often_is_told_once_as_it_is_now_and_all_are_in_the_order_of_seq(told):
    ledger = RandomLedger(Random(5), told.model)
    for _ in range(4):
        told.apply([list(ledger.records(100))])
    assert told.engine.wait_projected()
    told.publish()
    values = [value for _, value in told.told("balances")]
    assert len({value["account"] for value in values}) == len(values) == len(told.model.accounts)
    assert [value["seq"] for value in values] == sorted(value["seq"] for value in values)
    assert told.told("entries") == entry_records(told.model.entries)


def test_small_batches_cut_what_is_told_and_lose_nothing(told):
    told.apply([list(RandomLedger(Random(6), told.model).records(150))])
    assert told.engine.wait_durable() and told.engine.wait_projected()
    for renderer in (lambda **size: EntryRenderer(BUILT_IN_CHANNELS, **size), lambda **size: BalanceRenderer((), **size)):
        assert rendered(told, renderer(max_batch_bytes=3200)) == rendered(told, renderer())
    with pytest.raises(ValueError, match="1000 bytes do not hold one value"):
        BalanceRenderer((), max_batch_bytes=1000)


def test_nothing_is_told_beyond_what_the_balances_hold(told, tmp_path):
    apply(told, JUNE_BILL)
    told.engine.close()
    shutil.copytree(told.shard / "balances", tmp_path / "before")
    told.engine = Engine.open(told.shard, segment_bytes=4 << 20)
    apply(told, PAYMENT)
    durable_frame = told.engine.durable_frame
    told.engine.close()
    (told.shard / "balances").rename(tmp_path / "after")
    (tmp_path / "before").rename(told.shard / "balances")
    publish_changes(told.shard, told.stream, durable_frame)
    assert [value["seq"] for _, value in told.told("entries")] == [1, 2, 3]
    assert {value["seq"] for _, value in told.told("balances")} == {3}


def test_balances_that_lack_what_the_journal_has_are_named_as_damaged(told, tmp_path):
    apply(told, JUNE_BILL, PAYMENT)
    other = ToldEngine(tmp_path / "other")
    apply(other, JUNE_BILL)
    frame = list(JournalReader(told.shard / "journal"))[-1]
    for renderer in (EntryRenderer(BUILT_IN_CHANNELS), BalanceRenderer(())):
        renderer.read_from(BalanceReader(other.shard).view)
        with pytest.raises(ProjectionDamaged, match=r"balances lack what the journal has.*seq [45]"):
            renderer.add_frame(frame)
    other.close()
