"""What of an answer is thoughts, in the marks of many models."""

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.providers.thoughts import answer_of

ANSWER = '{"name": "ACME"}'
DRAFT = 'First guess: {"name": "WRONG"}…'


@pytest.mark.parametrize(
    "thoughts",
    [
        "{} </think>\n\n",  # opened by the chat template
        "<think>\n{}\n</think>\n\n",
        "\n\n<think>{}</think>",
        "<THINK>{}</THINK>\n",
        "<thinking>{}</thinking>\n",
        "<thought>{}</thought>",
        "<thoughts>{}</thoughts> ",
        "<reasoning>{}</reasoning>\n",
        '<think type="long">{}</think>\n',
        "<seed:think>{}</seed:think>",
        "[THINK]{}[/THINK]",
        "◁think▷{}◁/think▷",
        "<|begin_of_thought|>{}<|end_of_thought|>\n",
        "<|channel>thought\n{}<channel|>",
        "<|channel|>analysis<|message|>{}<|end|><|start|>assistant<|channel|>final<|message|>",
        "<|channel|>analysis<|message|>{}<|end|><|start|>assistant<|channel|>final <|constrain|>json<|message|>",
        "analysis{}assistantfinal",
        "<think>{}</think>\n<think>Again: {}</think>\n",
        "<think>I write `</think>` when I am done. {}</think>\n",
        '<think>It reads "</think>". {}\n</think>\n',
        '<think>{ and [ and " {}</think>',
    ],
)
@pytest.mark.parametrize("answer", [ANSWER, f"```json\n{ANSWER}\n```", f"Here it is: {ANSWER}", "ACME makes anvils."])
def test_what_stands_behind_the_last_thoughts_is_the_answer(thoughts: str, answer: str) -> None:
    assert answer_of(thoughts.replace("{}", DRAFT) + answer).strip() == answer


@pytest.mark.parametrize(
    "text",
    [
        f"<think>{DRAFT}",
        f"<thinking>\n{DRAFT}\n",
        f"[THINK]{DRAFT}",
        f"◁think▷{DRAFT}",
        f"<|channel|>analysis<|message|>{DRAFT}",
        f"<think>{DRAFT}</think>",
        f"{DRAFT}\n</think>\n",
        f"<think>{DRAFT}</think><think>{DRAFT}",
    ],
)
def test_thoughts_alone_are_no_answer(text: str) -> None:
    assert answer_of(text).strip() == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A plain answer.",
        ANSWER,
        '{"quote": "he wrote </think> there"}',
        '```json\n{"quote": "</think>\\n", "b": {"c": "[/THINK] X"}}\n```',
        '{"a": "</think>", "b": "</reasoning>"}',
        "The tag `</think>` ends a block.",
        "The tags <think> and </think> are marks of reasoning models.",
        "Write <think>, then </think>, and no more.",
        "We think, therefore we are.",
        "analysis of the market: assistantfinal",
        "I thought of [THINK] as a game",
    ],
)
def test_an_answer_without_thoughts_stays_as_it_is(text: str) -> None:
    assert answer_of(text) == text
    assert answer_of(f"<think>hm</think>{text}") == text


def test_the_marks_at_the_end_of_a_message_are_no_part_of_it() -> None:
    assert answer_of("<|channel|>final<|message|>Yes.<|return|>") == "Yes."


PIECES = ["<think>", "</think>", '{"a":"', '"}', "{", "}", "`", "\n", "x", " "]


@given(pieces=st.lists(st.sampled_from(PIECES), max_size=20))
def test_nothing_is_invented(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert text.endswith(answer_of(text))


HOSTILE: list[Callable[[int], str]] = [
    lambda size: "<think>" * size,
    lambda size: "</think>" * size,
    lambda size: "<think></think>" * size,
    lambda size: '{"a":["</think>",' * size,
    lambda size: '{"a":"</think>' * size,
    lambda size: '{"a":{"a":' * size + "</think>",
    lambda size: "{" * size + "</think>",
    lambda size: '{"a":"' + "\\" * size + "</think>",
    lambda size: "<think " + " " * size,
    lambda size: " " * size + "</think",
    lambda size: "<|channel|>final" * size,
    lambda size: "`" * size + "</think>" + "`" * size,
]


@pytest.mark.parametrize("make", HOSTILE)
def test_a_hostile_answer_costs_no_more_than_its_length(make: Callable[[int], str]) -> None:
    def cost(size: int) -> float:
        text = make(size)[:size]
        times = []
        for _ in range(3):
            start = time.process_time()
            answer_of(text)
            times.append(time.process_time() - start)
        return min(times)

    assert cost(200_000) < 3.5 * cost(100_000) + 0.05
