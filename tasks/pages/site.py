"""The live pages: a list of result sets, each with its page, and the health of the routes where it is kept."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import duckdb

from tasks.errors import DocmillError
from tasks.pages.job import TONES, job_page
from tasks.pages.job_facts import job_facts
from tasks.pages.page import page
from tasks.results.folder import folder_at
from tasks.results.job_file import read_job_file

# A page that several windows ask for is made once in so many seconds.
FRESH_SECONDS = 2.0
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Listed:
    """A result set in the list, by what its job.json says; `path` is None where nothing can be read there."""

    place: str
    path: str | None
    flow: str
    status: str
    tone: str
    documents: int | None
    planned: int | None
    cost_usd: float | None
    began: datetime | None


@dataclass(slots=True)
class Site:
    """All live pages by their paths; nothing but what is listed can be asked for.

    `places` are result sets as they are registered, `health` makes the page of the routes (None: there is none).
    """

    places: Callable[[], Iterable[str]]
    health: Callable[[], str] | None = None
    clock: Clock = time.monotonic
    _made: dict[str, tuple[float, str]] = field(default_factory=dict)
    _making: threading.Lock = field(default_factory=threading.Lock)

    def page(self, path: str) -> str | None:
        """Return the page of a path in HTML, or None where there is none."""
        makers = self._makers()
        make = makers.get(path)
        if make is None:
            return None
        with self._making:
            at, html = self._made.get(path, (None, ""))
            if at is None or self.clock() - at >= FRESH_SECONDS:
                html = make()
                self._made = {known: made for known, made in self._made.items() if known in makers}
                self._made[path] = (self.clock(), html)
        return html

    def _makers(self) -> Mapping[str, Callable[[], str]]:
        places = list(dict.fromkeys(self.places()))
        makers: dict[str, Callable[[], str]] = {"/": lambda: self._front(places)}
        makers |= {path_of(place): (lambda place=place: _job(place)) for place in places}  # type: ignore[misc]
        if self.health is not None:
            makers["/health"] = self.health
        return makers

    def _front(self, places: Sequence[str]) -> str:
        rows = sorted(map(_listed, places), key=lambda one: (one.status != "running", -_at(one.began), one.place))
        return page("site.html", live=True, jobs=rows, has_health=self.health is not None)


def path_of(place: str) -> str:
    """Return the path of a result set's page: no part of a name is in it."""
    return f"/job/{hashlib.sha256(place.encode()).hexdigest()[:16]}"


def _job(place: str) -> str:
    try:
        folder = folder_at(place)
        return job_page(folder, job_facts(folder), live=True)
    except (duckdb.Error, DocmillError, OSError) as error:
        return page("unread.html", live=True, place=place, why=str(error).partition("\n")[0])


def _listed(place: str) -> Listed:
    try:
        record = read_job_file(folder_at(place))
    except (DocmillError, OSError):
        record = {}
    status = str(record.get("status", "not there"))
    totals, plan = _mapping(record.get("totals")), _mapping(record.get("plan"))
    return Listed(
        place,
        path_of(place) if record else None,
        str(record.get("flow", "")),
        status,
        TONES.get(status, "quiet"),
        totals.get("documents"),
        plan.get("documents"),
        totals.get("cost_usd"),
        _moment(record.get("started_at")),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _moment(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else None


def _at(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0
