"""The result sets of this machine, noted where the monitor finds them."""

import contextlib
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from tasks.base.errors import StorageFailed
from tasks.base.settings import Settings
from tasks.results.files import replace_file
from tasks.results.location import Folder, folder_at

VARIABLE = "DOCMILL_HISTORY"
JOBS = "jobs"


def history_folder(settings: Settings) -> Path:
    """Return the folder of what this machine's routes and jobs have shown so far."""
    named = settings.word(VARIABLE)
    return Path(named) if named else platformdirs.user_data_path("docmill") / "history"


def register(output: Folder, settings: Settings) -> None:
    """Record the location of a result set, which holds no secret.

    If it can't be recorded, the job isn't affected; only the monitor lacks its calls.
    """
    place = str(output.path.absolute()) if output.path is not None else output.location
    path = history_folder(settings) / JOBS / f"{hashlib.sha256(place.encode()).hexdigest()[:16]}.json"
    text = json.dumps({"place": place}, ensure_ascii=False)
    with contextlib.suppress(OSError, StorageFailed):
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, lambda beside: _written(beside, text))


def registered(history: Path) -> Iterator[Folder]:
    """Yield the result sets that were noted, in the order of their names; a damaged note tells nothing."""
    for path in sorted((history / JOBS).glob("*.json")):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            yield folder_at(str(json.loads(path.read_text(encoding="utf-8"))["place"]))


def _written(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
