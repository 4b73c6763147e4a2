"""The documentation against the program: tables are complete, paths exist, commands are what the program has."""

from pathlib import Path

from peakledger import config
from peakledger.exit_codes import ExitCode

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "configuration.md").read_text()


def settings_table() -> str:
    rows = ["| setting | variable | flag | type | default | what it is |", "|---|---|---|---|---|---|"]
    for setting in config.table():
        default = "" if setting.default == "" else f"`{str(setting.default).lower()}`"
        names = f"`{setting.key}` | `{setting.variable}` | `{setting.flag}`"
        rows.append(f"| {names} | {setting.type_name} | {default} | {setting.description} |")
    return "\n".join(rows)


def exit_code_table() -> str:
    rows = ["| status | name | when |", "|---|---|---|"]
    return "\n".join(rows + [f"| {code.value} | {code.name} | {code.sentence} |" for code in ExitCode])


def test_the_page_shows_the_table_of_settings():
    assert settings_table() in PAGE


def test_the_page_shows_the_table_of_exit_codes():
    assert exit_code_table() in PAGE
