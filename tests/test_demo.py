"""The demo comes to its end also where a slow machine let the engine be done before it was killed."""

from bench.workload import Workload
from peakledger.demo import OUTCOMES_TOPIC, TOPIC, Demo
from streams.embedded import EmbeddedStream
from tests.commands import in_a_process


def test_an_engine_that_has_nothing_left_to_apply_is_seen_to_start(tmp_path, capsys):
    demo = Demo(tmp_path, Workload(seed=7, events=1000, households=100))
    with EmbeddedStream(demo.stream) as stream:
        for topic in (TOPIC, OUTCOMES_TOPIC):
            stream.create_topic(topic)
        for batch, _ in demo.workload.batches():
            stream.append(TOPIC, 0, batch)
    places = ("--stream", str(demo.stream), "--data", str(demo.data))
    assert in_a_process("run", "--stop-at-end", "--max-ahead-s", "0", *places, cwd=tmp_path).status == 0
    demo._catch_up()
    assert "0 events durable and readable" in capsys.readouterr().out
