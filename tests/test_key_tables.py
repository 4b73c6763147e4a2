"""Key tables that are large enough to split: nothing is applied twice, in memory, from files, or after both."""

import struct
from collections.abc import Iterable, Iterator
from datetime import date
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bench.workload import Workload
from ledger._core import build_batch, check_key_table, checksum_crc32c, find_key
from ledger.channels import BUILT_IN_CHANNELS
from ledger.engine import Engine, EngineStatus
from ledger.errors import KeyTableDamaged
from ledger.events import Payment, encode_json
from ledger.journal import read_parameters
from ledger.key_lookup import EventKey, KeyLookup
from ledger.layouts import (
    KEY_LINE,
    KEY_PART_RECORD,
    KEY_SLOT,
    KEY_TABLE_HEADER,
    KEY_TABLE_HEADER_BYTES,
    KEY_UNIT_BYTES,
    KEY_UNIT_LINES,
)
from ledger.verify import verify_keys
from tests.colliding_keys import colliding_serials
from tests.ledger_events import NOON_MS

WORKLOAD = Workload(seed=5, events=260_000, households=500, duplicates=0.01, late=0.02, records_per_batch=8192)
FIRST = list(WORKLOAD.batches(0, 163_840))
ALL_AGAIN = list(WORKLOAD.batches(first_offset=163_840))
ALIPAY = next(channel for channel in BUILT_IN_CHANNELS if channel.name == "alipay")


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


def bytes_of(part: dict) -> int:
    return part["units"] * KEY_UNIT_BYTES


def tables_in(content: bytes) -> Iterator[tuple[list[dict], list[dict], dict]]:
    """Yield the lines and the slots of each part of a table's file, and its record."""
    at = KEY_TABLE_HEADER_BYTES
    for part in parts_of(content):
        slots_at, end = at + part["units"] * KEY_UNIT_LINES * KEY_LINE.size, at + bytes_of(part)
        yield list(KEY_LINE.unpack_all(content[at:slots_at])), list(KEY_SLOT.unpack_all(content[slots_at:end])), part
        at = end


def places_of(line: dict) -> list[int]:
    """The places that are taken, which are the first ones."""
    tags, places = (struct.unpack("<16H", line[field]) for field in ("tags", "places"))
    assert 0 not in tags[: 16 - tags.count(0)]
    return list(places[: 16 - tags.count(0)])


def with_right_checksums(content: bytearray) -> bytes:
    """A table's file of which only the checksums are made to agree with the rest."""
    at, records = KEY_TABLE_HEADER_BYTES, b""
    for part in parts_of(content):
        part["crc32c"] = checksum_crc32c(content[at : at + bytes_of(part)])
        at += bytes_of(part)
        records += KEY_PART_RECORD.pack(**part)
    header = KEY_TABLE_HEADER.unpack(content) | {"parts_crc32c": checksum_crc32c(records)}
    content[at:] = records
    content[: KEY_TABLE_HEADER.size] = KEY_TABLE_HEADER.pack(**header)
    header["crc32c"] = checksum_crc32c(content[8:KEY_TABLE_HEADER_BYTES])
    content[: KEY_TABLE_HEADER.size] = KEY_TABLE_HEADER.pack(**header)
    return bytes(content)


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
    assert len(content) == KEY_TABLE_HEADER_BYTES + sum(map(bytes_of, parts)) + len(parts) * KEY_PART_RECORD.size
    for lines, slots, part in tables_in(content):
        places = [place for line in lines for place in places_of(line)]
        assert sorted(places) == list(range(part["keys"]))
        assert [bool(slot["seq_and_channel"]) for slot in slots] == [at < part["keys"] for at in range(len(slots))]


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


def collisions(tmp_path) -> list[Payment]:
    """Payments of one business date, more than a line has places, and only their serials tell their keys apart."""
    hash_seed = read_parameters(tmp_path / "events-0").hash_seed
    serials = colliding_serials(ALIPAY.code, hash_seed, tag=0x1235)
    return [
        Payment(channel="alipay", business_date="2026-07-23", serial=serial, household="3301234567890", amount_fen=fen)
        for fen, serial in enumerate(islice(serials, 19), 1)
    ]


def apply_payments(engine: Engine, payments: Iterable[Payment]) -> EngineStatus:
    values = [encode_json(payment) for payment in payments]
    batch = build_batch([(None, value, NOON_MS) for value in values], engine.next_offset)
    engine.apply(bytes(batch), engine.next_offset + len(values))
    return engine.status()


def test_keys_that_share_line_and_tag_are_told_apart_in_memory_and_in_files(tmp_path):
    open_engine(tmp_path).close()
    *payments, never_applied = collisions(tmp_path)
    with open_engine(tmp_path) as engine:
        assert apply_payments(engine, payments[:9]).events_applied == 9
        status = apply_payments(engine, payments)
        assert (status.events_applied, status.events_existing) == (18, 9)
    keys = [EventKey.of(ALIPAY, date(2026, 7, 23), payment.serial) for payment in (*payments, never_applied)]
    found = KeyLookup(tmp_path / "events-0").find(keys)
    assert [found[key].seq for key in keys[:-1]] == list(range(status.applied_seq - 17, status.applied_seq + 1))
    assert keys[-1] not in found
    with open_engine(tmp_path) as engine:
        status = apply_payments(engine, payments)
        assert (status.events_applied, status.events_existing) == (18, 27)
        others = [replace(payment, amount_fen=payment.amount_fen + 1) for payment in payments]
        assert apply_payments(engine, others).events_refused == 18
        assert apply_payments(engine, [never_applied]).events_applied == 19


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """The largest key table of a ledger that is closed."""
    tmp_path = tmp_path_factory.mktemp("lines")
    with open_engine(tmp_path) as engine:
        apply(engine, FIRST[:1])
    return largest_file(tmp_path)


@given(data=st.data())
def test_lines_that_lead_nowhere_are_damage_though_their_checksum_is_right(data, table):
    header = read_parameters(table.parents[2])
    sound = table.read_bytes()
    content = bytearray(sound)
    line_bytes = parts_of(content)[0]["units"] * KEY_UNIT_LINES * KEY_LINE.size
    for _ in range(data.draw(st.integers(1, 20))):
        content[KEY_TABLE_HEADER_BYTES + data.draw(st.integers(0, line_bytes - 1))] = data.draw(st.integers(0, 255))
    table.write_bytes(with_right_checksums(content))
    try:
        keys = check_key_table(str(table), header.hash_seed, header.ledger_id)
    except KeyTableDamaged:
        return
    finally:
        table.write_bytes(sound)
    assert keys == sum(part["keys"] for part in parts_of(content))
    assert all(place < part["keys"] for lines, _, part in tables_in(content) for line in lines for place in places_of(line))


def payment_elsewhere(path, shard) -> Payment:
    """Return a new payment of the business date of a damaged key table, whose key a sound part takes."""
    header = read_parameters(shard)
    for serial in map(str, range(1000)):
        payment = Payment(channel="alipay", business_date=path.stem, serial=serial, household="3301234567890", amount_fen=5)
        key = EventKey.of(ALIPAY, date.fromisoformat(path.stem), serial)
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
