"""Which route `auto` takes: by what this job costs there or how fast it is, within what the user allows."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tasks.base.errors import UserMistake
from tasks.ledger.state import local_ledger
from tasks.models.live_catalogue import Snapshot, save_snapshot
from tasks.models.model_lists import Listed
from tasks.planning.plan import make_plan
from tasks.planning.prepare import prepare
from tasks.planning.prepared import Prepared
from tasks.planning.saved_routes import remember
from tasks.prompting.options import Options
from tests.conftest import RunJob
from tests.jobs.texts import fill, prose, put
from tests.providers.counterparts import VARIABLES, Counterparts
from tests.providers.test_counterparts import set_all
from tests.simulator import Simulator

MODEL = "Mixtral-8x22B-Instruct-v0.1"
IDS = {
    "openrouter": "mistralai/mixtral-8x22b-instruct",
    "together": f"mistralai/{MODEL}",
    "deepinfra": f"mistralai/{MODEL}",
}


@pytest.fixture(autouse=True)
def keys(parts: Counterparts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCMILL_CATALOGUE", str(tmp_path / "lists"))
    monkeypatch.chdir(tmp_path)
    set_all(monkeypatch, parts.environment(*IDS))


def listed(folder: Path, provider: str, **values: Any) -> None:
    """Let a provider's list, refreshed just now, tell this of the model."""
    entry = Listed(IDS[provider])._replace(**values)
    place = os.environ[VARIABLES[provider][1]]
    save_snapshot(folder / "lists", Snapshot(provider, datetime.now(UTC), (entry,), place))


def chosen(tmp_path: Path, **words: Any) -> Prepared:
    documents = tmp_path / "documents"
    options = Options(**({"output": tmp_path / "out", "model": MODEL} | words))
    return prepare("summarize", [str(documents)], options)


def labels(prepared: Prepared) -> list[str]:
    return [stop.label.split("/")[0] for stop in (*prepared.job_routes, *prepared.rivals)]


class TestChoosing:
    def test_the_cheapest_for_this_job_is_first_and_an_unknown_price_last(self, tmp_path: Path, folder: Path) -> None:
        fill(folder, 3)
        listed(tmp_path, "openrouter", input_price=0.3, output_price=0.3)
        assert labels(chosen(tmp_path)) == ["openrouter", "deepinfra", "together"]

    def test_long_prompts_and_short_answers_make_another_choice_than_the_sum_of_prices(
        self, tmp_path: Path, folder: Path
    ) -> None:
        listed(tmp_path, "openrouter", input_price=0.1, output_price=3.0)
        listed(tmp_path, "deepinfra", input_price=0.6, output_price=0.6)
        put(folder, "long.txt", prose(40_000))
        assert labels(chosen(tmp_path))[0] == "openrouter"
        (folder / "long.txt").unlink()
        fill(folder, 5, 300)
        assert labels(chosen(tmp_path))[0] == "deepinfra"

    def test_perf_takes_the_fastest_at_this_size_and_perf_avg_over_all(self, tmp_path: Path, folder: Path) -> None:
        put(folder, "a.txt", prose(1000))
        listed(tmp_path, "openrouter", latency=(0.5, 2.0, 2.0, 2.0, 2.0, 1.9))
        listed(tmp_path, "deepinfra", latency=(1.0, 1.0, 1.0, 1.0, 1.0, 1.0))
        assert labels(chosen(tmp_path, routing="perf")) == ["openrouter", "deepinfra", "together"]
        assert labels(chosen(tmp_path, routing="perf-avg")) == ["deepinfra", "openrouter", "together"]

    def test_what_is_excluded_or_too_dear_is_left_out_and_the_plan_says_why(self, tmp_path: Path, folder: Path) -> None:
        fill(folder, 1)
        listed(tmp_path, "openrouter", input_price=0.1, output_price=0.1)
        prepared = chosen(tmp_path, exclude=("openrouter",), max_price="0.7")
        assert labels(prepared) == ["deepinfra"]
        plan = make_plan(prepared)
        assert plan.left_out[f"openrouter/{MODEL}"] == "excluded"
        assert "--max-price" in plan.left_out[f"together/{MODEL}"]

    def test_a_model_that_is_not_available_is_no_candidate_and_one_that_is_gone_the_last(
        self, tmp_path: Path, folder: Path
    ) -> None:
        fill(folder, 1)
        listed(tmp_path, "openrouter", available=False)
        listed(tmp_path, "deepinfra", id="another")
        assert labels(chosen(tmp_path)) == ["together", "deepinfra"]

    def test_with_nothing_left_it_is_said_what_stood_against_each(self, tmp_path: Path, folder: Path) -> None:
        fill(folder, 1)
        with pytest.raises(UserMistake, match=r"no route is left: .*excluded"):
            chosen(tmp_path, exclude=(MODEL,))

    def test_the_routes_of_an_unfinished_job_stay_whatever_prices_do(self, tmp_path: Path, folder: Path) -> None:
        fill(folder, 1)
        (tmp_path / "out" / ".docmill").mkdir(parents=True)
        first = chosen(tmp_path)
        listed(tmp_path, "together", input_price=0.01, output_price=0.01)
        assert labels(chosen(tmp_path))[0] == "together"
        remember(first.job_routes, first.options, first.state)
        ledger = local_ledger(tmp_path / "out" / ".docmill" / "ledger.sqlite")
        ledger.begin("work", "summarize")
        ledger.end("paused")
        assert labels(chosen(tmp_path))[0] == labels(first)[0] != "together"
        ledger.end("done")
        assert labels(chosen(tmp_path))[0] == "together"
        ledger.close()

    def test_the_plan_shows_the_rivals_with_their_prices(self, tmp_path: Path, folder: Path) -> None:
        fill(folder, 4)
        plan = make_plan(chosen(tmp_path))
        assert [rival.route.split("/")[0] for rival in plan.rivals] == ["openrouter", "together"]
        assert plan.rivals[0].price_expected == pytest.approx(plan.price_expected)
        assert plan.rivals[1].price_expected is None


def test_another_provider_is_cheaper_now_and_unchanged_documents_cost_nothing(
    parts: Counterparts, tmp_path: Path, folder: Path, run_job: RunJob
) -> None:
    fill(folder, 5)
    run_job(provider="auto", model=MODEL)
    listed(tmp_path, "together", input_price=0.01, output_price=0.01)
    put(folder, "new.txt", prose(500, "new"))
    ran = run_job(provider="auto", model=MODEL)
    assert [sent.provider for sent in parts.sent] == ["deepinfra"] * 5 + ["together"]
    assert ran.record.totals.unchanged == 5


def test_own_calls_tell_how_fast_a_route_is(parts: Counterparts, tmp_path: Path, folder: Path, run_job: RunJob) -> None:
    fill(folder, 3)
    run_job(provider="together", model=MODEL)
    assert len(parts.sent) == 3
    listed(tmp_path, "openrouter", latency=(9.0,) * 6)
    assert labels(chosen(tmp_path, routing="perf")) == ["together", "openrouter", "deepinfra"]


def test_lists_are_read_anew_once_they_are_old(parts: Counterparts, tmp_path: Path, folder: Path) -> None:
    fill(folder, 1)
    parts.models["openrouter"] = {
        "data": [{"id": IDS["openrouter"], "pricing": {"prompt": "0.0000001", "completion": "0.0000001"}}]
    }
    assert labels(chosen(tmp_path))[0] == "openrouter"
    parts.models["openrouter"] = {"data": [{"id": IDS["openrouter"]}]}
    prepared = chosen(tmp_path)
    assert prepared.job_routes[0].route.price is not None
    assert prepared.job_routes[0].route.price.input == 0.1


@pytest.mark.usefixtures("parts")
def test_a_window_may_be_demanded(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "key")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    fill(folder, 1)
    assert labels(chosen(tmp_path, model="mistral-large")) == ["bedrock", "openrouter"]
    prepared = chosen(tmp_path, model="mistral-large", min_context=100_000)
    assert labels(prepared) == ["openrouter"]
    assert "8,192" in prepared.left_out["bedrock/mistral-large"]


def test_integrity_asks_the_aggregator_to_vote(
    parts: Counterparts, folder: Path, run_job: RunJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all(monkeypatch, parts.environment("apipie"))
    fill(folder, 1)
    ran = run_job(provider="apipie@pool", model="my-pool", integrity=13, context=8192)
    assert ran.code == 0
    (sent,) = parts.sent
    assert (sent.body["integrity"], sent.body["provider"], sent.body["model"]) == (13, "pool", "my-pool")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"max_price": "0.1"}, "no route is left"),
        ({"exclude": ("openrouter",)}, "no route is left"),
        ({"min_context": 10**6}, "no route is left"),
        ({"max_price": "bogus"}, "--max-price bogus"),
        ({"exclude": ("openruter",)}, "--exclude openruter: no route is called so"),
        ({"integrity": 12}, "only apipie asks several times"),
    ],
)
def test_a_constraint_holds_for_a_single_route_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path, words: dict[str, Any], said: str
) -> None:
    monkeypatch.delenv("TOGETHER_API_KEY", raising=False)
    monkeypatch.delenv("DEEPINFRA_API_KEY", raising=False)
    fill(folder, 1)
    with pytest.raises(UserMistake) as refused:
        chosen(tmp_path, **words)
    assert said in str(refused.value)


def test_without_a_model_a_later_run_stays_with_that_of_the_first(
    parts: Counterparts, tmp_path: Path, folder: Path, run_job: RunJob
) -> None:
    fill(folder, 4)
    first = run_job(provider="auto", model=None)
    (model,) = {row["model"] for row in first.documents.values()}
    listed(tmp_path, "openrouter", input_price=0.0001, output_price=0.0001)
    put(folder, "new.txt", prose(500, "new"))
    ran = run_job(provider="auto", model=None)
    assert {row["model"] for row in ran.documents.values()} == {model}
    assert (ran.record.totals.unchanged, len(parts.sent)) == (4, 5)


def test_a_window_that_a_list_tells_meanwhile_makes_nothing_undone(
    parts: Counterparts, tmp_path: Path, folder: Path, run_job: RunJob
) -> None:
    put(folder, "long.txt", prose(500_000))
    listed(tmp_path, "openrouter", context=32_000)
    run_job(provider="openrouter", model=MODEL)
    asked = len(parts.sent)
    listed(tmp_path, "openrouter", context=64_000)
    ran = run_job(provider="openrouter", model=MODEL)
    assert (len(parts.sent), ran.record.totals.unchanged) == (asked, 1)


@pytest.mark.parametrize("provider", ["auto", "openrouter"])
def test_a_job_taken_up_again_cuts_as_it_began_though_a_list_tells_a_larger_window(
    parts: Counterparts, tmp_path: Path, folder: Path, run_job: RunJob, provider: str
) -> None:
    put(folder, "long.txt", prose(500_000))
    listed(tmp_path, "openrouter", context=32_000, input_price=0.1, output_price=0.1)
    parts.lost_after["openrouter"] = 3
    words: dict[str, Any] = {"provider": provider, "model": MODEL, "concurrency": 1}
    assert run_job(**words).code == 4
    parts.lost_after.clear()
    listed(tmp_path, "openrouter", context=64_000, input_price=0.1, output_price=0.1)
    ran = run_job(**words)
    assert ran.code == 0
    answered = [sent.raw for sent in parts.sent]
    calls = ran.rows("calls")
    assert len(calls) == len(set(answered)) == parts.answers["openrouter"]


def test_what_refuses_one_route_of_an_account_refuses_all(
    parts: Counterparts, folder: Path, run_job: RunJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    for provider in IDS:
        monkeypatch.delenv(f"{provider.upper()}_API_KEY")
    set_all(monkeypatch, parts.environment("apipie"))
    fill(folder, 9)
    parts.lost_after["apipie"] = 2
    assert run_job(provider="auto", model=MODEL, pool=True, concurrency=1).code == 4
    assert len(parts.sent) == 3


def test_another_server_s_answers_are_not_taken_for_this_one_s(
    provider: Simulator, second_provider: Simulator, folder: Path, run_job: RunJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENROUTER_API_KEY", "TOGETHER_API_KEY", "DEEPINFRA_API_KEY", "APIPIE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    fill(folder, 2)
    run_job(provider="auto")
    monkeypatch.setenv("OPENAI_BASE_URL", second_provider.url)
    run_job(provider="auto")
    assert (provider.counts.answers, second_provider.counts.answers) == (2, 2)


def test_asking_several_times_is_priced(
    parts: Counterparts, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all(monkeypatch, parts.environment("apipie"))
    fill(folder, 2)
    once, voted = (
        make_plan(chosen(tmp_path, provider="apipie@deepinfra", integrity=integrity)).price_high
        for integrity in (None, 13)
    )
    assert once is not None
    assert voted == pytest.approx(4 * once)


def test_a_list_of_another_server_tells_nothing_of_this_one(
    parts: Counterparts, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(folder, 1)
    listed(tmp_path, "openrouter", context=4096, input_price=0.01, output_price=0.01)
    monkeypatch.setenv("OPENROUTER_BASE_URL", parts.base("openrouter") + "/")
    assert chosen(tmp_path, provider="openrouter").job_routes[0].route.window.context == 4096
    monkeypatch.setenv("OPENROUTER_BASE_URL", "http://127.0.0.1:1/v1")
    assert chosen(tmp_path, provider="openrouter").job_routes[0].route.window.context == 65_536
