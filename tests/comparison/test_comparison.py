"""Whole comparisons over five providers that differ in speed, price and soundness."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.base.errors import Interrupted, UserMistake
from tasks.comparison.compared_routes import folder_name, prepare_comparison
from tasks.comparison.comparison_plan import make_comparison_plan
from tasks.comparison.run_comparison import open_comparison
from tasks.jobs.job import Job
from tasks.prompting.options import CompareOptions
from tests.comparison.conftest import FIVE, PRICES, Compare, label, paid, requests, total
from tests.conftest import hasten, rows
from tests.flows.tables import query
from tests.jobs.invoices import answer, number_in, schema_file, text_of
from tests.jobs.texts import fill, prose, put
from tests.providers.counterparts import Counterparts
from tests.providers.test_counterparts import set_all
from tests.simulator import Simulator, error

BUSY = 250.0  # milliseconds, on a machine that has much else to do
Five = dict[str, Simulator]
MakeOptions = Callable[..., CompareOptions]


def routes_of(output: Path) -> dict[str, dict[str, Any]]:
    return {row["route"].split("/")[0]: row for row in rows(output, "comparison")}


def test_each_route_is_measured_as_its_provider_is_set(
    folder: Path, five: Five, compare: Compare, tmp_path: Path
) -> None:
    fill(folder, 40, 900)
    for number, simulator in enumerate(five.values()):
        pace = 0.5 + 0.05 * number
        # One call in five takes twice as long.
        simulator.settings.delays = lambda count, pace=pace: pace * (2 if count % 5 == 0 else 1)
        simulator.settings.write = lambda _: "word " * 50
    done = compare(sample=20, concurrency=20)
    found = routes_of(tmp_path / "out")
    assert (done.exit_code, done.comparison.status, done.comparison.documents) == (0, "done", 40)
    for number, (name, simulator) in enumerate(five.items()):
        row, pace = found[name], 500 + 50 * number
        assert (row["done"], row["failed"], row["calls"], row["completion_tokens"]) == (20, 0, 20, 20 * 50)
        assert row["cost_usd"] == pytest.approx(paid(name, simulator))
        # A busy machine adds to it, never takes from it.
        assert pace <= row["latency_p50"] <= 1.05 * pace + BUSY
        assert 2 * pace <= row["latency_p90"] <= 2.1 * pace + BUSY
        calls = f"from '{tmp_path}/out/routes/{name}--sim-model/calls/*.parquet'"
        assert query(f"select quantile_cont(latency_ms, [0.5, 0.9]) {calls}") == [
            ([pytest.approx(row["latency_p50"]), pytest.approx(row["latency_p90"])],)
        ]
        assert row["tokens_per_second"] == pytest.approx(50_000 / row["latency_mean"])
        assert row["answer_characters"] == 250
        assert row["agreement"] == pytest.approx(1.0, abs=1e-5)
        assert row["all_documents"] == 40
        assert row["all_cost_usd"] == pytest.approx(2 * row["cost_usd"], rel=0.05)
    said = done.comparison.recommendation
    assert (said.cheapest, said.fastest) == (label("openrouter"), label("openrouter"))
    assert done.comparison.cost_usd == pytest.approx(total(five))


def test_the_answers_stand_side_by_side(folder: Path, five: Five, compare: Compare, tmp_path: Path) -> None:
    fill(folder, 6)
    for name, simulator in five.items():
        simulator.settings.answer = f"{name} says this."
    done = compare(sample=4)
    found = rows(tmp_path / "out", "answers")
    assert len(found) == 4 * 5 == len(done.answers)
    assert {(row["document_id"], row["output"]) for row in found} == {
        (document, f"{name} says this.") for document in done.comparison.sample for name in FIVE
    }
    written = json.loads((tmp_path / "out" / "comparison.json").read_text(encoding="utf-8"))
    assert written == json.loads(json.dumps(done.comparison.as_json()))


def test_every_column_is_described_and_the_tables_are_there_from_the_start(
    folder: Path, five: Five, compare: Compare, tmp_path: Path
) -> None:
    fill(folder, 1)
    compare(sample=1)
    for table in ("comparison", "answers"):
        for part in sorted((tmp_path / "out" / table).glob("*.parquet")):
            assert all(field.metadata[b"description"] for field in pq.read_schema(part))
        assert len(list((tmp_path / "out" / table).glob("*.parquet"))) == 2


def test_a_provider_that_fails_is_measured_and_left_aside_and_the_others_go_on(
    folder: Path, five: Five, compare: Compare, tmp_path: Path
) -> None:
    fill(folder, 10)
    five["openrouter"].settings.poison = {"mill": "http_500"}
    put(folder, "mill.txt", "The mill of the valley. " * 30)
    five["together"].settings.fault = lambda _, __: error(401, "no such key")
    done = compare(sample=11)
    found, said = routes_of(tmp_path / "out"), done.comparison.recommendation
    assert done.exit_code == 3
    assert (found["openrouter"]["done"], found["openrouter"]["failed"]) == (10, 1)
    assert found["openrouter"]["failures"] == [{"error_kind": "http_500", "count": 1}]
    assert (found["together"]["done"], found["together"]["all_cost_usd"]) == (0, None)
    assert "key" in found["together"]["stopped"]
    assert said.cheapest == label("openai-compatible")
    assert [words.split(":")[1].strip() for words in said.words if words.startswith("left aside")] == [
        label("openrouter"),
        label("together"),
    ]


def test_where_every_route_is_refused_the_comparison_is_paused_and_goes_on_later(
    folder: Path, five: Five, compare: Compare
) -> None:
    fill(folder, 3)
    for simulator in five.values():
        simulator.settings.fault = lambda _, __: error(401, "no such key")
    first = compare()
    assert (first.exit_code, first.comparison.status) == (4, "paused")
    assert first.comparison.recommendation.best is None
    for simulator in five.values():
        simulator.settings.fault = None
    again = compare()
    assert (again.exit_code, again.comparison.comparison_id) == (0, first.comparison.comparison_id)


def test_an_unchanged_second_comparison_costs_nothing_and_says_the_same(
    folder: Path, five: Five, compare: Compare
) -> None:
    fill(folder, 12)
    first = compare(sample=6)
    asked = requests(five)
    again = compare(sample=6)
    assert requests(five) == asked == 30
    assert again.comparison.cost_usd == 0
    assert again.comparison.recommendation == first.comparison.recommendation
    assert again.answers == first.answers
    more = compare(sample=12)
    assert (requests(five), more.exit_code) == (60, 0)


def test_another_question_gets_no_old_answer(folder: Path, five: Five, compare: Compare, tmp_path: Path) -> None:
    fill(folder, 3)
    compare()
    for simulator in five.values():
        simulator.settings.fault = lambda _, __: error(401, "no such key")
    other = compare(prompt=put(tmp_path, "prompt.txt", "What is it about?\n{text}"))
    assert other.answers == ()
    assert [one.measured.calls for one in other.comparison.routes] == [0] * 5


def test_an_interrupted_comparison_goes_on_and_pays_for_nothing_twice(
    folder: Path, five: Five, compare: Compare
) -> None:
    fill(folder, 10)
    calm = compare()
    undisturbed = requests(five)

    def stop_at_third(job: Job) -> None:
        hasten(job)
        if job.prepared.job_routes[0].label == label("deepinfra"):
            five["deepinfra"].settings.fault = lambda number, _: job.stop(Interrupted(2)) if number == 14 else None

    first = compare(opened=stop_at_third, output=calm.place + "-again", concurrency=1)
    assert (first.exit_code, first.comparison.status) == (130, "paused")
    assert five["mistral"].counts.requests == 10
    again = compare(output=calm.place + "-again", concurrency=1)
    assert (again.exit_code, again.comparison.comparison_id) == (0, first.comparison.comparison_id)
    assert requests(five) == 2 * undisturbed
    assert again.comparison.cost_usd == pytest.approx(total(five) / 2)
    assert [one.output for one in again.answers] == [one.output for one in calm.answers]


def test_with_fresh_all_are_asked_anew_but_an_interrupted_comparison_pays_for_nothing_twice(
    folder: Path, five: Five, compare: Compare
) -> None:
    fill(folder, 5)
    compare()
    compare(fresh=True)
    assert requests(five) == 50

    def stop_at_third(job: Job) -> None:
        hasten(job)
        if job.prepared.job_routes[0].label == label("deepinfra"):
            five["deepinfra"].settings.fault = lambda number, _: job.stop(Interrupted(2)) if number == 12 else None

    assert compare(opened=stop_at_third, fresh=True, concurrency=1).exit_code == 130
    five["deepinfra"].settings.fault = None
    assert compare(fresh=True, concurrency=1).exit_code == 0
    assert requests(five) == 75


@pytest.mark.parametrize("budget", [0.004, 0.02, 0.05])
def test_a_budget_holds_over_all_routes_together_however_often_it_is_tried(
    folder: Path, five: Five, compare: Compare, budget: float
) -> None:
    fill(folder, 10, 800)
    for simulator in five.values():
        simulator.settings.write = lambda _: "word " * 100
    first = compare(budget=budget, max_output_tokens=200)
    assert (first.exit_code, first.comparison.status) == (4, "paused")
    assert "--budget" in str(first.comparison.reason)
    assert 0 < total(five) <= budget
    compare(budget=budget, max_output_tokens=200)
    assert total(five) <= budget
    last = compare(budget=5, max_output_tokens=200)
    assert (last.exit_code, last.comparison.comparison_id) == (0, first.comparison.comparison_id)
    assert requests(five) == 50
    assert last.comparison.cost_usd == pytest.approx(total(five))


def test_a_budget_needs_the_price_of_every_route_that_is_named(folder: Path, five: Five, compare: Compare) -> None:
    fill(folder, 1)
    with pytest.raises(UserMistake, match=r"openrouter/sim-model.*--price openrouter/sim-model=IN/OUT"):
        compare(budget=1, prices=())
    assert requests(five) == 0


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ({"routes": ("openrouter",), "prices": ()}, "--routes openrouter: give PROVIDER/MODEL"),
        ({"routes": ("nobody/x",), "prices": ()}, "nobody"),
        ({"prices": ("openrouter/sim-modle=1/2",)}, "--price openrouter/sim-modle: no route is called so"),
        ({"prices": ("1/2",)}, "--price 1/2: give PROVIDER/MODEL=IN/OUT"),
        ({"reference": "nowhere.parquet"}, "--reference nowhere.parquet: no such file"),
    ],
)
def test_a_mistake_names_the_thing_and_asks_nobody(
    folder: Path, five: Five, compare: Compare, words: dict[str, Any], named: str
) -> None:
    fill(folder, 2)
    with pytest.raises(UserMistake) as raised:
        compare(**words)
    assert named in str(raised.value)
    assert requests(five) == 0


def test_with_a_schema_the_share_that_fits_it_is_measured_and_what_was_put_right(
    folder: Path, five: Five, compare: Compare, tmp_path: Path
) -> None:
    for number in range(10):
        put(folder, f"{number}.txt", text_of(number))
    for simulator in five.values():
        simulator.settings.write = lambda body: answer(number_in(body))
    repairs = five["together"].settings
    repairs.write = lambda body: answer(number_in(body)) if len(body["messages"]) == 3 or number_in(body) > 3 else "{"
    five["mistral"].settings.write = lambda body: answer(number_in(body)) if number_in(body) > 1 else "no idea"
    done = compare(json_schema=schema_file(tmp_path))
    found = routes_of(tmp_path / "out")
    assert (done.comparison.flow, done.exit_code) == ("extract", 3)
    assert {name: (row["valid"], row["repaired"]) for name, row in found.items()} == {
        "openrouter": (10, 0),
        "together": (10, 4),
        "deepinfra": (10, 0),
        "mistral": (8, 2),
        "openai-compatible": (10, 0),
    }


def test_the_answer_nearest_to_the_reference_is_told_from_a_table_of_them(
    folder: Path, five: Five, compare: Compare, tmp_path: Path
) -> None:
    fill(folder, 4)
    right = "The mill was sold to the town in 1890 by its owner."
    names = [f"{number:03d}.txt" for number in range(3)]
    pq.write_table(pa.table({"document_id": names, "reference": [right] * 3}), tmp_path / "right.parquet")
    for simulator in five.values():
        simulator.settings.answer = "Nothing of the kind is known."
    five["mistral"].settings.answer = "The mill was sold to the town in 1890."
    done = compare(reference=str(tmp_path / "right.parquet"))
    found = routes_of(tmp_path / "out")
    assert found["mistral"]["rouge_l"] == pytest.approx(2 * 9 / 21)
    assert found["openrouter"]["rouge_l"] < 0.2
    assert found["mistral"]["agreement"] < found["openrouter"]["agreement"]
    assert any(
        f"nearest to the reference: {label('mistral')}" in words for words in done.comparison.recommendation.words
    )
    assert done.comparison.notes == ("1 documents of the sample have no reference: ROUGE-L is over the other 3",)


def test_a_reference_may_be_a_folder_or_a_column_which_no_provider_sees(
    folder: Path, five: Five, compare: Compare, tmp_path: Path
) -> None:
    fill(folder, 3)
    (tmp_path / "right").mkdir()
    for number in range(3):
        put(tmp_path / "right", f"{number:03d}.md", "A short answer")
    by_folder = compare(reference=str(tmp_path / "right"))
    table = tmp_path / "texts.parquet"
    columns = {"id": ["a", "b"], "text": [prose(500, 1), prose(900, 2)], "gold": ["A short answer about secrets"] * 2}
    pq.write_table(pa.table(columns), table)
    by_column = compare(source=table, text_column="text", id_column="id", reference="gold", output=tmp_path / "columns")
    scores = [one.measured.rouge_l for one in (*by_folder.comparison.routes, *by_column.comparison.routes)]
    assert all(score is not None and score > 0.5 for score in scores)
    assert not any("secrets" in json.dumps(body) for one in five.values() for body in one.counts.prompts)


def test_a_plan_tells_the_sample_and_all_documents_and_asks_nobody(
    folder: Path, five: Five, options: MakeOptions
) -> None:
    fill(folder, 100)
    compares = prepare_comparison([str(folder)], options(sample=5))
    plan = make_comparison_plan(compares)
    first = plan.routes[0]
    assert (plan.documents, len(plan.sample), plan.calls) == (100, 5, 25)
    assert (first.sample.calls, first.whole.calls) == (5, 100)
    assert first.price_expected is not None
    assert first.whole_price == pytest.approx(20 * first.price_expected, rel=0.1)
    assert plan.price_most == pytest.approx(sum(one.price_most or 0 for one in plan.routes))
    assert requests(five) == 0
    json.dumps(plan.as_json())


def test_without_routes_all_that_fit_are_compared_and_it_is_said_why_others_are_not(
    folder: Path, parts: Counterparts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(folder, 2)
    monkeypatch.chdir(tmp_path)
    set_all(monkeypatch, parts.environment("openrouter", "together", "deepinfra"))
    model = "Mixtral-8x22B-Instruct-v0.1"
    options = CompareOptions(model=model, exclude=("together",))
    compares = prepare_comparison([str(folder)], options)
    assert {name.split("/")[0] for name in compares.routes} == {"openrouter", "deepinfra"}
    assert compares.left_out == {f"together/{model}": "excluded"}
    assert parts.sent == []


def test_a_comparison_may_lie_in_a_bucket(folder: Path, five: Five, compare: Compare, s3: str) -> None:
    fill(folder, 2)
    routes = tuple(map(label, FIVE[:2]))
    words: dict[str, Any] = {"output": f"{s3}/compared", "routes": routes, "prices": ()}
    first, again = compare(**words), compare(**words)
    assert (first.exit_code, again.exit_code, requests(five)) == (0, 0, 4)
    assert first.tables["answers"] == f"{s3}/compared/answers/*.parquet"
    assert again.answers == first.answers
    assert len(first.answers) == 4


def test_a_second_run_at_once_is_told_who_holds_the_comparison(folder: Path, five: Five, options: MakeOptions) -> None:
    fill(folder, 2)
    compares = prepare_comparison([str(folder)], options())
    plan = make_comparison_plan(compares)
    with (
        open_comparison(compares, plan),
        pytest.raises(UserMistake, match="is in use by process"),
        open_comparison(compares, plan),
    ):
        pass


def test_the_keys_are_in_no_file(folder: Path, five: Five, compare: Compare, tmp_path: Path) -> None:
    fill(folder, 2)
    compare()
    key = five["together"].settings.key or ""
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(files) > 20
    assert not any(key.encode() in path.read_bytes() for path in files)


def test_folders_of_routes_are_told_apart() -> None:
    labels = ["a/b", "a/b--c", "a/b/c", "a@up/b", "a/b:free", "a/b free"]
    names = [folder_name(one) for one in labels]
    assert names[0] == "a--b"
    assert len(set(names)) == len(labels)
    assert not any(set(name) & set("/: ") for name in names)


def test_prices_are_those_that_were_given(folder: Path, five: Five, options: MakeOptions) -> None:
    fill(folder, 1)
    plan = make_comparison_plan(prepare_comparison([str(folder)], options()))
    assert [(one.terms.price_in, one.terms.price_out) for one in plan.routes] == [PRICES[name] for name in FIVE]
