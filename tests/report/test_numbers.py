import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocal.report.numbers import decimals_for, is_missing, number, percent, signed

NB = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("value", "decimals", "es", "en"),
    [
        (1234.5, 1, "1.234,5", "1,234.5"),
        (1234567.0, 0, "1.234.567", "1,234,567"),
        (0.0, 1, "0,0", "0.0"),
        (-3.25, 1, "\N{MINUS SIGN}3,2", "\N{MINUS SIGN}3.2"),
        (0.04, 1, f"<{NB}0,1", f"<{NB}0.1"),
        (0.3, 0, f"<{NB}1", f"<{NB}1"),
    ],
)
def test_numbers_follow_the_language_and_little_is_not_none(value, decimals, es, en):
    assert number(value, "es", decimals) == es
    assert number(value, "en", decimals) == en


@given(st.floats(1.0, 1e9), st.integers(0, 3))
def test_a_printed_number_reads_back_within_half_of_its_last_digit(value, decimals):
    back_es = float(number(value, "es", decimals).replace(".", "").replace(",", "."))
    back_en = float(number(value, "en", decimals).replace(",", ""))
    assert back_es == back_en
    assert abs(back_en - value) <= 0.5 * 10.0**-decimals + 1e-6


def test_differences_carry_their_sign():
    assert signed(12.0, "es", 0) == "+12"
    assert signed(-12.0, "es", 0) == "\N{MINUS SIGN}12"
    assert signed(0.0, "es", 0) == "0"


def test_per_cent_has_a_space_in_spanish_only():
    assert percent(0.123, "es") == f"12,3{NB}%"
    assert percent(0.123, "en") == "12.3%"


def test_a_table_has_one_decimal_only_where_all_its_hectares_are_below_a_thousand():
    assert decimals_for([3.0, 999.0, None, math.nan]) == 1
    assert decimals_for([3.0, 1000.0]) == 0
    assert decimals_for([None]) == 1


def test_none_nan_and_infinity_are_missing_and_zero_is_not():
    assert [is_missing(v) for v in (None, math.nan, math.inf, 0.0)] == [True, True, True, False]
