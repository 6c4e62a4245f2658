"""The road itself: the command line with the real local model."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.tables import query
from tests.flows.test_command import ROOT, environment

pytestmark = pytest.mark.timeout(300)
TEXT = """The Skarn lighthouse was lit in 1871 and automated in 1988. Its last keeper, Oona Brask, kept a diary.

In it she wrote of storms, of seals, and of the mail boat that came on Thursdays.
"""


@pytest.fixture(autouse=True)
def one_core() -> Iterator[None]:
    """The model's threads wait for one another awake: beside other work, one is quicker than two."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    yield
    os.sched_setaffinity(0, cores)


def test_the_local_model_answers_a_document_and_a_longer_one_by_map_and_reduce(prefect: str, tmp_path: Path) -> None:
    folder, output = tmp_path / "input", tmp_path / "out"
    folder.mkdir()
    (folder / "short.txt").write_text(TEXT)
    (folder / "long.txt").write_text("\n".join(f"Day {day}: {TEXT}" for day in range(8)))
    words = [str(folder), "--output", str(output), "--context", "512", "--max-output-tokens", "16", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "flows.summarize", *words],
        cwd=ROOT, env=environment(prefect=prefect), capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip

    totals = json.loads(done.stdout)["totals"]
    assert (totals["documents"], totals["failed"], totals["cost_usd"]) == (2, 0, 0.0)
    rows = query(
        "select document_id, chunks, covered_characters = characters, length(output) > 0 "
        f"from '{output}/documents/*.parquet'"
    )
    chunks = {name: count for name, count, _, _ in rows}
    assert all(covered and answered for _, _, covered, answered in rows)
    assert chunks["short.txt"] == 1 < chunks["long.txt"]
    (stages,) = query(f"select list(distinct stage order by stage) from '{output}/calls/*.parquet'")
    assert stages == (["map", "reduce"],)


def test_local_token_counts_are_the_servers_own(tmp_path: Path) -> None:
    script = """
import json, os, urllib.request
from pathlib import Path
from tasks.chunking.tokenizer import load_tokenizer
from tasks.providers.local_model import local_model_path
from tasks.providers.local_server import local_server
path = local_model_path(os.environ)
tokenizer = load_tokenizer(f"gguf:{path}")
with local_server(path, context=512, slots=1) as account:
    hard = ["Hello 123  world", "  5 7\\n\\n\\t x", "don't we'll", "日本語の文章です。", "😀👩‍👩‍👧 é"]
    for text in [*hard, Path("README.md").read_text()]:
        body = json.dumps({"content": text}).encode()
        url = account.base_url.removesuffix("/v1") + "/tokenize"
        with urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"})) as reply:
            theirs = len(json.load(reply)["tokens"])
        assert tokenizer.count(text) == theirs, (text[:20], tokenizer.count(text), theirs)
print("equal")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.strip().endswith("equal"), done.stderr[-2000:]
