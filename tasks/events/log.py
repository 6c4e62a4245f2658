"""Events as JSON Lines: one object a line."""

import contextlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import orjson

from tasks.base.errors import UserMistake
from tasks.events.event import LEVELS, Event

STDERR = "-"
UNSAID = frozenset({"document began"})  # its calls, and its end, say as much


class Lines:
    """Writes the events of one job to an open file, each batch by one write."""

    def __init__(self, file: IO[bytes], job_id: str) -> None:
        self._file, self._job_id = file, job_id
        self._second, self._clock = -1.0, ""

    def take(self, events: Sequence[Event]) -> None:
        """Write events. Raises OSError."""
        self._file.write(b"".join([self._line(event) for event in events if event.name not in UNSAID]))
        self._file.flush()

    def _line(self, event: Event) -> bytes:
        # Assembled by hand: merging two dictionaries would take longer than everything else here.
        second, fraction = divmod(event.at, 1)
        if second != self._second:
            self._second, self._clock = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        name, level = event.name, LEVELS.get(event.name, "info")
        when = f"{self._clock}.{int(fraction * 1e6):06d}Z"
        head = f'{{"time":"{when}","level":"{level}","event":"{name}","job_id":"{self._job_id}"'
        try:
            fields = orjson.dumps(event.fields, option=orjson.OPT_APPEND_NEWLINE)
        except TypeError:  # a name that is no text
            fields = json.dumps(event.fields, default=str).encode("ascii") + b"\n"
        return head.encode("ascii") + (b"," if event.fields else b"") + fields[1:]


@contextlib.contextmanager
def log_file(place: str, job_id: str) -> Iterator[Lines]:
    """Open a log to append to it, or stderr. Raises UserMistake where it can't be written."""
    if place == STDERR:
        yield Lines(sys.stderr.buffer, job_id)
        return
    if "://" in place:
        raise UserMistake(f"--log {place.partition('://')[0]}://…: a log is a file of this machine, or - for stderr")
    try:
        Path(place).parent.mkdir(parents=True, exist_ok=True)
        file = Path(place).open("ab")  # noqa: SIM115 - closed below, whatever it says of what it couldn't write
    except OSError as error:
        raise UserMistake(f"--log {place}: can't be written ({error.strerror}): name another file") from None
    try:
        yield Lines(file, job_id)
    finally:
        with contextlib.suppress(OSError):
            file.close()
