"""The history of routes on this machine: Parquet parts that are appended whole, and compacted by month."""

import contextlib
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from tasks.base.errors import StorageFailed, UserMistake
from tasks.monitoring.health_records import HISTORY, HealthEvent
from tasks.planning.job_register import VARIABLE
from tasks.results.files import replace_file

LOCK_SECONDS = 120.0
# How many parts of the current month are kept before they are merged into one.
LOOSE_PARTS = 100
REPLACES = b"replaces"
INTERRUPTED = "interrupted"
# `at` is a word of DuckDB's own.
_EVENTS = 'create view events as select * exclude ("at"), make_timestamp(epoch_us("at")) as moment from parts'


class History:
    """The parts in `folder`/events; a month's file lists the parts it replaces, so that none counts twice."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events = folder / "events"

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold it while the block reads or changes it. Raises UserMistake where it can't be written."""
        with self._lock("lock", LOCK_SECONDS):
            yield

    @contextlib.contextmanager
    def probing(self) -> Iterator[None]:
        """Be the only process that probes while the block runs. Raises UserMistake if another one does."""
        with self._lock("probing", 0.0):
            yield

    @contextlib.contextmanager
    def _lock(self, name: str, seconds: float) -> Iterator[None]:
        lock = FileLock(self.folder / name, timeout=seconds)
        try:
            self.events.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            raise UserMistake(
                f"another monitor works on {self.folder}: wait for it, or name another {VARIABLE}"
            ) from None
        except OSError as error:
            fix = f"mend it, or name another folder in {VARIABLE}"
            raise UserMistake(f"{self.folder} can't be written: {error.strerror}: {fix}") from error
        try:
            yield
        finally:
            lock.release()

    def append(self, events: Sequence[HealthEvent]) -> None:
        """Append events as one part, whole or not at all. Raises StorageFailed."""
        self.append_table(table_of(events))

    def append_table(self, rows: pa.Table) -> None:
        """Append rows of the history's schema as one part. Raises StorageFailed."""
        if rows.num_rows:
            self._write(self._name(), rows)

    def _name(self) -> str:
        """Return a new part's name: parts are written together by the month that they were written in."""
        return f"{datetime.now(UTC):%Y-%m-%dT%H%M%S}-{uuid.uuid4().hex[:8]}.parquet"

    def parts(self) -> list[Path]:
        """Return the files that hold the history, those of months first; a replaced part isn't among them."""
        names = sorted(self.events.glob("[0-9]*.parquet"))
        months = [path for path in names if _is_month(path)]
        gone = {name for month in months for name in _replaced(month)}
        return [path for path in (*months, *(one for one in names if one not in months)) if path.name not in gone]

    def compact(self, now: datetime) -> None:
        """Write the parts of each month into one file; those of this month once they are many. Hold it."""
        kept = self.parts()
        for path in set(self.events.glob("[0-9]*.parquet")) - set(kept):
            path.unlink(missing_ok=True)
        for month, group in groupby(sorted(kept, key=lambda path: path.name), key=lambda path: path.name[:7]):
            found = list(group)
            if len(found) > (LOOSE_PARTS if month == f"{now:%Y-%m}" else 1):
                self._merge(month, found)

    def _merge(self, month: str, parts: Sequence[Path]) -> None:
        rows = pa.concat_tables([pq.read_table(path, schema=HISTORY) for path in parts]).sort_by("at")
        names = ",".join(path.name for path in parts).encode()
        self._write(f"{month}-month-{uuid.uuid4().hex[:8]}.parquet", rows.replace_schema_metadata({REPLACES: names}))
        for path in parts:
            path.unlink(missing_ok=True)

    def expect(self, events: Sequence[HealthEvent]) -> None:
        """Record the worst case of probes before they are sent, so that a kill loses no costs. Raises StorageFailed."""
        if events:
            replace_file(self._expected, lambda path: pq.write_table(table_of(events), path))

    def settle(self, events: Sequence[HealthEvent]) -> None:
        """Append the probes' events, and remove the expected ones. Raises StorageFailed."""
        self.append(events)
        self._expected.unlink(missing_ok=True)

    def recover(self) -> None:
        """Add the expected events of a killed monitor to the history, as they may have been paid for."""
        if self._expected.is_file():
            with contextlib.suppress(OSError):
                self._expected.rename(self.events / self._name())

    @property
    def _expected(self) -> Path:
        return self.folder / "expected.parquet"

    def spent(self, since: datetime) -> float:
        """Return what probes have cost since then, in USD."""
        with connected(self.parts()) as base:
            query = "select coalesce(sum(cost_usd), 0) from events where source = 'probe' and moment > ?"
            row = base.execute(query, [plain(since)]).fetchone()
        return float(row[0]) if row else 0.0

    def _write(self, name: str, table: pa.Table) -> None:
        replace_file(self.events / name, lambda path: pq.write_table(table, path, compression="zstd"))


@contextlib.contextmanager
def connected(parts: Sequence[Path]) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection with the view `events` over parts of a history; `moment` is `at` in UTC, without a zone.

    DuckDB reckons with zones by an extension that it would download. Raises StorageFailed for a damaged part.
    """
    with duckdb.connect() as base:
        try:
            if parts:
                base.read_parquet([str(path) for path in parts]).create_view("parts")
            else:
                base.register("parts", HISTORY.empty_table())
            base.execute(_EVENTS)
            yield base
        except (duckdb.IOException, duckdb.InvalidInputException) as error:
            words = str(error).splitlines()[0]
            raise StorageFailed(f"the history can't be read ({words}): remove the file that is named there") from error


def plain(time: datetime) -> datetime:
    """Return a time as the view `events` has it."""
    return time.astimezone(UTC).replace(tzinfo=None)


def table_of(events: Sequence[HealthEvent]) -> pa.Table:
    """Return events as rows."""
    columns = zip(*events, strict=True) if events else ((),) * len(HISTORY)
    arrays = [pa.array(column, type=field.type) for column, field in zip(columns, HISTORY, strict=True)]
    return pa.Table.from_arrays(arrays, schema=HISTORY)


def _is_month(path: Path) -> bool:
    return path.name[7:].startswith("-month-")


def _replaced(month: Path) -> list[str]:
    metadata = pq.read_schema(month).metadata or {}
    return str(metadata.get(REPLACES, b"").decode()).split(",")
