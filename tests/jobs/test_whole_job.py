"""A whole job: every count agrees with the provider's own, and nothing is paid for twice."""

import json
from pathlib import Path

import pytest

from tests.conftest import KEY, Ran, RunJob
from tests.jobs.texts import fill, prose, put
from tests.simulator import Simulator, error


def assert_counts_agree(ran: Ran, provider: Simulator) -> None:
    """Rows = paid answers = distinct identities, and the tokens are the provider's."""
    calls, counts, totals = ran.rows("calls"), provider.counts, ran.record.totals
    assert len(calls) == len({row["call_id"] for row in calls}) == counts.answers == len(counts.answered)
    for name in ("prompt_tokens", "completion_tokens"):
        assert sum(row[name] for row in calls) == getattr(counts, name)
        assert sum(row[name] for row in ran.documents.values()) == getattr(counts, name)
        assert getattr(totals, name) == getattr(counts, name)
    assert totals.calls == len(calls)
    assert sum(row["calls"] for row in ran.documents.values()) == len(calls)


def test_sixty_documents_and_a_long_one_agree_with_the_provider_in_every_count(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    fill(folder, 60, 2000)
    put(folder, "deep/down/long.txt", prose(200_000, "long"))
    ran = run_job()
    assert (ran.code, ran.record.status, ran.record.reason) == (0, "done", None)
    documents = ran.documents
    assert set(documents) == {f"{number:03d}.txt" for number in range(60)} | {"deep/down/long.txt"}
    assert {row["status"] for row in documents.values()} == {"done"}
    assert all(row["covered_characters"] == row["characters"] for row in documents.values())
    assert documents["deep/down/long.txt"]["characters"] == 200_000
    assert documents["000.txt"]["characters"] == 2000
    assert ran.rows("failures") == []
    assert_counts_agree(ran, provider)
    assert ran.record.totals.documents == ran.record.totals.done == 61


def test_the_chunks_of_a_long_document_join_to_the_whole_text(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    text = prose(60_000, "joined")
    put(folder, "long.txt", text)
    ran = run_job()
    spans = [(row["start_char"], row["end_char"]) for row in ran.rows("calls") if row["stage"] == "map"]
    assert len(spans) == ran.documents["long.txt"]["chunks"] > 5
    assert "".join(text[start:end] for start, end in sorted(spans)) == text
    reduced = [row for row in ran.rows("calls") if row["stage"] == "reduce"]
    assert reduced
    assert all(row["level"] >= 1 and row["start_char"] is None for row in reduced)
    top = max(reduced, key=lambda row: int(row["level"]))
    assert ran.documents["long.txt"]["output"] == top["output"]
    sent = [body["messages"][0]["content"] for body in provider.counts.prompts]
    assert all(any(text[start:end] in prompt for prompt in sent) for start, end in spans)


def test_the_same_command_again_asks_nothing_and_changes_nothing(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    fill(folder, 8)
    first = run_job()
    asked, before = provider.counts.requests, first.documents
    again = run_job()
    assert provider.counts.requests == asked
    assert again.documents == before
    assert (again.code, again.record.totals.unchanged, again.record.totals.documents) == (0, 8, 8)
    assert again.record.totals.calls == again.record.totals.prompt_tokens == 0
    assert again.record.job_id != first.record.job_id


def test_only_a_changed_document_is_paid_for_and_its_row_replaced(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    fill(folder, 8)
    before, asked = run_job().documents, provider.counts.requests
    put(folder, "003.txt", prose(700, "changed"))
    ran = run_job()
    assert provider.counts.requests == asked + 1
    documents = ran.documents
    assert documents["003.txt"]["characters"] == 700
    assert documents["003.txt"]["output"] != before["003.txt"]["output"]
    assert {name: row for name, row in documents.items() if name != "003.txt"} == {
        name: row for name, row in before.items() if name != "003.txt"
    }
    assert [row["document_id"] for row in ran.rows("calls")].count("003.txt") == 1
    assert (ran.record.totals.done, ran.record.totals.unchanged) == (1, 7)


def test_a_new_document_is_the_only_one_asked_about(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    fill(folder, 5)
    run_job()
    put(folder, "new.txt", prose(300, "new"))
    ran = run_job()
    assert provider.counts.requests == 6
    assert len(ran.documents) == 6


def test_another_prompt_never_gets_an_old_answer(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    fill(folder, 6)
    before = run_job().documents
    prompt = put(folder.parent, "prompt.txt", "Name every harbour in this text:\n{text}")
    after = run_job(prompt=prompt).documents
    assert provider.counts.requests == 12
    assert all(before[name]["output"] != after[name]["output"] for name in before)
    assert provider.counts.prompts[-1]["messages"][0]["content"].startswith("Name every harbour in this text:\n")


@pytest.mark.parametrize("change", [{"model": "other-model"}, {"max_output_tokens": 300}])
def test_another_model_or_parameter_never_gets_an_old_answer(
    folder: Path, provider: Simulator, run_job: RunJob, change: dict[str, object]
) -> None:
    provider.settings.models = ("sim-model", "other-model")
    fill(folder, 4)
    run_job()
    ran = run_job(**change)
    assert provider.counts.requests == 8
    assert ran.record.totals.unchanged == 0
    assert len(ran.documents) == 4


def test_another_base_url_never_gets_an_old_answer(
    folder: Path, provider: Simulator, second_provider: Simulator, run_job: RunJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(folder, 4)
    run_job()
    monkeypatch.setenv("OPENAI_BASE_URL", second_provider.url)
    run_job()
    assert (provider.counts.requests, second_provider.counts.requests) == (4, 4)


def test_fresh_asks_everything_again_and_keeps_one_row_a_document(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    fill(folder, 5)
    run_job()
    ran = run_job(fresh=True)
    assert provider.counts.requests == 10
    assert len(ran.documents) == len(ran.rows("calls")) == 5


def test_equal_texts_are_asked_once_and_the_second_row_says_reused(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    provider.settings.latency = 0.02
    for name in ("a.txt", "b.txt", "c.txt"):
        put(folder, name, prose(500, "equal"))
    ran = run_job()
    assert provider.counts.requests == 1
    calls = ran.rows("calls")
    assert sorted(row["reused"] for row in calls) == [False, True, True]
    assert len({row["call_id"] for row in calls}) == 1
    assert len({row["output"] for row in ran.documents.values()}) == 1
    assert ran.record.totals.reused_calls == 2
    assert ran.record.totals.prompt_tokens == provider.counts.prompt_tokens


def test_an_answer_paid_by_an_earlier_document_is_reused_by_a_later_run(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    put(folder, "a.txt", prose(500, "equal"))
    run_job()
    put(folder, "b.txt", prose(500, "equal"))
    ran = run_job()
    assert provider.counts.requests == 1
    assert ran.documents["b.txt"]["output"] == ran.documents["a.txt"]["output"]
    assert [row["reused"] for row in ran.rows("calls") if row["document_id"] == "b.txt"] == [True]


def test_limit_takes_the_first_documents_only(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    fill(folder, 9)
    ran = run_job(limit=4)
    assert sorted(ran.documents) == ["000.txt", "001.txt", "002.txt", "003.txt"]
    assert provider.counts.requests == 4


@pytest.mark.parametrize(
    "text", ["{text}", "{answer}", "{instruction} and {unknown} {0} {", "\\1 \\g<0> %s {{text}}", "{text}{answer}" * 50]
)
def test_braces_in_a_document_reach_the_provider_as_they_are(
    folder: Path, provider: Simulator, run_job: RunJob, text: str
) -> None:
    put(folder, "a.txt", text)
    ran = run_job()
    assert ran.code == 0
    (sent,) = (body["messages"][0]["content"] for body in provider.counts.prompts)
    assert f"<document>\n{text}\n</document>" in sent


def test_braces_in_answers_reach_the_reduce_as_they_are(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    provider.settings.answer = "{{text}} {{answer}} {prompt_sha}"
    put(folder, "long.txt", prose(30_000))
    ran = run_job()
    assert ran.code == 0
    outputs = [row["output"] for row in ran.rows("calls") if row["stage"] == "map"]
    reduces = [body["messages"][0]["content"] for body in provider.counts.prompts if "<parts>" in str(body)]
    assert all(output.startswith("{text} {answer} ") for output in outputs)
    assert all(sum(output in sent for sent in reduces) == 1 for output in outputs)


def test_the_key_is_in_no_file_of_the_result_set(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    fill(folder, 5)
    put(folder, "bad.txt", "POISON")
    provider.settings.fault = lambda _, body: error(500, "cannot") if "POISON" in json.dumps(body) else None
    ran = run_job()
    files = [path for path in ran.output.rglob("*") if path.is_file()]
    assert len(files) > 6
    assert provider.settings.key == KEY
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []


def test_job_json_is_the_record_of_the_end(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    fill(folder, 3)
    ran = run_job()
    found = json.loads((ran.output / "job.json").read_text(encoding="utf-8"))
    assert found == json.loads(json.dumps(ran.record.as_json()))
    assert found["status"] == "done"
    assert found["spec"]["model"] == "sim-model"


def test_usage_that_the_provider_leaves_out_is_counted_by_the_tokenizer(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    provider.settings.usage = False
    fill(folder, 3)
    ran = run_job()
    assert ran.code == 0
    assert all(row["prompt_tokens"] > 100 and row["completion_tokens"] > 3 for row in ran.rows("calls"))


@pytest.mark.parametrize("cost", [0.001, "0.001"])
def test_a_cost_that_the_provider_tells_is_in_the_rows_and_the_totals(
    folder: Path, provider: Simulator, run_job: RunJob, cost: float | str
) -> None:
    provider.settings.cost = cost
    fill(folder, 4)
    ran = run_job()
    assert ran.record.totals.cost_usd == pytest.approx(0.004)
    assert [row["cost_usd"] for row in ran.documents.values()] == pytest.approx([0.001] * 4)


def test_an_unknown_price_is_unknown_and_not_zero(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    fill(folder, 2)
    ran = run_job()
    assert ran.record.totals.cost_usd is None
    assert {row["cost_usd"] for row in ran.documents.values()} == {None}


def test_text_in_many_scripts_is_covered_to_the_last_character(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    samples = {
        "ja.txt": "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。" * 400,
        "zh.txt": "道可道，非常道；名可名，非常名。" * 700,  # noqa: RUF001 - their own marks
        "emoji.txt": "👩‍👩‍👧‍👦🏽 é ñ " * 900,
        "spaces.txt": "a" + " " * 20_000 + "b",
        "one-word.txt": "x" * 30_000,
        "windows.txt": "line\r\n" * 4000,
    }
    for name, text in samples.items():
        (folder / name).write_bytes(text.encode())
    ran = run_job()
    assert ran.code == 0
    for name, text in samples.items():
        row = ran.documents[name]
        assert (row["status"], row["characters"], row["covered_characters"]) == ("done", len(text), len(text)), name
