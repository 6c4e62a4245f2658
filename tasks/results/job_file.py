"""`job.json`: a job's options, its status and its totals."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, BinaryIO, Literal

from tasks.results.location import Folder

NAME = "job.json"
Status = Literal["running", "done", "paused", "failed"]


@dataclass(frozen=True, slots=True)
class Totals:
    """Documents in = done + partial + failed + unchanged.

    `calls` are all rows this job wrote to `calls`, `reused_calls` those of them not
    paid for; tokens and `cost_usd` (None: not known) are all that it paid for, answers of
    no use and documents without an end among them. `lost_calls` are those whose answer was
    lost on its way: nobody knows whether they were paid for, `lost_cost_usd` at the most.
    """

    documents: int = 0
    done: int = 0
    partial: int = 0
    failed: int = 0
    unchanged: int = 0
    calls: int = 0
    reused_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = 0.0
    lost_calls: int = 0
    lost_cost_usd: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class JobRecord:
    """The content of job.json; `spec` holds no secret, `plan` is what the run was foreseen to come to."""

    job_id: str
    flow: str
    version: str
    spec: Mapping[str, Any]
    status: Status
    reason: str | None
    started_at: datetime
    finished_at: datetime | None = None
    totals: Totals = field(default_factory=Totals)
    plan: Mapping[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it with times in ISO 8601."""
        finished = self.finished_at.isoformat() if self.finished_at else None
        values = asdict(self) | {"started_at": self.started_at.isoformat(), "finished_at": finished}
        if self.plan is None:
            del values["plan"]
        if not self.totals.lost_calls:
            del values["totals"]["lost_calls"], values["totals"]["lost_cost_usd"]
        return values


def write_job_file(folder: Folder, record: JobRecord) -> None:
    """Write OUTPUT/job.json, whole or not at all. Raises StorageFailed."""
    write_json(folder, NAME, record.as_json())


def read_job_file(folder: Folder) -> dict[str, Any]:
    """Return what job.json holds; nothing where it isn't there or is damaged. Raises StorageFailed."""
    return read_json(folder, NAME)


def write_json(folder: Folder, name: str, value: Mapping[str, Any]) -> None:
    """Write an object for people and programs to read, whole or not at all. Raises StorageFailed."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    folder.replace(name, lambda file: _write(file, text.encode()))


def read_json(folder: Folder, name: str) -> dict[str, Any]:
    """Return the object that a file holds; nothing where it isn't there or is damaged. Raises StorageFailed."""
    try:
        value = json.loads(folder.read(name) or b"")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _write(file: BinaryIO, data: bytes) -> None:
    file.write(data)
