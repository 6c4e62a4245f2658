"""Limits are read from headers in every spelling that a provider is known to use."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.providers.rate_limit_headers import AdvertisedLimit, Unit, advertised_limits, advertised_reset
from tests.quota import SPELLINGS, Allowance, Quota

WALL = 1_790_000_000.0
# Headers, the period that the provider's limits have where they don't say it, and what they tell.
SPELT: dict[str, tuple[dict[str, str], float, list[AdvertisedLimit]]] = {
    "OpenAI": (
        {
            "x-ratelimit-limit-requests": "60",
            "x-ratelimit-limit-tokens": "150000",
            "x-ratelimit-remaining-requests": "59",
            "x-ratelimit-remaining-tokens": "149984",
            "x-ratelimit-reset-requests": "1s",
            "x-ratelimit-reset-tokens": "6m0s",
        },
        60.0,
        [AdvertisedLimit("requests", 60, 60), AdvertisedLimit("tokens", 60, 150_000)],
    ),
    "Mistral": (
        {
            "x-ratelimit-limit-req-minute": "120",
            "x-ratelimit-remaining-req-minute": "119",
            "x-ratelimit-limit-tokens-minute": "500000",
            "x-ratelimit-remaining-tokens-minute": "499000",
        },
        1.0,
        [AdvertisedLimit("requests", 60, 120), AdvertisedLimit("tokens", 60, 500_000)],
    ),
    "Mistral, older": (
        {
            "x-ratelimitbysize-limit-minute": "500000",
            "x-ratelimitbysize-remaining-minute": "499000",
            "x-ratelimitbysize-limit-month": "1000000000",
            "ratelimitbysize-limit": "500000",
            "ratelimitbysize-remaining": "499000",
            "ratelimitbysize-reset": "32",
            "ratelimitbysize-query-cost": "1000",
        },
        60.0,
        [AdvertisedLimit("tokens", 60, 500_000)],
    ),
    "Mistral, a second": ({"x-ratelimit-limit-req-second": "1"}, 60.0, [AdvertisedLimit("requests", 1, 1)]),
    "Together": (
        {
            "x-ratelimit-limit": "20",
            "x-ratelimit-remaining": "19",
            "x-ratelimit-reset": "1",
            "x-tokenlimit-limit": "25000",
            "x-tokenlimit-remaining": "24000",
        },
        1.0,
        [AdvertisedLimit("requests", 1, 20), AdvertisedLimit("tokens", 1, 25_000)],
    ),
    "Together, dynamic": (
        {
            "x-ratelimit-limit": "100",
            "x-ratelimit-limit-dynamic": "20",
            "x-tokenlimit-limit-dynamic": "25000.5",
            "x-tokenlimit-limit": "3000",
        },
        1.0,
        [AdvertisedLimit("requests", 1, 20), AdvertisedLimit("tokens", 1, 25_000.5)],
    ),
    "OpenRouter": (
        {
            "X-RateLimit-Limit": "20",
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": str(int((WALL + 12) * 1000)),
        },
        60.0,
        [AdvertisedLimit("requests", 60, 20)],
    ),
    "Anthropic": (
        {
            "anthropic-ratelimit-requests-limit": "50",
            "anthropic-ratelimit-requests-remaining": "49",
            "anthropic-ratelimit-requests-reset": "2026-11-24T12:00:00Z",
            "anthropic-ratelimit-tokens-limit": "90000",
            "anthropic-ratelimit-input-tokens-limit": "80000",
            "anthropic-ratelimit-output-tokens-limit": "10000",
        },
        60.0,
        [
            AdvertisedLimit("requests", 60, 50),
            AdvertisedLimit("tokens", 60, 90_000),
            AdvertisedLimit("input", 60, 80_000),
            AdvertisedLimit("output", 60, 10_000),
        ],
    ),
    "IETF": (
        {
            "RateLimit-Policy": "100;w=60",
            "RateLimit-Limit": "100",
            "RateLimit-Remaining": "50",
            "RateLimit-Reset": "30",
        },
        60.0,
        [AdvertisedLimit("requests", 60, 100)],
    ),
    "IETF, where the plain header is of a second or of a day": (
        {"RateLimit-Policy": '"burst";w=1;q=10, "daily";w=86400;q=1000', "RateLimit-Limit": "10"},
        60.0,
        [AdvertisedLimit("requests", 1, 10)],
    ),
    "IETF's first draft": (
        {"RateLimit-Limit": "100, 100;w=10, 5000;w=3600, 10000;w=86400"},
        60.0,
        [AdvertisedLimit("requests", 10, 100), AdvertisedLimit("requests", 3600, 5000)],
    ),
    "Cerebras": (
        {
            "x-ratelimit-limit-requests-minute": "5",
            "x-ratelimit-limit-requests-hour": "150",
            "x-ratelimit-limit-requests-day": "2400",
            "x-ratelimit-limit-tokens-minute": "30000",
            "x-ratelimit-limit-tokens-day": "1000000",
            "x-ratelimit-remaining-requests-day": "2399",
            "x-ratelimit-reset-requests-day": "33011.38",
        },
        1.0,
        [
            AdvertisedLimit("requests", 60, 5),
            AdvertisedLimit("requests", 3600, 150),
            AdvertisedLimit("tokens", 60, 30_000),
        ],
    ),
    "SambaNova": (
        {"x-ratelimit-limit-requests": "60", "x-ratelimit-limit-requests-day": "12000"},
        60.0,
        [AdvertisedLimit("requests", 60, 60)],
    ),
    "DigitalOcean": (
        {
            "x-ratelimit-limit-requests": "120",
            "x-ratelimit-limit-tokens-per-day": "2000000",
            "x-ratelimit-limit-tokens-per-minute": "80000",
        },
        60.0,
        [AdvertisedLimit("requests", 60, 120), AdvertisedLimit("tokens", 60, 80_000)],
    ),
    "IETF, of two windows": (
        {"RateLimit-Policy": "10;w=1, 1000;w=3600"},
        60.0,
        [AdvertisedLimit("requests", 1, 10), AdvertisedLimit("requests", 3600, 1000)],
    ),
}


def by_unit(found: list[AdvertisedLimit]) -> list[tuple[Unit, float, float]]:
    return sorted((one.unit, one.period, one.limit) for one in found)


@pytest.mark.parametrize("name", SPELT)
def test_every_spelling_is_read(name: str) -> None:
    headers, period, expected = SPELT[name]
    assert by_unit(advertised_limits(headers, period=period)) == by_unit(expected)


@pytest.mark.parametrize("name", SPELT)
@pytest.mark.parametrize("shape", [str.lower, str.upper, str.title])
def test_the_case_of_a_name_says_nothing(name: str, shape: type[str]) -> None:
    headers, period, expected = SPELT[name]
    assert by_unit(advertised_limits({shape(key): value for key, value in headers.items()}, period=period)) == by_unit(
        expected
    )


@pytest.mark.parametrize("name", ["Together, dynamic"])
def test_a_dynamic_limit_takes_the_place_of_the_plain_one_in_any_order(name: str) -> None:
    headers, period, expected = SPELT[name]
    turned = dict(reversed(headers.items()))
    assert by_unit(advertised_limits(turned, period=period)) == by_unit(expected)


@pytest.mark.parametrize("spelling", SPELLINGS)
@given(st.integers(1, 5000), st.integers(1, 2_000_000))
def test_what_the_simulated_provider_tells_is_what_it_grants(spelling: str, requests: int, tokens: int) -> None:
    quota = Quota([Allowance("requests", requests), Allowance("tokens", tokens)], spelling)
    quota.take(0.0, 0, 0)
    refused = 1.0 if spelling == "openrouter" else None
    period = 1.0 if spelling.startswith("together") else 60.0
    granted = {"requests": requests, "tokens": tokens}
    found = advertised_limits(quota.headers(0.0, refused, WALL), period=period)
    assert found
    for one in found:
        assert one.limit / one.period == pytest.approx(granted[one.unit] / 60, abs=0.001)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "application/json", "x-request-id": "limit-60"},
        {"x-ratelimit-remaining-requests": "59", "x-ratelimit-reset-requests": "1s"},
        {"x-ratelimit-limit-requests": "unlimited"},
        {"x-ratelimit-limit-requests": "-1"},
        {"x-ratelimit-limit-requests": "0"},
        {"x-ratelimit-limit-requests": ""},
        {"x-ratelimit-limit-req-day": "1000", "x-ratelimit-limit-tokens-month": "1000000"},
        {"RateLimit-Policy": "nonsense"},
    ],
)
def test_what_is_no_pace_tells_nothing(headers: dict[str, str]) -> None:
    assert advertised_limits(headers) == []


@given(
    st.dictionaries(
        st.sampled_from(["x-ratelimit-limit-requests", "ratelimit-policy", "x-tokenlimit-limit"]), st.text()
    )
)
def test_no_header_is_an_error(headers: dict[str, str]) -> None:
    assert all(one.limit > 0 for one in advertised_limits(headers))
    advertised_reset(headers, wall=WALL)


@pytest.mark.parametrize("name", ["x-ratelimit-reset", "X-RateLimit-Reset", "ratelimit-reset", "RateLimit-Reset"])
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("12", 12.0),
        ("0.5", 0.5),
        ("1s", 1.0),
        ("20ms", 0.02),
        ("1.5s", 1.5),
        ("0m30s", 30.0),
        (str(int(WALL) + 12), 12.0),
        (str(int((WALL + 12) * 1000)), 12.0),
        (str(int((WALL - 12) * 1000)), 0.0),
    ],
)
def test_a_reset_is_seconds_a_duration_or_a_time_since_1970(name: str, value: str, seconds: float) -> None:
    assert advertised_reset({name: value}, wall=WALL) == pytest.approx(seconds, abs=0.01)


@pytest.mark.parametrize("value", ["3600", str(int((WALL + 9999) * 1000)), "6m0s", "1h0m0s"])
def test_a_reset_never_pauses_a_route_for_longer_than_a_minute(value: str) -> None:
    assert advertised_reset({"x-ratelimit-reset": value}, wall=WALL) == 60.0


@pytest.mark.parametrize("headers", [{}, {"x-ratelimit-reset": "soon"}, {"x-ratelimit-reset": "nan"}])
def test_a_reset_that_says_nothing_is_none(headers: dict[str, str]) -> None:
    assert advertised_reset(headers, wall=WALL) is None


def test_the_reset_of_one_unit_is_when_all_of_it_is_free_and_not_read() -> None:
    assert advertised_reset({"x-ratelimit-reset-tokens": "6m0s", "x-ratelimit-reset-requests": "1s"}, wall=WALL) is None


@pytest.mark.parametrize(
    ("name", "value", "limits"),
    [
        ("x-ratelimit-limit-images", "5", []),
        ("x-ratelimit-limit-audio-seconds", "7200", []),
        ("x-ratelimit-limit-concurrent", "8", []),
        ("x-ratelimit-limit-requests", "10,000", [("requests", 60.0, 10_000.0)]),
        ("x-ratelimit-limit-tokens", "1,500,000", [("tokens", 60.0, 1_500_000.0)]),
        ("x-ratelimit-limit-tokens", "10k", [("tokens", 60.0, 10_000.0)]),
        ("x-ratelimit-limit-requests", "unlimited", []),
        ("x-ratelimit-limit-requests", "-1", []),
        ("x-ratelimit-limit-requests", "0", []),
        ("x-ratelimit-limit-requests", "9" * 400, []),
        ("ratelimit-policy", "100;w=0", []),
        ("ratelimit-policy", "100;w=60", [("requests", 60.0, 100.0)]),
        ("ratelimit-policy", '"default";q=100;w=10', [("requests", 10.0, 100.0)]),
        ("ratelimit-policy", '"burst";q=100;w=60,"daily";q=1000;w=86400', [("requests", 60.0, 100.0)]),
        ("ratelimit-policy", '"bytes";q=65535;qu="content-bytes";w=10', []),
        ("ratelimit-policy", '"default";w=10;q=100', [("requests", 10.0, 100.0)]),
        ("ratelimit-policy", '"default"; w=10; q=100; pk=:YWJj:', [("requests", 10.0, 100.0)]),
        ("ratelimit-policy", "default;q=100;w=60", [("requests", 60.0, 100.0)]),
        (
            "ratelimit-policy",
            '100;w=60;comment="a, b;w=1", 10;w=1',
            [("requests", 60.0, 100.0), ("requests", 1.0, 10.0)],
        ),
        ("ratelimit-policy", '"a, 5;w=5";w=10;q=100', [("requests", 10.0, 100.0)]),
        ("ratelimit-policy", '"user";q=100;w=60, "key";w=60;q=20', [("requests", 60.0, 20.0)]),
        ("ratelimit-policy", '"bytes";q=65535;w=10;qu="content-bytes"', []),
        (
            "ratelimit-policy",
            '"bytes";q=9;w=10;qu="content-bytes", "r";qu="requests";q=7;w=10',
            [("requests", 10.0, 7.0)],
        ),
        ("ratelimit-policy", '"daily";w=86400;q=1000', []),
        ("ratelimit-policy", '"whenever";q=1000', []),
        ("ratelimit-policy", '"unended;q=5', []),
        ("ratelimit-policy", '"\\' * 4000, []),
        ("x-ratelimit-limit", "100, 100;window=60, 10000;window=86400", [("requests", 60.0, 100.0)]),
        ("x-ratelimit-limit-requests", "1000;w=86400", []),
        ("x-ratelimit-limit-requests-1d", "1000", []),
        ("x-ratelimit-limit-tokens-1d", "1000", []),
        ("x-ratelimit-limit-tokens-day", "1000", []),
        ("x-ratelimit-limit-requests-24h", "1000", []),
        ("x-ratelimit-limit-requests-7days", "1000", []),
        ("x-ratelimit-limit-requests-week", "1000", []),
        ("x-ratelimit-limit-requests-1month", "1000", []),
        ("x-ratelimit-limit-requests-0m", "1000", []),
        ("x-ratelimit-limit-rpd", "1000", []),
        ("x-ratelimit-limit-tpm", "1000", [("tokens", 60.0, 1000.0)]),
        ("x-ratelimit-limit-rpm", "10", [("requests", 60.0, 10.0)]),
        ("x-ratelimit-limit-requests-1m", "30", [("requests", 60.0, 30.0)]),
        ("x-ratelimit-limit-tokens-1m", "15000", [("tokens", 60.0, 15_000.0)]),
        ("x-ratelimit-limit-requests-10s", "30", [("requests", 10.0, 30.0)]),
        ("x-ratelimit-limit-requests-1h", "30", [("requests", 3600.0, 30.0)]),
        ("x-ratelimit-limit-requests-hour", "30", [("requests", 3600.0, 30.0)]),
        ("x-ratelimit-limit-requests-second", "3", [("requests", 1.0, 3.0)]),
        ("x-ratelimit-limit-requests-m", "3", [("requests", 60.0, 3.0)]),
        ("x-ratelimit-limit-requests-day", "14400", []),
        ("x-ratelimit-limit-requests-minute", "30", [("requests", 60.0, 30.0)]),
    ],
)
def test_only_what_a_header_says_of_requests_and_tokens_is_a_limit(
    name: str, value: str, limits: list[tuple[str, float, float]]
) -> None:
    assert [(one.unit, one.period, one.limit) for one in advertised_limits({name: value})] == limits


NAMES = st.lists(
    st.sampled_from(
        ["x", "ratelimit", "rate-limit", "limit", "policy", "tokens", "reset", "day", "1m", "tpd", "images"]
    )
)
VALUES = st.text(alphabet='0123456789.,;=wqu"\\-+eE kmsh\u0664\u00b2xNa', max_size=30)


@given(st.dictionaries(NAMES.map("-".join), VALUES), st.floats(0, 2e9))
def test_no_header_whatever_it_holds_breaks_a_call(headers: dict[str, str], wall: float) -> None:
    assert all(one.limit > 0 and one.period > 0 for one in advertised_limits(headers))
    assert (advertised_reset(headers, wall=wall) or 0.0) >= 0.0
