"""Priority by the commands alone: bills and payments to their inlets, outcomes and quarantine as without."""

import json

import confluent_kafka as ck
from confluent_kafka import TopicPartition

from tests.test_cli import EVENTS, in_a_process


def outcomes(broker, topic: str, count: int) -> list[tuple[int, str]]:
    consumer = ck.Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "outcomes"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: list[tuple[int, str]] = []
    while len(found) < count:
        messages = consumer.consume(count, timeout=20)
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


def test_an_embedded_stream_has_no_inlets(tmp_path):
    ended = in_a_process("topics", "create", "--stream", "stream", "--priority", cwd=tmp_path)
    assert (ended.status, "an embedded stream has no inlets" in ended.err) == (2, True)
