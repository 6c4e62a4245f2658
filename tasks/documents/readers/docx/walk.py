"""A walk over a tree of XML of any depth: without recursion, each element once."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

Close = Callable[[], None]
# A handler of an element's beginning returns what is to be done at its end, or SKIP for not going into it.
Skip = Literal[False]
SKIP: Skip = False
Handler = Callable[[Any], Close | Skip | None]


def walk(root: Any, handlers: Mapping[Any, Handler | Skip]) -> None:
    """Go through what is within an element; elements without a handler are gone into."""
    stack: list[tuple[Any, Close | None]] = [(iter(root), None)]
    while stack:
        children, close = stack[-1]
        for child in children:
            handler = handlers.get(child.tag)
            then: Close | Skip | None = None
            if handler is not None:
                then = SKIP if handler is SKIP else handler(child)
            elif not isinstance(child.tag, str):  # a comment
                then = SKIP
            if then is not SKIP:
                stack.append((iter(child), then))
                break
        else:
            stack.pop()
            if close is not None:
                close()
