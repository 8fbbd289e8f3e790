"""Texts of the page in Spanish and English, and numbers and names as one of the languages writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from cocal.assets import asset, parsed
from cocal.contracts import UNOBSERVED
from cocal.notes import Note, joined
from cocal.report import numbers
from cocal.report.content import Words
from cocal.report.numbers import DASH, NBSP, Language, is_missing
from cocal.report.place import TOTAL, Row
from cocal.scheme import ClassScheme

LANGUAGES: tuple[Language, ...] = ("es", "en")
_UNIT = re.compile(r"(?<=\d) (?=ha\b|%)")


@lru_cache
def texts() -> dict[str, dict[str, str]]:
    """Key -> {"es": ..., "en": ...}: all on the page that is not data; ha stays on the line of its figure."""
    source = asset("report/assets/texts.yaml").read_text(encoding="utf-8")
    found: dict[str, dict[str, str]] = parsed(source)
    return {
        key: {language: text.replace("} ha", "}\N{NO-BREAK SPACE}ha") for language, text in entry.items()}
        for key, entry in found.items()
    }


@dataclass(frozen=True)
class Wording:
    """Texts, numbers and names in one language, of the headline `period`, with `decimals` of hectares.

    A page has the text `key~variant` of the first of its `variants` that texts.yaml has.
    """

    language: Language
    scheme: ClassScheme
    decimals: int = 0
    period: str = ""
    variants: tuple[str, ...] = ()

    def __call__(self, key: str, **values: object) -> str:
        """The text `key` with the target, the headline period and `values` filled in.

        KeyError if texts.yaml lacks the key, or `values` one of its `{places}`.
        """
        known = texts()
        named = [f"{key}~{variant}" for variant in self.variants]
        entry = known[next((name for name in named if name in known), key)]
        return entry[self.language].format(**{"target": self.target, "period": self.period} | values)

    def words(self, text: Words) -> str:
        """A text of the content in this language, or as it is where it has one form only."""
        return text if isinstance(text, str) else text[self.language]

    def term(self, namespace: str, key: str) -> str:
        """The text `namespace.key`; `key` as it is where texts.yaml has none."""
        entry = texts().get(f"{namespace}.{key}")
        return entry[self.language] if entry else key

    def notes(self, notes: Sequence[Note] | None) -> str:
        """Notes in this language, units on the line of their figures; a dash where there are none."""
        text = _UNIT.sub(NBSP, joined(notes, self.language)) if notes else DASH
        return text.replace(f"{NBSP}%", "%") if self.language == "en" else text

    def class_name(self, key: str) -> str:
        """A class by its name for people; keys that the scheme does not hold stay as they are."""
        if key == UNOBSERVED:
            return self("unobserved")
        names = {c.key: c.name_es if self.language == "es" else c.name_en for c in self.scheme.classes}
        return names.get(key, key)

    def country(self, code: str) -> str:
        """A country by its ISO 3166 code, or the whole area; other texts stay as they are."""
        return self("total") if code == TOTAL else numbers.country_name(code, self.language)

    @property
    def target(self) -> str:
        """The target class, in lower case as it stands within a sentence."""
        return self.class_name(self.scheme.target).lower()

    @property
    def definition(self) -> Mapping[str, str]:
        """What counts as the target, in this language where the scheme has it."""
        scheme = self.scheme
        return scheme.definition | (scheme.definition_es if self.language == "es" else {})

    def ratio(self, value: float) -> str:
        """A ratio: "3", or "2.5" where it is no whole number."""
        return self.number(value, 0 if float(value).is_integer() else 1)

    def day(self, day: date) -> str:
        return numbers.day_text(day, self.language)

    def number(self, value: float, decimals: int = 0) -> str:
        return numbers.number(value, self.language, decimals)

    def ha(self, value: float | None, decimals: int | None = None) -> str:
        """Hectares without the unit; a dash where there is no value."""
        if value is None or is_missing(value):
            return DASH
        return self.number(value, self.decimals if decimals is None else decimals)

    def signed(self, value: float | None, decimals: int | None = None) -> str:
        """As `ha`, with a plus sign above zero."""
        text = self.ha(value, decimals)
        return f"+{text}" if value is not None and value > 0 and text[0] not in "<" + DASH else text

    def percent(self, fraction: float | None, decimals: int = 1) -> str:
        """A fraction of 1 as "12,3 %" in Spanish, "12.3%" in English; a dash where there is no value."""
        if fraction is None or is_missing(fraction):
            return DASH
        return self.number(100 * fraction, decimals) + (f"{NBSP}%" if self.language == "es" else "%")

    def level(self, confidence: float | None) -> str:
        """A confidence level: "95 %" from 0.95, "97,5 %" from 0.975."""
        whole = confidence is not None and abs(100 * confidence - round(100 * confidence)) < 1e-9
        return self.percent(confidence, 0 if whole else 1)

    def interval(self, low: float | None, high: float | None, decimals: int | None = None) -> str:
        """Low and high end as 1.020 – 1.480; a dash where there is none."""
        ends = (self.ha(low, decimals), self.ha(high, decimals))
        return DASH if DASH in ends else f"{ends[0]} \N{EN DASH} {ends[1]}"

    def difference(self, one: float | None, other: float | None) -> str:
        """`one` less `other` with its sign; a dash where either is missing."""
        return DASH if one is None or other is None else self.signed(one - other)

    def yes_no(self, value: bool | None) -> str:
        """Yes, no, or a dash where it is not known."""
        return DASH if value is None else self("yes" if value else "no")

    def figure(self, row: Row, prefix: str = "") -> str:
        """The estimate with its interval or, where there is none, the map's figure marked as such."""
        estimated = row.get(f"{prefix}estimated_ha")
        if estimated is None:
            mapped = self.ha(row.get(f"{prefix}mapped_ha"))
            return mapped if mapped == DASH else self("mapped_mark", ha=mapped)
        between = self.interval(row.get(f"{prefix}ci_low_ha"), row.get(f"{prefix}ci_high_ha"))
        return f"{self.ha(estimated)} [{self('n_too_small') if between == DASH else between}]"

    def sure(self, estimated: float | None, low: float | None, high: float | None) -> str:
        """The interval of an estimate, or that there are too few points for one; a dash without estimate."""
        between = self.interval(low, high)
        return between if between != DASH or estimated is None else self("n_too_small")

    def verdict(self, verdict: str, width_ha: float | None) -> str:
        """Whether two figures agree, with the width of interval that would decide; a dash without figure."""
        if not verdict:
            return DASH
        word = self.term("verdict", verdict)
        if width_ha is None or is_missing(width_ha):
            return word
        return self("verdict_needs", verdict=word, ha=self.ha(width_ha))

    def explained(self, why: Sequence[Note], verdict: str) -> str:
        """Explanation of a difference: why two figures are not comparable, or that nothing explains it."""
        if why or not verdict:
            return self.notes(why)
        return self("explained_by_nothing" if verdict == "differs" else "comparable")
