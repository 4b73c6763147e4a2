"""The page about outlets: its sessions print what it says, and its tables are those of the program."""

import re

from ledger.outlets import OutletKind, check_registry
from tests.sessions import BLOCK, ROOT, compared, run_session, steps

PAGE = (ROOT / "docs" / "outlets.md").read_text()
EXAMPLE = ROOT / "docs" / "example-outlets.csv"


def test_the_sessions_print_what_the_page_says(tmp_path):
    block = "".join(BLOCK.findall(PAGE))
    assert compared(run_session(block, tmp_path)) == compared(steps(block))


def test_the_page_lists_every_kind():
    assert re.findall(r"^\| `(\w+)` \| [^a-z|]+ \|$", PAGE, re.M) == list(OutletKind)


def test_the_page_shows_the_header_of_the_file():
    assert f"```\n{EXAMPLE.read_text().splitlines()[0]}\n```" in PAGE


def test_the_example_has_no_fault():
    outlets, faults = check_registry(EXAMPLE)
    assert outlets and not faults
