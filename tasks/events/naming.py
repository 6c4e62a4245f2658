"""The names of fields in OpenTelemetry: the GenAI conventions' where they have one, else docmill's own."""

from collections.abc import Mapping
from typing import Any

NAMES = {
    "operation": "gen_ai.operation.name",
    "model": "gen_ai.request.model",
    "max_tokens": "gen_ai.request.max_tokens",
    "prompt_tokens": "gen_ai.usage.input_tokens",
    "completion_tokens": "gen_ai.usage.output_tokens",
    "error_kind": "error.type",
    "http_status": "http.response.status_code",
}
# The conventions' own names of providers.
PROVIDERS = {"bedrock": "aws.bedrock", "mistral": "mistral_ai"}
ROUTE = ("provider", "model", "operation")


def attributes(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields as attributes; what is None is left out."""
    found: dict[str, Any] = {}
    for name, value in fields.items():
        if value is None:
            continue
        if name == "provider":
            # The older name is what many backends still group by.
            found["gen_ai.system"] = found["gen_ai.provider.name"] = PROVIDERS.get(value, value)
            continue
        # A name may hold lone surrogates, which would spoil the whole batch that is sent with it.
        text = value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value
        found[NAMES.get(name, f"docmill.{name}")] = text
    return found


def of_route(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the route's attributes, by which metrics are distinguished."""
    return attributes({name: fields.get(name) for name in ROUTE})
