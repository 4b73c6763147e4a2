"""The core's decoders read no byte behind a value: behind it lies memory that may not be read."""

import ctypes
import mmap

import pytest

from ledger.schema import EXAMPLES
from tests.decoders import DECODER
from tests.event_samples import ENCODERS

PROT_NONE = 0
LIBC = ctypes.CDLL(None, use_errno=True)


@pytest.fixture(scope="module")
def readable_page():
    """A page that can be read and written, before one that cannot."""
    pages = mmap.mmap(-1, 2 * mmap.PAGESIZE)
    guard = ctypes.c_char.from_buffer(pages, mmap.PAGESIZE)
    address = ctypes.c_void_p(ctypes.addressof(guard))
    assert LIBC.mprotect(address, ctypes.c_size_t(mmap.PAGESIZE), PROT_NONE) == 0
    yield memoryview(pages)[: mmap.PAGESIZE]
    LIBC.mprotect(address, ctypes.c_size_t(mmap.PAGESIZE), mmap.PROT_READ | mmap.PROT_WRITE)


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: type(event).__name__)
@pytest.mark.parametrize("encode", ENCODERS)
def test_a_value_cut_anywhere_is_read_to_its_end_at_most(readable_page, encode, event):
    value = encode(event)
    for length in range(1, len(value) + 1):
        part = readable_page[len(readable_page) - length :]
        part[:] = value[:length]
        assert DECODER.decode_fast(part) == DECODER.decode_fast(value[:length])
        part[:] = value[-length:]
        assert DECODER.decode_fast(part) == DECODER.decode_fast(value[-length:])
