import math
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocal.report.numbers import country_name, day_text, decimals_for, is_missing, number
from cocal.report.texts import Wording

NB = "\N{NO-BREAK SPACE}"


@pytest.fixture
def es(made_up):
    return Wording("es", made_up(1).scheme)


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


@given(st.floats(1.0, 1e12) | st.integers(64, 10**9).map(lambda n: n / 64), st.integers(0, 3))
def test_a_half_goes_to_the_even_digit_of_the_exact_value(value, decimals):
    english = f"{value:,.{decimals}f}"
    assert number(value, "en", decimals) == english
    assert number(value, "es", decimals) == english.translate(str.maketrans(",.", ".,"))


def test_days_are_written_out_in_both_languages():
    assert day_text(date(2024, 9, 1), "es") == "1 de septiembre de 2024"
    assert day_text(date(2024, 9, 1), "en") == "1 September 2024"


def test_countries_have_names_by_both_codes_and_other_texts_stay():
    assert [country_name(c, "es") for c in ("PE", "PER", "BO", "BOL")] == [
        "Perú",
        "Perú",
        "Bolivia",
        "Bolivia",
    ]
    assert [country_name(c, "en") for c in ("PE", "BRA", "SIM", "the border")] == [
        "Peru", "Brazil", "SIM", "the border",
    ]  # fmt: skip


def test_differences_carry_their_sign(es):
    assert es.signed(12.0) == "+12"
    assert es.signed(-12.0) == "\N{MINUS SIGN}12"
    assert es.signed(0.0) == "0"
    assert es.signed(0.2) == f"<{NB}1"
    assert es.signed(None) == es.signed(math.nan) == "\N{EM DASH}"


def test_per_cent_has_a_space_in_spanish_only(es):
    assert es.percent(0.123) == f"12,3{NB}%"
    assert replace(es, language="en").percent(0.123) == "12.3%"


def test_a_table_has_one_decimal_only_where_all_its_hectares_are_below_a_thousand():
    assert decimals_for([3.0, 999.0, None, math.nan]) == 1
    assert decimals_for([3.0, 1000.0]) == 0
    assert decimals_for([None]) == 1


def test_none_nan_and_infinity_are_missing_and_zero_is_not():
    assert [is_missing(v) for v in (None, math.nan, math.inf, 0.0)] == [True, True, True, False]
