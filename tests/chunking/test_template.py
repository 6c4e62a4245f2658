from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mistral_common.protocol.instruct.messages import AssistantMessage, UserMessage
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

from tasks.chunking.chat_template import MARGIN, TEMPLATES, Window, conversation_tokens
from tasks.chunking.tokenizer import load_tokenizer

FEW = 4
VERSIONS = ("mistral-v1", "mistral-v2", "mistral-v3", "mistral-v7", "tekken-240718")
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=80)
CONTENTS = WORDS.filter(lambda text: bool(text.strip()))


Turns = list[str]


@cache
def encoder(name: str) -> Callable[[Turns], int]:
    """Count a conversation (user, answer, user …) by mistral-common's own chat template."""
    made: dict[str, Callable[[], Any]] = {
        "mistral-v1": MistralTokenizer.v1,
        "mistral-v2": MistralTokenizer.v2,
        "mistral-v3": MistralTokenizer.v3,
        "mistral-v7": MistralTokenizer.v7,
        "tekken-240718": lambda: MistralTokenizer.v3(is_tekken=True),
    }
    own = made[name]()

    def count(turns: Turns) -> int:
        kinds = [UserMessage if number % 2 == 0 else AssistantMessage for number in range(len(turns))]
        messages = [kind(content=content) for kind, content in zip(kinds, turns, strict=True)]
        return len(own.encode_chat_completion(ChatCompletionRequest(messages=messages)).tokens)

    return count


def our_count(name: str, turns: Turns) -> int:
    count = load_tokenizer(name).count
    template = TEMPLATES["mistral-v1" if name == "mistral-v1" else "mistral"]
    return conversation_tokens([count(turn) for turn in turns], template)


@pytest.mark.parametrize("name", VERSIONS)
@pytest.mark.parametrize(
    "turns",
    [
        ["Hello there."],
        ["Summarize:\n\nIt was a bright cold day in April.\n"],
        ["Hello there.", "Well, hello.", "Go on from where you stopped."],
        [" leading", "trailing\n", "\n\n 1"],
        ["\u543e\u8f29\u306f\u732b", "\u306f\u3044\u3002", "\u7d9a\u3051\u3066"],
    ],
    ids=["one turn", "one long turn", "three turns", "spaces at the edges", "Japanese"],
)
def test_a_prompt_is_counted_in_full_and_little_more(name: str, turns: Turns) -> None:
    real = encoder(name)(turns)
    assert real <= our_count(name, turns) <= real + MARGIN + FEW


@pytest.mark.parametrize("name", VERSIONS)
@settings(deadline=None, max_examples=40)
@given(turns=st.one_of(st.tuples(CONTENTS), st.tuples(CONTENTS, CONTENTS, CONTENTS)).map(list))
def test_no_conversation_is_counted_too_small(name: str, turns: Turns) -> None:
    real = encoder(name)(turns)
    assert real <= our_count(name, turns) <= real + MARGIN + FEW


@pytest.mark.parametrize("name", TEMPLATES)
def test_an_overhead_grows_with_the_turns_and_holds_the_margin(name: str) -> None:
    template = TEMPLATES[name]
    overheads = [template.overhead(turns) for turns in (1, 3, 5)]
    assert overheads[0] == template.first + MARGIN
    assert overheads[1] - overheads[0] == overheads[2] - overheads[1] == template.answer + template.later


def test_the_room_for_text_is_what_answer_and_overhead_leave() -> None:
    assert Window(context=4096, max_answer=512).room(16) == 3568
    assert Window(context=100, max_answer=90).room(16) < 0
