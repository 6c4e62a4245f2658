"""Extraction: every answer is checked, repaired once or set aside, and its fields are typed columns."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.base.errors import Interrupted, UserMistake
from tasks.jobs.job import Job
from tasks.planning.plan import make_plan
from tasks.planning.prepare import prepare
from tasks.prompting.options import ExtractOptions, Options
from tests.conftest import Ran, RunJob, hasten
from tests.flows.tables import query
from tests.jobs.invoices import FIELDS, SCHEMA, TYPES, answer, invoice, is_repair, number_in, schema_file, text_of
from tests.jobs.texts import prose, put
from tests.simulator import Simulator, error

Extract = Callable[..., Ran]
COUNT = 1000
# By the last two digits of an invoice's number: invalid JSON, wrong types; of each 2 of 5 stay so when asked again.
BROKEN, MISTYPED, HOPELESS = range(10, 15), range(50, 55), (10, 11, 50, 51)
PEOPLE: dict[str, Any] = {"type": "object", "properties": {"people": {"type": "array", "items": {"type": "string"}}}}


@pytest.fixture
def extract(run_job: RunJob, tmp_path: Path) -> Extract:
    def run(schema: Any = SCHEMA, **words: Any) -> Ran:
        if schema is not None:
            words["json_schema"] = schema if isinstance(schema, str) else schema_file(tmp_path, schema)
        return run_job(flow="extract", kind=ExtractOptions, **words)

    return run


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of invoices with a title and a price beside the text."""
    path = tmp_path / "invoices.parquet"
    write_table(path, COUNT)
    return path


def write_table(path: Path, count: int, title: str = "Title") -> None:
    numbers = range(count)
    columns = {
        "name": [f"{number:04d}" for number in numbers],
        "body": [text_of(number) for number in numbers],
        "title": [f"{title} {number}" for number in numbers],
        "price": pa.array([number / 4 for number in numbers], pa.float32()),
    }
    pq.write_table(pa.table(columns), path)


def wayward(body: dict[str, Any]) -> str:
    """Answer as models do: most answers are right, some have a fence, some are broken."""
    number = number_in(body)
    kind = number % 100
    if is_repair(body) and kind not in HOPELESS:
        return f"Of course:\n```json\n{answer(number)}\n```"
    if kind in BROKEN:
        return answer(number)[:-20]
    if kind in MISTYPED:
        return json.dumps(invoice(number) | {"number": "many", "paid": "yes"})
    return f"```json\n{answer(number)}\n```" if number % 7 == 0 else answer(number)


def test_of_a_thousand_documents_each_bad_answer_is_repaired_or_in_failures_and_the_columns_are_typed(
    table: Path, provider: Simulator, extract: Extract
) -> None:
    provider.settings.write = wayward
    words = {"sources": (table,), "text_column": "body", "id_column": "name", "join": True}
    ran = extract(**words)
    hopeless = {f"{number:04d}" for number in range(COUNT) if number % 100 in HOPELESS}
    totals = ran.record.totals
    assert (ran.code, totals.done, totals.failed) == (3, COUNT - len(hopeless), len(hopeless) == 40 and 40)
    # A call a document, and one more for each bad answer.
    assert provider.counts.answers == totals.calls == COUNT + COUNT // 10
    failures = ran.rows("failures")
    assert {row["document_id"] for row in failures} == hopeless
    assert len(failures) == len(hopeless)
    assert {(row["error_kind"], row["attempts"]) for row in failures} == {("invalid_answer", 2)}
    for name, row in ran.documents.items():
        wanted = invoice(int(name))
        if name in hopeless:
            assert {row[field] for field in FIELDS if field != "tags"} == {None}
            assert row["output"].startswith('{"number"')  # as the model wrote it
            continue
        assert json.loads(row["output"]) == wanted
        typed = {**wanted, "issued": date.fromisoformat(wanted["issued"])}
        typed["sent_at"] = datetime.fromisoformat(wanted["sent_at"]).astimezone(UTC)
        assert {field: row[field] for field in FIELDS} == typed
        assert (row["title"], row["price"]) == (f"Title {int(name)}", int(name) / 4)

    sql = f"describe select * from '{ran.output}/documents/*.parquet'"
    types = {name: kind for name, kind, *_ in query(sql)}
    assert {name: types[name] for name in FIELDS} == TYPES
    assert (types["title"], types["price"]) == ("VARCHAR", "FLOAT")
    sql = f"select sum(total), count(distinct address.city) from '{ran.output}/documents/*.parquet' where paid"
    paid = [number for number in range(COUNT) if number % 2 == 0 and f"{number:04d}" not in hopeless]
    assert query(sql) == [(sum(number + 0.5 for number in paid), 7)]

    asked, before = provider.counts.requests, ran.documents
    again = extract(**words, retry_failed=True)
    assert (provider.counts.requests, again.record.totals.failed) == (asked, len(hopeless))
    later = extract(**words, retry_failed=True, fresh=True)
    assert provider.counts.requests == asked + 2 * len(hopeless)
    assert {name: row["output"] for name, row in later.documents.items()} == {
        name: row["output"] for name, row in before.items()
    }


def test_the_repair_goes_on_with_the_conversation_and_the_validator_s_words(
    folder: Path, provider: Simulator, extract: Extract
) -> None:
    provider.settings.write = wayward
    put(folder, "a.txt", text_of(53))
    ran = extract()
    first, second = provider.counts.prompts
    assert ran.code == 0
    assert second["messages"][0] == first["messages"][0]
    assert json.loads(second["messages"][1]["content"])["paid"] == "yes"
    said = second["messages"][2]["content"]
    assert "at number: 'many' is not of type 'integer'" in said
    assert "at paid: 'yes' is not of type 'boolean'" in said
    rows = sorted(ran.rows("calls"), key=lambda row: row["created_at"])
    assert [row["position"] for row in rows] == [0, 0]
    assert [row["start_char"] for row in rows] == [0, 0]


def test_the_schema_is_in_the_prompt_and_in_the_response_format_in_its_own_order(
    folder: Path, provider: Simulator, extract: Extract
) -> None:
    provider.settings.write = wayward
    put(folder, "a.txt", text_of(1))
    extract()
    (body,) = provider.counts.prompts
    form = body["response_format"]
    assert (form["type"], form["json_schema"]["name"]) == ("json_schema", "Invoice")
    assert form["json_schema"]["strict"] is False
    assert list(form["json_schema"]["schema"]["properties"]) == list(FIELDS)
    assert form["json_schema"]["schema"] == SCHEMA
    assert '"the invoice\'s number"' in body["messages"][0]["content"]


def test_a_route_that_refuses_the_format_is_asked_without_and_nothing_is_lost_or_paid_twice(
    folder: Path, provider: Simulator, extract: Extract
) -> None:
    refused: list[int] = []

    def refuse(number: int, body: dict[str, Any]) -> Any:
        if "response_format" not in body:
            return None
        refused.append(number)
        return error(400, "response_format of type json_schema is not supported by this model")

    provider.settings.fault, provider.settings.write = refuse, wayward
    for number in range(1, 9):
        put(folder, f"{number}.txt", text_of(number))
    ran = extract(concurrency=1)
    assert (ran.code, ran.rows("failures"), len(refused)) == (0, [], 1)
    assert provider.counts.answers == len(ran.rows("calls")) == 8
    put(folder, "10.txt", text_of(9))
    put(folder, "1-again.txt", text_of(1))  # its answer is kept, as it was asked without
    assert extract(concurrency=1).code == 0
    assert (provider.counts.answers, len(refused)) == (9, 2)


@pytest.mark.parametrize("status", [500, 501])
def test_a_route_that_breaks_over_the_format_without_a_word_is_asked_without(
    folder: Path, provider: Simulator, extract: Extract, status: int
) -> None:
    broke: list[int] = []

    def fault(number: int, body: dict[str, Any]) -> Any:
        if "response_format" not in body:
            return None
        broke.append(number)
        return error(status, "")

    provider.settings.fault, provider.settings.write = fault, wayward
    for number in range(1, 9):
        put(folder, f"{number}.txt", text_of(number))
    ran = extract(concurrency=1)
    assert (ran.code, ran.rows("failures"), provider.counts.answers) == (0, [], 8)
    assert len(broke) <= 2 * 8  # those that were under way together


def test_an_answer_that_failed_its_format_is_asked_for_without_and_the_others_keep_theirs(
    folder: Path, provider: Simulator, extract: Extract
) -> None:
    words = "Failed to generate JSON. Please adjust your prompt. See 'failed_generation' for more details."

    def fault(_: int, body: dict[str, Any]) -> Any:
        failed = "response_format" in body and text_of(3) in body["messages"][0]["content"]
        return error(400, words, "json_validate_failed") if failed else None

    provider.settings.fault, provider.settings.write = fault, wayward
    for number in range(1, 9):
        put(folder, f"{number}.txt", text_of(number))
    ran = extract(concurrency=1)
    assert (ran.code, ran.rows("failures"), provider.counts.answers) == (0, [], 8)
    assert sum("response_format" in body for body in provider.counts.prompts) == 7


def test_a_job_that_was_stopped_goes_on_and_pays_for_no_answer_or_repair_twice(
    folder: Path, provider: Simulator, extract: Extract
) -> None:
    provider.settings.write = wayward
    for number in range(45, 60):
        put(folder, f"{number}.txt", text_of(number))

    def stopping(job: Job) -> None:
        hasten(job)
        provider.settings.fault = lambda number, _: job.stop(Interrupted(2)) if number == 13 else None

    assert extract(opened=stopping, concurrency=1).code == 130
    ran = extract(concurrency=1)
    assert ran.record.totals.done == 13  # 50 and 51 stay as they are
    assert (provider.counts.answers, set(provider.counts.answered.values())) == (20, {1})
    assert [row["reused"] for row in ran.rows("calls")] == [False] * 20


def test_an_answer_that_was_cut_off_is_continued_and_then_checked(
    folder: Path, provider: Simulator, extract: Extract
) -> None:
    whole = answer(7)
    provider.settings.finish = lambda body: "length" if len(body["messages"]) == 1 else "stop"
    provider.settings.write = lambda body: whole[:50] if len(body["messages"]) == 1 else whole[50:]
    put(folder, "a.txt", text_of(7))
    ran = extract()
    first, second = provider.counts.prompts
    assert json.loads(ran.documents["a.txt"]["output"]) == invoice(7)
    assert "response_format" in first
    assert "response_format" not in second  # or it would begin another object


def test_a_base_model_is_given_another_mark_to_fill(folder: Path, provider: Simulator, extract: Extract) -> None:
    provider.settings.models = ("Mistral-7B-v0.1",)
    provider.settings.write = lambda body: answer(3) if "isn't valid" in body["prompt"] else "no idea"
    put(folder, "a.txt", text_of(3))
    ran = extract(model="Mistral-7B-v0.1")
    first, second = provider.counts.prompts
    assert (ran.code, ran.documents["a.txt"]["number"]) == (0, 3)
    assert (first["stop"], "response_format" in first) == (["</answer>"], False)
    assert second["prompt"].startswith(first["prompt"] + "no idea</answer>\n\nThis isn't valid:\n\nit isn't JSON")
    assert second["prompt"].endswith("<answer>")


# Three chunks of the simulator's window.
LONG = prose(15_000)


def part_in(body: dict[str, Any]) -> int | None:
    """Return which of the three chunks a request is about."""
    content = body["messages"][0]["content"].partition("<document>\n")[2]
    return round(3 * LONG.index(content[:60]) / len(LONG)) if content else None


def chunk_answers(provider: Simulator, fields: list[dict[str, Any]]) -> None:
    """Have the chunks of a document answered in turn."""
    provider.settings.write = lambda body: json.dumps(fields[part_in(body) or 0])


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("first", {"year": 2024, "people": ["a", "b"], "place": "X"}),
        ("list", {"year": 2024, "people": ["a", "b", "c"], "place": "X"}),
        ("vote", {"year": 2025, "people": ["a", "b"], "place": "X"}),
    ],
)
def test_the_answers_over_chunks_are_merged_by_the_rule_and_the_plan_knows_it(
    folder: Path, tmp_path: Path, provider: Simulator, extract: Extract, rule: str, expected: dict[str, Any]
) -> None:
    properties = {"year": {"type": "integer"}, **PEOPLE["properties"], "place": {"type": "string"}}
    schema = {"type": "object", "properties": properties, "required": ["year", "place"]}
    answers: list[dict[str, Any]] = [
        {"year": 2024, "people": []},
        {"year": 2025, "people": ["a", "b"], "place": None},
        {"year": 2025, "people": ["b", "c"], "place": "X"},
    ]
    chunk_answers(provider, answers)
    put(folder, "long.txt", LONG)
    options = ExtractOptions(
        output=tmp_path / "out",
        provider="openai-compatible",
        model="sim-model",
        json_schema=schema_file(tmp_path, schema),
        merge=rule,
    )
    plan = make_plan(prepare("extract", [str(folder)], options))
    ran = extract(schema, merge=rule)
    row = ran.documents["long.txt"]
    assert (ran.code, row["chunks"], row["covered_characters"]) == (0, 3, row["characters"])
    assert ran.record.totals.calls == plan.calls == row["chunks"]
    assert {row["stage"] for row in ran.rows("calls")} == {"map"}
    assert json.loads(row["output"]) == expected
    assert {name: row[name] for name in expected} == expected


def test_a_field_that_no_chunk_tells_makes_the_document_fail_by_name(
    folder: Path, provider: Simulator, extract: Extract
) -> None:
    chunk_answers(provider, [{"people": ["a"]}] * 3)
    put(folder, "long.txt", LONG)
    schema = {**PEOPLE, "required": ["people", "title"]}
    schema["properties"] = {**PEOPLE["properties"], "title": {"type": "string"}}
    ran = extract(schema)
    (failure,) = ran.rows("failures")
    row = ran.documents["long.txt"]
    assert (ran.code, failure["error_kind"], failure["stage"]) == (3, "invalid_answer", "reduce")
    assert "'title' is a required property" in failure["error"]
    assert json.loads(row["output"]) == {"people": ["a"]}
    assert row["people"] is None


def test_answers_may_be_merged_by_a_call_which_is_checked_too(
    folder: Path, provider: Simulator, extract: Extract
) -> None:
    def write(body: dict[str, Any]) -> str:
        if "<answers>" not in body["messages"][0]["content"]:
            return '{"people": ["a"]}'
        return '{"people": ["all"]}' if is_repair(body) else '{"people": "all"}'

    provider.settings.write = write
    put(folder, "long.txt", LONG)
    ran = extract(PEOPLE, merge="reduce")
    row = ran.documents["long.txt"]
    assert (ran.code, row["people"]) == (0, ["all"])
    assert [call["stage"] for call in ran.rows("calls")].count("reduce") == 2


def test_one_answer_may_be_carried_through_the_chunks(folder: Path, provider: Simulator, extract: Extract) -> None:
    chunk_answers(provider, [{"people": ["a"]}, {"people": None}, {"people": ["b"]}])
    put(folder, "long.txt", LONG)
    ran = extract(PEOPLE, strategy="refine")
    assert (ran.code, ran.documents["long.txt"]["people"]) == (0, ["b"])


def test_a_chunk_whose_answer_stays_invalid_makes_the_document_partial(
    folder: Path, provider: Simulator, extract: Extract
) -> None:
    def write(body: dict[str, Any]) -> str:
        return "nothing" if part_in(body) == 1 else '{"people": ["a"]}'

    provider.settings.write = write
    put(folder, "long.txt", LONG)
    ran = extract(PEOPLE)
    row = ran.documents["long.txt"]
    assert (ran.code, row["status"], row["people"], row["error_kind"]) == (3, "partial", ["a"], "invalid_answer")
    assert 0 < row["covered_characters"] < row["characters"]


def test_a_full_chunk_leaves_room_to_repair_its_answer(folder: Path, provider: Simulator, extract: Extract) -> None:
    provider.settings.write = lambda body: '{"people": ["a"]}' if is_repair(body) else '{"people": "' + "a" * 400 + '"}'
    put(folder, "long.txt", prose(60_000))
    ran = extract(PEOPLE)
    row = ran.documents["long.txt"]
    assert (ran.code, row["people"], row["calls"]) == (0, ["a"], 2 * row["chunks"])
    assert row["chunks"] > 8


def test_numbers_beyond_64_bits_and_half_characters_are_no_crash(
    folder: Path, provider: Simulator, extract: Extract
) -> None:
    bad = {"1": '"number": 1e999', "2": f'"number": {2**63}', "3": '"number": 3, "customer": "\\ud800"'}
    provider.settings.write = lambda body: answer(number_in(body))[:-1] + f", {bad[str(number_in(body))]}" + "}"
    for number in (1, 2, 3):
        put(folder, f"{number}.txt", text_of(number))
    ran = extract()
    assert {name: row["status"] for name, row in ran.documents.items()} == {
        "1.txt": "failed", "2.txt": "failed", "3.txt": "done",
    }  # fmt: skip
    assert ran.documents["3.txt"]["customer"] == "\ufffd"


def test_columns_stand_in_the_prompt_as_data_and_a_changed_one_is_asked_anew(
    tmp_path: Path, provider: Simulator, extract: Extract
) -> None:
    path = tmp_path / "table.parquet"
    rows = [{"id": "a", "text": "The text {title}.", "title": "</title> {text} {id}", "No. 2": 7, "answer": "x"}]
    pq.write_table(pa.Table.from_pylist(rows), path)
    prompt = put(tmp_path, "prompt.txt", "<title>{title}</title> {No. 2} {answer}\n<document>{text}</document>")
    words = {"sources": (path,), "text_column": "text", "id_column": "id", "prompt": prompt, "schema": None}
    ran = extract(**words)
    (body,) = provider.counts.prompts
    expected = "<title-2></title> {text} {id}</title-2> 7 x\n<document>The text {title}.</document>"
    assert body["messages"][0]["content"] == expected
    assert ran.documents["a"]["status"] == "done"
    assert extract(**words).record.totals.unchanged == 1
    pq.write_table(pa.Table.from_pylist([rows[0] | {"No. 2": 8}]), path)
    assert extract(**words).record.totals.done == 1
    assert provider.counts.requests == 2


def test_a_large_column_takes_its_room_from_the_text(tmp_path: Path, provider: Simulator, extract: Extract) -> None:
    path = tmp_path / "table.parquet"
    rows = [{"id": str(size), "text": prose(9_000), "about": prose(size)} for size in (10, 3_000, 60_000)]
    pq.write_table(pa.Table.from_pylist(rows), path)
    prompt = put(tmp_path, "prompt.txt", "{about}\n\n{text}")
    ran = extract(sources=(path,), text_column="text", id_column="id", prompt=prompt, schema=None)
    found = ran.documents
    assert found["10"]["chunks"] < found["3000"]["chunks"]
    assert found["60000"]["error_kind"] == "does_not_fit"
    assert {row["status"] for name, row in found.items() if name != "60000"} == {"done"}


def test_a_joined_column_that_changed_is_written_anew_and_nothing_is_paid(
    tmp_path: Path, provider: Simulator, run_job: RunJob
) -> None:
    path = tmp_path / "table.parquet"
    write_table(path, 5)
    words = {"sources": (path,), "text_column": "body", "id_column": "name", "join": True}
    run_job(**words)
    plain_words = {name: value for name, value in words.items() if name != "sources"}
    options = Options(output=tmp_path / "out", provider="openai-compatible", model="sim-model", **plain_words)
    assert make_plan(prepare("summarize", [str(path)], options)).unchanged == 5
    write_table(path, 5, "Another")
    assert make_plan(prepare("summarize", [str(path)], options)).unchanged == 0
    ran = run_job(**words)
    assert (provider.counts.requests, ran.record.totals.done, ran.record.totals.reused_calls) == (5, 5, 5)
    assert {row["title"] for row in ran.documents.values()} == {f"Another {number}" for number in range(5)}
    plain = run_job(**words | {"join": False})
    assert provider.counts.requests == 5
    assert all("title" not in row for row in plain.documents.values())


def test_names_that_the_table_has_already_get_a_prefix(tmp_path: Path, provider: Simulator, extract: Extract) -> None:
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table({"text": ["A text."], "status": ["old"], "year": ["long ago"]}), path)
    schema = {"type": "object", "properties": {"Status": {"type": "string"}, "year": {"type": "integer"}}}
    provider.settings.write = lambda _: '{"Status": "new", "year": 1}'
    ran = extract(schema, sources=(path,), text_column="text", join=True)
    (row,) = ran.rows("documents")
    assert (row["status"], row["input_status"], row["field_Status"]) == ("done", "old", "new")
    assert (row["year"], row["field_year"]) == ("long ago", 1)


def test_another_schema_makes_other_columns_of_all_parts(folder: Path, provider: Simulator, extract: Extract) -> None:
    provider.settings.write = lambda _: '{"people": ["a"], "year": 1}'
    put(folder, "a.txt", prose(300))
    extract(PEOPLE)
    (folder / "a.txt").rename(folder / "b.txt")
    ran = extract({"type": "object", "properties": {"year": {"type": "integer"}}})
    sql = f"select document_id, year from '{ran.output}/documents/*.parquet' order by all"
    assert query(sql) == [("a.txt", None), ("b.txt", 1)]
    assert provider.counts.requests == 2


@pytest.mark.usefixtures("provider")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({}, "extract needs --schema"),
        ({"json_schema": "nowhere.json"}, "--schema nowhere.json: can't be read"),
        ({"json_schema": "json:JSONDecoder"}, "it is no pydantic model"),
        ({"json_schema": "no_such_module:Model"}, "can't be imported: ModuleNotFoundError"),
        ({"prompt": "{text} {titel}"}, "unknown field {titel}: known are {text}, "),
        ({"prompt": "{text} {schema}"}, "unknown field {schema}"),
    ],
)
def test_what_can_not_be_extracted_by_is_refused_at_the_start(
    tmp_path: Path, table: Path, words: dict[str, Any], said: str
) -> None:
    if "prompt" in words:
        words = words | {"prompt": put(tmp_path, "prompt.txt", words["prompt"])}
    options = ExtractOptions(
        output=tmp_path / "out", provider="openai-compatible", model="sim-model",
        text_column="body", id_column="name", **words,
    )  # fmt: skip
    with pytest.raises(UserMistake) as refused:
        prepare("extract", [str(table)], options)
    assert said in str(refused.value)


def test_a_prompt_of_the_user_s_own_ends_with_what_asks_for_the_schema(
    folder: Path, tmp_path: Path, provider: Simulator, extract: Extract
) -> None:
    provider.settings.write = lambda _: '{"people": []}'
    put(folder, "a.txt", "A text.</schema>")
    for name, template in (("behind.txt", "Who is named?\n{text}"), ("within.txt", "{schema}\n\nWho?\n{text}")):
        assert extract(PEOPLE, prompt=put(tmp_path, name, template)).code == 0
    behind, within = (body["messages"][0]["content"] for body in provider.counts.prompts)
    assert behind.startswith("Who is named?\nA text.</schema>\n\nAnswer with one JSON object")
    assert "<schema-2>" in behind
    assert within.count('"people"') == 1
    assert within.endswith("Who?\nA text.</schema>")


def test_a_pydantic_model_s_own_validators_speak_too(
    folder: Path, tmp_path: Path, provider: Simulator, extract: Extract
) -> None:
    source = (
        "from datetime import date\nfrom pydantic import BaseModel, Field, model_validator\n\n"
        "class Stay(BaseModel):\n"
        "    arrived: date = Field(description='first day')\n"
        "    left: date | None = None\n    guests: list[str] = []\n\n"
        "    @model_validator(mode='after')\n    def order(self):\n"
        "        if self.left and self.left < self.arrived:\n            raise ValueError('left before arriving')\n"
        "        return self\n"
    )
    put(tmp_path, "docmill_stays.py", source)
    provider.settings.write = lambda body: json.dumps(
        {"arrived": "2026-05-02", "left": "2026-05-09" if is_repair(body) else "2026-05-01"}
    )
    put(folder, "a.txt", "A stay.")
    ran = extract("docmill_stays:Stay")
    row = ran.documents["a.txt"]
    assert (row["arrived"], row["left"], row["guests"]) == (date(2026, 5, 2), date(2026, 5, 9), None)
    assert "left before arriving" in provider.counts.prompts[1]["messages"][2]["content"]
    schema = pq.read_schema(next((ran.output / "documents").glob("*.parquet")))
    assert schema.field("arrived").metadata[b"description"] == b"first day"
