"""The payment circle: which households have an open outlet within a walk, as the crow flies.

Places become points of the unit sphere, where the chord between two grows with the distance on the ground; so a k-d tree finds
the nearest outlet, without a map's projection. It is SciPy's (docs/decisions/0092).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.errors import ConfigurationError, NotFound
from ledger.outlets import Outlet
from peakledger.households import Households

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Nearest = Callable[[Floats], tuple[Floats, NDArray[np.intp]]]

EARTH_RADIUS_M = 6_371_008.8  # the mean radius
WALK_METRES_A_MINUTE = 80.0


@dataclass(frozen=True, slots=True)
class CountyCoverage:
    """How many of the households whose nearest outlet lies in ``county``, None for all together, have it within the walk."""

    county: str | None
    households: int
    covered: int

    @property
    def share(self) -> float:
        return self.covered / self.households if self.households else 0.0


@dataclass(frozen=True, slots=True)
class PaymentCircle:
    """What was found, by household in their order: the nearest outlet's place in ``outlets``, and its distance in metres."""

    outlets: Sequence[Outlet]
    households: Households
    metres: float
    nearest: "NDArray[np.intp]"
    distance_m: "Floats"

    @property
    def is_covered(self) -> "NDArray[np.bool_]":
        return self.distance_m <= self.metres

    def coverage(self) -> list[CountyCoverage]:
        """Return the coverage of each county, in order, and of all."""
        import numpy as np

        names, county_of_outlet = np.unique([outlet.county for outlet in self.outlets], return_inverse=True)
        county = county_of_outlet[self.nearest]
        households = np.bincount(county, minlength=len(names))
        covered = np.bincount(county[self.is_covered], minlength=len(names))
        counties = [CountyCoverage(str(name), int(h), int(c)) for name, h, c in zip(names, households, covered, strict=True)]
        return [*counties, CountyCoverage(None, int(households.sum()), int(covered.sum()))]

    def households_nearest(self) -> "NDArray[np.intp]":
        """Return for each outlet how many covered households have it as their nearest."""
        import numpy as np

        return np.bincount(self.nearest[self.is_covered], minlength=len(self.outlets))


def payment_circle(outlets: Sequence[Outlet], households: Households, metres: float) -> PaymentCircle:
    """Find the nearest of ``outlets`` for each household; covered is who has it within ``metres``.

    Raises NotFound where there is no outlet, and ConfigurationError where SciPy is not installed.
    """
    if not outlets:
        raise NotFound("No outlet is open", hint="Load a registry that has open ones, or ask for another day or kind")
    try:
        import numpy as np
        from scipy.spatial import cKDTree
    except ModuleNotFoundError as error:
        raise ConfigurationError("The payment circle needs SciPy", hint="Run: pip install 'peakledger[circle]'") from error
    tree = cKDTree(_on_sphere([outlet.longitude for outlet in outlets], [outlet.latitude for outlet in outlets]))
    chord, nearest = tree.query(_on_sphere(households.longitudes, households.latitudes), workers=-1)
    distance_m = 2 * EARTH_RADIUS_M * np.arcsin(np.minimum(chord / 2, 1))
    return PaymentCircle(outlets, households, metres, nearest, distance_m)


def _on_sphere(longitudes: "ArrayLike", latitudes: "ArrayLike") -> "Floats":
    """Return degrees as points of the unit sphere: an array of (n, 3)."""
    import numpy as np

    longitude, latitude = np.radians(longitudes), np.radians(latitudes)
    around = np.cos(latitude)
    points: Floats = np.column_stack([around * np.cos(longitude), around * np.sin(longitude), np.sin(latitude)])
    return points
