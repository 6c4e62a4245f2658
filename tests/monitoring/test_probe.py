"""Probes over real HTTP: what is measured is what was set, and nothing is spent that isn't allowed."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr

from tasks.dispatch.budget import Spending
from tasks.dispatch.client import Client
from tasks.models.candidates import Candidate
from tasks.models.catalogue import Served, load_catalogue
from tasks.models.price import Price
from tasks.monitoring.event_history import History
from tasks.monitoring.health_records import BUCKETS, HealthEvent, Skipped
from tasks.monitoring.probe import Outcome, Prober, prompt_of
from tasks.monitoring.statistics import health_of
from tasks.monitoring.targets import ProbeTarget
from tasks.providers.account import Account
from tasks.providers.wires.openai import OpenAI
from tests.conftest import KEY
from tests.simulator import Settings, Simulator, error, serving

FREE = Price(0.0, 0.0)
PROBES = 100
# So that none waits for another: what is measured is the provider, not this machine.
APART = 0.01


def target(simulator: Simulator, name: str = "sim", price: Price | None = FREE) -> ProbeTarget:
    provider = load_catalogue().provider("openai-compatible")
    provider = provider.model_copy(update={"name": name, "concurrency": 64})
    served = Served(provider=name, context=8192)
    candidate = Candidate(provider, "sim-model", "sim-model", None, served)
    return ProbeTarget(candidate, "chat", Account(name, simulator.url, SecretStr(KEY)), price)


def probe(
    targets: list[ProbeTarget], budget: float = 0.0, times: int = 1, characters: int = 200, apart: float = 0.0
) -> list[Outcome]:
    """Probe each target so many times, all side by side, beginning so many seconds apart."""

    async def later(prober: Prober, number: int, one: ProbeTarget) -> Outcome:
        await asyncio.sleep(number * apart)
        return await prober.probe(one, characters)

    async def run() -> list[Outcome]:
        async with Client() as client:
            prober = Prober(client, Spending(budget))
            return list(await asyncio.gather(*(later(prober, *pair) for pair in enumerate(targets * times))))

    return asyncio.run(run())


def events(outcomes: list[Outcome]) -> list[HealthEvent]:
    return [one for one in outcomes if isinstance(one, HealthEvent)]


@pytest.fixture
def one() -> Iterator[Simulator]:
    with serving(Settings(context=8192)) as simulator:
        yield simulator


def test_five_providers_are_measured_as_they_were_set(tmp_path: Path) -> None:
    """Latencies of their own spread, a share that fails, and a price each."""
    luck, every = random.Random(5), [0, 50, 20, 10, 4]
    delays = [[luck.uniform(0.4, 0.6 + 0.1 * number) for _ in range(PROBES)] for number in range(5)]

    def settings(number: int) -> Settings:
        fails, mine = every[number], delays[number]
        return Settings(
            context=8192,
            delays=lambda request: mine[request - 1],
            fault=lambda request, _: error(503, "overloaded") if fails and request % fails == 0 else None,
        )

    prices = [Price(0.1 * number, 0.2 * number) for number in range(5)]
    with ExitStack() as stack:
        simulators = [stack.enter_context(serving(settings(number))) for number in range(5)]
        targets = [target(each, f"sim-{number}", prices[number]) for number, each in enumerate(simulators)]
        found = events(probe(targets, budget=1.0, times=PROBES, apart=APART))
    history = History(tmp_path)
    with history.held():
        history.append(found)
        health = health_of(history, max(event.at for event in found))
    for number, route in enumerate(health.routes):
        fails = every[number]
        kept = [delay for place, delay in enumerate(delays[number], 1) if not (fails and place % fails == 0)]
        p50, p90 = np.quantile(kept, [0.5, 0.9]) * 1000
        assert route.latency_p50 == pytest.approx(p50, rel=0.05)
        assert route.latency_p90 == pytest.approx(p90, rel=0.05)
        assert route.first_token_p50 == pytest.approx(p50 / 2, rel=0.1)
        assert route.uptime.hour == pytest.approx(1 - (1 / fails if fails else 0), abs=0.01)
        assert [(one.kind, one.count) for one in route.errors] == ([("http_503", PROBES // fails)] if fails else [])
        assert (route.price_in, route.price_out) == (prices[number].input, prices[number].output)
        assert route.cost_usd == pytest.approx(
            sum(one.cost_usd or 0 for one in found if one.provider == route.provider)
        )


def test_a_probe_is_told_with_its_tokens_speed_and_first_token(one: Simulator) -> None:
    one.settings.latency = 0.2
    (event,) = events(probe([target(one)]))
    assert (event.ok, event.error_kind, event.context) == (True, None, 8192)
    assert event.completion_tokens == 5
    assert event.first_token_ms is not None
    assert event.latency_ms is not None
    assert 100 <= event.first_token_ms < event.latency_ms - 80
    assert event.tokens_per_second == pytest.approx(5 * 1000 / event.latency_ms)


def test_a_wire_that_does_not_stream_tells_no_first_token(one: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OpenAI, "streams", False)
    (event,) = events(probe([target(one)]))
    assert (event.ok, event.first_token_ms, event.completion_tokens) == (True, None, 5)
    assert "stream" not in one.counts.prompts[0]


@pytest.mark.parametrize(
    ("changed", "kind", "status"),
    [
        ({"key": "another"}, "account_refused", 401),
        ({"models": ("other",)}, "model_unknown", 404),
        ({"chaos": {"http_429": 1.0}}, "http_429", 429),
        ({"chaos": {"http_503": 1.0}}, "http_503", 503),
        ({"chaos": {"http_500": 1.0}}, "http_500", 500),
        ({"chaos": {"html_502": 1.0}}, "http_502", 502),
        ({"chaos": {"reset": 1.0}}, "connection", None),
        ({"chaos": {"broken_json": 1.0}}, "not_json", 200),
    ],
)
def test_what_went_wrong_is_told_and_asked_once(
    one: Simulator, changed: dict[str, Any], kind: str, status: int | None
) -> None:
    one.settings.change(changed)
    (event,) = events(probe([target(one)]))
    assert (event.ok, event.error_kind, event.http_status) == (False, kind, status)
    assert one.counts.requests == 1


def test_nobody_there_is_a_failed_probe(one: Simulator) -> None:
    gone = replace(target(one), account=Account("sim", "http://127.0.0.1:9/v1", SecretStr(KEY)))
    (event,) = events(probe([gone]))
    assert (event.ok, event.error_kind, event.http_status, event.cost_usd) == (False, "connect", None, 0.0)


def test_a_model_that_only_thought_so_far_was_there_all_the_same(one: Simulator) -> None:
    one.settings.answer = " "
    (event,) = events(probe([target(one)]))
    assert (event.ok, event.error_kind) == (True, None)


def test_without_a_budget_nothing_that_costs_is_sent(one: Simulator) -> None:
    (found,) = probe([target(one, price=Price(0.01, 0.01))])
    assert isinstance(found, Skipped)
    assert "--probe-budget" in found.reason
    assert one.counts.requests == 0


def test_a_route_of_unknown_price_is_not_asked_and_the_flag_named(one: Simulator) -> None:
    (found,) = probe([target(one, price=None)], budget=10.0)
    assert isinstance(found, Skipped)
    assert "--price" in found.reason
    assert one.counts.requests == 0


def test_the_budget_holds_by_the_worst_case_whatever_is_in_flight(one: Simulator) -> None:
    one.settings.latency = 0.05
    worst = (264 * 10 + 16 * 10) / 1e6
    outcomes = probe([target(one, price=Price(10, 10))], budget=3.5 * worst, times=40)
    sent = events(outcomes)
    assert 3 <= len(sent) < 40
    assert one.counts.requests == len(sent)
    assert sum(event.cost_usd or 0 for event in sent) <= 3.5 * worst


def test_a_prompt_that_may_not_fit_its_window_is_not_sent(one: Simulator) -> None:
    (found,) = probe([target(one)], characters=32_000)
    assert isinstance(found, Skipped)
    assert "8,192" in found.reason
    assert one.counts.requests == 0


@pytest.mark.parametrize("size", [200, *BUCKETS])
def test_a_prompt_has_the_characters_asked_for_and_a_beginning_of_its_own(size: int) -> None:
    assert len(prompt_of(size, "17f0")) == size
    assert prompt_of(size, "17f0")[:12] != prompt_of(size, "17f1")[:12]
