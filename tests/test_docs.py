"""The documentation against the program: tables are complete, paths exist, commands are what the program has."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from peakledger import cli, config
from peakledger.exit_codes import ExitCode

ROOT = Path(__file__).parent.parent
PAGES = [path for folder in ("", "docs", "docs/decisions") for path in sorted((ROOT / folder).glob("*.md"))]
FOLDERS = "ledger|streams|peakledger|bench|tests|docs|requirements"
PATH = re.compile(rf"`((?:{FOLDERS})/[\w./-]*)`")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
IGNORED = (ROOT / ".gitignore").read_text().splitlines()  # what only a run makes
COMMAND = re.compile(r"(?:^|`|\$ )peakledger ([a-z-]+)((?: [a-z]+)?)", re.MULTILINE)
PAGE = (ROOT / "docs" / "configuration.md").read_text()


def in_toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def settings_table() -> str:
    rows = ["| setting | variable | flag | type | default | what it is |", "|---|---|---|---|---|---|"]
    for setting in config.table():
        default = "" if setting.default == "" else f"`{in_toml(setting.default)}`"
        flag = f"`{setting.flag}`" if setting.flag else ""
        names = f"`{setting.key}` | `{setting.variable}` | {flag}"
        rows.append(f"| {names} | {setting.type_name} | {default} | {setting.description} |")
    return "\n".join(rows)


def exit_code_table() -> str:
    rows = ["| status | name | when |", "|---|---|---|"]
    return "\n".join(rows + [f"| {code.value} | {code.name} | {code.sentence} |" for code in ExitCode])


def test_the_page_shows_the_table_of_settings():
    assert settings_table() in PAGE


def test_the_page_shows_the_table_of_exit_codes():
    assert exit_code_table() in PAGE


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_and_link_of_a_page_leads_somewhere(page):
    text = page.read_text()
    missing = [path for path in PATH.findall(text) if f"/{path}" not in IGNORED and not (ROOT / path).exists()]
    missing += [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_a_page_exists(page):
    commands = typer.main.get_command(cli.app).commands
    for name, word in COMMAND.findall(page.read_text()):
        assert name in commands
        assert not hasattr(commands[name], "commands") or not word or word.strip() in commands[name].commands


def ends_of_help(command: typer.core.TyperGroup | typer.core.TyperCommand, name: str) -> Iterator[tuple[str, str]]:
    """Yield the whole name of each command, and how its help ends."""
    if not hasattr(command, "commands"):
        yield name, command.epilog or ""
    for word, each in getattr(command, "commands", {}).items():
        yield from ends_of_help(each, f"{name} {word}")


def test_the_help_of_every_command_ends_with_an_example_of_it():
    ends = dict(ends_of_help(typer.main.get_command(cli.app), "peakledger"))
    assert [name for name, end in ends.items() if name not in end] == []


def test_the_index_lists_every_decision():
    index = (ROOT / "docs" / "decisions" / "README.md").read_text()
    pages = {path.name for path in (ROOT / "docs" / "decisions").glob("[0-9]*.md")}
    assert set(LINK.findall(index)) == pages
