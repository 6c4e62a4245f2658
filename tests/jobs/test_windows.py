"""One model at two providers with windows of 128,000 and 8,192: the first is lost halfway."""

import json
from pathlib import Path
from typing import Any

import pytest
from mistral_common.protocol.instruct.messages import AssistantMessage, UserMessage
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

from tasks.chunking.tokenizer import SENTENCEPIECE, _shipped
from tests.conftest import RunJob
from tests.jobs.texts import prose, put
from tests.providers.counterparts import Counterparts
from tests.providers.test_counterparts import set_all

WINDOWS = {"openrouter": 128_000, "bedrock": 8192}
TOKENIZER = MistralTokenizer.from_file(str(_shipped(SENTENCEPIECE["mistral-v2"])))


@pytest.fixture(autouse=True)
def keys(parts: Counterparts, monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, parts.environment(*WINDOWS))


def tokens(body: dict[str, Any]) -> int:
    """Count a request as the model's own tokenizer and template do, its answer at its most."""
    turns = []
    for turn in body["messages"]:
        content = turn["content"] if isinstance(turn["content"], str) else turn["content"][0]["text"]
        turns.append(UserMessage(content=content) if turn["role"] == "user" else AssistantMessage(content=content))
    most = body.get("max_tokens") or body["inferenceConfig"]["maxTokens"]
    request = ChatCompletionRequest[Any](messages=turns)
    return len(TOKENIZER.encode_chat_completion(request).tokens) + int(most)


@pytest.mark.parametrize("answers", [0, 4, 11])
def test_a_fallback_to_a_smaller_window_truncates_nothing_and_says_no_text_twice(
    parts: Counterparts, folder: Path, run_job: RunJob, answers: int
) -> None:
    texts = {f"{number:02d}.txt": prose(2000 + 60_000 * (number % 3), number) for number in range(12)}
    for name, text in texts.items():
        put(folder, name, text)
    parts.lost_after["openrouter"] = answers

    ran = run_job(provider="openrouter", model="mistral-large", fallback=("bedrock/mistral-large",), concurrency=2)

    assert ran.code == 0
    assert {name: row["covered_characters"] for name, row in ran.documents.items()} == {
        name: len(text) for name, text in texts.items()
    }
    for sent in parts.sent:
        assert tokens(sent.body) <= WINDOWS[sent.provider]
    for name, text in texts.items():
        served = ran.documents[name]["provider"]
        calls = [row for row in ran.rows("calls") if row["document_id"] == name and row["provider"] == served]
        spans = sorted((row["start_char"], row["end_char"]) for row in calls if row["level"] == 0)
        assert "".join(text[start:end] for start, end in spans) == text
    assert {row["provider"] for row in ran.documents.values()} >= {"bedrock"}
    assert json.loads((ran.output / "job.json").read_text())["status"] == "done"
