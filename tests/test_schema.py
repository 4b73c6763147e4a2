"""The exported schema: the files are what the program makes, validators accept them, and they accept what the engine accepts."""

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given

from ledger import schema
from ledger.events import Close, Transfer, encode_json
from tests.event_samples import BILL, PAYMENT, events, fields_of, ledger_events

ROOT = Path(__file__).parent.parent
# The schema that the AsyncAPI initiative publishes (Apache-2.0, package @asyncapi/specs 6.11.1), without white space.
ASYNCAPI_3 = json.loads((ROOT / "tests" / "data" / "asyncapi-3.0.0.schema.json").read_text())
EVENT = jsonschema.Draft202012Validator(schema.json_schema(), format_checker=jsonschema.FormatChecker(["date"]))


@pytest.mark.parametrize("name", schema.documents())
def test_the_exported_files_are_up_to_date(name):
    assert (ROOT / "docs" / "schema" / name).read_text() == schema.documents()[name]


def test_the_json_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(schema.json_schema())


def test_the_asyncapi_document_is_one():
    jsonschema.Draft7Validator(ASYNCAPI_3).validate(schema.asyncapi())


def test_the_asyncapi_validator_finds_mistakes():
    document = schema.asyncapi()
    document["operations"]["bookEvents"]["action"] = "devour"
    assert not jsonschema.Draft7Validator(ASYNCAPI_3).is_valid(document)


def test_the_references_of_the_asyncapi_document_lead_somewhere():
    document = schema.asyncapi()
    for reference in json.dumps(document).split('"$ref": "#/')[1:]:
        place = document
        for step in reference.split('"')[0].split("/"):
            place = place[step]


@given(events() | ledger_events())
def test_the_json_schema_accepts_every_right_event(event):
    EVENT.validate(json.loads(encode_json(event)))


TRANSFER, CLOSE = (json.loads(encode_json(event)) for event in schema.EXAMPLES if isinstance(event, Transfer | Close))
WRONG = [
    fields_of(PAYMENT) | {"type": "refund"},
    fields_of(PAYMENT) | {"reason": "none"},
    fields_of(PAYMENT) | {"period": "2026-06"},
    fields_of(PAYMENT) | {"amount_fen": 0},
    fields_of(PAYMENT) | {"amount_fen": 1.5},
    fields_of(PAYMENT) | {"amount_fen": "1"},
    fields_of(PAYMENT) | {"amount_fen": 2**63},
    fields_of(PAYMENT) | {"household": "123"},
    fields_of(PAYMENT) | {"business_date": "2026-02-30"},
    fields_of(PAYMENT) | {"serial": None},
    fields_of(BILL) | {"period": "2026-13"},
    {name: value for name, value in fields_of(BILL).items() if name != "due_date"},
    CLOSE | {"account": "6222020001"},
    CLOSE | {"account": "bank:1"},
    CLOSE | {"legs": []},
    TRANSFER | {"legs": []},
    TRANSFER | {"legs": TRANSFER["legs"] * 128},
    TRANSFER | {"legs": [{"code": 7, "amount_fen": 2**64}]},
    TRANSFER | {"legs": [{"code": 7, "amount_fen": 1, "flags": ["golden"]}]},
    TRANSFER | {"legs": [{"code": 7, "amount_fen": 1, "pending": {"channel": "ledger", "serial": "T-0001"}}]},
    TRANSFER | {"legs": [{"amount_fen": 1}]},
]


@pytest.mark.parametrize("fields", WRONG, ids=lambda fields: json.dumps(fields)[-40:])
def test_the_json_schema_refuses_wrong_events(fields):
    assert not EVENT.is_valid(fields)
