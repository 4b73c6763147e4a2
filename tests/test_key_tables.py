"""Key tables that are large enough to split: nothing is applied twice, in memory, from files, or after both."""

from datetime import date

import pytest

from bench.workload import Workload
from ledger._core import build_batch, find_key
from ledger.channels import BUILT_IN_CHANNELS
from ledger.engine import Engine
from ledger.errors import KeyTableDamaged
from ledger.events import Payment, encode_json
from ledger.journal import read_parameters
from ledger.key_lookup import EventKey
from ledger.layouts import KEY_PART_RECORD, KEY_SLOT, KEY_TABLE_HEADER, KEY_TABLE_HEADER_BYTES
from ledger.verify import verify_keys

WORKLOAD = Workload(seed=5, events=260_000, households=500, duplicates=0.01, late=0.02, records_per_batch=8192)
FIRST = list(WORKLOAD.batches(0, 163_840))
ALL_AGAIN = list(WORKLOAD.batches(first_offset=163_840))


def apply(engine: Engine, batches) -> None:
    for batch, next_offset in batches:
        engine.apply(batch, next_offset)


def open_engine(tmp_path, **options) -> Engine:
    return Engine.open(tmp_path / "events-0", **options)


def flip_a_bit(path, at: int) -> bytes:
    """Flip a bit of the file's byte ``at``. Return what the file holds then."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    return bytes(content)


def largest_file(tmp_path):
    return max((tmp_path / "events-0" / "keys").glob("*/*.keys"), key=lambda path: path.stat().st_size)


def parts_of(content: bytes) -> list[dict]:
    header = KEY_TABLE_HEADER.unpack(content)
    return list(KEY_PART_RECORD.unpack_all(content[-header["part_count"] * KEY_PART_RECORD.size :]))


def test_no_event_is_applied_twice_while_tables_split_in_memory(tmp_path):
    with open_engine(tmp_path) as engine:
        apply(engine, FIRST)
        apply(engine, ALL_AGAIN)
        assert engine.status().events_applied == WORKLOAD.fates().fresh


def test_no_event_is_applied_twice_by_tables_that_come_from_files_and_split_on(tmp_path):
    with open_engine(tmp_path) as engine:
        apply(engine, FIRST)
    with open_engine(tmp_path) as engine:
        apply(engine, ALL_AGAIN)
        assert engine.status().events_applied == WORKLOAD.fates().fresh


def test_memory_that_was_made_ready_holds_the_same_keys(tmp_path):
    with open_engine(tmp_path, key_memory_bytes=32 << 20) as engine:
        apply(engine, FIRST)
        apply(engine, ALL_AGAIN)
        assert engine.status().events_applied == WORKLOAD.fates().fresh


def test_the_parts_of_a_file_take_every_hash_once_and_tell_its_length(tmp_path):
    with open_engine(tmp_path) as engine:
        apply(engine, FIRST)
    content = largest_file(tmp_path).read_bytes()
    parts = parts_of(content)
    assert len(parts) > 2
    assert sum(2.0 ** -part["depth"] for part in parts) == 1.0
    slots = sum(part["capacity"] for part in parts) * KEY_SLOT.size
    assert len(content) == KEY_TABLE_HEADER_BYTES + slots + len(parts) * KEY_PART_RECORD.size
    keys = [slot for slot in KEY_SLOT.unpack_all(content[KEY_TABLE_HEADER_BYTES:][:slots]) if slot["seq_and_channel"]]
    assert len(keys) == sum(part["keys"] for part in parts)


@pytest.mark.parametrize("from_end", [1, KEY_PART_RECORD.size], ids=["the last byte", "the last record"])
def test_a_flipped_bit_in_what_tells_the_parts_is_found_at_start(tmp_path, from_end):
    with open_engine(tmp_path) as engine:
        apply(engine, FIRST)
    path = largest_file(tmp_path)
    flip_a_bit(path, -from_end)
    with pytest.raises(KeyTableDamaged, match="parts of the key table"):
        open_engine(tmp_path)


def test_a_flipped_bit_in_a_part_is_found_when_the_part_is_first_asked(tmp_path):
    with open_engine(tmp_path) as engine:
        apply(engine, FIRST)
    path = largest_file(tmp_path)
    flip_a_bit(path, KEY_TABLE_HEADER_BYTES + 7)
    engine = open_engine(tmp_path)
    with pytest.raises(KeyTableDamaged):
        apply(engine, ALL_AGAIN)
    engine.abandon()


def payment_elsewhere(path, shard) -> Payment:
    """Return a new payment of the business date of a damaged key table, whose key a sound part takes."""
    header, channel = read_parameters(shard), next(channel for channel in BUILT_IN_CHANNELS if channel.name == "alipay")
    for serial in map(str, range(1000)):
        payment = Payment(channel="alipay", business_date=path.stem, serial=serial, household="3301234567890", amount_fen=5)
        key = EventKey.of(channel, date.fromisoformat(path.stem), serial)
        try:
            assert find_key(str(path), header.hash_seed, header.ledger_id, key.serial, key.channel) is None
        except KeyTableDamaged:
            continue
        return payment
    raise AssertionError("all parts are damaged")


def test_a_damaged_part_that_nobody_asks_does_not_look_sound_in_the_next_checkpoint(tmp_path):
    shard = tmp_path / "events-0"
    with open_engine(tmp_path) as engine:
        apply(engine, FIRST)
    path = largest_file(tmp_path)
    damaged = flip_a_bit(path, KEY_TABLE_HEADER_BYTES + 7)
    payment = payment_elsewhere(path, shard)
    with open_engine(tmp_path) as engine:
        applied = engine.status().events_applied
        engine.apply(bytes(build_batch([(None, encode_json(payment), 0)], engine.next_offset)), engine.next_offset + 1)
        assert engine.status().events_applied == applied + 1
    copied = largest_file(tmp_path)
    assert copied.name == path.name
    assert copied.read_bytes() != damaged
    with pytest.raises(KeyTableDamaged) as caught:
        verify_keys(shard)
    assert caught.value.numbers["path"] == str(copied)
