"""The ledger's tables, and whether a file is a sound ledger of this version.

Answers lie in the order in which they came, with their ids in an index beside
them: a new one is written at the end, however many there are.
"""

import contextlib
import sqlite3
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from threading import Timer
from zlib import crc32

from tasks.base.errors import UserMistake

SCHEMA_2 = """
CREATE TABLE IF NOT EXISTS jobs (
    job_id TEXT PRIMARY KEY, work TEXT NOT NULL, status TEXT NOT NULL, started_at TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS answers (
    number INTEGER PRIMARY KEY, call_id TEXT NOT NULL, job_id TEXT NOT NULL, document_id TEXT NOT NULL,
    provider TEXT NOT NULL, model TEXT NOT NULL, status INTEGER NOT NULL, body BLOB NOT NULL,
    attempts INTEGER NOT NULL, latency_ms INTEGER NOT NULL, worst_usd REAL, cost_usd REAL, created_at REAL NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS documents (
    document_id TEXT PRIMARY KEY, job_id TEXT NOT NULL, work TEXT NOT NULL, content_sha256 TEXT,
    status TEXT NOT NULL, part INTEGER NOT NULL, calls INTEGER NOT NULL DEFAULT 0,
    reused_calls INTEGER NOT NULL DEFAULT 0, prompt_tokens INTEGER NOT NULL DEFAULT 0,
    completion_tokens INTEGER NOT NULL DEFAULT 0, cost_usd REAL
) WITHOUT ROWID, STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS call_ids ON answers (call_id);
CREATE INDEX IF NOT EXISTS documents_of_job ON documents (job_id, status);
CREATE INDEX IF NOT EXISTS cost_of_job ON answers (job_id, cost_usd, worst_usd);
"""
# Which document of which job a text to embed belongs to, and where its vector is: equal texts are asked once.
SCHEMA_3 = f"""{SCHEMA_2}
CREATE TABLE IF NOT EXISTS texts (
    text_id TEXT PRIMARY KEY, job_id TEXT NOT NULL, document_id TEXT NOT NULL, call_id TEXT, place INTEGER
) WITHOUT ROWID, STRICT;
"""
# A job's sums are queried twice per run; an index for them made each document's write twice as expensive.
OF_JOB = "CREATE INDEX IF NOT EXISTS documents_of_job ON documents (job_id, status);\n"
SCHEMA_4 = SCHEMA_3.replace(OF_JOB, "")
# What was paid, or may have been, beside the answers that are kept; tokens are null where the answer was lost.
SCHEMA = f"""{SCHEMA_4}
CREATE TABLE IF NOT EXISTS exchanges (
    exchange_id TEXT PRIMARY KEY, call_id TEXT NOT NULL, job_id TEXT NOT NULL, document_id TEXT NOT NULL,
    reason TEXT NOT NULL, prompt_tokens INTEGER, completion_tokens INTEGER, worst_usd REAL, cost_usd REAL,
    attempts INTEGER NOT NULL, latency_ms INTEGER NOT NULL, served_by TEXT, created_at REAL NOT NULL
) WITHOUT ROWID, STRICT;
"""
VERSION = 5
# What a ledger of an earlier version holds; it is made one of this version when it is opened.
SCHEMAS = {2: SCHEMA_2, 3: SCHEMA_3, 4: SCHEMA_4, VERSION: SCHEMA}
RENEW = f"BEGIN IMMEDIATE; {SCHEMA} DROP INDEX IF EXISTS documents_of_job; PRAGMA user_version={VERSION}; COMMIT"
# An answer's checksum, as the second column, and everything it covers.
ANSWERS = "SELECT body, checksum, call_id, job_id, document_id, status, attempts, latency_ms, created_at FROM answers"
# A healthy ledger of a million answers isn't read through at every start; one in doubt is.
CHECK_SECONDS = 2.0


def prepare(connection: sqlite3.Connection) -> None:
    """Set a connection up, and make the tables where they are missing."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    if connection.execute("PRAGMA user_version").fetchone()[0] != VERSION:
        # All of it or nothing: a kill in between leaves no half-made ledger.
        connection.executescript(RENEW)


def checksum(body: bytes, *fields: object) -> int:
    """Return the checksum of an answer: SQLite keeps none, and a disk may change a byte."""
    return crc32(body, crc32(" ".join(map(str, fields)).encode()))


def set_aside_if_unsound(path: Path, mark: Path) -> str | None:
    """Move a ledger that is damaged or of another version out of the way; say why and where to, or None.

    A file that carries the mark of doubt is read through, however large. Raises
    UserMistake where it can't be moved.
    """
    reason = _unsound(path, doubted=mark.exists()) if path.exists() else None
    if reason is None:
        mark.unlink(missing_ok=True)
        return None
    aside = path.with_name(f"{path.name}.aside-{datetime.now(UTC):%Y%m%dT%H%M%S}")
    try:
        for ending in ("-wal", "-shm", ""):
            beside = Path(f"{path}{ending}")
            if beside.exists():
                beside.rename(f"{aside}{ending}")
        mark.unlink(missing_ok=True)
    except OSError as error:
        raise UserMistake(f"{path}: {reason}, and it can't be moved: {error.strerror}: use another --output") from error
    return f"the ledger {reason}: it was set aside as {aside.name}, and a new one begun: its answers are paid for anew"


def _unsound(path: Path, *, doubted: bool) -> str | None:
    """Return what is wrong with a ledger, or None if CHECK_SECONDS of checking (longer if `doubted`) find nothing."""
    if path.is_file() and not path.stat().st_size:
        return "is empty"
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection:
            look = _wrong_anywhere if doubted else _wrong_at_a_glance
            return _wrong_tables(connection) or look(connection)
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        if code == sqlite3.SQLITE_INTERRUPT:
            return None
        if isinstance(error, sqlite3.OperationalError) and code != sqlite3.SQLITE_ERROR:
            raise UserMistake(
                f"{path}: the ledger can't be opened: {error}: mend its folder, or use another --output"
            ) from error
        return f"is damaged ({error})"


def _wrong_tables(connection: sqlite3.Connection) -> str | None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = _tables(connection)
    if version not in SCHEMAS:
        return f"is of version {version}, not {VERSION}" if tables else None
    return None if tables == _right_tables(SCHEMAS[version]) else "is damaged (its tables are changed)"


def _tables(connection: sqlite3.Connection) -> list[tuple[str, ...]]:
    return connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name").fetchall()


@cache
def _right_tables(schema: str) -> list[tuple[str, ...]]:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(schema)
        return _tables(connection)


def _wrong_at_a_glance(connection: sqlite3.Connection) -> str | None:
    """Check for CHECK_SECONDS; by `interrupt`, as SQLite 3.40 checks a tree without calling a progress handler."""
    alarm = Timer(CHECK_SECONDS, connection.interrupt)
    alarm.start()
    try:
        return _damage(connection, "quick_check")
    finally:
        alarm.cancel()
        alarm.join()


def _wrong_anywhere(connection: sqlite3.Connection) -> str | None:
    """Look through all of it, its indices and every answer's checksum."""
    if damage := _damage(connection, "integrity_check"):
        return damage
    for body, proof, *fields in connection.execute(ANSWERS):
        if proof != checksum(body, *fields):
            return f"is damaged (the answer to {fields[0]} was changed)"
    return None


def _damage(connection: sqlite3.Connection, check: str) -> str | None:
    found = str(connection.execute(f"PRAGMA {check}(1)").fetchone()[0])
    return None if found == "ok" else f"is damaged ({found.splitlines()[-1]})"
