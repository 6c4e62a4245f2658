"""Numbers are shown as a spreadsheet shows them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.documents.readers.xlsx.built_in import BUILT_IN
from tasks.documents.readers.xlsx.digits import general
from tasks.documents.readers.xlsx.formats import number_format, text_format

ACCOUNTS = '_($* #,##0.00_);_($* (#,##0.00);_($* "-"??_);_(@_)'
NUMBERS = [
    ("General", "0.30000000000000004", "0.3"),
    ("General", "1E-3", "0.001"),
    ("General", "123456789012", "123456789012"),
    ("0.00", "4.256", "4.26"),
    ("0.00", "1.005", "1.01"),
    ("0", "2.5", "3"),
    ("0.00", "-1.005", "-1.01"),
    ("0", "-0.2", "0"),
    ("#,##0.00", "1234567.891", "1,234,567.89"),
    ("#,##0", "1E+21", "1,000,000,000,000,000,000,000"),
    ("0%", "0.256", "26%"),
    ("0.0 %", "0.256", "25.6 %"),
    ('#,##0.00\\ "€"', "1234.5", "1,234.50 €"),
    ("[$€-407] #,##0.00", "1234.5", "€ 1,234.50"),
    ("[$$-409]#,##0.00;[Red]-[$$-409]#,##0.00", "-12.3", "-$12.30"),
    ("00000", "1234", "01234"),
    ('0.0,," m"', "12345678", "12.3 m"),
    ("# ?/?", "1.5", "1 1/2"),
    ("# ?/8", "1.5", "1 4/8"),
    ("# ??/??", "0.3333333", "1/3"),
    ("0.00E+00", "123456", "1.23E+05"),
    ("##0.0E+0", "123456", "123.5E+3"),
    ("(000) 000-0000", "5551234567", "(555) 123-4567"),
    ("#,##0;(#,##0)", "-1234", "(1,234)"),
    (ACCOUNTS, "-1234.5", "$(1,234.50)"),
    (ACCOUNTS, "0", "$-"),
    ('General" kg"', "5", "5 kg"),
    ('[>=1000]#,##0,"k";0', "12345", "12k"),
    ('[>=1000]#,##0,"k";0', "123", "123"),
    ("#.##", "0.5", ".5"),
    (".00", "12.5", "12.50"),
    ("0.##", "5.1", "5.1"),
    (";;;", "5", "5"),
    ("@", "12", "12"),
    ("0.00", "not a number", "not a number"),
]
DATES = [
    ("yyyy-mm-dd", "45356", "2024-03-05"),
    ("d mmm yyyy", "45356", "5 Mar 2024"),
    ("dddd, mmmm d, yyyy", "45356", "Tuesday, March 5, 2024"),
    ("dd/mm/yy hh:mm", "45356.75", "05/03/24 18:00"),
    ("h:mm AM/PM", "0.75", "6:00 PM"),
    ("h:mm:ss", "0.5", "12:00:00"),
    ("[h]:mm:ss", "1.5", "36:00:00"),
    ("mm:ss.0", "0.0001", "00:08.6"),
    ("yyyy-mm-dd hh:mm:ss", "45356.999999999", "2024-03-06 00:00:00"),
    ('yyyy"年"m"月"d"日"', "45356", "2024年3月5日"),
    ("yyyy-mm-dd", "59", "1900-02-28"),
    ("yyyy-mm-dd", "60", "1900-02-29"),
    ("yyyy-mm-dd", "61", "1900-03-01"),
    ("yyyy-mm-dd", "2958465", "9999-12-31"),
    ("yyyy-mm-dd", "99999999", "99999999"),
    ("yyyy-mm-dd", "-1", "-1"),
]


@pytest.mark.parametrize(("code", "kept", "shown"), NUMBERS)
def test_a_number_is_shown_in_its_format(code: str, kept: str, shown: str) -> None:
    assert number_format(code)(kept) == shown


@pytest.mark.parametrize(("code", "kept", "shown"), DATES)
def test_a_date_or_time_is_shown_in_its_format(code: str, kept: str, shown: str) -> None:
    assert number_format(code)(kept) == shown


BY_NUMBER = [
    (1, "2.5", "3"),
    (4, "1234.5", "1,234.50"),
    (7, "-1234.5", "($1,234.50)"),
    (9, "0.256", "26%"),
    (10, "0.256", "25.60%"),
    (11, "123456", "1.23E+05"),
    (12, "1.5", "1 1/2"),
    (14, "45356", "2024-03-05"),
    (15, "45356", "5-Mar-24"),
    (20, "0.75", "18:00"),
    (22, "45356.75", "2024-03-05 18:00"),
    (39, "-1234.5", "(1,234.50)"),
    (44, "-12.5", "-$12.50"),
    (43, "0", "-"),
    (46, "1.5", "36:00:00"),
    (47, "0.0001", "00:08.6"),
    (49, "1234", "1234"),
    (57, "45356", "2024-03-05"),
]


@pytest.mark.parametrize(("number", "kept", "shown"), BY_NUMBER)
def test_a_format_that_is_only_a_number_is_known(number: int, kept: str, shown: str) -> None:
    assert number_format(BUILT_IN[number])(kept) == shown


def test_days_are_counted_from_1904_where_the_workbook_says_so() -> None:
    assert number_format("yyyy-mm-dd", from_1904=True)("43894") == "2024-03-05"


@pytest.mark.parametrize(("code", "around"), [('@" kg"', ("", " kg")), ('0;0;0;"Nr. "@', ("Nr. ", "")), ("@", None)])
def test_a_format_may_put_words_around_a_text(code: str, around: tuple[str, str] | None) -> None:
    assert text_format(code) == around


@given(st.decimals(-(10**9), 10**9, allow_nan=False, places=4))
def test_two_decimals_are_the_number_rounded_away_from_zero(value: Decimal) -> None:
    shown = Decimal(number_format("#,##0.00")(str(value)).replace(",", ""))
    assert abs(shown - value) <= Decimal("0.005")


@given(st.floats(-1e307, 1e307))
def test_a_number_without_a_format_keeps_its_fifteen_digits(value: float) -> None:
    assert float(general(repr(value))) == pytest.approx(value, rel=1e-14)


@given(st.text(alphabet='0#?.,%/E+-ymdhs[]$"\\_*@;>=( G', max_size=20), st.floats(-1e10, 1e10))
def test_no_format_is_an_error_nor_hides_a_number(code: str, value: float) -> None:
    assert number_format(code)(repr(value))


@pytest.mark.parametrize("letter", ["0", "#", "[", '"', "\\", ";", ",", "?", "_", "/", "E+", "%", "h", "y"])
def test_a_format_of_many_characters_costs_no_more_than_the_longest_that_is_allowed(letter: str) -> None:
    assert number_format(letter * 100_000)("1234.5")
