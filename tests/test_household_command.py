"""``peakledger household``, and the page about it: its session prints what it says, wrong questions get an answer."""

import json

import pytest

from tests.commands import Ended
from tests.sessions import BLOCK, ROOT, compared, run_session, steps
from tests.test_cli_past import feed
from tests.test_households import EVENTS, HOUSEHOLD, encode_packed

PAGE = (ROOT / "docs" / "households.md").read_text()


@pytest.fixture
def peakledger(tmp_path, monkeypatch, command):
    """Runs the command on a ledger with the first events of the tests beside; ``shards`` have it first."""

    def run(*arguments: str, shards: tuple[str, ...] = ("payments.events-0",)) -> Ended:
        monkeypatch.chdir(tmp_path)
        for shard in shards:
            if not (tmp_path / "data" / shard).exists():
                feed(tmp_path / "data", shard, [encode_packed(event) for event in EVENTS[:4]])
        return command("household", *arguments, "--data", "data")

    return run


def test_the_session_prints_what_the_page_says(tmp_path):
    (block,) = BLOCK.findall(PAGE)
    assert compared(run_session(block, tmp_path)) == compared(steps(block))


def test_the_document_has_bills_credits_and_sums(peakledger):
    document = json.loads(peakledger(HOUSEHOLD, "--on", "2026-07-30", "--late-charge-permille", "10", "--json").out)
    assert [(one["period"], one["paid_fen"], one["owed_fen"], one["accrued_fen"]) for one in document["items"]] == [
        ("2026-05", 10_000, 0, 0),
        ("2026-06", 2_000, 18_000, 900),
    ]
    assert [part["channel"] for one in document["items"] for part in one["payments"]] == ["alipay", "alipay"]
    assert [credit["prepaid_fen"] for credit in document["credits"]] == [0]
    sums = ("owed_fen", "prepaid_fen", "accrued_fen", "to_pay_fen", "day")
    assert [document[name] for name in sums] == [18_000, 0, 900, 18_900, "2026-07-30"]


@pytest.mark.parametrize(
    "arguments, status, words",
    [
        (("330123456789",), 2, "13"),
        (("330123456789x",), 2, "13"),
        (("3300000000000",), 6, "No such household: 3300000000000"),
        ((HOUSEHOLD, "--on", "yesterday"), 2, "yesterday"),
        ((HOUSEHOLD, "--as-of-seq", "99"), 6, "no entry 99"),
        ((HOUSEHOLD, "--as-of-seq", "0"), 6, f"No household {HOUSEHOLD} by then"),
        ((HOUSEHOLD, "--late-charge-permille", "1001"), 2, "late-charge-permille"),
        ((HOUSEHOLD, "--shard", "payments.events-7"), 6, "no shard payments.events-7"),
    ],
)
def test_a_wrong_question_is_told_what_is_wrong_with_it(peakledger, arguments, status, words):
    ended = peakledger(*arguments)
    assert (ended.status, words in " ".join(ended.err.split())) == (status, True)


def test_a_household_in_two_shards_is_asked_for_in_one_of_them(peakledger):
    shards = ("payments.events-0", "payments.events-1")
    ended = peakledger(HOUSEHOLD, shards=shards)
    assert (ended.status, "several shards" in ended.err) == (2, True)
    assert peakledger(HOUSEHOLD, "--shard", shards[1], shards=shards).status == 0
