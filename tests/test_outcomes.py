"""Outcome codes: the same numbers everywhere, and a sentence for each."""

import re
from pathlib import Path

import ledger
from ledger.outcomes import SENTENCES, OutcomeCode


def test_the_core_has_the_same_codes():
    declarations = (Path(ledger.__file__).parent / "core" / "decode_declarations.pxi").read_text()
    in_core = {name.lower(): int(number) for name, number in re.findall(r"^    OUTCOME_(\w+) = (\d+)$", declarations, re.M)}
    assert in_core == {code.name: code.value for code in OutcomeCode}


def test_every_code_has_a_sentence():
    assert set(SENTENCES) == set(OutcomeCode)
    assert not any(sentence.endswith(".") for sentence in SENTENCES.values())


def test_everything_but_applied_and_exists_is_a_refusal():
    assert {code for code in OutcomeCode if not code.is_refusal} == {OutcomeCode.applied, OutcomeCode.exists}
