"""A business date of a channel on a real broker: payments, its file with differences, settled, explained, closed for good."""

import json
import signal
from datetime import date, timedelta

from tests.commands import in_a_process
from tests.engine_process import EngineProcess, Status
from tests.waiting import PATIENCE_S

DAY = (date.today() - timedelta(2)).isoformat()  # so that its cut-off has passed, whatever the zone
PAYMENT = {"type": "payment", "channel": "unionpay_pos", "business_date": DAY}
HOUSEHOLDS = [f"33012345678{number:02d}" for number in range(12)]


def payment(number: int) -> dict[str, object]:
    return PAYMENT | {"serial": f"{number}", "household": HOUSEHOLDS[number % 12], "amount_fen": 10_000 + number}


def write_file(path, numbers) -> None:
    rows = [(event["serial"], event["household"], event["amount_fen"], DAY) for event in map(payment, numbers)]
    rows += [("total", len(rows), sum(row[2] for row in rows), "")]
    path.write_text("\n".join(["serial,household,amount_fen,business_date", *(",".join(map(str, row)) for row in rows)]) + "\n")


def next_offsets(status: Status) -> int:
    return sum(max(0, shard["next_offset"]) for shard in status.values())


def test_a_date_is_settled_to_zero_over_two_shards_closed_and_closed_again_after_a_kill(kafka_broker, new_topic, tmp_path):
    settings = {"bootstrap_servers": kafka_broker.bootstrap_servers, "topic": new_topic(2), "data": "ledger"}
    (tmp_path / "peakledger.toml").write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items()))
    engine_settings = settings | {"data": tmp_path / "ledger", "group": f"group of {settings['topic']}"}
    engine = EngineProcess(**engine_settings)

    def publish(*events: dict[str, object]) -> None:
        (tmp_path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
        assert in_a_process("publish", "events.jsonl", cwd=tmp_path).status == 0

    def consumed(count: int) -> None:
        engine.wait_until(lambda status: next_offsets(status) >= count)

    publish(*map(payment, range(1, 31)))
    consumed(30)
    write_file(tmp_path / "channel.csv", range(2, 33))  # the first is not there, the last two are not here
    settling = ("settle", "unionpay_pos", DAY, "channel.csv", "--differences", "differences.csv", "--json")
    settling += ("--wait-s", f"{PATIENCE_S:g}")
    settled = in_a_process(*settling, "--close", cwd=tmp_path)
    assert settled.status == 0, settled.err
    shards = settled.items
    assert len(shards) == 2 and all(shard["closed"] and shard["balance_fen"] == 0 for shard in shards)
    told_fen = sum(10_000 + number for number in range(2, 33))
    assert sum(shard["bank_fen"] + shard["fee_fen"] for shard in shards) == told_fen
    assert sum(shard["suspense_fen"] for shard in shards) == 10_001 - 10_031 - 10_032
    explained = [line.split(",")[:2] for line in (tmp_path / "differences.csv").read_text().splitlines()[1:]]
    assert sorted(explained) == [["missing_here", "31"], ["missing_here", "32"], ["missing_there", "1"]]

    applied = sum(shard["next_offset"] for shard in in_a_process("status", "--json", cwd=tmp_path).items)
    publish(payment(31))
    consumed(applied + 1)
    engine.end(signal.SIGKILL)
    engine = EngineProcess(**engine_settings | {"group": "another group"})  # does not wait for the one that was killed
    publish(payment(31))
    consumed(applied + 2)
    waiting = in_a_process("quarantine", "list", "--json", cwd=tmp_path).items
    assert [(item["code"], item["serial"]) for item in waiting] == [("business_date_closed", "31")] * 2
    (listed,) = in_a_process("settlements", "unionpay_pos", "--dates", DAY, "--json", cwd=tmp_path).items
    assert (listed["state"], listed["balance_fen"]) == ("closed", 0)
    assert engine.end() == 0
