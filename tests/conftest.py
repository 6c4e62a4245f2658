"""What the tests share: a simulated provider and jobs run against it, without Prefect."""

import asyncio
import logging
import os
import ssl
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from tasks.base.settings import Settings as JobSettings
from tasks.dispatch import transport as client
from tasks.events import observing
from tasks.jobs.job import Job
from tasks.planning.prepare import prepare
from tasks.prompting.options import Options
from tasks.results.job_file import JobRecord
from tasks.results.location import Folder
from tasks.results.parts import read_part
from tasks.running import opening
from tasks.running.opening import open_job
from tasks.running.shards import shards_of, work_on
from tests.providers.counterparts import VARIABLES, Counterparts, playing
from tests.simulator import Settings, Simulator, serving
from tests.spread import Spread

if TYPE_CHECKING:
    from tests.buckets import Store

KEY = "secret-key-of-the-tests"
AUTHORITIES = client._authorities


@dataclass(frozen=True)
class Ran:
    """A job that was run: its record, exit code and tables."""

    record: JobRecord
    code: int
    folder: Folder

    @property
    def output(self) -> Path:
        assert self.folder.path is not None, "it is a bucket"
        return self.folder.path

    def rows(self, table: str) -> list[dict[str, Any]]:
        return [row for name in self.folder.parts(table) for row in read_part(self.folder, name).to_pylist()]

    @property
    def documents(self) -> dict[str, dict[str, Any]]:
        found = self.rows("documents")
        by_id = {str(row["document_id"]): row for row in found}
        assert len(by_id) == len(found), "two rows of one document"
        return by_id


def rows(output: Path, table: str) -> list[dict[str, Any]]:
    """Return all rows of a result table."""
    parts = sorted((output / table).glob("*.parquet"))
    return [row for part in parts for row in pq.ParquetFile(part).read().to_pylist()]


async def instant(seconds: float) -> None:
    """Sleep without waiting."""


class FastTime:
    """A clock that jumps ahead whenever somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0.001)

    def rule(self, job: Job) -> None:
        """Let this clock be the one of a job's routes, retries and patience."""
        job.scheduler.clock, job.scheduler.sleep = self.clock, self.sleep
        for answerer in job.answerers:
            dispatcher = answerer.client.dispatcher
            dispatcher.clock = dispatcher.exchanger.clock = self.clock
            dispatcher.sleep, dispatcher.jitter = self.sleep, lambda: 0.5


def hasten(job: Job) -> None:
    """Let retries wait for no time."""
    for answerer in job.answerers:
        answerer.client.dispatcher.sleep = instant
        answerer.client.dispatcher.jitter = lambda: 0.0


RunJob = Callable[..., Ran]


def whole_job(
    flow: str,
    sources: Sequence[Path],
    options: Options,
    opened: Callable[[Job], None] = hasten,
    threads: int = 1,
    finished: Callable[[Job], object] = bool,
    settings: JobSettings | None = None,
) -> Ran:
    """Run a whole job as the flow does: prepare, open, every shard, conclude."""
    prepared = prepare(flow, [str(path) for path in sources], options, settings)
    with open_job(prepared) as job:
        opened(job)
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(lambda shard: job.run(work_on(job, shard)), shards_of(job)):
                pass
        finished(job)
        results = job.conclude()
    return Ran(results.job, results.exit_code, prepared.options.folder)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Spread:
    return Spread(config, log)


@pytest.fixture(autouse=True)
def no_lists(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists of models that this machine's user has refreshed are nothing to the tests."""
    monkeypatch.setenv("DOCMILL_CATALOGUE", str(tmp_path_factory.getbasetemp() / "no-lists"))


@pytest.fixture(autouse=True)
def no_history(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' jobs aren't remembered among this machine's user's."""
    monkeypatch.setenv("DOCMILL_HISTORY", str(tmp_path_factory.getbasetemp() / "no-history"))


@pytest.fixture(autouse=True)
def nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor are this machine's log and collector."""
    for name in (observing.VARIABLE, *observing.ENDPOINTS):
        monkeypatch.delenv(name, raising=False)


@cache
def authorities(_file: str | None) -> ssl.SSLContext:
    return AUTHORITIES()


@pytest.fixture(autouse=True)
def authorities_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The authorities are read once, not by every client: that takes longer than most tests."""
    monkeypatch.setattr(client, "_authorities", lambda: authorities(os.environ.get("SSL_CERT_FILE")))


@pytest.fixture
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """No provider has a key or a base URL."""
    for names in VARIABLES.values():
        for name in names:
            monkeypatch.delenv(name, raising=False)


@pytest.fixture
def parts(no_keys: None) -> Iterator[Counterparts]:
    """All providers' counterparts; none has a key yet."""
    with playing() as found:
        yield found


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """The openai-compatible server of the environment; its settings may be changed at any time."""
    with serving(Settings(context=8192)) as simulator:
        monkeypatch.setenv("OPENAI_BASE_URL", simulator.url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.delenv("APIPIE_API_KEY", raising=False)
        yield simulator


@pytest.fixture
def second_provider(monkeypatch: pytest.MonkeyPatch, provider: Simulator) -> Iterator[Simulator]:
    """Another server, reached as `apipie`."""
    with serving(Settings(context=8192)) as simulator:
        monkeypatch.setenv("APIPIE_BASE_URL", simulator.url)
        monkeypatch.setenv("APIPIE_API_KEY", KEY)
        yield simulator


@pytest.fixture(scope="session")
def store() -> Iterator["Store"]:
    """S3 on loopback, for all tests that want a bucket."""
    from tests.buckets import storing  # noqa: PLC0415 - few tests do, and it takes a second

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    with storing() as found:
        yield found


@pytest.fixture
def s3(store: "Store", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a bucket of this test's own, which the environment knows how to reach."""
    import fsspec  # noqa: PLC0415 - as above

    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "states"))
    fsspec.get_filesystem_class("s3").clear_instance_cache()  # what a test without keys has left
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    store.client.create_bucket(Bucket=name)
    yield f"s3://{name}"
    store.refuse = lambda _, __: None
    fsspec.get_filesystem_class("s3").clear_instance_cache()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder for documents."""
    path = tmp_path / "documents"
    path.mkdir()
    return path


@pytest.fixture
def run_job(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> RunJob:
    """Run a whole job over `folder`, and against the simulator, where nothing else is said."""
    monkeypatch.chdir(tmp_path)
    # It would look through all that the tests have loaded, for every job.
    monkeypatch.setattr(opening, "calm_collector", nullcontext)

    def run(
        opened: Callable[[Job], None] = hasten,
        threads: int = 1,
        flow: str = "summarize",
        sources: Sequence[Path] = (folder,),
        kind: type[Options] = Options,
        finished: Callable[[Job], object] = bool,
        settings: JobSettings | None = None,
        **words: Any,
    ) -> Ran:
        chosen = {
            "output": tmp_path / "out",
            "provider": "openai-compatible",
            "model": "sim-model",
            "patience": 0.0,
        } | words
        return whole_job(flow, sources, kind(**chosen), opened, threads, finished, settings)

    return run
