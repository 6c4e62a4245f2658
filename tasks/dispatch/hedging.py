"""Ask a second time where the first answer is slower than nearly all ("The Tail at Scale", Dean and Barroso, 2013)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from tasks.base.errors import CallFailed
from tasks.providers.protocol import Reply

Post = Callable[[], Awaitable[Reply]]
# Waits for a place in the limits and returns what frees it.
Leave = Callable[[], None]
Enter = Callable[[], Awaitable[Leave]]


class Race(NamedTuple):
    """The first good reply, and the other of two requests, which is under way or has failed; None where one was sent.

    `is_second`: the reply is the second request's.
    """

    reply: Reply
    other: "asyncio.Future[Reply] | None" = None
    is_second: bool = False


async def first_reply(post: Post, enter: Enter, slow: float | None) -> Race:
    """Return the first good reply, and the slower request where a second was sent for it.

    The second goes after `slow` seconds; with None there is never one. The slower of the two
    isn't cancelled, for the provider is paid for it: the caller hears it out.
    """
    if slow is None:
        return Race(await post())
    first = asyncio.ensure_future(post())
    sent: list[bool] = []
    second: asyncio.Future[Reply] | None = None
    try:
        await asyncio.wait({first}, timeout=slow)
        if first.done():
            return Race(first.result())
        second = asyncio.ensure_future(_second(post, enter, sent))
        await asyncio.wait({first, second}, return_when=asyncio.FIRST_COMPLETED)
        ahead, behind = (first, second) if first.done() else (second, first)
        if not _good(ahead):
            ahead, behind = behind, ahead
        reply = await ahead
    except BaseException:
        await _cancelled(first, second)
        raise
    if not sent:
        await _cancelled(second)
        return Race(reply)
    return Race(reply, behind, is_second=ahead is second)


async def _cancelled(*requests: "asyncio.Future[Reply] | None") -> None:
    for request in requests:
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
