"""Finding record batches in a response, without a broker."""

import pytest
from aiokafka import AIOKafkaConsumer
from hypothesis import given
from hypothesis import strategies as st

from streams.consumer import BATCH_HEADER, BatchPlace, RecordSet, with_names

WORD = "good day"


def greeting(name: str, *, end: str = "!") -> str:
    return f"{WORD} {name}{end}"


def batch(base_offset: int, records: int, body_bytes: int = 60) -> bytes:
    header = BATCH_HEADER.pack(base_offset, BATCH_HEADER.size - 12 + body_bytes, 2, 0, records - 1, -1)
    return header + bytes(body_bytes)


@given(st.binary(max_size=400))
def test_any_bytes_are_covered_from_the_start_without_overlap(data):
    places = list(RecordSet(data).batches())
    assert [place.start for place in places] == [0, *(place.end for place in places)][: len(places)]
    assert all(place.start < place.end <= len(data) for place in places)


def test_a_batch_cut_off_at_the_end_is_left_to_the_next_response():
    whole = batch(5, 3) + batch(8, 1)
    for missing in range(1, len(batch(8, 1))):
        (place,) = RecordSet(whole[:-missing]).batches()
        assert (place.base_offset, place.next_offset, place.end) == (5, 8, len(batch(5, 3)))


def test_what_cannot_be_a_batch_is_handed_on_with_all_that_follows():
    good, odd = batch(5, 3), bytearray(batch(8, 1))
    odd[16] = 1
    data = good + bytes(odd) + batch(9, 1)
    assert list(RecordSet(data).batches()) == [
        BatchPlace(0, len(good), 0, 5, 8, -1),
        BatchPlace(len(good), len(data), 0, 8, 9, -1),
    ]


def test_a_method_of_aiokafka_that_no_longer_names_what_we_replace_is_told_at_import():
    with pytest.raises(ImportError, match=r"aiokafka has changed: AIOKafkaConsumer.start no longer uses Prefetcher"):
        with_names(AIOKafkaConsumer.start, Fetcher=object, Prefetcher=object)


def test_a_function_with_other_names_leaves_the_original_as_it_was():
    assert with_names(greeting, WORD="hello")("you") == "hello you!"
    assert with_names(greeting, WORD="hello")("you", end=".") == "hello you."
    assert greeting("you") == "good day you!"
