"""Equations (Office Math, ECMA-376, part 1, 22.1) in one line, after the fashion of LaTeX."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lxml import etree

from tasks.documents.readers.docx.inline import grouped
from tasks.documents.readers.docx.names import M, W

Parts = Mapping[str, Sequence[str]]
"""The texts of an element's children by their names, in order."""

VALUE = f"{M}val"
SKIPPED = (f"{W}del", f"{W}moveFrom", f"{W}rPr", f"{M}ctrlPr", f"{M}rPr")
TEXTS = (f"{M}t", f"{W}t")


def linear(equation: Any) -> str:
    """Return an equation in one line: `A=πr^2`, `(a+b)/2`, `√(x+1)`, `∑_{i=1}^n i`, `[a, b; c, d]`."""
    stack: list[tuple[Any, dict[str, list[str]], list[str]]] = [(equation, {}, [])]
    walk = etree.iterwalk(equation, events=("start", "end"))
    next(walk)
    for event, element in walk:
        if event == "start":
            if element.tag in SKIPPED or not isinstance(element.tag, str):
                walk.skip_subtree()
            stack.append((element, {}, []))
            continue
        if element is equation:
            break
        text = _text(*stack.pop())
        _, parts, texts = stack[-1]
        parts.setdefault(_name(element), []).append(text)
        texts.append(text)
    return "".join(stack[0][2]).strip()


def _text(element: Any, parts: dict[str, list[str]], texts: list[str]) -> str:
    if element.tag in TEXTS:
        return element.text or ""
    if element.tag in SKIPPED or not isinstance(element.tag, str):
        return ""
    shape = SHAPES.get(_name(element)) if element.tag.startswith(M) else None
    return shape(element, parts) if shape else "".join(texts)


def _name(element: Any) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _first(parts: Parts, name: str) -> str:
    return "".join(parts.get(name, ()))


def _property(element: Any, name: str, default: str) -> str:
    item = element.find(f"{M}{_name(element)}Pr/{M}{name}")
    found: str = default if item is None else item.get(VALUE, "")
    return found


def _atom(text: str) -> str:
    """Return a text that stands for one thing: within parentheses where it is more."""
    return text if text.isalnum() or len(text) <= 1 or _enclosed(text) else f"({text})"


def _enclosed(text: str) -> bool:
    """Whether one pair of parentheses holds all of a text."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return place == len(text) - 1 and text[0] == "("
    return False


def _fraction(element: Any, parts: Parts) -> str:
    top, bottom = _first(parts, "num"), _first(parts, "den")
    if _property(element, "type", "bar") == "noBar":
        return f"({top} over {bottom})"
    return f"{_atom(top)}/{_atom(bottom)}"


def _scripts(element: Any, parts: Parts) -> str:
    del element
    low, high = _first(parts, "sub"), _first(parts, "sup")
    base = _first(parts, "e")
    return base + (f"_{grouped(low)}" if low else "") + (f"^{grouped(high)}" if high else "")


def _before(element: Any, parts: Parts) -> str:
    low, high = _first(parts, "sub"), _first(parts, "sup")
    del element
    return (f"_{grouped(low)}" if low else "") + (f"^{grouped(high)} " if high else " ") + _first(parts, "e")


def _root(element: Any, parts: Parts) -> str:
    del element
    degree, inner = _first(parts, "deg"), _first(parts, "e")
    return (f"√[{degree}]" if degree else "√") + (inner if inner.isalnum() else f"({inner})")


def _operator(element: Any, parts: Parts) -> str:
    sign = _property(element, "chr", "∫")
    low, high = _first(parts, "sub"), _first(parts, "sup")
    return sign + (f"_{grouped(low)}" if low else "") + (f"^{grouped(high)}" if high else "") + " " + _first(parts, "e")


def _delimited(element: Any, parts: Parts) -> str:
    inner = _property(element, "sepChr", "|").join(parts.get("e", ()))
    return _property(element, "begChr", "(") + inner + _property(element, "endChr", ")")


def _function(element: Any, parts: Parts) -> str:
    del element
    name, inner = _first(parts, "fName"), _first(parts, "e")
    return name + ("" if inner.startswith("(") else " ") + inner


def _limit(sign: str) -> Callable[[Any, Parts], str]:
    return lambda _, parts: f"{_first(parts, 'e')}{sign}{grouped(_first(parts, 'lim'))}"


def _accent(element: Any, parts: Parts) -> str:
    inner = _first(parts, "e")
    return (inner if len(inner) == 1 else f"({inner})") + _property(element, "chr", "\u0302")


def _bar(element: Any, parts: Parts) -> str:
    inner, low = _first(parts, "e"), _property(element, "pos", "bot") != "top"
    return (inner if len(inner) == 1 else f"({inner})") + ("\u0332" if low else "\u0305")


def _matrix(element: Any, parts: Parts) -> str:
    del element
    return "[" + "; ".join(parts.get("mr", ())) + "]"


SHAPES: dict[str, Callable[[Any, Parts], str]] = {
    "f": _fraction,
    "sSup": _scripts,
    "sSub": _scripts,
    "sSubSup": _scripts,
    "sPre": _before,
    "rad": _root,
    "nary": _operator,
    "d": _delimited,
    "func": _function,
    "limLow": _limit("_"),
    "limUpp": _limit("^"),
    "acc": _accent,
    "bar": _bar,
    "m": _matrix,
    "mr": lambda _, parts: ", ".join(parts.get("e", ())),
    "eqArr": lambda _, parts: "; ".join(parts.get("e", ())),
}
