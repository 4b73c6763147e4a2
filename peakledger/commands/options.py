"""Flags that several commands share, and the settings that they lead to."""

from pathlib import Path
from typing import Annotated, Any

import typer

from peakledger import config


def _flag(key: str, *, metavar: str = "TEXT") -> Any:
    setting = config.describe(key)
    return typer.Option("--" + key.replace("_", "-"), help=setting, metavar=metavar, show_default=False)


Config = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="TOML file of settings (PEAKLEDGER_CONFIG, default peakledger.toml where there is one)"
    ),
]
Json = Annotated[bool, typer.Option("--json", help='Print one JSON document, {"kind": ..., "items": [...]}')]
Data = Annotated[str | None, _flag("data", metavar="DIR")]
Stream = Annotated[str | None, _flag("stream", metavar="DIR")]
BootstrapServers = Annotated[str | None, _flag("bootstrap_servers", metavar="HOST:PORT")]
Topic = Annotated[str | None, _flag("topic")]


def examples(*lines: str) -> str:
    """Return the end of a command's help that shows ``lines`` to copy."""
    return "\n\n".join(["[bold]Examples[/bold]", *lines])
