"""OpenTelemetry over real HTTP: a collector on loopback decodes what a job sends it."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tasks.events import naming, telemetry
from tasks.events.observing import wants_telemetry
from tasks.prompting.options import EmbedOptions
from tests.conftest import KEY, RunJob
from tests.events.collector import Collector, attributes, collecting
from tests.jobs.texts import WORDS, fill, prose, put
from tests.simulator import Simulator, error


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        yield found


def above(collector: Collector, span: Span) -> Span:
    return next(one for one in collector.spans if one.span_id == span.parent_span_id)


def test_a_job_is_a_tree_of_spans_down_to_its_calls(
    folder: Path, provider: Simulator, run_job: RunJob, collector: Collector
) -> None:
    fill(folder, 20)
    put(folder, "long.txt", prose(60_000))
    provider.settings.fault = lambda number, _: error(500, "no") if number == 3 else None
    ran = run_job(price="1/2")
    rows = {row["call_id"]: row for row in ran.rows("calls")}
    calls = {attributes(span.attributes)["docmill.call_id"]: span for span in collector.named("chat")}
    assert calls.keys() == rows.keys()
    for call_id, span in calls.items():
        row, found = rows[call_id], attributes(span.attributes)
        assert (span.name, span.kind) == ("chat sim-model", Span.SPAN_KIND_CLIENT)
        assert found["gen_ai.system"] == found["gen_ai.provider.name"] == "openai-compatible"
        assert found["gen_ai.operation.name"] == "chat"
        assert found["gen_ai.request.model"] == row["model"]
        assert found["gen_ai.usage.input_tokens"] == row["prompt_tokens"]
        assert found["gen_ai.usage.output_tokens"] == row["completion_tokens"]
        assert found["docmill.cost_usd"] == row["cost_usd"]
        assert sum(event.name == "call sent" for event in span.events) == row["attempts"]
        document = above(collector, span)
        assert attributes(document.attributes)["docmill.document_id"] == row["document_id"]
        assert above(collector, document).name == "shard"
        (job,) = collector.named("job")
        assert above(collector, above(collector, document)) == job
        assert job.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
        assert span.end_time_unix_nano <= job.end_time_unix_nano
    assert {span.trace_id for span in collector.spans} == {job.trace_id}
    assert attributes(job.attributes)["docmill.job_id"] == ran.record.job_id
    assert collector.services == {"docmill"}


def test_the_metrics_add_up_to_the_totals(
    folder: Path, provider: Simulator, run_job: RunJob, collector: Collector
) -> None:
    fill(folder, 30)
    put(folder, "bad.txt", "unanswerable " + prose(300))
    provider.settings.fault = lambda number, body: (
        error(400, "no") if "unanswerable" in str(body) else error(503, "no") if number in (3, 5) else None
    )
    ran = run_job(price="1/2", rpm=100_000)
    totals, total = ran.record.totals, collector.total
    assert total("docmill.calls", "docmill.outcome", "answered") == totals.calls == 30
    by_kind = {found["gen_ai.token.type"]: value for value, found in collector.points("docmill.tokens")}
    assert by_kind == {"input": totals.prompt_tokens, "output": totals.completion_tokens}
    assert total("gen_ai.client.token.usage") == totals.prompt_tokens + totals.completion_tokens
    assert total("docmill.cost") == pytest.approx(totals.cost_usd)
    assert total("docmill.retries") == 2
    assert [(value, found["error.type"]) for value, found in collector.points("docmill.failures")] == [
        (1, ran.rows("failures")[0]["error_kind"])
    ]
    latency = sum(row["latency_ms"] for row in ran.rows("calls")) / 1000
    assert total("gen_ai.client.operation.duration") == pytest.approx(latency)
    assert total("docmill.documents", "docmill.status", "done") == 30
    (used,) = collector.points("docmill.limit_used")
    assert used[0] == pytest.approx(provider.counts.requests / 100_000)
    assert used[1]["docmill.unit"] == "requests"
    assert [value for value, _ in collector.points("docmill.in_flight")] == [0]


def test_a_call_that_is_given_up_is_an_error_with_its_kind(
    folder: Path, provider: Simulator, run_job: RunJob, collector: Collector
) -> None:
    fill(folder, 5)
    put(folder, "bad.txt", "unanswerable " + prose(300))
    provider.settings.fault = lambda _, body: error(400, "no") if "unanswerable" in str(body) else None
    ran = run_job()
    (failure,) = ran.rows("failures")
    (span,) = [one for one in collector.named("chat") if one.status.code == Status.STATUS_CODE_ERROR]
    found = attributes(span.attributes)
    assert (found["docmill.call_id"], found["error.type"]) == (failure["call_id"], failure["error_kind"])
    assert above(collector, span).status.code == Status.STATUS_CODE_ERROR


def test_requests_to_embed_stand_under_the_job(
    folder: Path, provider: Simulator, run_job: RunJob, collector: Collector
) -> None:
    fill(folder, 10)
    ran = run_job(flow="embed", kind=EmbedOptions)
    spans = collector.named("embeddings")
    assert {attributes(span.attributes)["docmill.call_id"] for span in spans} == {
        row["call_id"] for row in ran.rows("calls")
    }
    assert {above(collector, span).name for span in spans} == {"job embed"}
    assert len(collector.named("document")) == 10


def test_no_word_of_a_text_and_no_key_is_sent(
    folder: Path, provider: Simulator, run_job: RunJob, collector: Collector
) -> None:
    fill(folder, 5)
    provider.settings.fault = lambda _, body: error(400, f"{KEY}: {body}")
    run_job()
    sent = b"".join(collector.bodies)
    assert collector.spans
    for word in (KEY, *(word for word in WORDS if len(word) > 5)):
        assert word.encode() not in sent


def test_a_name_that_is_no_text_spoils_nothing() -> None:
    found = naming.attributes({"document_id": "caf\udce9", "attempt": 1, "error_kind": None, "provider": "bedrock"})
    assert found == {
        "docmill.document_id": "caf?",
        "docmill.attempt": 1,
        "gen_ai.system": "aws.bedrock",
        "gen_ai.provider.name": "aws.bedrock",
    }


@pytest.mark.parametrize("kind", ["away", "refuses"])
def test_a_collector_that_is_away_or_refuses_costs_the_job_nothing(
    folder: Path, provider: Simulator, run_job: RunJob, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(telemetry, "LAST_SECONDS", 0.5)
    fill(folder, 20)
    with collecting(status=400) as refusing:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9" if kind == "away" else refusing.url)
        began = time.monotonic()
        ran = run_job()
    assert (ran.code, ran.record.totals.done) == (0, 20)
    assert time.monotonic() - began < 10  # the SDK's own patience is ten seconds, for each of the two


def test_one_signal_alone_can_be_switched_off(
    folder: Path, provider: Simulator, run_job: RunJob, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(folder, 3)
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "nightly")
    run_job()
    assert collector.spans == []
    assert collector.total("docmill.calls") == 3


def test_it_is_wanted_only_where_the_environment_names_a_collector() -> None:
    one = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}
    assert wants_telemetry(one)
    assert not wants_telemetry({})
    assert not wants_telemetry({**one, "OTEL_SDK_DISABLED": "true"})


def test_whoever_does_not_want_it_imports_nothing_of_it() -> None:
    script = (
        "import sys, tasks.running.opening, tasks.events.observing as observing\n"
        "with observing.observing('job', None, print) as observer: observer.note('job began')\n"
        "assert observer is observing.SILENT\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])\n"
    )
    environment = {"PATH": "", "PYTHONPATH": "."}
    ran = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert (ran.returncode, ran.stdout.strip()) == (0, "[]"), ran.stderr
