import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.base.errors import AccountRefused, CallRejected, DocmillError, ModelUnknown, Overflow, Transient
from tasks.providers.protocol import Answer, Reply
from tasks.providers.wires.apipie import APIpie
from tasks.providers.wires.openai import OpenAI

USAGE = {"prompt_tokens": 120, "completion_tokens": 30, "total_tokens": 150}
# JSON nested deeper than Python's parser follows.
DEEP = pytest.param(b"[" * 100_000, id="deep")


def reply(body: Any, status: int = 200, **headers: str) -> Reply:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, data)


def body(content: Any = "An answer.", finish: Any = "stop", **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": content}
    return {"id": "1", "choices": [{"index": 0, "message": message, "finish_reason": finish}], **more}


def answer(content: Any, status: int = 200) -> Answer:
    return OpenAI().answer(reply(content, status))


def refused(content: Any, status: int = 200, **headers: str) -> DocmillError:
    with pytest.raises(DocmillError) as error:
        OpenAI().answer(reply(content, status, **headers))
    return error.value


class TestAnswers:
    def test_an_answer_comes_with_its_usage(self) -> None:
        assert answer(body(usage=USAGE)) == Answer("An answer.", "stop", 120, 30, None, None)

    @pytest.mark.parametrize(
        "more", [{}, {"usage": None}, {"usage": {}}, {"usage": {"prompt_tokens": None}}, {"usage": [1]}, {"usage": "x"}]
    )
    def test_usage_that_is_missing_is_none_and_not_zero(self, more: dict[str, Any]) -> None:
        got = answer(body(**more))
        assert (got.prompt_tokens, got.completion_tokens, got.cost) == (None, None, None)

    @pytest.mark.parametrize(
        ("value", "count"),
        [(0, 0), (7, 7), ("7", 7), (7.0, 7), ("1,234", 1234), ("many", None), (-4, None), (True, None), (1e300, None)],
    )
    def test_counts_may_be_numbers_or_strings_and_are_never_negative(self, value: object, count: int | None) -> None:
        assert answer(body(usage={"prompt_tokens": value, "completion_tokens": 1})).prompt_tokens == count

    @pytest.mark.parametrize(
        ("more", "cost"),
        [
            ({"usage": {"cost": 0.0125}}, 0.0125),
            ({"usage": {"cost": "0.0125"}}, 0.0125),
            ({"usage": {"cost": 0}}, 0.0),
            ({"usage": {"estimated_cost": 1e-7}}, 1e-7),
            ({"usage": {"cost": 2, "estimated_cost": 1}}, 2.0),
            ({"usage": {"cost": "free", "estimated_cost": 1}}, 1.0),
            ({"usage": USAGE, "cost": "0.5"}, 0.5),
            ({"cost": 0.5}, 0.5),
            ({"cost": {"total": 1}}, None),
            ({"usage": {"cost": ""}}, None),
            ({"usage": {"cost": "nan"}}, None),
            ({"usage": {"cost": math.inf}}, None),
            ({"usage": {"cost": True}}, None),
            ({"usage": {"cost": -1}}, None),
            ({"usage": {"cost": -1, "estimated_cost": 1}}, 1.0),
        ],
    )
    def test_a_cost_is_read_as_it_comes(self, more: dict[str, Any], cost: float | None) -> None:
        assert answer(body(**more)).cost == cost

    def test_who_served_it_is_told_at_the_top(self) -> None:
        assert answer(body(provider="bedrock")).served_by == "bedrock"
        assert answer(body(provider={"name": "bedrock"})).served_by is None

    def test_apipies_answer_is_read_in_the_same_way(self) -> None:
        got = APIpie().answer(reply(body(provider="openrouter", usage={**USAGE, "cost": "0.001"})))
        assert got == Answer("An answer.", "stop", 120, 30, 0.001, "openrouter")

    def test_an_array_of_answers_counts_as_its_first(self) -> None:
        assert answer([body("first"), body("second")]).text == "first"

    def test_content_may_come_in_parts(self) -> None:
        parts = [{"type": "text", "text": "One, "}, {"type": "text", "text": "two."}, "stray", {"type": "image"}]
        assert answer(body(parts)).text == "One, two."

    def test_a_text_completion_has_its_text_in_the_choice(self) -> None:
        assert answer({"choices": [{"text": "Once.", "finish_reason": "length"}]}).text == "Once."

    @pytest.mark.parametrize("finish", ["stop", "length", "max_tokens", None])
    def test_why_it_ended_is_kept(self, finish: str | None) -> None:
        assert answer(body(finish=finish)).finish_reason == finish

    @pytest.mark.parametrize("finish", [["stop"], {"reason": "stop"}, 7, True])
    def test_a_reason_that_is_no_text_is_none(self, finish: object) -> None:
        assert answer(body(finish=finish)) == Answer("An answer.", None, None, None, None, None)

    @settings(deadline=None, max_examples=100)
    @given(text=st.text(min_size=1).filter(lambda text: bool(text.strip())))
    def test_any_text_comes_through_unchanged(self, text: str) -> None:
        assert answer(body(text)).text == text

    def test_a_null_error_is_none(self) -> None:
        assert answer(body(error=None)).text == "An answer."


class TestAnswersThatAreNone:
    @pytest.mark.parametrize("content", ["", "  \n", None, [], [{"type": "image"}]])
    def test_an_empty_answer_is_asked_for_again(self, content: object) -> None:
        error = refused(body(content))
        assert isinstance(error, Transient)
        assert error.reason == "empty_answer"

    @pytest.mark.parametrize("message", ["x", 7, ["x"], None])
    def test_a_message_that_is_no_object_is_an_empty_answer(self, message: object) -> None:
        error = refused({"choices": [{"message": message}]})
        assert isinstance(error, Transient)
        assert error.reason == "empty_answer"

    def test_an_answer_that_ended_in_an_error_is_asked_for_again(self) -> None:
        error = refused(body("Half an answ", finish="error"))
        assert isinstance(error, Transient)

    @pytest.mark.parametrize("content", ["", "Partly."])
    def test_a_withheld_answer_is_set_aside(self, content: str) -> None:
        error = refused(body(content, finish="content_filter"))
        assert type(error) is CallRejected
        assert error.reason == "content_filter"

    @pytest.mark.parametrize("choices", [[], None, {}, "none", [None], ["text"]])
    def test_an_answer_without_choices_is_asked_for_again(self, choices: object) -> None:
        error = refused({"id": "1", "choices": choices})
        assert isinstance(error, Transient)
        assert error.reason == "empty_choices"

    def test_an_empty_object_is_an_answer_without_choices(self) -> None:
        error = refused({})
        assert isinstance(error, Transient)
        assert error.reason == "empty_choices"

    @pytest.mark.parametrize("status", [200, 400, 422])
    def test_html_says_that_the_base_url_may_be_wrong(self, status: int) -> None:
        error = refused(b"<!doctype html><html><body>Welcome</body></html>", status)
        assert isinstance(error, Transient)
        assert (error.reason, error.status) == ("not_json", status)
        assert f"HTML (HTTP {status}): is the base URL right?" in str(error)

    def test_an_html_page_of_a_gateway_counts_as_its_status(self) -> None:
        error = refused(b"<html>502 Bad Gateway</html>", 502)
        assert isinstance(error, Transient)
        assert (error.reason, str(error)) == ("http_502", "HTTP 502: 502 Bad Gateway")
        assert isinstance(refused(b"<html>Not Found</html>", 404), ModelUnknown)
        assert isinstance(refused(b"<html>Forbidden</html>", 403), AccountRefused)

    @pytest.mark.parametrize("data", [b"", b"not json", b'{"choices": [', b"\xff\xfe\xfa", DEEP])
    def test_what_is_no_json_is_asked_for_again(self, data: bytes) -> None:
        error = refused(data)
        assert isinstance(error, Transient)
        assert error.reason == "not_json"
        assert "HTML" not in str(error)

    @pytest.mark.parametrize("content", [[], [1, 2], "text", 7, None])
    def test_json_that_is_no_object_is_asked_for_again(self, content: object) -> None:
        error = refused(content)
        assert isinstance(error, Transient)
        assert error.reason == "not_json"

    @settings(deadline=None, max_examples=100)
    @given(data=st.binary(max_size=60), status=st.sampled_from((200, 400, 401, 404, 429, 500)))
    def test_any_bytes_end_in_an_answer_or_one_of_our_errors(self, data: bytes, status: int) -> None:
        assert isinstance(refused(data, status), DocmillError)


class TestErrorsInside:
    def test_an_error_inside_a_200_is_asked_about_again(self) -> None:
        error = refused({"error": {"message": "upstream hiccup"}})
        assert isinstance(error, Transient)
        assert (error.reason, str(error)) == ("error_in_answer", "upstream hiccup")

    def test_an_error_beside_choices_wins(self) -> None:
        assert isinstance(refused(body(error={"message": "cut off"})), Transient)

    @pytest.mark.parametrize("code", [401, "401"])
    def test_an_error_inside_a_200_may_carry_its_status(self, code: object) -> None:
        assert isinstance(refused({"error": {"message": "No auth", "code": code}}), AccountRefused)

    @pytest.mark.parametrize("code", ["\u00b2", "\u0664\u0660\u0661", "4010", 200, [401]])
    def test_a_code_that_is_no_status_of_an_error_is_a_word_like_others(self, code: object) -> None:
        error = refused({"error": {"code": code}})
        assert isinstance(error, Transient)
        assert (error.reason, error.status, str(error)) == ("error_in_answer", 200, str(code))

    def test_an_overflow_inside_a_200_is_one(self) -> None:
        message = "This model's maximum context length is 8192 tokens"
        assert isinstance(refused({"error": {"message": message, "code": 400}}), Overflow)

    @pytest.mark.parametrize(
        "shape",
        [
            {"error": {"message": "bad temperature", "type": "invalid_request_error"}},
            {"error": "bad temperature"},
            {"object": "error", "message": "bad temperature", "type": "BadRequestError", "code": 400},
            {"message": "bad temperature"},
            {"detail": "bad temperature"},
            {"detail": [{"loc": ["body", "temperature"], "msg": "bad temperature", "type": "value_error"}]},
            [{"error": {"message": "bad temperature"}}],
        ],
        ids=["nested", "a string", "flat", "message", "detail", "details", "in an array"],
    )
    def test_the_words_of_an_error_are_found_in_every_shape(self, shape: object) -> None:
        error = refused(shape, 400)
        assert type(error) is CallRejected
        assert (error.reason, error.status) == ("http_400", 400)
        assert "bad temperature" in str(error)

    def test_the_words_of_an_error_are_cut_short(self) -> None:
        assert len(str(refused({"error": {"message": "x" * 5000}}, 400))) < 300


def told(models: object) -> int | None:
    """The window of the model called `mine`, as a model list tells it."""
    return next((one.context for one in OpenAI().listed(reply(models)) if one.id == "mine"), None)


class TestWindows:
    @pytest.mark.parametrize(
        ("entry", "window"),
        [
            ({"max_model_len": 32768}, 32768),
            ({"context_length": 131072}, 131072),
            ({"max_context_length": 8192}, 8192),
            ({"context_length": 131072, "max_tokens": 8192}, 8192),
            ({"context_length": "4096"}, 4096),
            ({"meta": {"n_ctx": 2048, "n_ctx_train": 8192}}, 2048),
            ({"meta": None}, None),
            ({"meta": "x", "context_length": 5}, 5),
            ({"context_length": 0}, None),
            ({}, None),
        ],
    )
    def test_a_model_list_tells_the_window_in_many_ways(self, entry: dict[str, Any], window: int | None) -> None:
        models = [{"id": "other", "context_length": 1}, {"id": "mine", **entry}]
        for listed in ({"object": "list", "data": models}, {"models": models}, models):
            assert told(listed) == window

    @pytest.mark.parametrize("listed", [b"<html>", {"data": "none"}, {"data": None}, [], 7, {"data": [1, None]}, DEEP])
    def test_what_is_no_model_list_tells_nothing(self, listed: object) -> None:
        assert told(listed) is None

    def test_a_model_that_is_not_listed_has_no_window(self) -> None:
        assert told({"data": [{"id": "other", "context_length": 1}]}) is None
