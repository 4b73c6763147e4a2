"""What Python sees of the extension module, in the order of its parts."""

from array import array
from collections.abc import Iterable
from typing import NamedTuple

from ledger.channels import Channel

# --- core/layouts.pxi ---------------------------------------------------------------------------------------------------

RECORD_LAYOUTS: dict[str, tuple[int, str]]

# --- core/checksums.pxi -------------------------------------------------------------------------------------------------

def checksum_crc32c(data: bytes | bytearray | memoryview, crc: int = 0) -> int: ...
def checksum_crc32c_portable(data: bytes | bytearray | memoryview, crc: int = 0) -> int: ...

# --- core/record_batches.pxi --------------------------------------------------------------------------------------------

class BatchOverview(NamedTuple):
    byte_offset: int
    batch_bytes: int
    base_offset: int
    last_offset: int
    record_count: int
    codec: int
    control: bool
    transactional: bool
    max_timestamp_ms: int
    crc_ok: bool

def parse_record_body(
    body: bytes | bytearray | memoryview,
) -> tuple[bytes | None, bytes | None, list[tuple[bytes, bytes | None]]]: ...
def walk_batches(
    data: bytes | bytearray | memoryview, first_offset: int = 0
) -> list[tuple[int, int, bytes | None, bytes | None]]: ...
def count_records(data: bytes | bytearray | memoryview, first_offset: int = 0) -> int: ...
def has_compressed_batch(data: bytes | bytearray | memoryview) -> bool: ...
def batches_overview(data: bytes | bytearray | memoryview) -> list[BatchOverview]: ...

# --- core/batch_building.pxi --------------------------------------------------------------------------------------------

def build_batch(records: list[tuple[bytes | None, bytes | None, int]], base_offset: int = 0) -> bytearray: ...
def set_batch_producer(batch: bytearray | memoryview, producer_id: int, producer_epoch: int, base_sequence: int) -> None: ...
def partition_of(key: bytes | bytearray | memoryview, partition_count: int) -> int: ...
def build_packed_batches(
    events: bytes | bytearray | memoryview,
    timestamps_ms: array[int] | memoryview,
    partition_count: int = 1,
    max_batch_bytes: int = 1_000_000,
) -> list[tuple[int, bytearray, int]]: ...
def build_value_batches(
    values: bytes | bytearray | memoryview,
    value_ends: array[int] | memoryview,
    households: array[int] | memoryview,
    timestamps_ms: array[int] | memoryview,
    partition_count: int = 1,
    max_batch_bytes: int = 1_000_000,
) -> list[tuple[int, bytearray, int]]: ...

# --- core/decode.pxi ----------------------------------------------------------------------------------------------------

class EventDecoder:
    def __init__(self, channels: Iterable[Channel]) -> None: ...
    def decode_fast(self, value: bytes | None) -> tuple[int, bytes]: ...
    def decode_slow(self, value: bytes | None) -> tuple[int, bytes]: ...
