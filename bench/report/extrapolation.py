"""From what was measured while the ledger grew to what follows at a billion events, and how sure that is.

The time an event takes is fitted as ``a + b * log10(events so far)`` by least squares. Applying an event takes no step that is
repeated more often in a larger ledger, but each misses caches and page tables a little more often, about as much more with each
tenfold growth. A line over the events themselves would claim repeated work, and ten points of one decade cannot hold it for two
more.
"""

import math
import statistics
from dataclasses import dataclass

BILLION = 1e9


@dataclass(frozen=True, slots=True)
class Extrapolation:
    """The fit ``cost = intercept + slope * log10(events)``; a cost is seconds an event for rates, the value itself otherwise.

    ``deviation`` is what costs deviate from the fit by, ``middle`` and ``spread`` mean and sum of squares of the measured logs.
    """

    intercept: float
    slope: float
    deviation: float
    points: int
    middle: float
    spread: float
    is_rate: bool

    def at(self, events: float, errors: float = 0.0) -> float:
        """Return the value to expect after so many events, with a cost so many standard errors higher."""
        x = math.log10(events)
        error = self.deviation * math.sqrt(1 / self.points + (x - self.middle) ** 2 / self.spread)
        cost = self.intercept + self.slope * x + errors * error
        if not self.is_rate:
            return cost
        return 1 / cost if cost > 0 else math.inf

    @property
    def slope_is_noise(self) -> bool:
        """Whether no change at all lies within two standard errors of the slope."""
        return abs(self.slope) <= 2 * self.deviation / math.sqrt(self.spread)


def extrapolate(events: list[float], values: list[float], *, is_rate: bool) -> Extrapolation:
    """Fit ``values`` measured after so many ``events``: at least three, rates a second if ``is_rate``, else times."""
    x = [math.log10(count) for count in events]
    costs = [1 / value for value in values] if is_rate else values
    slope, intercept = statistics.linear_regression(x, costs)
    squares = sum((cost - intercept - slope * at) ** 2 for at, cost in zip(x, costs, strict=True))
    middle = statistics.fmean(x)
    spread = sum((at - middle) ** 2 for at in x)
    return Extrapolation(intercept, slope, math.sqrt(squares / (len(x) - 2)), len(x), middle, spread, is_rate)
