"""The page's words in Spanish and English, and one voice that speaks one of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import yaml

from cocal.assets import asset
from cocal.contracts import UNOBSERVED
from cocal.report import numbers
from cocal.report.content import Words
from cocal.report.numbers import Language, is_missing
from cocal.scheme import ClassScheme

LANGUAGES: tuple[Language, ...] = ("es", "en")


@lru_cache
def texts() -> dict[str, dict[str, str]]:
    """Sentences by key, {"es": ..., "en": ...} each: all on the page that is not data. No line breaks before a unit."""
    source = asset("report/assets/texts.yaml").read_text(encoding="utf-8")
    found: dict[str, dict[str, str]] = yaml.safe_load(source)
    return {
        key: {language: text.replace("} ha", "}\N{NO-BREAK SPACE}ha") for language, text in entry.items()}
        for key, entry in found.items()
    }


@lru_cache
def _patterns(namespace: str) -> list[tuple[re.Pattern[str], str]]:
    """The keys of a namespace, most words first: as what a text must be to fit, and as they stand."""
    keys = [key for key in texts() if key.startswith(f"{namespace}.")]
    keys.sort(key=lambda key: -len(re.sub(r"\{\w+\}", "", key)))
    found = []
    for key in keys:
        text = re.escape(key.removeprefix(f"{namespace}."))
        found.append((re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", text), re.DOTALL), key))
    return found


@dataclass(frozen=True)
class Voice:
    """One language: its sentences, its numbers, its names of classes and countries."""

    language: Language
    scheme: ClassScheme

    def __call__(self, key: str, **values: object) -> str:
        """The sentence named `key` with `values` filled in; a missing key is a defect (KeyError)."""
        return texts()[key][self.language].format(**values)

    def words(self, text: Words) -> str:
        """A text of the run in this language, or as it is where it has one form only."""
        return text if isinstance(text, str) else text[self.language]

    def phrase(self, namespace: str, text: str) -> str:
        """Words of another room as people read them; what the dictionary does not hold stays as it is.

        Looked up as `namespace.text`; "one; two" part by part, "head: rest" by its head. A key with
        `{places}` fits any text there, and numbers in it are written the way of the language.
        """
        return "; ".join(self._part(namespace, part) for part in text.split("; "))

    def _part(self, namespace: str, text: str) -> str:
        for pattern, key in _patterns(namespace):
            found = pattern.fullmatch(text)
            if found:
                values = {name: numbers.localised(v, self.language) for name, v in found.groupdict().items()}
                return texts()[key][self.language].format(**values)
        head, colon, rest = text.partition(": ")
        for known, kept in ((text, ""), (head, colon + rest)):
            entry = texts().get(f"{namespace}.{known}")
            if entry:
                return entry[self.language] + kept
        return text

    def class_name(self, key: str) -> str:
        """A class by its name for people; keys that the scheme does not hold stay as they are."""
        if key == UNOBSERVED:
            return self("unobserved")
        names = {c.key: c.name_es if self.language == "es" else c.name_en for c in self.scheme.classes}
        return names.get(key, key)

    @property
    def target(self) -> str:
        """The target class, in lower case as it stands within a sentence."""
        return self.class_name(self.scheme.target).lower()

    @property
    def definition(self) -> Mapping[str, str]:
        """What counts as the target, in this language where the scheme has it."""
        scheme = self.scheme
        return scheme.definition | (scheme.definition_es if self.language == "es" else {})

    def ha(self, value: float | None, decimals: int) -> str:
        """Hectares without the unit; a dash where there is no value."""
        return numbers.DASH if value is None or is_missing(value) else self.number(value, decimals)

    def number(self, value: float, decimals: int = 0) -> str:
        return numbers.number(value, self.language, decimals)

    def signed(self, value: float | None, decimals: int) -> str:
        if value is None or is_missing(value):
            return numbers.DASH
        return numbers.signed(value, self.language, decimals)

    def percent(self, fraction: float | None, decimals: int = 1) -> str:
        if fraction is None or is_missing(fraction):
            return numbers.DASH
        return numbers.percent(fraction, self.language, decimals)

    def level(self, confidence: float | None) -> str:
        """A confidence level: "95 %" from 0.95, "97,5 %" from 0.975."""
        if confidence is None or is_missing(confidence):
            return numbers.DASH
        whole = abs(100 * confidence - round(100 * confidence)) < 1e-9
        return self.percent(confidence, 0 if whole else 1)

    def interval(self, low: float | None, high: float | None, decimals: int) -> str:
        """Low and high end as 1.020 – 1.480; a dash where there is none."""
        if low is None or high is None or is_missing(low) or is_missing(high):
            return numbers.DASH
        return f"{self.number(low, decimals)} \N{EN DASH} {self.number(high, decimals)}"
