"""Real books in four languages come out covered to the last character.

The books are the Debian Reference's, as Debian's packages debian-reference-en, -ja,
-zh-cn and -it install them.
"""

import gzip
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest
from mistral_common.protocol.instruct.messages import UserMessage
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

from tasks.calls.cutting import Cutter
from tasks.chunking.tokenizer import TEKKEN, _shipped
from tasks.documents.document import Content
from tasks.planning.prepare import prepare
from tasks.prompting.options import Options
from tasks.strategies.named import STRATEGIES
from tests.conftest import RunJob
from tests.simulator import Simulator

BOOKS = Path("/usr/share/debian-reference")
LANGUAGES = ("en", "ja", "zh-cn", "it")
WINDOW = 8192


@pytest.mark.skipif(not BOOKS.is_dir(), reason="apt-get install debian-reference-{en,ja,zh-cn,it} brings the books")
def test_books_in_four_languages_are_covered_and_every_request_fits(
    provider: Simulator, run_job: RunJob, folder: Path
) -> None:
    provider.settings.models = ("mistral-nemo",)
    provider.settings.context = WINDOW
    books = {f"{name}.txt": book(name) for name in LANGUAGES}
    for name, text in books.items():
        (folder / name).write_text(text, encoding="utf-8", newline="")

    ran = run_job(model="mistral-nemo", context=WINDOW)

    assert ran.code == 0
    assert {name: row["covered_characters"] for name, row in ran.documents.items()} == {
        name: len(text) for name, text in books.items()
    }
    for name, text in books.items():
        spans = sorted(
            (row["start_char"], row["end_char"])
            for row in ran.rows("calls")
            if row["document_id"] == name and row["stage"] == "map"
        )
        assert "".join(text[start:end] for start, end in spans) == text
    for body in provider.counts.prompts:
        assert tokens(body["messages"][0]["content"]) + body["max_tokens"] <= WINDOW
    assert statistics.mean(fills(books)) >= 0.92


def fills(books: dict[str, str]) -> Iterator[float]:
    """The share of the budget that each full chunk uses: the last two of a book share what is left."""
    prepared = prepare("summarize", ["."], Options(provider="openai-compatible", model="mistral-nemo", context=WINDOW))
    stop = prepared.job_routes[0]
    cutter = Cutter(stop.route, stop.tokenizer, stop.prompts, STRATEGIES["auto"])
    for text in books.values():
        budget = cutter.chunk_room(text)
        yield from (chunk.tokens / budget for chunk in cutter.cut(Content(text)).chunks[:-2])


def book(language: str) -> str:
    """Read a book as it is."""
    with gzip.open(BOOKS / f"debian-reference.{language}.txt.gz", "rt", encoding="utf-8", newline="") as file:
        return file.read()


TOKENIZER = MistralTokenizer.from_file(str(_shipped(TEKKEN["tekken-240718"])))


def tokens(prompt: str) -> int:
    """Count a prompt as the model's own tokenizer and template do."""
    request = ChatCompletionRequest[UserMessage](messages=[UserMessage(content=prompt)])
    return len(TOKENIZER.encode_chat_completion(request).tokens)
