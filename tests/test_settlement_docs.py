"""The page about settlement: its session prints what it says."""

from datetime import date

import pytest

from tests.sessions import BLOCK, ROOT, compared, run_session, steps


@pytest.mark.skipif(date.today() < date(2026, 7, 25), reason="the business date of the example is not over")
def test_the_session_prints_what_the_page_says(tmp_path):
    (block,) = BLOCK.findall((ROOT / "docs" / "settlement.md").read_text())
    assert compared(run_session(block, tmp_path, check=False)) == compared(steps(block))
