"""Draws panels with matplotlib, which only the optional extra ``bench`` brings."""

import io
import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import cycle
from operator import itemgetter
from typing import TYPE_CHECKING

from bench.report.extrapolation import BILLION
from bench.report.names import short_number
from bench.report.panels import DotPanel, Facet, GrowthPanel, LinePanel, Panel, TimePanel
from ledger.errors import ConfigurationError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

WIDTH_INCHES = 9.0
DOTS_PER_INCH = 130
LOG_FROM_RATIO = 30  # values further apart than this are drawn on a logarithmic axis
FACETS_A_ROW = 3


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of a picture. Series colours are of Okabe and Ito's palette, told apart with any colour vision."""

    paper: str
    ink: str
    faint: str
    ours: str
    beside: str
    statistics: tuple[str, ...]


LIGHT = Theme("#ffffff", "#1d2433", "#d4d9e2", "#0072b2", "#d55e00", ("#0072b2", "#d55e00", "#009e73", "#cc79a7"))
DARK = Theme("#171b24", "#e6e9f0", "#3a4253", "#56b4e9", "#e69f00", ("#56b4e9", "#e69f00", "#009e73", "#cc79a7"))
MARKERS = ("o", "s", "^", "D")  # colour is never the only difference


def draw(panel: Panel, theme: Theme, heading: str, footer: str) -> bytes:
    """Return the panel as a PNG file, heading above and footer below. Raises ConfigurationError without matplotlib."""
    figure = _new_figure(theme)
    figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.1)
    figure.suptitle(heading, x=0.012, ha="left", fontsize=12, fontweight="bold", color=theme.ink)
    figure.supxlabel(footer, x=0.012, ha="left", fontsize=7.5, color=theme.ink, alpha=0.75)
    _draw_onto(panel, figure, theme)
    written = io.BytesIO()
    figure.savefig(written, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return written.getvalue()


def _draw_onto(panel: Panel, figure: "Figure", theme: Theme) -> None:
    match panel:
        case DotPanel():
            _draw_dots(panel, figure, theme)
        case LinePanel():
            _draw_lines(panel, figure, theme)
        case TimePanel():
            _draw_courses(panel, figure, theme)
        case GrowthPanel():
            _draw_growth(panel, figure, theme)


def _new_figure(theme: Theme) -> "Figure":
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigurationError(
            "the report is drawn with matplotlib, which is not installed",
            hint="Install the extra: pip install 'peakledger[bench]'",
        ) from error
    return Figure(figsize=(WIDTH_INCHES, 1), facecolor=theme.paper)


def _draw_dots(panel: DotPanel, figure: "Figure", theme: Theme) -> None:
    figure.set_figheight(1.6 + 0.36 * len(panel.rows))
    axes = figure.add_subplot()
    _style(axes, theme)
    for place, row in enumerate(panel.rows):
        colour = theme.beside if row.is_beside else theme.ours
        axes.plot(row.values, [place] * len(row.values), "o", color=colour, alpha=0.55, markersize=7, markeredgewidth=0)
        axes.plot([statistics.median(row.values)], [place], "|", color=theme.ink, markersize=18, markeredgewidth=2)
        text = f"{short_number(statistics.median(row.values))}   {row.ratio}"
        axes.text(1.01, place, text, transform=axes.get_yaxis_transform(), va="center", color=theme.ink, fontsize=9)
    axes.set_yticks(range(len(panel.rows)), [row.label for row in panel.rows])
    axes.set_ylim(len(panel.rows) - 0.4, -0.6)
    axes.grid(axis="x", color=theme.faint, linewidth=0.8)
    values = [value for row in panel.rows for value in row.values]
    if min(values) > 0 and max(values) / min(values) > LOG_FROM_RATIO:
        _make_logarithmic(axes, "x", values)
    else:
        axes.set_xlim(0, 1.08 * max(values) or 1)
        axes.xaxis.set_major_formatter(_short)
    axes.set_xlabel(panel.axis)


def _draw_lines(panel: LinePanel, figure: "Figure", theme: Theme) -> None:
    rows = math.ceil(len(panel.facets) / FACETS_A_ROW)
    columns = math.ceil(len(panel.facets) / rows)
    figure.set_figheight(0.8 + 3.1 * rows)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    points = [point for facet in panel.facets for line in facet.lines for point in line.points]
    rates, times = [point[0] for point in points], [value for point in points for value in point[1:]]
    for axes in grid.flat[len(panel.facets) :]:
        axes.set_visible(False)
    for axes, facet in zip(grid.flat, panel.facets, strict=False):
        _draw_facet(axes, facet, theme)
        axes.tick_params(labelbottom=True)
        axes.set_xlabel(panel.along)
        _make_logarithmic(axes, "x", rates, room=1.6 * (max(rates) / min(rates)) ** 0.3)
        _make_logarithmic(axes, "y", times, room=2.5)
        _label_ends(axes, facet, theme)
    for axes in grid[:, 0]:
        axes.set_ylabel(panel.axis)


def _draw_facet(axes: "Axes", facet: Facet, theme: Theme) -> None:
    _style(axes, theme)
    axes.set_title(facet.title, fontsize=10, color=theme.ink)
    for line, colour, marker in zip(facet.lines, theme.statistics, MARKERS, strict=False):
        rates = [point[0] for point in line.points]
        medians = [point[1] for point in line.points]
        axes.plot(rates, medians, color=colour, marker=marker, linewidth=1.8, markersize=6)
        axes.vlines(rates, [point[2] for point in line.points], [point[3] for point in line.points], color=colour, alpha=0.5)
    if facet.full_rate is not None:
        axes.axvline(facet.full_rate, color=theme.ink, linewidth=0.8, linestyle=":")
        axes.text(
            facet.full_rate, 0.02, "full rate ", transform=axes.get_xaxis_transform(), ha="right", color=theme.ink, fontsize=8
        )
    axes.grid(color=theme.faint, linewidth=0.8)


def _label_ends(axes: "Axes", facet: Facet, theme: Theme) -> None:
    """Write each line's label at its end, or as near to it as the labels of other lines leave room."""
    coloured = zip(facet.lines, theme.statistics, strict=False)
    ends = sorted(((line.points[-1][1], line.label, line.points[-1][0], colour) for line, colour in coloured), key=itemgetter(0))
    lowest, highest = axes.get_ylim()
    heights = spread_out([end[0] for end in ends], (highest / lowest) ** 0.055, lowest, highest)
    for height, (_, label, rate, colour) in zip(heights, ends, strict=True):
        axes.annotate(label, (rate, height), xytext=(7, 0), textcoords="offset points", va="center", color=colour)


def spread_out(values: list[float], ratio: float, lowest: float, highest: float) -> list[float]:
    """Return ascending values moved apart until each is ``ratio`` times the one before, and all are between the bounds."""
    heights, least = [], lowest * ratio
    for value in values:
        heights.append(max(value, least))
        least = heights[-1] * ratio
    most = highest / ratio
    for place in reversed(range(len(heights))):
        heights[place] = min(heights[place], most)
        most = heights[place] / ratio
    return heights


def _draw_courses(panel: TimePanel, figure: "Figure", theme: Theme) -> None:
    figure.set_figheight(3.8)
    axes = figure.add_subplot()
    _style(axes, theme)
    for (label, values), colour, style in zip(
        panel.courses, cycle(theme.statistics), cycle(("-", "--", "-.", ":")), strict=False
    ):
        times = [panel.interval_s * (place + 1) for place in range(len(values))]
        axes.plot(times, values, style, color=colour, linewidth=1.8, label=label)
    axes.set_ylim(0)
    axes.grid(color=theme.faint, linewidth=0.8)
    axes.yaxis.set_major_formatter(_short)
    axes.set_xlabel("seconds since the beginning")
    axes.set_ylabel(panel.axis)
    _legend_above(axes, theme)


def _draw_growth(panel: GrowthPanel, figure: "Figure", theme: Theme) -> None:
    figure.set_figheight(4.2)
    axes = figure.add_subplot()
    _style(axes, theme)
    fit = panel.extrapolation
    ends = math.log10(panel.events[0]), math.log10(BILLION)
    reach = [10 ** (ends[0] + (ends[1] - ends[0]) * step / 100) for step in range(101)]
    axes.fill_between(
        reach,
        [fit.at(count, 2) for count in reach],
        [fit.at(count, -2) for count in reach],
        color=theme.ours,
        alpha=0.15,
        linewidth=0,
    )
    axes.plot(reach, [fit.at(count) for count in reach], "--", color=theme.ours, linewidth=1.5, label="fit, two standard errors")
    axes.plot(panel.events, panel.values, "o", color=theme.beside, markersize=7, label="measured")
    axes.plot([BILLION], [fit.at(BILLION)], "D", color=theme.ours, markersize=8, label="extrapolated to a billion")
    _make_logarithmic(axes, "x", reach)
    axes.set_ylim(0, 1.15 * max(*panel.values, min(fit.at(BILLION, -2), 2 * max(panel.values))))
    axes.grid(color=theme.faint, linewidth=0.8)
    axes.yaxis.set_major_formatter(_short)
    axes.set_xlabel("events applied so far")
    axes.set_ylabel(panel.axis)
    _legend_above(axes, theme)


def _legend_above(axes: "Axes", theme: Theme) -> None:
    axes.legend(
        frameon=False, labelcolor=theme.ink, fontsize=9, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0, ncols=3
    )


def _style(axes: "Axes", theme: Theme) -> None:
    axes.set_facecolor(theme.paper)
    axes.tick_params(colors=theme.ink, labelsize=9, length=0, pad=6, which="both")
    axes.xaxis.label.set_color(theme.ink)
    axes.yaxis.label.set_color(theme.ink)
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_visible(False)


def _make_logarithmic(axes: "Axes", which: str, values: Iterable[float], room: float = 1.5) -> None:
    """Make an axis, x or y, logarithmic, with ``room`` times its values above them, labelled at powers of ten.

    Where it has but one or two of these, it is labelled at 2 and 5 times them as well. What is not positive is not shown.
    """
    from matplotlib.ticker import LogLocator, NullFormatter

    positive = [value for value in values if value > 0] or [1.0]
    axes.set(**{f"{which}scale": "log", f"{which}lim": (min(positive) / 1.5, max(positive) * room)})
    narrow = max(positive) / min(positive) < 50
    axis: Axis = getattr(axes, f"{which}axis")
    axis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0) if narrow else (1.0,), numticks=15))
    axis.set_major_formatter(_short)
    axis.set_minor_formatter(NullFormatter())


def _short(value: float, _: object) -> str:
    return "" if value < 0 else short_number(value)
