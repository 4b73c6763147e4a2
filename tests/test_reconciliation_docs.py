"""The page about reconciliation: its session prints what it says, and its tables are those of the program."""

import re

from ledger.reconciliation import Verdict
from peakledger.channel_file import COLUMNS
from tests.sessions import BLOCK, ROOT, compared, run_session, steps

PAGE = (ROOT / "docs" / "reconciliation.md").read_text()


def test_the_session_prints_and_writes_what_the_page_says(tmp_path):
    (block,) = BLOCK.findall(PAGE)
    assert compared(run_session(block, tmp_path, check=False)) == compared(steps(block))
    assert f"```\n{(tmp_path / 'differences.csv').read_text()}```" in PAGE


def test_the_page_lists_every_verdict_and_column():
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.M)) == {*Verdict, *COLUMNS}
