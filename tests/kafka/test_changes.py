"""Entries and balances on a real broker, told by engines that are killed."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import confluent_kafka as ck
from confluent_kafka.admin import AdminClient, ConfigResource

from bench.workload import Workload
from ledger.layouts import JOURNAL_ENTRY
from ledger.projections.balances import BalanceReader
from streams.topics import create_topics
from tests.kafka.broker import Broker
from tests.kafka.producing import ANY_TIME, WorkloadProducer, records
from tests.ledger_check import check_against_model, check_journal
from tests.plain_changes import Record, balances_at, entry_records, last_balances, without_repeats
from tests.waiting import PATIENCE_S

EVENTS_A_PART = 1000
KILLS = 3


def told(broker: Broker, topic: str) -> list[Record]:
    """Return all records of partition 0 of a topic of entries or balances."""
    consumer = ck.Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "reader", "check.crcs": True})
    partition = ck.TopicPartition(topic, 0, 0)
    consumer.assign([partition])
    _, end = consumer.get_watermark_offsets(partition)
    found: list[ck.Message] = []
    while not found or found[-1].offset() < end - 1:
        messages = consumer.consume(end, timeout=PATIENCE_S)
        assert messages, f"{len(found)} of {end} records arrived"
        found += messages
    consumer.close()
    return [(message.key(), json.loads(message.value())) for message in found]


def end_offset(broker: Broker, topic: str) -> int:
    consumer = ck.Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "reader"})
    _, end = consumer.get_watermark_offsets(ck.TopicPartition(topic, 0))
    consumer.close()
    return end


def engine(broker: Broker, topic: str, data: Path, run: int, *flags: str, stderr: int | None = None) -> subprocess.Popen[bytes]:
    # A group of its own for each run: the broker takes its time to notice that a killed member is gone.
    names = [f"--topic={topic}", f"--entries-topic={topic}.entries", f"--balances-topic={topic}.balances"]
    command = [sys.executable, "-m", "peakledger", "run", f"--data={data}", "--outcomes=none", "--max-ahead-s=0", *names, *flags]
    servers = f"--bootstrap-servers={broker.bootstrap_servers}"
    return subprocess.Popen([*command, servers, f"--group={topic}-{run}"], stderr=stderr)


def test_a_reader_ends_with_the_very_entries_and_balances_though_the_engine_is_killed_again_and_again(
    kafka_broker, new_topic, tmp_path
):
    topic = new_topic(settings=ANY_TIME)
    asyncio.run(
        create_topics(
            kafka_broker.bootstrap_servers,
            {f"{topic}.entries": 1, f"{topic}.balances": 1},
            compacted={f"{topic}.balances"},
        )
    )
    workload = Workload(seed=3, events=(KILLS + 1) * EVENTS_A_PART, households=200)
    producer = WorkloadProducer(kafka_broker, topic, workload)
    for run in range(KILLS):
        producer.publish(EVENTS_A_PART)
        before = end_offset(kafka_broker, f"{topic}.entries")
        process = engine(kafka_broker, topic, tmp_path, run)
        while end_offset(kafka_broker, f"{topic}.entries") == before:
            assert process.poll() is None
        process.kill()
        process.wait()
    producer.publish(EVENTS_A_PART)
    assert engine(kafka_broker, topic, tmp_path, KILLS, "--stop-at-end").wait() == 0

    shard = tmp_path / f"{topic}-0"
    check_against_model(shard, records(workload))
    _, journal = check_journal(shard)
    entries = [journal[start : start + JOURNAL_ENTRY.size] for start in range(0, len(journal), JOURNAL_ENTRY.size)]
    assert without_repeats(told(kafka_broker, f"{topic}.entries")) == entry_records(entries)
    balances = last_balances(told(kafka_broker, f"{topic}.balances"))
    expected = balances_at(entries, len(entries))
    assert {name: {field: value[field] for field in expected[name]} for name, value in balances.items()} == expected
    assert {balance.account: balance.last_seq for balance in BalanceReader(shard).items()} == {
        name: value["seq"] for name, value in balances.items()
    }


def test_the_topic_of_balances_is_compacted_and_that_of_entries_keeps_everything(kafka_broker):
    names = {"told.entries": 1, "told.balances": 1}
    asyncio.run(create_topics(kafka_broker.bootstrap_servers, names, compacted={"told.balances"}))
    admin = AdminClient({"bootstrap.servers": kafka_broker.bootstrap_servers})
    resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
    found = {resource.name: future.result(30) for resource, future in admin.describe_configs(resources).items()}
    assert found["told.balances"]["cleanup.policy"].value == "compact"
    assert (found["told.entries"]["cleanup.policy"].value, found["told.entries"]["retention.ms"].value) == ("delete", "-1")


def test_a_topic_that_is_not_there_is_named_with_the_flag_that_makes_it_compacted(kafka_broker, new_topic, tmp_path):
    topic = new_topic()
    asyncio.run(create_topics(kafka_broker.bootstrap_servers, {f"{topic}.entries": 1}))
    process = engine(kafka_broker, topic, tmp_path, 0, stderr=subprocess.PIPE)
    _, errors = process.communicate()
    assert process.returncode == 8
    assert f"peakledger topics create --balances-topic {topic}.balances" in errors.decode()
