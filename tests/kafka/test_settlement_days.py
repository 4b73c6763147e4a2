"""The settlement day of each of the fourteen channels on a real broker, as its funds have it."""

from contextlib import suppress
from datetime import date, timedelta

import confluent_kafka as ck
import msgspec
import pytest

from ledger.channels import BUILT_IN_CHANNELS, Channel
from ledger.clearing import Side
from ledger.errors import NotSettled
from ledger.event_fields import parse_serial
from ledger.reconciliation import ChannelLine
from peakledger.booking import Booker
from peakledger.config import Settings
from peakledger.settling import SettlingDate
from tests.kafka.running import run_to_the_end, settings
from tests.kafka.test_channels import CHANNELS, Story
from tests.waiting import PATIENCE_S

DAY = date.today() - timedelta(2)  # so that its cut-off has passed, whatever the zone
LEDGER = next(channel for channel in BUILT_IN_CHANNELS if channel.name == "ledger")
Event = dict[str, object]


def stories(channel: Channel) -> list[Story]:
    return [Story(channel, rule, number) for number, rule in enumerate(channel.rules)]


def day_of(story: Story) -> tuple[list[Event], list[Event], int]:
    """Return what a kind of terminal publishes, which of it the channel's file tells, and what the bank gets in cash."""
    payment = story.payment() | {"business_date": DAY.isoformat()}
    own = story.payer | story.terminal
    match story.rule.funds:
        case "stored_value" | "prefunded":
            top_up = story.event("top_up", DAY, payee=story.payer["payer"], amount_fen=30_000) | story.terminal
            return [top_up, payment], [], 30_000
        case "float":
            opened = story.event("open_float", DAY, amount_fen=500) | own
            return [opened, payment, story.event("bank_float", DAY, amount_fen=20_500) | own], [], 20_000
        case "two_phase":
            confirmed = story.naming("post", "pending", payment, DAY)
            return [payment, confirmed], [confirmed], 0
        case _:
            return [payment], [payment], 0


def lines(channel: Channel) -> list[ChannelLine]:
    """Return the channel's file: each payment, with one fen more than is booked."""
    told = [event for story in stories(channel) for event in day_of(story)[1]]
    serials = [parse_serial(str(event["serial"]), channel.serial_form) for event in told]
    return [ChannelLine(serial, "3301234567890", 20_001, DAY, line) for line, serial in enumerate(serials, 2)]


@pytest.fixture(scope="module")
def settled(kafka_broker, tmp_path_factory):
    """A ledger on which the date of every channel was settled and closed."""
    data, topic = tmp_path_factory.mktemp("ledger"), kafka_broker.create_topic("settlement-days", 1, None)
    producer = ck.Producer({"bootstrap.servers": kafka_broker.bootstrap_servers, "enable.idempotence": True})
    for event in (event for channel in CHANNELS for story in stories(channel) for event in day_of(story)[0]):
        producer.produce(topic, msgspec.json.encode(event), partition=0)
    assert producer.flush(PATIENCE_S) == 0
    run_to_the_end(kafka_broker, topic, settings(data))
    booker = Booker(Settings(bootstrap_servers=kafka_broker.bootstrap_servers), topic, LEDGER, 1, wait_s=0)
    for close in (False, True):
        for channel in CHANNELS:
            with suppress(NotSettled):  # it is published, and applied when all are
                settle(SettlingDate(str(data), channel, DAY), booker, close=close)
        run_to_the_end(kafka_broker, topic, settings(data))
    return data


def settle(settling: SettlingDate, booker: Booker, *, close: bool) -> None:
    settling.check_cut_off()
    assert len(list(settling.reconcile(lines(settling.channel), 0))) == len(lines(settling.channel))
    settling.plan()
    settling.settle(booker)
    if close:
        settling.close(booker)


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_a_channels_date_comes_to_zero_with_the_bank_and_is_closed(settled, channel):
    told = lines(channel)
    cash_fen = sum(day_of(story)[2] for story in stories(channel))
    fee_fen = sum(channel.fee.of(line.amount_fen) for line in told)
    (shard,) = SettlingDate(str(settled), channel, DAY).shards
    assert shard.is_at_zero and shard.is_closed and not list(shard.remains())
    assert shard.clearing.settled.get(Side.bank, 0) == 20_001 * len(told) + cash_fen - fee_fen
    assert shard.clearing.settled.get(Side.fee, 0) == fee_fen
    assert shard.clearing.settled.get(Side.suspense, 0) == -len(told)
