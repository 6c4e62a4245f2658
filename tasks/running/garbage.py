"""Python's garbage collector, set up for a long job with many short-lived objects.

A job's objects are freed by their reference counts: the collector finds nothing among
them, and takes a fifth of the time of a job with 2,000 calls in flight to find that, in
stops of the event loop of up to 100 ms.
"""

import contextlib
import gc
from collections.abc import Iterator

# Young objects are looked through once there are so many more than at the last look, which
# is twice what 2,000 calls in flight hold: only if something does leave cycles behind. The
# middle ones after so many of those looks, the old ones after so many of these.
THRESHOLDS = (500_000, 10, 10)


@contextlib.contextmanager
def calm_collector() -> Iterator[None]:
    """Collect seldom while the block runs, and exempt objects made before it; inside another such block, do nothing."""
    before = gc.get_threshold()
    if before == THRESHOLDS:
        yield
        return
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
