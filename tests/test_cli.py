"""The command line: what commands print, what they end with, and what they say when something is wrong."""

import json
import re
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import lmdb
import pytest
import typer.main
from typer.testing import CliRunner

from ledger.events import Payment, encode_json
from peakledger import cli
from streams.release_position import ReleasePosition, write_release_position
from tests.balances import change_account, change_meta
from tests.commands import in_a_process
from tests.event_samples import HOUSEHOLD, JUNE_BILL
from tests.waiting import wait_until

DAY = "2026-07-23"
PAYMENT = Payment(channel="alipay", business_date=DAY, serial="20260723000012345678", household=HOUSEHOLD, amount_fen=20000)
OTHER_AMOUNT = Payment(channel="alipay", business_date=DAY, serial=PAYMENT.serial, household=HOUSEHOLD, amount_fen=1)
CLOSED = Payment(channel="atm", business_date="1980-01-01", serial="7", household=HOUSEHOLD, amount_fen=1)
EVENTS = b"\n".join(encode_json(event) for event in (JUNE_BILL, PAYMENT, PAYMENT, OTHER_AMOUNT, CLOSED)) + b"\n"


@pytest.fixture(scope="module")
def season(tmp_path_factory) -> Path:
    """A directory with an embedded stream, the ledger made from it, and the settings that lead to both."""
    directory = tmp_path_factory.mktemp("season")
    (directory / "peakledger.toml").write_text(
        'stream = "stream"\ndata = "ledger"\nclose_after_days = 10000\nfuture_days = 366\n'
    )
    (directory / "events.jsonl").write_bytes(EVENTS)
    assert in_a_process("topics", "create", cwd=directory).status == 0
    assert in_a_process("publish", "events.jsonl", "--json", cwd=directory).items == [{"published": 5, "bad_lines": 0}]
    ended = in_a_process("run", "--stop-at-end", "--json", cwd=directory)
    assert (ended.status, ended.items[0]["events_applied"], ended.items[0]["records_consumed"]) == (0, 2, 5)
    return directory


@pytest.fixture
def peakledger(season, monkeypatch, command):
    """Runs a command in the season's directory, in this process."""
    monkeypatch.chdir(season)
    return command


def test_topics_that_exist_stay_as_they_are_and_are_told_as_they_are(tmp_path, command):
    stream = ("--stream", str(tmp_path / "stream"))
    assert command("topics", "create", "--partitions", "3", *stream).status == 0
    again = command("topics", "create", "--outcomes-topic", "other", *stream, "--json").items
    assert [tuple(item.values()) for item in again] == [("payments.events", 3, False), ("other", 1, True)]


def test_dates_without_a_settlement_are_told_and_how_to_ask_for_others(peakledger):
    told = peakledger("settlements").out
    assert re.fullmatch(r"No channel has payments or settlements of .* to .*\. Other dates: --dates FROM\.\.TO\n", told)
    told = peakledger("settlements", "atm", "--dates", "2026-07-23..").out
    assert told.startswith("atm has no payments or settlements of 2026-07-23 to ")


def test_a_balance_is_debits_less_credits(peakledger):
    (item,) = peakledger("balance", HOUSEHOLD, "--json").items
    assert (item["account"], item["debits_posted_fen"], item["credits_posted_fen"], item["balance_fen"]) == (
        f"household:{HOUSEHOLD}",
        20815,
        20000,
        815,
    )


def test_a_table_shows_amounts_in_yuan(peakledger):
    assert "208.15" in peakledger("balance", HOUSEHOLD).out


def test_an_account_that_is_not_there_ends_with_status_6_after_those_that_are(peakledger):
    ended = peakledger("balance", HOUSEHOLD, "9999999999999", "--json")
    assert (ended.status, len(ended.items)) == (6, 1)
    assert "No such account: 9999999999999" in ended.err


def test_a_name_that_is_no_account_is_an_error_of_usage(peakledger):
    ended = peakledger("balance", "12345")
    assert ended.status == 2
    assert "'12345' is not a household number" in ended.err


def test_a_file_that_cannot_be_written_is_named_without_a_traceback(peakledger):
    differences = Path("no such directory") / "differences.csv"
    file = Path(__file__).parents[1] / "docs" / "example-channel-file.csv"
    ended = peakledger("reconcile", "unionpay_pos", DAY, str(file), "--differences", str(differences))
    assert (ended.status, ended.err) == (2, f"peakledger: {differences}: No such file or directory\n")


def test_a_statement_runs_from_the_newest_line_and_from_the_oldest(peakledger):
    newest, oldest = peakledger("statement", HOUSEHOLD, "--json"), peakledger("statement", HOUSEHOLD, "--oldest-first", "--json")
    assert [(item["event"], item["balance_fen"]) for item in newest.items] == [("payment", 815), ("bill", 20815)]
    assert oldest.items == newest.items[::-1]
    assert [item["counter_account"] for item in oldest.items] == ["revenue:00001", "clearing:01320260723"]


def test_a_statement_of_a_clearing_account_names_the_households(peakledger):
    (item,) = peakledger("statement", "clearing:01320260723", "--json").items
    assert (item["counter_account"], item["debit_fen"]) == (f"household:{HOUSEHOLD}", 20000)


def test_the_outcomes_of_a_key_are_told_in_the_order_of_arrival(peakledger):
    items = peakledger("outcome", "alipay", DAY, PAYMENT.serial, "--repetitions", "--json").items
    assert [item["outcome"] for item in items] == ["applied", "exists", "exists_with_different_amount"]
    assert len({item["seq"] for item in items}) == 1
    assert peakledger("outcome", "alipay", DAY, PAYMENT.serial, "--json").items == [items[0], items[2]]


def test_the_outcome_of_a_closed_business_date_is_read_from_the_whole_journal_and_that_is_said(peakledger):
    ended = peakledger("outcome", CLOSED.channel, str(CLOSED.business_date), CLOSED.serial, "--json")
    assert [item["outcome"] for item in ended.items] == ["business_date_closed"]
    assert "payments.events-0: the business date has closed; reading the whole journal" in ended.err


@pytest.mark.parametrize("arguments", [("alipay", DAY, "404"), ("13", "2026-07-24", PAYMENT.serial)])
def test_a_key_that_never_came_ends_with_status_6(peakledger, arguments):
    assert peakledger("outcome", *arguments).status == 6


def test_the_trial_balance_is_zero(peakledger):
    ended = peakledger("trial-balance", "--json")
    assert ended.status == 0
    assert {item["kind"]: item["balance_fen"] for item in ended.items} == {
        "household": 815,
        "clearing": 20000,
        "revenue": -20815,
        "all": 0,
    }


def test_status_tells_how_far_everything_is(peakledger):
    (item,) = peakledger("status", "--json").items
    assert (item["running"], item["records_consumed"], item["durable_seq"]) == (False, 5, item["watermark_seq"])
    assert (item["outcomes_next_frame"], item["entries_next_frame"]) == (item["frame"] + 1, 1)


def test_status_tells_what_waits_in_inlets_only_where_something_does(peakledger, season):
    shard = season / "ledger" / "payments.events-0"
    assert "waiting" not in peakledger("status").out
    write_release_position(shard, ReleasePosition(interactive_waiting=2, batch_waiting=7000, time_ms=1))
    (item,) = peakledger("status", "--json").items
    assert (item["interactive_waiting"], item["batch_waiting"]) == (2, 7000)
    assert "waiting" in peakledger("status").out
    write_release_position(shard, ReleasePosition(interactive_waiting=0, batch_waiting=0, time_ms=2))


def test_refused_events_are_listed_and_shown_with_their_bytes(peakledger):
    listed = peakledger("quarantine", "list", "--json").items
    assert [item["code"] for item in listed] == ["exists_with_different_amount", "business_date_closed"]
    (shown,) = peakledger("quarantine", "show", str(listed[1]["offset"]), "--json").items
    assert (shown["key"], shown["channel"], shown["meaning"]) == (HOUSEHOLD, "atm", "the books of the business date are closed")


@pytest.mark.parametrize(
    "words", [["show", str(2**63)], ["list", "--after-offset", str(2**63)], ["drop", str(2**63)]], ids=" ".join
)
def test_an_offset_that_cannot_be_is_an_error_of_usage(peakledger, words):
    assert peakledger("quarantine", *words).status == 2


def test_channels_are_listed_with_both_names(peakledger):
    assert "支付宝" in peakledger("channels", "list").out


@pytest.mark.parametrize(("key", "line"), [("code", "code = 13"), ("name", 'name = "alipay"')])
def test_a_profile_with_the_code_or_name_of_another_channel_is_told_with_its_line(peakledger, key, line):
    right = {"code": "code = 200", "name": 'name = "telegraph"'}
    lines = ['chinese_name = "电报"', 'serial_form = "digits"', *(right | {key: line}).values()]
    Path("telegraph.toml").write_text("\n".join(lines), encoding="utf-8")
    ended = peakledger("channels", "check", "telegraph.toml")
    assert ended.status == 2
    assert f"telegraph.toml, line {lines.index(line) + 1}: {key}: " in ended.err and "is that of another channel" in ended.err


def test_the_help_of_a_flag_tells_the_words_that_it_takes(peakledger, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")  # a narrow terminal breaks the words
    assert "json|msgpack|packed" in peakledger("publish", "--help").out


@pytest.mark.parametrize(("name", "key"), [("json", "$schema"), ("asyncapi", "asyncapi")])
def test_the_schema_is_printed(peakledger, name, key):
    assert key in json.loads(peakledger("schema", name).out)


def test_a_ledger_that_is_not_there_ends_with_status_6_and_one_line(peakledger):
    ended = peakledger("verify", "--data", "nowhere")
    assert (ended.status, ended.err.count("\n")) == (6, 1)
    assert ended.err.startswith("peakledger: nowhere holds no ledger")


def test_a_setting_that_cannot_be_used_ends_with_status_2(peakledger, monkeypatch):
    monkeypatch.setenv("PEAKLEDGER_FUTURE_DAYS", "soon")
    ended = peakledger("status")
    assert ended.status == 2
    assert "PEAKLEDGER_FUTURE_DAYS" in ended.err


def test_a_broker_that_does_not_answer_ends_with_status_8(peakledger):
    ended = peakledger("topics", "create", "--stream", "", "--bootstrap-servers", "127.0.0.1:1")
    assert ended.status == 8
    assert "127.0.0.1:1" in ended.err


def test_a_sound_ledger_verifies(peakledger):
    ended = peakledger("verify", "--json")
    assert (ended.status, ended.items[0]["sound"], ended.items[0]["records_consumed"]) == (0, True, 5)


@pytest.fixture
def copy(season, tmp_path) -> Path:
    """The season again, to change."""
    subprocess.run(["cp", "-r", "--sparse=always", season, tmp_path / "copy"], check=True)
    return tmp_path / "copy"


def test_a_flipped_bit_ends_with_status_3_and_says_where(copy):
    # A frame behind the damaged one proves that it is damage, and no torn tail.
    assert in_a_process("publish", "events.jsonl", cwd=copy).status == 0
    assert in_a_process("run", "--stop-at-end", cwd=copy).status == 0
    segment = next((copy / "ledger" / "payments.events-0" / "journal").glob("*.segment"))
    with segment.open("r+b") as file:
        file.seek(4096 + 200)
        file.write(b"\xff")
    ended = in_a_process("verify", "--json", cwd=copy)
    assert (ended.status, ended.items[0]["sound"]) == (3, False)
    assert "segment 1, seq 1, byte_offset 4096" in ended.err


def test_balances_that_differ_from_the_journal_end_with_status_3_and_name_account_and_field(copy):
    change_account(copy / "ledger" / "payments.events-0", 1, debits_posted=1)
    ended = in_a_process("verify", "--json", cwd=copy)
    assert (ended.status, ended.items[0]["sound"]) == (3, False)
    assert "revenue:00001 debits_posted: expected 0, found 1" in ended.err
    assert "accounts_differing 1" in ended.err


def test_a_state_digest_that_was_noted_wrongly_ends_with_status_3(copy):
    change_meta(copy / "ledger" / "payments.events-0", state_digest=bytes(16))
    ended = in_a_process("verify", cwd=copy)
    assert ended.status == 3
    assert "their state digest is not" in ended.err


def test_a_damaged_key_table_ends_with_status_3_and_names_its_file(copy):
    (path,) = (copy / "ledger" / "payments.events-0" / "keys").rglob(f"{DAY}.keys")
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    ended = in_a_process("verify", cwd=copy)
    assert ended.status == 3
    assert f"{DAY}.keys" in ended.err


def test_a_quarantine_that_differs_from_the_journal_ends_with_status_3_and_names_offset_and_field(copy):
    event, _ = in_a_process("quarantine", "list", "--json", cwd=copy).items
    ended = in_a_process("verify", cwd=copy)
    assert ended.status == 0 and "and the quarantine are those of the journal" in ended.out
    with closing(lmdb.open(str(copy / "ledger" / "payments.events-0" / "quarantine"), max_dbs=2)) as env:
        table = env.open_db(b"outcomes", create=False)
        with env.begin(write=True, db=table) as txn:
            assert txn.delete(event["offset"].to_bytes(8, "big"))
    ended = in_a_process("verify", "--json", cwd=copy)
    assert (ended.status, ended.items[0]["sound"], ended.items[0]["quarantined"]) == (3, False, 1)
    told = f"offset {event['offset']}, field event, expected refused, found none"
    assert f"peakledger: payments.events-0: {told}\n" in ended.err and f"journal ({told}, events_differing 1," in ended.err
    assert in_a_process("rebuild", cwd=copy).status == 0
    assert in_a_process("verify", "--json", cwd=copy).items[0]["quarantined"] == 2


def test_status_and_verification_tell_the_same_state_digest(peakledger):
    told = peakledger("status", "--json").items[0]["state_digest"]
    assert len(told) == 32
    assert peakledger("verify", "--json").items[0]["state_digest"] == told


def test_status_and_channels_tell_the_same_digest_of_the_rules_until_a_profile_is_added(peakledger, tmp_path):
    told = peakledger("channels", "list", "--json").document["rules_digest"]
    assert peakledger("status", "--json").items[0]["rules_digest"] == told and len(told) == 16
    assert f"Rules digest: {told}" in peakledger("channels", "list").out
    (tmp_path / "tablet.toml").write_text('code = 15\nname = "tablet"\nchinese_name = "平板"\nserial_form = "digits"\n')
    added = peakledger("channels", "list", "--json", "--channel-profiles", str(tmp_path)).document["rules_digest"]
    assert added != told


def test_balances_are_made_anew_from_the_journal(copy):
    before = in_a_process("balance", HOUSEHOLD, "--json", cwd=copy).items
    for path in (copy / "ledger" / "payments.events-0" / "balances").rglob("*.mdb"):
        path.unlink()
    assert in_a_process("balance", HOUSEHOLD, cwd=copy).status == 3
    assert in_a_process("rebuild", cwd=copy).status == 0
    assert in_a_process("balance", HOUSEHOLD, "--json", cwd=copy).items == before
    assert in_a_process("verify", cwd=copy).status == 0


@pytest.fixture(scope="module")
def proof(season) -> Path:
    """A proof of the payment, beside its digest."""
    (season / "digest.json").write_text(in_a_process("digest", "--json", cwd=season).out)
    (season / "proof.json").write_text(in_a_process("prove", "alipay", DAY, PAYMENT.serial, cwd=season).out)
    return season / "proof.json"


def test_a_proven_event_is_shown_with_the_names_of_its_accounts(peakledger, proof):
    (item,) = peakledger("check-proof", str(proof), "--digest", "digest.json", "--json").items
    assert (item["serial"], item["last_seq"]) == (PAYMENT.serial.ljust(32, "f"), 5)
    assert item["entries"][0]["credit_account"] == f"household:{HOUSEHOLD}"
    shown = peakledger("check-proof", str(proof), "--digest", item["digest"])
    assert (shown.status, "Proven: these entries of alipay" in shown.out) == (0, True)


def test_a_seq_names_the_same_event(peakledger, proof):
    assert peakledger("prove", "--seq", "5", "--shard", "payments.events-0").out == proof.read_text()


def test_a_proof_against_another_digest_ends_with_status_9(peakledger, proof):
    other = peakledger("digest", "--at-seq", "4", "--json").items[0]["digest"]
    ended = peakledger("check-proof", str(proof), "--digest", other)
    assert (ended.status, "another digest than the published one" in ended.err) == (9, True)


def test_a_proof_with_a_changed_byte_ends_with_status_9(peakledger, proof):
    (proof.parent / "changed.json").write_text(proof.read_text().replace('"amount_fen": 20000', '"amount_fen": 20001'))
    ended = peakledger("check-proof", "changed.json", "--digest", "digest.json")
    assert (ended.status, "something else than its entries" in ended.err) == (9, True)


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["prove"], 2, "name the event"),
        (["prove", "alipay", DAY, "8"], 6, "never consumed"),
        (["prove", "atm", "1980-01-01", "7"], 6, "was refused"),
        (["prove", "--seq", "6"], 6, "no entry 6"),
        (["digest", "--at-seq", "6"], 6, "Its last one is 5"),
        (["digest", "--shard", "other"], 6, "no shard other"),
        (["check-proof", "nothing.json", "--digest", "0" * 64], 2, "nothing.json"),
        (["check-proof", "events.jsonl", "--digest", "0" * 64], 9, "This is no proof, and no JSON in UTF-8"),
        (["check-proof", "events.jsonl", "--digest", "0" * 63 + "g"], 2, "is no digest"),
        (["check-proof", "events.jsonl", "--digest", "events.jsonl"], 2, "is no digest"),
    ],
)
def test_what_cannot_be_proven_or_checked_is_told(peakledger, words, status, message):
    ended = peakledger(*words)
    assert ended.status == status
    assert message in ended.err


def test_a_bad_line_is_told_with_its_number_and_ends_the_run(copy):
    (copy / "bad.jsonl").write_bytes(encode_json(PAYMENT) + b"\n\n{}\n" + encode_json(PAYMENT) + b"\n")
    ended = in_a_process("publish", "bad.jsonl", "--json", cwd=copy)
    assert (ended.status, ended.items) == (7, [{"published": 1, "bad_lines": 1}])
    assert "bad.jsonl, line 3: field_missing" in ended.err


@pytest.mark.parametrize("encoding", ["packed", "json", "msgpack"])
def test_with_keep_going_the_good_lines_are_published_in_any_encoding(copy, encoding):
    (copy / "bad.jsonl").write_bytes(encode_json(PAYMENT) + b"\n{}\n" + encode_json(JUNE_BILL) + b"\n")
    ended = in_a_process("publish", "bad.jsonl", "--keep-going", "--json", "--encoding", encoding, cwd=copy)
    assert (ended.status, ended.items) == (7, [{"published": 2, "bad_lines": 1}])
    (shard,) = in_a_process("run", "--stop-at-end", "--json", cwd=copy).items
    assert (shard["events_existing"], shard["events_refused"]) == (3, 2)


@pytest.mark.parametrize("encoding", ["packed", "json", "msgpack"])
def test_ledger_events_are_published_among_others_in_any_encoding(copy, encoding):
    head = {"channel": "ledger", "business_date": DAY}
    accounts = [{"type": "open_account", "serial": name, "account": f"till:{name}", **head} for name in ("1", "2")]
    legs = [{"debit": "till:1", "credit": "till:2", "amount_fen": 5, "code": 7}]
    moved = {"type": "transfer", "serial": "3", "legs": legs, **head}
    lines = [
        *map(json.dumps, accounts),
        encode_json(PAYMENT).decode(),
        json.dumps(moved),
        json.dumps({"type": "clock", "serial": "4", **head}),
    ]
    (copy / "mixed.jsonl").write_text("\n".join(lines))
    ended = in_a_process("publish", "mixed.jsonl", "--json", "--encoding", encoding, cwd=copy)
    assert (ended.status, ended.items) == (0, [{"published": 5, "bad_lines": 0}])
    (shard,) = in_a_process("run", "--stop-at-end", "--json", cwd=copy).items
    assert (shard["events_applied"], shard["events_existing"]) == (2 + 4, 1 + 1)
    assert in_a_process("balance", "till:1", "--json", cwd=copy).items[0]["balance_fen"] == 5


def test_what_operators_decide_is_kept_and_a_replay_is_judged_anew(copy):
    first, second = (str(item["offset"]) for item in in_a_process("quarantine", "list", "--json", cwd=copy).items)
    assert in_a_process("quarantine", "drop", first, "--reason", "a test", cwd=copy).status == 0
    assert in_a_process("quarantine", "replay", second, "--reason", "again", cwd=copy).status == 0
    (shard,) = in_a_process("run", "--stop-at-end", "--json", cwd=copy).items
    assert (shard["records_consumed"], shard["events_refused"]) == (6, 3)
    states = [item["state"] for item in in_a_process("quarantine", "list", "--all", "--json", cwd=copy).items]
    assert states == ["dropped", "replayed", "waiting"]


def test_sigterm_ends_a_run_cleanly_and_meanwhile_nobody_else_may_write(copy):
    command = [sys.executable, "-m", "peakledger", "run", "--json"]
    with subprocess.Popen(command, cwd=copy, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as engine:
        wait_until(lambda: in_a_process("status", "--json", cwd=copy).items[0]["running"])
        second = in_a_process("run", cwd=copy)
        engine.send_signal(signal.SIGTERM)
        out, _ = engine.communicate()
    assert (second.status, "another process writes this ledger" in second.err) == (4, True)
    assert (engine.returncode, json.loads(out)["items"][0]["state"]) == (0, "closed")


def every_command(group, path=()):
    """Yield the words of each command and group."""
    yield path
    for name, command in getattr(group, "commands", {}).items():
        yield from every_command(command, (*path, name))


@pytest.mark.parametrize("words", list(every_command(typer.main.get_command(cli.app))), ids=" ".join)
def test_every_command_has_help(peakledger, words):
    ended = peakledger(*words, "--help")
    assert (ended.status, ended.err) == (0, "")
    assert "Usage: peakledger" in ended.out


def test_the_version_is_printed(peakledger):
    assert peakledger("--version").out.startswith("peakledger 0.")


def test_no_command_waits_for_what_others_need():
    script = (
        "import sys, typer; from peakledger.cli import app; commands = typer.main.get_command(app).commands;"
        "commands['balance']; print([name for name in ('aiokafka', 'bench') if name in sys.modules]);"
        "list(commands.values()); print('bench.cli' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "False"]


def test_the_benchmarks_are_among_the_commands():
    assert "bench" in CliRunner().invoke(cli.app, ["--help"]).output
    assert "projection" in CliRunner().invoke(cli.app, ["bench", "--help"]).output
    assert "Did you mean 'core'" in CliRunner().invoke(cli.app, ["bench", "cor"]).output
