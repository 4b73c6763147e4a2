"""A reversal that overtook its original on a real topic is replayed when the original has come."""

import json

from msgspec.structs import replace

from ledger._core import partition_of
from ledger.events import encode_json
from tests.commands import in_a_process, write_settings
from tests.test_replays import PAYMENT, REVERSAL


def test_a_reversal_is_replayed_to_its_topic_and_applied(kafka_broker, new_topic, tmp_path):
    topic = new_topic(2)
    write_settings(tmp_path, kafka_broker.bootstrap_servers, topic)
    (tmp_path / "reversal.jsonl").write_text(json.dumps(REVERSAL))
    partition = ["--shard", f"{topic}-0"]

    def run(*arguments):
        ended = in_a_process(*arguments, "--json", cwd=tmp_path)
        assert ended.status == 0, ended.err
        return ended.items

    def apply():
        return {shard["shard"]: shard for shard in run("run", "--stop-at-end")}[partition[1]]

    run("publish", "reversal.jsonl")
    assert apply()["events_refused"] == 1
    # Without a key a ledger event goes to partition 0; its original must come there too.
    household = next(f"33012345{number:05d}" for number in range(100) if partition_of(f"33012345{number:05d}".encode(), 2) == 0)
    (tmp_path / "payment.jsonl").write_bytes(encode_json(replace(PAYMENT, household=household)))
    run("publish", "payment.jsonl")
    apply()
    assert [item["offset"] for item in run("quarantine", "replay", *partition)] == [0]
    assert apply()["events_applied"] == 2
    assert run("balance", household)[0]["balance_fen"] == 0
