"""docs/events.md against the program: its tables, and every example in it."""

import doctest
import json
import re
from pathlib import Path

import msgspec

from ledger.channels import BUILT_IN_CHANNELS
from ledger.event_shapes import SHAPES
from ledger.events import Close, decode_event, encode_json
from ledger.outcomes import OutcomeCode
from ledger.schema import EXAMPLES
from tests.event_samples import BILL, PAYMENT

PATH = Path(__file__).parent.parent / "docs" / "events.md"
PAGE = PATH.read_text()


def examples(language):
    return re.findall(rf"^```{language}\n(.*?)```$", PAGE, re.M | re.S)


def rows(heading):
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]


def test_the_fields_are_those_of_the_structs_in_their_order():
    named = [(name, of) for name, of, *_ in rows("Fields of payments and bills")[2:]]
    payment = ("type", *PAYMENT.__struct_fields__)
    bill = ("type", *BILL.__struct_fields__)
    assert tuple(name for name, of in named if of != "bill") == payment
    assert tuple(name for name, of in named if of != "payment") == bill


def test_the_channels_are_the_built_in_ones():
    listed = rows("Channels and their serials")[2 : 2 + len(BUILT_IN_CHANNELS)]
    assert listed == [
        [str(each.code), each.name, each.chinese_name, each.serial_form.name, ", ".join(each.publishes)]
        for each in BUILT_IN_CHANNELS
    ]


def test_the_refusals_are_those_of_decoding_in_their_order():
    listed = [cells for cells in rows("Refusals")[2:] if len(cells) == 3]
    listed_codes = (*range(OutcomeCode.value_missing, OutcomeCode.due_date_invalid + 1), *range(46, 50))
    codes = [code for code in OutcomeCode if code in listed_codes]
    assert listed == [[str(code.value), code.name, code.sentence] for code in codes]


def test_the_fields_of_ledger_events_are_those_of_the_structs_in_their_order():
    named = {
        type_: re.findall(r"(\w+)`?(\??)", fields)
        for type_, fields, *_ in rows("Ledger events, top-ups and floats")[2 : len(SHAPES)]
    }
    assert list(named) == list(SHAPES)[2:]
    for type_, fields in named.items():
        shape = SHAPES[type_]
        assert [name for name, _ in fields] == list(shape.fields)[5:]
        assert {name for name, mark in fields if not mark} == shape.required & {name for name, _ in fields}


def test_the_examples_of_ledger_events_are_those_of_the_schema():
    shown = [line.encode() for line in examples("json")[2].splitlines()]
    assert [decode_event(line) for line in shown] == list(EXAMPLES[2:])
    assert shown == [encode_json(event) for event in EXAMPLES[2:]]
    close = next(event for event in EXAMPLES if isinstance(event, Close))
    assert decode_event(bytes.fromhex(examples("packed")[2])) == close


def test_the_refusals_of_ledger_events_are_shown_by_examples():
    listed = [cells for cells in rows("Refusals")[2:] if len(cells) == 4 and cells[0].isdecimal()]
    codes = [code for code in OutcomeCode if OutcomeCode.account_malformed <= code <= OutcomeCode.reversal_window_closed]
    codes += [OutcomeCode.allowance_malformed, OutcomeCode.reason_malformed, OutcomeCode.second_person_missing]
    codes.append(OutcomeCode.reserved_flag)
    assert [cells[:3] for cells in listed] == [[str(code.value), code.name, code.sentence] for code in codes]
    assert [decode_event(cells[3].encode()).code for cells in listed] == codes


def test_every_example_is_the_same_payment_or_bill():
    values = [example.encode() for example in examples("json")[:2]]
    values += [msgspec.msgpack.encode(json.loads(example)) for example in examples("msgpack-array")]
    values += [bytes.fromhex(example) for example in examples("packed")[:2]]
    assert [decode_event(value) for value in values] == [PAYMENT, BILL] * 3


def test_the_python_session_runs():
    failed, attempted = doctest.testfile(str(PATH), module_relative=False, encoding="utf-8")
    assert attempted > 0
    assert failed == 0
