"""The event schema for others: JSON Schema and an AsyncAPI 3 document, both made from the Structs of ``ledger.events``.

``python -m ledger.schema FOLDER`` writes the two files; docs/schema has them.
"""

import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from ledger.event_structs import (
    EVENTS,
    Adjust,
    BankFloat,
    Bill,
    Clock,
    Close,
    CountFloat,
    Event,
    EventName,
    Freeze,
    HoldName,
    Leg,
    OpenAccount,
    OpenFloat,
    Payment,
    Post,
    Reverse,
    TopUp,
    Transfer,
    Unfreeze,
    Void,
)

EVENTS_TOPIC = "payments.events"
SCHEMA_VERSION = "1.3.0"

EXAMPLE_PAYMENT = Payment(
    channel="alipay",
    business_date=date(2026, 7, 23),
    serial="20260723000012345678",
    household="3301234567890",
    amount_fen=12345,
    outlet="4711",
)
EXAMPLE_BILL = Bill(
    channel="billing",
    business_date=date(2026, 7, 1),
    serial="202607000000000001",
    household="0301234567890",
    amount_fen=20000,
    period="2026-06",
    due_date=date(2026, 7, 31),
)
_DAY = date(2026, 7, 23)
_HOLD = HoldName("ledger", _DAY, "T-0001", leg=1)
EXAMPLES: tuple[Event, ...] = (
    EXAMPLE_PAYMENT,
    EXAMPLE_BILL,
    OpenAccount(
        "ledger",
        _DAY,
        "O-0001",
        account="card:6222020001",
        flags=("debits_must_not_exceed_credits",),
        credit_line_fen=500000,
        limit_parent="agency:0042",
    ),
    Transfer(
        "ledger",
        _DAY,
        "T-0001",
        legs=(
            Leg(debit="card:6222020001", credit="till:07", amount_fen=12345, code=7),
            Leg(debit="card:6222020001", credit="till:07", amount_fen=800, code=7, flags=("pending",), timeout_s=900),
        ),
    ),
    Post("ledger", _DAY, "P-0001", pending=_HOLD, amount_fen=500),
    Void("ledger", _DAY, "V-0001", pending=_HOLD),
    Reverse("ledger", _DAY, "R-0001", original=EventName("ledger", _DAY, "T-0001")),
    Freeze("ledger", _DAY, "F-0001", account="card:6222020001"),
    Unfreeze("ledger", _DAY, "U-0001", account="card:6222020001"),
    Close("ledger", _DAY, "C-0001", account="card:6222020001"),
    Clock("ledger", _DAY, "K-0001"),
    TopUp("self_service_kiosk", _DAY, "U-0001", payee="6222020001", amount_fen=20000, payer="17"),
    OpenFloat("business_hall", _DAY, "N-0001", payer="7", amount_fen=50000),
    CountFloat("business_hall", _DAY, "N-0002", payer="7", amount_fen=49950),
    BankFloat("business_hall", _DAY, "N-0003", payer="7", amount_fen=49950),
    Adjust(
        "ledger",
        _DAY,
        "A-0001",
        debit="clearing:01320260723",
        credit="household:3301234567890",
        amount_fen=12345,
        allowed_by=("Wang Min",),
        reason="Meter 4711 was read twice",
        disputed=EventName("alipay", _DAY, "20260723000012345678"),
    ),
)

_EVENTS = "What the channels publish, as JSON, as MessagePack or packed; the first byte of a value tells which (docs/events.md)."

_HOUSEHOLD_KEY = {
    "type": "string",
    "pattern": "^[0-9]{13}$",
    "description": "The household, so that it keeps to one partition.",
}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of an event. What depends on the channel stands in descriptions only."""
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Peakledger event",
        "description": "What a channel publishes. No field may stand twice. Dates lie between 1970-01-02 and 2149-06-06.",
    }
    return head | msgspec.json.schema(Event)


def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI 3 document of the topic that Peakledger reads."""
    _, schemas = msgspec.json.schema_components(EVENTS, ref_template="#/components/schemas/{name}")
    messages = {_type(example): _message(example) for example in EXAMPLES}
    references = {name: {"$ref": f"#/components/messages/{name}"} for name in messages}
    channel_messages = [{"$ref": f"#/channels/events/messages/{name}"} for name in messages]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Peakledger events",
            "version": SCHEMA_VERSION,
            "description": "Payments, bills and transfers, booked exactly once into a double-entry ledger.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "events": {"address": EVENTS_TOPIC, "description": _EVENTS, "messages": references},
        },
        "operations": {
            "bookEvents": {
                "action": "receive",
                "channel": {"$ref": "#/channels/events"},
                "summary": "Book every event exactly once, or refuse it with a reason.",
                "messages": channel_messages,
            },
        },
        "components": {"messages": messages, "schemas": schemas},
    }


def _type(event: Event) -> str:
    return str(event.__struct_config__.tag)


def _message(example: Event) -> dict[str, Any]:
    name = type(example).__name__
    message: dict[str, Any] = {
        "name": _type(example),
        "title": name,
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{name}"},
        "examples": [{"name": _type(example), "payload": msgspec.to_builtins(example)}],
    }
    if isinstance(example, Bill | Payment):
        message["bindings"] = {"kafka": {"key": _HOUSEHOLD_KEY, "bindingVersion": "0.5.0"}}
    return message


def documents() -> dict[str, str]:
    """Return the text of each document by its file name."""
    made = {"event.schema.json": json_schema(), "asyncapi.json": asyncapi()}
    return {name: json.dumps(document, indent=2, ensure_ascii=False) + "\n" for name, document in made.items()}


if __name__ == "__main__":
    for file_name, text in documents().items():
        Path(sys.argv[1], file_name).write_text(text)
