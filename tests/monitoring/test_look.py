"""One look at the routes of this machine, with real jobs on it."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tasks.base.errors import UserMistake
from tasks.base.settings import Settings
from tasks.models.catalogue import load_catalogue
from tasks.monitoring.event_history import History, connected
from tasks.monitoring.fold import fold
from tasks.monitoring.health_records import Health, RouteHealth
from tasks.monitoring.look import look
from tasks.monitoring.monitor_options import MonitorOptions
from tasks.monitoring.route_facts import facts
from tasks.planning.job_register import registered
from tests.conftest import RunJob
from tests.providers.counterparts import Counterparts
from tests.simulator import Simulator

ROUTE = ("openai-compatible/sim-model",)


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    monkeypatch.setenv("DOCMILL_HISTORY", str(tmp_path / "history"))
    monkeypatch.setenv("DOCMILL_CATALOGUE", str(tmp_path / "lists"))
    return History(tmp_path / "history")


def seen(history: History, **words: Any) -> Health:
    return look(history, MonitorOptions(**words), Settings.read())


def the_route(health: Health) -> RouteHealth:
    (route,) = health.routes
    return route


def outcomes(history: History) -> list[tuple[Any, ...]]:
    with connected(history.parts()) as base:
        query = "select call_id, ok, error_kind, job_id, kind, prompt_tokens from events where source = 'call'"
        return base.execute(f"{query} order by all").fetchall()


def test_a_jobs_calls_are_folded_in_once_however_often_one_looks(
    history: History, provider: Simulator, folder: Path, run_job: RunJob
) -> None:
    for number in range(5):
        (folder / f"{number}.txt").write_text(f"Document number {number} about a river.")
    (folder / "bad.txt").write_text("A poisoned text.")
    provider.settings.change({"poison": {"poisoned": "http_500"}})
    ran = run_job()
    with history.held():
        assert fold(history) == (6, [])
        assert fold(history) == (0, [])
        (history.folder / "folded").joinpath(next((history.folder / "folded").iterdir()).name).unlink()
        assert fold(history) == (0, [])
    found = outcomes(history)
    paid = {row["call_id"] for row in ran.rows("calls")}
    assert {row[0] for row in found if row[1]} == paid
    assert [row[2] for row in found if not row[1]] == ["http_500"]
    assert {row[3] for row in found} == {ran.record.job_id}
    # A second job reuses what was paid: nothing was asked, so nothing is folded in.
    provider.settings.change({"poison": {}})
    (folder / "6.txt").write_text("Document number 4 about a river.")
    (folder / "7.txt").write_text("Document number 7 about a lake.")
    run_job()
    with history.held():
        assert fold(history)[0] == 2  # the new text, and the one that had failed


def test_calls_of_an_older_result_set_and_of_paid_answers_in_vain_are_told_apart(
    history: History, provider: Simulator, folder: Path, run_job: RunJob
) -> None:
    provider.settings.poison = {"refuse": "refusal"}
    (folder / "a.txt").write_text("A document.")
    (folder / "b.txt").write_text("A document to refuse.")
    ran = run_job()
    with history.held():
        assert fold(history) == (2, [])
    assert sorted(one[1] for one in outcomes(history)) == [False, True]
    for part in (ran.output / "calls").iterdir():
        pq.write_table(pq.read_table(part).drop_columns(["error_kind"]), part)
    for note in (history.folder / "folded").iterdir():
        note.unlink()
    with history.held():
        assert fold(history)[1] == []


def test_the_note_of_a_result_set_holds_its_place_alone(
    history: History, provider: Simulator, folder: Path, run_job: RunJob
) -> None:
    (folder / "a.txt").write_text("A document.")
    ran = run_job()
    (note,) = (history.folder / "jobs").iterdir()
    assert note.read_text() == f'{{"place": "{ran.output}"}}'
    assert [one.path for one in registered(history.folder)] == [ran.output]


def test_a_result_set_that_is_gone_or_damaged_is_no_trouble_of_the_others(history: History) -> None:
    (history.folder / "jobs").mkdir(parents=True)
    (history.folder / "jobs" / "gone.json").write_text('{"place": "/nowhere"}')
    (history.folder / "jobs" / "torn.json").write_text('{"pla')
    with history.held():
        assert fold(history) == (0, [])


def test_a_look_probes_what_is_free_and_tells_how_it_does(history: History, provider: Simulator) -> None:
    health = seen(history, routes=ROUTE, price="0/0")
    route = the_route(health)
    assert (route.state, route.in_use, route.probes, health.probes, health.alarms) == ("up", True, 1, 1, ())
    assert provider.counts.requests == 1


def test_each_size_is_probed(history: History, provider: Simulator) -> None:
    health = seen(history, routes=ROUTE, price="0/0", sizes=(200, 2_000, 8_000))
    assert [(one.most_characters, one.count) for one in the_route(health).latencies] == [(2_000, 2), (8_000, 1)]


def test_what_costs_is_only_looked_up_in_the_list_of_its_provider(history: History, provider: Simulator) -> None:
    health = seen(history, routes=ROUTE, price="1/2")
    assert (the_route(health).state, health.probes, provider.counts.requests) == ("up", 0, 0)
    provider.settings.models = ("another",)
    assert seen(history, routes=ROUTE, price="1/2").alarms[0].event == "docmill.route.down"


def test_the_budget_of_a_day_holds_over_looks(history: History, provider: Simulator) -> None:
    provider.settings.cost = 0.001
    budget = 0.0025
    for _ in range(6):
        seen(history, routes=ROUTE, price="1/2", probe_budget=budget)
    assert provider.counts.requests == 3  # each foreseen as 0.000296, and booked as what it cost


def test_a_route_in_use_that_is_down_alarms(history: History, provider: Simulator) -> None:
    provider.settings.change({"chaos": {"http_503": 1.0}})
    (alarm,) = seen(history, routes=ROUTE, price="0/0").alarms
    assert alarm.event == "docmill.route.down"
    assert "http_503" in alarm.message


def test_a_price_that_rose_since_the_last_look_alarms_once(history: History, provider: Simulator) -> None:
    seen(history, routes=ROUTE, price="1/2")
    (alarm,) = seen(history, routes=ROUTE, price="1.5/2").alarms
    assert alarm.event == "docmill.price.rose"
    assert seen(history, routes=ROUTE, price="1.5/2").alarms == ()


def test_all_routes_with_a_key_are_looked_at_and_nothing_is_paid(
    history: History, parts: Counterparts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.monitoring.targets.local_model_at_hand", lambda _: False)
    monkeypatch.setattr("tasks.monitoring.targets.find_spec", lambda _: None)
    for name, value in parts.environment("openrouter").items():
        monkeypatch.setenv(name, value)
    health = seen(history)
    assert health.routes
    assert {route.provider for route in health.routes} == {"openrouter"}
    assert health.spent_usd == 0
    assert health.probes == sum(route.probes for route in health.routes if route.price_in == 0)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ({"routes": ("sim-model",)}, "--routes sim-model"),
        ({"routes": ("nobody/x",)}, "nobody"),
        ({"price": "x", "routes": ROUTE}, "--price x"),
        ({"provider": "openrouter"}, "OPENROUTER_API_KEY"),
    ],
)
def test_a_name_that_fits_nothing_is_the_users_mistake(
    history: History, provider: Simulator, monkeypatch: pytest.MonkeyPatch, words: dict[str, Any], named: str
) -> None:
    monkeypatch.delenv("OPENROUTER_API_KEY", raising=False)
    with pytest.raises(UserMistake, match=named):
        seen(history, **words)


def test_the_facts_of_a_job_are_those_of_its_tables(
    history: History, provider: Simulator, folder: Path, run_job: RunJob
) -> None:
    provider.settings.latency, provider.settings.finish = 0.05, lambda _: "length"
    for number in range(8):
        (folder / f"{number}.txt").write_text(f"Document number {number} about a river.")
    ran = run_job(concurrency=4, rpm=600, max_output_tokens=64)
    (fact,) = facts(history.folder, load_catalogue(), ["openai-compatible"])
    rows = [row for row in ran.rows("calls") if not row["reused"]]
    assert (fact.label, fact.documents, fact.calls) == ("openai-compatible/sim-model", 8, len(rows))
    assert fact.prompt_tokens == sum(row["prompt_tokens"] for row in rows)
    assert fact.cut == sum(row["finish_reason"] == "length" for row in rows) > 0
    assert (fact.retries, fact.cost_usd, fact.max_output_tokens) == (0, None, 64)
    assert (fact.concurrency, fact.rpm) == (4, 600)
    assert 0 < fact.in_flight <= 4
