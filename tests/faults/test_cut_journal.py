"""What follows a journal when its last frame was cut, and the records of it came again in other frames."""

import asyncio
import json
import shutil
from datetime import date
from types import SimpleNamespace

import pytest

from ledger._core import walk_batches
from ledger.engine import Engine
from ledger.events import Payment
from ledger.projections.outlet_totals import OutletTotals
from ledger.projections.quarantine import Quarantine
from streams.embedded import EmbeddedStream
from streams.publisher import EmbeddedPublisher
from tests.faults.test_balances_of_an_engine import flip_bit, place_in_last_frame

TOPICS = {"outcomes": "payments.outcomes", "entries": "e", "balances": "b"}
SETTINGS = {
    "stream": "stream",
    "data": "ledger",
    "entries_topic": "e",
    "balances_topic": "b",
    "close_after_days": 36500,
    "future_days": 366,
}


@pytest.fixture
def ledger(tmp_path, monkeypatch, command):
    """A ledger of an embedded stream that has applied three times some payments, every fifth of them refused."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "peakledger.toml").write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in SETTINGS.items()))
    ledger = SimpleNamespace(command=command, shard=tmp_path / "ledger" / "payments.events-0", published=0)
    assert command("topics", "create").status == 0
    for _ in range(3):
        publish_and_run(ledger, 10)
    return ledger


def payment(number):
    """Return one of many payments; every fifth is refused, as it is of a date that is far away."""
    return Payment(
        channel="alipay",
        business_date=date(2029, 1, 1) if number % 5 == 1 else date(2026, 7, 23),
        serial=f"{number:020d}",
        household=f"330123456{number % 3:04d}",
        amount_fen=100 + number,
    )


def publish_and_run(ledger, count):
    async def publish():
        async with EmbeddedPublisher("payments.events", directory="stream") as publisher:
            await publisher.publish_many(payment(ledger.published + number) for number in range(count))

    asyncio.run(publish())
    ledger.published += count
    ended = ledger.command("run", "--stop-at-end", "--json")
    assert ended.status == 0, ended.err
    return ended


def told(topic):
    """Return what a topic was told, in order."""
    values, offset = [], 0
    with EmbeddedStream("stream") as stream:
        while block := stream.read(topic, 0, offset):
            records = walk_batches(block.data)
            values += [json.loads(record[3]) for record in records]
            offset = records[-1][0] + 1
    return values


def cut_last_frame(shard):
    """Let the last frame break, and go the way that the message tells."""
    flip_bit(*place_in_last_frame(shard))
    shutil.rmtree(shard / "keys")


def test_publishers_tell_all_when_a_frame_came_again_with_more_in_it(ledger, caplog):
    cut_last_frame(ledger.shard)
    assert ledger.command("rebuild").status == 0
    publish_and_run(ledger, 20)
    publish_and_run(ledger, 5)
    assert {value["offset"] for value in told("payments.outcomes")} == set(range(ledger.published))
    assert len(told("payments.outcomes")) == ledger.published + 10  # those of the frame that came again, and no others
    assert caplog.text.count("does not have that frame so: told again from frame 3 on") == 3
    seqs = [value["seq"] for value in told("e")]
    assert set(seqs) == set(range(1, max(seqs) + 1))
    last = {value["account"]: value for value in told("b")}
    for account, value in last.items():
        (balance,) = ledger.command("balance", account, "--json").items
        assert (value["seq"], value["debits_posted_fen"]) == (balance["last_seq"], balance["debits_posted_fen"])
    assert ledger.command("verify").status == 0


def test_a_projection_that_knows_a_frame_that_was_cut_is_made_anew(ledger, caplog):
    """As after a power cut of a frame that was whole and not durable yet: balances and key tables know nothing of it."""
    looked = [Quarantine(ledger.shard), OutletTotals(ledger.shard)]
    for projection in looked:
        projection.catch_up()
    assert len(looked[0].items()) == 6
    cut_last_frame(ledger.shard)
    shutil.rmtree(ledger.shard / "balances")
    publish_and_run(ledger, 20)
    looked[0].catch_up()
    assert [event.offset for event in looked[0].items()] == [number for number in range(50) if number % 5 == 1]
    looked[1].catch_up()
    assert looked[1].compare_with_journal().agrees
    assert "made anew" in caplog.text


def test_a_projection_that_holds_more_than_the_journal_is_made_anew_as_far_as_that_goes(ledger):
    quarantine = Quarantine(ledger.shard)
    quarantine.catch_up()
    cut_last_frame(ledger.shard)
    shutil.rmtree(ledger.shard / "balances")
    with Engine.open(ledger.shard, source="payments.events/0"):
        quarantine.catch_up()
        assert [event.offset for event in quarantine.items()] == [1, 6, 11, 16]
