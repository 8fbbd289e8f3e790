"""Numbers, dates and countries as people read them: Spanish 1.234,5 and English 1,234.5."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Literal

from babel import Locale
from babel.core import get_global
from babel.dates import format_date
from babel.numbers import format_decimal

Language = Literal["es", "en"]

MINUS, NBSP, DASH = "\N{MINUS SIGN}", "\N{NO-BREAK SPACE}", "\N{EM DASH}"
_DATES = {"es": "d 'de' MMMM 'de' y", "en": "d MMMM y"}


def is_missing(value: float | None) -> bool:
    """True for None, NaN, infinity and pandas' NA."""
    return value is None or value != value or not math.isfinite(value)


def number(value: float, language: Language, decimals: int) -> str:
    """`value` with `decimals` decimals and grouped thousands, a half rounded to the even digit.

    A value other than 0 that would be printed as 0 is printed as "< 1" ("< 0,1"): little is not none.
    """
    smallest = 10.0**-decimals
    if value != 0 and abs(value) < smallest / 2:
        sign = "< " if value > 0 else f"> {MINUS}"
        return sign.replace(" ", NBSP) + _grouped(smallest, language, decimals)
    text = _grouped(abs(value), language, decimals)
    return MINUS + text if value < 0 else text


def _grouped(value: float, language: Language, decimals: int) -> str:
    # the exact value of the float: Babel would round its shortest decimal form
    return format_decimal(
        Decimal(float(value)), format=f"#,##0.{'0' * decimals}".rstrip("."), locale=language
    )


def day_text(day: date, language: Language) -> str:
    """A day as "1 de enero de 2024" or "1 January 2024"."""
    return format_date(day, _DATES[language], locale=language)


def country_name(code: str, language: Language) -> str:
    """The name of a country by its ISO 3166 code of two or three letters; any other text as it is."""
    if not re.fullmatch("[A-Z]{2,3}", code):
        return code
    short = get_global("territory_aliases").get(code, [code])[0]
    return str(Locale(language).territories.get(short, code))


def decimals_for(values: Iterable[float | None]) -> int:
    """Decimals for one table of hectares: none, or one where all values are below 1,000 ha."""
    known = [abs(v) for v in values if v is not None and not is_missing(v)]
    return 1 if max(known, default=0.0) < 1000 else 0
