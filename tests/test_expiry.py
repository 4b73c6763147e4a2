"""Cards are closed when their time is over: what is left on them is moved first, whoever still pays with one is refused."""

import asyncio
from datetime import date, timedelta

import pytest

from ledger.channels import BUILT_IN_CHANNELS, load_channels
from ledger.errors import ConfigurationError
from ledger.event_structs import HoldName
from ledger.events import Leg, Payment, TopUp, Transfer, Void
from ledger.history import History
from peakledger.expiry import expired_cards
from streams.embedded import EmbeddedStream
from streams.publisher import EmbeddedPublisher

ISSUED = date(2023, 7, 23)
TODAY = date(2026, 7, 24)
VALID_DAYS = next(channel.valid_days for channel in BUILT_IN_CHANNELS if channel.name == "recharge_card")
HOUSEHOLDS = ["3301234567890", "3301234567891", "3301234567892"]
OLD, PAID, RENEWED = "6222020001", "6222020002", "6222020003"
CARD = "card:000000{}".format


def top_up(serial: int, card: str, household: str, day: date = ISSUED) -> TopUp:
    fields = {"channel": "recharge_card", "business_date": day, "serial": str(serial), "household": household}
    return TopUp(payee=card, amount_fen=20_000, **fields)


def payment(serial: int, card: str, household: str, amount_fen: int, day: date = ISSUED) -> Payment:
    fields = {"channel": "recharge_card", "business_date": day, "serial": str(serial), "household": household}
    return Payment(payer=card, amount_fen=amount_fen, **fields)


@pytest.fixture
def apply(tmp_path, monkeypatch, command):
    """Publishes events, dated noon of a day, to a stream of three partitions, and has an engine apply all that is there."""
    settings = {"STREAM": "stream", "DATA": "data", "SEGMENT_MB": "4", "CLOSE_AFTER_DAYS": "36500", "MAX_AHEAD_S": "0"}
    for key, value in settings.items():
        monkeypatch.setenv(f"PEAKLEDGER_{key}", value)
    monkeypatch.chdir(tmp_path)
    with EmbeddedStream("stream") as stream:
        for topic in ("payments.events", "payments.outcomes"):
            stream.create_topic(topic, 3)

    def publish_and_run(*events, day: date = ISSUED) -> None:
        noon_ms = (day - date(1970, 1, 1)).days * 86_400_000 + 4 * 3_600_000

        async def publish() -> None:
            async with EmbeddedPublisher("payments.events", directory="stream") as publisher:
                await publisher.publish_many(events, noon_ms)

        asyncio.run(publish())
        assert command("run", "--stop-at-end").status == 0

    return publish_and_run


@pytest.fixture
def cards(apply):
    """One card with money left, one that was used up, one that was topped up again; a card of a household in each partition."""
    apply(
        top_up(1, OLD, HOUSEHOLDS[0]),
        payment(2, OLD, HOUSEHOLDS[0], 15_000),
        top_up(3, PAID, HOUSEHOLDS[1]),
        payment(4, PAID, HOUSEHOLDS[1], 20_000),
        top_up(5, RENEWED, HOUSEHOLDS[2]),
    )
    late = [payment(number, RENEWED, household, 1, TODAY) for number, household in enumerate(HOUSEHOLDS, 20)]
    apply(top_up(6, RENEWED, HOUSEHOLDS[2], TODAY), *late, day=TODAY)
    return apply


def test_expired_cards_are_emptied_and_closed_and_others_go_on(cards, command):
    shown = command("expire", "recharge_card", "--json").items
    assert {(item["account"], item["last_top_up"], item["left_fen"], item["goes_to"]) for item in shown} == {
        (CARD(OLD), "2023-07-23", 5_000, "ledger:6301"),
        (CARD(PAID), "2023-07-23", 0, None),
    }
    cards(day=TODAY)
    assert [item["balance_fen"] for item in command("balance", CARD(OLD), "ledger:6301", "--json").items] == [0, -5_000]
    assert command("expire", "recharge_card").out == "No card has expired.\n"
    day = TODAY + timedelta(1)
    cards(payment(30, OLD, HOUSEHOLDS[0], 1, day), payment(31, RENEWED, HOUSEHOLDS[2], 1, day), day=day)
    outcomes = [command("outcome", "recharge_card", str(day), serial, "--json").items[0]["outcome"] for serial in ("30", "31")]
    assert outcomes == ["debit_account_already_closed", "applied"]


def test_nothing_moves_twice_where_the_command_is_given_before_an_engine_applied_the_first(cards, command):
    assert len(command("expire", "recharge_card", "--json").items) == 2
    assert len(command("expire", "recharge_card", "--json").items) == 2
    cards(day=TODAY)
    assert command("balance", "ledger:6301", "--json").items[0]["balance_fen"] == -5_000
    assert command("trial-balance").status == 0


def test_a_dry_run_publishes_nothing_and_may_ask_for_a_day_to_come(cards, command):
    ahead = str(TODAY + timedelta(VALID_DAYS + 1))
    items = command("expire", "recharge_card", "--on", ahead, "--dry-run", "--json").items
    assert {item["account"] for item in items} == {CARD(OLD), CARD(PAID), CARD(RENEWED)}
    refused = command("expire", "recharge_card", "--on", ahead)
    assert (refused.status, "lies ahead of payments.events-" in refused.err) == (2, True)
    cards(day=TODAY)
    assert len(command("expire", "recharge_card", "--dry-run", "--json").items) == 2


def test_the_last_day_of_a_card_is_a_day_of_it(cards):
    (channel,) = [each for each in BUILT_IN_CHANNELS if each.name == "recharge_card"]
    last = ISSUED + timedelta(VALID_DAYS)
    found = [
        {card.account for number in range(3) for card in expired_cards(History(f"data/payments.events-{number}"), channel, day)}
        for day in (last, last + timedelta(1))
    ]
    assert found == [set(), {CARD(OLD), CARD(PAID)}]


def test_a_card_of_which_something_is_held_waits(cards, command):
    ledger = {"channel": "ledger", "business_date": TODAY}
    leg = Leg(debit=CARD(OLD), credit=f"household:{HOUSEHOLDS[0]}", amount_fen=5, code=7, flags=("pending",))
    cards(Transfer(serial="H", legs=(leg,), **ledger), day=TODAY)
    assert [item["account"] for item in command("expire", "recharge_card", "--dry-run", "--json").items] == [CARD(PAID)]
    void = Void(
        serial="V", pending=HoldName("ledger", TODAY, "H"), debit=CARD(OLD), credit=f"household:{HOUSEHOLDS[0]}", **ledger
    )
    cards(void, day=TODAY)
    assert len(command("expire", "recharge_card", "--dry-run", "--json").items) == 2


def test_a_statement_tells_a_top_up_from_a_transfer_with_its_code(cards, command):
    (code,) = {line["code"] for line in command("statement", CARD(PAID), "--json").items if line["event"] == "top_up"}
    leg = Leg(debit=CARD(RENEWED), credit=f"household:{HOUSEHOLDS[2]}", amount_fen=5, code=code)
    cards(Transfer("ledger", TODAY, "T", legs=(leg,)), day=TODAY)
    names = [line["event"] for line in command("statement", CARD(RENEWED), "--json").items]
    assert (names[0], names[-1]) == ("transfer", "top_up")


def test_what_has_no_cards_that_expire_is_told(cards, command, tmp_path):
    ended = command("expire", "alipay")
    assert ended.status == 2 and "alipay has no cards that expire" in ended.err
    keys = ("code = 15", 'name = "tablet"', 'chinese_name = "平板"', 'serial_form = "digits"', "valid_days = 5")
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "tablet.toml").write_text("\n".join(keys))
    with pytest.raises(ConfigurationError, match="line 5: valid_days: is for channels whose funds are stored_value"):
        load_channels(tmp_path / "profiles")
