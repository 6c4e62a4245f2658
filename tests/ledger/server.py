"""A real PostgreSQL server in a temporary folder, started and stopped by the tests."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

PASSWORD = "secret/pass word@of:the-tests"
USER = "docmill"
# PostgreSQL refuses to run as root.
OTHER_USERS = ("postgres", "nobody")


def binaries() -> Path | None:
    """Return the folder of PostgreSQL's programs, or None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).resolve().parent if on_path else None


class PostgresServer:
    """A server on the loopback interface that asks for a password; it may be stopped and started again."""

    def __init__(self, folder: Path, programs: Path, *, fsync: bool = False) -> None:
        self.folder, self.programs, self.fsync = folder, programs, fsync
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "password").write_text(PASSWORD, encoding="utf-8")
        self._as = _another_user(folder)
        init = ["initdb", "-D", str(folder / "data"), "-U", USER, "-E", "UTF8", "--no-sync", "--locale=C",
                "--auth=scram-sha-256", f"--pwfile={folder / 'password'}"]  # fmt: skip
        subprocess.run(self._command(init), check=True, capture_output=True, cwd=folder)

    @property
    def url(self) -> str:
        """The URL of its database, without a password."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/postgres"

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.url, password=PASSWORD, autocommit=True)

    def start(self) -> None:
        """Start it, unless it runs."""
        if self._process is not None:
            return
        fsync = "on" if self.fsync else "off"
        command = ["postgres", "-D", str(self.folder / "data"), "-p", str(self.port), "-h", "127.0.0.1", "-k", "",
                   "-c", f"fsync={fsync}", "-c", "log_min_messages=fatal", "-c", "shared_buffers=16MB"]  # fmt: skip
        self._process = subprocess.Popen(self._command(command), cwd=self.folder, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while True:
            try:
                self.connect().close()
            except psycopg.OperationalError:
                assert self._process.poll() is None, "the server didn't start"
                assert time.monotonic() < deadline
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """Stop at once, and cut all connections off."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)
            self._process = None

    def cut(self, condition: str = "true") -> int:
        """Cut connections to the database off; return how many."""
        sql = (
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            f"WHERE application_name = 'docmill' AND {condition}"
        )
        with contextlib.closing(self.connect()) as connection:
            row = connection.execute(sql.encode()).fetchone()
        return int(str(row[0])) if row else 0

    def locks(self, *, granted: bool) -> int:
        """Return how many advisory locks are held, or waited for."""
        with contextlib.closing(self.connect()) as connection:
            sql = b"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted = %s"
            row = connection.execute(sql, (granted,)).fetchone()
        return int(str(row[0])) if row else 0

    def drop_all(self) -> None:
        """Drop every result set's schema."""
        with contextlib.closing(self.connect()) as connection:
            for (name,) in connection.execute(b"SELECT nspname FROM pg_namespace WHERE nspname LIKE 'docmill%'"):
                connection.execute(f'DROP SCHEMA "{name}" CASCADE'.encode())

    def _command(self, words: list[str]) -> list[str]:
        return [*self._as, str(self.programs / words[0]), *words[1:]]


@contextlib.contextmanager
def running(programs: Path, *, fsync: bool = False) -> Iterator[PostgresServer]:
    """Run a server for the block; without `fsync` a crash of the system would cost its data."""
    with tempfile.TemporaryDirectory(prefix="docmill-postgres-", dir="/tmp") as folder:
        server = PostgresServer(Path(folder), programs, fsync=fsync)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _another_user(folder: Path) -> list[str]:
    """Give a folder to another user where this one is root; return the words that run a command as that one."""
    if os.getuid() != 0:
        return []
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = next(known[name] for name in OTHER_USERS if name in known)
    for path in (folder, *folder.iterdir()):
        os.chown(path, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
