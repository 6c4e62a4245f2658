"""Do something again and again on a thread of its own, while a block runs."""

import contextlib
import contextvars
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def repeated(work: Callable[[], object], seconds: float) -> Iterator[None]:
    """Call `work` every `seconds` seconds, in the context of the caller, until the block ends."""
    done = threading.Event()
    # The context names the Prefect server to use, and a new thread would start with an empty one.
    context = contextvars.copy_context()

    def keep_up() -> None:
        while not done.wait(seconds):
            work()

    thread = threading.Thread(target=context.run, args=(keep_up,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
