"""The page about the season: its session prints what it says."""

from tests.sessions import BLOCK, ROOT, plain, run_session, steps

PAGE = (ROOT / "docs" / "season.md").read_text()


def test_the_session_prints_what_the_page_says(tmp_path):
    """But for the size of the journal, which depends on where frames end."""
    block = "".join(BLOCK.findall(PAGE))
    for found, told in zip(run_session(block, tmp_path), steps(block), strict=True):
        assert found.command == told.command
        assert without_size(plain(found.output)) == without_size(plain(told.output))


def without_size(lines):
    return [line.partition(" kB ")[0].rpartition(" ")[0] if " kB " in line else line for line in lines]
