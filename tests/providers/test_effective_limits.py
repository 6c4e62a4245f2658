"""Which limits hold for a job: its options' or its provider's; the plan reckons with all that dispatch holds."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.models.catalogue import Provider, load_catalogue
from tasks.prompting.options import Options
from tasks.providers.effective_limits import EffectiveLimits
from tasks.running.runtime import declared

NUMBERS = st.none() | st.integers(1, 10_000)


def provider(**limits: int | None) -> Provider:
    return (
        load_catalogue()
        .provider("mistral")
        .model_copy(
            update={
                "requests_per_minute": None,
                "tokens_per_minute": None,
                "requests_per_second": None,
                "input_tokens_per_minute": None,
                "output_tokens_per_minute": None,
                "concurrency": 10,
                "typical_seconds": 2.0,
                **limits,
            }
        )
    )


def test_what_options_say_stands_above_what_a_provider_declares() -> None:
    limits = EffectiveLimits.of(Options(rpm=60, concurrency=3), provider(requests_per_minute=600, tokens_per_minute=9))
    assert (limits.a_minute("requests"), limits.a_minute("tokens"), limits.concurrency) == (60, 9, 3)


def test_the_tightest_of_two_limits_counts() -> None:
    limits = EffectiveLimits.of(Options(), provider(requests_per_minute=600, requests_per_second=2))
    assert limits.a_minute("requests") == 120
    assert limits.a_minute("input") is None


@pytest.mark.parametrize(
    ("limits", "seconds"),
    [
        ({}, 20.0),  # 100 calls, ten in flight, of two seconds each
        ({"requests_per_minute": 60}, 100.0),
        ({"requests_per_second": 4}, 25.0),
        ({"tokens_per_minute": 6_000}, 120.0),
        ({"input_tokens_per_minute": 1_000}, 600.0),
        ({"output_tokens_per_minute": 1_000}, 120.0),
    ],
)
def test_a_plan_takes_as_long_as_the_limit_that_binds(limits: dict[str, int], seconds: float) -> None:
    assert EffectiveLimits.of(Options(), provider(**limits)).seconds(100, 10_000, 2_000) == seconds


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_dispatch_holds_what_the_plan_reckons_with(
    rpm: int | None, tpm: int | None, second: int | None, prompt: int | None, answer: int | None
) -> None:
    there = provider(requests_per_second=second, input_tokens_per_minute=prompt, output_tokens_per_minute=answer)
    options = Options(rpm=rpm, tpm=tpm)
    held = [(rate.unit, rate.limit, rate.period) for rate in declared(options, there)]
    assert held == [tuple(rate) for rate in EffectiveLimits.of(options, there).rates]
    asked = SimpleNamespace(rpm=rpm, tpm=tpm, concurrency=None)
    assert EffectiveLimits.of(asked, there) == EffectiveLimits.of(options, there)
