"""A job done by worker processes, without Prefect: `python -m tests.workers.crew` is one of them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from tasks.planning.prepare import prepare
from tasks.prompting.options import EmbedOptions, Options
from tasks.running.opening import open_job
from tasks.running.shards import shards_of, work_on
from tasks.running.work import Shard
from tasks.workers.leader import Leader
from tasks.workers.messages import LeaderAddress
from tasks.workers.rpc import serving
from tasks.workers.session import WorkerSession, joined
from tests.conftest import Ran

ROOT = Path(__file__).parents[2]
KINDS: dict[str, type[Options]] = {"summarize": Options, "embed": EmbedOptions}
SECONDS = 60.0
AT_ONCE = 2


def shard_by_shard(worker: WorkerSession, threads: ThreadPoolExecutor) -> None:
    """Work on two shards at a time, and on those of lost workers, as long as there are any."""

    def one(shard: Shard) -> None:
        worker.finished(shard, worker.job.run(work_on(worker.job, shard)))

    under_way: set[Future[None]] = set()
    for shard in worker.shards(AT_ONCE):
        if shard is not None:
            under_way.add(threads.submit(one, shard))
        ended, under_way = wait(under_way, 0.0)
        for future in ended:
            future.result()
    for future in under_way:
        future.result()


def main(flow: str, source: str, options: str, place: str, workers: str, name: str) -> None:
    """Be a worker, which begins once all have joined."""
    where = LeaderAddress(**json.loads(place))
    chosen = KINDS[flow].model_validate_json(options)
    with joined(flow, [source], chosen, where, name) as worker, ThreadPoolExecutor(16) as threads:
        there = Path(chosen.output) / ".docmill" / "there"
        there.mkdir(exist_ok=True)
        (there / worker.name).touch()
        while len(list(there.iterdir())) < int(workers):
            time.sleep(0.02)
        shard_by_shard(worker, threads)


Running = Sequence["subprocess.Popen[bytes]"]


def crew_job(
    source: Path,
    options: Options,
    flow: str = "summarize",
    workers: int = 2,
    meanwhile: Callable[[Leader, Running], object] = lambda _leading, _running: None,
) -> tuple[Ran, Leader]:
    """Run a whole job with so many worker processes; `meanwhile` is called again and again."""
    prepared = prepare(flow, [str(source)], options)
    with open_job(prepared) as job:
        leading = Leader(job, shards_of(job))
        with serving(leading) as address:
            place = LeaderAddress(job.ledger.job_id, address)
            words = [flow, str(source), options.model_dump_json(), json.dumps(place._asdict()), str(workers)]
            command = [sys.executable, "-m", __name__, *words]
            environment = os.environ | {"PYTHONPATH": str(ROOT)}
            running = [subprocess.Popen([*command, str(number)], env=environment) for number in range(workers)]
            deadline = time.monotonic() + SECONDS
            while time.monotonic() < deadline and not (leading.is_over and not leading.at_work):
                meanwhile(leading, running)
                time.sleep(0.05)
            for one in running:
                one.wait(SECONDS)
        results = job.conclude()
    return Ran(results.job, results.exit_code, options.folder), leading


@dataclass(slots=True)
class Kill:
    """Kills a worker that is at work, once so many answers have come."""

    answers: Callable[[], int]
    at: int
    killed: int = 0

    def __call__(self, leading: Leader, running: Running) -> None:
        at_work = {int(leading._workers[name].who.split()[0]) for name in leading.at_work}
        for one in running:
            if not self.killed and self.answers() > self.at and one.pid in at_work:
                one.kill()
                self.killed = one.pid


if __name__ == "__main__":
    main(*sys.argv[1:])
