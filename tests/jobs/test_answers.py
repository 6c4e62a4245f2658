"""Answers as models write them: which object is the answer, what isn't one, and which values are the same."""

import contextlib
import json
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from tasks.prompting.answer_form import Form, make_form
from tasks.prompting.answer_parser import Invalid
from tasks.prompting.merge import merged
from tasks.prompting.schema import Read

TEXT, NUMBER = {"type": "string"}, {"type": "number"}
CITY = {"type": "object", "properties": {"city": TEXT, "post_code": TEXT}}
# Nothing is required: whatever isn't told is null.
FREE: dict[str, Any] = {
    "type": "object",
    "properties": {"name": TEXT, "total": NUMBER, "address": CITY, "tags": {"type": "array", "items": TEXT}},
}
ACME = {"name": "ACME"}
SCHEMA = json.dumps(FREE)


def form(schema: dict[str, Any] = FREE, rule: str = "list") -> Form:
    return make_form(Read(schema), rule, ())


@pytest.mark.parametrize(
    "text",
    [
        'First guess: {"name": "WRONG"}… </think>\n\n{"name": "ACME"}',
        '<think>{"name": "WRONG"}</think>{"name": "ACME"}',
        '<thinking>{"name": "WRONG"}</thinking>\n```json\n{"name": "ACME"}\n```',
        '[THINK]{"name": "WRONG"}[/THINK]{"name": "ACME"}',
        '<|channel|>analysis<|message|>{"name": "WRONG"}<|end|><|channel|>final<|message|>{"name": "ACME"}',
        '{"result": {"name": "ACME"}}',
        '{"answer": [{"name": "ACME"}]}',
        '{"properties": {"name": "ACME"}}',
        '{"data": {"result": {"name": "ACME"}}}',
        '[{"name": "ACME"}]',
        '```json\n[{"name": "ACME"}]\n```',
        'Draft: {"name": "WRONG"}. Checked again, it is {"name": "ACME"}',
        f'The schema is {SCHEMA}, so the answer is: {{"name": "ACME"}}',
        f'{{"name": "ACME"}}\n\nIt follows {SCHEMA}.',
        '{"name": "ACME"}\n\nI left {"other": 1} out, and {these}.',
        '{"name": "ACME"} and a brace: {',
        '{"name": "WRONG", "name": "ACME"}',
        '~~~\n{"name": "ACME"}\n~~~ I hope that helps! :-}',
    ],
)  # fmt: skip
def test_the_answer_is_found_among_thoughts_drafts_wrappings_and_words(text: str) -> None:
    for whole in (True, False):
        assert json.loads(form().checked(text, whole=whole)) == ACME


def test_a_mark_of_thoughts_in_a_string_of_the_answer_is_part_of_it() -> None:
    value = {"name": "it ends with </think>\n, he said", "tags": ["</think>"]}
    for before in ("", "<think>hm</think>\n", 'maybe {"name": "WRONG"} </think>\n'):
        assert json.loads(form().checked(before + json.dumps(value), whole=True)) == value


def test_a_line_end_within_a_string_is_part_of_it() -> None:
    assert json.loads(form().checked('{"name": "AC\nME\t"}', whole=True)) == {"name": "AC\nME\t"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"result": {"Name": "ACME"}}', "it has none of the fields name, total, address, tags: its keys are result"),
        ('{"Name": "ACME"}', "it has none of the fields"),
        ('{"company": "ACME", "sum": 5}', "its keys are company, sum"),
        ('{"result": "ACME"}', "its keys are result"),
        ('{"result": [{"name": "A"}, {"name": "B"}]}', "its keys are result"),
        ('{"total": 5, "Name": "ACME"}', "at Name: the field is called name"),
        ('{"name": null, "NAME": "ACME"}', "at NAME: the field is called name"),
        ('{"name": "ACME", "address": {"City": "Ulm"}}', "at address.City: the field is called city"),
        ('{"name": "ACME", "address": {"postCode": "89073"}}', "at address.postCode: the field is called post_code"),
        (SCHEMA, "it is the schema, not an answer"),
        (json.dumps(FREE["properties"]), "it is the schema, not an answer"),
        (json.dumps({"properties": FREE["properties"]}), "it is the schema, not an answer"),
        (json.dumps({"title": "A", "type": "object", "properties": {"name": {"type": "string"}}}), "it is the schema"),
        (f"```json\n{SCHEMA}\n```", "it is the schema, not an answer"),
        ('<think>The name is {"name": "ACME"}.', "nothing but thoughts"),
        ('The name is {"name": "ACME"}.</think>', "nothing but thoughts"),
        ('Here: [{"name": "A"}, {"name": "B"}]', "an array"),
        ('[{"name": "A"}, {"name": "B"}]', "an array"),
        ("[]", "an array"),
        ('{"name": "ACME",}', "it isn't JSON"),
        ('{"name": "ACME"} {"name": ', "doesn't end"),
        ('{"name": "ACME" // the buyer\n}', "it isn't JSON"),
        ("{'name': 'ACME'}", "it isn't JSON"),
        ('{"name": None}', "it isn't JSON"),
        ("{“name”: “ACME”}", "it isn't JSON"),
        ('{"name": "AC', "doesn't end"),
        ('{"total": NaN}', "NaN is no JSON number"),
        ('{"total": "1,234.50"}', "at total: '1,234.50' is not of type 'number'"),
        ('{"total": 1,234.50}', "it isn't JSON"),
        ('{"name": "WRONG"} and, in the end, {"name": 5}', "at name: 5 is not of type 'string'"),
    ],
)
def test_what_would_leave_columns_empty_or_guess_is_no_answer(text: str, words: str) -> None:
    with pytest.raises(Invalid) as invalid:
        form().checked(text, whole=True)
    assert words in str(invalid.value)
    with pytest.raises(Invalid):
        form().checked(text, whole=False)


@pytest.mark.parametrize(
    "value",
    [{}, {"name": "ACME", "more": 1}, {"name": "A", "Name": "B"}, {"name": "A", "address": {}}, {"tags": []}],
)
def test_an_answer_may_lack_fields_and_have_more(value: dict[str, Any]) -> None:
    assert json.loads(form().checked(json.dumps(value), whole=True)) == value


def test_null_for_every_field_is_an_answer_where_they_may_be_null() -> None:
    properties = {"name": {"type": ["string", "null"]}, "total": {"anyOf": [NUMBER, {"type": "null"}]}}
    schema = {"type": "object", "properties": properties}
    value = {"name": None, "total": None, "note": "the text has neither"}
    assert json.loads(form(schema).checked(json.dumps(value), whole=True)) == value


def test_a_schema_of_schemas_takes_answers_that_look_like_one() -> None:
    schema = {"type": "object", "properties": {"type": TEXT, "properties": {"type": "object"}}}
    value = {"type": "house", "properties": {"rooms": 5}}
    assert json.loads(form(schema).checked(json.dumps(value), whole=True)) == value


@given(name=st.text(st.characters(exclude_categories=["Cs"]), max_size=30), draft=st.text('ab{}"\\ ', max_size=20))
def test_no_draft_is_taken_for_the_answer(name: str, draft: str) -> None:
    answer = json.dumps({"name": name}, ensure_ascii=False)
    text = f"<think>{json.dumps({'name': draft})} {draft}\n</think>\n{answer}"
    assert json.loads(form().checked(text, whole=True)) == {"name": name}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([5, 5.0, 4], 5),
        ([4, 1e3, 1000], 1e3),
        ([7, -0.0, 0], 0),
        ([7, 12.5, 12.50], 12.5),
        (["x", "12,50", "12.50"], "12,50"),
        (["x", "-3,5", "-3.5"], "-3,5"),
        (["1,234", "1.234", "1.234"], "1.234"),
        (["1.1", "1.10", "1.10"], "1.10"),
        (["7", "007", "007"], "007"),
        ([True, 1, 1.0], 1),
        (["x", [1, 2], [1.0, 2.0]], [1, 2]),
        (["x", {"a": 5, "b": 1}, {"b": 1.0, "a": 5}], {"a": 5, "b": 1}),
        ([2**63, 2.0**63, 1], 2**63),
        ([2**53 + 1, 2.0**53, 2.0**53], 2.0**53),
    ],
)
def test_equal_values_are_one_in_a_vote_however_they_are_spelled(values: list[Any], expected: Any) -> None:
    assert merged("vote", [{"a": value} for value in values]) == {"a": expected}
    assert type(merged("vote", [{"a": value} for value in values])["a"]) is type(expected) or expected == 0


def test_equal_values_are_one_in_a_list_however_they_are_spelled() -> None:
    lists = [[5, "12,50", {"n": 1e3}], [5.0, "12.50", {"n": 1000}, "1.10"], ["1.1"]]
    assert merged("list", [{"a": one} for one in lists]) == {"a": [5, "12,50", {"n": 1000}, "1.10", "1.1"]}


class Bill(BaseModel):
    """A model whose schema has a number or a string."""

    total: Decimal | None = None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (12.5, "12.5"), ("12.50", "12.5"), ("12.5", "12.5"), (12, "12"), ("12.00", "12"),
        (1e3, "1000"), ("1000", "1000"), (-0.0, "0"), ("0.10", "0.1"), (100, "100"), (None, None),
        ("123456789012345678901.25", "123456789012345678901.25"), (1e-7, "0.0000001"),
    ],
)  # fmt: skip
def test_a_decimal_lies_in_its_column_in_one_spelling(value: Any, expected: str | None) -> None:
    one = make_form(Read(Bill.model_json_schema(), Bill), "list", ())
    assert one.values(one.checked(json.dumps({"total": value}), whole=True)) == {"total": expected}


@pytest.mark.parametrize(
    ("value", "expected"), [("12,50", "12.5"), ("1,234", '"1,234"'), ("007", '"007"'), ("many", '"many"'), ("", '""')]
)
def test_a_string_of_a_union_is_a_number_only_where_that_is_sure(value: str, expected: str) -> None:
    for node in ({"anyOf": [NUMBER, TEXT]}, {"type": ["number", "string", "null"]}):
        one = form({"type": "object", "properties": {"a": node}})
        assert one.values(json.dumps({"a": value})) == {"a": expected}


HOSTILE = [
    '{"a":{"a":', "{", "}", "{}", '{"', '"\\\\', "\\", "<think>", "</think>", "`", "```json\n", '{"name":"', "[", "[{",
    '{"name":"a"},', '{"name":"a"} ', '{"a":["</think>",', "{x}", '{"result":', '"{', "{\n", "\\u0000", "'", "{{}",
]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.parametrize("before", ["", '{"a":"', "<think>"])
def test_a_hostile_answer_costs_no_more_than_its_length(piece: str, before: str) -> None:
    one = form()

    def cost(size: int) -> float:
        text = (before + piece * (size // len(piece) + 1))[:size]
        times = []
        for _ in range(2):
            start = time.process_time()
            with contextlib.suppress(Invalid):
                one.checked(text, whole=False)
            times.append(time.process_time() - start)
        return min(times)

    assert cost(200_000) < 3.5 * cost(100_000) + 0.05
