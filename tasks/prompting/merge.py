"""Merge the answers over a document's chunks into one object by a rule, without a call to a model."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Object = Mapping[str, Any]
Values = list[Any]
COMMA = re.compile(r"[-+]?\d+,(?:\d\d?|\d{4,})", re.ASCII)


def merged(rule: str, answers: Sequence[Object], nullable: Iterable[str] = ()) -> dict[str, Any]:
    """Return one object of answers in document order, field by field.

    `first`: the first value that says something (not null, nothing, or empty). `list`:
    arrays joined without duplicates, any other as `first`. `vote`: the value most chunks
    say, of equals the first. `majority`: of arrays, what at least half of the chunks say,
    any other as `vote`. A field that is null everywhere stays only if it is `nullable`.
    """
    choose, may_be_null = RULES[rule], frozenset(nullable)
    names = dict.fromkeys(name for answer in answers for name in answer)
    chosen = {name: choose([answer[name] for answer in answers if answer.get(name) is not None]) for name in names}
    return {name: value for name, value in chosen.items() if value is not None or name in may_be_null}


def _first(values: Values) -> Any:
    """Return the first that isn't empty, else the first, else None."""
    return next((value for value in values if not _is_empty(value)), values[0] if values else None)


def _list(values: Values) -> Any:
    if not values or not all(isinstance(value, list) for value in values):
        return _first(values)
    found: dict[str, Any] = {}
    for item in (item for value in values for item in value):
        found.setdefault(_text(item), item)
    return list(found.values())


def _vote(values: Values) -> Any:
    told = [value for value in values if not _is_empty(value)] or values
    votes: dict[str, int] = {}
    for value in told:
        votes[_text(value)] = votes.get(_text(value), 0) + 1
    # max returns the first of those with most votes.
    return max(told, key=lambda value: votes[_text(value)], default=None)


def _is_empty(value: Any) -> bool:
    return isinstance(value, str | list | dict) and not value


def _text(value: Any) -> str:
    """Return a key that equal values share, however they are written: 5 and 5.0, 1e3 and 1000, "12,50" and "12.50".

    A comma before three digits may separate thousands, so that "1,234" isn't "1.234".
    """
    if isinstance(value, str) and COMMA.fullmatch(value):
        value = value.replace(",", ".")
    return json.dumps(json.loads(json.dumps(value), parse_float=_number), sort_keys=True)


def _number(digits: str) -> int | float:
    number = float(digits)
    return int(number) if number.is_integer() else number


def _majority(values: Values) -> Any:
    """Return what stands in at least half of the lists, in the order in which it first stood; of no lists, the vote."""
    if not values or not all(isinstance(value, list) for value in values):
        return _vote(values)
    counts = Counter(item for value in values for item in {_text(item) for item in value})
    return [item for item in _list(values) if 2 * counts[_text(item)] >= len(values)]


RULES: Mapping[str, Callable[[Values], Any]] = {"first": _first, "list": _list, "vote": _vote, "majority": _majority}
