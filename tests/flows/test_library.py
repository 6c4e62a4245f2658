"""The flows as functions: the recipes of their manual, run as they stand."""

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.embed import embed
from flows.summarize import summarize
from tasks.base.errors import JobPaused, UserMistake
from tasks.prompting.options import EmbedOptions, Options
from tests.flows.tables import query
from tests.jobs.invoices import SCHEMA, answer, number_in, text_of
from tests.jobs.texts import fill, prose, put
from tests.simulator import Settings, Simulator, serving

ROOT = Path(__file__).parents[2]
RECIPES = re.findall(r"```python\n(.*?)```", (ROOT / "flows" / "README.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A server of `my-model`, and a folder to work in with reports."""
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "reports", 7, 300)
    with serving(Settings(context=8192, models=("my-model",))) as provider:
        monkeypatch.setenv("OPENAI_BASE_URL", provider.url)
        monkeypatch.setenv("OPENAI_API_KEY", provider.settings.key or "none")
        yield provider


def run(recipe: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "recipe"}
    exec(compile(recipe, "flows/README.md", "exec"), names)
    return names


def test_there_are_three_recipes() -> None:
    assert len(RECIPES) == 3


def test_summaries_are_read_with_duckdb(server: Simulator, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(RECIPES[0])["done"]
    said = capsys.readouterr().out
    assert "7 of 7 done for $0.00" in said
    assert "006.txt" in said
    assert (done.exit_code, done.job.status, Path(done.place)) == (0, "done", Path("output/reports").absolute())


def test_an_etl_job_takes_typed_columns_with_polars(server: Simulator, tmp_path: Path) -> None:
    put(tmp_path, "invoice.json", json.dumps(SCHEMA))
    columns = {"id": [str(one) for one in range(20)], "text": [text_of(one) for one in range(20)]}
    pq.write_table(pa.table({**columns, "shelf": [one % 2 for one in range(20)]}), tmp_path / "invoices.parquet")
    server.settings.write = lambda body: answer(number_in(body))
    run(RECIPES[1])
    found = pl.read_parquet(tmp_path / "by_shelf.parquet").rows()
    assert found == [(shelf, sum(one + 0.5 for one in range(shelf, 20, 2)), 10) for shelf in (0, 1)]


def test_a_flow_of_one_s_own_takes_it_as_a_subflow(server: Simulator, capsys: pytest.CaptureFixture[str]) -> None:
    run(RECIPES[2])
    assert capsys.readouterr().out == "14 chunks\n"


def test_embedding_leaves_the_vectors_where_the_result_set_says(server: Simulator, tmp_path: Path) -> None:
    put(tmp_path / "reports", "long.txt", prose(9000))
    options = EmbedOptions(
        provider="openai-compatible", model="my-model", chunk_tokens=1000, output=str(tmp_path / "out")
    )
    done = embed([str(tmp_path / "reports")], options).raise_for_status()
    chunks, documents, dimensions = query(
        f"select count(*), count(distinct document_id), max(len(embedding)) from '{done.tables['chunks']}'"
    )[0]
    assert (documents, dimensions) == (done.totals.done, 16)
    assert chunks > documents == 8
    assert done.tables.keys() == {"documents", "calls", "failures", "sections", "chunks"}
    again = embed([str(tmp_path / "reports")], options)
    assert (again.totals.unchanged, again.totals.calls) == (8, 0)


def test_a_job_that_is_paused_and_a_mistake_are_raised(server: Simulator, tmp_path: Path) -> None:
    options = Options(
        provider="openai-compatible", model="my-model", price="1000/1000", budget=0.001, output=str(tmp_path / "out")
    )
    paused = summarize([str(tmp_path / "reports")], options)
    assert (paused.exit_code, paused.job.status) == (4, "paused")
    with pytest.raises(JobPaused, match="budget"):
        paused.raise_for_status()
    with pytest.raises(UserMistake, match="nowhere"):
        summarize([str(tmp_path / "nowhere")], options)
