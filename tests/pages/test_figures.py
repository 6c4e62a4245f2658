"""Figures in words: short, and never more than is known."""

import pytest

from tasks.pages.figures import FIGURES, count, duration, milliseconds, money, share, short


@pytest.mark.parametrize(
    ("usd", "said"),
    [
        (None, "–"),  # noqa: RUF001 - a dash
        (0.0, "$0"),
        (0.00001234, "$0.0000123"),
        (0.0512, "$0.0512"),
        (1.5, "$1.50"),
        (12345.678, "$12,345.68"),
    ],
)
def test_a_small_sum_is_never_shown_as_nothing(usd: float | None, said: str) -> None:
    assert money(usd) == said


@pytest.mark.parametrize(
    ("part", "said"),
    [(1.0, "100 %"), (0.9999999, "99.99 %"), (0.5, "50.0 %"), (0.0000001, "0.01 %"), (0.0, "0 %"), (1.25, "125 %")],
)
def test_a_share_is_all_or_nothing_only_where_it_is(part: float, said: str) -> None:
    assert share(part) == said


def test_what_is_not_known_is_a_dash_in_every_form() -> None:
    assert {form(None) for form in FIGURES.values()} == {count(None)}


def test_numbers_are_as_long_as_they_have_to_be() -> None:
    assert (count(1234567), short(1234567), short(2504569248)) == ("1,234,567", "1,234,567", "2,504.6 M")
    assert (milliseconds(950.4), milliseconds(12_340)) == ("950 ms", "12.3 s")
    assert [duration(seconds) for seconds in (0.24, 80, 3000, 7200, 864_000)] == [
        "0.2 s", "80 s", "50 min", "2.0 h", "10.0 days",
    ]  # fmt: skip
