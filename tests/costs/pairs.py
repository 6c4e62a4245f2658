"""Which reader is tried with which texts: each place and each family at least once, by a fixed rotation."""

from collections.abc import Iterator, Mapping
from itertools import groupby

from tests.costs.consumers import CONSUMERS
from tests.costs.files import FILES
from tests.costs.hostile import FAMILIES, Text
from tests.costs.measured import Consumer

ALL: Mapping[str, Consumer] = {**CONSUMERS, **FILES}


def groups() -> dict[str, list[str]]:
    """Return the names of consumers by what they try: the places of one format are a group."""
    return {name: list(names) for name, names in groupby(ALL, _group)}


def pairs(group: str, names: list[str], turn: int) -> Iterator[tuple[str, str, Text]]:
    """Yield the consumers of a group, each with the name of a text and the text."""
    families = list(FAMILIES.values())
    for number in range(max(len(names), len(families))):
        family = families[number % len(families)]
        texts = list(family)
        text = texts[(turn + number) % len(texts)]
        yield names[number % len(names)], text, family[text]


def _group(name: str) -> str:
    of_several = (group for group in ("count", "cut", "decode", "sections") if name.startswith(group))
    return next(of_several, name.partition(":")[0])
