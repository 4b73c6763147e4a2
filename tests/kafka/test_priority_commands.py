"""Priority by the commands alone: bills and payments to their inlets, outcomes and quarantine as without."""

import json
from datetime import date, timedelta

import confluent_kafka as ck
import pytest
from confluent_kafka import TopicPartition

from ledger.events import encode_json
from peakledger.exit_codes import ExitCode
from tests.commands import in_a_process, write_settings
from tests.test_adjust_command import BACK, HOUSEHOLD, ONE, PAYMENTS
from tests.test_cli import EVENTS
from tests.test_replays import PAYMENT, REVERSAL
from tests.waiting import PATIENCE_S


def outcomes(broker, topic: str, count: int) -> list[tuple[int, str]]:
    consumer = ck.Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "outcomes"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: list[tuple[int, str]] = []
    while len(found) < count:
        messages = consumer.consume(count, timeout=PATIENCE_S)
        assert messages, found
        values = [json.loads(message.value()) for message in messages]
        found += [(value["offset"], value.get("reason", value["outcome"])) for value in values]
    consumer.close()
    return found


def test_publish_run_and_look(kafka_broker, tmp_path):
    settings = {
        "bootstrap_servers": kafka_broker.bootstrap_servers,
        "topic": "priority",
        "outcomes_topic": "priority-outcomes",
        "priority": True,
        "data": "ledger",
        "encoding": "json",
        "close_after_days": 10000,
        "future_days": 366,
    }
    (tmp_path / "peakledger.toml").write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items()))
    (tmp_path / "events.jsonl").write_bytes(EVENTS)

    def run(*arguments):
        ended = in_a_process(*arguments, "--json", cwd=tmp_path)
        assert ended.status == 0, ended.err
        return ended.items

    made = [item["topic"] for item in run("topics", "create")]
    assert made == ["priority", "priority-outcomes", "priority.interactive", "priority.batch", "priority.released"]
    assert run("publish", "events.jsonl") == [{"published": 5, "bad_lines": 0}]
    (shard,) = run("run", "--stop-at-end")
    assert (shard["records_consumed"], shard["events_applied"], shard["events_existing"], shard["events_refused"]) == (5, 2, 1, 2)
    told = ["applied", "applied", "exists", "exists_with_different_amount", "business_date_closed"]
    assert [outcome for _, outcome in outcomes(kafka_broker, "priority-outcomes", 5)] == told
    assert [item["code"] for item in run("quarantine", "list")] == told[3:]
    (status,) = run("status")
    assert (status["interactive_waiting"], status["batch_waiting"]) == (0, 0)


@pytest.fixture
def run(kafka_broker, new_topic, tmp_path):
    """Runs a command on a ledger with inlets, and returns its items."""
    write_settings(tmp_path, kafka_broker.bootstrap_servers, f"{new_topic()}-with-inlets")
    with (tmp_path / "peakledger.toml").open("a") as settings:
        settings.write("priority = true\n")

    def run(*arguments, status=0):
        ended = in_a_process(*arguments, "--json", cwd=tmp_path)
        assert ended.status == status, ended.err
        return ended.items if ended.out else []

    run("topics", "create")
    return run


@pytest.fixture
def publish(run, tmp_path):
    def publish(*values: bytes):
        (tmp_path / "events.jsonl").write_bytes(b"\n".join(values))
        assert run("publish", "events.jsonl")[0]["published"] == len(values)

    return publish


def apply(run):
    (shard,) = run("run", "--stop-at-end")
    return shard


def test_an_event_that_is_replayed_goes_behind_what_waits_in_an_inlet(run, publish):
    publish(json.dumps(REVERSAL).encode())
    apply(run)
    publish(encode_json(PAYMENT))
    (waiting,) = run("quarantine", "list")
    run("quarantine", "replay", str(waiting["offset"]), "--reason", "its original is on its way")
    shard = apply(run)
    assert (shard["events_applied"], shard["events_refused"]) == (2, 1)


def test_an_adjustment_goes_behind_what_waits_in_an_inlet(run, publish):
    first, second = map(encode_json, PAYMENTS)
    publish(first)
    apply(run)
    publish(second)
    (published,) = run("adjust", *BACK, *ONE, "--amount-fen", "20000", "--wait-s", "0")
    assert published["outcome"] is None
    apply(run)
    newest_first = [(line["debit_fen"], line["credit_fen"]) for line in run("statement", HOUSEHOLD)]
    assert newest_first == [(20_000, 0), (0, 20_000), (0, 20_000)]


def test_a_date_is_not_closed_while_payments_of_it_wait_in_an_inlet(run, publish, tmp_path):
    day = (date.today() - timedelta(2)).isoformat()  # so that its cut-off has passed, whatever the zone
    payment = {"type": "payment", "channel": "unionpay_pos", "household": HOUSEHOLD, "amount_fen": 100}
    publish(json.dumps(payment | {"business_date": (date.today() - timedelta(1)).isoformat(), "serial": "1"}).encode())
    apply(run)
    publish(json.dumps(payment | {"business_date": day, "serial": "2"}).encode())
    (tmp_path / "channel.csv").write_text("serial,household,amount_fen,business_date\ntotal,0,0,\n")
    run("settle", "unionpay_pos", day, "channel.csv", "--close", "--wait-s", "0", status=ExitCode.not_settled)
    apply(run)
    assert [item["event"] for item in run("quarantine", "list")] == ["open_account"]
    (listed,) = run("settlements", "unionpay_pos", "--dates", day)
    assert (listed["state"], listed["debits_fen"]) == ("open", 100)


def test_an_embedded_stream_has_no_inlets(tmp_path):
    ended = in_a_process("topics", "create", "--stream", "stream", "--priority", cwd=tmp_path)
    assert (ended.status, "an embedded stream has no inlets" in ended.err) == (2, True)
