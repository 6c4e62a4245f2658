"""Events as JSON Lines: one object a line."""

import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import orjson

from tasks.errors import UserMistake
from tasks.events.event import Event

STDERR = "-"
UNSAID = frozenset({"document began"})  # its calls, and its end, say as much
OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z


class Lines:
    """Writes the events of one job to an open file, each batch by one write."""

    def __init__(self, file: IO[bytes], job_id: str) -> None:
        self._file, self._job_id = file, job_id

    def take(self, events: Sequence[Event]) -> None:
        """Write events. Raises OSError."""
        self._file.write(b"".join([self._line(event) for event in events if event.name not in UNSAID]))
        self._file.flush()

    def _line(self, event: Event) -> bytes:
        line = {
            "time": datetime.fromtimestamp(event.at, UTC),
            "level": event.level,
            "event": event.name,
            "job_id": self._job_id,
            **event.fields,
        }
        try:
            return orjson.dumps(line, option=OPTIONS)
        except TypeError:  # a file's name that is no text
            return json.dumps(line, default=_plain).encode("ascii") + b"\n"


def _plain(value: Any) -> str:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)


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
