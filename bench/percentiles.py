"""Percentiles of measured durations, and what became visible when."""

from bisect import bisect_left
from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least ``share`` of the values do not exceed. Raises ValueError where there are none."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[max(0, -(-int(len(ordered) * share * 1_000_000) // 1_000_000) - 1)]


def delays_s(happened: Sequence[tuple[float, int]], seen: Sequence[tuple[float, int]]) -> list[float]:
    """For each (time, position) that happened, how long it took until a position at least as great was seen.

    Both are in order of time, and positions never fall; the last one seen is at least the last that happened.
    """
    positions = [position for _, position in seen]
    return [max(0.0, seen[bisect_left(positions, position)][0] - at) for at, position in happened]
