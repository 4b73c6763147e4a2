"""Waiting for what must come. Only a test that fails waits to the end of its patience: a busy machine is no failure."""

import time
from collections.abc import Callable

PATIENCE_S = 240.0
_LOOK_EVERY_S = 0.01


def wait_until(holds: Callable[[], object], found: Callable[[], object] = lambda: "") -> None:
    """Wait until something holds. Fails with what is ``found`` instead."""
    # Looks are counted, not seconds, so that a machine that stands still for a while uses up no patience.
    for _ in range(int(PATIENCE_S / _LOOK_EVERY_S)):
        if holds():
            return
        time.sleep(_LOOK_EVERY_S)
    raise AssertionError(f"still not so after {PATIENCE_S:g} s: {found()}")
