"""Cursors go out as text and come back the same, and count for one account of one ledger."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import ConfigurationError
from ledger.statement_cursors import decode_cursor, encode_cursor
from ledger.statements import Cursor, Position, Sums

LEDGER, ACCOUNT = bytes(range(16)), 2**120 + 5
amounts = st.integers(0, 2**64 - 1)
CURSOR = Cursor(True, Position(5, Sums(1, 2, 3, 4)), (9, 1000))


@given(
    oldest_first=st.booleans(),
    seq=st.integers(0, 2**62),
    sums=st.builds(Sums, amounts, amounts, amounts, amounts),
    steps=st.lists(st.integers(1, 2**40), max_size=40),
)
def test_a_cursor_comes_back_as_it_went_out(oldest_first, seq, sums, steps):
    marks = tuple(seq + sum(steps[: count + 1]) for count in range(len(steps)))
    cursor = Cursor(oldest_first, Position(seq, sums), marks)
    text = encode_cursor(cursor, LEDGER, ACCOUNT)
    assert text.isascii() and not {",", ":", " "} & set(text)
    assert decode_cursor(text, LEDGER, ACCOUNT, oldest_first=oldest_first) == cursor


@pytest.mark.parametrize("ledger, account", [(LEDGER, ACCOUNT + 1), (bytes(16), ACCOUNT)])
def test_a_cursor_of_another_account_or_ledger_is_refused(ledger, account):
    with pytest.raises(ConfigurationError, match="no cursor of this account"):
        decode_cursor(encode_cursor(CURSOR, LEDGER, ACCOUNT), ledger, account, oldest_first=True)


def test_a_cursor_of_the_other_order_is_refused():
    with pytest.raises(ConfigurationError, match="other order"):
        decode_cursor(encode_cursor(CURSOR, LEDGER, ACCOUNT), LEDGER, ACCOUNT, oldest_first=False)


@given(text=st.text(max_size=60))
def test_any_other_text_is_refused(text):
    with pytest.raises(ConfigurationError, match="no cursor"):
        decode_cursor(text, LEDGER, ACCOUNT, oldest_first=True)
