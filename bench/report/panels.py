"""What of a suite is drawn, and how: decided by names and units, before anything is drawn."""

import statistics
from dataclasses import dataclass

from bench.report.extrapolation import Extrapolation, extrapolate
from bench.report.names import EVENTS_A_SECOND, FULL_RATE, SIZE, TIMES, Name, run_labels, short_number, split_name, unit_words
from bench.report.reading import Section
from bench.results import Measurement, Results

INTERVAL = "interval_s"  # about a measurement: its values were taken one after the other, so far apart
OURS = ("engine", "mixed")  # what others ran in turn with


@dataclass(frozen=True, slots=True)
class Row:
    """All repetitions of one measurement; ``ratio`` tells what ours is of this one, where it ran in turn with ours."""

    label: str
    values: list[float]
    ratio: str = ""

    @property
    def is_beside(self) -> bool:
        """Whether this is what ours is compared with."""
        return bool(self.ratio) or "bare" in self.label.replace(",", "").split()


@dataclass(frozen=True, slots=True)
class DotPanel:
    """Repetitions as dots, a row for each measurement."""

    title: str
    axis: str
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Line:
    """One statistic by rate; a point is (rate, median, smallest, greatest)."""

    label: str
    points: list[tuple[float, float, float, float]]


@dataclass(frozen=True, slots=True)
class Facet:
    """One subject of one run, with its statistics. ``full_rate`` is the rate that was reached without a limit."""

    title: str
    lines: list[Line]
    full_rate: float | None


@dataclass(frozen=True, slots=True)
class LinePanel:
    """Times by rate: a facet for each subject and run, on common axes."""

    title: str
    axis: str
    along: str
    facets: list[Facet]


@dataclass(frozen=True, slots=True)
class TimePanel:
    """Measurements that a suite took every ``interval_s`` seconds: (label, values) of each."""

    title: str
    axis: str
    interval_s: float
    courses: list[tuple[str, list[float]]]


@dataclass(frozen=True, slots=True)
class GrowthPanel:
    """A measurement taken in turn while the ledger grew, and what follows from it for a billion events."""

    title: str
    axis: str
    events: list[float]
    values: list[float]
    extrapolation: Extrapolation


Panel = DotPanel | LinePanel | TimePanel | GrowthPanel


def panels_of(section: Section) -> list[Panel]:
    """Return the panels of a suite: growth, rates, times by rate, other times. Sizes have a panel of their own, of all suites."""
    labels = run_labels(section.runs)
    found: list[Panel] = [
        _growth(measurement, run, label)
        for run, label in zip(section.runs, labels, strict=True)
        for measurement in run.measurements
        if _grows(measurement, run)
    ]
    found += _rates(section, labels)
    for unit in TIMES:
        found += _over_time(section, labels, unit)
        found += _times_by_rate(section, labels, unit)
        found += _times(section, labels, unit)
    return found


def sizes_panel(sections: list[Section]) -> DotPanel | None:
    """Return bytes an entry, an account, an open key, of all suites; None where there are none."""
    rows = [
        Row(_labelled(f"{section.suite}: {split_name(measurement).label}", label), measurement.values)
        for section in sections
        for run, label in zip(section.runs, run_labels(section.runs), strict=True)
        for measurement in run.measurements
        if SIZE.fullmatch(measurement.name)
    ]
    return DotPanel("Memory and disk", "bytes", rows) if rows else None


def _grows(measurement: Measurement, run: Results) -> bool:
    return measurement.about.get("along") == "events" and "events" in run.parameters and len(measurement.values) > 2


def _growth(measurement: Measurement, run: Results, label: str) -> GrowthPanel:
    events = float(run.parameters["events"])
    parts = len(measurement.values)
    middles = [events * (part + 0.5) / parts for part in range(parts)]
    is_rate = measurement.unit.endswith("/s")
    title = _labelled(f"{split_name(measurement).label or ('Rate' if is_rate else 'Time')} as the ledger grows", label)
    fit = extrapolate(middles, measurement.values, is_rate=is_rate)
    return GrowthPanel(title, unit_words(measurement.unit), middles, measurement.values, fit)


def _rates(section: Section, labels: list[str]) -> list[Panel]:
    """Return a panel for each kind of thing that is counted; a record is an event."""
    rows: dict[str, list[Row]] = {}
    units: dict[str, dict[str, None]] = {}
    for run, label in zip(section.runs, labels, strict=True):
        rates = [each for each in run.measurements if each.unit.endswith("/s") and not _grows(each, run) and not _asked(each)]
        for measurement in rates:
            name, thing = split_name(measurement), measurement.unit.removesuffix("/s")
            row = Row(_labelled(_at_label(name) or thing, label), measurement.values, _ratio_of_ours(rates, measurement))
            kind = "events" if thing == "records" else thing
            rows.setdefault(kind, []).append(row)
            units.setdefault(kind, {})[thing] = None
    return [DotPanel("Rates", f"{' or '.join(units[kind])} a second", of_kind) for kind, of_kind in rows.items()]


def _asked(rate: Measurement) -> bool:
    """Whether this is the rate that was kept where a rate was asked for: it belongs to the tables alone."""
    name = split_name(rate)
    return name.at is not None and name.at_what == EVENTS_A_SECOND


def _ratio_of_ours(rates: list[Measurement], other: Measurement) -> str:
    """Return the median of the ratios of neighbours in words; nothing where ``other`` did not run in turn with ours."""
    ours = next((each for each in rates if split_name(each).subject in OURS and split_name(each).at is None), None)
    if ours is None or other is ours or len(ours.values) != len(other.values) or split_name(other).subject == "fill":
        return ""
    ratio = statistics.median(mine / theirs for mine, theirs in zip(ours.values, other.values, strict=True))
    return f"{split_name(ours).label} is {ratio:.2f}×"


def _over_time(section: Section, labels: list[str], unit: str) -> list[Panel]:
    courses: list[tuple[str, list[float]]] = []
    interval_s = 0.0
    for run, label in zip(section.runs, labels, strict=True):
        for measurement in run.measurements:
            if measurement.unit == unit and INTERVAL in measurement.about:
                interval_s = float(measurement.about[INTERVAL])
                courses.append((_labelled(_at_label(split_name(measurement)), label), measurement.values))
    return [TimePanel("Course", unit_words(unit), interval_s, courses)] if courses else []


def _times_by_rate(section: Section, labels: list[str], unit: str) -> list[Panel]:
    facets: list[Facet] = []
    along = EVENTS_A_SECOND
    for run, label in zip(section.runs, labels, strict=True):
        lines: dict[str, dict[str, list[tuple[float, float, float, float]]]] = {}
        full_rate = _rate_reached(run)
        for measurement in run.measurements:
            name = split_name(measurement)
            at = full_rate if name.at == FULL_RATE else name.at
            if measurement.unit != unit or at is None or INTERVAL in measurement.about:
                continue
            along = name.at_what
            point = (at, measurement.median, min(measurement.values), max(measurement.values))
            lines.setdefault(name.subject, {}).setdefault(name.statistic, []).append(point)
        for subject, by_statistic in lines.items():
            drawn = [Line(statistic, sorted(points)) for statistic, points in by_statistic.items()]
            title = _labelled(split_name(Measurement(subject, "", [])).label, label)
            facets.append(Facet(title, drawn, full_rate))
    return [LinePanel("Times by rate", unit_words(unit), along, facets)] if facets else []


def _rate_reached(run: Results) -> float | None:
    found = (each for each in run.measurements if each.unit == "events/s" and split_name(each).at == FULL_RATE)
    return next((each.median for each in found), None)


def _times(section: Section, labels: list[str], unit: str) -> list[Panel]:
    rows = [
        Row(_labelled(split_name(measurement).label, label), measurement.values)
        for run, label in zip(section.runs, labels, strict=True)
        for measurement in run.measurements
        if measurement.unit == unit and split_name(measurement).at is None and not _grows(measurement, run)
    ]
    return [DotPanel("Times", unit_words(unit), rows)] if rows else []


def _at_label(name: Name) -> str:
    at = "" if name.at is None else "full rate" if name.at == FULL_RATE else f"{short_number(name.at)} {name.at_what}"
    return ", ".join(filter(None, (name.label, at)))


def _labelled(text: str, label: str) -> str:
    return f"{text} ({label})" if label else text
