"""How a request passes on the JSON Schema that the answer must follow, and how providers refuse that."""

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

from tasks.base.errors import CallFailed
from tasks.providers.protocol import Verbatim

Structured = Literal["json_schema", "json_object"]
# Some servers break over a schema that they don't know rather than refusing it.
REFUSING = frozenset({400, 415, 422, 500, 501})
# Gemini's words are those of its own API: generation_config.response_schema and the schema's keywords.
ABOUT_FORMAT = re.compile(
    r"response_?(format|schema|mime_?type)|json.?(schema|object|mode)|structured|guided|grammar|generation_?config"
    r"|additionalProperties|\$(defs|ref)|anyOf|outlines|xgrammar|the word .?json",
    re.IGNORECASE,
)
# Groq and others: the model's answer didn't follow the format, which another of its answers may.
ABOUT_ANSWER = re.compile(
    r"json_validate_failed|failed to generate json|failed_generation|output_parse_failed", re.IGNORECASE
)
NAMELESS = "answer"


def response_format(structured: Structured, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the field of a completion's body that asks for an object of a schema, or for any object."""
    if structured == "json_object":
        return {"type": "json_object"}
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", str(schema.get("title") or ""))[:64].strip("_") or NAMELESS
    # As it stands: a model that is held to a schema writes the fields in its order.
    text = Verbatim(json.dumps(schema, ensure_ascii=False))
    return {"type": "json_schema", "json_schema": {"name": name, "schema": text, "strict": is_strict(schema)}}


def is_strict(schema: Any) -> bool:
    """Whether every object of a schema requires all of its properties and allows no other: what `strict` demands."""
    if isinstance(schema, list):
        return all(is_strict(one) for one in schema)
    if not isinstance(schema, Mapping):
        return True
    properties = schema.get("properties")
    if isinstance(properties, Mapping) or schema.get("type") == "object":
        names = set(properties or {})
        if schema.get("additionalProperties") is not False or set(schema.get("required", ())) != names:
            return False
    return all(is_strict(one) for key, one in schema.items() if key not in ("enum", "const", "default", "examples"))


def refuses_format(error: CallFailed) -> bool:
    """Whether a call was refused because of its response format: without one it may be answered."""
    return error.status in REFUSING and not fails_format(error) and bool(ABOUT_FORMAT.search(error.words))


def fails_format(error: CallFailed) -> bool:
    """Whether one answer didn't follow its response format, which the provider holds it to: others may."""
    return error.status in REFUSING and bool(ABOUT_ANSWER.search(error.words))
