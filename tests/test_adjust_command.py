"""``peakledger adjust`` and ``peakledger adjustments`` on an embedded stream: what is checked before, booked, and told after."""

from datetime import date

import pytest

from ledger.events import Payment, encode_json
from peakledger.exit_codes import ExitCode
from tests.commands import in_a_process

HOUSEHOLD = "3301234567890"
DAY = date(2026, 7, 23)
PAYMENTS = [
    Payment(channel="alipay", business_date=DAY, serial=serial, household=HOUSEHOLD, amount_fen=20_000) for serial in ("7", "8")
]
DISPUTED = "alipay/2026-07-23/8"
BACK = ("--debit", HOUSEHOLD, "--credit", "clearing:01320260723", "--reason", "Paid twice", "--business-date", "2026-07-24")
ONE, TWO = ("--allowed-by", "Wang Min"), ("--allowed-by", "Wang Min", "--allowed-by", "李华")


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    """A directory with a ledger of two payments, and an adjustment of the second."""
    directory = tmp_path_factory.mktemp("disputes")
    (directory / "peakledger.toml").write_text(
        'stream = "stream"\ndata = "ledger"\nclose_after_days = 36500\nfuture_days = 366\n'
    )
    (directory / "payments.jsonl").write_bytes(b"\n".join(map(encode_json, PAYMENTS)))
    for arguments in (("topics", "create"), ("publish", "payments.jsonl"), ("run", "--stop-at-end")):
        assert in_a_process(*arguments, cwd=directory).status == 0
    published = in_a_process("adjust", *BACK, *TWO, "--amount-fen", "20000", "--disputed", DISPUTED, cwd=directory)
    assert (published.status, "No engine has applied it yet" in published.out) == (0, True), published.err
    assert in_a_process("run", "--stop-at-end", cwd=directory).status == 0
    return directory


@pytest.fixture
def peakledger(ledger, monkeypatch, command):
    monkeypatch.chdir(ledger)
    return command


def adjusting(*arguments: str) -> tuple[str, ...]:
    return ("adjust", *BACK, *arguments)


def test_it_is_booked_and_listed_by_event_and_by_account(peakledger):
    (found,) = peakledger("adjustments", "--json").items
    assert (found["amount_fen"], found["disputed"], found["allowed_by"], found["reason"]) == (
        20_000,
        DISPUTED,
        ["Wang Min", "李华"],
        "Paid twice",
    )
    for about in (DISPUTED, found["event"], HOUSEHOLD, "clearing:01320260723"):
        assert peakledger("adjustments", about, "--json").items == [found]
    assert "There are no such adjustments" in peakledger("adjustments", "alipay/2026-07-23/7").out
    assert "Paid twice" in peakledger("adjustments").out


def test_statement_and_outcome_tell_the_reason(peakledger):
    (found,) = peakledger("adjustments", "--json").items
    lines = peakledger("statement", HOUSEHOLD, "--json").items
    assert [(line["event"], line["reason"]) for line in lines] == [
        ("adjust", "Paid twice"),
        ("payment", None),
        ("payment", None),
    ]
    (outcome,) = peakledger("outcome", *found["event"].split("/"), "--json").items
    assert (outcome["outcome"], outcome["reason"], outcome["seq"]) == ("applied", "Paid twice", found["seq"])
    assert "Paid twice" in peakledger("statement", HOUSEHOLD).out


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ((*ONE, "--amount-fen", "100001"), ExitCode.refused_event, "second_person_missing"),
        ((*ONE, *ONE, "--amount-fen", "1"), ExitCode.refused_event, "allowance_malformed"),
        ((*ONE, "--amount-fen", "0"), ExitCode.refused_event, "amount_not_positive"),
        ((*ONE, "--amount-fen", "1", "--disputed", "alipay/2026-07-23/9"), ExitCode.not_found, "alipay/2026-07-23/9"),
        ((*ONE, "--amount-fen", "1", "--disputed", "alipay"), ExitCode.usage, "CHANNEL/DATE/SERIAL"),
        ((*ONE, "--amount-fen", "1", "--credit", "till:7"), ExitCode.not_found, "till:7"),
        ((*ONE, "--amount-fen", "1", "--credit", HOUSEHOLD), ExitCode.refused_event, "accounts_must_be_different"),
        ((*ONE, "--amount-fen", "1", "--shard", "other"), ExitCode.not_found, "no shard other"),
    ],
)
def test_what_cannot_be_right_is_not_published(peakledger, ledger, arguments, status, message):
    before = [path.stat().st_size for path in sorted((ledger / "stream").rglob("*.batches"))]
    ended = peakledger(*adjusting(*arguments))
    assert ended.status == status
    assert message in ended.out + ended.err
    assert [path.stat().st_size for path in sorted((ledger / "stream").rglob("*.batches"))] == before


def test_the_same_command_twice_is_one_adjustment_and_another_reason_is_another(peakledger):
    serials = [
        peakledger(*adjusting(*ONE, "--amount-fen", "1", "--reason", reason, "--json")).items[0]["serial"]
        for reason in ("first", "first", "second")
    ]
    assert serials[0] == serials[1] != serials[2]
    assert all(len(serial) == 16 for serial in serials)


def test_adjustments_of_an_event_whose_form_is_wrong_are_an_error_of_usage(peakledger):
    assert peakledger("adjustments", "telegraph/2026-07-23/1").status == ExitCode.usage
