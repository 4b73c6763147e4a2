"""What the names and units of measurements say: subject, statistic, and the rate at which something was measured.

``publish_to_durable_p99_ms_at_10000`` with unit ms is the subject "publish to durable", its p99, at 10,000 events a second.
"""

import math
import re
from typing import NamedTuple

from bench.results import Measurement, Results

FULL_RATE = math.inf
EVENTS_A_SECOND = "events a second"
AT = re.compile(r"(?P<rest>.+)_at_(?:(?P<number>\d+)(?P<multiple>[km]?)(?:_(?P<what>[a-z]+))?|catchup|full_rate)")
STATISTIC = re.compile(r"(?:(?P<rest>.*)_)?(?P<statistic>p\d+|max|min)")
SIZE = re.compile(r".*bytes_per_(entry|account|open_key)")
MULTIPLES = {"": 1, "k": 1_000, "m": 1_000_000, None: 1}
UNIT_WORDS = {"ns": "nanoseconds", "us": "microseconds", "ms": "milliseconds", "s": "seconds", "bytes": "bytes"}
TIMES = ("ns", "us", "ms", "s")
SUBJECT_WORDS = {
    "engine": "Peakledger",
    "limit": "C limit",
    "confluent": "confluent-kafka, reading",
    "aiokafka": "aiokafka, reading",
    "lmdb": "LMDB",
    "postgresql": "PostgreSQL",
}


class Name(NamedTuple):
    """A measurement's name in parts. ``at`` is None, a number of ``at_what`` a second or alone, or ``FULL_RATE``."""

    subject: str
    statistic: str
    at: float | None
    at_what: str

    @property
    def label(self) -> str:
        """Subject and statistic in words."""
        return ", ".join(filter(None, (words_of(self.subject), self.statistic)))


def split_name(measurement: Measurement) -> Name:
    """Take a name apart; what is not understood stays in the subject."""
    rest, at, at_what = measurement.name, None, EVENTS_A_SECOND
    if found := AT.fullmatch(rest):
        rest = found["rest"]
        at = float(found["number"]) * MULTIPLES[found["multiple"]] if found["number"] else FULL_RATE
        at_what = found["what"] or at_what
    unit = measurement.unit.replace("/", "_per_")
    rest = "" if rest == unit else rest.removesuffix(f"_{unit}").removesuffix("_per_s")
    if found := STATISTIC.fullmatch(rest):
        return Name(found["rest"] or "", found["statistic"], at, at_what)
    return Name(rest, "", at, at_what)


def words_of(subject: str) -> str:
    """Return a subject in words: known programs by their names, the rest with spaces."""
    first, _, rest = subject.partition("_")
    return " ".join(filter(None, (SUBJECT_WORDS.get(first, first), rest.replace("_", " "))))


def unit_words(unit: str) -> str:
    """Return a unit spelled out: "events a second" for events/s."""
    return unit.replace("/s", " a second") if unit.endswith("/s") else UNIT_WORDS.get(unit, unit)


def run_labels(runs: list[Results]) -> list[str]:
    """Return for each run what its parameters have that others' have not: "10M households"; empty where there is one run."""
    names = dict.fromkeys(name for run in runs for name in run.parameters)
    differing = [name for name in names if len({run.parameters.get(name) for run in runs}) > 1]
    return [", ".join(_parameter(name, run.parameters[name]) for name in differing if name in run.parameters) for run in runs]


def _parameter(name: str, value: float | int | str) -> str:
    words = name.replace("_", " ")
    return f"{words} {value}" if isinstance(value, str) else f"{short_number(value)} {words}"


def short_number(value: float) -> str:
    """Return a number for a label: 1M, 2.21M, 97.4, 0.0031."""
    rounded = float(f"{value:.3g}")
    for size, letter in ((1e9, "bn"), (1e6, "M"), (1e3, "k")):
        if size <= abs(rounded) < math.inf:
            return f"{rounded / size:.3g}{letter}"
    return f"{rounded:.3g}"
