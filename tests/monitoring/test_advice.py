"""Advice has the numbers behind it and the flag to change; without a reason there is none."""

from dataclasses import replace

import pytest

from tasks.monitoring.advice import MonitoredJob, Other, advise

# A job that nothing is to be said about.
GOOD = MonitoredJob(
    "out", "openrouter", "mistral-nemo", documents=100, calls=120, chunks=120, prompt_tokens=1_000_000,
    completion_tokens=50_000, cost_usd=1.0, cut=1, retries=3, busiest_minute=55, in_flight=12.0, seconds=600,
    max_output_tokens=512, concurrency=16, rpm=60, context=131_072,
    others=(Other("together/mistral-nemo", 1.2, 131_072),),
)  # fmt: skip


def test_a_job_without_a_fault_gets_no_advice() -> None:
    assert advise([GOOD]) == []


@pytest.mark.parametrize(
    ("change", "kind", "flag", "number"),
    [
        ({"others": (Other("apipie/mistral-nemo", 0.4, None),)}, "dearer", "--provider apipie", "$0.40"),
        ({"busiest_minute": 10, "in_flight": 15.5}, "limit", "--concurrency 96", "10 requests"),
        ({"busiest_minute": 10, "in_flight": 2.0}, "limit", "--concurrency 4", "2.0 of 16"),
        ({"chunks": 500, "set_context": 8192}, "window", "--context 131072", "5.0 chunks"),
        (
            {"chunks": 500, "context": 8192, "others": (Other("together/mistral-nemo", 1.0, 65_536),)},
            "window", "--provider together", "65,536",
        ),
        ({"cut": 30}, "cut", "--max-output-tokens 1024", "30 of 120"),
        ({"retries": 60}, "retries", "--concurrency 8", "60 attempts"),
    ],
)  # fmt: skip
def test_each_fault_is_named_with_its_numbers_and_its_flag(
    change: dict[str, object], kind: str, flag: str, number: str
) -> None:
    (found,) = advise([replace(GOOD, **change)])  # type: ignore[arg-type]
    assert found.kind == kind
    assert flag in found.flag
    assert number in found.because
    assert "out" in found.because


@pytest.mark.parametrize(
    "change",
    [
        {"others": (Other("apipie/mistral-nemo", 0.95, None),)},  # a saving of 5 per cent is none
        {"others": (Other("apipie/mistral-nemo", None, None),)},
        {"cost_usd": None, "others": (Other("apipie/mistral-nemo", 0.1, None),)},
        {"busiest_minute": 10, "in_flight": 15.5, "rpm": None},
        {"busiest_minute": 10, "in_flight": 15.5, "seconds": 60.0},
        {"chunks": 500},  # no other route has a wider window
        {"chunks": 500, "context": 8192, "others": (Other("together/mistral-nemo", 9.0, 65_536),)},
        {"cut": 5},
        {"retries": 20},
        {"calls": 10, "cut": 10},
    ],
)
def test_what_is_nearly_a_fault_is_none(change: dict[str, object]) -> None:
    assert advise([replace(GOOD, **change)]) == []  # type: ignore[arg-type]


def test_what_saves_most_comes_first() -> None:
    little = replace(GOOD, others=(Other("a/m", 0.8, None),))
    much = replace(GOOD, cut=40, others=(Other("b/m", 0.1, None),))
    assert [one.saves_usd for one in advise([little, much])] == [0.9, 0.2, None]
