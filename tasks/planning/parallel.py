"""Work ahead on all processors."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from tasks.chunking.token_index import PROCESSORS

T = TypeVar("T")
R = TypeVar("R")
Ended = Callable[[], bool]


def in_order(work: Callable[[T, Ended], R], items: Iterable[T]) -> Iterator[R]:
    """Yield the result for each item, in order, working on one item per processor at a time.

    `work` is also given a function that returns True once its result is no longer wanted, for
    example after Ctrl-C, which doesn't wait for it.
    """
    waiting: deque[Future[R]] = deque()
    ended = threading.Event()
    pool = ThreadPoolExecutor(PROCESSORS)
    try:
        for item in items:
            waiting.append(pool.submit(work, item, ended.is_set))
            if len(waiting) > PROCESSORS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        ended.set()
        pool.shutdown(wait=False, cancel_futures=True)
