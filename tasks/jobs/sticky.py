"""Routes that were chosen for a job stay its routes until it is done, whatever prices do meanwhile."""

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

from tasks.jobs.stops import Stop

FILE = Path(".docmill") / "routes.json"


def as_before(stops: Sequence[Stop], output: Path) -> list[Stop]:
    """Return the stops in the order of an unfinished job of this result set, then the others."""
    labels = _labels(output)
    before = [stop for label in labels for stop in stops if stop.label == label]
    return [*before, *(stop for stop in stops if stop.label not in labels)]


def remember(stops: Sequence[Stop], output: Path) -> None:
    """Keep the order for a run that takes the job up again."""
    with contextlib.suppress(OSError):
        (output / FILE).write_text(json.dumps([stop.label for stop in stops]), encoding="utf-8")


def _labels(output: Path) -> list[str]:
    try:
        status = json.loads((output / "job.json").read_text(encoding="utf-8"))["status"]
        labels = json.loads((output / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [] if status == "done" else [str(label) for label in labels]
