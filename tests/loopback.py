"""Serve an aiohttp application on loopback from a thread of its own."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator

from aiohttp import web

# 2,000 clients connect at once.
BACKLOG = 4096


@contextlib.contextmanager
def served(application: web.Application, port: int = 0) -> Iterator[str]:
    """Yield the root of its URL while the block runs; requests that hang don't hold up the end."""
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(application, shutdown_timeout=1.0)

    async def start() -> str:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, backlog=BACKLOG).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    root = asyncio.run_coroutine_threadsafe(start(), loop).result()
    try:
        yield root
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
