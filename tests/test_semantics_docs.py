"""docs/semantics.md has every refusal, in its precedence."""

import re
from pathlib import Path

from ledger.outcomes import OutcomeCode

PAGE = (Path(__file__).parent.parent / "docs" / "semantics.md").read_text()
ROWS = re.findall(r"^\| `(\w+)` \| (yes)? ?\| \S.* \|$", PAGE, re.MULTILINE)


def test_every_refusal_by_what_the_ledger_holds_stands_there_in_its_precedence():
    by_ledger = [code.name for code in OutcomeCode if code > 100 and code is not OutcomeCode.reserved_flag]
    assert [name for name, _ in ROWS if name != "exists"] == by_ledger


def test_the_refusals_that_burn_the_key_are_marked():
    assert {name for name, burns in ROWS if burns} == {code.name for code in OutcomeCode if code.is_transient}
