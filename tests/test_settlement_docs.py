"""The page about settlement: its session prints what it says."""

from tests.sessions import BLOCK, ROOT, compared, run_session, steps


def test_the_session_prints_what_the_page_says(tmp_path):
    (block,) = BLOCK.findall((ROOT / "docs" / "settlement.md").read_text())
    assert compared(run_session(block, tmp_path, check=False)) == compared(steps(block))
