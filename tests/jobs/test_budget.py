"""Money: never more than the budget, and nothing paid for twice."""

from pathlib import Path
from typing import Any

import pytest

from tasks.base.errors import UserMistake
from tests.conftest import RunJob
from tests.jobs.texts import fill, prose, put
from tests.simulator import Simulator

PRICE = "10/20"  # USD per million tokens


def paid(provider: Simulator) -> float:
    return provider.counts.prompt_tokens * 10e-6 + provider.counts.completion_tokens * 20e-6


class Watch:
    """Looks at the money whenever a request arrives, and counts what is in flight at its worst."""

    def __init__(self, provider: Simulator, budget: float) -> None:
        self.provider, self.budget = provider, budget
        self.over: list[float] = []

    def fault(self, _: int, body: dict[str, Any]) -> None:
        worst = paid(self.provider) + self.provider.counts.in_flight * body["max_tokens"] * 20e-6
        if worst > self.budget:
            self.over.append(worst)


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_budget_is_never_exceeded_even_by_the_worst_of_what_is_in_flight(
    folder: Path, provider: Simulator, run_job: RunJob, concurrency: int
) -> None:
    budget = 0.2
    watch = Watch(provider, budget)
    provider.settings.fault, provider.settings.latency = watch.fault, 0.005
    provider.settings.write = lambda _: "word " * 400
    fill(folder, 60, 800)
    ran = run_job(budget=budget, price=PRICE, concurrency=concurrency)
    assert watch.over == []
    assert (ran.code, ran.record.status) == (4, "paused")
    assert "--budget" in str(ran.record.reason)
    assert 0.8 * budget < paid(provider) <= budget
    assert ran.record.totals.cost_usd == pytest.approx(paid(provider))
    assert sum(row["cost_usd"] for row in ran.rows("calls")) == pytest.approx(paid(provider))


def test_a_larger_budget_goes_on_and_pays_for_nothing_twice(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    provider.settings.write = lambda _: "word " * 400
    fill(folder, 40, 800)
    first = run_job(budget=0.1, price=PRICE)
    assert first.code == 4
    asked = provider.counts.requests
    second = run_job(budget=0.2, price=PRICE)
    assert second.code == 4
    assert asked < provider.counts.requests
    assert paid(provider) <= 0.2
    third = run_job(budget=5, price=PRICE)
    assert (third.code, third.record.job_id) == (0, first.record.job_id)
    assert set(provider.counts.answered.values()) == {1}
    assert provider.counts.requests == 40
    assert third.record.totals.cost_usd == pytest.approx(paid(provider))


def test_the_same_budget_again_spends_no_more(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    provider.settings.write = lambda _: "word " * 400
    fill(folder, 40, 800)
    for _ in range(3):
        assert run_job(budget=0.1, price=PRICE).code == 4
        assert paid(provider) <= 0.1


def test_a_budget_that_covers_not_even_one_call_asks_nobody(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    fill(folder, 3)
    ran = run_job(budget=0.0001, price=PRICE)
    assert ran.code == 4
    assert provider.counts.requests == 0


def test_a_budget_that_suffices_does_not_stop_the_job(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    fill(folder, 20)
    put(folder, "long.txt", prose(50_000))
    ran = run_job(budget=100, price=PRICE)
    assert ran.code == 0
    assert ran.record.totals.cost_usd == pytest.approx(paid(provider))


def test_a_budget_without_a_known_price_is_refused_naming_the_option(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    fill(folder, 1)
    with pytest.raises(UserMistake, match=r"price.*openai-compatible/sim-model.*--price IN/OUT"):
        run_job(budget=1)
    assert provider.counts.requests == 0


@pytest.mark.parametrize("price", ["cheap", "1", "1/2/3", "-1/2", "nan/1", "1/nan", "inf/1"])
def test_a_price_that_is_none_is_refused(folder: Path, provider: Simulator, run_job: RunJob, price: str) -> None:
    fill(folder, 1)
    with pytest.raises(UserMistake, match="--price"):
        run_job(budget=1, price=price)


def test_reused_answers_cost_nothing(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    for name in ("a.txt", "b.txt"):
        put(folder, name, prose(500))
    ran = run_job(price=PRICE)
    assert ran.record.totals.cost_usd == pytest.approx(paid(provider))
    assert min(row["cost_usd"] for row in ran.documents.values()) == 0


@pytest.mark.parametrize("cost", ["NaN", -1.0, "-Infinity"])
def test_a_cost_that_makes_no_sense_does_not_lift_the_budget(
    folder: Path, provider: Simulator, run_job: RunJob, cost: float | str
) -> None:
    provider.settings.write, provider.settings.cost = (lambda _: "word " * 400), cost
    fill(folder, 40, 800)
    ran = run_job(budget=0.1, price=PRICE)
    assert ran.code == 4
    assert paid(provider) <= 0.1
