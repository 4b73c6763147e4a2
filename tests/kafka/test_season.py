"""A season through a real topic becomes what was told of it."""

import json

from tests.commands import in_a_process


def test_a_season_through_a_real_topic_is_what_was_told(kafka_broker, new_topic, tmp_path):
    settings = {
        "bootstrap_servers": kafka_broker.bootstrap_servers,
        "topic": new_topic(),
        "data": "ledger",
        "outcomes": "none",
        "max_ahead_s": 0.0,
    }
    (tmp_path / "peakledger.toml").write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items()))

    def run(*arguments):
        ended = in_a_process(*arguments, "--json", cwd=tmp_path)
        assert ended.status == 0, ended.err
        return ended.items

    told = run("season", "--out", "kafka", "--days", "9", "--seed", "3", "--speed", "100000000", "--told", "season.json")
    assert sum(line["events"] for line in told) > 2000
    before = in_a_process("season-report", "season.json", cwd=tmp_path)
    assert before.status == 6, before.err
    run("run", "--stop-at-end")
    assert all(line["agrees"] for line in run("season-report", "season.json"))
