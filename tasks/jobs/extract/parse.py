"""Find the one JSON object in an answer, whatever stands around it."""

import json
import math
import re
from typing import Any, NoReturn

THOUGHTS = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
# Of a text, what matters to where an object ends: strings as a whole (the last may have no end), and braces.
MARKS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[{}]', re.DOTALL)
SURROGATE = re.compile("[\ud800-\udfff]")


class Invalid(ValueError):
    """An answer that isn't what the schema asks for; the message is what is told to the model, a line a fault."""


def parse_object(text: str) -> dict[str, Any]:
    """Return the object that an answer is, or the first one in it: in a fence, or among words.

    Raises Invalid where there is none, or where what stands there is no JSON.
    """
    text = THOUGHTS.sub("", text)
    try:
        value = _loaded(text.strip())
    except ValueError as error:
        found = _first_object(text)
        if found is None:
            raise Invalid(f"it isn't JSON: {error}") from error
        value = found
    if not isinstance(value, dict):
        raise Invalid(f"it is no JSON object but {_named(value)}")
    return value


def _first_object(text: str) -> Any:
    """Return the first braces with an object in them. Raises Invalid where an object isn't JSON, or has no end."""
    fault: ValueError | None = None
    start = text.find("{")
    while start >= 0:
        end = _end(text, start)
        if end is None:
            raise Invalid("it isn't JSON: an object begins and doesn't end")
        try:
            return _loaded(text[start:end])
        except ValueError as error:
            # Words in braces come before an object at times; what looks like one isn't looked into.
            if text[start + 1 : end].lstrip().startswith('"'):
                raise Invalid(f"it isn't JSON: {error}") from error
            fault = fault or error
        start = text.find("{", end)
    if fault is not None:
        raise Invalid(f"it isn't JSON: {fault}")
    return None


def _end(text: str, start: int) -> int | None:
    """Return where the braces that open at `start` are closed."""
    depth = 0
    for mark in MARKS.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(mark[0], 0)
        if not depth:
            return mark.end()
    return None


def _loaded(text: str) -> Any:
    """Return the JSON of a text; lone surrogates, which no table takes, become U+FFFD. Raises ValueError."""
    try:
        value = json.loads(text, parse_float=_finite, parse_constant=_not_json)
        if "\\u" in text or SURROGATE.search(text):
            clean = json.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            return json.loads(clean)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits[:40]} is beyond 64 bits")
    return number


def _not_json(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON number")


def _named(value: object) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null")
