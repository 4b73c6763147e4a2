"""What is drawn in a season follows from the seed, the purpose of the draw and a number alone: no order of draws matters.

So the plain generator and the core of the fast one draw the same.
"""

from bisect import bisect
from collections.abc import Mapping
from enum import IntEnum
from itertools import accumulate
from typing import TypeVar

Key = TypeVar("Key")

TABLE_PLACES = 4096
_MASK = 2**64 - 1
_LOW = 2**32 - 1


class Purpose(IntEnum):
    """What is drawn. The numbers are those of ``_season_plan.pxi``, which does not draw for the settlement."""

    hot_days = 0
    bill = 1
    channel = 2
    pay_day = 3
    paid = 4
    issue_time = 5
    time = 6
    late = 7
    retry = 8
    twice = 9
    twice_time = 10
    reversal = 11
    early = 12
    wrong = 13
    wrong_time = 14
    top_up = 15
    silent = 16
    answer = 17
    settlement = 18


class Draws:
    """Draws of 64 bits. The upper half says whether something happens, or which of some numbers it is; so may the lower half.

    ``seeds`` are those of the purposes, in their order.
    """

    def __init__(self, seed: int) -> None:
        self.seeds = [_mixed(_mixed(seed & _MASK) + purpose) for purpose in Purpose]

    def draw(self, purpose: Purpose, number: int) -> int:
        """Return 64 bits (splitmix64)."""
        return _mixed(self.seeds[purpose] + number * 0x9E3779B97F4A7C15)


def bound(share: float) -> int:
    """Return below which the upper half of a draw is, in that share of all draws."""
    return round(share * 2**32)


def happens(draw: int, share: float) -> bool:
    return draw >> 32 < bound(share)


def upper(draw: int, count: int) -> int:
    """Return a number below ``count`` by the upper half of a draw."""
    return (draw >> 32) * count >> 32


def lower(draw: int, count: int) -> int:
    """Return a number below ``count`` by the lower half of a draw."""
    return (draw & _LOW) * count >> 32


def table_of(weights: Mapping[Key, float]) -> tuple[Key, ...]:
    """Return each key in as many of a table's places as its weight says; ``draw % TABLE_PLACES`` draws one of them."""
    keys, reached = list(weights), list(accumulate(weights.values()))
    return tuple(keys[bisect(reached, (place + 0.5) / TABLE_PLACES * reached[-1])] for place in range(TABLE_PLACES))


def _mixed(bits: int) -> int:
    bits &= _MASK
    bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    bits = (bits ^ bits >> 27) * 0x94D049BB133111EB & _MASK
    return bits ^ bits >> 31
