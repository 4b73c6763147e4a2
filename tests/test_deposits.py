"""What is left of deposits over all shards, which channel's they are, and which are so low that somebody should be told."""

from datetime import date

import pytest

from ledger._core import build_batch
from ledger.account_ids import AccountKind
from ledger.channels import load_channels
from ledger.engine import Engine
from ledger.events import Close, OpenAccount, Payment, TopUp, encode_json
from ledger.history import shard_histories
from ledger.projections.balances import BalanceReader
from peakledger.deposits import find_deposits
from tests.ledger_events import NOON_MS

DAY = date(2026, 7, 23)
HOUSEHOLD = "3301234567890"
POST_SERIAL = "00000000-0000-0000-0000-00000000000{}"


def top_up(serial: int, payee: str, amount_fen: int, channel: str = "agency_outlet") -> bytes:
    return encode_json(
        TopUp(channel=channel, business_date=DAY, serial=serial_of(channel, serial), payee=payee, amount_fen=amount_fen)
    )


def payment(serial: int, payer: str, amount_fen: int, channel: str = "agency_outlet") -> bytes:
    fields = {"channel": channel, "business_date": DAY, "serial": serial_of(channel, serial)}
    return encode_json(Payment(household=HOUSEHOLD, amount_fen=amount_fen, payer=payer, **fields))


def serial_of(channel: str, serial: int) -> str:
    return POST_SERIAL.format(serial) if channel == "postal_station" else str(serial)


def feed(directory, partition: int, *events: bytes, profiles=None) -> None:
    batch = build_batch([(None, value, NOON_MS) for value in events], 0)
    shard = directory / f"payments.events-{partition}"
    channels = load_channels(profiles)
    with Engine.open(shard, source=f"payments.events/{partition}", channels=channels, segment_bytes=4 << 20) as engine:
        engine.apply(bytes(batch), len(events))
        assert engine.wait_projected()


@pytest.fixture
def data(tmp_path):
    """An agency in two shards, one with a credit line in use, one that is closed; a station of the post; a card and a till."""
    ledger = {"channel": "ledger", "business_date": DAY}
    line = OpenAccount(
        serial="O1",
        account="agency:00000007",
        flags=["debits_must_not_exceed_credits"],
        credit_line_fen=5_000_000,
        **ledger,
    )
    feed(
        tmp_path,
        0,
        top_up(1, "42", 2_000_000),
        payment(2, "42", 600_000),
        encode_json(line),
        top_up(3, "7", 100_000),
        payment(4, "7", 300_000),
        top_up(5, "8", 100),
        encode_json(Close(serial="C1", account="agency:00000008", **ledger)),
        top_up(6, "64500002", 600_000, "postal_station"),
        encode_json(TopUp(channel="recharge_card", business_date=DAY, serial="1", payee="6222020001", amount_fen=5)),
    )
    feed(tmp_path, 1, top_up(7, "42", 500_000), payment(8, "42", 400_000))
    return tmp_path


def test_a_deposit_is_what_is_left_over_all_shards(data, command):
    items = {item["account"]: item for item in command("deposits", "--data", str(data), "--json").items}
    assert {account: (item["shards"], item["left_fen"], item["least_fen"]) for account, item in items.items()} == {
        "agency:00000007": (1, -200_000, -200_000),
        "agency:00000042": (2, 1_500_000, 100_000),
        "agency:64500002": (1, 600_000, 600_000),
    }


def test_a_deposit_is_low_below_the_level_of_the_channel_that_moved_it(data, command):
    items = command("deposits", "--data", str(data), "--json").items
    assert [(item["channel"], item["alarm_level_fen"], item["low"]) for item in items] == [
        ("agency_outlet", 1_000_000, True),
        ("agency_outlet", 1_000_000, False),
        ("postal_station", 500_000, False),
    ]


def test_low_deposits_end_the_command_with_a_status_of_their_own(data, command):
    told = command("deposits", "--low", "--data", str(data))
    assert told.status == 15
    assert "agency:00000007" in told.out and "agency:00000042" not in told.out
    assert told.err.startswith("peakledger: Deposits are low (deposits 1).")
    post = command("deposits", "postal_station", "--low", "--data", str(data))
    assert (post.status, post.out) == (0, "No deposit is low.\n")


def test_a_deposit_that_is_used_up_in_one_shard_is_low_though_there_is_enough_in_another(data, command):
    feed(data, 2, top_up(9, "42", 100), payment(10, "42", 100))
    (item,) = [each for each in command("deposits", "--data", str(data), "--json").items if each["account"] == "agency:00000042"]
    assert (item["left_fen"], item["least_fen"], item["low"]) == (1_500_000, 0, True)


def test_a_channel_of_a_profile_has_deposits_and_a_level_of_its_own(tmp_path):
    (tmp_path / "profiles").mkdir()
    keys = ("code = 15", 'name = "tablet"', 'chinese_name = "平板"', 'serial_form = "digits"', 'funds = "prefunded"')
    more = ('publishes = ["payment", "top_up"]', 'account = "outlet:{payer:6}"', "alarm_level_fen = 300")
    (tmp_path / "profiles" / "tablet.toml").write_text("\n".join(keys + more))
    feed(tmp_path / "data", 0, top_up(1, "5", 299, "tablet"), profiles=tmp_path / "profiles")
    channels = load_channels(tmp_path / "profiles")
    (found,) = find_deposits(shard_histories(tmp_path / "data"), channels)
    assert (found.account, found.channels, found.is_low) == ("outlet:000005", ("tablet",), True)
    assert not found._replace(alarm_level_fen=0, left_fen=-1, least_fen=-1).is_low


def test_another_channel_has_no_deposits(data, command):
    ended = command("deposits", "alipay", "--data", str(data))
    assert ended.status == 2 and "alipay is not paid from deposits" in ended.err


def test_the_accounts_of_a_kind_are_those_among_all(data):
    reader = BalanceReader(data / "payments.events-0")
    every = list(reader.items())
    assert [list(reader.items_of(kind)) for kind in AccountKind] == [
        [balance for balance in every if balance.account.startswith(f"{kind.name}:")] for kind in AccountKind
    ]
