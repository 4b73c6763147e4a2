"""The page about withholding: its sessions print what it says, its example files and tables are those of the program."""

import re

from peakledger.withholding.files import RUN_COLUMNS, Instructions, RunFile
from tests.sessions import BLOCK, ROOT, plain, run_session, steps

DOCS = ROOT / "docs"
PAGE = (DOCS / "withholding.md").read_text()


def test_the_sessions_print_what_the_page_says(tmp_path):
    block = "".join(BLOCK.findall(PAGE))
    found = run_session(block, tmp_path)
    assert [(step.command, plain(step.output)) for step in found] == [(step.command, plain(step.output)) for step in steps(block)]


def test_the_page_shows_the_example_and_lists_every_column():
    assert f"```\n{(DOCS / 'example-withholding-run.csv').read_text()}```" in PAGE
    assert set(RUN_COLUMNS) <= set(re.findall(r"^\| `(\w+)` \|", PAGE, re.M))


def test_the_example_says_the_same_in_both_encodings():
    files = [RunFile(DOCS / f"example-withholding-run{ending}.csv") for ending in ("", "-gb18030")]
    assert [file.encoding for file in files] == ["UTF-8", "GB18030"]
    first, second = (list(file.lines()) for file in files)
    assert first == second and len(Instructions(files[0])) == 4
