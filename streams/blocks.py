"""What a source hands to the engine: a run of whole record batches of one partition, as the broker stores them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Block:
    """Whole record batches of one partition, one after the other.

    ``data`` may begin with records below ``first_offset`` (of a batch fetched from its middle), which do not belong to the
    block. ``next_offset`` is where to go on; offsets between may be missing. ``high_watermark`` is the offset that the next
    record of the partition will have, as far as the source knew.
    """

    topic: str
    partition: int
    data: bytes | bytearray | memoryview
    first_offset: int
    next_offset: int
    high_watermark: int
