"""What commands print for people: text as it is, whatever is in it, and numbers below one another."""

import io
from collections import Counter
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from ledger._core import build_batch
from ledger.engine import Engine
from ledger.events import Adjust, EventName, encode_json
from peakledger import display
from tests import ledger_events as make
from tests.ledger_events import NOON_MS, leg

MARKUP = "X[/b]:wave:"


@pytest.fixture
def data(tmp_path):
    """A ledger with a serial, a reason and a name that a terminal's markup would take for its own."""
    adjust = Adjust(
        channel="ledger",
        business_date=date(2026, 7, 23),
        serial="A[b]1",
        debit="ledger:065",
        credit="ledger:066",
        amount_fen=5,
        allowed_by=("Wang [Min]",),
        reason="See [/note] 1",
        disputed=EventName("ledger", date(2026, 7, 23), MARKUP),
    )
    events = [
        make.open_account("a", "A"),
        make.open_account("b", "B"),
        make.transfer(MARKUP, leg("A", "B", 7)),
        encode_json(adjust),
    ]
    events.append(make.transfer("[/red]", leg("A", "C", 7)))
    batch = build_batch([(None, value, NOON_MS) for value in events], 0)
    with Engine.open(tmp_path / "payments.events-0", source="payments.events/0", segment_bytes=4 << 20) as engine:
        engine.apply(bytes(batch), len(events))
        assert engine.wait_projected()
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("statement", "ledger:065"), (MARKUP, "A[b]1", "See [/note] 1")),
        (("adjustments",), ("A[b]1", f"ledger/2026-07-23/{MARKUP}", "Wang [Min]")),
        (("outcome", "ledger", "2026-07-23", "A[b]1"), ("See [/note] 1",)),
        (("quarantine", "list"), ("[/red]",)),
        (("quarantine", "show", "4"), ("[/red]",)),
    ],
)
def test_text_is_shown_as_it_is_also_where_it_looks_like_markup(data, command, arguments, says):
    ended = command(*arguments, "--data", str(data))
    assert ended.status == 0
    assert [text for text in says if text not in ended.out] == []


def test_a_refused_event_is_shown_with_its_time_as_text_and_its_bytes_in_one_line(data, command):
    lines = dict(
        line.rstrip().split("  ", 1) for line in command("quarantine", "show", "4", "--data", str(data)).out.splitlines()
    )
    assert lines["record time"].strip() == "2026-07-23 04:00:00.000"
    assert len(lines["value"].strip()) == 2 * 144  # a packed event and one leg


def test_numbers_end_below_one_another_also_where_the_first_line_has_none(capsys):
    items = [{"name": "a", "amount_fen": None, "share": 5.5}, {"name": "bb", "amount_fen": 123, "share": 80.25}]
    display.show("things", items, as_json=False)
    assert capsys.readouterr().out.splitlines() == ["name  amount ¥  share", "a            -    5.5", "bb        1.23  80.25"]


@given(st.integers(20, 200), st.lists(st.tuples(st.integers(0, 2**63), st.integers(-(10**6), 10**6)), min_size=1, max_size=3))
def test_no_number_is_cut_on_a_terminal_of_any_width(width, numbers):
    items = [
        {"shard": "payments.events-0", "amount_fen": amount_fen, "records_consumed": count, "kind": "household"}
        for amount_fen, count in numbers
    ]
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(display, "console", Console(width=width, file=out, highlight=False, markup=False))
        display.show("things", items, as_json=False)
    shown = out.getvalue().split()
    wanted = [text for item in items for text in (display.format_yuan(item["amount_fen"]), f"{item['records_consumed']:,}")]
    assert not Counter(wanted) - Counter(shown)


def test_a_table_for_a_file_is_never_broken(capsys):
    item = {f"column_{number}": "text that is rather long" for number in range(30)}
    display.show("things", [item], as_json=False)
    assert len(capsys.readouterr().out.splitlines()) == 2
