"""Account ids: text and number are the same thing both ways."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.account_ids import (
    AccountKind,
    account_id,
    clearing_account,
    format_account,
    household_account,
    parse_account,
    revenue_account,
)
from ledger.errors import PeakledgerError


def test_ids_are_golden():
    assert household_account("3301234567890") == 1 << 120 | 13 << 112 | 3301234567890
    assert clearing_account(13, date(2026, 7, 23)) == 2 << 120 | 11 << 112 | 1320260723
    assert revenue_account(1) == 3 << 120 | 5 << 112 | 1


@given(st.sampled_from(AccountKind), st.from_regex(r"\A[0-9]{1,33}\Z"))
def test_an_id_is_its_text(kind, number):
    id_ = account_id(kind, number)
    assert 0 < id_ < 2**128
    assert format_account(id_) == f"{kind.name}:{number}"
    assert parse_account(format_account(id_)) == id_


def test_a_bare_number_of_13_digits_is_a_household():
    assert parse_account("0301234567890") == household_account("0301234567890")


@pytest.mark.parametrize(
    "text",
    ["", "330123456789", "household:", "household:12a", "household:１２", f"household:{'1' * 34}", "savings:1", "household:-1"],
)
def test_what_is_no_account_is_refused(text):
    with pytest.raises(PeakledgerError):
        parse_account(text)
