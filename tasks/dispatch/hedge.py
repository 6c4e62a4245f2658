"""Ask a second time where the first answer is slower than nearly all ("The Tail at Scale", Dean and Barroso, 2013)."""

import asyncio
from collections.abc import Awaitable, Callable

from tasks.errors import CallFailed
from tasks.providers.wire import Reply

Post = Callable[[], Awaitable[Reply]]
# Waits for a place in the limits and returns what frees it.
Leave = Callable[[], None]
Enter = Callable[[], Awaitable[Leave]]


async def first_reply(post: Post, enter: Enter, slow: float | None) -> tuple[Reply, bool]:
    """Return the first good reply, and whether a second request was sent for it.

    The second goes after `slow` seconds; with None there is never one. The slower
    of the two is given up, but may be paid for nevertheless.
    """
    if slow is None:
        return await post(), False
    first = asyncio.ensure_future(post())
    sent: list[bool] = []
    second: asyncio.Future[Reply] | None = None
    try:
        await asyncio.wait({first}, timeout=slow)
        if first.done():
            return first.result(), False
        second = asyncio.ensure_future(_second(post, enter, sent))
        await asyncio.wait({first, second}, return_when=asyncio.FIRST_COMPLETED)
        ahead, behind = (first, second) if first.done() else (second, first)
        return (ahead.result() if _good(ahead) else await behind), bool(sent)
    finally:
        for request in (first, second):
            if request is not None:
                request.cancel()
                await asyncio.gather(request, return_exceptions=True)


async def _second(post: Post, enter: Enter, sent: list[bool]) -> Reply:
    leave = await enter()
    sent.append(True)
    try:
        return await post()
    finally:
        leave()


def _good(request: "asyncio.Future[Reply]") -> bool:
    error = request.exception()
    if error is not None and not isinstance(error, CallFailed):
        raise error
    return error is None and request.result().status < 300
