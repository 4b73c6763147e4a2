"""A pass over the journal finds the payments of a channel's date that its clearing account has, and those that others pay."""

from datetime import date
from random import Random

import msgspec

from ledger._core import build_batch
from ledger.account_ids import clearing_channel_and_date
from ledger.channels import BUILT_IN_CHANNELS
from ledger.clearing import read_clearing
from ledger.engine import Engine
from ledger.history import History
from ledger.model import Model
from ledger.payment_scan import read_bookings, scan_payments
from ledger.reconciliation import Booking
from tests.ledger_events import NOON_MS
from tests.random_ledger import PARAMETERS, RandomLedger

DAY = date(2026, 7, 23)
CHANNELS = {channel.name: channel for channel in BUILT_IN_CHANNELS}
BY_CLEARING = {channel.code for channel in BUILT_IN_CHANNELS if not any(rule.payer for rule in channel.rules)}


def test_it_finds_what_the_clearing_account_paid_in_any_ledger(tmp_path):
    model = Model(parameters=PARAMETERS)
    records = []
    for offset, (timestamp_ms, value) in enumerate(RandomLedger(Random(4), model).records(4000)):
        model.apply_record(value, offset, timestamp_ms)
        records.append((None, value, timestamp_ms))
    with Engine.open(tmp_path, parameters=PARAMETERS, segment_bytes=4 << 20) as engine:
        for first in range(0, len(records), 500):
            engine.apply(build_batch(records[first : first + 500], first), first + 500)
    history = History(tmp_path)
    dates = [found for account in model.accounts if (found := clearing_channel_and_date(account)) and found[0] in BY_CLEARING]
    found = [(scan_payments(history, *one), read_clearing(history, *one).bookings) for one in dates]
    assert sum(len(scanned) for scanned, _ in found) > 100
    assert all(scanned == walked for scanned, walked in found)


def test_it_finds_what_an_agency_paid_less_what_was_taken_back(tmp_path):
    key = {"channel": "agency_outlet", "business_date": "2026-07-23"}
    events = [
        key | {"type": "top_up", "serial": "1", "payee": "9", "amount_fen": 1000},
        *(
            key | {"type": "payment", "serial": f"{number}", "household": "3301234567890", "payer": "9", "amount_fen": 100}
            for number in (2, 3)
        ),
        key | {"type": "reverse", "serial": "4", "original": key | {"serial": "3"}},
    ]
    with Engine.open(tmp_path, segment_bytes=4 << 20) as engine:
        engine.apply(build_batch([(None, msgspec.json.encode(event), NOON_MS) for event in events], 0), len(events))
    found = read_bookings([History(tmp_path)], CHANNELS["agency_outlet"], DAY)
    assert [booking._replace(seq=0) for booking in found.values()] == [
        Booking("3301234567890", 100, 0, tmp_path.name),
        Booking("3301234567890", 0, 0, tmp_path.name),
    ]
