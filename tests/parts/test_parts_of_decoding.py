"""From a block of record batches to packed events: checksum, walk, decode."""

from array import array
from dataclasses import replace

import pytest

from bench.workload import Workload
from ledger._core import EventDecoder, build_packed_batches, checksum_crc32c, checksum_crc32c_portable, count_records
from ledger.channels import BUILT_IN_CHANNELS
from ledger.events import decode_to_packed, encode_json, encode_msgpack
from ledger.schema import EXAMPLES

APPLIED = 0
MEBIBYTE = 1 << 20
ENCODINGS = {
    "json": encode_json,
    "msgpack_map": encode_msgpack,
    "msgpack_array": lambda event: encode_msgpack(event, as_array=True),
}


@pytest.fixture(scope="module")
def workload(size) -> Workload:
    return Workload(seed=3, events=size, households=size, refused=0.0)


@pytest.mark.parametrize("checksum", [checksum_crc32c, checksum_crc32c_portable], ids=["this_cpu", "portable"])
def test_crc32c(measure, checksum):
    data = bytes(range(256)) * (MEBIBYTE // 256)
    assert measure(lambda: checksum(data), MEBIBYTE, "bytes") == checksum_crc32c(data)


def test_walking_record_batches(measure, workload, size):
    data = b"".join(batch for batch, _ in workload.batches())
    assert measure(lambda: count_records(data), size, "events") == size


def decode_all(values: list[bytes]) -> int:
    """Decode one by one, each with a call from Python and a result of bytes, which the engine has not; return how many failed."""
    decode = EventDecoder(BUILT_IN_CHANNELS).decode_fast
    return sum(decode(value)[0] != APPLIED for value in values)


@pytest.mark.parametrize("json", [False, True], ids=["packed", "json"])
def test_decoding_many_events(measure, workload, size, json):
    values = list(replace(workload, json=json).values())
    assert measure(lambda: decode_all(values), size, "events") == 0


@pytest.mark.parametrize("name", ["Payment", "Transfer", "Post"])
@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS.keys())
def test_decoding_one_event(measure, size, encode, name):
    event = next(each for each in EXAMPLES if type(each).__name__ == name)
    values = [encode(event)] * size
    assert measure(lambda: decode_all(values), size, "events") == 0


def test_decoding_json_in_plain_python(measure, workload, size):
    values = list(replace(workload, json=True).values())[: size // 10]
    decoded = measure(lambda: [decode_to_packed(value, BUILT_IN_CHANNELS)[0] for value in values], len(values), "events")
    assert set(decoded) == {APPLIED}


def test_building_packed_batches(measure, workload, size):
    events = b"".join(workload.values())
    times = array("q", range(size))
    built = measure(lambda: build_packed_batches(events, times), size, "events")
    assert sum(count for _, _, count in built) == size
