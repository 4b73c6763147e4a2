"""Fuzzes the walker of record batches: ``python -m tests.fuzz.walker --seconds N``."""

import logging

from ledger._core import parse_record_body
from streams.compression import inflate
from tests import plain_batches
from tests.fuzz import runner
from tests.plain_batches import HEADER, encode_batch, encode_record, with_right_crc
from tests.walking import core_walks_as_plain_python

RECORDS = [(7, 1000, b"3301234567890", b"value"), (9, 900, None, b""), (10, 1 << 40, b"", None)]
WORDS = [encode_record(1, 0, None, b"value", [(b"name", None)]), b"\x80" * 9, b"\xff" * 5, b"\x82SNAPPY\0", b"\x28\xb5\x2f\xfd"]
SEEDS = [encode_batch(RECORDS, attributes=attributes) for attributes in (0, 8, 0x30)] + [b"\0\x03\x03" + WORDS[0] * 3]


def check(data: bytes) -> None:
    """The bytes as they are, and as the records of a batch whose attributes and counts they begin with."""
    core_walks_as_plain_python(data)
    if len(data) > 3:
        header = HEADER.pack(5, HEADER.size - 12 + len(data) - 3, -1, 2, 0, data[0], data[1], 1000, 2000, -1, -1, -1, data[2])
        batch = with_right_crc(header + data[3:])
        core_walks_as_plain_python(batch)
        inflate(batch, max_batch_bytes=1 << 16)
    try:
        parse_record_body(data)
    except ValueError as error:
        assert "no Kafka record" in str(error)


if __name__ == "__main__":
    logging.disable()  # of batches that cannot be inflated
    runner.run("walker", check, SEEDS, WORDS, followed=(plain_batches,))
