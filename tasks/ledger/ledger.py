"""What was paid and what is done, so that nothing is paid for twice and nothing is lost.

A document goes through two steps here: it is *assigned* to a Parquet part before
that part is written, and *finished* after. If a run is killed in between, the next one finds
it assigned, takes its answers from here, and writes the same part again.
"""

import contextlib
import threading
import time
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

from tasks.ledger import statements
from tasks.ledger.bloom_filter import BloomFilter
from tasks.ledger.records import ASSIGNED, DocumentState, Finished, Owned, PaidBeside, StatusTotals, StoredAnswer
from tasks.ledger.store import Store, Value
from tasks.ledger.tables import checksum
from tasks.models.route import Route
from tasks.providers.call import Call
from tasks.providers.protocol import Reply


class Ledger:
    """The ledger of one result set, seen from one job. It closes its store.

    `notice` says what was done with a ledger that wasn't sound, where one was there.
    """

    def __init__(self, store: Store, *, fresh: bool = False, notice: str | None = None) -> None:
        self.notice = notice
        self._store = store
        self._fresh = fresh
        self.job_id = ""
        self._began = datetime.now(UTC)
        # The event loop adds to `_known`; answers of other processes go into a separate filter.
        self._known = BloomFilter()
        self._others: BloomFilter | None = None
        self._beside: dict[str, list[PaidBeside]] = {}
        self.had_answers = False
        self._numbering = threading.Lock()
        with contextlib.ExitStack() as undo:
            undo.callback(self._store.close)
            self._part = _int(self._store.read(statements.LAST_PART)[0][0])
            # It knows of no document yet: the ones in the tables must be adopted.
            self.is_new = not self._part
            self.had_answers = self._fill(self._known)
            undo.pop_all()

    def learn(self) -> None:
        """Load the ids of answers that other processes have written since; from any thread. Raises StorageFailed."""
        others = BloomFilter()
        self.had_answers = self._fill(others)
        self._others = others
        self._look_beside()

    def _fill(self, known: BloomFilter) -> bool:
        """Add the stored answers to a filter; return whether there are any."""
        try:
            return known.add_all(str(row[0]) for row in self._store.stream(statements.CALL_IDS)) > 0
        except ValueError as error:
            raise self._store.doubt(f"a call's id isn't one ({error})") from error

    def close(self) -> None:
        """Commit what is queued and close."""
        self._store.close()

    def begin(self, identity: str, prefix: str) -> str:
        """Return the id of the job to do: the unfinished one of the same work, or a new one.

        `identity` is that of the inputs and of everything that decides about the answers.
        """
        last = self._store.read(statements.LAST_JOB)
        if last and last[0][1] == identity and last[0][2] != "done":
            self.job_id = str(last[0][0])
        else:
            count = self._store.read(statements.JOBS)[0][0]
            self.job_id = f"{prefix}-{identity[:8]}-{int(count or 0) + 1}"
        self._store.write(statements.BEGIN, (self.job_id, identity, datetime.now(UTC).isoformat()))
        began = self._store.read(statements.BEGAN, (self.job_id,))[0][0]
        self._began = datetime.fromisoformat(str(began))
        self._look_beside()
        return self.job_id

    def join(self, job_id: str) -> None:
        """Work on a job that another process has begun."""
        self.job_id = job_id
        self._look_beside()

    def _look_beside(self) -> None:
        """Remember what was paid beside the kept answers: there is little of it."""
        self._beside = {}
        for row in self._store.read(statements.EXCHANGES, (self.job_id,)):
            call_id, document_id, reason, prompt, written, cost, worst, attempts, latency_ms, served_by, at = row
            found = PaidBeside(
                str(call_id), str(document_id), str(reason), (_int(prompt), _int(written)),
                None if cost is None else float(cost), float(worst or 0.0), _int(attempts), _int(latency_ms),
                None if served_by is None else str(served_by), datetime.fromtimestamp(float(at or 0.0), UTC),
            )  # fmt: skip
            self._beside.setdefault(found.call_id, []).append(found)

    def writing(self, part: int) -> contextlib.AbstractContextManager[None]:
        """Lock a part for the block against the other processes that work on the job."""
        return self._store.alone(part)

    def started_at(self) -> datetime:
        """Return when the job first began."""
        return self._began

    def end(self, status: str) -> None:
        """Record how the job ended, last of all."""
        self._store.write(statements.END, (status, self.job_id))

    def record(
        self, call: Call, reply: Reply, attempts: int, latency_ms: int, *, document_id: str, route: Route, worst: float
    ) -> Awaitable[None]:
        """Make a paid reply durable; wait for what it returns. On the event loop only.

        `worst` is the most it may have cost in USD: a resumed job's budget counts it
        where a kill came before `costs`.
        """
        self._known.add(call.call_id)
        now = time.time()
        proof = checksum(reply.body, call.call_id, self.job_id, document_id, reply.status, attempts, latency_ms, now)
        return self._store.add(
            statements.ANSWER,
            (call.call_id, self.job_id, document_id, route.provider, route.model, reply.status, reply.body,
             attempts, latency_ms, worst, now, proof),
        )  # fmt: skip

    def answer(self, call_id: str) -> StoredAnswer | None:
        """Return the answer kept for a call; with `fresh`, only this job's own. On the event loop only.

        Raises StorageFailed where it isn't what was recorded.
        """
        if not self.may_know(call_id):
            return None
        rows = self._store.find(statements.ANSWER_TO, (call_id,))
        if not rows:
            return None
        body, proof, _, job_id, document_id, status, attempts, latency, created = rows[0]
        if not isinstance(body, bytes) or proof != checksum(body, call_id, *rows[0][3:]):
            raise self._store.doubt(f"the answer to {call_id} was changed")
        if self._fresh and job_id != self.job_id:
            return None
        reply = Reply(_int(status), {}, body)
        at = datetime.fromtimestamp(float(created or 0), UTC)
        return StoredAnswer(str(job_id), str(document_id), reply, _int(attempts), _int(latency), at)

    def may_know(self, call_id: str) -> bool:
        """Whether an answer is probably kept for a call; from any thread."""
        return call_id in self._known or (self._others is not None and call_id in self._others)

    def suspect(self, call_id: str) -> None:
        """Treat a call's answer as possibly stored from now on, as another process may have recorded it."""
        self._known.add(call_id)

    def costs(self, call_id: str, cost: float | None) -> None:
        """Note what an answer cost, for the budget of a resumed job."""
        if cost is not None:
            self._store.note(statements.COST, (call_id, cost))

    def spent(self) -> float:
        """Return the USD this job has paid so far, in all its runs; what isn't known is counted at its worst."""
        self._write_queued()
        return float(self._store.read(statements.SPENT, (self.job_id, self.job_id))[0][0] or 0.0)

    def paid(self) -> float:
        """Return the USD that this job's answers are known to have cost, in all its runs."""
        self._write_queued()
        return float(self._store.read(statements.PAID, (self.job_id, self.job_id))[0][0] or 0.0)

    def lost(self) -> tuple[int, float]:
        """Return how many of this job's answers were lost, and the USD that they cost at the most."""
        self._write_queued()
        count, worst = self._store.read(statements.LOST, (self.job_id,))[0]
        return _int(count), float(worst or 0.0)

    def _write_queued(self) -> None:
        """Commit all that is queued: notes of costs are written without waiting, and the sums need them."""
        self._store.write(statements.NOTHING)

    def pay_beside(self, paid: PaidBeside) -> None:
        """Note what an exchange cost whose answer isn't kept."""
        tokens = paid.tokens or (None, None)
        self._store.note(
            statements.EXCHANGE,
            (f"{paid.call_id} {time.time_ns()}", paid.call_id, self.job_id, paid.document_id, paid.reason, *tokens,
             paid.worst, paid.cost, paid.attempts, paid.latency_ms, paid.served_by, paid.created_at.timestamp()),
        )  # fmt: skip

    def paid_beside(self, call_id: str) -> Sequence[PaidBeside]:
        """Return what this job had paid for a call besides its stored answer, as of when the job was resumed."""
        return self._beside.get(call_id, ())

    def seen(self, document_ids: Sequence[str]) -> dict[str, DocumentState]:
        """Return what is known of these documents."""
        # The table ensures the types: checking each value would cost a resumed job seconds.
        rows = cast(
            "list[tuple[str, str, str, str | None, str, int]]", self._store.read(statements.SEEN, (list(document_ids),))
        )
        return {row[0]: DocumentState._make(row[1:]) for row in rows}

    def new_part(self) -> int:
        """Return the number of a part that nobody writes to yet."""
        with self._numbering:
            self._part += 1
            return self._part

    def adopt(self, parts: Mapping[str, int]) -> None:
        """Record documents as assigned to the parts that hold them, as the ledger that knew of them is gone."""
        rows = [(document_id, "", "", ASSIGNED, part) for document_id, part in parts.items()]
        self._store.write_many(statements.ASSIGN, rows)
        self._part = max((self._part, *parts.values()))

    def assign(self, document_ids: Sequence[str], fingerprint: str, new: int) -> dict[str, int]:
        """Give each document its part: the one it lies in, or `new`."""
        seen = self.seen(document_ids)
        parts = {name: seen[name].part if name in seen else new for name in document_ids}
        self._store.write_many(
            statements.ASSIGN, [(name, self.job_id, fingerprint, ASSIGNED, part) for name, part in parts.items()]
        )
        return parts

    def finish(self, outcomes: Sequence[Finished], parts: Mapping[str, int], fingerprint: str) -> None:
        """Record documents as done, partial or failed: their rows are in the tables, in these parts."""
        rows = [
            (one.document_id, parts[one.document_id], self.job_id, one.fingerprint or fingerprint,
             one.content_sha256, one.status, one.calls, one.reused_calls, one.prompt_tokens,
             one.completion_tokens, one.cost_usd)
            for one in outcomes
        ]  # fmt: skip
        self._store.write_many(statements.FINISH, rows)

    def homes(self) -> Iterator[tuple[str, int]]:
        """Yield every document with the part it lies in. Raises StorageFailed."""
        for name, part in self._store.stream(statements.HOMES):
            yield str(name), _int(part)

    def forget(self, document_ids: Sequence[str]) -> None:
        """Forget documents, whose rows are gone; what was paid for them is kept."""
        self._store.write_many(statements.FORGET, [(document_id,) for document_id in document_ids])

    def texts(self, text_ids: Sequence[str]) -> dict[str, Owned]:
        """Return what is known of these texts to embed; with `fresh`, of this job's own only."""
        rows = self._store.read(statements.OWNED, (list(text_ids),))
        found = {
            str(name): Owned(str(job), str(document), str(call) if call else None, _int(place) if call else None)
            for name, job, document, call, place in rows
        }
        return {name: one for name, one in found.items() if one.job_id == self.job_id} if self._fresh else found

    def own(self, texts: Iterable[tuple[str, str, str, int]]) -> None:
        """Assign texts to documents of this job, before they are asked for.

        Each text is given by its id, its document's id, the call that will embed it, and its position there.
        """
        job_id = self.job_id
        # Sorted, as the table is: that halves the time to put them in.
        rows = [
            (text_id, job_id, document_id, call_id, place) for text_id, document_id, call_id, place in sorted(texts)
        ]
        self._store.write_many(statements.OWN, rows)

    def placed(self, call_id: str, texts: Sequence[tuple[str, str, int]]) -> None:
        """Note that texts (their id, a document's, the place) were asked in another call. On the event loop."""
        rows = [(text_id, self.job_id, document_id, call_id, place) for text_id, document_id, place in texts]
        self._store.note(statements.PLACED, *rows)

    def parts(self) -> list[tuple[int, int, int, int]]:
        """Return of each part its number and the least rows of documents, calls and failures in it."""
        rows = self._store.read(statements.PARTS, (ASSIGNED,))
        return [(_int(part), _int(documents), _int(calls), _int(failures)) for part, documents, calls, failures in rows]

    def reopen(self, parts: Sequence[int]) -> None:
        """Set the documents of these parts back from finished to assigned, as their rows are lost."""
        for part in parts:
            self._store.write(statements.REOPEN, (ASSIGNED, part))

    def sums(self) -> dict[str, StatusTotals]:
        """Return this job's sums by status (done, partial, failed); an unknown cost makes its sum None."""
        found: dict[str, StatusTotals] = {}
        for status, count, calls, reused, prompt, completion, cost, priced in self._store.read(
            statements.SUMS, (self.job_id,)
        ):
            known = float(cost or 0.0) if priced == count else None
            found[str(status)] = StatusTotals(
                _int(count), _int(calls), _int(reused), _int(prompt), _int(completion), known
            )
        return found


def _int(value: Value) -> int:
    return int(value or 0)
