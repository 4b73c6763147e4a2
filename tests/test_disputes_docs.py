"""The page about disputes: its session prints what it says, its Python reads what the session booked, its event is one."""

import doctest
import re

from ledger.events import Adjust, decode_event
from tests.sessions import BLOCK, ROOT, compared, run_session, steps

PATH = ROOT / "docs" / "disputes.md"
PAGE = PATH.read_text()


def test_the_session_prints_what_the_page_says_and_the_python_behind_it(tmp_path, monkeypatch):
    (block,) = BLOCK.findall(PAGE)
    assert compared(run_session(block, tmp_path)) == compared(steps(block))
    monkeypatch.chdir(tmp_path)
    failed, attempted = doctest.testfile(str(PATH), module_relative=False, encoding="utf-8")
    assert (failed, attempted) == (0, 2)


def test_the_event_is_an_adjustment():
    (line,) = re.findall(r"^```json\n(.*)\n```$", PAGE, re.M)
    event = decode_event(line.encode())
    assert isinstance(event, Adjust)
    assert (event.serial, event.amount_fen) == ("A-0001", 4200)
