"""Whatever reads a text takes twice as long for twice as much of it, however hostile it is."""

import re
from collections.abc import Callable
from functools import partial

import pytest

from tasks.documents.readers.kinds import Kind
from tasks.documents.readers.read import read
from tests.costs.files import PLACES
from tests.costs.hostile import FAMILIES, TEXTS
from tests.costs.measured import fault
from tests.costs.pairs import ALL, groups, pairs

GROUPS = groups()
# What takes the square of a text, each with one that shows it.
QUADRATIC: dict[str, tuple[str, Callable[[str], object]]] = {
    "blanks before an end": ("a heading of spaces", partial(re.sub, r"[ \t]+#+$", "")),
    "an end that isn't there": ("open marks", lambda text: [text.find("a", at) for at in range(0, len(text), 2)]),
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("turn", "group"), list(enumerate(GROUPS)), ids=GROUPS)
def test_a_cost_grows_with_the_text_and_not_with_its_square(turn: int, group: str) -> None:
    faults = {(name, title): fault(text, ALL[name]) for name, title, text in pairs(group, GROUPS[group], turn)}
    assert {pair: words for pair, words in faults.items() if words} == {}


def test_every_reader_is_tried_with_every_family() -> None:
    assert len(TEXTS) >= 40
    for turn, (group, names) in enumerate(GROUPS.items()):
        tried = list(pairs(group, names, turn))
        assert {name for name, _, _ in tried} == set(names)
        assert all(any(title in family for _, title, _ in tried) for family in FAMILIES.values())


@pytest.mark.parametrize("kind", [kind for kind, places in PLACES.items() if places])
def test_a_calm_text_is_read(kind: Kind) -> None:
    put = next(iter(PLACES[kind].values()))
    assert "calm" in read(put("calm"), kind, f"a.{kind}").text


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", QUADRATIC)
def test_a_square_is_noticed(name: str) -> None:
    title, work = QUADRATIC[name]
    assert fault(TEXTS[title], lambda text: partial(work, text))
