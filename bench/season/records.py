"""The records that carry a season's events, and whole Kafka record batches of them."""

from collections.abc import Iterable, Iterator
from itertools import islice

from bench.feeding import PreparedBlock
from bench.season.arrivals import Arrival
from ledger._core import build_batch
from ledger.events import encode_json
from streams.publisher import Encoding, Record, encoder_of

RECORDS_PER_BLOCK = 16_384


def blocks_of(arrivals: Iterable[Arrival], encoding: Encoding, *, first_offset: int = 0) -> Iterator[PreparedBlock]:
    """Yield the arrivals in blocks of one batch.

    What is bound to be refused goes as JSON, for an event that is wrong has no packed form.
    """
    encode = encoder_of(encoding)
    waiting, next_offset = iter(arrivals), first_offset
    while taken := list(islice(waiting, RECORDS_PER_BLOCK)):
        records: list[Record] = [
            (each.key.encode() if each.key else None, (encode_json if each.wrong else encode)(each.event), each.time_ms)
            for each in taken
        ]
        yield PreparedBlock(bytes(build_batch(records, next_offset)), next_offset + len(records))
        next_offset += len(records)
