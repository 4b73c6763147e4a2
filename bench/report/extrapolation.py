"""From what was measured while the ledger grew to what follows at a billion events, and how sure that is.

The time an event takes is fitted as ``a + b * log10(events so far)`` by least squares. Applying an event takes no step that is
repeated more often in a larger ledger, but each misses caches and page tables a little more often, about as much more with each
tenfold growth. A line over the events themselves would claim repeated work, and ten points of one decade cannot hold it for two
more. Where the slope is not beyond noise, none is extrapolated, and nothing becomes cheaper than the cheapest measured.
"""

import math
import statistics
from dataclasses import dataclass

BILLION = 1e9


@dataclass(frozen=True, slots=True)
class Extrapolation:
    """The fit ``cost = mean + slope * (log10(events) - middle)``; a cost is seconds an event for rates, else the value itself.

    ``middle`` and ``spread`` are mean and sum of squares of the measured logarithms, ``deviation`` is that of costs from the fit,
    ``least`` the least cost measured.
    """

    mean: float
    slope: float
    deviation: float
    least: float
    points: int
    middle: float
    spread: float
    is_rate: bool

    def at(self, events: float, errors: float = 0.0) -> float:
        """Return the value to expect after so many events, with a cost so many standard errors higher."""
        x = math.log10(events) - self.middle
        error = self.deviation * math.sqrt(1 / self.points + x**2 / self.spread)
        slope = 0.0 if self.slope_is_noise else self.slope
        cost = max(self.least, self.mean + slope * x + errors * error)
        return 1 / cost if self.is_rate else cost

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
    middle, mean = statistics.fmean(x), statistics.fmean(costs)
    spread = sum((at - middle) ** 2 for at in x)
    return Extrapolation(mean, slope, math.sqrt(squares / (len(x) - 2)), min(costs), len(x), middle, spread, is_rate)
