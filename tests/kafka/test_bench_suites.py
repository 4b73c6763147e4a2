"""The suites that follow events through a broker run, in small, and measure every stage. No test says how fast anything is."""

from bench.brokers import BrokerForBench
from bench.suites import latency, live, scale
from bench.workload import Workload


def test_every_stage_is_measured_from_the_intended_time_and_from_the_acknowledgement(kafka_broker, tmp_path):
    broker = BrokerForBench(kafka_broker.bootstrap_servers)
    results = latency.run(broker, tmp_path, households=500, rates=[2_000], seconds=0.5)
    for seen in ("durable", "outcome", "visible"):
        p50, p999, longest = (results.median(f"intended_to_{seen}_{label}_ms_at_2000") for label in ("p50", "p999", "max"))
        assert 0 < p50 <= p999 <= longest
        assert results.median(f"acknowledged_to_{seen}_max_ms_at_2000") <= longest
    assert list(tmp_path.iterdir()) == []


def test_an_engine_behind_a_backlog_is_watched_until_it_keeps_up(kafka_broker, tmp_path):
    broker = BrokerForBench(kafka_broker.bootstrap_servers)
    workload = Workload(events=3_000, households=500)
    results = live.run(broker, tmp_path, workload=workload, rates=[20_000, float("inf")], seconds=0.3)
    for name in ("20000", "full_rate"):
        assert len(results.values(f"lag_ms_at_{name}")) >= 1
        assert results.median(f"published_events_per_s_at_{name}") > 0
        assert results.median(f"last_lag_ms_at_{name}") >= 0


def test_engines_side_by_side_catch_up_from_partitions_of_a_broker(kafka_broker, tmp_path):
    broker = BrokerForBench(kafka_broker.bootstrap_servers)
    results = scale.run(tmp_path, broker, partitions=[2], events=160_000, households=500, repetitions=1)
    assert len(results.values("events_per_s_each_of_2")) == 2
