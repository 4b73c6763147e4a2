"""The core's decoders held against the plain Python of ledger.events."""

from ledger import _core
from ledger.channels import BUILT_IN_CHANNELS
from ledger.events import decode_to_packed
from ledger.outcomes import OutcomeCode

DECODE_SLOW = 0xFFFF
DECODER = _core.EventDecoder(BUILT_IN_CHANNELS)


def core_agrees_with_plain_python(value: bytes | None) -> OutcomeCode:
    """Hold the fast and the slow path of the core against plain Python; return the outcome code."""
    code, packed = decode_to_packed(value, BUILT_IN_CHANNELS)
    assert DECODER.decode_slow(value) == (code, packed)
    fast_code, fast_packed = DECODER.decode_fast(value)
    if fast_code != DECODE_SLOW:
        assert (fast_code, fast_packed) == (code, packed)
    return code
