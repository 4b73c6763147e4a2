"""What the Kafka sink relies on inside aiokafka. When one of these fails after an upgrade: adapt ``streams.sinks.BuiltBatch`` to
what the batch is asked for now; ``tests/kafka/test_publisher.py`` then tells whether publishing is right again. Until then keep
the pin. Decision 0021 says why it is so."""

import inspect
import re

import aiokafka
from aiokafka.producer import message_accumulator, sender
from aiokafka.producer.message_accumulator import BatchBuilder, MessageAccumulator, MessageBatch
from aiokafka.producer.transaction_manager import TransactionManager

from ledger._core import build_batch
from streams.sinks import BuiltBatch
from tests.plain_batches import encode_batch

RECORDS = [(b"key", b"value", 5)]


def test_the_release_is_the_one_that_the_seam_was_written_for():
    assert aiokafka.__version__ == "0.14.0"


def test_a_batch_is_asked_for_nothing_but_what_ours_has():
    source = inspect.getsource(message_accumulator) + inspect.getsource(sender)
    asked = set(re.findall(r"(?:batch|self)\._builder\.(\w+)\(", inspect.getsource(MessageBatch)))
    asked |= set(re.findall(r"batch\._builder\.(\w+)\(", source))
    assert asked == {"append", "close", "closed", "record_count", "_set_producer_state", "_build"}
    assert asked <= set(dir(BuiltBatch))


def test_a_batch_is_asked_in_the_same_way_as_aiokafkas_own():
    for name in ("record_count", "close", "closed", "_set_producer_state", "_build"):
        assert inspect.signature(getattr(BuiltBatch, name)).parameters.keys() == (
            inspect.signature(getattr(BatchBuilder, name)).parameters.keys()
        )


def test_a_batch_can_be_sent_that_aiokafka_did_not_build():
    assert list(inspect.signature(aiokafka.AIOKafkaProducer.send_batch).parameters) == ["self", "batch", "topic", "partition"]
    assert "isinstance" not in inspect.getsource(aiokafka.AIOKafkaProducer.send_batch)
    assert "isinstance" not in inspect.getsource(MessageAccumulator.add_batch)


def test_a_producer_that_waits_for_a_broker_in_vain_can_be_ended():
    source = inspect.getsource(aiokafka.AIOKafkaProducer.__init__)
    assert all(f"self.{name} = " in source for name in ("_sender", "client", "_txn_manager", "_message_accumulator"))
    source = inspect.getsource(TransactionManager) + inspect.getsource(message_accumulator)
    assert all(f"self.{name} = " in source for name in ("_transaction_waiter", "_drain_waiter", "_batches"))


def test_sequence_numbers_begin_again_at_zero_where_aiokafka_goes_below_it():
    batch = BuiltBatch(build_batch(RECORDS), 1)
    batch._set_producer_state(9, 1, 2**31 + 5 - 2**32)
    assert batch._build() == encode_batch([(0, 5, b"key", b"value")], producer=(9, 1, 5))


def test_a_built_batch_takes_no_more_records():
    batch = BuiltBatch(build_batch(RECORDS), 1)
    batch.close()
    assert batch.closed()
    assert batch.record_count() == 1
    assert batch.append(timestamp=0, key=b"", value=b"", headers=[]) is None
