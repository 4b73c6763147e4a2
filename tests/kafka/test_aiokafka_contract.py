"""What ``streams.consumer`` and ``streams.transport`` rely on inside aiokafka, each thing by itself.

When one of these fails after an upgrade: read decision 0050, look at what the named method has become, and adapt the class of
ours that takes its place; the tests of ``test_consumer.py`` then tell whether reading is right again. Until then keep the pin.
"""

import inspect

import aiokafka
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.consumer.fetcher import Fetcher, FetchResult, PartitionRecords
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.default_records import DefaultRecordBatch


def names_in(function: object) -> set[str]:
    return set(function.__code__.co_names) | set(function.__code__.co_varnames)


def test_the_release_is_the_one_that_the_seam_was_written_for():
    assert aiokafka.__version__ == "0.14.0"


def test_the_methods_that_run_with_our_classes_name_the_ones_they_replace():
    assert {"MemoryRecords", "PartitionRecords", "FetchResult"} <= names_in(Fetcher._proc_fetch_request)
    assert "Fetcher" in names_in(aiokafka.AIOKafkaConsumer.start)
    assert "AIOKafkaClient" in names_in(aiokafka.AIOKafkaConsumer.__init__)
    assert "create_conn" in names_in(AIOKafkaClient._get_conn)
    for function in (Fetcher._proc_fetch_request, aiokafka.AIOKafkaConsumer.start, AIOKafkaClient._get_conn):
        assert function.__closure__ is None


def test_partition_records_are_made_with_what_we_use():
    assert list(inspect.signature(PartitionRecords.__init__).parameters)[1:5] == [
        "tp",
        "records",
        "aborted_transactions",
        "fetch_offset",
    ]
    used = {"_records", "_aborted_producers", "_isolation_level", "next_fetch_offset", "_unpack_records"}
    assert used <= names_in(PartitionRecords.__init__)
    assert list(inspect.signature(PartitionRecords._consume_aborted_up_to).parameters) == ["self", "batch_offset"]
    assert list(inspect.signature(PartitionRecords._contains_abort_marker).parameters) == ["self", "next_batch"]
    assert hasattr(DefaultRecordBatch, "__next__")


def test_positions_come_from_what_partition_records_say():
    assert "next_fetch_offset" in names_in(FetchResult._update_position) & names_in(FetchResult.check_assignment)
    assert {"has_next", "size_in_bytes"} <= names_in(Fetcher._proc_fetch_request)


def test_a_fetcher_can_be_told_not_to_hold_up_other_partitions():
    assert inspect.signature(Fetcher.__init__).parameters["prefetch_backoff"].default == 0.1


def test_a_fetcher_keeps_the_requests_under_way_where_we_end_them():
    assert "_pending_tasks" in names_in(Fetcher.__init__) & names_in(Fetcher.close)


def test_a_consumer_has_a_client_that_can_be_closed_alone():
    assert "_client" in names_in(aiokafka.AIOKafkaConsumer.__init__)
    assert inspect.iscoroutinefunction(AIOKafkaClient.close)


def test_a_connection_has_the_parts_that_our_transport_works_with():
    assert {"_read_task", "_writer", "_protocol"} <= names_in(AIOKafkaConnection.connect)
    assert {"_requests", "_last_action", "parse_response_header", "RESPONSE_TYPE"} <= names_in(AIOKafkaConnection._handle_frame)
    assert list(inspect.signature(AIOKafkaConnection.close).parameters) == ["self", "reason", "exc"]
    assert FetchRequest.API_KEY == 1
