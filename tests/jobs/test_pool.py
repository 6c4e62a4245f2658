"""A pool uses all routes at once, each with its own limits; one that is lost leaves its work to the others."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.base.errors import Interrupted
from tasks.jobs.job import Job
from tests.conftest import RunJob, hasten
from tests.jobs.test_choosing import MODEL
from tests.jobs.texts import fill, prose, put
from tests.providers.counterparts import VARIABLES
from tests.providers.test_counterparts import set_all
from tests.simulator import Settings, Simulator, error, serving

PROVIDERS = {
    "openrouter": "mistralai/mixtral-8x22b-instruct",
    "together": f"mistralai/{MODEL}",
    "deepinfra": f"mistralai/{MODEL}",
}
Pool = dict[str, Simulator]


@pytest.fixture
def pool(no_keys: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pool]:
    """Three simulated providers of one model."""
    settings = [Settings(context=65_536, models=(model,), latency=0.01) for model in PROVIDERS.values()]
    with serving(settings[0]) as first, serving(settings[1]) as second, serving(settings[2]) as third:
        found = dict(zip(PROVIDERS, (first, second, third), strict=True))
        for provider, simulator in found.items():
            key, url = VARIABLES[provider]
            set_all(monkeypatch, {key: simulator.settings.key or "", url: simulator.url})
        yield found


def test_documents_go_to_all_routes_and_each_row_says_where(pool: Pool, folder: Path, run_job: RunJob) -> None:
    fill(folder, 90)
    ran = run_job(provider="auto", model=MODEL, pool=True, concurrency=4)
    assert ran.code == 0
    by_provider = Counter(row["provider"] for row in ran.documents.values())
    assert set(by_provider) == set(PROVIDERS)
    assert {provider: simulator.counts.answers for provider, simulator in pool.items()} == dict(by_provider)
    assert min(by_provider.values()) > 15


def test_a_revoked_key_stops_its_calls_at_once_and_the_job_goes_on(pool: Pool, folder: Path, run_job: RunJob) -> None:
    pool["together"].settings.fault = lambda number, _: error(401, "revoked") if number > 10 else None
    fill(folder, 90)
    ran = run_job(provider="auto", model=MODEL, pool=True, concurrency=1)
    assert ran.code == 0
    assert pool["together"].counts.answers == 10
    assert pool["together"].counts.requests == 11
    assert Counter(row["status"] for row in ran.documents.values()) == {"done": 90}


def test_what_was_lost_is_said_in_the_end(pool: Pool, folder: Path, run_job: RunJob) -> None:
    pool["together"].settings.key = "another"
    fill(folder, 9)
    jobs: list[Job] = []

    def opened(job: Job) -> None:
        hasten(job)
        jobs.append(job)

    assert run_job(opened, provider="auto", model=MODEL, pool=True).code == 0
    (trouble,) = [words for words in jobs[0].meter.troubles if "together" in words]
    assert "the account is refused" in trouble
    assert "went elsewhere" in trouble


@pytest.mark.parametrize("answers", [5, 20, 45])
def test_a_pool_taken_up_again_asks_nothing_twice(pool: Pool, folder: Path, run_job: RunJob, answers: int) -> None:
    for number in range(40):
        put(folder, f"{number:02d}.txt", prose(2000, number))
    for number in range(3):
        put(folder, f"long-{number}.txt", prose(100_000, number))

    def stopping(job: Job) -> None:
        hasten(job)
        for simulator in pool.values():
            simulator.settings.fault = lambda *_: job.stop(Interrupted(2)) if total() >= answers else None

    def total() -> int:
        return sum(simulator.counts.answers for simulator in pool.values())

    words = {"provider": "auto", "model": MODEL, "pool": True, "concurrency": 2, "context": 16_384}
    assert run_job(stopping, **words).code == 130
    for simulator in pool.values():
        simulator.settings.fault = None
    ran = run_job(**words)
    assert ran.code == 0
    assert len(ran.documents) == 43
    for simulator in pool.values():
        assert max(simulator.counts.answered.values(), default=1) == 1
    texts = Counter(body["messages"][0]["content"] for one in pool.values() for body in one.counts.prompts)
    assert max(texts.values()) == 1


def test_a_budget_holds_over_all_routes_of_a_pool(pool: Pool, folder: Path, run_job: RunJob) -> None:
    fill(folder, 90, 3000)
    ran = run_job(provider="auto", model=MODEL, pool=True, price="1/1", budget=0.04, concurrency=8)
    assert ran.code == 4
    assert ran.record.totals.cost_usd is not None
    assert 0.02 < ran.record.totals.cost_usd <= 0.04
    answered = sum(simulator.counts.answers for simulator in pool.values())
    assert len(ran.documents) == answered < 90


def test_routes_named_by_hand_may_be_a_pool_too(pool: Pool, folder: Path, run_job: RunJob) -> None:
    fill(folder, 40)
    ran = run_job(provider="openrouter", model=MODEL, fallback=(f"deepinfra/{MODEL}",), pool=True, concurrency=2)
    assert ran.code == 0
    assert pool["together"].counts.requests == 0
    assert min(pool[name].counts.answers for name in ("openrouter", "deepinfra")) > 10


def test_a_route_of_a_pool_that_is_down_is_passed_by_and_comes_back(pool: Pool, folder: Path, run_job: RunJob) -> None:
    pool["together"].settings.fault = lambda number, _: error(503, "no hosts") if number < 40 else None
    fill(folder, 120)
    ran = run_job(provider="auto", model=MODEL, pool=True, concurrency=2, patience=60.0)
    assert ran.code == 0
    assert Counter(row["status"] for row in ran.documents.values()) == {"done": 120}


def test_a_fallback_waits_until_the_pool_fails(pool: Pool, folder: Path, run_job: RunJob) -> None:
    fill(folder, 60)
    words = {"provider": "auto", "model": MODEL, "pool": True, "exclude": ("together",), "concurrency": 2}
    ran = run_job(fallback=(f"together/{MODEL}",), **words)
    assert ran.code == 0
    assert pool["together"].counts.requests == 0
    for name in ("openrouter", "deepinfra"):
        pool[name].settings.key = "revoked"
    put(folder, "new.txt", prose(500, "new"))
    assert run_job(fallback=(f"together/{MODEL}",), **words).code == 0
    assert pool["together"].counts.answers == 1


def test_answers_dearer_than_their_price_end_the_job_with_those_in_flight(
    pool: Pool, folder: Path, run_job: RunJob
) -> None:
    pool["openrouter"].settings.cost = 0.005
    fill(folder, 40)
    ran = run_job(provider="openrouter", model=MODEL, price="0.1/0.1", budget=0.02, concurrency=1)
    assert ran.code == 4
    assert ran.record.totals.cost_usd is not None
    assert ran.record.totals.cost_usd <= 0.025
