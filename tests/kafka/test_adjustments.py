"""Adjustments on a real topic, beside an engine that runs: booked, refused, sent again, and about what is not there."""

import subprocess
import sys

import pytest

from ledger._core import partition_of
from ledger.events import encode_json
from peakledger.exit_codes import ExitCode
from tests.commands import in_a_process, write_settings
from tests.test_adjust_command import DISPUTED, ONE, PAYMENTS, TWO
from tests.waiting import PATIENCE_S

DAY = ("--business-date", "2026-07-24")
WAIT_S = f"{PATIENCE_S:g}"


@pytest.fixture
def ledger(kafka_broker, new_topic, tmp_path):
    """A directory with the settings of a ledger of two partitions, whose payments are applied."""
    write_settings(tmp_path, kafka_broker.bootstrap_servers, new_topic(2))
    (tmp_path / "payments.jsonl").write_bytes(b"\n".join(map(encode_json, PAYMENTS)))
    for arguments in (("publish", "payments.jsonl"), ("run", "--stop-at-end")):
        ended = in_a_process(*arguments, cwd=tmp_path)
        assert ended.status == 0, ended.err
    return tmp_path


def test_an_adjustment_reaches_the_shard_of_its_accounts_and_its_outcome_is_told(ledger):
    household = PAYMENTS[0].household
    accounts = ("--debit", household, "--credit", "clearing:01320260723")

    def adjust(*arguments):
        return in_a_process("adjust", *accounts, *DAY, "--wait-s", WAIT_S, *arguments, cwd=ledger)

    engine = subprocess.Popen([sys.executable, "-m", "peakledger", "run"], cwd=ledger, stderr=subprocess.DEVNULL)
    try:
        normal = ("--amount-fen", "20000", "--reason", "Paid twice", "--disputed", DISPUTED, *ONE, "--serial", "D-1", "--json")
        booked = adjust(*normal)
        assert booked.status == 0, booked.err
        (item,) = booked.items
        assert (item["outcome"], item["shard"][-1]) == ("applied", str(partition_of(household.encode(), 2)))
        (again,) = adjust(*normal).items
        assert (again["outcome"], again["seq"]) == ("exists", item["seq"])
        other = adjust(*(argument.replace("Paid", "Booked") for argument in normal))
        assert (other.status, "exists_with_different_note" in other.err) == (ExitCode.refused_event, True)
        alone = adjust("--amount-fen", "100001", "--reason", "Much", *ONE)
        assert (alone.status, "second_person_missing" in alone.err) == (ExitCode.refused_event, True)
        unknown = adjust("--amount-fen", "1", "--reason", "Who", "--disputed", "alipay/2026-07-23/99", *TWO)
        assert (unknown.status, "alipay/2026-07-23/99" in unknown.err) == (ExitCode.not_found, True)
    finally:
        engine.terminate()
        engine.wait()
    (found,) = in_a_process("adjustments", DISPUTED, "--json", cwd=ledger).items
    assert (found["seq"], found["allowed_by"], found["reason"]) == (item["seq"], ["Wang Min"], "Paid twice")
    assert in_a_process("verify", cwd=ledger).status == 0
