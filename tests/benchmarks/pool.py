"""A pool of three routes limited to 300, 600 and 1,200 requests a minute: how much of 2,100 is used.

`python -m tests.benchmarks.pool [seconds=180]`: the whole pipeline, Prefect apart, with `--pool`
against three simulated providers of one model, 0.3 s a call, limits over sliding minutes that
the answers' headers tell; and where nobody tells them.
"""

import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tasks.planning.prepare import prepare
from tasks.prompting.options import Options
from tasks.running.opening import open_job
from tests.benchmarks.limits import run_for
from tests.benchmarks.provider import KEY, Provider
from tests.benchmarks.texts import write_documents

MODEL = "Mixtral-8x22B-Instruct-v0.1"
IDS = {
    "openrouter": "mistralai/mixtral-8x22b-instruct",
    "together": f"mistralai/{MODEL}",
    "deepinfra": f"mistralai/{MODEL}",
}
LIMITS = {"openrouter": 300, "together": 600, "deepinfra": 1200}
DOCUMENTS = 12_000


def main(seconds: float) -> None:
    """Measure both, and print a line of each."""
    os.environ["DOCMILL_CATALOGUE"] = "/nonexistent"
    print("| limits | used of 2,100 a minute | refused | by route |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        write_documents(Path(folder) / "documents", DOCUMENTS)
        for title, spelling in (("told by headers", "openai"), ("Retry-After only", None)):
            print(_measured(Path(folder), title, spelling, seconds), flush=True)


def _measured(folder: Path, title: str, spelling: str | None, seconds: float) -> str:
    with ExitStack() as stack:
        served = {name: stack.enter_context(_provider(name, spelling)) for name in LIMITS}
        for name, provider in served.items():
            os.environ |= {f"{name.upper()}_API_KEY": KEY, f"{name.upper()}_BASE_URL": provider.url}
        options = Options(
            output=folder / title.replace(" ", "-"), provider="auto", model=MODEL, pool=True, concurrency=50
        )
        with open_job(prepare("summarize", [str(folder / "documents")], options)) as job:
            run_for(job, seconds)
        counts = {name: provider.counts() for name, provider in served.items()}
    answers = sum(count["answers"] for count in counts.values())
    requests, refused = (sum(count[key] for count in counts.values()) for key in ("requests", "refused"))
    by_route = ", ".join(f"{count['answers'] / (LIMITS[name] * seconds / 60):.1%}" for name, count in counts.items())
    allowed = sum(LIMITS.values()) * seconds / 60
    return f"| {title} | {answers / allowed:.1%} | {refused / max(1, requests):.1%} | {by_route} |"


def _provider(name: str, spelling: str | None) -> Provider:
    allowance = {"unit": "requests", "amount": LIMITS[name], "kind": "sliding", "settled": True}
    quota = {"allowances": [allowance], "retry_after": "exact"} | ({"spelling": spelling} if spelling else {})
    settings = {"context": 65_536, "models": [IDS[name]], "latency": 0.3, "quota": quota, "remember": False}
    return Provider(settings)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 180.0)
