"""Reading a topic twice: as blocks through our consumer, and as records through aiokafka's own, which is the oracle."""

from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.record.default_records import DefaultRecordBatch

from streams.blocks import Block
from streams.consumer import BATCH_OVERHEAD_BYTES, BlockConsumer
from tests.kafka.broker import Broker

READ_TIMEOUT_MS = 500
Record = tuple[int, bytes | None]


def records_of(block: Block) -> list[Record]:
    """Offset and value of each record of a block at or above its first offset."""
    data, records = bytes(block.data), []
    while data:
        end = BATCH_OVERHEAD_BYTES + int.from_bytes(data[8:12], "big")
        batch = DefaultRecordBatch(data[:end])
        assert batch.validate_crc()
        records += [(record.offset, record.value) for record in batch if record.offset >= block.first_offset]
        data = data[end:]
    return records


async def read_blocks(broker: Broker, partitions: list[TopicPartition], end: int, **settings: Any) -> list[Block]:
    """All blocks of partitions from their beginning to the offset ``end``, kept until the last one has come."""
    consumer = BlockConsumer(bootstrap_servers=broker.bootstrap_servers, **settings)
    consumer.assign(partitions)
    await consumer.start()
    try:
        for partition in partitions:
            consumer.seek(partition, 0)
        blocks: list[Block] = []
        while any([await consumer.position(partition) < end for partition in partitions]):
            fetched = await consumer.getmany(timeout_ms=READ_TIMEOUT_MS)
            blocks += [block for of_partition in fetched.values() for block in of_partition]
        return blocks
    finally:
        await consumer.stop()


async def read_records(broker: Broker, partition: TopicPartition, end: int, **settings: Any) -> list[Record]:
    """The same partition read by aiokafka itself, record by record."""
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap_servers, **settings)
    consumer.assign([partition])
    await consumer.start()
    try:
        await consumer.seek_to_beginning(partition)
        records: list[Record] = []
        while await consumer.position(partition) < end:
            fetched = await consumer.getmany(timeout_ms=READ_TIMEOUT_MS)
            records += [(record.offset, record.value) for of_partition in fetched.values() for record in of_partition]
        return records
    finally:
        await consumer.stop()


async def end_offset(broker: Broker, partition: TopicPartition) -> int:
    """The offset after a partition's last batch, control batches counted."""
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap_servers)
    await consumer.start()
    try:
        return (await consumer.end_offsets([partition]))[partition]
    finally:
        await consumer.stop()
