"""Documents get labels of a list: typed columns, and the chunks of a long document vote."""

import json
import math
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.base.errors import UserMistake
from tasks.planning.prepare import prepare
from tasks.prompting.confidence import joined_probabilities, label_probabilities
from tasks.prompting.labels import labels_schema, listed, read_labels
from tasks.prompting.merge import merged
from tasks.prompting.options import ClassifyOptions, TransformOptions
from tasks.providers.protocol import TokenProbability
from tests.conftest import Ran, RunJob
from tests.jobs.texts import prose, put
from tests.simulator import Simulator, error

LABELS = "mill,river,other"


@pytest.fixture
def classified(run_job: RunJob) -> RunJob:
    """Run a classifying job over the folder."""

    def run(**words: Any) -> Ran:
        return run_job(flow="classify", kind=ClassifyOptions, **{"labels": LABELS, **words})

    return run


def by_words(body: dict[str, Any]) -> str:
    """Answer with the label whose word stands in the text most often."""
    text = body["messages"][0]["content"].split("</document>")[0].lower()
    counts = Counter({label: text.count(label) for label in ("mill", "river")})
    (label, count), *_ = counts.most_common(1)
    return json.dumps({"label": label if count else "other"})


def test_each_document_gets_one_of_the_labels(folder: Path, provider: Simulator, classified: RunJob) -> None:
    for name, text in (("a", "The mill grinds."), ("b", "A river, and its banks."), ("c", "Something else.")):
        put(folder, f"{name}.txt", text)
    provider.settings.write = by_words
    ran = classified()
    assert {name: row["label"] for name, row in ran.documents.items()} == {
        "a.txt": "mill", "b.txt": "river", "c.txt": "other",
    }  # fmt: skip
    (part, *_) = sorted((ran.output / "documents").glob("*.parquet"))
    assert pa.types.is_string(kind := pq.read_schema(part).field("label").type) or pa.types.is_dictionary(kind)
    prompt = provider.counts.prompts[0]["messages"][0]["content"]
    assert "- mill\n- river\n- other" in prompt
    assert "the one that fits best" in prompt


def test_the_chunks_of_a_long_document_vote(folder: Path, provider: Simulator, classified: RunJob) -> None:
    chapters = ["The river runs. " + prose(9000, number) for number in range(3)]
    put(folder, "long.txt", "\n\n".join(["Mill, mill, mill. " + prose(4000, 9), *chapters]))
    answers = iter([{"label": "mill"}, {"label": "river"}, {"label": None}, *[{"label": "river"}] * 20])
    provider.settings.write = lambda _: json.dumps(next(answers))
    ran = classified(concurrency=1)
    row = ran.documents["long.txt"]
    assert (row["status"], row["label"]) == ("done", "river")
    assert row["calls"] == row["chunks"] > 3


def test_several_labels_are_a_list_of_those_that_most_chunks_name(
    folder: Path, provider: Simulator, classified: RunJob
) -> None:
    put(folder, "a.txt", "A mill by the river.")
    provider.settings.write = lambda _: json.dumps({"labels": ["river", "mill"]})
    assert classified(several=True).documents["a.txt"]["labels"] == ["river", "mill"]
    votes: list[Any] = [
        {"labels": ["a", "b"]},
        {"labels": ["a"]},
        {"labels": ["a", "c", "b"]},
        {"labels": []},
    ]
    assert merged("majority", votes) == {"labels": ["a", "b"]}


def test_a_label_that_is_none_of_the_list_is_asked_for_again_and_then_a_failure(
    folder: Path, provider: Simulator, classified: RunJob
) -> None:
    put(folder, "a.txt", "A text.")
    provider.settings.write = lambda _: json.dumps({"label": "lake"})
    ran = classified()
    row = ran.documents["a.txt"]
    assert (ran.code, row["error_kind"], row["label"], provider.counts.requests) == (3, "invalid_answer", None, 2)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.txt", "mill: where flour is made\nriver\n\n"),
        ("labels.json", '{"mill": "where flour is made", "river": null}'),
    ],
)
def test_labels_are_read_from_files_with_their_descriptions(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert read_labels(str(path)) == {"mill": "where flour is made", "river": ""}
    assert listed(read_labels(str(path))) == "- mill: where flour is made\n- river"


@pytest.mark.parametrize("named", ["", "one", "a,a", " , ,", "a,b,a"])
def test_fewer_than_two_labels_or_the_same_twice_are_a_mistake(named: str) -> None:
    with pytest.raises(UserMistake, match="--labels"):
        read_labels(named)


def test_a_file_that_is_no_list_of_labels_is_a_mistake(tmp_path: Path) -> None:
    for text in ("{", "3", '{"a": "b"}'):
        path = tmp_path / "labels.json"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(UserMistake, match="labels.json"):
            read_labels(str(path))


@given(st.lists(st.text(st.characters(exclude_characters=",:"), min_size=1).map(str.strip), min_size=2, unique=True))
def test_a_schema_allows_the_labels_and_no_other(labels: list[str]) -> None:
    if any(not label for label in labels):
        return
    found = read_labels(",".join(labels))
    assert labels_schema(found, several=False)["properties"]["label"]["enum"] == labels


def test_without_labels_it_is_a_mistake() -> None:
    with pytest.raises(UserMistake, match="--labels"):
        ClassifyOptions().check()


@pytest.mark.parametrize("strategy", ["refine", "map-reduce"])
def test_a_strategy_for_which_a_flow_has_no_prompt_is_a_mistake(
    folder: Path, provider: Simulator, strategy: str
) -> None:
    put(folder, "a.txt", "A text.")
    options = TransformOptions(
        provider="openai-compatible",
        model="sim-model",
        to="French",
        strategy=strategy,
    )
    with pytest.raises(UserMistake, match="no prompt for it"):
        prepare("transform", [str(folder)], options)
    assert provider.counts.requests == 0


def test_the_confidence_is_the_probability_of_the_labels_tokens(
    folder: Path, provider: Simulator, classified: RunJob
) -> None:
    put(folder, "a.txt", "The mill grinds.")
    provider.settings.write, provider.settings.probability = by_words, 0.9
    ran = classified()
    assert provider.counts.prompts[0]["logprobs"] is True
    # {"label": "mill"}: in tokens of two bytes the label's four letters are in two or three.
    assert ran.documents["a.txt"]["confidence"] in (pytest.approx(0.9**2), pytest.approx(0.9**3))
    field = pq.read_schema(next(iter((ran.output / "documents").glob("*.parquet")))).field("confidence")
    assert pa.types.is_float64(field.type)
    assert b"probability" in field.metadata[b"description"]


def test_without_the_tokens_probabilities_there_is_no_confidence(
    folder: Path, provider: Simulator, classified: RunJob
) -> None:
    put(folder, "a.txt", "The mill grinds.")
    provider.settings.write = by_words
    assert classified().documents["a.txt"]["confidence"] is None


def test_a_route_that_refuses_to_tell_probabilities_is_asked_without(
    folder: Path, provider: Simulator, classified: RunJob
) -> None:
    for number in range(5):
        put(folder, f"{number}.txt", f"The mill grinds {number}.")
    provider.settings.write = by_words
    provider.settings.fault = lambda _, body: (
        error(400, "This model does not support the 'logprobs' parameter.") if "logprobs" in body else None
    )
    ran = classified(concurrency=1)
    assert {row["label"] for row in ran.documents.values()} == {"mill"}
    assert sum("logprobs" in body for body in provider.counts.prompts) == 0  # those are answered ones alone
    assert provider.counts.requests == provider.counts.answers + 1


def test_only_labels_are_asked_for_with_probabilities(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    put(folder, "a.txt", "The mill grinds.")
    run_job()
    assert "logprobs" not in provider.counts.prompts[0]


def tokens(text: str, *logarithms: float) -> list[TokenProbability]:
    """A text cut into as many pieces as there are numbers."""
    data = text.encode()
    logarithms = logarithms[: len(data)]
    count = len(logarithms)
    edges = [len(data) * number // count for number in range(count + 1)]
    return [TokenProbability(data[a:b], one) for (a, b), one in zip(pairwise(edges), logarithms, strict=True)]


@given(
    st.lists(st.text(min_size=1, max_size=5).filter(lambda text: not set(text) & set('"\\')), min_size=1, max_size=3),
    st.integers(1, 40),
)
def test_a_labels_probability_is_that_of_the_tokens_that_touch_it(labels: list[str], pieces: int) -> None:
    text = json.dumps({"labels": labels}, ensure_ascii=False)
    found = label_probabilities(labels, tokens(text, *[-0.5] * pieces))
    assert found is not None
    assert set(found) == set(labels)
    for label, probability in found.items():
        touched = -2 * math.log(probability)
        assert 1 <= round(touched) == pytest.approx(touched)
        assert touched <= len(json.dumps(label, ensure_ascii=False).encode())


def test_a_label_that_does_not_stand_in_the_answer_leaves_the_confidence_open() -> None:
    assert label_probabilities(["river"], tokens('{"label": "mill"}', -0.1)) is None
    assert label_probabilities(["mill"], []) is None
    escaped = label_probabilities(["Mühle"], tokens('{"label": "M\\u00fchle"}', -0.1, -0.1))
    assert escaped is not None
    assert escaped["Mühle"] == pytest.approx(math.exp(-0.1))


def test_over_chunks_it_is_the_mean_and_one_that_names_another_gives_none() -> None:
    joined = joined_probabilities(["a"], [{"a": 0.9}, {"a": 0.6}, {"b": 0.9}])
    assert joined is not None
    assert joined["a"] == pytest.approx(0.5)
    assert joined_probabilities(["a"], [{"a": 0.9}, None]) is None
    assert joined_probabilities([], [{}, {}]) == {}
