r"""Equations of EQ fields, Word's form of before 2007: `EQ \f(1,2)` (ECMA-376, part 1, 17.16.5.17)."""

import re
from collections.abc import Sequence

from tasks.documents.readers.docx.inline import grouped

# A switch with its options and its arguments, none of which holds a switch: from the inside out. Nothing is tried
# twice, so that the cost is linear.
SWITCH = re.compile(r"\\([a-z])((?:\\[a-z]{1,2}[ ]?\d{0,4}|[ ]){0,8}+)\(([^()\\]*)\)", re.IGNORECASE)
DEEPEST = 20
# Parentheses of the result, which aren't those of arguments.
OPEN, CLOSE = "\ue000", "\ue001"


def old_equation(told: str) -> str:
    """Return what `EQ …` shows, in one line; arguments of switches that only place them follow each other."""
    text = told.split(" ", 1)[1].strip() if " " in told else ""
    for _ in range(DEEPEST):
        text, found = SWITCH.subn(_shown, text)
        if not found:
            break
    return text.replace(OPEN, "(").replace(CLOSE, ")")


def _shown(match: re.Match[str]) -> str:
    switch, options = match[1].lower(), match[2].lower()
    parts = [part.strip() for part in re.split("[,;]", match[3])]
    if switch == "f" and len(parts) == 2:
        return "/".join(_atom(part) for part in parts)
    if switch == "r":
        return _root(parts)
    if switch == "s":
        return ("_" if "\\do" in options else "^") + grouped("".join(parts))
    if switch == "i" and len(parts) == 3:
        return f"∫_{grouped(parts[0])}^{grouped(parts[1])} {parts[2]}"
    if switch == "b":
        return f"{OPEN}{','.join(parts)}{CLOSE}"
    return (", " if switch in "al" else "").join(parts)


def _root(parts: Sequence[str]) -> str:
    degree = f"[{parts[0]}]" if len(parts) > 1 and parts[0] else ""
    return f"√{degree}{_atom(parts[-1])}"


def _atom(text: str) -> str:
    return text if text.isalnum() else f"{OPEN}{text}{CLOSE}"
