"""Answers to put into a ledger, few or many."""

import asyncio
import hashlib
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from tasks.chunking.chat_template import Window
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Finished
from tasks.ledger.statements import ANSWER
from tasks.ledger.store import Value
from tasks.ledger.tables import checksum, prepare
from tasks.models.route import Route
from tasks.providers.call import Call
from tasks.providers.protocol import Reply

ROUTE = Route("p", "m", "m", None, Window(8192, 512), "o200k", "chatml", None)
WORST = 0.125
JOB, CREATED = "summarize-work-1", 1.5e9


def call_id(number: int | str) -> str:
    """Return an id like those of calls: a SHA-256 in hexadecimal."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def call(number: int | str) -> Call:
    return Call(call_id(number), "/chat/completions", b"{}", 20, 10)


def body(number: int | str, size: int = 200) -> bytes:
    return (f"answer {number} " * size).encode()[:size]


async def recorded(ledger: Ledger, number: int | str, text: bytes | None = None, document_id: str = "a.txt") -> None:
    reply = Reply(200, {"set-cookie": "no"}, body(number) if text is None else text)
    await ledger.record(call(number), reply, 2, 31, document_id=document_id, route=ROUTE, worst=WORST)


def record(ledger: Ledger, number: int | str, text: bytes | None = None, document_id: str = "a.txt") -> None:
    asyncio.run(recorded(ledger, number, text, document_id))


def record_all(ledger: Ledger, numbers: Iterable[int]) -> None:
    async def together() -> None:
        await asyncio.gather(*(recorded(ledger, number) for number in numbers))

    asyncio.run(together())


def finished(document_id: str, status: str = "done", *, cost: float | None = 0.5, content: str = "sha") -> Finished:
    return Finished(document_id, content, status, 3, 1, 100, 10, cost)


def make_ledger(path: Path, answers: int, size: int = 800) -> None:
    """Make a ledger of many answers with one statement; `body` and `call_id` tell what is in it."""
    with closing(sqlite3.connect(path)) as connection, connection:
        prepare(connection)
        connection.executemany(ANSWER.in_sqlite(1), (answer_row(number, size) for number in range(answers)))


def answer_row(number: int, size: int) -> tuple[Value, ...]:
    """Return the row of an answer, as the ledger writes it."""
    text, fields = body(number, size), (call_id(number), JOB, f"d{number}", 200, 1, 31, CREATED)
    name, job, document, status, attempts, latency, created = fields
    proof = checksum(text, *fields)
    return name, job, document, "p", "m", status, text, attempts, latency, WORST, created, proof


def memory(name: str) -> float:
    """Return this process's VmRSS (now) or VmHWM (its peak) in megabytes; ru_maxrss counts the parent's too."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))
