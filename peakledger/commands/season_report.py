"""``peakledger season-report``: what became of a season, held against what must have."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from peakledger import config
from peakledger.commands.options import Config, Data, Json
from peakledger.display import console, show
from peakledger.exit_codes import ExitCode
from peakledger.season.page import write_page
from peakledger.season.report import make_report, read_told
from peakledger.season.settlement import SettlementLine
from peakledger.season.watching import describe


def season_report(
    *,
    told: Annotated[Path, typer.Argument(metavar="FILE", help="What peakledger season --told kept")],
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write the report as one HTML page too")] = None,
    files: Annotated[
        Path | None, typer.Option("--files", metavar="DIRECTORY", help="Reconcile the files that season --files wrote there")
    ] = None,
    data: Data = None,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """Hold a season against the journals that an engine made of it: every channel and outcome, every fen.

    Ends with status 10 where anything differs from what was told.
    """
    settings = config.load({"data": data}, config=config_file)
    report = make_report(read_told(told), Path(settings.data), files)
    if html:
        write_page(report, html)
    items = [asdict(line) | {"agrees": line.agrees} for line in report.lines]
    by_day = [{"ledger_date": day, "became": became, "events": events} for (day, became), events in sorted(report.by_day.items())]
    counts = {"applied": report.applied, "exists": report.exists, "refused": report.refused}
    kinds = {kind: sums._asdict() for kind, sums in report.kinds.items()}
    more = {"sound": report.is_sound, "checks": report.checks, **counts, "kinds": kinds, "by_day": by_day}
    if report.settlement is not None:
        more["settlement"] = [settlement_item(line) for line in report.settlement]
    if report.told.behind:
        more["behind"] = msgspec.to_builtins(report.told.behind)
    show("season_report", items, as_json=as_json, more=more)
    if not as_json:
        if report.settlement:
            show("settlement", [settlement_item(line) for line in report.settlement], as_json=False)
        for words, holds in report.checks.items():
            console.print(f"{'yes' if holds else 'NO '}  {words}")
        if report.told.behind:
            console.print(describe(report.told.behind))
    if not report.is_sound:
        raise typer.Exit(ExitCode.differs)


def settlement_item(line: SettlementLine) -> dict[str, Any]:
    """Return what is shown of a difference of settlement."""
    return msgspec.structs.asdict(line.difference) | {"why": line.why, "agrees": line.agrees}
