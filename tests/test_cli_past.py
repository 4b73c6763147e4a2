"""The commands that ask about the past: statements in pages, balances and trial balances of a moment, and wrong questions."""

from collections.abc import Iterator

import pytest
from typer.main import get_command

from ledger._core import build_batch
from ledger.channels import BUILT_IN_CHANNELS, Channel, load_channels
from ledger.engine import Engine
from ledger.events import Payment, encode_json
from peakledger.cli import app
from tests import ledger_events as make
from tests.commands import Ended
from tests.ledger_events import NOON_MS, TODAY, Named, leg

SHARDS = ("payments.events-0", "payments.events-1")
A, B = "ledger:065", "ledger:066"
TRANSFERS = 12


def feed(directory, shard: str, events: list[bytes], channels: tuple[Channel, ...] = BUILT_IN_CHANNELS) -> None:
    batch = build_batch([(None, value, NOON_MS + 1000 * at) for at, value in enumerate(events)], 0)
    with Engine.open(directory / shard, source=shard.replace("-", "/"), channels=channels, segment_bytes=4 << 20) as engine:
        engine.apply(bytes(batch), len(events))
        assert engine.wait_projected()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two shards: A, B and transfers in the first, with a hold that is posted in part; A alone in the second."""
    directory = tmp_path_factory.mktemp("data")
    transfers = [
        make.transfer(f"{n}", leg("A", "B", n, code=7 + n % 2), value_date=TODAY - n % 3) for n in range(1, TRANSFERS + 1)
    ]
    hold = [make.transfer("h", leg("A", "B", 100, flags=1)), make.post("p", Named("h"), 40)]
    feed(directory, SHARDS[0], [make.open_account("a", "A"), make.open_account("b", "B"), *transfers, *hold])
    feed(directory, SHARDS[1], [make.open_account("a", "A")])
    return directory


@pytest.fixture
def peakledger(data, monkeypatch, command):
    monkeypatch.chdir(data.parent)
    return lambda *arguments: command(*arguments, "--data", str(data))


@pytest.mark.parametrize("order", [(), ("--oldest-first",)])
def test_a_statement_goes_on_with_the_cursor_that_a_page_gave(peakledger, order):
    whole = peakledger("statement", B, *order, "--limit", "100", "--json")
    pages, cursor = [], ()
    while cursor is not None:
        page = peakledger("statement", B, *order, *cursor, "--limit", "5", "--json").document
        pages += page["items"]
        cursor = ("--cursor", page["next_cursor"]) if page["next_cursor"] else None
    assert pages == whole.items
    assert len(pages) == TRANSFERS + 3  # pending, post, release


def test_a_table_tells_the_cursor_and_what_was_read(peakledger):
    ended = peakledger("statement", B, "--limit", "5", "--explain")
    assert "There is more: --cursor payments.events-0:" in ended.out
    assert "Read 5 entries, and " in ended.out
    assert "There is more" not in peakledger("statement", B, "--limit", "50").out


@pytest.mark.parametrize(
    "flags, count",
    [
        (("--code", "8"), 6),
        (("--code", "payment"), 0),
        (("--channel", "ledger"), TRANSFERS + 3),
        (("--channel", "alipay"), 0),
        (("--counter-account", A), TRANSFERS + 3),
        (("--counter-account", "household:3301234567890"), 0),
        (("--value-date", "2026-07-21"), 4),
        (("--value-date", "2026-07-22.."), TRANSFERS + 3 - 4),
        (("--value-date", "..2026-07-22"), 8),
        (("--seq", "3..6"), 4),
        (("--ledger-time", "2026-07-23T04:00:02..2026-07-23T12:00:03.500+08:00"), 2),
    ],
)
def test_a_filter_leaves_only_its_lines(peakledger, flags, count):
    assert len(peakledger("statement", B, *flags, "--limit", "100", "--json").items) == count


def test_a_balance_is_that_of_the_moment_asked_about(peakledger):
    by_seq = peakledger("balance", A, "--as-of-seq", "5", "--shard", SHARDS[0], "--json").document
    (item,) = by_seq["items"]
    assert (item["debits_posted_fen"], item["balance_fen"], item["last_seq"], item["as_of_seq"]) == (6, 6, 5, 5)
    assert by_seq["entries_read"] == TRANSFERS + 3 + 2 - 5
    assert by_seq["bytes_read"] > 96 * by_seq["entries_read"]
    by_time = peakledger("balance", B, "--as-of-time", "2026-07-23T04:00:04", "--json").items
    assert [(item["credits_posted_fen"], item["as_of_seq"]) for item in by_time] == [(6, 5)]


def test_a_value_date_is_answered_as_known_at_a_moment(peakledger):
    then = peakledger("balance", B, "--value-date", "2026-07-21", "--as-of-seq", "8", "--json").items
    now = peakledger("balance", B, "--value-date", "2026-07-21", "--json").items
    assert [item["credits_posted_fen"] for item in then + now] == [2 + 5, 2 + 5 + 8 + 11]
    assert now[0]["value_date"] == "2026-07-21"


def test_a_pending_amount_of_the_past_is_shown(peakledger):
    assert "1.00" in peakledger("balance", B, "--as-of-seq", "15", "--explain").out
    (item,) = peakledger("balance", B, "--as-of-seq", "15", "--json").items
    assert (item["credits_pending_fen"], item["credits_posted_fen"]) == (100, 78)


def test_a_trial_balance_is_that_of_the_moment_asked_about(peakledger):
    now = peakledger("trial-balance", "--json").items
    then = peakledger("trial-balance", "--as-of-time", "2026-07-23T04:00:04", "--json").document
    assert {(item["shard"], item["kind"]): item["debits_posted_fen"] for item in now}[SHARDS[0], "all"] == 78 + 40
    assert {(item["shard"], item["kind"]): item["debits_posted_fen"] for item in then["items"]}[SHARDS[0], "all"] == 6
    assert then["entries_read"] > 0
    ended = peakledger("trial-balance", "--value-date", "2026-07-21", "--as-of-seq", "8", "--shard", SHARDS[0], "--explain")
    assert ended.status == 0
    assert "0.07" in ended.out and "Read 8 entries" in ended.out


@pytest.fixture
def tablet(tmp_path, monkeypatch, command):
    """Runs a command on a ledger of a channel that is not built in: of its two payments one was refused."""
    profile = ("code = 15", 'name = "tablet"', 'chinese_name = "平板"', 'serial_form = "digits"', 'publishes = ["payment"]')
    (tmp_path / "tablet.toml").write_text("\n".join(profile))
    payments = [
        Payment(channel="tablet", business_date=day, serial="1", household="3301234567890", amount_fen=5)
        for day in ("2026-07-23", "2020-01-01")
    ]
    feed(tmp_path / "data", SHARDS[0], [encode_json(payment) for payment in payments], load_channels(tmp_path))
    monkeypatch.setenv("PEAKLEDGER_CHANNEL_PROFILES", str(tmp_path))
    monkeypatch.setenv("PEAKLEDGER_DATA", str(tmp_path / "data"))

    def run(*arguments: str) -> Ended:
        ended = command(*arguments)
        assert ended.status == 0
        return ended

    return run


@pytest.mark.parametrize(
    "arguments",
    [
        ("statement", "3301234567890", "--channel", "tablet"),
        ("outcome", "tablet", "2026-07-23", "1"),
        ("household", "3301234567890"),
        ("quarantine", "list"),
        ("quarantine", "show", "1"),
        ("outlets", "totals", "--by", "channel"),
    ],
)
def test_a_channel_of_a_profile_is_known_by_its_name(tablet, arguments):
    document = tablet(*arguments, "--json").document
    (item,) = document["items"] or document["credits"]
    assert item.get("channel", "tablet") == "tablet"


def test_a_proven_event_of_a_channel_of_a_profile_is_told_with_its_names(tablet, tmp_path):
    (tmp_path / "proof.json").write_text(tablet("prove", "tablet", "2026-07-23", "1").out)
    (tmp_path / "digest.json").write_text(tablet("digest", "--json").out)
    told = tablet("check-proof", str(tmp_path / "proof.json"), "--digest", str(tmp_path / "digest.json")).out
    assert "these entries of tablet 2026-07-23 1 stand" in told


def test_without_the_profile_an_event_is_told_by_the_code_of_its_channel_and_the_bytes_of_its_serial(tablet, monkeypatch):
    monkeypatch.delenv("PEAKLEDGER_CHANNEL_PROFILES")
    (line,) = tablet("statement", "3301234567890", "--json").items
    (credit,) = tablet("household", "3301234567890", "--json").document["credits"]
    (refused,) = tablet("quarantine", "list", "--json").items
    assert {(item["channel"], item["serial"]) for item in (line, credit, refused)} == {("15", "1" + "f" * 31)}


def test_a_line_of_a_hold_tells_what_is_pending(peakledger):
    assert "pending ¥" in peakledger("statement", B, "--limit", "3").out
    assert "pending ¥" not in peakledger("statement", B, "--code", "8", "--oldest-first", "--limit", "3").out


def test_a_shard_without_entries_hides_no_digest_of_the_others(tmp_path, command):
    feed(tmp_path, SHARDS[0], [make.open_account("a", "A")])
    Engine.open(tmp_path / SHARDS[1], source="payments.events/1", segment_bytes=4 << 20).close()
    told = command("digest", "--json", "--data", str(tmp_path))
    assert [item["shard"] for item in told.items] == [SHARDS[0]]
    assert "payments.events-1 has no entries yet, and so no digest." in told.err
    assert command("digest", "--shard", SHARDS[1], "--data", str(tmp_path)).status == 6


@pytest.mark.parametrize(
    "arguments, status, says",
    [
        (("balance", A, "--as-of-seq", "3"), 2, "A seq counts in one shard only"),
        (("balance", A, "--as-of-seq", "3", "--shard", "x-0"), 6, "There is no shard x-0"),
        (("balance", B, "--as-of-seq", "999"), 6, "The ledger has no entry 999"),
        (("balance", B, "--as-of-seq", "1"), 6, "No such account at that moment"),
        (("balance", B, "--as-of-seq", "1", "--as-of-time", "2026-07-23"), 2, "name the moment twice"),
        (("balance", B, "--as-of-time", "noon"), 2, "'noon' is no time"),
        (("balance", B, "--value-date", "tomorrow"), 2, "'tomorrow' is no date"),
        (("trial-balance", "--as-of-seq", "3"), 2, "A seq counts in one shard only"),
        (("statement", B, "--value-date", "2026-07-23..2026-07-01"), 2, "ends before it begins"),
        (("statement", B, "--seq", "x.."), 2, "'x' is no seq"),
        (("statement", B, "--code", "bills"), 2, "'bills' is no code"),
        (("statement", B, "--channel", "pigeon"), 2, "'pigeon' is no channel"),
        (("statement", B, "--cursor", "payments.events-0:abcd"), 2, "is no cursor"),
        (("statement", B, "--cursor", "payments.events-1:abcd"), 2, "is a cursor of no shard"),
        (("statement", "3301234567890"), 6, "No such account"),
        (("statement", B, "--counter-account", "meter"), 2, "'meter' is not a household number"),
        (("adjustments", "meter"), 2, "'meter' is not a household number"),
        (("outcome", "alipay", "2026-07-23", "一"), 2, "'一' is no serial of alipay"),
        (("prove", "alipay", "2026-07-23", "x"), 2, "'x' is no serial of alipay"),
    ],
)
def test_a_question_that_cannot_be_answered_says_why(peakledger, arguments, status, says):
    ended = peakledger(*arguments)
    assert ended.status == status
    assert says in " ".join(ended.err.replace("│", " ").split())


def test_a_balance_of_one_shard_is_that_of_no_other(peakledger):
    found = [peakledger("balance", A, *named, "--json").items for named in ((), ("--shard", SHARDS[1]))]
    assert [[item["shard"] for item in items] for items in found] == [list(SHARDS), [SHARDS[1]]]


def test_a_statement_of_one_shard_has_the_lines_and_the_balance_of_no_other(peakledger):
    every = peakledger("statement", A, "--limit", "100", "--json").items
    one = peakledger("statement", A, "--limit", "100", "--shard", SHARDS[0], "--json").items
    assert one == [item for item in every if item["shard"] == SHARDS[0]]
    assert len(one) == TRANSFERS + 3
    first = peakledger("statement", A, "--limit", "5", "--shard", SHARDS[0], "--json").document
    going_on = ("--limit", "100", "--cursor", first["next_cursor"])
    assert first["items"] + peakledger("statement", A, *going_on, "--shard", SHARDS[0], "--json").items == one
    assert "Balance of ledger:065: 0.00" in peakledger("statement", A, "--shard", SHARDS[1]).out
    refused = peakledger("statement", A, *going_on, "--shard", SHARDS[1])
    assert (refused.status, "is a cursor of no shard" in refused.err) == (2, True)
    assert peakledger("statement", B, "--shard", SHARDS[1]).status == 6


ADJUSTING = ("--debit", A, "--credit", B, "--amount-fen", "1", "--allowed-by", "Wang Min", "--reason", "Paid twice")
OF_A_SHARD = {
    "balance": (A,),
    "trial-balance": (),
    "statement": (A,),
    "household": ("3301234567890",),
    "digest": (),
    "prove": ("--seq", "1"),
    "adjust": ADJUSTING,
    "quarantine list": (),
    "quarantine show": ("1",),
    "quarantine replay": ("1", "--operator", "Li", "--reason", "a test"),
    "quarantine drop": ("1", "--operator", "Li", "--reason", "a test"),
}


def commands_with(option: str, group=None, before: str = "") -> Iterator[str]:
    """Yield the names of all commands that have an option."""
    for name, found in (group or get_command(app)).commands.items():
        if hasattr(found, "commands"):
            yield from commands_with(option, found, f"{before}{name} ")
        elif any(option in parameter.opts for parameter in found.params):
            yield before + name


def test_a_shard_that_is_not_there_is_told_alike_by_every_command_that_takes_one(peakledger):
    assert set(commands_with("--shard")) == OF_A_SHARD.keys()
    told = {name: peakledger(*name.split(), *arguments, "--shard", "x-0") for name, arguments in OF_A_SHARD.items()}
    message = f"peakledger: There is no shard x-0. There are {', '.join(SHARDS)}\n"
    assert {name: (ended.status, ended.err) for name, ended in told.items()} == dict.fromkeys(told, (6, message))
