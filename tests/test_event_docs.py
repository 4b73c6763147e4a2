"""docs/events.md against the program: its tables, and every example in it."""

import doctest
import json
import re
from pathlib import Path

import msgspec

from ledger.channels import BUILT_IN_CHANNELS
from ledger.events import decode_event
from ledger.outcomes import OutcomeCode
from tests.event_samples import BILL, PAYMENT

PATH = Path(__file__).parent.parent / "docs" / "events.md"
PAGE = PATH.read_text()


def examples(language):
    return re.findall(rf"^```{language}\n(.*?)```$", PAGE, re.M | re.S)


def rows(heading):
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]


def test_the_fields_are_those_of_the_structs_in_their_order():
    named = [(name, of) for name, of, *_ in rows("Fields")[2:]]
    payment = ("type", *PAYMENT.__struct_fields__)
    bill = ("type", *BILL.__struct_fields__)
    assert tuple(name for name, of in named if of != "bill") == payment
    assert tuple(name for name, of in named if of != "payment") == bill


def test_the_channels_are_the_built_in_ones():
    listed = rows("Channels and their serials")[2 : 2 + len(BUILT_IN_CHANNELS)]
    assert listed == [
        [str(each.code), each.name, each.chinese_name, each.serial_form.name, each.publishes] for each in BUILT_IN_CHANNELS
    ]


def test_the_refusals_are_those_of_decoding_in_their_order():
    listed = rows("Refusals")[2:]
    codes = [code for code in OutcomeCode if OutcomeCode.value_missing <= code <= OutcomeCode.due_date_invalid]
    assert listed == [[str(code.value), code.name, code.sentence] for code in codes]


def test_every_example_is_the_same_payment_or_bill():
    values = [example.encode() for example in examples("json")]
    values += [msgspec.msgpack.encode(json.loads(example)) for example in examples("msgpack-array")]
    values += [bytes.fromhex(example) for example in examples("packed")]
    assert [decode_event(value) for value in values] == [PAYMENT, BILL] * 3


def test_the_python_session_runs():
    failed, attempted = doctest.testfile(str(PATH), module_relative=False, encoding="utf-8")
    assert attempted > 0
    assert failed == 0
