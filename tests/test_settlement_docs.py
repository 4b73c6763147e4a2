"""The page about settlement: its session prints what it says."""

from tests.test_readme import BLOCK, ROOT, plain, run_session, steps


def test_the_session_prints_what_the_page_says(tmp_path):
    (block,) = BLOCK.findall((ROOT / "docs" / "settlement.md").read_text())
    found = run_session(block, tmp_path, check=False)
    assert [(step.command, plain(step.output)) for step in found] == [(step.command, plain(step.output)) for step in steps(block)]
