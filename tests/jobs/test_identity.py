"""Each option says whether it decides about answers, and the identity of a job's work does as it says."""

from pathlib import Path
from typing import Any

import pytest

from tasks.planning.prepare import prepare
from tasks.prompting.options import FLOWS, EmbedOptions, ExtractOptions, Options
from tests.jobs.texts import put

# A comparison is made of other flows' jobs.
KINDS = {name: kind for name, kind in FLOWS.items() if name != "compare"}
# What a flow can't do without.
NEEDED: dict[str, dict[str, Any]] = {
    "extract": {"json_schema": "one.json"}, "classify": {"labels": "a,b"}, "transform": {"to": "French"},
    "embed": {"provider": "openai-compatible", "model": "sim-model", "context": 512},
}  # fmt: skip
# Another value for every option.
OTHER: dict[str, Any] = {
    "output": "elsewhere", "model": "mistral-nemo", "provider": "openai-compatible", "routing": "perf",
    "subtype": "code", "max_price": "9/9", "min_context": 100, "integrity": 13, "exclude": ("together",), "pool": True,
    "fallback": ("mistral/mistral-nemo",), "strategy": "stuff", "prompt": "ask.txt", "max_output_tokens": 100,
    "context": 5000, "budget": 3.0, "price": "1/2", "rpm": 7, "tpm": 70_000, "concurrency": 3, "patience": 5.0,
    "hedge": True, "limit": 1, "text_column": "text", "id_column": "id", "retry_failed": True, "fresh": True,
    "state": "states", "log": "log.jsonl", "wait": 3.0, "share_limits": "limits", "runner": "processes",
    "runner_address": None, "workers": 2, "join": True, "prune": True, "json_schema": "two.json", "merge": "first",
    "labels": "a,c", "several": True, "to": "German", "chunk_tokens": 100, "overlap": 9, "inputs_per_request": 3,
    "dimensions": 8,
}  # fmt: skip
# What decides only beside others: it has its tests with the routes.
BESIDE = {"routing", "subtype", "integrity", "runner_address", "workers"}
# Of embeddings: another model is refused, and options of completions are nothing to them.
LEFT_OUT = {"embed": {"fallback", *(Options.of_answers() - EmbedOptions.of_answers())}}
TOGETHER: dict[tuple[str, str], dict[str, Any]] = {
    ("transform", "prompt"): {"to": None}, ("embed", "model"): {"model": "other-model"},
    ("embed", "provider"): {"provider": "mistral", "model": "mistral-embed"},
    **{(flow, "provider"): {"model": "sim-model"} for flow in KINDS if flow != "embed"},
}  # fmt: skip
SCHEMA = '{{"type": "object", "properties": {{"{0}": {{"type": "string"}}}}}}'


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MISTRAL_API_KEY", "k")
    for name in ("one", "two"):
        (tmp_path / f"{name}.json").write_text(SCHEMA.format(name), encoding="utf-8")
    (tmp_path / "ask.txt").write_text("{text} Well?", encoding="utf-8")
    (tmp_path / "documents").mkdir()
    put(tmp_path / "documents", "a.txt", "A text.")
    return tmp_path


def work(flow: str, place: Path, **words: Any) -> str:
    given = {
        "provider": "mistral",
        "model": "mistral-small",
        "output": "out",
        "price": "1/1",
        **NEEDED.get(flow, {}),
        **words,
    }
    return prepare(flow, [str(place / "documents")], KINDS[flow](**given)).fingerprint


@pytest.mark.usefixtures("provider")
@pytest.mark.parametrize("flow", KINDS)
def test_an_option_changes_the_work_where_it_says_so_and_nowhere_else(flow: str, place: Path) -> None:
    kind, before = KINDS[flow], work(flow, place)
    faults = {}
    for name in kind.model_fields.keys() - BESIDE - LEFT_OUT.get(flow, set()):
        changed = work(flow, place, **{name: OTHER[name], **TOGETHER.get((flow, name), {})}) != before
        if changed != (name in kind.of_answers()):
            faults[name] = "changes it" if changed else "doesn't change it"
    assert faults == {}


def test_every_option_has_another_value_to_be_tried_with() -> None:
    named = {name for kind in KINDS.values() for name in kind.model_fields}
    assert named == OTHER.keys()
    assert all(kind.of_answers() <= kind.model_fields.keys() for kind in KINDS.values())


@pytest.mark.parametrize(
    ("options", "identity"),
    [
        (Options(), "4a9e3d4c3b5843334743f82456ac41349400f92e3b70a531f8aa223f47111b5e"),
        (
            ExtractOptions(json_schema="one.json", merge="vote", strategy="refine"),
            "0052f08aa0bf96354818347884dd5d2d67c93b3a5840fb87b935aa521da7be2d",
        ),
    ],
)
def test_the_identity_of_work_is_that_of_older_result_sets(place: Path, options: Options, identity: str) -> None:
    """With another one all documents of all users are asked about anew: only other shipped prompts are worth that."""
    flow = next(name for name, kind in KINDS.items() if kind is type(options))
    given = options.model_copy(update={"provider": "mistral", "model": "mistral-small", "output": "out"})
    assert prepare(flow, [str(place / "documents")], given).fingerprint == identity
