"""Writes the report of a season as one HTML file that needs nothing else."""

import string
from datetime import date
from html import escape
from importlib import resources
from pathlib import Path

from peakledger.display import format_yuan
from peakledger.season.report import Line, Report
from peakledger.season.settlement import SettlementLine
from peakledger.season.watching import Behind, describe

_WIDTH, _HEIGHT, _FOOT = 900, 220, 22
_FATES = ("applied", "exists", "refused")


def write_page(report: Report, path: Path) -> None:
    """Write the page of a report."""
    template = string.Template((resources.files(__package__) / "page.html").read_text(encoding="utf-8"))
    told = report.told
    page = template.substitute(
        verdict="Every fen adds up." if report.is_sound else "This does not add up.",
        verdict_class="right" if report.is_sound else "wrong",
        about=f"{told.published:,} events published: scale {told.scale}, {told.days} days, seed {told.seed}.",
        checks="".join(_row(name, "yes" if holds else "NO") for name, holds in report.checks.items()),
        counts=f"{report.applied:,} applied + {report.exists:,} exists + {report.refused:,} refused",
        days=_picture(report),
        settlement="".join(map(_settlement, report.settlement or [])),
        behind=_behind(told.behind),
        amounts=_amounts([line for line in report.lines if line.amount_fen]),
        lines="".join(map(_line, report.lines)),
        kinds="".join(_row(kind, *map(format_yuan, sums)) for kind, sums in report.kinds.items()),
    )
    path.write_text(page, encoding="utf-8")


def _row(head: str, *cells: object, class_: str = "") -> str:
    mark = f' class="{class_}"' if class_ else ""
    return f"<tr{mark}><th scope=row>{escape(head)}</th>{''.join(f'<td>{escape(str(cell))}</td>' for cell in cells)}</tr>"


def _line(line: Line) -> str:
    cells = (line.outcome, f"{line.told_events:,}", f"{line.events:,}", format_yuan(line.told_fen), format_yuan(line.amount_fen))
    return _row(line.channel, *cells, class_="" if line.agrees else "wrong")


def _amounts(lines: list[Line]) -> str:
    """Draw a bar for what each channel collected; bills are not collected."""
    paid = sorted((line for line in lines if line.channel != "billing"), key=lambda line: -line.amount_fen)
    most = max((line.amount_fen for line in paid), default=1)
    return "".join(
        f"<tr><th scope=row>{escape(line.channel)}</th><td>{format_yuan(line.amount_fen)}</td>"
        f'<td class=bar><span style="width:{100 * line.amount_fen / most:.1f}%"></span></td></tr>'
        for line in paid
    )


def _picture(report: Report) -> str:
    """Draw what became of the events of each day, one upon the other."""
    days = sorted({day for day, _ in report.by_day})
    totals = {day: sum(report.by_day[day, fate] for fate in _FATES) for day in days}
    most, step = max(totals.values(), default=1), _WIDTH / max(len(days), 1)
    bars = "".join(_bar(report, day, number * step, step, most) for number, day in enumerate(days))
    busiest = max(totals, key=lambda day: totals[day], default=None)
    words = f"Events by day; the most on {busiest}: {most:,}" if busiest else "No events"
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT + _FOOT}" role="img" aria-label="{words}">{bars}</svg><p class=small>{words}.</p>'
    )


def _settlement(line: SettlementLine) -> str:
    found = line.difference
    amounts = ("" if amount_fen is None else format_yuan(amount_fen) for amount_fen in (found.there_fen, found.here_fen))
    cells = (found.business_date, found.serial, found.verdict, *amounts, line.why)
    return _row(found.channel, *cells, class_="" if line.agrees else "wrong")


def _behind(behind: Behind | None) -> str:
    """Draw how far engines were behind what was published, where somebody looked."""
    if behind is None:
        return "<p class=small>Nobody looked: peakledger season --watch does.</p>"
    most = max(behind.staleness_max_s, behind.lag_max_s) or 1.0
    length = behind.samples[-1].at_s if behind.samples else 0.0
    lines = ""
    for name in ("staleness_s", "lag_s"):
        points = (
            f"{_WIDTH * each.at_s / (length or 1.0):.1f},{_HEIGHT - _HEIGHT * getattr(each, name) / most:.1f}"
            for each in behind.samples
        )
        lines += f'<polyline class="{name}" points="{" ".join(points)}"><title>{name}</title></polyline>'
    picture = f'<svg viewBox="0 -4 {_WIDTH} {_HEIGHT + 8}" role="img" aria-label="Seconds behind">{lines}</svg>'
    about = f"{escape(describe(behind))}. The picture spans {length:.1f} s of the clock; red is until readable."
    return f"{picture}<p class=small>{about}</p>"


def _bar(report: Report, day: date, left: float, step: float, most: int) -> str:
    parts, top = [], float(_HEIGHT)
    for fate in _FATES:
        height = _HEIGHT * report.by_day[day, fate] / most
        top -= height
        place = f'x="{left:.1f}" y="{top:.1f}" width="{step * 0.85:.1f}" height="{height:.1f}"'
        parts.append(f'<rect class="{fate}" {place}><title>{day}: {report.by_day[day, fate]:,} {fate}</title></rect>')
    label = f'<text x="{left + step * 0.42:.1f}" y="{_HEIGHT + 16}">{day.day}</text>' if step > 18 or day.day % 5 == 0 else ""
    return "".join(parts) + label
