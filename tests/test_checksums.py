import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger._core import checksum_crc32c, checksum_crc32c_portable

KNOWN_ANSWERS = [
    (b"", 0),
    (b"a", 0xC1D04330),
    (b"123456789", 0xE3069283),
    (b"\0" * 32, 0x8A9136AA),
    (b"\xff" * 32, 0x62A8AB43),
    (bytes(range(32)), 0x46DD794E),
    (bytes(range(31, -1, -1)), 0x113FDB5C),
]


@pytest.mark.parametrize("checksum", [checksum_crc32c, checksum_crc32c_portable])
@pytest.mark.parametrize(("data", "expected"), KNOWN_ANSWERS)
def test_rfc_3720_examples_have_their_sums(checksum, data, expected):
    assert checksum(data) == expected


@pytest.mark.parametrize("length", [767, 768, 769, 1536, 12287, 12288, 12289, 13056, 40000])
def test_lanes_sum_as_the_portable_tables_do_around_their_widths(length):
    data = bytes((i * i * 31 + i >> 3) & 0xFF for i in range(length))
    assert checksum_crc32c(data) == checksum_crc32c_portable(data)


@settings(deadline=None)
@given(st.binary(max_size=3000), st.integers(1, 20), st.integers(0, 7))
def test_any_length_at_any_alignment_sums_as_the_portable_tables_do(data, times, skip):
    view = memoryview(data * times)[skip:]
    assert checksum_crc32c(view) == checksum_crc32c_portable(view)


@settings(deadline=None)
@given(st.binary(max_size=2000), st.integers(0, 2000))
def test_a_sum_goes_on_from_the_sum_of_what_came_before(data, cut):
    assert checksum_crc32c(data[cut:], checksum_crc32c(data[:cut])) == checksum_crc32c(data)
