import math
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.models.price import Price, parse_price
from tasks.models.route import dearest

AMOUNTS = st.floats(0, 1e4, allow_nan=False)
TOKENS = st.integers(0, 10**9)


@settings(deadline=None, max_examples=100)
@given(price=AMOUNTS, prompt=TOKENS, completion=TOKENS)
def test_a_cost_is_so_much_a_million_tokens(price: float, prompt: int, completion: int) -> None:
    cost = Price(price, 2 * price).cost(prompt, completion)
    assert math.isclose(cost, price * (prompt + 2 * completion) / 1e6, rel_tol=1e-9, abs_tol=1e-12)


@settings(deadline=None, max_examples=100)
@given(paid=AMOUNTS, asked=AMOUNTS)
def test_a_written_price_is_read_as_in_and_out(paid: float, asked: float) -> None:
    price = parse_price(f"{paid}/{asked}")
    assert (price.input, price.output, price.source) == (paid, asked, "--price")


@pytest.mark.parametrize(
    "text", ["", "1", "1/2/3", "a/b", "1/", "/", "-1/2", "1/-2", "1,5/2", "nan/1", "1/nan", "inf/1", "1/inf"]
)
def test_anything_else_is_no_price(text: str) -> None:
    with pytest.raises(ValueError, match=".*"):
        parse_price(text)


def test_the_dearest_takes_the_worst_of_each_and_the_oldest_day() -> None:
    worst = dearest([Price(1, 9, date(2026, 11, 1), "a"), Price(3, 2, date(2026, 1, 1), "b")])
    assert worst is not None
    assert (worst.input, worst.output, worst.checked) == (3, 9, date(2026, 1, 1))


def test_one_unknown_price_makes_the_dearest_unknown() -> None:
    assert dearest([Price(1, 1), None]) is None
    assert dearest([]) is None
