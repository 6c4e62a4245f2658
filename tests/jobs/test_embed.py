"""Documents in, vectors out: each the right text's, packed to the provider's limits, asked once."""

import math
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from aiohttp import web

from tasks.base.errors import Interrupted, UserMistake
from tasks.documents.document import Content, Unread
from tasks.documents.readers.isolated import Readers
from tasks.embeddings.embed_plan import make_embed_plan
from tasks.jobs.job import Job
from tasks.planning.prepare import prepare
from tasks.prompting.options import EmbedOptions
from tests.conftest import Ran, RunJob
from tests.jobs.texts import fill, prose, put
from tests.simulator import Simulator, error, vector_of

DIMENSIONS = 16


@pytest.fixture
def embedded(run_job: RunJob) -> RunJob:
    """Run an embedding job over the folder."""

    def run(**words: Any) -> Ran:
        return run_job(flow="embed", kind=EmbedOptions, **words)

    return run


def table(folder: Path, texts: dict[str, str]) -> Path:
    path = folder / "texts.parquet"
    pq.write_table(pa.table({"id": list(texts), "text": list(texts.values())}), path)
    return path


def assert_right(ran: Ran) -> list[dict[str, Any]]:
    """Every chunk has its own text's vector."""
    rows = ran.rows("chunks")
    for row in rows:
        assert np.array_equal(np.array(row["embedding"], dtype=np.float32), vector_of(row["text"], DIMENSIONS))
    return rows


def without_times(ran: Ran) -> list[list[dict[str, Any]]]:
    left_out = {"created_at", "finished_at", "failed_at", "latency_ms", "attempts", "job_id"}
    found = []
    for name in ("documents", "calls", "chunks", "failures"):
        rows = [{key: value for key, value in row.items() if key not in left_out} for row in ran.rows(name)]
        found.append(sorted(rows, key=lambda row: (str(row["document_id"]), row.get("position") or 0)))
    return found


def test_chunks_join_to_the_text_and_have_the_vectors_of_their_texts(
    folder: Path, provider: Simulator, embedded: RunJob
) -> None:
    text = prose(9000, "long")
    put(folder, "long.txt", text)
    fill(folder, 5, 200)
    ran = embedded(chunk_tokens=500)
    assert (ran.code, ran.record.totals.done) == (0, 6)
    rows = sorted(
        (row for row in assert_right(ran) if row["document_id"] == "long.txt"), key=lambda row: row["position"]
    )
    assert "".join(row["text"] for row in rows) == text
    assert [text[row["start_char"] : row["end_char"]] for row in rows] == [row["text"] for row in rows]
    assert all(row["tokens"] <= 500 for row in rows)
    assert ran.documents["long.txt"]["chunks"] == len(rows) > 10
    assert all(row["covered_characters"] == row["characters"] for row in ran.documents.values())
    schema = pq.read_schema(next((ran.output / "chunks").glob("part-000001.parquet")))
    assert schema.field("embedding").type == pa.list_(pa.float32(), DIMENSIONS)
    assert schema.field("embedding").metadata


def test_texts_of_many_documents_share_requests_whose_tokens_add_up(
    folder: Path, provider: Simulator, embedded: RunJob
) -> None:
    texts = {str(number): prose(100, number) for number in range(1000)}
    source = table(folder, texts)
    ran = embedded(inputs_per_request=300, sources=[source], text_column="text", id_column="id", price="0.1/0")
    assert (ran.code, provider.counts.answers, ran.record.totals.calls) == (0, 4, 4)
    assert {row["document_id"]: row["text"] for row in assert_right(ran)} == texts
    calls = ran.rows("calls")
    assert {row["kind"] for row in calls} == {"embedding"}
    assert len({row["call_id"] for row in calls}) == 4
    assert sum(row["prompt_tokens"] for row in calls) == provider.counts.prompt_tokens
    assert ran.record.totals.cost_usd == pytest.approx(provider.counts.prompt_tokens * 1e-7)


def test_shards_that_come_to_write_at_the_same_time_make_the_table_once(
    folder: Path, provider: Simulator, embedded: RunJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def slow(number: int) -> None:
        time.sleep(0.05)
        fsync(number)

    monkeypatch.setattr("tasks.results.files.os.fsync", slow)
    monkeypatch.setattr("tasks.embeddings.embed_shard.TEXTS_A_SHARD", 2)
    fill(folder, 16, 200)
    ran = embedded(threads=8)
    assert (ran.code, ran.record.reason, ran.record.totals.done) == (0, None, 16)
    assert len(assert_right(ran)) == 16


def test_equal_texts_are_asked_once(folder: Path, provider: Simulator, embedded: RunJob) -> None:
    for number in range(30):
        put(folder, f"{number:02d}.txt", prose(200, number % 3))
    ran = embedded()
    assert sum(len(body["input"]) for body in provider.counts.prompts) == 3
    assert len(assert_right(ran)) == 30
    paid = [row for row in ran.rows("calls") if not row["reused"]]
    assert sum(row["prompt_tokens"] for row in paid) == provider.counts.prompt_tokens == ran.record.totals.prompt_tokens


def test_one_bad_text_fails_alone(folder: Path, provider: Simulator, embedded: RunJob) -> None:
    fill(folder, 40, 200)
    put(folder, "017.txt", "POISON here")
    provider.settings.poison = {"POISON": "http_500"}
    ran = embedded()
    assert (ran.code, ran.record.totals.done, ran.record.totals.failed) == (3, 39, 1)
    assert len(assert_right(ran)) == 39
    (failure,) = ran.rows("failures")
    assert (failure["document_id"], failure["error_kind"], failure["http_status"]) == ("017.txt", "http_400", 400)


def test_the_same_command_asks_nothing_and_a_changed_document_only_its_new_chunks(
    folder: Path, provider: Simulator, embedded: RunJob
) -> None:
    fill(folder, 20, 200)
    first = prose(3000, "first")
    put(folder, "long.txt", first)
    embedded(chunk_tokens=500)
    asked = provider.counts.requests
    again = embedded(chunk_tokens=500)
    assert (provider.counts.requests, again.record.totals.unchanged) == (asked, 21)
    put(folder, "long.txt", first + "\n\nAnd one thing more, which is new.")
    provider.counts.prompts.clear()
    ran = embedded(chunk_tokens=500)
    (body,) = provider.counts.prompts
    assert len(body["input"]) <= 2
    assert len(assert_right(ran)) == 20 + ran.documents["long.txt"]["chunks"]


def test_a_job_that_was_stopped_goes_on_and_ends_as_one_that_was_not(
    folder: Path, tmp_path: Path, provider: Simulator, embedded: RunJob
) -> None:
    fill(folder, 64, 200)
    whole = embedded(inputs_per_request=8, output=tmp_path / "whole")
    stopped: list[Job[Any]] = []
    provider.counts.requests = 0

    def stop(number: int, _: dict[str, Any]) -> None:
        if number == 4:
            stopped[0].stop(Interrupted(2))

    provider.settings.fault = stop
    first = embedded(inputs_per_request=8, concurrency=1, opened=stopped.append)
    provider.settings.fault = None
    assert first.code == 130
    before = set(provider.counts.bodies)
    ran = embedded(inputs_per_request=8, concurrency=1)
    assert ran.code == 0
    assert set(provider.counts.bodies) == before
    assert provider.counts.requests == 8
    assert_right(ran)
    assert without_times(ran) == without_times(whole)


def test_too_many_inputs_are_halved(folder: Path, provider: Simulator, embedded: RunJob) -> None:
    provider.settings.inputs = 10
    fill(folder, 35, 100)
    ran = embedded(inputs_per_request=35)
    assert ran.code == 0
    assert len(assert_right(ran)) == 35
    assert max(len(body["input"]) for body in provider.counts.prompts) == 35
    assert provider.counts.answers == 4


def test_requests_hold_no_more_than_the_limit_and_keep_the_order(
    folder: Path, provider: Simulator, embedded: RunJob
) -> None:
    fill(folder, 50, 100)
    ran = embedded(inputs_per_request=7)
    sizes = [len(body["input"]) for body in provider.counts.prompts]
    assert max(sizes) == 7
    assert len(sizes) == math.ceil(50 / 7) == ran.record.totals.calls
    assert_right(ran)


def test_wrong_dimensions_stop_the_job_and_say_so(folder: Path, provider: Simulator, embedded: RunJob) -> None:
    fill(folder, 3, 100)
    embedded()
    provider.settings.dimensions = 8
    put(folder, "new.txt", prose(100, "new"))
    ran = embedded()
    assert ran.code == 4
    assert "holds vectors of 16 dimensions, not 8" in str(ran.record.reason)


def test_a_chat_model_makes_no_vectors(folder: Path, provider: Simulator, embedded: RunJob) -> None:
    fill(folder, 1)
    with pytest.raises(UserMistake, match="is no embedding model"):
        embedded(model="mistral-nemo")


def test_without_a_key_the_local_model_embeds(
    folder: Path, no_keys: None, embedded: RunJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder, "a.txt", "The mill on the river grinds corn.")
    put(folder, "b.txt", "A watermill grinds grain beside the stream.")
    put(folder, "c.txt", "Stock prices fell sharply on Tuesday.")
    ran = embedded(provider=None, model=None)
    assert ran.code == 0
    vectors = {row["document_id"]: np.array(row["embedding"]) for row in ran.rows("chunks")}
    assert {len(vector) for vector in vectors.values()} == {256}
    assert vectors["a.txt"] @ vectors["b.txt"] > vectors["a.txt"] @ vectors["c.txt"] + 0.2
    assert ran.record.totals.cost_usd == 0.0


def test_joined_columns_stand_beside_the_documents_those_that_failed_too(
    folder: Path, provider: Simulator, embedded: RunJob
) -> None:
    path = folder / "texts.parquet"
    pq.write_table(pa.table({"id": ["a", "b"], "text": ["A text.", " "], "year": [2025, 2026]}), path)
    ran = embedded(sources=[path], text_column="text", id_column="id", join=True)
    assert {name: (row["status"], row["year"]) for name, row in ran.documents.items()} == {
        "a": ("done", 2025),
        "b": ("failed", 2026),
    }


def test_the_plan_tells_what_the_run_comes_to(
    folder: Path, tmp_path: Path, provider: Simulator, embedded: RunJob
) -> None:
    fill(folder, 30, 200)
    put(folder, "long.txt", prose(5000))
    put(folder, "empty.txt", " ")
    options = EmbedOptions(
        provider="openai-compatible", model="sim-model", chunk_tokens=1000, inputs_per_request=8, price="0.1/0",
        output=str(tmp_path / "out"),
    )  # fmt: skip
    plan = make_embed_plan(prepare("embed", [str(folder)], options))
    assert provider.counts.requests == 0
    ran = embedded(chunk_tokens=1000, inputs_per_request=8, price="0.1/0")
    totals = ran.record.totals
    assert (plan.documents, plan.unreadable, plan.chunks) == (32, 1, len(ran.rows("chunks")))
    assert plan.calls == totals.calls == math.ceil(plan.chunks / 8)
    assert plan.price_high is not None
    assert plan.price_high >= (totals.cost_usd or 0.0) > 0
    again = make_embed_plan(prepare("embed", [str(folder)], options))
    assert (again.unchanged, again.chunks, again.calls) == (31, 0, 0)


def test_another_route_to_the_same_model_takes_over_in_the_middle_and_every_vector_is_right(
    folder: Path, provider: Simulator, second_provider: Simulator, embedded: RunJob
) -> None:
    fill(folder, 60, 200)
    provider.settings.fault = lambda number, _: error(401, "revoked") if number > 3 else None
    ran = embedded(inputs_per_request=6, concurrency=1, fallback=("apipie/sim-model",))
    assert (ran.code, ran.record.totals.done) == (0, 60)
    assert (provider.counts.answers, second_provider.counts.answers) == (3, 7)
    assert len(assert_right(ran)) == 60
    assert {row["provider"] for row in ran.rows("calls")} == {"openai-compatible", "apipie"}
    asked = second_provider.counts.requests
    again = embedded(inputs_per_request=6, concurrency=1, fallback=("apipie/sim-model",))
    assert (again.code, again.record.totals.unchanged, second_provider.counts.requests) == (0, 60, asked)


def test_a_bucket_takes_the_vectors_and_a_job_that_was_stopped_goes_on_there(
    folder: Path, tmp_path: Path, provider: Simulator, embedded: RunJob, s3: str
) -> None:
    fill(folder, 40, 200)
    whole = embedded(inputs_per_request=8, output=tmp_path / "whole")
    stopped: list[Job[Any]] = []
    provider.counts.requests = 0
    provider.settings.fault = lambda number, _: stopped[0].stop(Interrupted(2)) if number == 3 else None
    assert embedded(inputs_per_request=8, concurrency=1, opened=stopped.append, output=f"{s3}/out").code == 130
    provider.settings.fault = None
    ran = embedded(inputs_per_request=8, concurrency=1, output=f"{s3}/out")
    assert (ran.code, provider.counts.requests) == (0, 5)
    assert without_times(ran) == without_times(whole)


@pytest.mark.usefixtures("provider")
def test_a_document_of_which_a_part_was_not_read_is_embedded_and_partial(
    folder: Path, embedded: RunJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "a.pdf").write_bytes(b"%PDF-1.7")
    content = Content("The first page.", unread=(Unread(15, "page 2", "an image of text"),))
    monkeypatch.setattr(Readers, "read", lambda *_: content)
    ran = embedded()
    assert (ran.code, ran.record.totals.partial, len(ran.rows("chunks"))) == (3, 1, 1)
    assert ran.documents["a.pdf"]["error"] == "not read: page 2 (an image of text)"
    assert [one["error_kind"] for one in ran.rows("failures")] == ["unread_part"]


def test_a_server_without_base64_is_asked_for_numbers(folder: Path, provider: Simulator, embedded: RunJob) -> None:
    fill(folder, 30, 200)
    provider.settings.fault = lambda _, body: error(400, "bad request") if "encoding_format" in body else None
    ran = embedded(concurrency=1)
    assert (ran.code, ran.record.totals.done) == (0, 30)
    assert provider.counts.requests <= provider.counts.answers + 1


def test_requests_that_are_refused_together_learn_together(folder: Path, provider: Simulator, embedded: RunJob) -> None:
    fill(folder, 40, 200)
    provider.settings.latency = 0.02
    provider.settings.fault = lambda _, body: error(400, "") if "encoding_format" in body else None
    ran = embedded(concurrency=16, inputs_per_request=1)
    assert (ran.code, ran.record.totals.done) == (0, 40)


def breaks_over_base64(number: int, body: dict[str, Any]) -> web.Response | None:
    """A server that breaks without a word over whatever it doesn't know."""
    return web.Response(status=500) if "encoding_format" in body else None


@pytest.mark.parametrize("concurrency", [1, 16, 64])
def test_a_server_that_breaks_over_base64_without_a_word_is_asked_for_numbers_and_stays(
    folder: Path, provider: Simulator, embedded: RunJob, concurrency: int
) -> None:
    fill(folder, 80, 200)
    provider.settings.latency = 0.02
    provider.settings.fault = breaks_over_base64
    ran = embedded(concurrency=concurrency, inputs_per_request=1)
    assert (ran.code, ran.record.totals.done) == (0, 80)
    assert provider.counts.answers == 80
    assert provider.counts.requests <= 3 * 80  # each that waits already learns for itself, at the worst
    assert_right(ran)


def test_a_job_that_goes_on_at_a_server_that_breaks_over_base64_learns_it_anew(
    folder: Path, provider: Simulator, embedded: RunJob
) -> None:
    """That its kept answers are numbers is nothing that the next run knows of."""
    fill(folder, 40, 200)
    stopped: list[Job[Any]] = []

    def stop(number: int, body: dict[str, Any]) -> web.Response | None:
        if number == 20:
            stopped[0].stop(Interrupted(2))
        return breaks_over_base64(number, body)

    provider.settings.fault = stop
    assert embedded(concurrency=1, inputs_per_request=1, opened=stopped.append).code == 130
    provider.settings.fault = breaks_over_base64
    ran = embedded(concurrency=1, inputs_per_request=1)
    assert (ran.code, ran.record.totals.done, provider.counts.answers) == (0, 40, 40)


def test_a_server_that_takes_base64_and_breaks_now_and_then_is_asked_for_it_again(
    folder: Path, provider: Simulator, embedded: RunJob
) -> None:
    fill(folder, 60, 200)
    provider.settings.fault = lambda number, _: web.Response(status=500) if number % 4 == 0 else None
    ran = embedded(concurrency=1, inputs_per_request=1)
    assert (ran.code, ran.record.totals.done) == (0, 60)
    assert all("encoding_format" in body for body in provider.counts.prompts)


def test_one_text_without_a_vector_fails_alone_and_its_neighbours_keep_theirs(
    folder: Path, provider: Simulator, embedded: RunJob
) -> None:
    fill(folder, 30, 200)
    put(folder, "bad.txt", "POISON in here")

    def nan(_: int, body: dict[str, Any]) -> web.Response:
        provider.counts.answers += 1
        rows = [[float("nan")] * 16 if "POISON" in text else vector_of(text, 16).tolist() for text in body["input"]]
        data = [{"index": number, "embedding": row} for number, row in enumerate(rows)]
        return web.json_response({"data": data, "usage": {"prompt_tokens": 10}})

    provider.settings.fault = nan
    ran = embedded(dimensions=None)
    assert (ran.code, ran.record.totals.done, ran.record.totals.failed) == (3, 30, 1)
    assert provider.counts.answers == 2  # all of them, and the bad one once more
    (failure,) = ran.rows("failures")
    assert (failure["document_id"], failure["error_kind"]) == ("bad.txt", "bad_vectors")
    assert sum(row["prompt_tokens"] for row in ran.rows("calls")) == ran.record.totals.prompt_tokens == 20
