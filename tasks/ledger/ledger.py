"""What was paid and what is done, so that nothing is paid or lost twice.

A document goes through two steps here: it is *assigned* to a Parquet part before
that part is written, and *finished* after. A run that is killed in between finds
it assigned, takes its answers from here, and writes the same part again.
"""

import asyncio
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tasks.dispatch.dispatcher import Call
from tasks.ledger.store import Statement, Store, Value
from tasks.providers.wire import Reply

ASSIGNED = "assigned"


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer that was paid before, raw, and which document of which job paid it."""

    job_id: str
    document_id: str
    reply: Reply
    attempts: int
    latency_ms: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """A document as the ledger knows it."""

    job_id: str
    work: str
    content_sha256: str | None
    status: str
    part: int


@dataclass(frozen=True, slots=True)
class Finished:
    """A document's outcome, as the totals need it. Tokens and cost are what this job paid."""

    document_id: str
    content_sha256: str | None
    status: str
    calls: int
    reused_calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None


@dataclass(frozen=True, slots=True)
class Sums:
    """The sums over one job's documents of a status."""

    documents: int = 0
    calls: int = 0
    reused_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = 0.0


class Ledger:
    """The ledger of one result set, seen from one job."""

    def __init__(self, path: Path, *, fresh: bool = False) -> None:
        self._store = Store(path)
        self._fresh = fresh
        self.job_id = ""
        self._empty = not self._store.read("SELECT 1 FROM answers LIMIT 1")
        self._part = int(self._store.read("SELECT coalesce(max(part), 0) FROM documents")[0][0] or 0)
        self._numbering = threading.Lock()

    def close(self) -> None:
        """Commit what is queued and close."""
        self._store.close()

    def begin(self, work: str, prefix: str) -> str:
        """Return the id of the job to do: the unfinished one of the same work, or a new one.

        `work` identifies inputs and everything that decides about the answers.
        """
        last = self._store.read("SELECT job_id, work, status FROM jobs ORDER BY rowid DESC LIMIT 1")
        if last and last[0][1] == work and last[0][2] != "done":
            self.job_id = str(last[0][0])
        else:
            count = self._store.read("SELECT count(*) FROM jobs")[0][0]
            self.job_id = f"{prefix}-{work[:8]}-{int(count or 0) + 1}"
        sql = (
            "INSERT INTO jobs (job_id, work, status, started_at) VALUES (?, ?, 'running', ?) "
            "ON CONFLICT (job_id) DO UPDATE SET status = 'running'"
        )
        self._store.write((sql, (self.job_id, work, _now()))).result()
        return self.job_id

    def started_at(self) -> datetime:
        """Return when the job first began."""
        return datetime.fromisoformat(
            str(self._store.read("SELECT started_at FROM jobs WHERE job_id = ?", (self.job_id,))[0][0])
        )

    def end(self, status: str) -> None:
        """Record how the job ended, last of all."""
        self._store.write(("UPDATE jobs SET status = ? WHERE job_id = ?", (status, self.job_id))).result()

    async def record(
        self, call: Call, reply: Reply, attempts: int, latency_ms: int, *, document_id: str, provider: str, model: str
    ) -> None:
        """Make a paid reply durable; return once it is committed."""
        sql = "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?)"
        headers = json.dumps({name: value for name, value in reply.headers.items() if name.startswith("x-")})
        row = (call.call_id, self.job_id, document_id, provider, model, reply.status, headers, reply.body)
        self._empty = False
        await asyncio.wrap_future(self._store.write((sql, (*row, attempts, latency_ms, _now()))))

    def answer(self, call_id: str) -> Kept | None:
        """Return the answer kept for a call; with `fresh`, only this job's own."""
        if self._empty:
            return None
        sql = (
            "SELECT job_id, document_id, status, headers, body, attempts, latency_ms, created_at "
            "FROM answers WHERE call_id = ?"
        )
        rows = self._store.read(sql, (call_id,))
        if not rows or (self._fresh and rows[0][0] != self.job_id):
            return None
        job_id, document_id, status, headers, body, attempts, latency, created = rows[0]
        assert isinstance(body, bytes)
        reply = Reply(_int(status), json.loads(str(headers)), body)
        at = datetime.fromisoformat(str(created))
        return Kept(str(job_id), str(document_id), reply, _int(attempts), _int(latency), at)

    def costs(self, call_id: str, cost: float | None) -> None:
        """Note what an answer cost, for the budget of a resumed job."""
        self._store.write(("UPDATE answers SET cost_usd = ? WHERE call_id = ?", (cost, call_id)))

    def spent(self) -> float:
        """Return the USD this job has paid so far, in all its runs."""
        self._store.write(("SELECT 1", ())).result()  # what was queued before is committed then
        rows = self._store.read("SELECT total(cost_usd) FROM answers WHERE job_id = ?", (self.job_id,))
        return float(rows[0][0] or 0.0)

    def seen(self, document_id: str) -> Seen | None:
        """Return what is known of a document."""
        sql = "SELECT job_id, work, content_sha256, status, part FROM documents WHERE document_id = ?"
        rows = self._store.read(sql, (document_id,))
        if not rows:
            return None
        job_id, work, content, status, part = rows[0]
        return Seen(str(job_id), str(work), str(content) if content else None, str(status), _int(part))

    def new_part(self) -> int:
        """Return the number of a part that nobody writes to yet."""
        with self._numbering:
            self._part += 1
            return self._part

    def assign(self, document_ids: Sequence[str], work: str, new: int) -> dict[str, int]:
        """Give each document its part: the one it lies in, or `new`."""
        parts: dict[str, int] = {}
        statements: list[Statement] = []
        sql = (
            "INSERT INTO documents (document_id, job_id, work, status, part) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (document_id) DO UPDATE SET job_id = excluded.job_id, status = excluded.status"
        )
        for document_id in document_ids:
            seen = self.seen(document_id)
            parts[document_id] = seen.part if seen else new
            statements.append((sql, (document_id, self.job_id, work, ASSIGNED, parts[document_id])))
        self._store.write(*statements).result()
        return parts

    def finish(self, outcomes: Sequence[Finished], work: str) -> None:
        """Record documents as done, partial or failed: their rows are in the tables."""
        sql = (
            "UPDATE documents SET job_id = ?, work = ?, content_sha256 = ?, status = ?, calls = ?, reused_calls = ?, "
            "prompt_tokens = ?, completion_tokens = ?, cost_usd = ? WHERE document_id = ?"
        )
        statements: list[Statement] = [
            (
                sql,
                (
                    self.job_id,
                    work,
                    one.content_sha256,
                    one.status,
                    one.calls,
                    one.reused_calls,
                    one.prompt_tokens,
                    one.completion_tokens,
                    one.cost_usd,
                    one.document_id,
                ),
            )
            for one in outcomes
        ]
        self._store.write(*statements).result()

    def parts(self) -> list[tuple[int, int, int, int]]:
        """Return of each part its number and the least rows of documents, calls and failures in it."""
        sql = (
            "SELECT part, count(*), total(calls), total(status IN ('failed', 'partial')) "
            "FROM documents WHERE status != ? GROUP BY part"
        )
        rows = self._store.read(sql, (ASSIGNED,))
        return [(_int(part), _int(documents), _int(calls), _int(failures)) for part, documents, calls, failures in rows]

    def reopen(self, parts: Sequence[int]) -> None:
        """Take the documents of these parts for assigned, not finished: their rows are lost."""
        sql = "UPDATE documents SET status = ? WHERE part = ?"
        self._store.write(*((sql, (ASSIGNED, part)) for part in parts)).result()

    def sums(self) -> dict[str, Sums]:
        """Return this job's sums by status (done, partial, failed); an unknown cost makes its sum None."""
        sql = (
            "SELECT status, count(*), total(calls), total(reused_calls), total(prompt_tokens), "
            "total(completion_tokens), total(cost_usd), count(cost_usd) FROM documents WHERE job_id = ? GROUP BY status"
        )
        found: dict[str, Sums] = {}
        for status, count, calls, reused, prompt, completion, cost, priced in self._store.read(sql, (self.job_id,)):
            known = float(cost or 0.0) if priced == count else None
            found[str(status)] = Sums(_int(count), _int(calls), _int(reused), _int(prompt), _int(completion), known)
        return found


def _int(value: Value) -> int:
    return int(value or 0)


def _now() -> str:
    return datetime.now(UTC).isoformat()
