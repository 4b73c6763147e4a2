"""What stops an engine, and what it leaves for the next start."""

from dataclasses import replace

import pytest

from ledger import _core
from ledger._core import build_batch
from ledger.engine import Engine
from ledger.errors import ConfigurationError
from ledger.events import Payment, encode_json, encode_packed
from ledger.parameters import LedgerParameters

NOON_MS = 1_784_779_200_000  # 2026-07-23
EVENTS = [
    Payment(channel="alipay", business_date="2026-07-23", serial=str(number), household="3301234567890", amount_fen=number)
    for number in range(1, 4)
]


def test_an_event_that_there_is_no_memory_to_decode_stops_the_engine_and_is_judged_by_the_next_start(tmp_path, monkeypatch):
    # An unknown name as long as this, in escapes, makes the second value one for the slow path.
    slow = encode_json(EVENTS[1]).replace(b"{", b'{"' + b"\\u0061" * 200 + b'":1,')
    values = [encode_packed(EVENTS[0]), slow, encode_packed(EVENTS[2])]
    records = build_batch([(None, value, NOON_MS) for value in values])

    def no_memory(value, channels):
        raise MemoryError

    with monkeypatch.context() as patched, pytest.raises(MemoryError, match="it goes on from the journal"):
        patched.setattr(_core, "decode_to_packed", no_memory)
        with Engine.open(tmp_path, segment_bytes=4 << 20) as engine:
            engine.apply(build_batch([(None, values[0], NOON_MS)]), 1)
            engine.apply(build_batch([(None, value, NOON_MS) for value in values[1:]], 1), 3)
    with Engine.open(tmp_path, segment_bytes=4 << 20) as engine:
        assert (engine.next_offset, engine.status().events_applied) == (1, 1)
        engine.apply(records, 3)
        status = engine.status()
    assert (status.records_consumed, status.events_applied, status.events_refused) == (3, 2, 1)


@pytest.mark.parametrize("name", ["utc_offset_minutes", "close_after_days", "future_days"])
def test_a_start_with_another_value_of_what_is_fixed_says_so_and_leaves_the_ledger_alone(tmp_path, name):
    made_with = LedgerParameters(utc_offset_minutes=60, close_after_days=30, future_days=3)
    Engine.open(tmp_path, parameters=made_with, segment_bytes=1 << 20).close()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConfigurationError, match=rf"^{name} is fixed .* has {getattr(made_with, name)}, not 7"):
        Engine.open(tmp_path, parameters=replace(made_with, **{name: 7}), segment_bytes=1 << 20)
    assert sorted(tmp_path.rglob("*")) == before
    Engine.open(tmp_path, parameters=made_with, segment_bytes=1 << 20).close()
