"""A ledger of very many answers: opening it, asking it, and writing to it beside plain SQLite.

`python -m tests.benchmarks.ledger [answers=1000000] [body_bytes=800]`: the ledger is opened
in a process of its own, whose memory is measured; then answers are recorded on an event
loop, 500 waiting at once, and written with plain sqlite3, one commit each, in turn; the
same again with a PostgreSQL server of its own, where there is one, and plain psycopg.
"""

import asyncio
import contextlib
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from uvloop import new_event_loop

from tasks.ledger.dialect import columns, of_many
from tasks.ledger.ledger import Ledger
from tasks.ledger.postgres_state import PostgresState
from tasks.ledger.state import local_ledger
from tasks.ledger.statements import ANSWER
from tasks.ledger.tables import prepare
from tasks.providers.protocol import Reply
from tests.ledger.answers import ROUTE, WORST, answer_row, body, call, call_id, make_ledger, memory
from tests.ledger.server import PASSWORD, PostgresServer, binaries, running

LOOKUPS = 20_000
RECORDS = 20_000
COMMITS = 2_000
AT_ONCE = 500
ROUNDS = 3


def main(answers: int = 1_000_000, size: int = 800) -> None:
    """Make the ledger, measure all, print the table."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.sqlite"
        began = time.perf_counter()
        make_ledger(path, answers, size)
        made, megabytes = time.perf_counter() - began, path.stat().st_size / 1e6
        print(f"{answers:,} answers of {size} bytes, {megabytes:,.0f} MB (made in {made:.0f} s)\n")
        print("| what | measured |\n|---|---|")
        for line in _opened(path, answers):
            print(line, flush=True)
        rates: dict[str, list[float]] = {}
        servers = contextlib.ExitStack()
        programs = binaries()
        server = servers.enter_context(running(programs, fsync=True)) if programs else None
        for number in range(ROUNDS):
            recorded = _recorded(local_ledger(path), size)
            rates.setdefault(f"Ledger.record, {AT_ONCE} waiting at once, into it", []).append(recorded)
            if server:
                for name, found in _postgres(server, size).items():
                    rates.setdefault(name, []).append(found)
            for level in ("FULL", "NORMAL"):
                plain = _plain(Path(folder) / f"plain-{level}-{number}", level, size)
                rates.setdefault(f"plain sqlite3, a commit each, synchronous={level}, into an empty file", []).append(
                    plain
                )
        servers.close()
        for name, several in rates.items():
            print(f"| {name} | {statistics.median(several):,.0f} a second |")


def _opened(path: Path, answers: int) -> Iterable[str]:
    """Open the ledger twice, each time in a process of its own: `measure` below."""
    for turn in ("first", "second"):
        command = [sys.executable, "-m", __spec__.name, "open", str(path), str(answers)]
        ran = subprocess.run(command, check=True, capture_output=True, text=True)
        seconds, grown, hit, miss = map(float, ran.stdout.split())
        yield f"| opened, {turn} time | {seconds:.2f} s, {grown:.0f} MB |"
        yield f"| a lookup, hit | {hit:.1f} µs |"
        yield f"| a lookup, miss | {miss:.1f} µs |"


def measure(path: Path, answers: int) -> None:
    """Print the seconds and megabytes that opening takes, and the microseconds of a hit and a miss."""
    before, began = memory("VmRSS"), time.perf_counter()
    ledger = local_ledger(path)
    seconds, grown = time.perf_counter() - began, memory("VmHWM") - before
    luck = random.Random(1)
    hits = [call_id(luck.randrange(answers)) for _ in range(LOOKUPS)]
    misses = [call_id(f"unknown {number}") for number in range(LOOKUPS)]
    print(seconds, grown, _microseconds(ledger, hits, found=True), _microseconds(ledger, misses, found=False))
    ledger.close()


def _microseconds(ledger: Ledger, ids: list[str], *, found: bool) -> float:
    began = time.perf_counter()
    kept = [ledger.answer(one) is not None for one in ids]
    assert set(kept) == {found}
    return (time.perf_counter() - began) / len(ids) * 1e6


def _recorded(ledger: Ledger, size: int) -> float:
    """Record answers, AT_ONCE waiting for their commit at once; return how many a second. It closes the ledger."""
    job = ledger.begin(str(time.time()), "benchmark")
    calls = [call(f"{job} {number}") for number in range(RECORDS)]
    replies = [Reply(200, {}, body(number, size)) for number in range(RECORDS)]
    left = iter(zip(calls, replies, strict=True))

    async def worker() -> None:
        for one, reply in left:
            await ledger.record(one, reply, 1, 31, document_id="a.txt", route=ROUTE, worst=WORST)

    async def together() -> None:
        await asyncio.gather(*(worker() for _ in range(AT_ONCE)))

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        rate = _rate(RECORDS, lambda: runner.run(together()))
    ledger.close()
    return rate


def _postgres(server: PostgresServer, size: int) -> dict[str, float]:
    """Return how many answers a second are recorded in PostgreSQL, and written with nothing around them."""
    state = PostgresState(server.url, "docmill_benchmark", PASSWORD)
    with state.hold():
        rate = _recorded(state.open(), size)
    rows = [answer_row(number, size) for number in range(COMMITS)]
    sql = of_many(ANSWER).encode()
    with contextlib.closing(server.connect()) as connection:
        connection.execute(b"SET search_path TO docmill_benchmark; TRUNCATE answers")
        plain = _rate(COMMITS, lambda: [connection.execute(sql, columns(ANSWER, [row])) for row in rows])
        connection.execute(b"TRUNCATE answers")
    return {
        f"Ledger.record, {AT_ONCE} waiting at once, in PostgreSQL": rate,
        "plain psycopg, a commit each, one connection": plain,
    }


def _plain(path: Path, level: str, size: int) -> float:
    """Write the same rows with nothing around them; return how many a second."""
    rows = [answer_row(number, size) for number in range(COMMITS)]
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        prepare(connection)
        connection.execute(f"PRAGMA synchronous={level}")
        return _rate(COMMITS, lambda: [connection.execute(ANSWER.in_sqlite(1), row) for row in rows])


def _rate(count: int, work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return count / (time.perf_counter() - began)


if __name__ == "__main__":
    if sys.argv[1:2] == ["open"]:
        measure(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main(*map(int, sys.argv[1:]))
