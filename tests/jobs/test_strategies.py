"""How a long document becomes one answer, and how answers that are cut off go on."""

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.calls.cutting import Cutter
from tasks.calls.estimate import Expected
from tasks.calls.rows import Outcome
from tasks.strategies.named import STRATEGIES
from tasks.strategies.strategy import Ask, covered, of_chunks_alone
from tests.conftest import RunJob
from tests.jobs.texts import fill, prose, put
from tests.simulator import Simulator, error

GO_ON = "Continue it exactly where it stopped"


def turns(body: dict[str, Any]) -> list[tuple[str, str]]:
    return [(turn["role"], turn["content"]) for turn in body["messages"]]


def test_a_document_that_fits_goes_in_one_call(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    put(folder, "a.txt", prose(3000))
    ran = run_job()
    assert provider.counts.requests == 1
    assert (ran.documents["a.txt"]["chunks"], ran.documents["a.txt"]["calls"]) == (1, 1)


def test_the_reduce_asks_over_all_answers_in_the_order_of_the_text(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    put(folder, "long.txt", prose(40_000))
    ran = run_job()
    calls = ran.rows("calls")
    maps = sorted((row for row in calls if row["stage"] == "map"), key=lambda row: int(row["position"]))
    (reduce,) = (row for row in calls if row["stage"] == "reduce")
    assert (reduce["level"], reduce["position"]) == (1, 0)
    (sent,) = (turns(body)[0][1] for body in provider.counts.prompts if "<parts>" in str(body))
    assert "\n\n".join(row["output"] for row in maps) in sent


def test_answers_are_reduced_level_by_level_until_one_is_left(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    provider.settings.context = 2400
    provider.settings.answer = "An answer of some length, to fill the window sooner. " * 6 + "{prompt_sha}"
    put(folder, "long.txt", prose(25_000))
    ran = run_job(max_output_tokens=400)
    assert ran.code == 0
    levels = sorted({row["level"] for row in ran.rows("calls")})
    assert levels == list(range(len(levels)))
    assert len(levels) > 2
    sizes = [sum(row["level"] == level for row in ran.rows("calls")) for level in levels]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 1


def test_refine_carries_one_answer_through_the_chunks(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    text = prose(30_000)
    put(folder, "long.txt", text)
    ran = run_job(strategy="refine")
    row = ran.documents["long.txt"]
    assert (ran.code, row["status"], row["covered_characters"]) == (0, "done", 30_000)
    calls = sorted(ran.rows("calls"), key=lambda one: int(one["position"]))
    assert [one["stage"] for one in calls] == ["map"] + ["refine"] * (row["chunks"] - 1)
    assert row["chunks"] > 3
    assert row["output"] == calls[-1]["output"]
    assert "".join(text[one["start_char"] : one["end_char"]] for one in calls) == text
    for before, body in zip(calls, provider.counts.prompts[1:], strict=False):
        assert f"<summary>\n{before['output']}\n</summary>" in turns(body)[0][1]


def test_refine_leaves_out_a_chunk_that_fails_and_says_so(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    put(folder, "long.txt", prose(15_000, 1) + "\n\nPOISON.\n\n" + prose(15_000, 2))
    provider.settings.fault = lambda _, body: error(500, "cannot") if "POISON" in json.dumps(body) else None
    ran = run_job(strategy="refine")
    row = ran.documents["long.txt"]
    assert (ran.code, row["status"]) == (3, "partial")
    assert 0 < row["covered_characters"] < row["characters"]
    assert len(ran.rows("failures")) == 1


def test_refine_ends_where_the_answer_leaves_no_room(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    provider.settings.answer = "long " * 1500 + "{prompt_sha}"
    put(folder, "long.txt", prose(30_000))
    ran = run_job(strategy="refine")
    assert ran.documents["long.txt"]["error_kind"] == "cannot_refine"
    assert "map-reduce" in ran.documents["long.txt"]["error"]
    assert ran.code == 3


def test_stuff_refuses_what_does_not_fit_and_asks_nothing(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    put(folder, "long.txt", prose(30_000))
    put(folder, "short.txt", prose(300))
    ran = run_job(strategy="stuff")
    assert provider.counts.requests == 1
    assert ran.documents["short.txt"]["status"] == "done"
    assert (ran.documents["long.txt"]["status"], ran.documents["long.txt"]["error_kind"]) == ("failed", "too_long")
    assert ran.code == 3


def test_an_answer_that_was_cut_off_is_continued_in_the_same_conversation(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    provider.settings.finish = lambda body: "length" if len(body["messages"]) == 1 else "stop"
    provider.settings.write = lambda body: "First half, " if len(body["messages"]) == 1 else "second half."
    put(folder, "a.txt", prose(400))
    ran = run_job()
    first, second = provider.counts.prompts
    assert turns(second) == [*turns(first), ("assistant", "First half, "), ("user", turns(second)[2][1])]
    assert GO_ON in turns(second)[2][1]
    row = ran.documents["a.txt"]
    assert (ran.code, row["status"], row["output"], row["calls"]) == (0, "done", "First half, second half.", 2)
    assert [call["finish_reason"] for call in ran.rows("calls")] == ["length", "stop"]
    assert [call["output"] for call in ran.rows("calls")] == ["First half, ", "second half."]


def test_an_answer_at_its_most_tokens_is_taken_for_cut_off_whatever_the_reason_says(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    provider.settings.write = lambda body: "word " * 20 if len(body["messages"]) == 1 else "the end."
    put(folder, "a.txt", prose(400))
    ran = run_job(max_output_tokens=20)
    assert provider.counts.requests == 2
    assert ran.documents["a.txt"]["output"] == "word " * 20 + "the end."
    assert ran.rows("calls")[0]["finish_reason"] == "length"


def test_an_answer_that_never_ends_is_told_in_its_row_and_no_request_is_sent_twice(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    provider.settings.finish = lambda _: "length"
    put(folder, "a.txt", prose(400))
    ran = run_job(max_output_tokens=50)
    row = ran.documents["a.txt"]
    assert (ran.code, row["status"], row["error_kind"]) == (0, "done", "answer_cut")
    assert "--max-output-tokens" in row["error"]
    assert row["output"] == "".join(call["output"] for call in ran.rows("calls"))
    assert 2 <= provider.counts.requests == len(provider.counts.bodies) <= 10


def test_a_continuation_that_fails_keeps_the_half_that_was_paid(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    provider.settings.finish = lambda _: "length"
    provider.settings.fault = lambda _, body: error(500, "cannot") if len(body["messages"]) > 1 else None
    put(folder, "a.txt", prose(400))
    ran = run_job()
    row = ran.documents["a.txt"]
    assert (row["error_kind"], row["covered_characters"]) == ("answer_cut", row["characters"])
    assert row["output"] == ran.rows("calls")[0]["output"]
    assert len(ran.rows("failures")) == 1


def test_answers_that_cannot_be_merged_end_in_a_clear_failure(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    provider.settings.write = lambda _: "x" * 900
    put(folder, "long.txt", prose(8000))
    fill(folder, 2, 100)
    ran = run_job(context=2000, max_output_tokens=256)
    row = ran.documents["long.txt"]
    assert (ran.code, row["status"], row["error_kind"]) == (3, "failed", "cannot_reduce")
    assert "--max-output-tokens" in row["error"]
    assert provider.counts.requests == row["chunks"] + 2
    assert {ran.documents[name]["status"] for name in ("000.txt", "001.txt")} == {"done"}
    assert [one["stage"] for one in ran.rows("failures")] == ["reduce"]


def test_a_reduce_that_never_shrinks_its_answers_ends_all_the_same(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    """Each merged answer is as long as the room: the levels still get fewer, or it is told."""
    provider.settings.write = lambda body: "x" * (560 if "<document>" in str(body) else 900)
    put(folder, "long.txt", prose(12_000))
    ran = run_job(context=2000, max_output_tokens=256)
    row = ran.documents["long.txt"]
    assert (row["status"], row["error_kind"]) == ("failed", "cannot_reduce")
    assert provider.counts.requests < 3 * row["chunks"]


@pytest.mark.parametrize("strategy", [name for name, one in STRATEGIES.items() if not one.keeps_length])
def test_every_strategy_answers_a_short_document_in_one_call(
    folder: Path, provider: Simulator, run_job: RunJob, strategy: str
) -> None:
    put(folder, "a.txt", prose(500))
    assert run_job(strategy=strategy).code == 0
    assert provider.counts.requests == 1


def test_a_prompt_of_the_users_own_is_kept_in_the_reduce_as_the_instruction(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    prompt = put(folder.parent, "prompt.txt", "List every harbour.\n\n{text}")
    put(folder, "long.txt", prose(20_000))
    assert run_job(prompt=prompt).code == 0
    assert all("List every harbour." in turns(body)[0][1] for body in provider.counts.prompts)
    assert any("<answers>" in turns(body)[0][1] for body in provider.counts.prompts)


class FirstChunk:
    """A strategy of a user's own: it asks over the first chunk alone."""

    name, chunk_stage, more_stages, cuts, keeps_length = "auto", "map", (), True, False

    async def run(self, ask: Ask) -> Outcome:
        answer = await ask.chunk(0)
        if answer is None:
            raise ask.last_failure()
        return Outcome(answer.text, covered(ask.cut, [answer, *[None] * (len(ask.cut.chunks) - 1)]), answer.cut)

    def estimate(self, cutter: Cutter, chunks: int, tokens: int, answer: int | None) -> Expected:
        return of_chunks_alone(cutter, 1, tokens // chunks, answer)


def test_what_a_strategy_leaves_out_makes_its_document_partial_and_says_so(
    folder: Path, provider: Simulator, run_job: RunJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STRATEGIES, "auto", FirstChunk())
    put(folder, "long.txt", prose(20_000))
    ran = run_job()
    row = ran.documents["long.txt"]
    assert (row["status"], row["error_kind"], provider.counts.requests) == ("partial", "not_asked", 1)
    assert row["error"].endswith("characters are missing: the strategy leaves them out")
    assert ran.code == 3
