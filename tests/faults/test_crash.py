"""Engines that are killed at random instants under load, and one that is frozen while another takes its partition over.

CRASHES sets how often (``make crash N=...``), CRASH_SEED repeats a run's instants.
"""

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bench.workload import Workload
from tests.engine_process import EXIT_FAILED, EngineProcess, has_consumed, is_running
from tests.kafka.producing import ANY_TIME, WorkloadProducer, records
from tests.ledger_check import check_against_model, check_recovery, frames

CRASHES = int(os.environ.get("CRASHES", "25"))
CRASHES_OF_A_LEDGER = 25
SEED = int(os.environ.get("CRASH_SEED") or random.randrange(1 << 32))
EVENTS_PER_ROUND = 4000
CHUNK_EVENTS = 100
CHUNK_INTERVAL_S = 0.01
LONGEST_START_S = 0.8
LONGEST_RUN_S = 0.5


@contextmanager
def load(producer: WorkloadProducer, events: int) -> Iterator[None]:
    """Publish events in small steps meanwhile; all are published at the end."""

    def publish() -> None:
        for _ in range(0, events, CHUNK_EVENTS):
            producer.publish(CHUNK_EVENTS)
            time.sleep(CHUNK_INTERVAL_S)

    thread = threading.Thread(target=publish)
    thread.start()
    yield
    thread.join()


@pytest.mark.parametrize("ledger", range(-(-CRASHES // CRASHES_OF_A_LEDGER)))
def test_an_engine_killed_at_any_instant_loses_nothing_and_doubles_nothing(kafka_broker, new_topic, tmp_path, ledger):
    print(f"CRASH_SEED={SEED}")
    instants = random.Random(SEED + ledger)
    crashes = min(CRASHES_OF_A_LEDGER, CRASHES - ledger * CRASHES_OF_A_LEDGER)
    topic = new_topic(settings=ANY_TIME)
    seed, events = (SEED + ledger) % 1000, crashes * EVENTS_PER_ROUND
    workload = Workload(seed=seed, events=events, households=2000, duplicates=0.05, refused=0.02)
    producer = WorkloadProducer(kafka_broker, topic, workload)
    directory = tmp_path / f"{topic}-0"
    killed_at_work, last_seq = 0, 0
    for crash in range(crashes):
        # A group of its own each time: where to go on is the ledger's knowledge, and nobody waits for a dead member.
        engine = EngineProcess(
            topic=topic, data=tmp_path, group=f"crash-{crash}-of-{topic}", bootstrap_servers=kafka_broker.bootstrap_servers
        )
        while_starting = instants.random() < 0.2
        if not while_starting:
            engine.wait_until(is_running(0))
        with load(producer, EVENTS_PER_ROUND):
            if not while_starting:
                engine.wait_until(has_consumed(crash * EVENTS_PER_ROUND + 1))
            time.sleep(instants.uniform(0, LONGEST_START_S if while_starting else LONGEST_RUN_S))
            engine.end(signal.SIGKILL)
            durable_seq = max(last_seq, engine.status.get(0, {}).get("durable_seq", 0))
        if directory.exists():
            records_consumed, last_seq = check_recovery(directory)
            killed_at_work += records_consumed % EVENTS_PER_ROUND != 0
            assert last_seq >= durable_seq, "entries that were durable are gone"
    last = EngineProcess(topic=topic, data=tmp_path, group=f"last-of-{topic}", bootstrap_servers=kafka_broker.bootstrap_servers)
    last.wait_until(has_consumed(workload.events))
    assert last.end(signal.SIGTERM) == 0
    check_against_model(directory, records(workload))
    assert killed_at_work > crashes // 3, "the engine was hardly ever killed at work"


def test_a_frozen_engine_that_wakes_after_its_partition_was_taken_over_writes_nothing(kafka_broker, new_topic, tmp_path):
    topic = new_topic(settings=ANY_TIME)
    workload = Workload(seed=77, events=12_000, households=500)
    producer = WorkloadProducer(kafka_broker, topic, workload)
    common = {"topic": topic, "data": tmp_path, "group": topic, "bootstrap_servers": kafka_broker.bootstrap_servers}
    common |= {"session_timeout_ms": 2000, "heartbeat_interval_ms": 200, "takeover_after_s": 0.5}

    frozen = EngineProcess(**common)
    with load(producer, 4000):
        frozen.wait_until(has_consumed(1000))
        frozen.send(signal.SIGSTOP)
    successor = EngineProcess(**common)
    successor.wait_until(has_consumed(4000))
    with load(producer, 4000):
        successor.wait_until(has_consumed(5000))
        frozen.send(signal.SIGCONT)
        assert frozen.wait() == EXIT_FAILED
    assert "Fenced" in frozen.errors
    producer.publish(4000)
    successor.wait_until(has_consumed(12_000))
    assert successor.end(signal.SIGTERM) == 0

    epochs = [frame.epoch for frame in frames(tmp_path / f"{topic}-0")]
    assert epochs == sorted(epochs) and len(set(epochs)) > 1
    check_against_model(tmp_path / f"{topic}-0", records(workload))
