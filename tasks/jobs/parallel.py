"""Work ahead on all processors."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from tasks.chunking.places import PROCESSORS

T = TypeVar("T")
R = TypeVar("R")


def in_order(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Yield the result for each item, in order, with one item a processor under way."""
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(PROCESSORS) as pool:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > PROCESSORS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
