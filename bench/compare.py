"""Compares two result files, measurement by measurement."""

import msgspec

from bench.results import Measurement, Results
from ledger.errors import ConfigurationError

_PASSING = {"load_before"}  # differs between any two runs


class Comparison(msgspec.Struct, frozen=True):
    """One measurement in two runs. ``ratio`` is after over before, of the medians.

    ``beyond_noise``: no repetition of one lies within the range of the other's. With a single repetition in each nothing can be
    said, and it is false.
    """

    name: str
    unit: str
    before: float
    after: float
    ratio: float
    beyond_noise: bool


def compare(before: Results, after: Results) -> list[Comparison]:
    """Return what both have, in the order of ``after``. Raises ConfigurationError where they are of different suites."""
    if before.suite != after.suite:
        raise ConfigurationError(
            "These are results of different suites", hint="Compare two runs of one", before=before.suite, after=after.suite
        )
    earlier = {measurement.name: measurement for measurement in before.measurements}
    return [_compare(earlier[later.name], later) for later in after.measurements if later.name in earlier]


def conditions_that_differ(before: Results, after: Results) -> dict[str, tuple[object, object]]:
    """Return what else than the code differs between two runs, and what it was in each: sizes, machine, versions."""
    earlier, later = (
        {**run.parameters, **{key: value for key, value in run.machine.items() if key not in _PASSING}, **run.versions}
        for run in (before, after)
    )
    keys = [*earlier, *(key for key in later if key not in earlier)]
    return {key: (earlier.get(key), later.get(key)) for key in keys if earlier.get(key) != later.get(key)}


def _compare(before: Measurement, after: Measurement) -> Comparison:
    apart = max(before.values) < min(after.values) or max(after.values) < min(before.values)
    repeated = len(before.values) > 1 and len(after.values) > 1
    ratio = after.median / before.median if before.median else float("nan")
    return Comparison(after.name, after.unit, before.median, after.median, ratio, apart and repeated)
