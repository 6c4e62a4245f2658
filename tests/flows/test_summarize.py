"""The flow under a real Prefect server, against the simulated provider."""

from pathlib import Path

import pytest
from prefect.blocks.system import Secret
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Running
from pydantic import SecretStr

from flows.summarize import summarize
from tasks.jobs import document_shard as shard
from tasks.prompting.options import Options
from tasks.running import shards as work
from tests.flows.tables import query
from tests.simulator import Settings, Simulator, serving


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "input"
    folder.mkdir()
    for number in range(20):
        (folder / f"{number:02d}.txt").write_text(f"The mill of number {number} turned by day and by night. " * 40)
    tale = "\n\n".join(f"On day {day} the tale went on, and nobody knew its end." for day in range(1500))
    (folder / "long.txt").write_text(tale)
    return folder


def options(output: Path) -> Options:
    return Options(output=output, provider="openai-compatible", model="sim-model")


def use(provider: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", provider.url)
    monkeypatch.setenv("OPENAI_API_KEY", provider.settings.key or "none")


def runs(flow: str) -> list[FlowRun]:
    with get_client(sync_client=True) as client:
        return [run for run in client.read_flow_runs() if run.name.startswith(flow)]


def test_the_flow_answers_every_document_and_leaves_its_record(
    documents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out"
    with serving(Settings(context=8192)) as provider:
        use(provider, monkeypatch)
        done = summarize([str(documents)], options(output)).raise_for_status()
        answered = provider.counts.answers

    assert done.exit_code == 0
    assert (done.totals.documents, done.totals.done, done.totals.calls) == (21, 21, answered)
    sql = "select count(distinct document_id), bool_and(covered_characters = characters)"
    sql += f" from '{done.tables['documents']}'"
    assert query(sql) == [(21, True)]
    with get_client(sync_client=True) as client:
        artifacts = client.read_artifacts()
        tasks = client.read_task_runs()
    shown = {one.key: one for one in artifacts if one.description == f"Job {done.job.job_id}"}
    assert shown["docmill-summarize"].type == "markdown"
    assert (shown["docmill-summarize-progress"].type, shown["docmill-summarize-progress"].data) == ("progress", 100.0)
    assert (output / "dashboard.html").as_uri() in str(shown["docmill-summarize-page"].data)
    assert str(answered) in str(shown["docmill-summarize-routes"].data)
    assert done.page == (output / "dashboard.html").as_uri()
    assert "<h1>" in (output / "dashboard.html").read_text(encoding="utf-8")
    assert any(task.name.startswith("shard 0") for task in tasks)


def test_a_page_that_cannot_be_made_does_not_fail_the_job(
    documents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out"
    (output / "dashboard.html" / "in the way").mkdir(parents=True)
    with serving(Settings(context=8192)) as provider:
        use(provider, monkeypatch)
        done = summarize([str(documents)], options(output))

    assert (done.exit_code, done.totals.done, done.page) == (0, 21, None)


def test_no_key_reaches_a_parameter_or_a_result(
    documents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out"
    with serving(Settings(context=8192, key="a-very-secret-key")) as provider:
        use(provider, monkeypatch)
        summarize([str(documents)], options(output))

    parameters = [str(run.parameters) for run in runs("summarize into")]
    files = [path.read_bytes() for path in output.rglob("*") if path.is_file()]
    assert parameters
    assert not any("a-very-secret-key" in text for text in parameters)
    assert files
    assert not any(b"a-very-secret-key" in data for data in files)


def test_the_run_that_a_killed_process_left_is_marked_as_crashed(
    documents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out"
    with serving(Settings(context=8192)) as provider:
        use(provider, monkeypatch)
        summarize([str(documents)], options(output))
        (left,) = [run for run in runs("summarize into") if str(output) in run.name]
        with get_client(sync_client=True) as client:
            # As a kill leaves it: RUNNING, with nobody behind it.
            client.set_flow_run_state(left.id, Running(), force=True)
        summarize([str(documents)], options(output))

    with get_client(sync_client=True) as client:
        again = client.read_flow_run(left.id)
    assert again.state is not None
    assert again.state.type is StateType.CRASHED


def test_a_key_may_lie_in_a_secret_block(documents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Settings(context=8192, key="key-in-a-block")) as provider:
        monkeypatch.setenv("OPENAI_BASE_URL", provider.url)
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        Secret(value=SecretStr("key-in-a-block")).save("openai-compatible-api-key")
        done = summarize([str(documents)], options(tmp_path / "out"))

    assert done.exit_code == 0


def test_a_document_whose_call_is_slow_does_not_keep_the_later_shards_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "input"
    folder.mkdir()
    for number in range(60):
        (folder / f"{number:02d}.txt").write_text(f"The mill of number {number} turned by day.")
    monkeypatch.setattr(shard, "CALLS_A_SHARD", 3)
    monkeypatch.setattr(work, "READ_AHEAD", 6)
    slow = 4.0
    with serving(Settings(context=8192, delays=lambda number: slow if number == 1 else 0.0)) as provider:
        use(provider, monkeypatch)
        done = summarize([str(folder)], options(tmp_path / "out"))

    assert (done.exit_code, done.totals.done) == (0, 60)
    assert provider.counts.times[-1] - provider.counts.times[0] < slow  # all twenty shards had begun by then
