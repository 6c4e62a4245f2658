"""Find the JSON objects in an answer, whatever stands around them."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from tasks.providers.thoughts import answer_of

# What determines where an object ends: whole strings (the last one may be unterminated), and braces.
MARKS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[{}]', re.DOTALL)
SURROGATE = re.compile("[\ud800-\udfff]")
# If an answer holds more objects, only the last ones are used.
MOST_OBJECTS = 16
NO_OBJECT = "it isn't JSON"


class Invalid(ValueError):
    """An answer that doesn't follow the schema; the message, one line per fault, is sent to the model."""


def parse_objects(text: str) -> list[dict[str, Any]]:
    """Return the objects of an answer without its thoughts, in order: the one that it is, or those in fences or words.

    Where the answer is an array of one object, it is that one.

    Raises Invalid where there is none, or where what stands there is no JSON.
    """
    text = answer_of(text)
    if not text.strip():
        raise Invalid(f"{NO_OBJECT}: there is nothing but thoughts, or nothing at all")
    try:
        value = _loaded(text.strip())
    except ValueError as error:
        found = list(_objects(text))
        if not found:
            raise Invalid(f"{NO_OBJECT}: {error}") from error
        return found[-MOST_OBJECTS:]
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        raise Invalid(f"it is no JSON object but {_named(value)}")
    return [value]


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Yield what is in braces and is an object. Raises Invalid where an object isn't JSON, or has no end."""
    fault: ValueError | None = None
    found, end = False, 0
    start = text.find("{")
    while start >= 0:
        if found and text[end:start].strip() == ",":
            raise Invalid("it is no JSON object but an array")
        closed = _end(text, start)
        if closed is None:
            # Words behind an answer may hold a brace.
            if found and not _looks_like_one(text[start:]):
                return
            raise Invalid(f"{NO_OBJECT}: an object begins and doesn't end")
        end = closed
        try:
            yield _loaded(text[start:end])
            found = True
        except ValueError as error:
            # An object may be accompanied by words in braces; a broken object isn't searched for inner ones.
            if _looks_like_one(text[start:end]):
                raise Invalid(f"{NO_OBJECT}: {error}") from error
            fault = fault or error
        start = text.find("{", end)
    if fault is not None and not found:
        raise Invalid(f"{NO_OBJECT}: {fault}")


def _looks_like_one(braces: str) -> bool:
    return braces[1:100].lstrip().startswith('"')


def _end(text: str, start: int) -> int | None:
    """Return where the braces that open at `start` are closed."""
    depth = 0
    for mark in MARKS.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(mark[0], 0)
        if not depth:
            return mark.end()
    return None


def _loaded(text: str) -> Any:
    """Return the JSON of a text, whose strings may hold line ends as they are. Raises ValueError.

    Lone surrogates, which no table takes, become U+FFFD.
    """
    try:
        value = json.loads(text, strict=False, parse_float=_finite, parse_constant=_not_json)
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
