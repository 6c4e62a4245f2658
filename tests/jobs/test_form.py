"""Schemas as they are read, answers as they are parsed and checked, chunks as they are merged."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.base.errors import UserMistake
from tasks.prompting.answer_form import Form, make_form
from tasks.prompting.answer_parser import Invalid, parse_objects
from tasks.prompting.merge import RULES, merged
from tasks.prompting.schema import Read, read_schema
from tests.jobs.invoices import SCHEMA, invoice

YEAR = {"type": "object", "properties": {"year": {"type": "integer"}}, "required": ["year"]}


def form(schema: dict[str, Any], rule: str = "list") -> Form:
    return make_form(Read(schema), rule, ())


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text('abc{}"\\', max_size=4), VALUES, max_size=4)


@given(
    value=OBJECTS,
    around=st.sampled_from(
        [
            "{}",
            "```json\n{}\n```",
            "Here you are: {}.",
            "I saw {{x}} and {{{{y}}}}:\n\n{}\n\nAnything else?",
            "{}</answer>",
            '<think>maybe {{"a": 1}}?</think>\n{}',
            '5" nails: {}',
        ]
    ),
)
def test_an_object_is_found_whatever_stands_around_it(value: dict[str, Any], around: str) -> None:
    if not value:
        value = {"a": 1}
    assert parse_objects(around.format(json.dumps(value))) == parse_objects(json.dumps(value))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it isn't JSON"),
        ("no idea", "it isn't JSON"),
        ('{"a": 1', "doesn't end"),
        ('{"a": {"b": 1}, oops}', "it isn't JSON"),  # not the object within it
        ('[{"a": 1}, {"a": 2}]', "an array"),
        ('"a"', "a string"),
        ("null", "null"),
        ('{"a": NaN}', "NaN is no JSON number"),
        ('{"a": -Infinity}', "-Infinity is no JSON number"),
        ('{"a": 1e999}', "beyond 64 bits"),
        ('{"a": ' + "9" * 5000 + "}", "it isn't JSON"),
        ('{"a": ' + "[" * 100_000 + "}", "it isn't JSON"),
        ("{'a': 1}", "it isn't JSON"),
    ],
)
def test_what_is_no_object_says_why(text: str, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        parse_objects(text)


@pytest.mark.parametrize("text", ['{"' * 50_000, '{"a": "' + '\\"' * 100_000, "{" * 100_000, "{}{" * 50_000 + '"'])
def test_a_hostile_answer_takes_no_longer_than_others(text: str) -> None:
    with pytest.raises(Invalid):
        form(YEAR).checked(text, whole=True)


def test_an_answer_is_written_in_the_schema_s_order_and_nothing_of_it_is_lost() -> None:
    one = form(SCHEMA)
    shuffled = dict(reversed(invoice(4).items())) | {"more": {"b": 1, "a": "ü"}}
    checked = one.checked(json.dumps(shuffled), whole=True)
    assert list(json.loads(checked)) == [*SCHEMA["properties"], "more"]
    assert json.loads(checked) == shuffled
    assert "ü" in checked


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"number": "1"}, "at number: '1' is not of type 'integer'"),
        ({"number": 2**63}, "at number: 9223372036854775808 is no whole number of 64 bits"),
        ({"total": 10**400}, "at total: 1"),
        ({"issued": "2026-02-30"}, 'at issued: "2026-02-30" is no date: write it as 2026-01-31'),
        ({"issued": "20260201"}, "is no date"),
        ({"sent_at": "2026-02-01T10:00:00"}, "is no date and time with its zone"),
        ({"sent_at": "0001-01-01T00:00:00+10:00"}, "is no date and time with its zone"),
        ({"currency": "GBP"}, "at currency: 'GBP' is not one of"),
        ({"address": {"city": 1}}, "at address.city: 1 is not of type 'string'"),
        ({"tags": ["a", 2]}, "at tags[1]: 2 is not of type 'string'"),
    ],
)
def test_a_fault_names_its_place(change: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid) as invalid:
        form(SCHEMA).checked(json.dumps(invoice(1) | change), whole=True)
    assert words in str(invalid.value)


def test_arithmetic_on_huge_numbers_is_a_fault_and_no_crash() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "number", "multipleOf": 0.01}}}
    for number in (10**400, 1e308 + 1):
        with pytest.raises(Invalid):
            form(schema).checked(json.dumps({"a": number}), whole=True)


def test_of_many_faults_ten_are_told() -> None:
    schema = {"type": "object", "properties": {f"f{number}": {"type": "integer"} for number in range(30)}}
    with pytest.raises(Invalid) as invalid:
        form(schema).checked(json.dumps({f"f{number}": "x" * 5000 for number in range(30)}), whole=True)
    lines = str(invalid.value).splitlines()
    assert (len(lines), lines[-1]) == (11, "and 20 more")
    assert max(map(len, lines)) < 250


def test_an_answer_over_one_chunk_may_lack_any_field_but_none_may_be_of_another_type() -> None:
    one = form(SCHEMA)
    assert one.checked("{}", whole=False) == "{}"
    assert json.loads(one.checked('{"tags": null, "number": 1}', whole=False)) == {"tags": None, "number": 1}
    with pytest.raises(Invalid, match="number"):
        one.checked('{"number": "one"}', whole=False)
    with pytest.raises(Invalid, match="required"):
        one.checked('{"number": 1}', whole=True)


def test_another_schema_or_rule_is_another_identity() -> None:
    first = form(SCHEMA)
    assert first.identity == form(json.loads(json.dumps(SCHEMA))).identity
    assert len({first.identity, form(SCHEMA, "vote").identity, form(YEAR).identity}) == 3


ANSWERS = st.lists(st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3), min_size=1, max_size=5)


# As a schema has them: a field is a list always, or never.
TYPED = st.lists(
    st.fixed_dictionaries(
        {}, optional={"a": st.none() | st.lists(st.sampled_from("xyz")), "b": st.none() | st.text("xy", max_size=2)}
    ),
    min_size=1,
    max_size=5,
)


@given(answers=TYPED, rule=st.sampled_from(["first", "list"]), at=st.integers(0, 5))
def test_first_and_list_come_to_the_same_in_whatever_groups(answers: list[dict[str, Any]], rule: str, at: int) -> None:
    groups = [group for group in (answers[:at], answers[at:]) if group]
    assert merged(rule, [merged(rule, group) for group in groups]) == merged(rule, answers)


@given(answers=ANSWERS, rule=st.sampled_from(sorted(RULES)))
def test_merging_invents_nothing_and_loses_no_field(answers: list[dict[str, Any]], rule: str) -> None:
    found = merged(rule, answers)
    told = {name for one in answers for name, value in one.items() if value is not None}
    assert set(found) == told
    for name, value in found.items():
        given_values = [one[name] for one in answers if name in one]
        items = [item for one in given_values if isinstance(one, list) for item in one]
        assert value in given_values or (rule in {"list", "majority"} and all(item in items for item in value))


@given(answers=ANSWERS)
def test_lists_are_joined_without_duplicates_and_lose_nothing(answers: list[dict[str, Any]]) -> None:
    found = merged("list", answers)
    for name, value in found.items():
        lists = [one[name] for one in answers if one.get(name) is not None]
        if all(isinstance(one, list) for one in lists):
            texts = [json.dumps(item, sort_keys=True) for item in value]
            assert len(texts) == len(set(texts))
            assert set(texts) == {json.dumps(item, sort_keys=True) for one in lists for item in one}


@given(st.lists(st.lists(st.sampled_from("abc"), unique=True), min_size=1, max_size=8))
def test_the_majority_is_what_at_least_half_of_the_lists_hold(lists: list[list[str]]) -> None:
    (found,) = merged("majority", [{"labels": one} for one in lists]).values()
    assert sorted(found) == [item for item in "abc" if 2 * sum(item in one for one in lists) >= len(lists)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1, 2, 2], 2), ([1, 2], 1), ([None, "", "x"], "x"), ([True, 1, 1], 1), ([None], None), ([[], ["a"]], ["a"])],
)
def test_the_vote_is_of_those_that_say_something(values: list[Any], expected: object) -> None:
    assert merged("vote", [{"a": value} for value in values]).get("a") == expected


def test_a_field_that_is_null_everywhere_stays_where_it_may_be_null() -> None:
    assert merged("list", [{"a": None, "b": None}], ["a"]) == {"a": None}


Write = Callable[[Any], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def put(schema: Any) -> str:
        path = tmp_path / "schema.json"
        path.write_text(schema if isinstance(schema, str) else json.dumps(schema), encoding="utf-8")
        return str(path)

    return put


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ("{", "it isn't JSON"),
        ("[" * 100_000, "it isn't JSON"),
        ([], "it is no JSON object"),
        ({"type": "string"}, "it isn't of an object with properties"),
        ({"type": "object"}, "it isn't of an object with properties"),
        ({"type": "objekt", "properties": {"a": {}}}, "it is no JSON Schema: type"),
        ({"properties": {"a": {"type": 7}}}, "it is no JSON Schema: properties/a/type"),
        ({"properties": {"a": {"$ref": "https://example.com/a.json"}}}, "it refers to https://example.com/a.json"),
        ({"properties": {"a": {"$ref": "other.json#/a"}}}, "it refers to other.json#/a"),
        ({"properties": {"a": {"$ref": "#/properties/a"}}}, "one of its references leads back to itself"),
        ({"properties": {"a": {"pattern": "(a"}}}, "it is no JSON Schema: properties/a/pattern"),
        ({"properties": {"a": {"items": [{"$ref": "#/$defs/B"}]}}, "$schema": "http://json-schema.org/draft-07/schema#"},
         "#/$defs/B, which isn't there"),
    ],
)  # fmt: skip
def test_a_schema_that_can_not_be_used_is_refused_in_one_line(write: Write, schema: Any, words: str) -> None:
    path = write(schema)
    with pytest.raises(UserMistake) as refused:
        read_schema(path)
    assert words in str(refused.value)
    assert str(refused.value).startswith(f"--schema {path}: ")
    assert "\n" not in str(refused.value)


def test_data_that_looks_like_a_reference_is_none(write: Write) -> None:
    schema = {"properties": {"$ref": {"type": "string"}, "a": {"enum": [{"$ref": "x"}], "default": {"$ref": "y"}}}}
    assert read_schema(write(schema)).schema == schema


def test_a_schema_that_is_a_reference_to_its_own_definition_is_followed(write: Write) -> None:
    schema = {"$ref": "#/$defs/A", "$defs": {"A": {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}}}}
    one = make_form(read_schema(write(schema)), "list", ())
    assert [column.name for column in one.columns] == ["a"]
    assert one.values(one.checked('{"a": {"a": {}}}', whole=True)) == {"a": '{"a": {}}'}
