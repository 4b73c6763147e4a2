"""The page about withholding: its sessions print what it says, its example files and tables are those of the program."""

import re

import pytest

from ledger.withholding import Result
from peakledger.withholding.answers import Effect
from peakledger.withholding.files import Instructions, RunFile
from peakledger.withholding.retries import Fate
from peakledger.withholding.returning import RETURN_COLUMNS
from tests.sessions import BLOCK, ROOT, compared, run_session, steps

DOCS = ROOT / "docs"
PAGE = (DOCS / "withholding.md").read_text()


def test_the_sessions_print_and_write_what_the_page_says(tmp_path):
    block = "".join(BLOCK.findall(PAGE))
    found = run_session(block, tmp_path)
    assert compared(found) == compared(steps(block))
    assert f"```\n{(tmp_path / 'return.csv').read_text()}```" in PAGE


@pytest.mark.parametrize("example", ["run", "answer"])
def test_the_page_shows_the_examples(example):
    assert f"```\n{(DOCS / f'example-withholding-{example}.csv').read_text()}```" in PAGE


def test_the_tables_have_every_column_result_effect_and_fate():
    names = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.M))
    assert names == {*RETURN_COLUMNS, *Result, *Effect, *Fate}


def test_the_example_says_the_same_in_both_encodings():
    files = [RunFile(DOCS / f"example-withholding-run{ending}.csv") for ending in ("", "-gb18030")]
    assert [file.encoding for file in files] == ["UTF-8", "GB18030"]
    first, second = (list(file.lines()) for file in files)
    assert first == second and len(Instructions(files[0])) == 4
