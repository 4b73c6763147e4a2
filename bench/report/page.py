"""Writes the report: one HTML file that needs nothing else, with each picture for light and for dark screens."""

import base64
import importlib
import pkgutil
import string
from html import escape
from pathlib import Path

from bench import suites
from bench.report.drawing import DARK, LIGHT, draw
from bench.report.names import unit_words
from bench.report.panels import GrowthPanel, Panel, panels_of, sizes_panel
from bench.report.reading import Section, machine_of
from bench.report.words import extrapolated, in_words, provenance, warnings
from bench.results import Measurement, Results

TEMPLATE = Path(__file__).parent / "page.html"
FIGURES = "figures"


class Pictures:
    """Draws panels for the page, and keeps a PNG file of each in ``folder``, if there is one."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        if folder:
            folder.mkdir(parents=True, exist_ok=True)

    def html(self, panel: Panel, suite: str, number: int, runs: list[Results]) -> str:
        """Return the picture with its caption as alternative text."""
        heading, footer = f"{suite}: {panel.title[:1].lower()}{panel.title[1:]}, {panel.axis}", provenance(runs)
        light, dark = (draw(panel, theme, heading, footer) for theme in (LIGHT, DARK))
        if self.folder:
            (self.folder / f"{suite}-{number}.png").write_bytes(light)
        return (
            f'<picture><source media="(prefers-color-scheme: dark)" srcset="{_data_url(dark)}">'
            f'<img src="{_data_url(light)}" alt="{escape(f"{heading}. {in_words(panel)}")}"></picture>'
        )


def write_report(sections: list[Section], out: Path, pictures: Pictures) -> None:
    """Write the page of these sections to ``out``. Raises ConfigurationError where matplotlib is missing."""
    drawn = [section for section in sections if section.suite != FIGURES]
    template = string.Template(TEMPLATE.read_text(encoding="utf-8"))
    runs = [run for section in sections for run in section.runs]
    page = template.substitute(
        machine=escape(machine_of(runs[0])),
        dates=" to ".join(dict.fromkeys([runs[0].started_at[:10], max(run.started_at for run in runs)[:10]])),
        warnings="".join(f"<p class=warning>{escape(text)}</p>" for text in warnings(runs)),
        contents="".join(f'<li><a href="#{escape(section.suite)}">{escape(section.suite)}</a></li>' for section in drawn),
        figures="".join(_figures(section.runs[-1]) for section in sections if section.suite == FIGURES),
        sizes=_sizes(drawn, pictures, runs),
        sections="".join(_section(section, pictures) for section in drawn),
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page, encoding="utf-8")


def _section(section: Section, pictures: Pictures) -> str:
    parts = [f'<section id="{escape(section.suite)}"><h2>{escape(section.suite)}</h2>', f"<p>{escape(_about(section.suite))}</p>"]
    for number, panel in enumerate(panels_of(section), 1):
        parts.append(pictures.html(panel, section.suite, number, section.runs))
        if isinstance(panel, GrowthPanel):
            parts.append(f"<p>{escape(extrapolated(panel, section.runs[-1]))}</p>")
    parts += [_measurements(run) for run in section.runs]
    if section.replaced:
        parts.append(f"<p class=small>Not shown: {section.replaced} earlier runs with the same parameters.</p>")
    return "".join(parts) + "</section>"


def _about(suite: str) -> str:
    """Return the first paragraph of what a suite's module says of itself; nothing of a suite that is not here.

    The last word of a suite's name that a module has as well leads to it: kafka-live to ``live``, kafka-json to ``kafka``.
    """
    modules = [module.name for module in pkgutil.iter_modules(suites.__path__)]
    named = (module for word in reversed(suite.split("-")) for module in modules if word in module.split("_"))
    module = next(named, None)
    about = importlib.import_module(f"{suites.__name__}.{module}").__doc__ if module else ""
    return " ".join((about or "").partition("\n\n")[0].split())


def _measurements(run: Results) -> str:
    rows = (
        f"<tr><th scope=row>{escape(each.name)}</th><td>{escape(unit_words(each.unit))}</td><td>{each.median:,.5g}</td>"
        f"<td>{min(each.values):,.5g} to {max(each.values):,.5g}</td><td>{len(each.values)}</td></tr>"
        for each in run.measurements
    )
    parameters = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in run.parameters.items())
    return (
        f"<table><caption>{escape(parameters)}</caption><thead><tr><th>measurement<th>unit<th>median<th>range<th>repetitions</thead>"
        f"<tbody>{''.join(rows)}</tbody></table>{_circumstances(run)}"
    )


def _circumstances(run: Results) -> str:
    facts = {
        "command": run.command,
        "commit": run.commit,
        "started": run.started_at,
        "machine": machine_of(run),
        "kernel": str(run.machine.get("kernel", "unknown")),
        "load before": str(run.machine.get("load_before", "unknown")),
        "versions": ", ".join(f"{name} {version}" for name, version in run.versions.items()),
    }
    rows = "".join(f"<dt>{name}<dd>{escape(value)}" for name, value in facts.items())
    return f"<details><summary>Where and how this was measured</summary><dl>{rows}</dl></details>"


def _figures(run: Results) -> str:
    rows = []
    for each in run.measurements:
        target, aim = each.about.get("target"), str(each.about.get("aim", ""))
        met = "" if target is None else _met(each, float(target), aim)
        wanted = "" if target is None else f"{aim} {float(target):,g}"
        rows.append(
            f"<tr><th scope=row>{escape(each.name)}</th><td>{escape(unit_words(each.unit))}</td><td>{each.median:,.4g}</td>"
            f"<td>{wanted}</td><td>{met}</td></tr>"
        )
    head = "<thead><tr><th>figure<th>unit<th>measured<th>wanted<th>met</thead>"
    return f"<h2>Figures</h2><table>{head}<tbody>{''.join(rows)}</tbody></table>{_circumstances(run)}"


def _met(figure: Measurement, target: float, aim: str) -> str:
    met = figure.median >= target if aim == "at least" else figure.median <= target
    return "yes" if met else "no"


def _sizes(sections: list[Section], pictures: Pictures, runs: list[Results]) -> str:
    panel = sizes_panel(sections)
    return f'<section id="sizes"><h2>Memory and disk</h2>{pictures.html(panel, "sizes", 1, runs)}</section>' if panel else ""


def _data_url(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
