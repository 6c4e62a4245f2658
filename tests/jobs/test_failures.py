"""One bad document, answer or provider never stops the others, and nothing is lost in silence."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.conftest import KEY, RunJob
from tests.jobs.texts import fill, prose, put
from tests.simulator import Fault, Reset, Simulator, error

REPR = re.compile(r"\w+(Error|Exception|Failed)\(|Traceback|<class|object at 0x")


def poisonous(fault: Fault) -> Fault:
    """A fault for every request with the word POISON in it."""
    return lambda number, body: fault(number, body) if "POISON" in json.dumps(body) else None


def test_a_poison_document_is_failed_with_its_reason_and_the_others_are_done(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    fill(folder, 10)
    put(folder, "bad.txt", "POISON in here")
    provider.settings.fault = poisonous(lambda *_: error(500, "cannot do this"))
    ran = run_job()
    assert (ran.code, ran.record.status) == (3, "done")
    bad = ran.documents.pop("bad.txt")
    assert (bad["status"], bad["error_kind"], bad["output"], bad["covered_characters"]) == (
        "failed",
        "http_500",
        None,
        0,
    )
    assert "cannot do this" in bad["error"]
    assert {name for name, row in ran.documents.items() if row["status"] == "done"} == set(ran.documents) - {"bad.txt"}
    (failure,) = ran.rows("failures")
    assert (failure["document_id"], failure["http_status"], failure["attempts"]) == ("bad.txt", 500, 6)
    assert (failure["stage"], failure["position"], failure["error_kind"]) == ("map", 0, "http_500")
    totals = ran.record.totals
    assert (totals.documents, totals.done, totals.failed) == (11, 10, 1)


def test_retry_failed_asks_only_for_what_failed_and_clears_its_failure(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    fill(folder, 10)
    put(folder, "bad.txt", "POISON in here")
    provider.settings.fault = poisonous(lambda *_: error(500, "cannot do this"))
    before = run_job().documents
    provider.settings.fault, asked = None, provider.counts.requests
    ran = run_job(retry_failed=True)
    assert provider.counts.requests == asked + 1
    assert "POISON" in json.dumps(provider.counts.prompts[-1])
    assert ran.code == 0
    assert ran.rows("failures") == []
    assert ran.documents.pop("bad.txt")["status"] == "done"
    assert {name: row for name, row in ran.documents.items() if name != "bad.txt"} == {
        name: row for name, row in before.items() if name != "bad.txt"
    }


def test_one_chunk_that_fails_leaves_the_document_partial_with_its_place_told(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    text = prose(20_000, 1) + "\n\nPOISON.\n\n" + prose(20_000, 2)
    put(folder, "long.txt", text)
    provider.settings.fault = poisonous(lambda *_: error(500, "cannot do this"))
    ran = run_job()
    row = ran.documents["long.txt"]
    assert (ran.code, row["status"], row["error_kind"]) == (3, "partial", "http_500")
    assert row["output"]
    maps = [call for call in ran.rows("calls") if call["stage"] == "map"]
    assert row["covered_characters"] == sum(call["end_char"] - call["start_char"] for call in maps) < row["characters"]
    (failure,) = ran.rows("failures")
    assert failure["position"] not in {call["position"] for call in maps}
    assert {failure["position"]} | {call["position"] for call in maps} == set(range(row["chunks"]))
    missing = row["characters"] - row["covered_characters"]
    assert str(missing) in row["error"]
    provider.settings.fault, asked = None, provider.counts.answers
    healed = run_job(retry_failed=True)
    assert healed.code == 0
    assert healed.documents["long.txt"]["covered_characters"] == len(text)
    assert provider.counts.answers - asked <= 1 + len(ran.rows("calls")) - len(maps) + 1  # the chunk, and new reduces
    assert set(provider.counts.answered.values()) == {1}


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("empty.txt", b"", "empty"),
        ("blank.txt", b" \n\n \t ", "empty"),
        ("program.bin", b"\x7fELF\0\0\0\x01" * 50, "not_text"),
        ("paper.pdf", b"%PDF-1.7 \xff\xfe", "damaged"),
    ],
)
def test_a_document_that_cannot_be_read_is_a_failure_with_a_reason_and_costs_nothing(
    folder: Path, provider: Simulator, run_job: RunJob, name: str, data: bytes, kind: str
) -> None:
    (folder / name).write_bytes(data)
    put(folder, "good.txt", prose(300))
    ran = run_job()
    assert ran.code == 3
    assert provider.counts.requests == 1
    assert ran.documents["good.txt"]["status"] == "done"
    row = ran.documents[name]
    assert (row["status"], row["error_kind"], row["characters"]) == ("failed", kind, 0)
    (failure,) = ran.rows("failures")
    assert (failure["document_id"], failure["stage"], failure["call_id"]) == (name, "read", None)


def test_a_link_to_nowhere_is_a_failure_and_not_the_end(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    (folder / "gone.txt").symlink_to(folder / "nowhere")
    put(folder, "good.txt", prose(300))
    ran = run_job()
    assert ran.code == 3
    assert ran.documents["gone.txt"]["error_kind"] == "unreadable"


def choice(message: Any, finish: str = "stop", **more: Any) -> web.Response:
    return web.json_response({"choices": [{"message": message, "finish_reason": finish}], **more})


FAULTS: dict[str, Fault] = {
    "bad request": lambda *_: error(400, "bad parameter"),
    "server error": lambda *_: error(500, "oops"),
    "no choices": lambda *_: web.json_response({"choices": []}),
    "filtered": lambda *_: choice({"content": "x"}, "content_filter"),
    "null content": lambda *_: choice({"content": None}),
    "null message": lambda *_: choice(None),
    "reset": lambda *_: Reset(),
    "html": lambda *_: web.Response(text="<html>Bad gateway</html>", content_type="text/html", status=502),
    "binary": lambda *_: web.Response(body=b"\xff\xfe\0\x01"),
    "error object": lambda *_: web.json_response({"error": {"message": {"deep": [1]}, "code": None}}),
    "blank with a list for usage": lambda *_: choice({"content": " "}, usage=[1, 2]),
}


@pytest.mark.parametrize("name", FAULTS)
def test_whatever_goes_wrong_with_one_document_is_told_in_words_and_the_others_are_done(
    folder: Path, provider: Simulator, run_job: RunJob, name: str
) -> None:
    fill(folder, 12)
    put(folder, "000-bad.txt", "POISON in here")  # early, so that others are answered while it is tried
    provider.settings.fault, provider.settings.latency = poisonous(FAULTS[name]), 0.02
    ran = run_job(concurrency=2)
    assert ran.code == 3
    assert {row["status"] for key, row in ran.documents.items() if key != "000-bad.txt"} == {"done"}
    (failure,) = ran.rows("failures")
    assert ran.documents["000-bad.txt"]["status"] == "failed"
    for words in (failure["error"], ran.documents["000-bad.txt"]["error"]):
        assert len(words) > 5
        assert "\n" not in words
        assert not REPR.search(words)


def test_odd_usage_in_a_good_answer_does_not_lose_the_answer(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    def odd(number: int, body: dict[str, Any]) -> web.Response:
        usages: list[Any] = [None, {"prompt_tokens": "1,234", "completion_tokens": 7.0}, {"prompt_tokens": None}, []]
        return choice({"content": f"Fine {number}."}, usage=usages[number % 4])

    fill(folder, 4)
    provider.settings.fault = odd
    ran = run_job()
    assert ran.code == 0
    assert all(row["output"].startswith("Fine ") and row["prompt_tokens"] > 0 for row in ran.documents.values())


def test_a_broken_answer_that_was_paid_is_asked_for_again_and_the_job_ends_well(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    fill(folder, 5)
    provider.settings.fault = lambda number, _: web.Response(text='{"choices": [{"mess') if number == 2 else None
    ran = run_job()
    assert ran.code == 0
    assert provider.counts.requests == 6
    assert sorted(row["attempts"] for row in ran.rows("calls")) == [1, 1, 1, 1, 2]


def test_a_refused_key_pauses_the_job_resumably(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    fill(folder, 30)
    provider.settings.key = "another-key"
    ran = run_job(concurrency=2)
    assert (ran.code, ran.record.status) == (4, "paused")
    assert ran.record.reason is not None
    assert "key" in ran.record.reason
    assert provider.counts.requests <= 2
    assert ran.documents == {}
    provider.settings.key = KEY
    again = run_job(concurrency=2)
    assert (again.code, len(again.documents), again.record.job_id) == (0, 30, ran.record.job_id)


def test_a_provider_that_echoes_the_key_does_not_get_it_into_the_results(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    fill(folder, 2)
    provider.settings.fault = lambda *_: error(401, f"Incorrect API key provided: {KEY}")
    ran = run_job()
    assert ran.code == 4
    assert KEY not in str(ran.record.reason)
    assert [path for path in ran.output.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()] == []


def test_a_server_that_is_down_pauses_the_job_and_it_goes_on_later(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    fill(folder, 12)
    provider.settings.fault = lambda number, _: Reset() if number > 5 else None
    ran = run_job(concurrency=1)
    assert (ran.code, ran.record.status) == (4, "paused")
    assert len(ran.documents) == 5
    provider.settings.fault = None
    again = run_job(concurrency=1)
    assert (again.code, len(again.documents)) == (0, 12)
    assert set(provider.counts.answered.values()) == {1}


def test_an_unknown_model_ends_the_job_as_the_users_mistake(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    fill(folder, 5)
    ran = run_job(model="nobody", context=8192)
    assert (ran.code, ran.record.status) == (2, "failed")
    assert "nobody" in str(ran.record.reason)
    assert ran.documents == {}


GOOD = {"role": "assistant", "content": "Fine."}
ODD: dict[str, Any] = {
    "half a surrogate pair": {"choices": [{"message": {"content": "half \ud83d"}, "finish_reason": "length"}]},
    "a NUL": {"choices": [{"message": {"content": "a\0b"}, "finish_reason": "stop"}]},
    "a string for a message": {"choices": [{"message": "Fine.", "finish_reason": "stop"}]},
    "a string for a choice": {"choices": ["Fine."]},
    "an object for a finish": {"choices": [{"message": GOOD, "finish_reason": {"type": "stop"}}]},
    "a number for a finish": {"choices": [{"message": GOOD, "finish_reason": 1}]},
    "a list for usage": {"choices": [{"message": GOOD}], "usage": [1, 2]},
    "a string for usage": {"choices": [{"message": GOOD}], "usage": "12 tokens"},
    "usage beyond 64 bits": {
        "choices": [{"message": GOOD}],
        "usage": {"prompt_tokens": 10**30, "completion_tokens": 1},
    },
    "negative usage": {"choices": [{"message": GOOD}], "usage": {"prompt_tokens": -5, "completion_tokens": -5}},
    "an object for a cost": {"choices": [{"message": GOOD}], "usage": {"cost": {"usd": 1}}},
    "a cost that is no number": {"choices": [{"message": GOOD}], "usage": {"cost": "NaN"}},
    "an endless cost": {"choices": [{"message": GOOD}], "usage": {"cost": "Infinity"}},
    "typed parts": {"choices": [{"message": {"content": [{"type": "text", "text": "Fine."}, 7]}}]},
    "parts without text": {"choices": [{"message": {"content": [{"type": "text", "text": None}]}}]},
    "an error that is a number": {"error": 7},
    "a deep error": {"error": {"message": {"deep": ["x"]}, "code": {"a": 1}}},
    "nothing": {},
    "null": None,
}


@pytest.mark.parametrize("name", ODD)
def test_whatever_one_answer_holds_the_others_are_done_and_the_job_ends_well(
    folder: Path, provider: Simulator, run_job: RunJob, name: str
) -> None:
    fill(folder, 8)
    put(folder, "000-bad.txt", "POISON in here")
    provider.settings.fault = poisonous(lambda *_: web.json_response(ODD[name]))
    provider.settings.latency = 0.02
    ran = run_job(concurrency=2)
    assert ran.code in (0, 3)
    assert len(ran.documents) == 9
    assert {row["status"] for key, row in ran.documents.items() if key != "000-bad.txt"} == {"done"}
    for row in ran.rows("calls"):
        assert row["prompt_tokens"] >= 0
        assert row["completion_tokens"] >= 0
        assert row["cost_usd"] is None or 0 <= row["cost_usd"] < 1e6
