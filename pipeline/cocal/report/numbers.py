"""Numbers as people read them: Spanish 1.234,5 and English 1,234.5; nothing finer than is known."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Literal

Language = Literal["es", "en"]

MINUS, NBSP, DASH = "\N{MINUS SIGN}", "\N{NO-BREAK SPACE}", "\N{EM DASH}"
_NUMBER = re.compile(r"(?<![\w.,-])\d{1,3}(?:(?:,\d{3})+|\d*)(?:\.\d+)?(?![\w.-])")
_SWAP = str.maketrans({",": ".", ".": ","})


def is_missing(value: float | None) -> bool:
    """True for None, NaN and pandas' NA."""
    return value is None or value != value or not math.isfinite(value)


def number(value: float, language: Language, decimals: int) -> str:
    """`value` with `decimals` digits after the comma and grouped thousands.

    A value other than 0 that would be printed as 0 is printed as "< 1" ("< 0,1"): little is not none.
    """
    smallest = 10.0**-decimals
    if value != 0 and abs(value) < smallest / 2:
        sign = "< " if value > 0 else f"> {MINUS}"
        return sign.replace(" ", NBSP) + _grouped(smallest, language, decimals)
    text = _grouped(abs(value), language, decimals)
    return MINUS + text if value < 0 else text


def _grouped(value: float, language: Language, decimals: int) -> str:
    text = f"{value:,.{decimals}f}"
    return text.translate(_SWAP) if language == "es" else text


def signed(value: float, language: Language, decimals: int) -> str:
    """As `number`, with a plus sign where the value is above zero."""
    text = number(value, language, decimals)
    return f"+{text}" if value > 0 and not text.startswith("<") else text


def percent(fraction: float, language: Language, decimals: int = 1) -> str:
    """A fraction of 1 in per cent: "12,3 %" in Spanish, "12.3%" in English."""
    return number(100 * fraction, language, decimals) + (f"{NBSP}%" if language == "es" else "%")


def localised(text: str, language: Language) -> str:
    """`text` with the numbers in it, written the English way, written the way of the language."""
    return text if language == "en" else _NUMBER.sub(lambda found: found[0].translate(_SWAP), text)


def decimals_for(values: Iterable[float | None]) -> int:
    """Digits after the comma for one table of hectares: none, or one where all values are below 1,000 ha."""
    known = [abs(v) for v in values if v is not None and not is_missing(v)]
    return 1 if max(known, default=0.0) < 1000 else 0
