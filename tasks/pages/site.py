"""What the live server shows: an overview, and a page for each result set that is known on this machine."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tasks.base.errors import DocmillError
from tasks.pages.job_facts import job_facts
from tasks.pages.job_page import TONES, job_page
from tasks.pages.page import page
from tasks.results.job_file import read_job_file
from tasks.results.location import Folder, folder_at

Places = Callable[[], Iterable[str]]


class JobLine(NamedTuple):
    """A result set in the list of all; `path` is where its page is served."""

    path: str
    place: str
    flow: str
    status: str
    began: datetime | None
    documents: int | None
    failed: int | None
    calls: int | None
    cost_usd: float | None


def path_of(folder: Folder) -> str:
    """Return the path of a result set's page: a hash of its identity, which reveals nothing else."""
    return f"/jobs/{hashlib.sha256(folder.identity.encode()).hexdigest()[:16]}"


class JobSite:
    """The pages by path; `places` is called at each request."""

    def __init__(self, places: Places, overview: Callable[[list[JobLine]], str] | None = None) -> None:
        """`overview` makes the first page of the lines of all jobs; without it that is their list alone."""
        self._places = places
        self._overview = overview or jobs_page

    def __call__(self, path: str) -> str | None:
        """Return the page at a path, or None. Raises StorageFailed or duckdb.Error where it can't be made."""
        folders = list(_folders(self._places()))
        if path == "/":
            lines = [_line(folder) for folder in folders]
            return self._overview(sorted(lines, key=lambda line: (line.status != "running", _age(line.began))))
        for folder in folders:
            if path == path_of(folder):
                return job_page(folder, job_facts(folder), live=True)
        return None


def jobs_page(lines: list[JobLine]) -> str:
    """Return the list of all jobs as a live page."""
    return page("jobs.html", live=True, lines=lines, tones=TONES)


def _folders(places: Iterable[str]) -> Iterator[Folder]:
    """Yield those that can be opened and hold a job."""
    seen: set[str] = set()
    for place in places:
        try:
            folder = folder_at(place)
            if folder.identity not in seen and read_job_file(folder):
                seen.add(folder.identity)
                yield folder
        except DocmillError:
            continue  # its package or its keys are not those of this process


def _line(folder: Folder) -> JobLine:
    record = read_job_file(folder)
    totals: dict[str, Any] = record.get("totals") or {}
    return JobLine(
        path_of(folder),
        folder.location,
        str(record.get("flow", "")),
        str(record.get("status", "")),
        _moment(record.get("started_at")),
        totals.get("documents"),
        totals.get("failed"),
        totals.get("calls"),
        totals.get("cost_usd"),
    )


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC)
    except ValueError:
        return None


def _age(began: datetime | None) -> float:
    return -began.timestamp() if began else 0.0
