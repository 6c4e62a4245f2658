"""Whether a cost grows with the length of a text, or with its square: of processor time, whatever else runs."""

import gc
import time
from collections.abc import Callable

from tests.costs.hostile import Text

# Returns what is to be measured, once the text is put where it belongs.
Consumer = Callable[[str], Callable[[], object]]
# What grows with the square of a text ends at one of the smaller ones, before it takes minutes.
# The first is to load what is loaded at the first use.
FIRST = (100, 12_500, 50_000)
HALF, WHOLE = 100_000, 200_000
MOST_SECONDS = 5.0
# What is quicker isn't worth a second look: by its square, a text of a megabyte would take a second.
QUICK = 0.04
MOST_GROWTH = 3.0
TRIES = 6


def fault(text: Text, consumer: Consumer) -> str | None:
    """Return what is wrong with a cost, or None: it may at most triple where the text is twice as long."""
    for length in (*FIRST, WHOLE):
        most = MOST_SECONDS * max(length, FIRST[1]) / WHOLE
        tries = (_seconds(text(length), consumer) for _ in range(TRIES))
        whole = next((seconds for seconds in tries if seconds <= most), float("inf"))  # a machine may be slow once
        if whole > most:
            return f"more than {most:.2f} s for {length:,} characters"
    half = float("inf")
    for _ in range(TRIES):
        if whole <= QUICK:
            return None
        half = min(half, _seconds(text(HALF), consumer))
        if whole < MOST_GROWTH * half:
            return None
        whole = min(whole, _seconds(text(WHOLE), consumer))
    if whole <= QUICK or whole < MOST_GROWTH * half:
        return None
    return f"{half:.3f} s for {HALF:,} characters, {whole:.3f} s for {WHOLE:,}"


def _seconds(text: str, consumer: Consumer) -> float:
    """Measure without Python's collector, which looks through all that the other tests have left as well."""
    run = consumer(text)
    gc.disable()
    try:
        began = time.process_time()
        run()
        return time.process_time() - began
    finally:
        gc.enable()
