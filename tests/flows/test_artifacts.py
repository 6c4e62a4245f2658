"""What a run leaves beside its tables: its page, and what Prefect's UI shows of it."""

import json
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import Artifact

from flows.summarize import summarize
from tasks.artifacts import percentage
from tasks.calls.progress import Meter
from tasks.prompting.options import Options
from tests.simulator import Simulator, error


@pytest.fixture
def inputs(tmp_path: Path, provider: Simulator) -> list[str]:
    folder = tmp_path / "input"
    folder.mkdir()
    for number in range(8):
        (folder / f"{number}.txt").write_text(f"The mill of number {number} turned by day. " * 40)
    (folder / "refused.txt").write_text("REFUSE this one")
    provider.settings.fault = lambda _, body: error(400, "no") if "REFUSE" in str(body) else None
    return [str(folder)]


def options(output: Path) -> Options:
    return Options(output=str(output), provider="openai-compatible", model="sim-model")


def shown(job_id: str) -> dict[str, Artifact]:
    with get_client(sync_client=True) as client:
        return {str(one.key): one for one in client.read_artifacts() if one.description == f"Job {job_id}"}


def test_a_run_leaves_its_page_and_shows_progress_tables_and_a_link(inputs: list[str], tmp_path: Path) -> None:
    done = summarize(inputs, options(tmp_path / "out"))
    page = tmp_path / "out" / "dashboard.html"
    assert done.page == page.as_uri()
    assert "1 of 9 documents failed" in page.read_text()
    found = shown(done.job.job_id)
    assert found.keys() == {
        "docmill-summarize", "docmill-summarize-progress", "docmill-summarize-page",
        "docmill-summarize-routes", "docmill-summarize-failures",
    }  # fmt: skip
    assert found["docmill-summarize-progress"].data == 100.0
    assert page.as_uri() in str(found["docmill-summarize-page"].data)
    (route,) = json.loads(str(found["docmill-summarize-routes"].data))
    assert (route["model"], route["calls"], route["failures"]) == ("sim-model", done.totals.calls, 1)
    (failure,) = json.loads(str(found["docmill-summarize-failures"].data))
    assert (failure["failures"], failure["documents"]) == (1, 1)


def test_progress_is_what_is_settled_of_what_is_expected() -> None:
    meter = Meter(expected_documents=40)
    assert percentage(meter) == 0.0
    meter.done, meter.failed = 9, 1
    assert percentage(meter) == 25.0
    assert percentage(Meter()) == 0.0
