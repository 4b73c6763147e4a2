"""The sessions of the README and of the page on the past: every command is run, and prints what the page says."""

import pytest

from tests.sessions import BLOCK, ROOT, compared, run_session, steps


@pytest.mark.parametrize("page", ["README.md", "docs/the-past.md"])
def test_the_embedded_session_prints_what_the_page_says(tmp_path, page):
    block = BLOCK.findall((ROOT / page).read_text())[0]
    assert compared(run_session(block, tmp_path)) == compared(steps(block))
