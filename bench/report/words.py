"""What the report says in sentences: of a picture, of an extrapolation, of runs that are hard to compare."""

import statistics
from collections.abc import Iterator

from bench.report.extrapolation import BILLION
from bench.report.names import short_number
from bench.report.panels import DotPanel, GrowthPanel, LinePanel, Panel, TimePanel
from bench.report.reading import machine_of
from bench.results import Results

MOST_IN_WORDS = 10


def extrapolated(panel: GrowthPanel, run: Results) -> str:
    """Say what follows for a billion events, from which fit, and what the run held constant."""
    fit = panel.extrapolation
    low, high = sorted((fit.at(BILLION, 2), fit.at(BILLION, -2)))
    parts = f"{len(panel.values)} parts of {short_number(float(run.parameters['events']))} events"
    slope = "no slope beyond noise was found, so none is extrapolated" if fit.slope_is_noise else "the slope is beyond noise"
    constant = ", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in run.parameters.items() if name != "events")
    return (
        f"Extrapolated to a billion events: {short_number(fit.at(BILLION))} {panel.axis} (two standard errors: "
        f"{short_number(low)} to {short_number(high)}), {fit.at(BILLION) / panel.values[0]:.2f} of the first tenth. "
        f"The fit: least squares over {parts}, of a cost that rises by the same amount with each tenfold growth; {slope}. "
        "It says nothing of what sets in only beyond those events, such as a disk that fills up. "
        f"Held constant: {constant}, the mix of events, one partition, the machine. "
        "What grows is the journal, and the key tables of the same business dates."
    )


def in_words(panel: Panel) -> str:
    """Return what a picture shows, for those who cannot see it."""
    match panel:
        case DotPanel():
            return "; ".join(f"{row.label}: {_row_in_words(row.values)}" for row in panel.rows)
        case LinePanel():
            return "; ".join(_facet_in_words(panel))
        case TimePanel():
            return "; ".join(f"{label}: {_row_in_words(values)}" for label, values in panel.courses)
        case GrowthPanel():
            return f"From {short_number(panel.values[0])} in the first part to {short_number(panel.values[-1])} in the last"


def _row_in_words(values: list[float]) -> str:
    if len(values) <= MOST_IN_WORDS:
        return ", ".join(map(short_number, values))
    middle = short_number(statistics.median(values))
    return f"median {middle} of {len(values)}, {short_number(min(values))} to {short_number(max(values))}"


def _facet_in_words(panel: LinePanel) -> Iterator[str]:
    for facet in panel.facets:
        for line in facet.lines:
            points = ", ".join(f"{short_number(point[1])} at {short_number(point[0])}" for point in line.points)
            yield f"{', '.join(filter(None, (facet.title, line.label)))}: {points}"


def warnings(runs: list[Results]) -> Iterator[str]:
    """Yield what makes the runs hard to compare, for the top of the page."""
    for what, found in (
        ("commits", {run.commit for run in runs}),
        ("kernels", {str(run.machine.get("kernel")) for run in runs}),
    ):
        if len(found) > 1:
            yield f"These runs are of several {what}: {', '.join(sorted(found))}. Compare within a run only."
    busy = [run.suite for run in runs if _load_before(run) > 0.5 * float(run.machine.get("cores") or 1)]
    if busy:
        suites = ", ".join(dict.fromkeys(busy))
        yield f"The machine was busy before these runs began, so they are noisier than they need be: {suites}."


def _load_before(run: Results) -> float:
    return float(str(run.machine.get("load_before", "")).split(" ")[0] or 0)


def provenance(runs: list[Results]) -> str:
    commits = ", ".join(dict.fromkeys(run.commit for run in runs))
    kernel = runs[-1].machine.get("kernel", "unknown")
    return f"commit {commits} · {machine_of(runs[-1])} · Linux {kernel} · {runs[-1].started_at[:10]}"
