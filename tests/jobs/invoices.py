"""Invoices to extract from: a schema of ten typed fields, documents, and a model that reads them."""

import json
import re
from pathlib import Path
from typing import Any

FIELDS: dict[str, Any] = {
    "number": {"type": "integer", "description": "the invoice's number"},
    "customer": {"type": "string"},
    "total": {"type": "number"},
    "paid": {"type": "boolean"},
    "issued": {"type": "string", "format": "date"},
    "sent_at": {"type": "string", "format": "date-time"},
    "currency": {"enum": ["EUR", "USD"]},
    "tags": {"type": "array", "items": {"type": "string"}},
    "address": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "storey": {"type": ["integer", "null"]}},
        "required": ["city"],
    },
    "discount": {"anyOf": [{"type": "number"}, {"type": "null"}]},
}
SCHEMA = {"title": "Invoice", "type": "object", "properties": FIELDS, "required": list(FIELDS)}
TYPES = {
    "number": "BIGINT",
    "customer": "VARCHAR",
    "total": "DOUBLE",
    "paid": "BOOLEAN",
    "issued": "DATE",
    "sent_at": "TIMESTAMP WITH TIME ZONE",
    "currency": "VARCHAR",
    "tags": "VARCHAR[]",
    "address": "STRUCT(city VARCHAR, storey BIGINT)",
    "discount": "DOUBLE",
}


def invoice(number: int) -> dict[str, Any]:
    """Return what is in the invoice of a number."""
    return {
        "number": number,
        "customer": f"Customer {number}",
        "total": number + 0.5,
        "paid": number % 2 == 0,
        "issued": f"2026-01-{1 + number % 28:02d}",
        "sent_at": f"2026-01-{1 + number % 28:02d}T12:00:00+02:00",
        "currency": "EUR" if number % 3 else "USD",
        "tags": [f"t{number % 5}", "all"],
        "address": {"city": f"City {number % 7}", "storey": None if number % 2 else number},
        "discount": None if number % 4 else 0.1,
    }


def text_of(number: int) -> str:
    return f"Invoice no. {number} of a small trader, with all that stands in one."


def number_in(body: dict[str, Any]) -> int:
    """Return the number of the invoice that a request is about."""
    found = re.search(r"Invoice no\. (\d+)", body["messages"][0]["content"])
    assert found is not None
    return int(found[1])


def is_repair(body: dict[str, Any]) -> bool:
    return len(body["messages"]) == 3


def answer(number: int) -> str:
    return json.dumps(invoice(number))


def schema_file(folder: Path, schema: Any = SCHEMA) -> str:
    path = folder / "schema.json"
    path.write_text(json.dumps(schema), encoding="utf-8")
    return str(path)
